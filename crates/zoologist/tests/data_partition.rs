//! The seeded order of the samples and its cut into shards.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its data must fail")]

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;
use zoologist::base::{Classes, Columns, Seed, Targets};
use zoologist::data::{Partition, shard_count};

fn classes(counts: &[usize]) -> Targets {
    let names: Vec<String> =
        counts.iter().enumerate().flat_map(|(class, &n)| vec![format!("class {class}"); n]).collect();
    Targets::Classes(Classes::from_names(&names).unwrap())
}

/// How far each class is from its share in this range of the order, at worst.
fn worst_miss(targets: &Targets, partition: &Partition, range: Range<usize>) -> f64 {
    let Targets::Classes(classes) = targets else { panic!("no classes") };
    let share = range.len() as f64 / targets.len() as f64;
    let mut found = vec![0; classes.names().len()];
    partition.order()[range].iter().for_each(|&sample| found[classes.index()[sample] as usize] += 1);
    let misses = found.iter().zip(classes.counts()).map(|(&found, all)| (f64::from(found) - all as f64 * share).abs());
    misses.fold(0.0, f64::max)
}

fn counts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..60_usize, 2..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_holds_every_sample_once(counts in counts(), seed: u64) {
        let targets = classes(&counts);
        let partition = Partition::new(&targets, None, Seed(seed));
        let mut sorted = partition.order().to_vec();
        sorted.sort_unstable();
        prop_assert!(sorted.into_iter().eq(0..targets.len()));
    }

    /// Two classes are always within 1 of their share; with c classes, a class of share s within 1 + s (c - 2).
    #[test]
    fn every_prefix_and_every_shard_is_stratified(counts in counts(), seed: u64, cut in 0.0..1.0) {
        let targets = classes(&counts);
        let partition = Partition::new(&targets, None, Seed(seed));
        let largest = *counts.iter().max().unwrap() as f64 / targets.len() as f64;
        let bound = 1.0 + largest * (counts.len() as f64 - 2.0) + 1e-9;
        let prefix = 0..(cut * targets.len() as f64) as usize;
        for range in partition.shards(20).into_iter().chain([prefix]) {
            prop_assert!(worst_miss(&targets, &partition, range) <= bound);
        }
    }

    #[test]
    fn ten_shards_are_pairs_of_twenty_and_cover_the_order(counts in counts(), seed: u64) {
        let partition = Partition::new(&classes(&counts), None, Seed(seed));
        let ends = |count| partition.shards(count).iter().map(|shard| shard.end).collect::<BTreeSet<_>>();
        prop_assert!(ends(10).is_subset(&ends(20)));
        let covered = partition.shards(20).into_iter().flatten();
        prop_assert!(covered.eq(0..partition.order().len()));
    }

    #[test]
    fn related_samples_stay_in_one_shard(groups in prop::collection::vec(0..30_u64, 8..200), seed: u64) {
        let names: Vec<&str> = (0..groups.len()).map(|sample| ["a", "b", "c"][sample % 3]).collect();
        let targets = Targets::Classes(Classes::from_names(&names).unwrap());
        let partition = Partition::new(&targets, Some(&groups), Seed(seed));
        let mut seen = BTreeSet::new();
        for shard in partition.shards(7) {
            let here: BTreeSet<u64> = partition.order()[shard].iter().map(|&sample| groups[sample]).collect();
            prop_assert!(seen.is_disjoint(&here));
            seen.extend(here);
        }
        let mut sorted = partition.order().to_vec();
        sorted.sort_unstable();
        prop_assert!(sorted.into_iter().eq(0..groups.len()));
    }
}

#[test]
fn classes_in_step_are_within_one_of_their_share_in_every_shard() {
    for counts in [vec![120; 10], vec![900, 100], vec![100; 100], vec![2000, 40, 40, 40]] {
        let targets = classes(&counts);
        for seed in 0..20 {
            let partition = Partition::new(&targets, None, Seed(seed));
            for shard in partition.shards(20) {
                assert!(worst_miss(&targets, &partition, shard) <= 1.0 + 1e-9, "{counts:?}, seed {seed}");
            }
        }
    }
}

#[test]
fn a_large_class_is_not_short_of_samples_where_many_small_ones_are_not_in_step() {
    let targets = classes(&[vec![500], vec![1; 50]].concat());
    for seed in 0..20 {
        let partition = Partition::new(&targets, None, Seed(seed));
        let worst = partition.shards(20).into_iter().map(|shard| worst_miss(&targets, &partition, shard));
        assert!(worst.fold(0.0, f64::max) <= 2.0, "seed {seed}");
    }
}

#[test]
fn the_seed_alone_decides() {
    let targets = classes(&[30, 20, 10]);
    let order = |seed| Partition::new(&targets, None, Seed(seed)).order().to_vec();
    assert_eq!(order(0), order(0));
    assert_ne!(order(0), order(1));
}

#[test]
fn a_sample_is_the_beginning_of_the_order() {
    let whole = Partition::new(&classes(&[30, 20, 10]), None, Seed(0));
    let sample = whole.sample(24);
    assert_eq!(sample.order(), &whole.order()[..24]);
    assert_eq!(whole.sample(1000).order(), whole.order());
    assert_eq!(sample.shards(2), [0..12, 12..24]);
}

#[test]
fn numbers_to_predict_are_spread_over_the_shards() {
    let values: Vec<f64> = (0..200).map(|row| f64::from(row * row)).collect();
    let targets = Targets::Regression(Columns::new(vec!["y".into()], values).unwrap());
    let partition = Partition::new(&targets, None, Seed(0));
    for shard in partition.shards(10) {
        let bins: BTreeSet<usize> = partition.order()[shard].iter().map(|row| row / 10).collect();
        assert_eq!(bins.len(), 20, "one of each twentieth of the values");
    }
}

#[test]
fn combinations_of_labels_are_spread_and_rare_ones_pooled() {
    let common = [[0.0, 0.0], [1.0, 0.0]].concat().repeat(20);
    let values = [common, vec![0.0, 1.0, 1.0, 1.0]].concat();
    let targets = Targets::Multilabel(Columns::new(vec!["a".into(), "b".into()], values).unwrap());
    let partition = Partition::new(&targets, None, Seed(0));
    for shard in partition.shards(2) {
        let rows = &partition.order()[shard];
        assert_eq!(rows.iter().filter(|&&row| row >= 40).count(), 1, "one of the two rare rows");
        assert_eq!(rows.iter().filter(|&&row| row < 40 && row % 2 == 1).count(), 10);
    }
}

#[test]
fn small_data_gets_fewer_shards() {
    for (n, dim, count) in [(40, 8, 20), (39, 8, 19), (20, 2048, 10), (19, 2048, 9), (5, 8, 2), (2, 8, 2)] {
        assert_eq!(shard_count(n, dim), count, "{n} samples of {dim}");
    }
}

#[test]
fn a_group_larger_than_a_shard_leaves_fewer_shards() {
    let targets = classes(&[10, 10]);
    let groups: Vec<u64> = (0..20).map(|sample| u64::from(sample >= 15)).collect();
    let shards = Partition::new(&targets, Some(&groups), Seed(0)).shards(10);
    assert_eq!(shards.len(), 2);
}

/// FNV-1a over the order, so that an order of thousands of samples is one number here.
fn digest(partition: &Partition) -> u64 {
    partition
        .order()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &sample| (hash ^ sample as u64).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Targets of every kind, from a formula.
fn targets_of_every_kind() -> Vec<(&'static str, Targets)> {
    let scrambled = |row: u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let named = |n: u64, classes: u64| {
        let names: Vec<String> = (0..n).map(|row| (scrambled(row) % classes).to_string()).collect();
        Targets::Classes(Classes::from_names(&names).unwrap())
    };
    let column_names = |count: u32| (0..count).map(|column| column.to_string()).collect::<Vec<String>>();
    let table = |n: u64, width: u32, value: &dyn Fn(u64) -> f64| {
        Columns::new(column_names(width), (0..n * u64::from(width)).map(value).collect()).unwrap()
    };
    vec![
        ("two classes", named(11, 2)),
        ("seven classes", named(1000, 7)),
        ("mostly single samples", named(3000, 2900)),
        ("unequal classes", classes(&[500, 3, 1, 1, 40])),
        ("equal classes in step", classes(&[64; 16])),
        ("yes/no labels", Targets::Multilabel(table(700, 6, &|cell| f64::from(scrambled(cell) % 3 == 0)))),
        ("numbers", Targets::Regression(table(999, 2, &|cell| scrambled(cell) as f64 / 1e3))),
        ("numbers with ties", Targets::Regression(table(333, 1, &|cell| (scrambled(cell) % 5) as f64 - 2.0))),
        ("one bin each", Targets::Regression(table(7, 1, &|cell| -(cell as f64)))),
    ]
}

/// Results of users depend on the order: it must be the same in every version. The numbers are those of version 0.1.0.
#[test]
fn the_order_is_what_it_has_always_been() {
    let expected: [(&str, [u64; 3], [u64; 3]); 9] = [
        (
            "two classes",
            [0xad34_4fbe_82e0_214c, 0xb45d_c800_4a73_4cc6, 0x64c5_4888_1464_9c7a],
            [0xad34_4fbe_82e0_214c, 0xb45d_c800_4a73_4cc6, 0x64c5_4888_1464_9c7a],
        ),
        (
            "seven classes",
            [0x7396_53be_d83e_042b, 0x6989_578e_b4ed_a97b, 0x9d9a_06f9_c04a_947b],
            [0xbed0_3788_b7a7_e711, 0xc9e9_983b_734f_7de1, 0x8576_0743_460e_97cd],
        ),
        (
            "mostly single samples",
            [0x0395_02e1_1733_817d, 0xd5fc_d4f6_2d5f_4f3f, 0xa8e8_ea03_05f3_2f99],
            [0x9c38_8013_d101_9717, 0xbd9b_bd3d_6ce6_bc07, 0x4718_c3f2_0f17_2e35],
        ),
        (
            "unequal classes",
            [0x2819_dc25_8a0b_e051, 0xf8e0_f06e_9181_c681, 0x70c8_af4d_4491_d18b],
            [0x7091_38e1_9055_6ac5, 0x2689_1959_8a23_3155, 0xe62b_1567_b08f_9381],
        ),
        (
            "equal classes in step",
            [0xddac_34e9_a98b_5685, 0xa961_4f60_cb28_6ea9, 0xc7e6_6db4_00b2_f6c1],
            [0x4c00_b3eb_06af_41fb, 0x9bb6_5229_7785_646b, 0x9846_192c_60f8_6ebb],
        ),
        (
            "yes/no labels",
            [0xeda8_06a7_8624_f465, 0xddc6_7438_4b55_f5e1, 0x342c_d49f_1573_8d0b],
            [0x44f4_9841_ecd3_70f3, 0xe40d_927b_c30a_f3ef, 0xe139_3a52_cc48_86fd],
        ),
        (
            "numbers",
            [0xfb18_df7d_fff8_af62, 0x6c84_b048_1a9a_19a8, 0x2be1_8188_4355_7bbc],
            [0xb800_41dd_c18e_1a6c, 0x36ff_63c2_f1aa_e036, 0xae9d_d33b_1014_c0fa],
        ),
        (
            "numbers with ties",
            [0x9a21_4e59_59d9_117b, 0x2bd2_15c1_b260_9af1, 0xc357_14c1_fd6d_bced],
            [0xd23b_0321_e1fd_bf8d, 0xa1c4_7335_2804_6bcf, 0xb4a4_a25a_b2e0_4bdf],
        ),
        (
            "one bin each",
            [0x7807_b387_c000_bc72, 0xd7e3_e6b0_6ea0_aa90, 0x9dd3_b5de_47f8_1e6c],
            [0x7807_b387_c000_bc72, 0xd7e3_e6b0_6ea0_aa90, 0x9dd3_b5de_47f8_1e6c],
        ),
    ];
    for ((name, targets), (expected_name, alone, grouped)) in targets_of_every_kind().iter().zip(expected) {
        let groups: Vec<u64> = (0..targets.len() as u64).map(|sample| sample * sample % 97).collect();
        let digests =
            |groups: Option<&[u64]>| [0, 1, 12345].map(|seed| digest(&Partition::new(targets, groups, Seed(seed))));
        assert_eq!((*name, digests(None), digests(Some(&groups))), (expected_name, alone, grouped));
    }
}

#[test]
fn every_row_knows_its_shard() {
    for (name, targets) in targets_of_every_kind() {
        for count in [0, 1, 2, 7, 20, 255] {
            let partition = Partition::new(&targets, None, Seed(3));
            let of_rows = partition.shard_of_rows(count);
            for (number, shard) in (0..=u8::MAX).zip(partition.shards(count)) {
                assert!(partition.order()[shard].iter().all(|&row| of_rows[row] == number), "{name}, {count}");
            }
            assert_eq!(of_rows, Partition::shards_without_order(&targets, Seed(3), count), "{name}, {count}");
        }
    }
}

#[test]
fn many_labels_are_told_apart_beyond_the_first_sixty_four() {
    let row = |label: usize| (0..70).map(move |column| f64::from(u8::from(column == label)));
    let values = (0..60).flat_map(|sample| row(if sample % 2 == 0 { 68 } else { 69 })).collect();
    let names = (0..70).map(|column: u32| column.to_string()).collect();
    let targets = Targets::Multilabel(Columns::new(names, values).unwrap());
    let partition = Partition::new(&targets, None, Seed(0));
    for shard in partition.shards(10) {
        assert_eq!(partition.order()[shard].iter().filter(|&&sample| sample % 2 == 0).count(), 3);
    }
}

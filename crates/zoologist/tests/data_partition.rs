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

//! The one seeded order of the samples, and its cut into shards.
//!
//! Samples stand in a stratified order: the k-th of the n members of a class gets the position `(k + u) / n`, where
//! `u` in [0, 1) belongs to the class, and all samples are sorted by position. So every prefix is a stratified sample
//! and every shard, a range of the order, is one too: with c classes, a class that is a share s of all samples misses
//! its share of a range by at most 1 + s (c - 2) samples, so by 1 where there are two classes. The offsets `u` are
//! spread evenly over the classes; random ones would, with many small classes, leave a shard several samples short of
//! a large class.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::base::{Classes, Columns, Seed, Targets};

/// Bins that a number to predict is cut into, to be stratified like a class.
const BINS: usize = 20;
/// A combination of labels that occurs this often or less is pooled with the other rare ones.
const RARE: usize = 2;
/// Features wider than this get half as many shards, because statistics grow with the square of the width.
const WIDE: usize = 1024;

/// A seeded, stratified order of samples that can be cut into shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    order: Vec<usize>,
    /// Places in the order where a group of related samples begins; `None` where every sample is a group.
    group_starts: Option<Vec<usize>>,
}

/// Members of one class, by the name that its random stream has.
type Strata = BTreeMap<String, Vec<usize>>;

impl Partition {
    /// The order of all samples. Samples of the same number in `groups` stay together; such a group is placed as its
    /// first sample's class asks.
    ///
    /// # Panics
    /// If `groups` is not as long as the targets.
    pub fn new(targets: &Targets, groups: Option<&[u64]>, seed: Seed) -> Self {
        match groups {
            None => Self { order: stratified(strata(targets), seed), group_starts: None },
            Some(groups) => Self::of_groups(targets, groups, seed),
        }
    }

    fn of_groups(targets: &Targets, groups: &[u64], seed: Seed) -> Self {
        assert_eq!(groups.len(), targets.len(), "every sample has a group");
        let mut members: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (sample, &group) in groups.iter().enumerate() {
            members.entry(group).or_default().push(sample);
        }
        let by_first: BTreeMap<usize, Vec<usize>> = members.into_values().map(|group| (group[0], group)).collect();
        let mut strata = strata(targets);
        for samples in strata.values_mut() {
            samples.retain(|sample| by_first.contains_key(sample));
        }
        strata.retain(|_, samples| !samples.is_empty());

        let (mut order, mut starts) = (Vec::with_capacity(groups.len()), Vec::new());
        for first in stratified(strata, seed) {
            starts.push(order.len());
            order.extend(&by_first[&first]);
        }
        Self { order, group_starts: Some(starts) }
    }

    /// The samples in order, each once.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The first `n` samples of the order: a stratified sample. All of them if there are fewer.
    #[must_use]
    pub fn sample(&self, n: usize) -> Self {
        let order: Vec<usize> = self.order.iter().copied().take(n).collect();
        let group_starts = self.group_starts.as_ref();
        let group_starts = group_starts.map(|starts| starts.iter().copied().filter(|&start| start < n).collect());
        Self { order, group_starts }
    }

    /// `count` ranges of places in the order that cover it, as equal as can be; each of `count` shards is exactly two
    /// of `2 * count`. (A count of 0 means 1.) Shards end where groups end; where one group is larger than a shard, there are fewer shards.
    pub fn shards(&self, count: usize) -> Vec<Range<usize>> {
        let (n, count) = (self.order.len(), count.max(1));
        let mut bounds: Vec<usize> = (0..=count).map(|shard| self.bound(shard * n / count)).collect();
        bounds.dedup();
        bounds.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }

    /// The beginning or end of a group nearest to this place.
    fn bound(&self, ideal: usize) -> usize {
        let Some(starts) = &self.group_starts else { return ideal };
        let next = starts.partition_point(|&start| start < ideal);
        let above = starts.get(next).copied().unwrap_or(self.order.len());
        let below = next.checked_sub(1).map_or(0, |before| starts[before]);
        if above - ideal <= ideal - below { above } else { below }
    }
}

/// How many shards `n` samples with features of `dim` dimensions are cut into: 20, or 10 for wide features; fewer
/// where a shard would have fewer than two samples, but at least 2.
///
/// ```
/// use zoologist::data::shard_count;
/// assert_eq!([shard_count(1000, 512), shard_count(1000, 2048), shard_count(9, 512)], [20, 10, 4]);
/// ```
pub fn shard_count(n: usize, dim: usize) -> usize {
    let full = if dim > WIDE { 10 } else { 20 };
    full.min((n / 2).max(2))
}

fn strata(targets: &Targets) -> Strata {
    match targets {
        Targets::Classes(classes) => of_classes(classes),
        Targets::Multilabel(columns) => of_combinations(columns, targets.len()),
        Targets::Regression(columns) => of_bins(columns, targets.len()),
    }
}

fn of_classes(classes: &Classes) -> Strata {
    let mut members = vec![Vec::new(); classes.names().len()];
    for (sample, &class) in classes.index().iter().enumerate() {
        members[class as usize].push(sample);
    }
    classes.names().iter().cloned().zip(members).collect()
}

fn of_combinations(columns: &Columns, rows: usize) -> Strata {
    let mut strata = Strata::new();
    for row in 0..rows {
        let combination: String = columns.row(row).iter().map(|&set| if set == 0.0 { '0' } else { '1' }).collect();
        strata.entry(combination).or_default().push(row);
    }
    let rare: Strata = strata.extract_if(.., |_, members| members.len() <= RARE).collect();
    if !rare.is_empty() {
        let mut pooled: Vec<usize> = rare.into_values().flatten().collect();
        pooled.sort_unstable();
        strata.insert("rare".into(), pooled);
    }
    strata
}

fn of_bins(columns: &Columns, rows: usize) -> Strata {
    let mut by_value: Vec<usize> = (0..rows).collect();
    by_value.sort_by(|&a, &b| columns.row(a)[0].total_cmp(&columns.row(b)[0]));
    let mut strata = Strata::new();
    for (place, row) in by_value.into_iter().enumerate() {
        strata.entry(format!("{:02}", place * BINS / rows)).or_default().push(row);
    }
    strata
}

fn stratified(strata: Strata, seed: Seed) -> Vec<usize> {
    let classes = strata.len();
    let mut common = seed.stream("offsets", "");
    let mut places: Vec<usize> = (0..classes).collect();
    common.shuffle(&mut places);
    let shift = common.unit();

    let mut positions = Vec::new();
    for (class, (name, mut members)) in strata.into_iter().enumerate() {
        seed.stream("order", &name).shuffle(&mut members);
        let offset = (places[class] as f64 + shift) / classes as f64;
        let n = members.len() as f64;
        positions.extend(members.into_iter().enumerate().map(|(k, sample)| ((k as f64 + offset) / n, class, sample)));
    }
    positions.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    positions.into_iter().map(|(_, _, sample)| sample).collect()
}

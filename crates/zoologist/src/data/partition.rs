//! The one seeded order of the samples, and its cut into shards.
//!
//! Samples stand in a stratified order: the k-th of the n members of a class gets the position `(k + u) / n`, where
//! `u` in [0, 1) belongs to the class, and all samples are sorted by position. So every prefix is a stratified sample
//! and every shard, a range of the order, is one too: with c classes, a class that is a share s of all samples misses
//! its share of a range by at most 1 + s (c - 2) samples, so by 1 where there are two classes. The offsets `u` are
//! spread evenly over the classes; random ones would, with many small classes, leave a shard several samples short of
//! a large class.

use std::ops::Range;

use super::strata::Strata;
use crate::base::{Seed, Targets};

/// Features wider than this get half as many shards, because statistics grow with the square of the width.
const WIDE: usize = 1024;

/// A seeded, stratified order of samples that can be cut into shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    order: Vec<usize>,
    /// Places in the order where a group of related samples begins; `None` where every sample is a group.
    group_starts: Option<Vec<usize>>,
}

impl Partition {
    /// The order of all samples. Samples of the same number in `groups` stay together; such a group is placed as its
    /// first sample's class asks.
    ///
    /// # Panics
    /// If `groups` is not as long as the targets, or if there are 2^32 samples or more.
    pub fn new(targets: &Targets, groups: Option<&[u64]>, seed: Seed) -> Self {
        let Some(groups) = groups else {
            let mut order = Vec::with_capacity(targets.len());
            Strata::of(targets).in_order(seed, |sample| order.push(sample as usize));
            return Self { order, group_starts: None };
        };
        assert_eq!(groups.len(), targets.len(), "every sample has a group");
        Self::of_groups(targets, groups, seed)
    }

    fn of_groups(targets: &Targets, groups: &[u64], seed: Seed) -> Self {
        let strata = Strata::of(targets);
        let mut by_group: Vec<u32> = (0..groups.len() as u32).collect();
        by_group.sort_unstable_by_key(|&sample| (groups[sample as usize], sample));
        let begins = |place: usize| {
            let group = |place: usize| groups[by_group[place] as usize];
            place == 0 || group(place) != group(place - 1)
        };
        // Where a sample's group begins in `by_group`, if it is the first of its group.
        let mut place_of: Vec<Option<u32>> = vec![None; groups.len()];
        for place in (0..groups.len()).filter(|&place| begins(place)) {
            place_of[by_group[place] as usize] = Some(place as u32);
        }
        let (mut order, mut starts) = (Vec::with_capacity(groups.len()), Vec::new());
        strata.with(|sample| place_of[sample as usize].is_some()).in_order(seed, |first| {
            starts.push(order.len());
            let group = groups[first as usize];
            let members = by_group.iter().skip(place_of[first as usize].unwrap_or_default() as usize);
            order.extend(members.map(|&sample| sample as usize).take_while(|&sample| groups[sample] == group));
        });
        Self { order, group_starts: Some(starts) }
    }

    /// For each sample, the number of its shard among those that the order of all samples, each a group of its own,
    /// is cut into: what [`Partition::shard_of_rows`] says, without keeping the order. One byte per sample stays.
    ///
    /// # Panics
    /// If `count` is above 255, or if there are 2^32 samples or more.
    pub fn shards_without_order(targets: &Targets, seed: Seed, count: usize) -> Vec<u8> {
        let mut shards = Shards::new(shards(targets.len(), count, |ideal| ideal), targets.len());
        Strata::of(targets).in_order(seed, |sample| shards.put(sample as usize));
        shards.of_rows
    }

    /// For each sample, the number of its shard among [`Partition::shards`]; of a partition that is a
    /// [`Partition::sample`] the samples left out count as shard 0.
    ///
    /// # Panics
    /// If `count` is above 255.
    pub fn shard_of_rows(&self, count: usize) -> Vec<u8> {
        let rows = self.order.iter().max().map_or(0, |last| last + 1);
        let mut shards = Shards::new(self.shards(count), rows);
        self.order.iter().for_each(|&sample| shards.put(sample));
        shards.of_rows
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
        shards(self.order.len(), count, |ideal| self.bound(ideal))
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

/// The number of each sample's shard, while the order is walked along.
struct Shards {
    further: std::vec::IntoIter<Range<usize>>,
    /// The number of the shard that we are in, counted from 1.
    number: u8,
    /// How many samples it has yet to take.
    room: usize,
    of_rows: Vec<u8>,
}

impl Shards {
    fn new(shards: Vec<Range<usize>>, rows: usize) -> Self {
        assert!(u8::try_from(shards.len()).is_ok(), "at most 255 shards have a number");
        Self { further: shards.into_iter(), number: 0, room: 0, of_rows: vec![0; rows] }
    }

    /// The next sample of the order.
    fn put(&mut self, sample: usize) {
        while self.room == 0 {
            self.number += 1;
            self.room = self.further.next().map_or(usize::MAX, |shard| shard.len());
        }
        self.room -= 1;
        self.of_rows[sample] = self.number - 1;
    }
}

/// `count` ranges that cover `n` places, as equal as can be, with ends moved to where `bound` allows one.
fn shards(n: usize, count: usize, bound: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
    let count = count.max(1);
    let mut bounds: Vec<usize> = (0..=count).map(|shard| bound(shard * n / count)).collect();
    bounds.dedup();
    bounds.windows(2).map(|pair| pair[0]..pair[1]).collect()
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

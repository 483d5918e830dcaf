//! One set of statistics per logical shard: their total, and all of them but one.

use std::ops::Range;

use rayon::prelude::*;

use super::Moments;
use crate::base::{Features, Targets};

/// Statistics kept apart by shard.
#[derive(Debug, Clone)]
pub struct Shards(Vec<Moments>);

impl Shards {
    /// Statistics of a matrix whose rows are cut into these ranges, in parallel. At least two ranges.
    pub fn of(features: &Features, targets: &Targets, ranges: &[Range<usize>]) -> Self {
        Self(ranges.par_iter().map(|range| Moments::of(features, targets, range.clone())).collect())
    }

    /// How many shards there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All rows, merged in shard order.
    pub fn total(&self) -> Moments {
        joined(self.empty(), &self.0)
    }

    /// What `score` makes of all rows but those of one shard, for each shard in turn. The merges are the same
    /// whatever the number of threads. Merges: s·log2(s) for s shards; memory: log2(s) extra statistics per thread.
    pub fn leave_one_out<T: Send>(&self, score: impl Fn(&Moments) -> T + Sync) -> Vec<T> {
        leave_out(self.empty(), &self.0, &score)
    }

    fn empty(&self) -> Moments {
        Moments::empty(self.0[0].dim(), self.0[0].target_mean().len())
    }
}

fn joined(mut into: Moments, parts: &[Moments]) -> Moments {
    parts.iter().for_each(|part| into.merge(part));
    into
}

/// Halves the shards again and again, carrying what lies outside: subtraction would lose digits.
fn leave_out<T: Send>(outside: Moments, inside: &[Moments], score: &(impl Fn(&Moments) -> T + Sync)) -> Vec<T> {
    if inside.len() == 1 {
        return vec![score(&outside)];
    }
    let (left, right) = inside.split_at(inside.len() / 2);
    let without_left = joined(outside.clone(), right);
    let without_right = joined(outside, left);
    let (mut first, second) =
        rayon::join(|| leave_out(without_left, left, score), || leave_out(without_right, right, score));
    first.extend(second);
    first
}

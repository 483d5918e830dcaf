//! One set of statistics per logical shard: their total, and all of them but one.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::{Builder, Moments, Precision, Responses, Scratch, ScratchPool, pilot_rows};
use crate::base::{Features, Targets};

/// Statistics kept apart by shard, in the order of the shards.
#[derive(Debug, Clone)]
pub struct Shards(Vec<Moments>);

impl Shards {
    /// Statistics of a matrix in memory whose rows are cut into these ranges, in parallel. At least one range.
    ///
    /// ```
    /// use zoologist::base::{Classes, Features, Targets, Values};
    /// use zoologist::stats::Shards;
    /// let features = Features::new(1, Values::F64(vec![1.0, 3.0, 8.0]));
    /// let targets = Targets::Classes(Classes::from_names(&["a", "a", "b"])?);
    /// let total = Shards::of(&features, &targets, &[0..2, 2..3]).total();
    /// assert_eq!((total.rows(), total.mean(), total.scatter()[(0, 0)]), (3, &[4.0][..], 26.0));
    /// # Ok::<(), zoologist::base::TargetsError>(())
    /// ```
    pub fn of(features: &Features, targets: &Targets, ranges: &[Range<usize>]) -> Self {
        Self::with_responses(features, &Responses::plain(targets), ranges)
    }

    /// The same, under permutations of the targets too.
    pub fn with_responses(features: &Features, responses: &Responses, ranges: &[Range<usize>]) -> Self {
        let precision = precision_of(features);
        let pool = ScratchPool::default();
        let one = |scratch: &mut Scratch, range: &Range<usize>| {
            let mut builder = Builder::new(features.dim(), responses, &precision);
            let rows: Vec<(usize, usize)> = range.clone().map(|row| (row, row)).collect();
            builder.add(features, &rows, scratch);
            builder.finish(scratch)
        };
        Self(ranges.par_iter().map(|range| pool.with(|scratch| one(scratch, range))).collect())
    }

    /// Statistics that were made apart, by the number of their shard; `None` where there are none, or where they are not
    /// of the same features and targets.
    pub fn from_parts(parts: BTreeMap<usize, Moments>) -> Option<Self> {
        let parts: Vec<Moments> = parts.into_values().collect();
        let first = parts.first()?;
        parts.iter().all(|part| part.fits(first)).then_some(Self(parts))
    }

    /// Statistics of the same features and targets, in the order of their shards. One or more.
    pub fn from_list(parts: Vec<Moments>) -> Self {
        Self(parts)
    }

    /// How many shards there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All rows, merged in shard order.
    pub fn total(&self) -> Moments {
        joined(self.0[0].emptied(), &self.0)
    }

    /// Which target columns vary without any one of the shards.
    pub fn always_varying(&self) -> Vec<bool> {
        let mut always = vec![true; self.0[0].width()];
        for varying in self.leave_one_out_marginals() {
            always.iter_mut().zip(varying).for_each(|(always, varies)| *always &= varies);
        }
        always
    }

    fn leave_one_out_marginals(&self) -> Vec<Vec<bool>> {
        let slim: Vec<Moments> = self.0.iter().map(Moments::without_features).collect();
        leave_out(slim[0].emptied(), &slim, &|part| part.marginals().varying(part.rows()))
    }

    /// What `score` makes of all rows but those of one shard, for each shard in turn. The merges are the same
    /// whatever the number of threads. Merges: s·log2(s) for s shards; memory: log2(s) extra statistics per thread.
    pub fn leave_one_out<T: Send>(&self, score: impl Fn(&Moments) -> T + Sync) -> Vec<T> {
        leave_out(self.0[0].emptied(), &self.0, &score)
    }
}

/// The precision of a matrix in memory, by a pilot of rows evenly spread over it.
fn precision_of(features: &Features) -> Precision {
    let rows = features.rows();
    match pilot_rows(rows, features.dim()) {
        Some(count) => {
            let places: Vec<usize> = (0..count).map(|place| place * rows / count).collect();
            Precision::of_pilot(&features.select(&places))
        }
        None => Precision::Double,
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
    let (mut found, others) =
        rayon::join(|| leave_out(without_left, left, score), || leave_out(without_right, right, score));
    found.extend(others);
    found
}

//! `leep`: the log expected empirical prediction.
//!
//! From theta (n × z), the model's probabilities of its z source classes: J[c, z] = sum of theta_iz over the rows i of
//! class c, P(c | z) = J[c, z] / sum_c J[c, z], and the score is the mean over the rows of
//! ln sum_z P(y_i | z) theta_iz. At most 0 where the rows of theta sum to 1. A source class without mass predicts
//! nothing and is skipped. Classes only. Source: Nguyen et al., ICML 2020 (arXiv 2002.12462), eq. 1-2.
//!
//! P of one class needs J of that class and the z masses alone, so the k × z table is never held: classes are worked
//! off one after another. With s shards, each left out in turn, the time is 2 (s + 1) n z.

use std::ops::Range;

use rayon::prelude::*;

use super::{Evaluation, Rows, groups, source};
use crate::base::{Classes, Features};

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    source::evaluate("leep", rows, |classes, theta| {
        let (value, replicates) = leep(theta, classes, rows.shards);
        Evaluation::with_value("leep", value, replicates, None)
    })
}

/// LEEP of all rows, and of all rows but each shard's.
pub fn leep(theta: &Features, classes: &Classes, shards: &[Range<usize>]) -> (f64, Vec<f64>) {
    let subsets = Subsets::new(theta, shards);
    let members = groups::rows_of_each(classes);
    let of_classes: Vec<Vec<f64>> = members.par_iter().map(|members| subsets.log_sums(theta, members)).collect();
    let mean = |(place, count): (usize, &usize)| of_classes.iter().map(|sums| sums[place]).sum::<f64>() / *count as f64;
    let mut means = subsets.counts.iter().enumerate().map(mean);
    (means.next().unwrap_or_default(), means.collect())
}

/// All rows, then all rows but each shard's.
struct Subsets {
    /// How many rows each subset has.
    counts: Vec<usize>,
    /// The z masses of each subset.
    masses: Vec<Vec<f64>>,
    /// The subset that each row is missing from; 0 for none.
    missing_from: Vec<usize>,
}

impl Subsets {
    fn new(theta: &Features, shards: &[Range<usize>]) -> Self {
        // Without a shard that is everything there is nothing left to score.
        let shards = if shards.iter().any(|shard| shard.len() == theta.rows()) { &[] } else { shards };
        let all = 0..theta.rows();
        let parts: Vec<Vec<f64>> =
            if shards.is_empty() { vec![mass(theta, &all)] } else { shards.iter().map(|s| mass(theta, s)).collect() };
        // Sums of the others, never differences: a difference would leave rounding where there is no mass.
        let without = |left_out: usize| {
            let others = parts.iter().enumerate().filter(|&(part, _)| part + 1 != left_out);
            others.fold(vec![0.0; theta.dim()], |mut sum, (_, part)| {
                sum.iter_mut().zip(part).for_each(|(sum, mass)| *sum += mass);
                sum
            })
        };
        let mut missing_from = vec![0; theta.rows()];
        for (place, shard) in shards.iter().enumerate() {
            missing_from[shard.clone()].fill(place + 1);
        }
        let left = shards.iter().map(|shard| theta.rows() - shard.len());
        Self {
            counts: std::iter::once(theta.rows()).chain(left).collect(),
            masses: (0..=shards.len()).map(without).collect(),
            missing_from,
        }
    }

    /// Sum of the log predictions of one class's rows, for each subset.
    fn log_sums(&self, theta: &Features, members: &[usize]) -> Vec<f64> {
        let block = source::block(theta, members);
        let of_subset = |(subset, masses): (usize, &Vec<f64>)| {
            let kept = |&(_, row): &(&[f64], &usize)| subset == 0 || self.missing_from[*row] != subset;
            let rows = || block.chunks_exact(theta.dim()).zip(members).filter(kept).map(|(row, _)| row);
            let mut joint = vec![0.0; theta.dim()];
            rows().for_each(|row| joint.iter_mut().zip(row).for_each(|(joint, theta)| *joint += theta));
            let divide = |(joint, mass): (&mut f64, &f64)| *joint = if *mass > 0.0 { *joint / mass } else { 0.0 };
            joint.iter_mut().zip(masses).for_each(divide);
            let predicted = |row: &[f64]| joint.iter().zip(row).map(|(share, theta)| share * theta).sum::<f64>();
            rows().map(|row| predicted(row).ln()).sum()
        };
        self.masses.iter().enumerate().map(of_subset).collect()
    }
}

fn mass(theta: &Features, rows: &Range<usize>) -> Vec<f64> {
    let mut mass = vec![0.0; theta.dim()];
    theta.visit(rows.clone(), |_, column, value| mass[column] += value);
    mass
}

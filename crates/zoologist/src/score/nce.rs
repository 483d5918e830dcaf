//! `nce`: minus the conditional entropy of the labels given the model's own predictions.
//!
//! z_i = the source class that the model finds most probable (the first of equals), n_cz = rows of class c with
//! z_i = z, n_z = sum_c n_cz; the score is sum_cz n_cz / n ln(n_cz / n_z), at most 0. Classes only. Source: Tran et al.,
//! ICCV 2019 (arXiv 1908.08142), eq. 5. Counts are whole numbers, so nothing is lost. With s shards, each left out in
//! turn, the time is n (z + log n + s), and memory is n whatever the number of classes.

use std::ops::Range;

use super::{Evaluation, Rows, source};
use crate::base::{Classes, Features};

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    source::evaluate("nce", rows, |classes, theta| {
        let (value, replicates) = nce(theta, classes, rows.shards);
        Evaluation::with_value("nce", value, replicates, None)
    })
}

/// NCE of all rows, and of all rows but each shard's.
fn nce(theta: &Features, classes: &Classes, shards: &[Range<usize>]) -> (f64, Vec<f64>) {
    let mut pairs = pairs(classes, theta);
    pairs.sort_unstable();
    let count = theta.rows();
    // Without a shard that is everything there is nothing left to score.
    let shards = if shards.iter().any(|shard| shard.len() == count) { &[] } else { shards };
    let without = |shard: &Range<usize>| {
        let kept = pairs.iter().filter(|(_, _, row)| !shard.contains(row));
        minus_entropy(kept, count - shard.len())
    };
    (minus_entropy(pairs.iter(), count), shards.iter().map(without).collect())
}

/// Source class, class and place of a row.
type Pair = (usize, u32, usize);

fn pairs(classes: &Classes, theta: &Features) -> Vec<Pair> {
    let mut best = vec![(0, f64::NEG_INFINITY); theta.rows()];
    theta.visit(0..theta.rows(), |row, column, value| {
        if value > best[row].1 {
            best[row] = (column, value);
        }
    });
    best.iter().zip(classes.index()).enumerate().map(|(row, (&(z, _), &class))| (z, class, row)).collect()
}

/// The score of sorted pairs: of each group n_z, sum over its runs of n_cz ln(n_cz / n_z).
fn minus_entropy<'a>(pairs: impl Iterator<Item = &'a Pair>, count: usize) -> f64 {
    let mut groups: Vec<(usize, u32, usize)> = vec![];
    for &(z, class, _) in pairs {
        match groups.last_mut() {
            Some(last) if (last.0, last.1) == (z, class) => last.2 += 1,
            _ => groups.push((z, class, 1)),
        }
    }
    let of_source = |groups: &[(usize, u32, usize)]| {
        let all: usize = groups.iter().map(|group| group.2).sum();
        groups.iter().map(|group| group.2 as f64 * (group.2 as f64 / all as f64).ln()).sum::<f64>()
    };
    groups.chunk_by(|a, b| a.0 == b.0).map(of_source).sum::<f64>() / count as f64
}

//! Attention of sequences that may be short: softmax(Q Kᵀ / sqrt(d)) V, head by head.
//!
//! A library's product of matrices is made for large ones; a head of sixteen tokens is over before such a product has
//! begun. So the rows of one head are copied side by side, filled up to whole vectors, and multiplied by one small loop.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::LANES;
use super::functions::exponential;
use super::rows::fold;

/// Rows of a product that are summed at once, in registers.
const ROWS: usize = 8;

/// The attention of one layer over some sequences.
pub struct Attention<'a> {
    /// Queries, keys and values before their bias, each tokens × dim.
    pub parts: [&'a [f32]; 3],
    /// Their biases, each dim.
    pub biases: [&'a [f32]; 3],
    /// Number of heads; divides dim.
    pub heads: usize,
    /// The tokens of each sequence.
    pub sequences: &'a [Range<usize>],
    /// Added to the scores: for each head, by distance of the key from the query, entry `longest - 1 + distance`; empty
    /// if there is no such bias.
    pub relative: &'a [f32],
    /// Length of the longest sequence.
    pub longest: usize,
}

impl Attention<'_> {
    /// The heads' contexts side by side, tokens × dim.
    pub fn run(self) -> Vec<f32> {
        Arch::new().dispatch(self)
    }
}

/// The numbers of one head, each part filled up to whole vectors and blocks of rows.
struct Head {
    /// Width of a head.
    dim: usize,
    /// Width in whole vectors.
    padded_dim: usize,
    /// Rows × dim, divided by sqrt(dim).
    queries: Vec<f32>,
    /// dim × rows.
    keys: Vec<f32>,
    /// Rows × padded dim.
    values: Vec<f32>,
    /// Rows × rows.
    scores: Vec<f32>,
    /// Rows × padded dim.
    contexts: Vec<f32>,
}

impl WithSimd for Attention<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let dim = self.biases[0].len();
        let mut contexts = vec![0.0; self.parts[0].len()];
        let mut head = Head::new(dim / self.heads, self.longest);
        for tokens in self.sequences.iter().filter(|tokens| !tokens.is_empty()) {
            let (length, rows) = (tokens.len(), tokens.len().next_multiple_of(LANES));
            for number in 0..self.heads {
                self.gather(&mut head, tokens.clone(), number);
                let queries = &head.queries[..head.dim * rows];
                multiply(simd, queries, head.dim, &head.keys[..head.dim * rows], &mut head.scores[..rows * rows]);
                for (query, scores) in head.scores.chunks_exact_mut(rows).take(length).enumerate() {
                    softmax(scores, length, self.relative_row(number, query, length));
                }
                let (width, filled) = (head.padded_dim, rows * head.padded_dim);
                multiply(
                    simd,
                    &head.scores[..rows * rows],
                    rows,
                    &head.values[..length * width],
                    &mut head.contexts[..filled],
                );
                head.scatter(&mut contexts[tokens.start * dim..tokens.end * dim], dim, number);
            }
        }
        contexts
    }
}

impl Attention<'_> {
    /// Copies the rows of one head, with their bias.
    #[inline(always)]
    fn gather(&self, head: &mut Head, tokens: Range<usize>, number: usize) {
        let (whole, dim) = (self.biases[0].len(), head.dim);
        let own = number * dim..(number + 1) * dim;
        let rows = tokens.len().next_multiple_of(LANES);
        let scale = 1.0 / (dim as f32).sqrt();
        let [query_bias, key_bias, value_bias] = self.biases.map(|bias| &bias[own.clone()]);
        for (place, token) in tokens.enumerate() {
            let [query, key, value] = self.parts.map(|part| &part[token * whole..][own.clone()]);
            add(&mut head.queries[place * dim..(place + 1) * dim], query, query_bias, scale);
            for ((key, bias), keys) in key.iter().zip(key_bias).zip(head.keys.chunks_exact_mut(rows)) {
                keys[place] = key + bias;
            }
            add(&mut head.values[place * head.padded_dim..][..dim], value, value_bias, 1.0);
        }
    }

    /// What is added to the scores of one query.
    #[inline(always)]
    fn relative_row(&self, head: usize, query: usize, length: usize) -> &[f32] {
        if self.relative.is_empty() {
            return &[];
        }
        let distances = 2 * self.longest - 1;
        &self.relative[head * distances + self.longest - 1 - query..][..length]
    }
}

impl Head {
    fn new(dim: usize, longest: usize) -> Self {
        let (rows, padded_dim) = (longest.next_multiple_of(LANES), dim.next_multiple_of(LANES));
        Self {
            dim,
            padded_dim,
            queries: vec![0.0; rows * dim],
            keys: vec![0.0; rows * dim],
            values: vec![0.0; rows * padded_dim],
            scores: vec![0.0; rows * rows],
            contexts: vec![0.0; rows * padded_dim],
        }
    }

    /// Copies the contexts to their place among the heads.
    #[inline(always)]
    fn scatter(&self, contexts: &mut [f32], dim: usize, number: usize) {
        for (row, context) in contexts.chunks_exact_mut(dim).zip(self.contexts.chunks_exact(self.padded_dim)) {
            row[number * self.dim..(number + 1) * self.dim].copy_from_slice(&context[..self.dim]);
        }
    }
}

/// into = factor (row + bias).
#[inline(always)]
fn add(into: &mut [f32], row: &[f32], bias: &[f32], factor: f32) {
    for ((into, value), bias) in into.iter_mut().zip(row).zip(bias) {
        *into = factor * (value + bias);
    }
}

/// product = left · right. The rows of `left` stand `stride` apart; as many of their first entries count as `right` has
/// rows. The product has whole blocks of rows, and `right` whole vectors.
#[inline(always)]
fn multiply<S: Simd>(simd: S, left: &[f32], stride: usize, right: &[f32], product: &mut [f32]) {
    let rows = left.len() / stride;
    let width = product.len() / rows;
    let depth = right.len() / width;
    for (left, product) in left.chunks_exact(ROWS * stride).zip(product.chunks_exact_mut(ROWS * width)) {
        let left: [&[f32]; ROWS] = std::array::from_fn(|row| &left[row * stride..][..depth]);
        for column in 0..width / S::F32_LANES {
            let mut sums = [simd.splat_f32s(0.0); ROWS];
            for (step, right) in right.chunks_exact(width).enumerate() {
                let right = S::as_simd_f32s(right).0[column];
                for row in 0..ROWS {
                    sums[row] = simd.mul_add_e_f32s(simd.splat_f32s(left[row][step]), right, sums[row]);
                }
            }
            for (row, sum) in product.chunks_exact_mut(width).zip(sums) {
                S::as_mut_simd_f32s(row).0[column] = sum;
            }
        }
    }
}

/// The softmax of the first `length` scores, to which the bias by distance is added, if there is one.
#[inline(always)]
fn softmax(scores: &mut [f32], length: usize, relative: &[f32]) {
    // Loops, not `for_each`, which is a function of its own that need not be inlined.
    for (score, relative) in scores.iter_mut().zip(relative) {
        *score += relative;
    }
    scores[length..].fill(f32::MIN);
    let mut highest = [f32::MIN; LANES];
    let (chunks, _) = scores.as_chunks_mut::<LANES>();
    for chunk in &*chunks {
        for lane in 0..LANES {
            highest[lane] = larger(highest[lane], chunk[lane]);
        }
    }
    let highest = fold(highest, larger);
    let mut sums = [0.0; LANES];
    for chunk in &mut *chunks {
        for lane in 0..LANES {
            chunk[lane] = exponential(chunk[lane] - highest);
            sums[lane] += chunk[lane];
        }
    }
    let factor = 1.0 / fold(sums, |a, b| a + b);
    for score in chunks.as_flattened_mut() {
        *score *= factor;
    }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

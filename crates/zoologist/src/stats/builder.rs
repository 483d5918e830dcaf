//! From the rows of one shard to its moments, block by block.
//!
//! The first block's mean is the shard's origin. Rows are moved there before anything is multiplied, everything is
//! summed about it, and the moments are moved to the true mean at the end. That loses no digits that matter: the first
//! block is itself part of the shard, so the spread about the true mean is at least its share of the distance.
//!
//! Blocks are cut by the rows' places in the shard alone, so the sums come out equal however the rows arrive.

use std::sync::{Mutex, PoisonError};

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular};
use faer::{Accum, Mat, MatRef, Par};

use super::kernels::{self, Real, Sums, dot};
use super::moments::lower_times;
use super::{Marginals, Moments, Precision, Responses};
use crate::base::{Features, Targets, Values};

/// Rows multiplied at once.
pub(super) const BLOCK_ROWS: usize = 1024;
/// Rows turned to double precision at once.
const WIDE_ROWS: usize = 512;

/// Collects the rows of one shard.
pub struct Builder<'a> {
    responses: &'a Responses<'a>,
    precision: &'a Precision,
    dim: usize,
    /// How far apart the rows of a block stand.
    stride: usize,
    /// Rows that wait for their block to fill, and their places in the data.
    waiting: Waiting,
    places: Vec<usize>,
    rows: usize,
    /// Mean of the first block; empty before.
    origin: Vec<f64>,
    first: Vec<f64>,
    third: Vec<f64>,
    fourth: f64,
    scatter: Mat<f64>,
    targets: TargetSums,
    /// Sums of row times target, d × k, one per response.
    cross: Vec<Mat<f64>>,
}

enum Waiting {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

enum TargetSums {
    Counts(Vec<u64>),
    Columns { origin: Vec<f64>, first: Vec<f64>, second: Vec<f64> },
}

/// Working memory for one builder at a time.
#[derive(Default)]
pub struct Scratch {
    /// Room for the rows of a block in single precision, between two shards.
    block: Vec<f32>,
    /// Statistics that nobody needs any more: room for others of the same shape.
    spent: Option<Moments>,
    /// Rows about the origin in double precision.
    wide: Vec<f64>,
    /// The products of one block in single precision.
    product: Option<Mat<f32>>,
}

/// Working memory for the builders of several threads, used again and again.
#[derive(Default)]
pub struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Calls `work` with memory that nobody else has.
    pub fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        // A poisoned lock only means that another builder panicked; the memory is as good as new.
        let mut scratch = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let result = work(&mut scratch);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        result
    }

    /// Gives back statistics that were merged into others: asking the machine for memory costs more than clearing it.
    pub fn give_back(&self, spent: Moments) {
        self.with(|scratch| scratch.spent = Some(spent));
    }
}

impl<'a> Builder<'a> {
    /// No rows yet, of `dim` features; their targets are looked up in `responses`.
    pub fn new(dim: usize, responses: &'a Responses<'a>, precision: &'a Precision) -> Self {
        let width = responses.targets().names().len();
        let targets = match responses.targets() {
            Targets::Classes(_) => TargetSums::Counts(vec![0; width]),
            Targets::Multilabel(_) | Targets::Regression(_) => {
                TargetSums::Columns { origin: vec![], first: vec![0.0; width], second: vec![0.0; width] }
            }
        };
        Self {
            responses,
            precision,
            dim,
            stride: kernels::stride(dim),
            waiting: Waiting::Single(vec![]),
            places: vec![],
            rows: 0,
            origin: vec![],
            first: vec![0.0; dim],
            third: vec![0.0; dim],
            fourth: 0.0,
            scatter: Mat::zeros(0, 0),
            targets,
            cross: vec![],
        }
    }

    /// Takes the memory that the sums need, cleared.
    fn take_memory(&mut self, scratch: &mut Scratch) {
        let empty = Moments::empty(0, &self.marginals(), 0);
        let fits = |spent: &Moments| spent.dim() == self.dim && spent.width() == empty.width();
        let spent = scratch.spent.take();
        if let Some(mut spent) = spent.filter(|spent| fits(spent) && spent.responses() == self.responses.count()) {
            (0..self.dim).for_each(|column| spent.scatter.col_as_slice_mut(column)[column..].fill(0.0));
            spent.cross.iter_mut().for_each(|cross| cross.fill(0.0));
            (self.scatter, self.cross) = (spent.scatter, spent.cross);
        } else {
            self.scatter = Mat::zeros(self.dim, self.dim);
            self.cross = vec![Mat::zeros(self.dim, empty.width()); self.responses.count()];
        }
        if matches!(self.waiting, Waiting::Single(_)) {
            self.waiting = Waiting::Single(std::mem::take(&mut scratch.block));
        }
    }

    /// Takes some rows of a block: their places in it and in the data. Rows of one shard must come in the order of the
    /// data.
    pub fn add(&mut self, block: &Features, rows: &[(usize, usize)], scratch: &mut Scratch) {
        if self.cross.is_empty() && !rows.is_empty() {
            self.take_memory(scratch);
        }
        for &(row, place) in rows {
            self.keep(block, row);
            self.places.push(place);
            if self.places.len() == BLOCK_ROWS {
                self.absorb(scratch);
            }
        }
    }

    fn keep(&mut self, block: &Features, row: usize) {
        let span = row * self.dim..(row + 1) * self.dim;
        if let (Waiting::Single(_), Values::F64(_)) = (&self.waiting, block.values()) {
            // The first row of double precision; a file has one precision throughout.
            self.waiting = Waiting::Double(vec![]);
        }
        let end = (self.places.len() + 1) * self.stride;
        match (&mut self.waiting, block.values()) {
            (Waiting::Single(waiting), Values::F32(values)) => {
                waiting.extend_from_slice(&values[span]);
                waiting.resize(end, 0.0);
            }
            (Waiting::Double(waiting), Values::F64(values)) => {
                waiting.extend_from_slice(&values[span]);
                waiting.resize(end, 0.0);
            }
            (Waiting::Double(waiting), Values::F32(values)) => {
                waiting.extend(values[span].iter().map(|value| f64::from(*value)));
                waiting.resize(end, 0.0);
            }
            (Waiting::Single(_), Values::F64(_)) => {}
        }
    }

    /// Adds the waiting rows to the sums.
    fn absorb(&mut self, scratch: &mut Scratch) {
        let places = std::mem::take(&mut self.places);
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Single(vec![]));
        match waiting {
            Waiting::Single(mut rows) => {
                self.find_origin(&rows, &places);
                if self.single_is_safe(&rows) {
                    self.sum_single(&mut rows, &places, scratch);
                } else {
                    self.sum_double(&rows, &places, scratch);
                }
                rows.clear();
                self.waiting = Waiting::Single(rows);
            }
            Waiting::Double(mut rows) => {
                self.find_origin(&rows, &places);
                self.sum_double(&rows, &places, scratch);
                rows.clear();
                self.waiting = Waiting::Double(rows);
            }
        }
        self.rows += places.len();
        self.places = places;
        self.places.clear();
    }

    fn find_origin<T: Real>(&mut self, rows: &[T], places: &[usize]) {
        if !self.origin.is_empty() {
            return;
        }
        let count = places.len() as f64;
        self.origin = vec![0.0; self.dim];
        kernels::add_rows(rows, &mut self.origin);
        self.origin.iter_mut().for_each(|sum| *sum /= count);
        if let (TargetSums::Columns { origin, .. }, Some(columns)) =
            (&mut self.targets, columns(self.responses.targets()))
        {
            *origin = vec![0.0; columns.width()];
            for &place in places {
                origin.iter_mut().zip(columns.row(place)).for_each(|(sum, value)| *sum += value);
            }
            origin.iter_mut().for_each(|sum| *sum /= count);
        }
    }

    fn single_is_safe(&self, rows: &[f32]) -> bool {
        matches!(self.targets, TargetSums::Counts(_))
            && self.precision.may_be_single()
            && self.precision.allows(&kernels::column_squares(rows, &self.origin), rows.len() / self.stride)
    }

    /// Single-precision products of rows that are known to be harmless; every other sum in double precision.
    fn sum_single(&mut self, rows: &mut [f32], places: &[usize], scratch: &mut Scratch) {
        let mut sums =
            Sums { origin: &self.origin, first: &mut self.first, third: &mut self.third, fourth: &mut self.fourth };
        let mut moved = vec![0.0_f32; self.dim];
        for (row, &place) in rows.chunks_exact_mut(self.stride).zip(places) {
            let row = &mut row[..self.dim];
            sum_classes(&mut self.targets, &mut self.cross, self.responses, row, sums.origin, place);
            kernels::take_row(row, &mut moved, &mut sums);
            row.copy_from_slice(&moved);
        }
        let product = scratch.product.get_or_insert_with(|| Mat::zeros(self.dim, self.dim));
        let table = MatRef::from_column_major_slice_with_stride(rows, self.dim, places.len(), self.stride);
        let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        triangular(product.as_mut(), lower, Accum::Replace, table, full, table.transpose(), full, 1.0, Par::Seq);
        kernels::add_lower(&mut self.scatter, product);
    }

    fn sum_double<T: Real>(&mut self, rows: &[T], places: &[usize], scratch: &mut Scratch) {
        for (rows, places) in rows.chunks(WIDE_ROWS * self.stride).zip(places.chunks(WIDE_ROWS)) {
            scratch.wide.resize(rows.len(), 0.0);
            let mut sums =
                Sums { origin: &self.origin, first: &mut self.first, third: &mut self.third, fourth: &mut self.fourth };
            let pairs = rows.chunks_exact(self.stride).zip(scratch.wide.chunks_exact_mut(self.stride));
            for ((row, moved), &place) in pairs.zip(places) {
                let (row, moved) = (&row[..self.dim], &mut moved[..self.dim]);
                sum_classes(&mut self.targets, &mut self.cross, self.responses, row, sums.origin, place);
                kernels::take_row(row, moved, &mut sums);
            }
            let table = MatRef::from_column_major_slice_with_stride(&scratch.wide, self.dim, places.len(), self.stride);
            let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
            triangular(self.scatter.as_mut(), lower, Accum::Add, table, full, table.transpose(), full, 1.0, Par::Seq);
            sum_columns(&mut self.targets, &mut self.cross, self.responses, table, places);
        }
    }

    /// The moments of all rows that were added.
    pub fn finish(mut self, scratch: &mut Scratch) -> Moments {
        if !self.places.is_empty() {
            self.absorb(scratch);
        }
        let rows = self.rows as f64;
        if self.rows == 0 {
            return Moments::empty(self.dim, &self.marginals(), self.responses.count());
        }
        if let Waiting::Single(block) = &mut self.waiting {
            scratch.block = std::mem::take(block);
        }
        let shift: Vec<f64> = self.first.iter().map(|sum| sum / rows).collect();
        let (third, fourth) = self.higher_about_mean(&shift);
        for (column, &offset) in shift.iter().enumerate() {
            let below = &mut self.scatter.col_as_slice_mut(column)[column..];
            below.iter_mut().zip(&shift[column..]).for_each(|(value, other)| *value -= rows * offset * other);
        }
        let weights = self.target_weights();
        for cross in &mut self.cross {
            for (column, weight) in weights.iter().enumerate() {
                let pairs = cross.col_as_slice_mut(column).iter_mut().zip(&shift);
                pairs.for_each(|(value, shift)| *value -= weight * shift);
            }
        }
        let mean = self.origin.iter().zip(&shift).map(|(origin, shift)| origin + shift).collect();
        let marginals = self.marginals();
        Moments { rows: self.rows, mean, scatter: self.scatter, third, fourth, marginals, cross: self.cross }
    }

    /// What the shift of a row is multiplied by in the sums of products: the sum of each target about its origin.
    fn target_weights(&self) -> Vec<f64> {
        match &self.targets {
            TargetSums::Counts(counts) => counts.iter().map(|&count| count as f64).collect(),
            TargetSums::Columns { first, .. } => first.clone(),
        }
    }

    /// sum |f|² f and sum |f|⁴ about the mean, which is `shift` away from the origin.
    fn higher_about_mean(&self, shift: &[f64]) -> (Vec<f64>, f64) {
        let rows = self.rows as f64;
        let trace: f64 = (0..self.dim).map(|place| self.scatter[(place, place)]).sum();
        let turned = lower_times(&self.scatter, shift);
        let square = dot(shift, shift);
        let third = (0..self.dim).map(|place| {
            self.third[place] - 2.0 * turned[place] - trace * shift[place] + 2.0 * rows * square * shift[place]
        });
        let fourth = self.fourth - 4.0 * dot(shift, &self.third) + 4.0 * dot(shift, &turned) + 2.0 * square * trace
            - 3.0 * rows * square * square;
        (third.collect(), fourth)
    }

    fn marginals(&self) -> Marginals {
        match &self.targets {
            TargetSums::Counts(counts) => Marginals::Classes(counts.clone()),
            TargetSums::Columns { origin, first, second } => {
                let rows = self.rows.max(1) as f64;
                let mean = first
                    .iter()
                    .enumerate()
                    .map(|(place, sum)| origin.get(place).copied().unwrap_or_default() + sum / rows);
                let scatter = first.iter().zip(second).map(|(sum, square)| (square - sum * sum / rows).max(0.0));
                Marginals::Columns { mean: mean.collect(), scatter: scatter.collect() }
            }
        }
    }
}

/// Adds a row to the sum of its class under every response.
fn sum_classes<T: Real>(
    targets: &mut TargetSums,
    cross: &mut [Mat<f64>],
    responses: &Responses,
    row: &[T],
    origin: &[f64],
    place: usize,
) {
    let (TargetSums::Counts(counts), Targets::Classes(classes)) = (targets, responses.targets()) else { return };
    counts[classes.index()[place] as usize] += 1;
    for (response, sums) in cross.iter_mut().enumerate() {
        let class = classes.index()[responses.source(response, place)];
        kernels::add_row(row, origin, sums.col_as_slice_mut(class as usize));
    }
}

/// Adds the products of some rows, about their origin, and their target columns under every response.
fn sum_columns(
    targets: &mut TargetSums,
    cross: &mut [Mat<f64>],
    responses: &Responses,
    table: MatRef<'_, f64>,
    places: &[usize],
) {
    let TargetSums::Columns { origin, first, second } = targets else { return };
    let Some(columns) = columns(responses.targets()) else { return };
    for (response, sums) in cross.iter_mut().enumerate() {
        let moved = Mat::from_fn(places.len(), origin.len(), |row, column| {
            columns.row(responses.source(response, places[row]))[column] - origin[column]
        });
        if response == 0 {
            for column in 0..origin.len() {
                first[column] += moved.col_as_slice(column).iter().sum::<f64>();
                second[column] += dot(moved.col_as_slice(column), moved.col_as_slice(column));
            }
        }
        matmul(sums.as_mut(), Accum::Add, table, &moved, 1.0, Par::Seq);
    }
}

fn columns(targets: &Targets) -> Option<&crate::base::Columns> {
    match targets {
        Targets::Classes(_) => None,
        Targets::Multilabel(columns) | Targets::Regression(columns) => Some(columns),
    }
}

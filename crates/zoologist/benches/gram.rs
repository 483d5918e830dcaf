//! How near the Gram product of the statistics comes to the machine's rate of matrix products: `make bench-gram`.
//!
//! Both sides run one after the other on one thread in one process. The limit is the plain product of a d × 1024 and a
//! 1024 × d matrix in the same precision, all of it. The Gram product is its lower half, as the statistics compute it;
//! in the last column everything else that they do to a row counts against them: gathering it, moving it to the origin,
//! the sums, the higher moments, the classes, the pilot.
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(missing_docs, reason = "a program")]

use std::time::Instant;

use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular};
use faer::{Accum, Mat, Par};
use zoologist::base::{Classes, Features, Seed, Targets, Values};
use zoologist::stats::Shards;

const ROWS: usize = 1024;

/// Floating-point operations per second of the best of some runs.
fn rate(operations: f64, mut run: impl FnMut()) -> f64 {
    let once = || {
        let begun = Instant::now();
        run();
        operations / begun.elapsed().as_secs_f64()
    };
    std::iter::repeat_with(once).take(5).fold(0.0, f64::max)
}

fn product_rate<T: faer::traits::ComplexField>(dim: usize, value: impl Fn(usize, usize) -> T) -> f64 {
    // An odd number of cache lines between columns: the machine at its best.
    let padded = Mat::from_fn(dim + 16, ROWS, value);
    let table = padded.subrows(0, dim);
    let mut product = Mat::<T>::zeros(dim, dim);
    rate(2.0 * (dim * dim * ROWS) as f64, || {
        faer::linalg::matmul::matmul(&mut product, Accum::Replace, table, table.transpose(), T::one_impl(), Par::Seq);
    })
}

fn gram_rate<T: faer::traits::ComplexField>(dim: usize, value: impl Fn(usize, usize) -> T) -> f64 {
    let padded = Mat::from_fn(dim + 16, ROWS, value);
    let table = padded.subrows(0, dim);
    let mut product = Mat::<T>::zeros(dim, dim);
    let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    rate((dim * (dim + 1) * ROWS) as f64, || {
        let into = product.as_mut();
        triangular(into, lower, Accum::Replace, table, full, table.transpose(), full, T::one_impl(), Par::Seq);
    })
}

fn statistics_rate(features: &Features, classes: usize) -> f64 {
    let names: Vec<String> = (0..features.rows()).map(|row| (row % classes).to_string()).collect();
    let Ok(classes) = Classes::from_names(&names) else { return 0.0 };
    let targets = Targets::Classes(classes);
    let half = features.rows() / 2;
    let operations = (features.rows() * features.dim() * (features.dim() + 1)) as f64;
    rate(operations, || drop(Shards::of(features, &targets, &[0..half, half..features.rows()])))
}

fn main() {
    if rayon::ThreadPoolBuilder::new().num_threads(1).build_global().is_err() {
        return;
    }
    println!("| rows x dimensions | precision | product, GFLOP/s | Gram product, share | with all sums, share |");
    println!("|---|---|---|---|---|");
    for (rows, dim) in [(50_000, 768), (30_000, 2048)] {
        let mut stream = Seed(0).stream("bench", "gram");
        let values: Vec<f64> = (0..rows * dim).map(|_| stream.unit() - 0.5).collect();
        let single = Features::new(dim, Values::F32(values.iter().map(|&value| value as f32).collect()));
        let sums = [statistics_rate(&single, 100), statistics_rate(&Features::new(dim, Values::F64(values)), 100)];
        let number = |row: usize, column: usize| ((row * 31 + column * 17) % 101) as f32;
        let wide = |row: usize, column: usize| f64::from(number(row, column));
        let limits = [product_rate(dim, number), product_rate(dim, wide)];
        let grams = [gram_rate(dim, number), gram_rate(dim, wide)];
        for (place, precision) in ["single", "double"].into_iter().enumerate() {
            let share = |found: f64| format!("{:.0} GFLOP/s, {:.0}%", found / 1e9, 100.0 * found / limits[place]);
            let (gram, sums, limit) = (share(grams[place]), share(sums[place]), limits[place] / 1e9);
            println!("| {rows} x {dim} | {precision} | {limit:.0} | {gram} | {sums} |");
        }
    }
}

//! Moments against plain sums, however the rows are divided, in either precision.

use faer::Mat;

use super::{Moments, Precision, Shards, pilot_rows};
use crate::base::{Classes, Columns, Features, Seed, Stream, Targets, Values};

fn gauss(stream: &mut Stream) -> f64 {
    (0..12).map(|_| stream.unit()).sum::<f64>() - 6.0
}

/// Rows about class means, moved by an offset.
fn rows(seed: u64, count: usize, dim: usize, classes: usize, offset: f64) -> (Vec<f64>, Targets) {
    let mut stream = Seed(seed).stream("test", "moments");
    let means: Vec<f64> = (0..classes * dim).map(|_| gauss(&mut stream)).collect();
    let labels: Vec<usize> = (0..count).map(|row| if row < classes { row } else { stream.below(classes) }).collect();
    let value =
        |place: usize, stream: &mut Stream| means[labels[place / dim] * dim + place % dim] + gauss(stream) + offset;
    let values = (0..count * dim).map(|place| value(place, &mut stream)).collect();
    let names: Vec<String> = labels.iter().map(ToString::to_string).collect();
    (values, Targets::Classes(Classes::from_names(&names).unwrap()))
}

/// Every moment by its definition.
struct Plain {
    scatter: Mat<f64>,
    third: Vec<f64>,
    fourth: f64,
    cross: Mat<f64>,
}

fn plain(values: &[f64], dim: usize, classes: &Classes) -> Plain {
    let rows = values.len() / dim;
    let mean: Vec<f64> = (0..dim).map(|c| (0..rows).map(|r| values[r * dim + c]).sum::<f64>() / rows as f64).collect();
    let centred = Mat::from_fn(rows, dim, |row, column| values[row * dim + column] - mean[column]);
    let squares: Vec<f64> = (0..rows).map(|row| (0..dim).map(|c| centred[(row, c)].powi(2)).sum()).collect();
    let mut cross = Mat::zeros(dim, classes.names().len());
    for row in 0..rows {
        for column in 0..dim {
            cross[(column, classes.index()[row] as usize)] += centred[(row, column)];
        }
    }
    Plain {
        scatter: centred.transpose() * &centred,
        third: (0..dim).map(|c| (0..rows).map(|r| squares[r] * centred[(r, c)]).sum()).collect(),
        fourth: squares.iter().map(|square| square * square).sum(),
        cross,
    }
}

fn cuts(count: usize, parts: usize) -> Vec<std::ops::Range<usize>> {
    (0..parts).map(|part| part * count / parts..(part + 1) * count / parts).collect()
}

#[test]
fn moments_are_the_sums_that_they_are_defined_as() {
    for (seed, count, dim, parts, offset) in [(1, 40, 3, 1, 0.0), (2, 2500, 7, 3, 50.0), (3, 1300, 20, 7, -3.0)] {
        let (values, targets) = rows(seed, count, dim, 4, offset);
        let Targets::Classes(classes) = &targets else { unreachable!("classes") };
        let expected = plain(&values, dim, classes);
        let found = Shards::of(&Features::new(dim, Values::F64(values)), &targets, &cuts(count, parts)).total();
        let close = |a: f64, b: f64, scale: f64| assert!((a - b).abs() <= 1e-11 * scale, "{seed}: {a} for {b}");
        let top = expected.scatter.norm_max();
        for column in 0..dim {
            for row in column..dim {
                close(found.scatter()[(row, column)], expected.scatter[(row, column)], top);
            }
            close(found.third[column], expected.third[column], expected.fourth);
            for class in 0..4 {
                close(found.cross(0)[(column, class)], expected.cross[(column, class)], top);
            }
        }
        close(found.fourth(), expected.fourth, expected.fourth);
    }
}

#[test]
fn well_conditioned_rows_may_be_single_and_others_may_not() {
    let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let (values, _) = rows(4, 2048, 64, 4, 10.0);
    let good = single(&values);
    assert!(Precision::of_pilot(&Features::new(64, Values::F32(good.clone()))).may_be_single());
    let mut copied = good.clone();
    copied.chunks_exact_mut(64).for_each(|row| row[1] = row[0] * 2.0);
    assert!(!Precision::of_pilot(&Features::new(64, Values::F32(copied))).may_be_single());
    let mut constant = good.clone();
    constant.chunks_exact_mut(64).for_each(|row| row[5] = 3.0);
    assert!(!Precision::of_pilot(&Features::new(64, Values::F32(constant))).may_be_single());
    let tiny: Vec<f32> = good.iter().map(|value| value * 1e-20).collect();
    assert!(!Precision::of_pilot(&Features::new(64, Values::F32(tiny))).may_be_single());
    assert!(!Precision::of_pilot(&Features::new(64, Values::F64(values))).may_be_single());
}

#[test]
fn products_in_single_precision_stay_within_the_stated_bound() {
    let (count, dim) = (9000, 96);
    assert!(pilot_rows(count, dim).is_some(), "the test means single precision");
    let (values, targets) = rows(5, count, dim, 6, 5.0);
    let single: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    let wide = Features::new(dim, Values::F64(single.iter().map(|&value| f64::from(value)).collect()));
    let fast = Shards::of(&Features::new(dim, Values::F32(single)), &targets, &cuts(count, 4)).total();
    let exact = Shards::of(&wide, &targets, &cuts(count, 4)).total();
    let mut differs = false;
    for column in 0..dim {
        for row in column..dim {
            let (a, b) = (fast.scatter()[(row, column)], exact.scatter()[(row, column)]);
            let scale = (exact.scatter()[(row, row)] * exact.scatter()[(column, column)]).sqrt();
            assert!((a - b).abs() <= 1e-6 * scale, "{row} {column}: {a} for {b}");
            differs |= a.to_bits() != b.to_bits();
        }
    }
    assert!(differs, "the rows were multiplied in double precision");
}

#[test]
fn a_block_that_outgrows_the_pilot_is_multiplied_in_double_precision() {
    let (count, dim) = (9000, 96);
    let (values, targets) = rows(6, count, dim, 6, 0.0);
    let mut single: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    // Not among the evenly spread rows of the pilot.
    single[7 * dim..8 * dim].fill(1e5);
    let wide = Features::new(dim, Values::F64(single.iter().map(|&value| f64::from(value)).collect()));
    let fast = Shards::of(&Features::new(dim, Values::F32(single)), &targets, &cuts(count, 4)).total();
    let exact = Shards::of(&wide, &targets, &cuts(count, 4)).total();
    let (a, b) = (fast.scatter()[(3, 2)], exact.scatter()[(3, 2)]);
    assert!((a - b).abs() <= 1e-10 * b.abs(), "{a} for {b}");
}

#[test]
fn moments_come_back_from_their_arrays_bit_for_bit() {
    let (values, targets) = rows(7, 300, 5, 3, 1.0);
    let numbers = Columns::new(vec!["a".into(), "b".into()], values[..600].to_vec()).unwrap();
    let features = Features::new(5, Values::F64(values));
    for targets in [targets, Targets::Regression(numbers)] {
        let moments = Shards::of(&features, &targets, &cuts(300, 2)).total();
        let arrays = moments.to_arrays().into_iter().map(|(name, array)| (name.to_owned(), array)).collect();
        let back = Moments::from_arrays(&arrays).unwrap();
        assert_eq!(back.to_arrays(), moments.to_arrays());
        for name in moments.to_arrays().keys() {
            let mut lacking = arrays.clone();
            lacking.remove(*name);
            assert!(Moments::from_arrays(&lacking).is_err(), "{name}");
        }
    }
}

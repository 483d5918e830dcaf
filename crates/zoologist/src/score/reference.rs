//! Scores of rows against an independent numpy implementation (full singular value decompositions in float64, every
//! formula as it stands), and on inputs at the edge. Data come from formulas that both sides share.

#![allow(clippy::unreadable_literal, reason = "values as numpy prints them")]

use super::{Asked, Inputs, KnnTies, Rows, Score, Settings, Status, evaluate, metric};
use crate::base::{Classes, Columns, Features, Targets, Values};

/// Scores, in the order of the values below; the last three are the parts of `ncti`.
const NAMES: [&str; 8] = ["transrate", "transrate_unweighted", "gbc", "lda", "sfda", "energy", "parc", "ped"];
const PARTS: [&str; 3] = ["nuclear_norm", "mean_posterior", "log_class_nuclear_norm"];

struct Case {
    name: &'static str,
    rows: usize,
    dim: usize,
    classes: usize,
    scale: f64,
    offset: f64,
    expected: [f64; 11],
}

const CASES: [Case; 8] = [
    Case {
        name: "ordinary",
        rows: 60,
        dim: 5,
        classes: 3,
        scale: 1.0,
        offset: 0.0,
        expected: [
            2.0502880919e-01,
            1.6120584821e-01,
            -3.1030894154e+00,
            7.2117845768e-01,
            5.0645401435e-01,
            6.7019645827e-01,
            1.9351935058e+01,
            5.1049244551e-01,
            2.1087057709e+01,
            7.2117422092e-01,
            2.8266388454e+00,
        ],
    },
    Case {
        name: "wide",
        rows: 30,
        dim: 40,
        classes: 3,
        scale: 1.0,
        offset: 0.0,
        expected: [
            3.3745942719e+01,
            3.6292189350e+01,
            -4.8757327892e-02,
            1.0000000000e+00,
            1.0000000000e+00,
            3.9099100520e+00,
            2.4305650354e+00,
            1.0000000000e+00,
            1.0802586497e+04,
            1.0000000000e+00,
            2.2383337811e+00,
        ],
    },
    Case {
        name: "more than 64 dimensions",
        rows: 100,
        dim: 70,
        classes: 6,
        scale: 1.0,
        offset: 0.0,
        expected: [
            6.9345172764e+01,
            6.9345172764e+01,
            -5.5221688462e-02,
            1.0000000000e+00,
            1.0000000000e+00,
            4.4950539339e+00,
            4.9697102560e+01,
            1.0000000000e+00,
            4.0159021091e+06,
            1.0000000000e+00,
            3.1073040492e+00,
        ],
    },
    Case {
        name: "large scale",
        rows: 60,
        dim: 5,
        classes: 3,
        scale: 1000.0,
        offset: 0.0,
        expected: [
            2.0508689738e-01,
            1.6126555211e-01,
            -3.1030894154e+00,
            7.2117136961e-01,
            5.0598507918e-01,
            -4.0904408848e+02,
            1.9351935058e+01,
            5.1002238481e-01,
            2.1082281739e+01,
            7.2117136961e-01,
            2.8264967440e+00,
        ],
    },
    Case {
        name: "small scale",
        rows: 60,
        dim: 5,
        classes: 3,
        scale: 0.001,
        offset: 0.0,
        expected: [
            1.5646750241e-05,
            -7.5030282809e-04,
            -5.9786196263e+00,
            7.2119575491e-01,
            5.1202239806e-01,
            1.6084228515e+00,
            1.9351935058e+01,
            5.1606970626e-01,
            2.1244351110e+01,
            7.2119575496e-01,
            2.8313415618e+00,
        ],
    },
    Case {
        name: "offset",
        rows: 60,
        dim: 5,
        classes: 3,
        scale: 1.0,
        offset: 10000.0,
        expected: [
            2.0502880919e-01,
            1.6120584821e-01,
            -3.1030894154e+00,
            7.2117845768e-01,
            5.0645401435e-01,
            1.0000670196e+04,
            1.9351935058e+01,
            5.1049244551e-01,
            2.1087057709e+01,
            7.2117422092e-01,
            2.8266388454e+00,
        ],
    },
    Case {
        name: "a class of one row",
        rows: 60,
        dim: 5,
        classes: 3,
        scale: 1.0,
        offset: 0.0,
        expected: [
            4.8176955940e-01,
            4.4506883513e+00,
            -3.5302802532e+00,
            6.9700074847e-01,
            5.0087978129e-01,
            6.7019645827e-01,
            1.8688252674e+01,
            5.0480317645e-01,
            2.8865305884e+01,
            6.9686253314e-01,
            2.8647588757e+00,
        ],
    },
    Case {
        name: "doubled columns",
        rows: 60,
        dim: 8,
        classes: 4,
        scale: 1.0,
        offset: 0.0,
        expected: [
            2.8234185649e-01,
            3.0506736116e-01,
            -4.6073135087e+00,
            5.6480459349e-01,
            3.7242476716e-01,
            1.0942394436e+00,
            1.2538144610e+01,
            3.7598072934e-01,
            2.8497459345e+01,
            5.6443159813e-01,
            2.9700771124e+00,
        ],
    },
];

impl Case {
    fn features(&self) -> Features {
        let labels = self.labels();
        let value = |place: usize| {
            let (row, column) = (place / self.dim, self.column(place % self.dim));
            let signal = ((labels[row] + 1) as f64 * (column + 1) as f64).cos();
            self.scale * (((row + 1) as f64 * (column + 2) as f64 * 0.37).sin() + 0.6 * signal) + self.offset
        };
        Features::new(self.dim, Values::F64((0..self.rows * self.dim).map(value).collect()))
    }

    fn source(&self) -> Features {
        let value = |place: usize| {
            let (row, column) = (place / self.dim, self.column(place % self.dim));
            self.scale * 2.0 * ((row + 3) as f64 * (column + 1) as f64 * 0.53).sin() + self.offset
        };
        Features::new(self.dim, Values::F64((0..20 * self.dim).map(value).collect()))
    }

    fn column(&self, column: usize) -> usize {
        if self.name == "doubled columns" { column % (self.dim / 2) } else { column }
    }

    fn labels(&self) -> Vec<usize> {
        let single = self.name == "a class of one row";
        let label = |row| if single && row == 10 { self.classes } else { (row * 7 + row / 5) % self.classes };
        (0..self.rows).map(label).collect()
    }
}

fn classes(labels: &[usize]) -> Targets {
    let names: Vec<String> = labels.iter().map(ToString::to_string).collect();
    Targets::Classes(Classes::from_names(&names).unwrap())
}

fn score(name: &str, features: &Features, targets: &Targets, inputs: &Inputs, settings: &Settings) -> Score {
    let order: Vec<usize> = (0..features.rows()).collect();
    let half = features.rows() / 2;
    let shards = [0..half, half..features.rows()];
    let rows = Rows { features, targets, shards: &shards, order: &order, inputs, settings };
    evaluate(&[metric(name).unwrap()], &rows, Asked { interval: true, ..Asked::default() })[0].score.clone()
}

fn plain(name: &str, features: &Features, targets: &Targets) -> Score {
    score(name, features, targets, &Inputs::default(), &Settings::default())
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert_within(1e-7, found, expected, what);
}

fn assert_within(tolerance: f64, found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1e-3), "{what}: {found} for {expected}");
}

#[test]
fn scores_of_rows_agree_with_an_independent_implementation() {
    for case in CASES {
        let (features, targets) = (case.features(), classes(&case.labels()));
        let inputs = Inputs { source_features: Some(case.source()), ..Inputs::default() };
        let score = |name| score(name, &features, &targets, &inputs, &Settings::default());
        for (name, expected) in NAMES.iter().zip(case.expected) {
            assert_close(score(name).value.unwrap(), expected, &format!("{} {name}", case.name));
        }
        let parts = score("ncti").parts;
        // Some of these covariances within the classes are all but singular, which the nuclear norm feels.
        for (part, expected) in PARTS.iter().zip(&case.expected[NAMES.len()..]) {
            assert_within(1e-5, parts[*part], *expected, &format!("{} ncti {part}", case.name));
        }
    }
}

#[test]
fn discriminants_say_when_every_labelling_would_do() {
    for (case, status) in [(&CASES[0], Status::Ok), (&CASES[1], Status::Saturated)] {
        let (features, targets) = (case.features(), classes(&case.labels()));
        for name in ["lda", "sfda"] {
            assert_eq!(plain(name, &features, &targets).status, status, "{} {name}", case.name);
        }
    }
}

#[test]
fn nothing_at_the_edge_gives_a_number_that_is_none() {
    let table = |values: Vec<f64>, dim| Features::new(dim, Values::F64(values));
    let wave = |rows: usize, dim: usize, scale: f64| -> Vec<f64> {
        (0..rows * dim).map(|place| scale * (place as f64 * 1.7).sin()).collect()
    };
    let alternating: Vec<usize> = (0..12).map(|row| row % 2).collect();
    let cases = [
        ("constant", table(vec![3.0; 60], 5), alternating.clone()),
        ("zero", table(vec![0.0; 60], 5), alternating.clone()),
        ("labels all different", table(wave(12, 5, 1.0), 5), (0..12).collect()),
        ("huge", table(wave(12, 5, 1e30), 5), alternating.clone()),
        ("tiny", table(wave(12, 5, 1e-30), 5), alternating.clone()),
        ("one dimension", table(wave(12, 1, 1.0), 1), alternating.clone()),
        ("equal rows", table((0..60).map(|place| f64::from(u8::from(place % 10 < 5))).collect(), 5), alternating),
        ("two rows", table(vec![1.0, 2.0, 5.0, -1.0], 2), vec![0, 1]),
        ("wide and more than 64", table(wave(12, 300, 1.0), 300), (0..12).map(|row| row % 5).collect()),
    ];
    for (what, features, labels) in cases {
        let inputs = Inputs { source_features: Some(features.clone()), ..Inputs::default() };
        for name in NAMES.into_iter().chain(["ncti", "knn"]) {
            let found = score(name, &features, &classes(&labels), &inputs, &Settings::default());
            assert!(found.value.is_none_or(f64::is_finite), "{what} {name}: {found:?}");
            assert!(found.parts.values().all(|part| part.is_finite()), "{what} {name}: {found:?}");
            assert!(found.value.is_some() || found.status != Status::Ok, "{what} {name}: {found:?}");
        }
    }
}

#[test]
fn too_many_classes_are_refused_instead_of_taking_for_ever() {
    let count = 120_000;
    let features = Features::new(1, Values::F32((0..count).map(|row| (row as f32).sin()).collect()));
    let targets = classes(&(0..count).map(|row| row % 100_000).collect::<Vec<_>>());
    let inputs = Inputs { source_features: Some(features.clone()), ..Inputs::default() };
    for name in ["gbc", "lda", "sfda", "ncti", "ped"] {
        let found = score(name, &features, &targets, &inputs, &Settings::default());
        assert_eq!((found.value, found.status), (None, Status::TooLarge), "{name}");
    }
}

#[test]
fn scores_of_classes_do_not_apply_to_numbers() {
    let features = CASES[0].features();
    let columns = Columns::new(vec!["y".to_owned()], (0..60).map(f64::from).collect()).unwrap();
    for name in NAMES.into_iter().chain(["ncti"]) {
        let found = plain(name, &features, &Targets::Regression(columns.clone()));
        assert_eq!((found.value, found.status), (None, Status::NotApplicable), "{name}");
    }
}

#[test]
fn ped_needs_source_features_of_the_same_width() {
    let (features, targets) = (CASES[0].features(), classes(&CASES[0].labels()));
    assert_eq!(plain("ped", &features, &targets).status, Status::NeedsInput);
    let inputs = Inputs { source_features: Some(CASES[1].source()), ..Inputs::default() };
    assert_eq!(score("ped", &features, &targets, &inputs, &Settings::default()).status, Status::NeedsInput);
}

#[test]
fn transrate_of_unit_trace_does_not_depend_on_scale() {
    let settings = Settings { transrate_unit_trace: true, transrate_eps: 1e-3, ..Settings::default() };
    let value = |case: &Case| {
        let (features, targets) = (case.features(), classes(&case.labels()));
        score("transrate", &features, &targets, &Inputs::default(), &settings).value.unwrap()
    };
    assert_close(value(&CASES[0]), 0.20314063190328646, "unit trace");
    assert_close(value(&CASES[3]), value(&CASES[0]), "scaled");
}

#[test]
fn parc_of_several_labels_is_that_of_the_reference() {
    let case = &CASES[0];
    let value = |row: usize, label: usize| f64::from(u8::from((row * (label + 2) + row / 7).is_multiple_of(3)));
    let values = (0..case.rows).flat_map(|row| (0..4).map(move |label| value(row, label))).collect();
    let columns = Columns::new((0..4).map(|label| label.to_string()).collect(), values).unwrap();
    let found = plain("parc", &case.features(), &Targets::Multilabel(columns));
    assert_close(found.value.unwrap(), 0.45513249991349597, "several labels");
}

#[test]
fn a_tied_vote_of_neighbours_goes_to_whom_the_user_says() {
    // The neighbours of 0 are 1 (b), 2 (a) and 4 (c): b is nearest, a stands first.
    let features = Features::new(1, Values::F64(vec![0.0, 1.0, -2.0, 4.0, 100.0, 101.0, 102.0, 103.0]));
    let vote = |label: &str, knn_ties| {
        let targets = Targets::Classes(Classes::from_names(&[label, "b", "a", "c", "d", "d", "d", "d"]).unwrap());
        let settings = Settings { knn_ties, ..Settings::default() };
        score("knn", &features, &targets, &Inputs::default(), &settings).value.unwrap()
    };
    let both = |label| (vote(label, KnnTies::Nearest) * 8.0, vote(label, KnnTies::SmallestLabel) * 8.0);
    let ((nearest_b, smallest_b), (nearest_a, smallest_a)) = (both("b"), both("a"));
    assert!(nearest_b > smallest_b && smallest_a > nearest_a, "{nearest_b} {smallest_b} {nearest_a} {smallest_a}");
}

#[test]
fn neighbours_are_those_of_a_plain_search_also_among_equal_rows_and_over_several_tiles() {
    let (rows, dim) = (4500, 3);
    // Whole numbers far from 0: many equal rows, and many equal distances.
    let value = |place: usize| f64::from(u32::try_from((place / dim * (place % dim + 3) * 7919) % 17).unwrap()) + 1e4;
    let values: Vec<f64> = (0..rows * dim).map(value).collect();
    let labels: Vec<usize> = (0..rows).map(|row| (row * row) % 7).collect();
    let distance = |a: usize, b: usize| -> f64 {
        (0..dim).map(|column| (values[a * dim + column] - values[b * dim + column]).powi(2)).sum()
    };
    let queries = (0..rows).step_by(450);
    let features = Features::new(dim, Values::F64(values.clone()));
    let order: Vec<usize> = (0..rows).rev().collect();
    let found = super::knn::nearest_rows(&features, &order);
    for query in queries {
        let mut others: Vec<usize> = (0..rows).filter(|&row| row != query).collect();
        others.sort_by(|&a, &b| distance(a, query).total_cmp(&distance(b, query)).then(order[a].cmp(&order[b])));
        assert_eq!(found[query], others[..3], "query {query}, label {}", labels[query]);
    }
}

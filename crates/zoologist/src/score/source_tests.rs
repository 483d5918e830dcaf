//! Scores against values of an independent program (numpy, scipy and scikit-learn in double precision) on data that
//! both sides make from one formula.

use faer::Mat;

use super::{Asked, Evaluation, Inputs, Rows, Settings, Status, evaluate, leep, linear, metric, mixture};
use crate::base::{Classes, Columns, Features, Targets, Values};

/// A number in [0, 1) for a place.
fn number(row: usize, column: usize) -> f64 {
    let mixed = 37 * row * row + 101 * row * column + 53 * column * column + 7 * row + 11 * column;
    (mixed % 997) as f64 / 997.0
}

/// The number of a row and column.
type Entry = fn(usize, usize) -> f64;

fn matrix(rows: usize, dim: usize, entry: impl Fn(usize, usize) -> f64) -> Features {
    Features::new(dim, Values::F64((0..rows * dim).map(|place| entry(place / dim, place % dim)).collect()))
}

/// Everything that a score may ask for.
struct Data {
    features: Features,
    targets: Targets,
    inputs: Inputs,
}

impl Data {
    /// `single` gives row 7 a class of its own. Source class 3 has no mass.
    fn new(rows: usize, dim: usize, classes: usize, sources: usize, single: bool) -> Self {
        let label = |row: usize| {
            if single && row == 7 { classes } else { (number(row, 500) * classes as f64) as usize }
        };
        let names: Vec<String> = (0..rows).map(|row| label(row).to_string()).collect();
        let classes = Classes::from_names(&names).unwrap();
        let y: Vec<usize> = classes.index().iter().map(|&class| class as usize).collect();
        let features =
            matrix(rows, dim, |row, column| number(row, column) + if y[row] % dim == column { 0.7 } else { 0.0 });
        let mass = |row: usize, column: usize| {
            let own = f64::from(y[row] % sources == column);
            if column == 3 { 0.0 } else { number(row, column + 40).powi(6) + own }
        };
        let total = |row: usize| (0..sources).map(|column| mass(row, column)).sum::<f64>();
        let probabilities = matrix(rows, sources, |row, column| mass(row, column) / total(row));
        let embedding = |model: usize| {
            let noise = if model == 1 { 0.1 } else { 0.0 };
            matrix(rows, 2, |row, column| number(y[row], column + 10 * model) + noise * number(row, column + 90))
        };
        let inputs = Inputs {
            source_probabilities: Some(probabilities),
            label_embeddings: (0..3).map(embedding).collect(),
            ..Inputs::default()
        };
        Self { features, targets: Targets::Classes(classes), inputs }
    }

    fn evaluate(&self, name: &str) -> Evaluation {
        let rows = self.features.rows();
        let shards: Vec<_> = (0..5).map(|shard| rows * shard / 5..rows * (shard + 1) / 5).collect();
        let order: Vec<usize> = (0..rows).collect();
        let settings = Settings::default();
        let rows = Rows {
            features: &self.features,
            targets: &self.targets,
            shards: &shards,
            order: &order,
            inputs: &self.inputs,
            settings: &settings,
        };
        evaluate(&[metric(name).unwrap()], &rows, Asked { interval: true, ..Asked::default() }).remove(0)
    }
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-8 * expected.abs(), "{what}: {found} for {expected}");
}

fn check(data: &Data, expected: &[(&str, f64)]) {
    for &(name, expected) in expected {
        assert_close(data.evaluate(name).score.value.unwrap(), expected, name);
    }
}

#[test]
fn scores_with_a_class_of_one_and_a_source_class_without_mass_agree() {
    let data = Data::new(60, 4, 5, 7, true);
    let expected = [
        ("leep", -0.910_227_105_176_208_3),
        ("nce", -0.345_506_807_087_900_6),
        ("pactran_dirichlet", -0.178_331_999_333_871_64),
        ("pactran_gamma", -1.157_805_161_269_563),
        ("pactran_gauss", -3.392_649_130_508_056_4),
        ("emms", -0.128_850_789_600_082_26),
    ];
    check(&data, &expected);
    assert_close(data.evaluate("leep").replicates[0], -0.798_268_070_078_780_6, "leep without the first shard");
    assert_close(data.evaluate("nce").replicates[0], -0.167_707_331_526_501_94, "nce without the first shard");
}

#[test]
fn scores_of_hundreds_of_classes_agree() {
    let data = Data::new(1500, 3, 1000, 20, false);
    let expected = [
        ("leep", -5.026_727_608_466_435),
        ("nce", -3.261_083_221_147_859_3),
        ("pactran_dirichlet", -0.012_850_835_639_630_16),
        ("pactran_gamma", -1.012_791_445_571_773_4),
        ("emms", -0.313_787_341_673_248_7),
    ];
    check(&data, &expected);
}

#[test]
fn a_mixture_from_a_given_start_agrees() {
    let data = Data::new(200, 4, 3, 6, false);
    let Targets::Classes(classes) = &data.targets else { panic!("classes") };
    // Three of the four principal components explain more than 80%.
    let basis = linear::Basis::of(&linear::centred(&data.features)).unwrap();
    let points = Mat::from_fn(3, 200, |place, row| basis.vectors[(row, 3 - place)] * basis.squares[3 - place].sqrt());
    let start = Mat::from_fn(200, 15, |row, component| f64::from(row % 15 == component));
    let posteriors = mixture::fit(&points, start).unwrap().posteriors;
    let theta = matrix(200, 15, |row, component| posteriors[(row, component)]);
    assert_close(leep::leep(&theta, classes, &[]).0, -0.279_407_700_929_742_54, "nleep");
    let found = data.evaluate("nleep").score;
    assert!(found.value.unwrap() < 0.0 && found.value.unwrap() > -1.1, "{found:?}");
    assert!(found.note.unwrap().starts_with("seed 0; 3 starts"));
}

#[test]
fn the_logistic_score_agrees() {
    let found = Data::new(200, 4, 3, 6, false).evaluate("logistic");
    assert_close(found.score.value.unwrap(), 0.905, "accuracy");
    let log_loss = found.score.parts["log_loss"];
    assert!((log_loss - 0.330_353_596_588_369_94).abs() < 1e-6, "{log_loss}");
    assert_eq!(found.replicates.len(), 5);
}

#[test]
fn what_is_missing_is_named() {
    let data = Data { inputs: Inputs::default(), ..Data::new(60, 4, 5, 7, false) };
    for name in ["leep", "nce", "pactran_dirichlet", "pactran_gamma"] {
        let found = data.evaluate(name).score;
        assert_eq!((found.value, found.status), (None, Status::NeedsInput), "{name}");
        assert!(found.note.unwrap().contains("--source-probs FILE"), "{name}");
    }
    assert_eq!(data.evaluate("emms").score.status, Status::NeedsInput);
}

const ALL: [&str; 8] =
    ["leep", "nce", "nleep", "pactran_dirichlet", "pactran_gamma", "pactran_gauss", "logistic", "emms"];

#[test]
fn other_tasks_are_refused_or_scored() {
    let mut data = Data::new(60, 4, 5, 7, false);
    let columns = |entry: Entry| {
        let values = (0..120).map(|place| entry(place / 2, place % 2)).collect();
        Columns::new(vec!["a".into(), "b".into()], values).unwrap()
    };
    data.targets = Targets::Regression(columns(number));
    for name in ALL {
        let expected = if name == "emms" { Status::Ok } else { Status::NotApplicable };
        assert_eq!(data.evaluate(name).score.status, expected, "{name}");
    }
    data.targets = Targets::Multilabel(columns(|row, column| f64::from(number(row, column) > 0.5)));
    for name in ALL {
        let expected = if name == "emms" || name == "logistic" { Status::Ok } else { Status::NotApplicable };
        assert_eq!(data.evaluate(name).score.status, expected, "{name}");
    }
    // Where the labels are steps of the features themselves they are easily learnt.
    data.features = matrix(60, 2, number);
    let found = data.evaluate("logistic");
    assert!(found.score.value.unwrap() > 0.85, "{found:?}");
}

#[test]
fn awkward_features_and_labels_give_a_finite_value_or_a_reason() {
    let shapes: [(&str, Entry); 6] = [
        ("constant", |_, _| 3.0),
        ("one constant column", |row, column| if column == 0 { 2.0 } else { number(row, column) }),
        ("equal columns", |row, _| number(row, 1)),
        ("enormous", |row, column| 1e30 * number(row, column)),
        ("tiny", |row, column| 1e-30 * number(row, column)),
        ("zero rows", |row, column| if row < 25 { 0.0 } else { number(row, column) }),
    ];
    for (what, entry) in shapes {
        for (dim, classes) in [(4, 3), (90, 4), (3, 1_000_000)] {
            let mut data = Data::new(50, 4, classes, 7, classes == 3);
            data.features = matrix(50, dim, entry);
            for name in ALL {
                let found = data.evaluate(name);
                let value = found.score.value;
                assert!(value.map_or(found.score.status != Status::Ok, f64::is_finite), "{name}, {what}: {found:?}");
                assert!(found.replicates.iter().all(|replicate| replicate.is_finite()), "{name}, {what}: {found:?}");
                assert!(found.score.parts.values().all(|part| part.is_finite()), "{name}, {what}: {found:?}");
            }
        }
    }
}

#[test]
fn a_hundred_thousand_classes_are_scored_or_refused_at_once() {
    let rows = 100_000;
    let names: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
    let mut data = Data::new(60, 4, 5, 7, false);
    data.features = matrix(rows, 2, number);
    data.targets = Targets::Classes(Classes::from_names(&names).unwrap());
    data.inputs.source_probabilities = Some(matrix(rows, 6, |row, column| f64::from(row % 6 == column)));
    for name in ["nleep", "pactran_gauss", "logistic"] {
        let found = data.evaluate(name).score;
        assert_eq!((found.value, found.status), (None, Status::TooLarge), "{name}");
    }
    for name in ["leep", "nce", "pactran_dirichlet", "pactran_gamma"] {
        assert!(data.evaluate(name).score.value.is_some(), "{name}");
    }
}

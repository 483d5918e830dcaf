//! The checks on evidence made by hand.

use super::*;
use crate::base::{Classes, Features, Targets, Values};
use crate::extract::anatomy::{Anatomy, Numbers, PickleFacts, Share, Signs, Vocabulary};
use crate::extract::behaviour::{Behaviour, Measured};
use crate::extract::onnx::Names;
use crate::score::{Evaluation, Score};
use crate::zoo::Papers;

fn names(list: &[&str]) -> Names {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn with_anatomy(anatomy: Anatomy) -> Evidence {
    Evidence { anatomy: Some(anatomy), ..Evidence::default() }
}

fn behaviour(repeated: f64, neighbours: f64) -> Behaviour {
    Behaviour {
        items: 8,
        synthetic: false,
        not_finite: vec![],
        repeated: Measured::Value(repeated),
        neighbours: Measured::Value(neighbours),
        padding: Measured::Impossible("pictures are not padded".to_owned()),
        largest: None,
        other: None,
    }
}

/// What one check says: its status, and the severities of its findings.
fn said(evidence: &Evidence, id: &str) -> (Status, Vec<Severity>) {
    let selection = Selection { only: vec![id.to_owned()], skip: vec![] };
    let checks = judge(evidence, Stage::Files..=Stage::Labels, &selection);
    (checks[0].status, checks[0].findings.iter().map(|finding| finding.severity).collect())
}

fn probe(value: f64) -> Probe {
    Probe(Evaluation { score: Score::of("ridge", value), replicates: vec![value, value + 0.001, value - 0.001] })
}

/// Four classes of ten rows each, features of which tell them apart.
fn sample() -> Sample {
    let labels: Vec<String> = (0..40).map(|row| format!("c{}", row % 4)).collect();
    let value = |row: usize, column: usize| ((row * 7 + column * 13) % 11) as f32 + (row % 4 * (column % 3)) as f32;
    let values = (0..40).flat_map(|row| (0..8).map(move |column| value(row, column))).collect();
    Sample {
        noun: "pictures",
        names: vec![],
        features: Features::new(8, Values::F32(values)),
        targets: Some(Targets::Classes(Classes::from_names(&labels).unwrap())),
        probe: Some(probe(0.8)),
        baselines: vec![],
        length: None,
        head: None,
        candidates: vec![],
        resized: vec![],
        is_of_size: false,
        rounded: vec![],
        poolings: vec![],
    }
}

fn with_sample(sample: Sample) -> Evidence {
    Evidence { sample: Some(sample), has_data: true, ..Evidence::default() }
}

#[test]
fn no_check_says_ok_of_what_was_not_measured() {
    let checks = judge(&Evidence::default(), Stage::Files..=Stage::Labels, &Selection::default());
    let ok: Vec<&str> = checks.iter().filter(|check| check.status == Status::Ok).map(|check| check.check).collect();
    assert_eq!(ok, [] as [&str; 0]);
    assert!(checks.iter().filter(|check| check.status == Status::NotRun).all(|check| check.reason.is_some()));
}

#[test]
fn every_check_has_a_name_of_its_own_and_a_section_of_the_page() {
    let page = include_str!("../../../../docs/vet.md");
    for (place, check) in CHECKS.iter().enumerate() {
        assert!(CHECKS[..place].iter().all(|other| other.id != check.id), "{}", check.id);
        assert!(page.contains(&format!("# `{}`", check.id)), "docs/vet.md has no section `{}`", check.id);
    }
}

#[test]
fn a_pickle_alone_is_fatal_and_one_beside_weights_is_a_note() {
    let pickles = vec![PickleFacts { file: "m.bin".into(), suspicious: names(&["os.system"]), unreadable: None }];
    let mut evidence = Evidence { pickles, ..Evidence::default() };
    evidence.papers = Some(Papers { pickles: vec!["m.bin".into()], ..Papers::default() });
    assert_eq!(said(&evidence, "unsafe-pickle"), (Status::Finding, vec![Severity::Fatal]));
    evidence.papers = evidence.papers.map(|papers| Papers { has_other_weights: true, ..papers });
    assert_eq!(said(&evidence, "unsafe-pickle"), (Status::Finding, vec![Severity::Info]));
}

#[test]
fn missing_misshapen_and_broken_weights_are_fatal_and_surplus_ones_are_not() {
    let broken = [
        (Anatomy { missing: names(&["w"]), ..Anatomy::default() }, "tensor-inventory"),
        (Anatomy { misfits: names(&["w"]), ..Anatomy::default() }, "tensor-inventory"),
        (
            Anatomy {
                numbers: Numbers { not_finite: names(&["w[3] is NaN"]), ..Numbers::default() },
                ..Anatomy::default()
            },
            "non-finite-weights",
        ),
    ];
    for (anatomy, id) in broken {
        assert_eq!(said(&with_anatomy(anatomy), id), (Status::Finding, vec![Severity::Fatal]));
    }
    let surplus = with_anatomy(Anatomy { unused: names(&["w"]), ..Anatomy::default() });
    assert_eq!(said(&surplus, "tensor-inventory"), (Status::Finding, vec![Severity::Info]));
}

#[test]
fn random_looking_matrices_alone_are_no_proof_that_nothing_was_trained() {
    let signs = |norms: [usize; 2], biases: [usize; 2], laws: [usize; 2], bulks: [usize; 2]| {
        let share = |[fresh, all]: [usize; 2]| Share { fresh, all };
        let freshness = Signs {
            norms: share(norms),
            biases: share(biases),
            laws: share(laws),
            bulks: share(bulks),
            fresh: Names::default(),
        };
        said(&with_anatomy(Anatomy { freshness, ..Anatomy::default() }), "untrained-weights")
    };
    assert_eq!(signs([0, 5], [0, 9], [9, 10], [2, 10]), (Status::Ok, vec![]));
    assert_eq!(signs([5, 5], [9, 9], [1, 10], [1, 10]), (Status::Ok, vec![]));
    assert_eq!(signs([5, 5], [0, 9], [9, 10], [2, 10]), (Status::Finding, vec![Severity::High]));
    assert_eq!(signs([0, 0], [0, 0], [0, 0], [0, 0]).0, Status::NotApplicable);
}

#[test]
fn ids_beyond_the_table_are_fatal_and_rows_beyond_the_ids_harmless() {
    let vocabulary = |rows: usize, largest: i64, beyond: usize| {
        let vocabulary = Vocabulary { rows: Some(rows), largest: Some(largest), beyond, ..Vocabulary::default() };
        said(&with_anatomy(Anatomy { vocabulary: Some(vocabulary), ..Anatomy::default() }), "token-id-range")
    };
    assert_eq!(vocabulary(100, 99, 0), (Status::Ok, vec![]));
    assert_eq!(vocabulary(100, 100, 1), (Status::Finding, vec![Severity::Fatal]));
    assert_eq!(vocabulary(104, 99, 0), (Status::Finding, vec![Severity::Info]));
}

#[test]
fn what_changes_by_itself_is_not_blamed_on_its_neighbours() {
    let run = |repeated, neighbours| {
        let evidence = Evidence { behaviour: Some(behaviour(repeated, neighbours)), ..Evidence::default() };
        (said(&evidence, "nondeterminism").1, said(&evidence, "batch-dependence").1)
    };
    assert_eq!(run(0.0, 1e-5), (vec![], vec![]));
    assert_eq!(run(0.0, 0.1), (vec![], vec![Severity::High]));
    assert_eq!(run(0.1, 0.2), (vec![Severity::High], vec![]));
}

#[test]
fn degenerate_features_are_told_apart() {
    let of = |values: Vec<f32>| Sample { features: Features::new(8, Values::F32(values)), ..sample() };
    let sound: Vec<f32> = (0..320).map(|place| ((place * place * 31 + place * 7) % 97) as f32).collect();
    let with = |change: &dyn Fn(usize, f32) -> f32| {
        with_sample(of(sound.iter().enumerate().map(|(place, &value)| change(place, value)).collect()))
    };
    let still = with(&|_, _| 0.3);
    assert_eq!(said(&still, "constant-features").1, [Severity::Fatal]);
    let one = with(&|place, _| (place / 8) as f32);
    assert_eq!(said(&one, "rank-collapse").1, [Severity::High]);
    let half_dead = with(&|place, value| if place % 8 < 4 { 0.0 } else { value });
    assert_eq!(said(&half_dead, "dead-features").1, [Severity::Medium]);
    let one_sided = with(&|_, value| value + 500.0);
    assert_eq!(said(&one_sided, "anisotropy").1, [Severity::Low]);
    let dominated = with(&|place, value| if place % 8 == 2 { 1000.0 * value } else { value });
    assert_eq!(said(&dominated, "dominant-dimension").1, [Severity::Low]);
    for id in ["constant-features", "rank-collapse", "dead-features", "anisotropy", "dominant-dimension"] {
        assert_eq!(said(&with(&|_, value| value), id), (Status::Ok, vec![]), "{id}");
    }
}

#[test]
fn a_probe_must_be_above_the_best_baseline() {
    let with = |baseline: f64, rows: usize| {
        let baselines = vec![Baseline { name: "pixels".into(), probe: probe(baseline) }];
        let features = Features::new(1, Values::F32((0..rows).map(|row| row as f32).collect()));
        said(&with_sample(Sample { features, baselines, ..sample() }), "below-baseline").1
    };
    assert_eq!(with(0.5, 60), []);
    assert_eq!(with(0.8, 60), [Severity::High]);
    assert_eq!(with(0.8, 20), [Severity::Low], "of so few it is mostly chance");
}

/// A head that says class `order[c]` of a row of class c.
fn head(order: [usize; 4]) -> Head {
    let row = |row: usize| (0..4).map(move |class| if class == order[row % 4] { 0.7 } else { 0.1 });
    Head { classes: 4, probabilities: (0..40).flat_map(row).collect() }
}

#[test]
fn outputs_in_another_order_than_their_names_are_found_and_mended() {
    let named = |names: [&str; 4]| Some(Papers { classes: names.map(str::to_owned).to_vec(), ..Papers::default() });
    let evidence = |order: [usize; 4]| Evidence {
        papers: named(["c0", "c1", "c2", "c3"]),
        ..with_sample(Sample { head: Some(head(order)), ..sample() })
    };
    assert_eq!(said(&evidence([0, 1, 2, 3]), "label-permutation"), (Status::Ok, vec![]));
    let permuted = evidence([1, 0, 3, 2]);
    assert_eq!(said(&permuted, "label-permutation").1, [Severity::High]);
    assert_eq!(proposed_names(&permuted).unwrap(), ["c1", "c0", "c3", "c2"]);
    let others = Evidence { papers: named(["a", "b", "c", "d"]), ..evidence([0, 1, 2, 3]) };
    assert_eq!(said(&others, "label-permutation").0, Status::NotRun);
}

#[test]
fn what_an_earlier_finding_explains_is_its_consequence() {
    let finding = |check, severity| Finding::new(check, severity, "", "");
    let mut checks = vec![
        VettedCheck::of(&CHECKS[0], finding("train-mode-graph", Severity::High).into()),
        VettedCheck::of(&CHECKS[0], finding("batch-dependence", Severity::High).into()),
        VettedCheck::of(&CHECKS[0], finding("token-id-range", Severity::Fatal).into()),
    ];
    let found = findings(&mut checks);
    let order: Vec<&str> = found.iter().map(|finding| finding.check).collect();
    assert_eq!(order, ["token-id-range", "train-mode-graph", "batch-dependence"]);
    assert_eq!((found[2].severity, found[2].caused_by), (Severity::Medium, Some("train-mode-graph")));
}

#[test]
fn copies_across_splits_are_high_and_within_one_set_are_not() {
    let copies = |evaluation: Option<usize>, count: usize| {
        let exact = Copies { count, examples: vec![] };
        let splits = SplitFacts { evaluation, missing: vec![] };
        let compared_evaluation = evaluation.unwrap_or(0);
        let duplicates = Some(Duplicates { samples: 200, compared_evaluation, exact, splits, ..Duplicates::default() });
        said(&Evidence { duplicates, has_data: true, ..Evidence::default() }, "train-eval-duplicates").1
    };
    assert_eq!(copies(Some(100), 0), []);
    assert_eq!(copies(Some(100), 1), [Severity::Low]);
    assert_eq!(copies(Some(100), 5), [Severity::High]);
    assert_eq!(copies(None, 5), [Severity::Medium]);
}

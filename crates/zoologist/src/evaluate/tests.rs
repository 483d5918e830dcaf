//! The pipeline from results to figures, baselines and comparisons.

use super::{Findings, Kind, Row, findings};
use crate::base::Seed;
use crate::data::results::{OfDataset, OfModel, Results};
use crate::score::agreement::Draws;

type Cells<'a> = &'a [Option<f64>];

/// A table from accuracies and one score, data sets × models.
fn table(accuracies: &[impl AsRef<[Option<f64>]>], scores: &[impl AsRef<[Option<f64>]>]) -> Results {
    let model = |(model, (accuracy, score)): (usize, (&Option<f64>, &Option<f64>))| OfModel {
        model,
        accuracy: *accuracy,
        scores: vec![*score],
        size: None,
    };
    let dataset = |(place, (accuracies, scores)): (usize, (Cells, Cells))| OfDataset {
        name: format!("d{place}"),
        models: accuracies.iter().zip(scores).enumerate().map(model).collect(),
    };
    let columns = accuracies.iter().map(AsRef::as_ref).zip(scores.iter().map(AsRef::as_ref));
    Results {
        models: (0..accuracies[0].as_ref().len()).map(|model| format!("m{model}")).collect(),
        scores: vec!["score".to_owned()],
        size: None,
        datasets: columns.enumerate().map(dataset).collect(),
        notes: vec![],
    }
}

fn some<const N: usize>(values: [f64; N]) -> [Option<f64>; N] {
    values.map(Some)
}

fn run(results: &Results) -> Findings {
    findings(results, Draws { count: 300, seed: Seed(0) })
}

fn row(found: &Findings, kind: Kind) -> &Row {
    found.scores.iter().find(|row| row.kind == kind).unwrap()
}

#[test]
fn the_static_list_is_the_order_on_the_other_data_sets() {
    let accuracies = [some([0.1, 0.2, 0.3, 0.4]), some([0.4, 0.3, 0.2, 0.1]), some([0.4, 0.3, 0.2, 0.1])];
    let found = run(&table(&[&accuracies[0], &accuracies[1], &accuracies[2]], &[&some([1.0, 2.0, 3.0, 4.0]); 3]));
    let list = row(&found, Kind::Static);
    let taus: Vec<Option<f64>> = list.datasets.iter().map(|on| on.figures.kendall.value).collect();
    // The list for d1 is the tie of d0 and d2: all models are equal there.
    assert_eq!(taus, [Some(-1.0), None, None]);
    assert_eq!(list.datasets[1].reason.as_deref(), Some("the scores are all equal"));
    assert_eq!(list.datasets[1].figures.regret_top1.value, Some(0.4 - 0.25));
    let score = row(&found, Kind::Score);
    assert_eq!((score.beats_static_on, list.beats_static_on), (Some(1), None));
    let against = score.against_static.unwrap();
    assert_eq!((against.difference, against.of, against.better_on), (2.0, 1, 1));
}

#[test]
fn a_model_without_a_cell_is_left_out_for_that_data_set_and_named() {
    let accuracies = [Some(0.1), None, Some(0.3), Some(0.2)];
    let found = run(&table(&[&accuracies], &[&[Some(1.0), Some(9.0), Some(3.0), None]]));
    assert_eq!(found.scores[0].datasets[0].n, 2);
    assert_eq!(found.scores[0].mean.kendall.value, Some(1.0));
    assert_eq!(found.notes[0], "d0: 2 of 4 models left out: m1 (no accuracy), m3 (no score)");
    assert!(found.scores.iter().all(|row| row.kind != Kind::Static));
}

#[test]
fn too_few_models_and_absent_scores_are_null_with_a_reason() {
    let accuracies = some([0.1, 0.2, 0.4]);
    let one = [Some(0.5), None, None];
    let found = run(&table(&[&accuracies, &one, &accuracies], &[&some([1.0, 2.0, 3.0]), &[Some(1.0); 3], &[None; 3]]));
    let score = row(&found, Kind::Score);
    let reasons: Vec<Option<&str>> = score.datasets.iter().map(|on| on.reason.as_deref()).collect();
    assert_eq!(
        reasons,
        [None, Some("1 of the 2 models that it takes"), Some("the table has no value of this score here")]
    );
    assert_eq!(score.datasets[1].figures.regret_top1.value, None);
    assert_eq!(score.mean.weighted_kendall, score.datasets[0].figures.weighted_kendall);
    assert_eq!(row(&found, Kind::Static).datasets[2].figures.kendall.value, Some(1.0));
}

#[test]
fn nothing_to_compare_is_said_and_is_no_fault() {
    let found = run(&table(&[&[None, None]], &[&[None, None]]));
    assert_eq!(found.scores[0].mean.weighted_kendall.value, None);
    assert!(found.verdict.starts_with("No score has a correlation"));
}

#[test]
fn a_mean_is_that_of_its_data_sets_with_an_interval_around_it() {
    let accuracies = some([0.1, 0.2, 0.3, 0.4]);
    let scores = [some([1.0, 2.0, 3.0, 4.0]), some([1.0, 2.0, 4.0, 3.0]), some([2.0, 1.0, 3.0, 4.0])];
    let found = run(&table(&[&accuracies; 3], &[&scores[0], &scores[1], &scores[2]]));
    let mean = row(&found, Kind::Score).mean.kendall;
    assert!((mean.value.unwrap() - (1.0 + 4.0 / 6.0 + 4.0 / 6.0) / 3.0).abs() < 1e-15);
    let [low, high] = mean.interval.unwrap();
    assert!(low >= 2.0 / 3.0 - 1e-12 && low < mean.value.unwrap() && high <= 1.0);
    // Accuracies are alike everywhere: the list is perfect, and the score can't beat it.
    assert_eq!(row(&found, Kind::Static).mean.kendall.value, Some(1.0));
    assert_eq!(row(&found, Kind::Score).beats_static_on, Some(0));
    assert!(found.verdict.contains("the static list"), "{}", found.verdict);
}

#[test]
fn sizes_are_compared_only_where_every_model_has_one() {
    let accuracies = some([0.1, 0.2, 0.4]);
    let mut results = table(&[&accuracies; 2], &[&some([3.0, 2.0, 1.0]); 2]);
    results.size = Some("params".to_owned());
    for dataset in &mut results.datasets {
        dataset.models.iter_mut().for_each(|model| model.size = Some(model.model as f64));
    }
    results.datasets[1].models[0].size = None;
    let found = run(&results);
    let size = row(&found, Kind::Size);
    assert_eq!(size.datasets[1].reason.as_deref(), Some("1 of 3 models have no size"));
    let against = row(&found, Kind::Score).against_size.unwrap();
    assert_eq!((against.difference, against.probability), (-2.0, Some(0.0)));
    assert_eq!(against.interval, Some([-2.0, -2.0]));
}

#[test]
fn the_result_depends_on_the_seed_alone() {
    let accuracies = some([0.1, 0.5, 0.3, 0.4, 0.2]);
    let results = table(&[&accuracies; 3], &[&some([1.0, 2.0, 3.0, 4.0, 2.5]); 3]);
    let with = |seed, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| findings(&results, Draws { count: 100, seed: Seed(seed) }))
    };
    assert_eq!(with(1, 1), with(1, 3));
    assert_ne!(with(1, 1).scores, with(2, 1).scores);
}

#[test]
fn a_list_over_data_sets_of_different_sizes_weighs_them_alike() {
    // On d1 m0 is the worse of two, on d2 the best of four: stretched to four places, 3.5 and 1.
    let d1 = [Some(0.1), Some(0.2), None, None];
    let d2 = some([0.9, 0.6, 0.8, 0.7]);
    let d0 = some([0.1, 0.2, 0.3, 0.4]);
    let results = table(&[&d0, &d1, &d2], &[&some([1.0, 2.0, 3.0, 4.0]); 3]);
    let datasets = super::usable::datasets(&results, &mut vec![]);
    let list = super::baselines::static_list(&results, &datasets, 0).unwrap();
    assert_eq!(list, [-2.25, -2.75, -2.0, -3.0]);
}

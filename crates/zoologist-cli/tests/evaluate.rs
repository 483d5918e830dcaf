//! `evaluate`, from the outside.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::fs;

use common::Fixture;
use serde_json::Value;

const RESULTS: &str = "\
model,dataset,accuracy,logme,leep,params
a,pets,91.0,0.40,-1.3,11
b,pets,88.5,0.50,-1.1,25
c,pets,93.0,0.70,-0.9,44
d,pets,79.0,0.10,-1.2,3
a,cars,62.0,1.20,-3.3,11
b,cars,57.0,1.10,-3.1,25
c,cars,66.0,1.25,-2.9,44
d,cars,60.0,1.15,-3.2,3
a,food,80.0,0.90,-2.0,11
b,food,85.0,0.80,-2.1,25
c,food,84.0,0.95,-2.2,44
d,food,70.0,0.85,-2.3,3
";

/// The weighted Kendall and Pearson correlations of `logme` on each data set.
#[allow(clippy::unreadable_literal, reason = "as scipy prints them")]
const EXPECTED: [(usize, f64, f64); 3] = [
    (0, 0.7333333333333332, 0.9171937352508253),
    (1, 0.9999999999999998, 0.9917790736823155),
    (2, -0.06666666666666674, 0.13193464122795936),
];

fn fixture(text: &str) -> Fixture {
    let fixture = Fixture::empty();
    fs::write(fixture.path("results.csv"), text).unwrap();
    fixture
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn every_score_and_baseline_has_its_figures_in_the_agreed_form() {
    let found = fixture(RESULTS).run(&["evaluate", "results.csv", "--json"]).json(0);
    assert_eq!((&found["schema"], &found["models"], &found["draws"]), (&1.into(), &4.into(), &1000.into()));
    assert_eq!(found["datasets"], serde_json::json!(["pets", "cars", "food"]));
    let rows: Vec<(&str, &str)> = found["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, [("logme", "score"), ("leep", "score"), ("static", "static"), ("params", "size")]);
    let logme = &found["scores"][0];
    let [pets, cars, food] = [0, 1, 2].map(|place| &logme["datasets"][place]);
    // scipy.stats.weightedtau and pearsonr of the columns.
    for (on, tau, pearson) in EXPECTED.map(|(place, tau, pearson)| ([pets, cars, food][place], tau, pearson)) {
        assert!((number(&on["weighted_kendall"]["value"]) - tau).abs() < 1e-12, "{on}");
        assert!((number(&on["pearson"]["value"]) - pearson).abs() < 1e-12, "{on}");
        assert_eq!(on["n"], 4);
    }
    assert!((number(&food["regret_top1"]["value"]) - 0.01).abs() < 1e-12);
    assert_eq!(cars["regret_top3"]["value"], 0.0);
    let mean = &logme["mean"]["weighted_kendall"];
    assert!((number(&mean["value"]) - EXPECTED.iter().map(|(_, tau, _)| tau).sum::<f64>() / 3.0).abs() < 1e-12);
    assert!(number(&mean["interval"][0]) <= number(&mean["value"]));
    assert!(number(&mean["interval"][1]) >= number(&mean["value"]));
    assert!(logme["beats_static_on"].is_u64() && found["scores"][2]["beats_static_on"].is_null());
    assert!(found["notes"][0].as_str().unwrap().contains("truth accuracy, scores logme, leep, size params"));
}

#[test]
fn the_seed_and_the_draws_fix_the_document_whatever_the_threads() {
    let fixture = fixture(RESULTS);
    let run = |more: &[&str]| {
        let run = fixture.run(&[&["evaluate", "results.csv", "--json", "--draws", "50"], more].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        run.out
    };
    assert_eq!(run(&[]), run(&["--threads", "1"]));
    assert_ne!(run(&[]), run(&["--seed", "1"]));
}

#[test]
fn the_table_shows_the_baselines_and_a_verdict() {
    let run = fixture(RESULTS).run(&["evaluate", "results.csv"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for part in ["logme", "leep", "(static list)", "(size: params)", "Weighted Kendall", "The best score is", "1,000"] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    assert_eq!(run.err, "");
}

#[test]
fn two_published_tables_are_read_beside_each_other() {
    let fixture = fixture("model,pets,cars\na,0.4,1.2\nb,0.5,1.1\nc,0.7,-\n");
    fs::write(fixture.path("truth.csv"), "model,pets,cars\na,0.91,0.62\nb,0.885,0.57\nc,0.93,0.66\n").unwrap();
    let found = fixture.run(&["evaluate", "results.csv", "--truth", "truth.csv", "--json"]).json(0);
    assert_eq!((&found["scores"][0]["name"], &found["scores"][0]["datasets"][1]["n"]), (&"results".into(), &2.into()));
    assert!(
        found["notes"].as_array().unwrap().iter().any(|note| note == "cars: 1 of 3 models left out: c (no results)")
    );
    assert!(fixture.run(&["evaluate", "results.csv", "truth.csv"]).message(2).contains("--truth"));
}

#[test]
fn what_does_not_exist_is_null_and_one_data_set_has_no_static_list() {
    let found = fixture("model,accuracy,a\nx,0.5,1\ny,0.6,1\n").run(&["evaluate", "results.csv", "--json"]).json(0);
    let rows = found["scores"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows[0]["mean"]["weighted_kendall"]["value"].is_null() && rows[0]["beats_static_on"].is_null());
    assert_eq!(rows[0]["datasets"][0]["reason"], "the scores are all equal");
}

#[test]
fn bad_tables_and_requests_are_told_apart() {
    let fixture = fixture("model,accuracy,a\nx,0.5,1\nx,0.6,2\n");
    assert!(fixture.run(&["evaluate", "results.csv"]).message(3).contains("line 3"));
    assert!(fixture.run(&["evaluate", "results.csv", "--score", "b"]).message(2).contains("no column b"));
    fixture.run(&["evaluate", "missing.csv"]).message(3);
    assert_eq!(fixture.run(&["evaluate"]).code, 2);
    assert_eq!(fixture.run(&["evaluate", "results.csv", "--draws", "0"]).code, 2);
}

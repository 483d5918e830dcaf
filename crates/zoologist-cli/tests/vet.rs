//! `zoologist vet` from the outside: small models with one defect each. `make vet-planted` does the same with real ones.

#![allow(clippy::unwrap_used, reason = "a test that is not as expected fails")]

mod common;

use std::fs;

use common::onnx::{attribute, begin, network, node, number, of_open_batch, tensor};
use common::{Fixture, Run, model, without_timing};
use serde_json::Value;

const FLOAT: u64 = 1;

fn vet(fixture: &Fixture, name: &str, more: &[&str]) -> Run {
    let path = format!("zoo/{name}");
    fixture.run(&[&["vet", path.as_str(), "data", "--runtime", "rten", "--json"], more].concat())
}

/// The severity of a finding, `None` if there is no such.
fn severity<'a>(vetting: &'a Value, check: &str) -> Option<&'a str> {
    let findings = vetting["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["check"] == check)?["severity"].as_str()
}

/// The ids of what is called fatal or high.
fn grave(vetting: &Value) -> Vec<&str> {
    let findings = vetting["findings"].as_array().unwrap();
    let grave = findings.iter().filter(|finding| ["fatal", "high"].contains(&finding["severity"].as_str().unwrap()));
    grave.map(|finding| finding["check"].as_str().unwrap()).collect()
}

fn status<'a>(vetting: &'a Value, check: &str) -> &'a str {
    let checks = vetting["checks"].as_array().unwrap();
    checks.iter().find(|found| found["check"] == check).unwrap()["status"].as_str().unwrap()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A network whose features are `flat`, three numbers per picture, changed by these nodes.
fn changed(nodes: &[Vec<u8>], weights: &[Vec<u8>]) -> Vec<u8> {
    let all: Vec<Vec<u8>> = begin().into_iter().chain(nodes.iter().cloned()).collect();
    network(&all, weights)
}

fn of_all(values: [f32; 3]) -> Vec<u8> {
    tensor("w", &[1, 3], FLOAT, &floats(&values))
}

#[test]
fn a_sound_model_passes_and_says_what_could_not_be_checked() {
    let fixture = Fixture::new();
    let vetting = vet(&fixture, "classifier", &[]).json(0);
    assert_eq!((&vetting["schema"], &vetting["model"], &vetting["n"]), (&1.into(), &"classifier".into(), &60.into()));
    assert_eq!(grave(&vetting), [] as [&str; 0], "{vetting:#}");
    for check in ["tensor-inventory", "non-finite-weights", "batch-dependence", "constant-features", "nondeterminism"] {
        assert_eq!(status(&vetting, check), "ok", "{check}");
    }
    assert_eq!(status(&vetting, "padding-dependence"), "not-applicable");
    assert_eq!(status(&vetting, "label-permutation"), "not-run", "config.json names no classes");
    assert_eq!(severity(&vetting, "provenance"), Some("info"));
    let again = vet(&Fixture::new(), "classifier", &["--threads", "1"]).json(0);
    assert_eq!(without_timing(vetting).to_string(), without_timing(again).to_string());
}

#[test]
fn without_data_nothing_is_said_of_the_data() {
    let fixture = Fixture::new();
    let vetting = fixture.run(&["vet", "zoo/classifier", "--json", "--runtime", "rten"]).json(0);
    assert_eq!((status(&vetting, "batch-dependence"), status(&vetting, "below-baseline")), ("ok", "not-run"));
    let text = fixture.run(&["vet", "zoo/classifier", "--runtime", "rten"]);
    text.well();
    assert!(text.out.contains("no data set was given"), "{}", text.out);
}

#[test]
fn pictures_without_labels_are_vetted_as_far_as_that_goes() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("loose")).unwrap();
    for (number, file) in fs::read_dir(fixture.path("data/red")).unwrap().enumerate() {
        fs::copy(file.unwrap().path(), fixture.path("loose").join(format!("{number}.png"))).unwrap();
    }
    let vetting = fixture.run(&["vet", "zoo/classifier", "loose", "--json", "--runtime", "rten"]).json(0);
    assert_eq!((status(&vetting, "constant-features"), status(&vetting, "below-baseline")), ("ok", "not-run"));
}

#[test]
fn a_pickle_alone_is_refused_and_read_no_further_than_its_names() {
    let fixture = Fixture::new();
    let folder = fixture.path("zoo/pickled");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    fs::write(
        folder.join("pytorch_model.bin"),
        b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00exitq\x01\x85q\x02Rq\x03.",
    )
    .unwrap();
    let vetting = vet(&fixture, "pickled", &[]).json(3);
    assert_eq!((grave(&vetting), &vetting["refused"]), (vec!["unsafe-pickle"], &true.into()));
    assert!(vetting["findings"][0]["message"].as_str().unwrap().contains("posix.system"), "{vetting:#}");
    for check in ["batch-dependence", "non-finite-weights", "tensor-inventory"] {
        assert_eq!(status(&vetting, check), "not-run", "{check}");
    }
}

#[test]
fn weights_outside_the_folder_are_refused() {
    let fixture = Fixture::new();
    fs::write(fixture.path("secret"), [0; 12]).unwrap();
    for location in ["../../../secret", "/etc/passwd"] {
        fixture.network_of("zoo", "outside", &common::onnx::outside(location));
        assert_eq!(grave(&vet(&fixture, "outside", &[]).json(3)), ["external-data-path"], "{location}");
    }
}

#[test]
fn weights_that_are_missing_or_no_numbers_are_refused() {
    let fixture = Fixture::new();
    let add = node("Mul", &["flat", "w"], "features", &[]);
    fixture.network_of("zoo", "missing", &changed(std::slice::from_ref(&add), &[]));
    assert_eq!(grave(&vet(&fixture, "missing", &[]).json(3)), ["tensor-inventory"]);
    let product = node("Gemm", &["flat", "w"], "features", &[]);
    let values = floats(&[1.0, f32::NAN, 0.5, 0.1, 2.0, -1.0, 0.3, 0.7, 1.5]);
    let weights = [tensor("w", &[3, 3], FLOAT, &values)];
    fixture.network_of("zoo", "not_a_number", &changed(&[product], &weights));
    let vetting = vet(&fixture, "not_a_number", &[]).json(3);
    assert_eq!(grave(&vetting), ["non-finite-weights"]);
    assert!(vetting["findings"][0]["message"].as_str().unwrap().contains("w[1] is NaN"), "{vetting:#}");
}

/// A batch norm that uses its batch.
fn training() -> Vec<u8> {
    let parts = [
        tensor("s", &[3], FLOAT, &floats(&[1.0, 1.1, 0.9])),
        tensor("b", &[3], FLOAT, &floats(&[0.1, 0.2, 0.3])),
        tensor("m", &[3], FLOAT, &floats(&[0.0, 0.1, 0.2])),
        tensor("v", &[3], FLOAT, &floats(&[1.0, 1.2, 0.8])),
    ];
    let mode = attribute("training_mode", &[number(3, 1), number(20, 2)]);
    let norm = node("BatchNormalization", &["input", "s", "b", "m", "v"], "normal", &[mode]);
    let nodes =
        [norm, node("GlobalAveragePool", &["normal"], "pooled", &[]), node("Flatten", &["pooled"], "features", &[])];
    network(&nodes, &parts)
}

#[test]
fn a_graph_in_training_mode_is_found_without_running_it_and_mended() {
    let fixture = Fixture::new();
    fixture.network_of("zoo", "training", &training());
    let vetting = vet(&fixture, "training", &["--write-fixed", "mended"]).json(4);
    assert_eq!(grave(&vetting), ["train-mode-graph"], "{vetting:#}");
    let mended = fixture.run(&["vet", "mended", "data", "--json", "--runtime", "rten"]);
    let mended: Value = serde_json::from_str(&mended.out).unwrap();
    assert_eq!(status(&mended, "train-mode-graph"), "ok");
    assert_eq!(status(&mended, "nondeterminism"), "ok");
    let message =
        fixture.run(&["vet", "zoo/training", "data", "--runtime", "rten", "--write-fixed", "mended"]).message(2);
    assert!(message.contains("exists already"), "{message}");
}

#[test]
fn features_that_depend_on_neighbours_or_never_change_are_found() {
    let fixture = Fixture::new();
    let axes = attribute("axes", &[number(8, 0), number(20, 7)]);
    let nodes = [node("ReduceMean", &["flat"], "mean", &[axes]), node("Sub", &["flat", "mean"], "features", &[])];
    let all: Vec<Vec<u8>> = begin().into_iter().chain(nodes).collect();
    fixture.network_of("zoo", "centred", &of_open_batch(&all, &[]));
    assert_eq!(
        severity(&vet(&fixture, "centred", &["--skip", "constant-features"]).json(4), "batch-dependence"),
        Some("high")
    );
    fixture.network_of("zoo", "alone", &changed(&[node("Relu", &["flat"], "features", &[])], &[]));
    let alone: Value = serde_json::from_str(&vet(&fixture, "alone", &[]).out).unwrap();
    assert_eq!(status(&alone, "batch-dependence"), "not-applicable", "its batch is fixed to 1");
    let nodes = [node("Mul", &["flat", "zero"], "none", &[]), node("Add", &["none", "w"], "features", &[])];
    let weights = [tensor("zero", &[1, 3], FLOAT, &floats(&[0.0; 3])), of_all([0.5, 0.25, 1.0])];
    fixture.network_of("zoo", "still", &changed(&nodes, &weights));
    assert_eq!(grave(&vet(&fixture, "still", &[]).json(4)), ["constant-features"]);
}

#[test]
fn copies_in_both_folds_and_contradicting_labels_are_found() {
    let fixture = Fixture::new();
    for split in ["train", "test"] {
        fixture.pictures(&format!("folds/{split}"), &[("blue", [40, 60, 200]), ("red", [190, 50, 40])], 20);
    }
    let run = |data: &str| {
        let found = fixture.run(&["vet", "zoo/classifier", data, "--json", "--runtime", "rten"]);
        serde_json::from_str::<Value>(&found.out).unwrap_or_else(|_| panic!("{}", found.err))
    };
    assert_eq!(severity(&run("folds"), "train-eval-duplicates"), Some("high"));
    let copy = fixture.path("data/red/copy.png");
    fs::copy(fixture.path("data/blue/000.png"), copy).unwrap();
    assert_eq!(severity(&run("data"), "contradicting-labels"), Some("medium"));
}

#[test]
fn a_ranking_shows_remarks_and_leaves_out_what_fails_fatally() {
    let fixture = Fixture::new();
    let product = node("Gemm", &["flat", "w"], "features", &[]);
    let weights = [tensor("w", &[3, 3], FLOAT, &floats(&[f32::INFINITY, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]))];
    fixture.network_of("zoo", "infinite", &changed(&[product], &weights));
    let ranking = fixture.rank(&["--json"]).json(4);
    let found = model(&ranking, "infinite");
    assert_eq!((&found["status"], &found["rank"]), (&"failed".into(), &Value::Null));
    assert!(found["error"].as_str().unwrap().starts_with("non-finite-weights"), "{found:#}");
    assert_eq!(model(&ranking, "classifier")["status"], "ok");
}

#[test]
fn checks_can_be_chosen_and_listed() {
    let fixture = Fixture::new();
    let only = vet(&fixture, "classifier", &["--only", "provenance,dead-features"]).json(0);
    assert_eq!(only["checks"].as_array().unwrap().len(), 2);
    let skipped = vet(&fixture, "classifier", &["--skip", "provenance"]).json(0);
    assert_eq!(severity(&skipped, "provenance"), None);
    assert!(vet(&fixture, "classifier", &["--only", "provenanse"]).message(2).contains("no check `provenanse`"));
    assert_eq!(vet(&fixture, "classifier", &["--fail-on", "info"]).code, 4);
    let list = fixture.run(&["vet", "--list"]);
    list.well();
    assert_eq!(list.out.lines().count(), 2 * 37);
}

#[test]
fn the_report_is_one_page_that_names_what_was_found() {
    let fixture = Fixture::new();
    fixture.network_of("zoo", "training", &training());
    vet(&fixture, "training", &["--report", "page.html"]).json(4);
    let page = fs::read_to_string(fixture.path("page.html")).unwrap();
    assert!(page.contains("train-mode-graph") && page.contains("default-src 'none'"), "{page}");
}

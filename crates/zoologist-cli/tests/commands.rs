//! The commands beside `rank`, from the outside.

mod common;

use std::fs;

use common::{Fixture, without_timing};

/// The golden cases of the library.
fn golden(name: &str) -> String {
    format!("{}/../zoologist/tests/data/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn score_gives_every_metric_with_its_status() {
    let fixture = Fixture::new();
    let arguments = ["score", &golden("ordinary.features.npy"), &golden("ordinary.labels.npy"), "--json", "--interval"];
    let card = fixture.run(&arguments).json(0);
    assert_eq!(
        (&card["n"], &card["dim"], &card["classes"], &card["task"]),
        (&400.into(), &32.into(), &5.into(), &"classification".into())
    );
    let value = |metric: &str| {
        let scores = card["scores"].as_array().unwrap();
        scores.iter().find(|score| score["metric"] == metric).unwrap()["value"].as_f64().unwrap()
    };
    assert!((value("logme") - -0.342_462_542_105_795).abs() < 1e-9);
    assert!((value("knn") - 0.58).abs() < 1e-12 && (value("ridge") - 0.65).abs() < 1e-12);
    let again = fixture.run(&[&arguments[..], &["--threads", "1"]].concat()).json(0);
    assert_eq!(without_timing(card), without_timing(again));
}

#[test]
fn an_unbounded_evidence_is_a_null_with_a_status() {
    let fixture = Fixture::new();
    let case = "noiseless_regression";
    let (features, labels) = (golden(&format!("{case}.features.npy")), golden(&format!("{case}.labels.npy")));
    let card = fixture.run(&["score", &features, &labels, "--metrics", "logme", "--json"]).json(0);
    assert_eq!(
        (&card["scores"][0]["value"], &card["scores"][0]["status"]),
        (&serde_json::Value::Null, &"unbounded".into())
    );
}

#[test]
fn bad_features_and_labels_are_refused_with_a_reason() {
    let fixture = Fixture::new();
    let features = golden("ordinary.features.npy");
    let short = golden("wide.labels.npy");
    assert!(fixture.run(&["score", &features, &short]).message(3).contains("rows"));
    assert!(fixture.run(&["score", "missing.npy", &short]).message(3).contains("missing.npy"));
    fs::write(fixture.path("broken.npy"), b"\x93NUMPY\x01\x00\xff\xff{").unwrap();
    fixture.run(&["score", "broken.npy", &short]).message(3);
    assert!(fixture.run(&["score", &features, &short, "--metrics", "magic"]).message(2).contains("logme"));
}

#[test]
fn inspect_says_what_a_path_is() {
    let fixture = Fixture::new();
    let data = fixture.run(&["inspect", "data", "--json"]).json(0);
    assert_eq!((&data["kind"], &data["n"]), (&"dataset".into(), &60.into()));
    let zoo = fixture.run(&["inspect", "zoo", "--json"]).json(0);
    assert_eq!((&zoo["kind"], &zoo["models"]), (&"zoo".into(), &serde_json::json!(["classifier", "other"])));
    let model = fixture.run(&["inspect", "zoo/other", "--json", "--runtime", "rten"]).json(0);
    assert_eq!((&model["kind"], &model["dim"]), (&"model".into(), &12.into()));
    let features = fixture.run(&["inspect", &golden("wide.features.npy"), "--json"]).json(0);
    assert_eq!((&features["kind"], &features["n"], &features["dim"]), (&"features".into(), &60.into(), &128.into()));
    let labels = fixture.run(&["inspect", &golden("wide.labels.npy"), "--json"]).json(0);
    assert_eq!(labels["kind"], "labels");
    fixture.run(&["inspect", "missing"]).message(3);
    fs::write(fixture.path("zoo/other/onnx/model.onnx"), b"no model").unwrap();
    fixture.run(&["inspect", "zoo/other", "--runtime", "rten"]).message(3);
}

#[test]
fn extract_writes_one_row_per_readable_picture() {
    let fixture = Fixture::new();
    fs::write(fixture.path("data/red/zzz.png"), b"no picture").unwrap();
    let run = fixture.run(&["extract", "zoo/other", "data", "-o", "features.npy", "--runtime", "rten", "--json"]);
    let done = run.json(4);
    assert_eq!((done["rows"].as_array().unwrap().len(), &done["rows"][0]), (60, &"blue/000.png".into()));
    assert_eq!(done["skipped"][0]["path"], "red/zzz.png");
    let features = fixture.run(&["inspect", "features.npy", "--json"]).json(0);
    assert_eq!((&features["n"], &features["dim"]), (&60.into(), &12.into()));
}

#[test]
fn a_bare_onnx_file_is_refused_until_it_is_added_and_a_changed_one_afterwards() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("bare")).unwrap();
    fs::copy(common::data().join("models/classifier.onnx"), fixture.path("bare/mine.onnx")).unwrap();
    let rank = ["rank", "data", "--zoo", "bare", "--runtime", "rten", "--json"];
    let message = fixture.run(&rank).message(3);
    assert!(message.contains("zoologist zoo add") && message.contains("--preprocess"), "{message}");

    assert_eq!(fixture.run(&["zoo", "add", "bare/mine.onnx", "--preprocess", "half", "--size", "32"]).code, 0);
    assert!(fixture.path("bare/mine.toml").exists());
    assert!(!fixture.run(&rank).json(0)["models"][0]["dim"].is_null());
    assert_eq!(fixture.run(&["zoo", "verify", "bare"]).code, 0);
    assert!(fixture.run(&["zoo", "list", "bare"]).out.contains("mine"));

    let mut bytes = fs::read(fixture.path("bare/mine.onnx")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(fixture.path("bare/mine.onnx"), bytes).unwrap();
    assert!(fixture.run(&rank).message(3).contains("sha256"));
    assert_ne!(fixture.run(&["zoo", "verify", "bare"]).code, 0);
}

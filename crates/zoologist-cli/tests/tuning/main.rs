//! `tune` and `predict` from end to end: what is written, what reads it, what is refused, and what a kill leaves behind.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

#[path = "../common/mod.rs"]
mod common;
mod models;

use std::fs;
use std::process::Stdio;

use common::{Fixture, children, signal, wait_until, without_timing};
use serde_json::Value;

fn texts(fixture: &Fixture, count: usize) {
    models::texts(&fixture.path("texts.csv"), count);
}

fn value(tuned: &Value) -> f64 {
    tuned["judgement"]["value"].as_f64().unwrap()
}

/// The share of samples whose predicted label is the true one.
fn judged(fixture: &Fixture, model: &str, data: &str) -> f64 {
    fixture.run(&["predict", model, data, "--runtime", "rten", "--json"]).json(0)["judgement"]["value"]
        .as_f64()
        .unwrap()
}

#[test]
fn frozen_ways_write_a_graph_with_its_head_that_rank_layers_and_predict_read() {
    let fixture = Fixture::new();
    for how in ["probe", "head", "head2toe"] {
        let arguments = ["tune", "zoo/classifier", "data", "--how", how, "-o", how, "--runtime", "rten", "--json"];
        let tuned = fixture.run(&arguments).json(0);
        assert!(value(&tuned) >= 0.9, "{how}: {tuned:#}");
        assert_eq!([&tuned["data"]["learned"], &tuned["data"]["validation"], &tuned["data"]["judged"]], [38, 10, 12]);
        for file in ["config.json", "preprocessor_config.json", "README.md", "onnx/model.onnx"] {
            assert!(fixture.path(how).join(file).is_file(), "{how}: {file}");
        }
        assert!(judged(&fixture, how, "data") >= 0.9, "{how}");
    }
    let predicted = fixture.run(&["predict", "probe", "data", "--runtime", "rten", "--json"]).json(0);
    assert_eq!(predicted["names"], serde_json::json!(["blue", "green", "red"]));
    let outputs = predicted["predictions"][0]["outputs"].as_array().unwrap();
    assert!((outputs.iter().map(|it| it.as_f64().unwrap()).sum::<f64>() - 1.0).abs() < 1e-9);
    // The tuned graph gives the features of the one that it came from.
    let ranking =
        fixture.run(&["rank", "data", "--zoo", "probe", "--runtime", "rten", "--json", "--no-advice"]).json(0);
    let before =
        fixture.run(&["rank", "data", "--zoo", "zoo/classifier", "--runtime", "rten", "--json", "--no-advice"]).json(0);
    let score = |ranking: &Value| {
        ranking["models"].as_array().unwrap().iter().find(|it| it["baseline"] == false).unwrap()["score"].clone()
    };
    assert_eq!(score(&ranking), score(&before));
    fixture.run(&["layers", "head2toe", "data", "--runtime", "rten"]).well();
}

#[test]
fn a_text_encoder_is_trained_and_read_back_whatever_the_threads() {
    let fixture = Fixture::empty();
    models::bert(&fixture.path("bert"), 2);
    texts(&fixture, 80);
    let tune = |how: &str, output: &str, threads: &str, cache: &str| {
        let arguments =
            ["tune", "bert", "texts.csv", "--how", how, "-o", output, "--steps", "30", "--learning-rate", "1e-3"];
        let mut command = fixture.command(&[&arguments[..], &["--threads", threads, "--json"]].concat());
        let run = common::Run::of(command.env("ZOOLOGIST_CACHE", fixture.path(cache)).output().unwrap());
        without_timing(run.json(0))
    };
    let mut one = tune("full", "one", "1", "first");
    let mut two = tune("full", "two", "2", "second");
    assert!(value(&one) >= 0.9, "{one:#}");
    let read = |name: &str| fs::read(fixture.path(name).join("model.safetensors")).unwrap();
    assert!(read("one") == read("two"), "the weights depend on the number of threads");
    (one["output"], two["output"]) = (Value::Null, Value::Null);
    assert_eq!(one, two);
    // A second time from the store.
    tune("full", "three", "2", "first");
    assert!(read("one") == read("three"));
    assert!(judged(&fixture, "one", "texts.csv") >= 0.9);
    fixture.run(&["layers", "one", "texts.csv"]).well();
    let ranking = fixture.run(&["rank", "texts.csv", "--zoo", "one", "--json"]).json(0);
    assert!(ranking["usage"]["rules"].as_array().unwrap().len() == 6, "{ranking:#}");
    for how in ["probe", "lp-ft", "top:1", "scratch"] {
        let tuned = tune(how, how, "2", "first");
        assert!(value(&tuned) > 0.4 && fixture.path(how).join("model.safetensors").is_file(), "{how}");
        assert!((judged(&fixture, how, "texts.csv") - value(&tuned)).abs() <= 0.6);
    }
    // Only the last layer and the head learned.
    let top =
        fixture.run(&["tune", "bert", "texts.csv", "--how", "top:1", "--measure", "--steps", "30", "--json"]).json(0);
    assert_eq!(top["details"]["training"]["changed_tensors"], 18);
}

#[test]
fn a_network_for_pictures_is_trained_with_frozen_and_with_training_batch_norms() {
    let fixture = Fixture::new();
    models::mobilenet(&fixture.path("mobile"));
    for norms in ["frozen", "training"] {
        let arguments = ["tune", "mobile", "data", "--how", "full", "-o", norms, "--steps", "60", "--batch", "12"];
        let more = ["--batch-norms", norms, "--optimizer", "adamw", "--learning-rate", "2e-3", "--json"];
        let tuned = fixture.run(&[&arguments[..], &more].concat()).json(0);
        let curve = tuned["details"]["training"]["curve"].as_array().unwrap();
        let loss = |place: usize| curve[place]["training_loss"].as_f64().unwrap();
        assert!(loss(curve.len() - 1) < 0.8 * loss(1), "{norms}: {tuned:#}");
        // Running statistics of so few pictures lag behind: only with frozen ones it must be good on others.
        assert!(norms == "training" || value(&tuned) >= 0.6, "{norms}: {tuned:#}");
        // Running statistics change in training alone: two of each of 52 norms.
        let changed = tuned["details"]["training"]["changed_tensors"].as_u64().unwrap();
        assert_eq!(changed, if norms == "frozen" { 158 } else { 262 }, "{norms}");
        assert!(judged(&fixture, norms, "data") >= 0.3, "{norms}");
    }
    fixture.run(&["layers", "frozen", "--list"]).well();
    fixture.run(&["rank", "data", "--zoo", "training"]).well();
}

#[test]
fn a_training_that_was_killed_goes_on_to_the_same_bytes() {
    let fixture = Fixture::empty();
    models::bert(&fixture.path("bert"), 2);
    texts(&fixture, 400);
    let arguments =
        |output| ["tune", "bert", "texts.csv", "--how", "full", "-o", output, "--steps", "3000", "--patience", "1000"];
    fixture.command(&arguments("whole")).env("ZOOLOGIST_CACHE", fixture.path("other")).output().unwrap();
    let checkpoint = || {
        let jobs = fs::read_dir(fixture.path("cache/v1/jobs")).into_iter().flatten().flatten();
        jobs.map(|job| job.path().join("checkpoint.safetensors")).any(|path| path.is_file())
    };
    let mut killed = 0;
    while !fixture.path("parts").exists() {
        let mut command = fixture.command(&arguments("parts"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if killed < 3 {
            wait_until("there is no checkpoint", || checkpoint() || child.try_wait().unwrap().is_some());
            let below = children(child.id());
            signal("KILL", &[vec![child.id()], below].concat());
            child.wait().unwrap();
            assert!(!fixture.path("parts").exists());
            killed += 1;
        } else {
            assert!(child.wait().unwrap().success());
        }
    }
    let read = |name: &str| fs::read(fixture.path(name).join("model.safetensors")).unwrap();
    assert!(read("whole") == read("parts"));
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let fixture = Fixture::new();
    models::bert(&fixture.path("bert"), 2);
    texts(&fixture, 80);
    let message = |arguments: &[&str], code| fixture.run(arguments).message(code);
    let found = message(&["tune", "zoo/classifier", "data", "--how", "full", "-o", "out"], 3);
    assert!(found.contains("can't be trained here") && found.contains("model.safetensors"), "{found}");
    let found = message(&["tune", "bert", "data", "--how", "full", "-o", "out"], 3);
    assert!(found.contains("it takes texts"), "{found}");
    let found = message(&["tune", "bert", "texts.csv", "--how", "head2toe", "-o", "out"], 3);
    assert!(found.contains("export the model to ONNX first"), "{found}");
    let found = message(&["tune", "bert", "texts.csv", "--how", "btune", "-o", "out"], 3);
    assert!(found.contains("--teachers"), "{found}");
    let diverging =
        ["tune", "bert", "texts.csv", "--how", "full", "-o", "out", "--learning-rate", "1e12", "--optimizer", "sgd"];
    let found = message(&diverging, 3);
    assert!(found.contains("diverged at step") && found.contains("--learning-rate"), "{found}");
    fs::create_dir(fixture.path("out")).unwrap();
    let found = message(&["tune", "bert", "texts.csv", "--how", "probe", "-o", "out"], 2);
    assert!(found.contains("exists already"), "{found}");
    let found = message(&["predict", "bert", "texts.csv"], 3);
    assert!(found.contains("tune it first"), "{found}");
    assert_eq!(fixture.run(&["tune", "bert", "texts.csv", "--how", "sideways", "-o", "x"]).code, 2);
    assert!(fs::read_dir(fixture.path("out")).unwrap().next().is_none());
}

#[test]
fn a_picture_that_cannot_be_read_is_left_out_by_name() {
    let fixture = Fixture::new();
    fs::write(fixture.path("data/red/broken.png"), "no picture").unwrap();
    models::mobilenet(&fixture.path("mobile"));
    for (model, how) in [("zoo/classifier", "probe"), ("mobile", "full")] {
        let run = fixture.run(&[
            "tune",
            model,
            "data",
            "--how",
            how,
            "--measure",
            "--steps",
            "2",
            "--json",
            "--runtime",
            "rten",
        ]);
        let tuned = run.json(4);
        assert!(tuned["skipped"][0]["path"].as_str().unwrap().contains("broken.png"), "{tuned:#}");
    }
}

#[test]
fn teachers_are_ranked_and_learned_from() {
    let fixture = Fixture::empty();
    models::bert(&fixture.path("zoo/bert"), 2);
    texts(&fixture, 80);
    let arguments = [
        "tune",
        "zoo/bert",
        "texts.csv",
        "--how",
        "btune",
        "--teachers",
        "zoo",
        "--measure",
        "--steps",
        "10",
        "--json",
    ];
    let tuned = fixture.run(&arguments).json(0);
    assert_eq!(tuned["details"]["teachers"], serde_json::json!([["bert", 1.0]]));
    let plain = fixture
        .run(&["tune", "zoo/bert", "texts.csv", "--how", "full", "--measure", "--steps", "10", "--json"])
        .json(0);
    assert_ne!(tuned["details"]["training"]["curve"], plain["details"]["training"]["curve"]);
}

#[test]
fn brute_force_is_set_against_selection() {
    let fixture = Fixture::new();
    models::mobilenet(&fixture.path("zoo/mobile"));
    let ranking = fixture.rank(&["--truth", "full", "--steps", "4", "--json"]).json(0);
    let truth = &ranking["truth"];
    assert_eq!(truth["models"].as_array().unwrap().len(), 1, "{truth:#}");
    assert_eq!(truth["not_covered"].as_array().unwrap().len(), 2, "{truth:#}");
    assert!(truth["timing"]["ratio"].as_f64().is_some());
    let ranking = fixture.rank(&["--truth", "head", "--json"]).json(0);
    assert_eq!(ranking["truth"]["models"].as_array().unwrap().len(), 3);
    assert!(ranking["truth"]["agreement"].as_array().unwrap().iter().any(|it| it["metric"] == "multiply_adds"));
    assert_eq!(ranking["truth"]["n"], 12);
}

//! `layers --finetune` from end to end: rows, controls, what a kill leaves behind, what is refused.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

#[path = "common/mod.rs"]
mod common;
#[path = "tuning/models.rs"]
mod models;

use std::fs;
use std::time::Instant;

use common::{Fixture, without_timing};
use serde_json::Value;

/// An encoder of three layers and some texts.
fn setting(rows: usize) -> Fixture {
    let fixture = Fixture::empty();
    models::bert(&fixture.path("bert"), 3);
    models::texts(&fixture.path("texts.csv"), rows);
    fixture
}

const SHORT: [&str; 9] =
    ["layers", "bert", "texts.csv", "--finetune", "--steps", "6", "--learning-rate", "1e-3", "--json"];

fn rows<'a>(study: &'a Value, kind: &str) -> Vec<&'a Value> {
    study["studies"]["rows"].as_array().unwrap().iter().filter(|row| row["study"] == kind).collect()
}

#[test]
fn every_study_has_its_rows_its_controls_and_its_proofs() {
    let fixture = setting(80);
    let more =
        ["--study", "progressive,localised,order", "--mode", "normal,drop,paper-code", "--seeds", "2", "--window", "1"];
    let report = ["--sizes", "20,50", "--report", "layers.html"];
    let study = fixture.run(&[&SHORT[..], &more, &report].concat()).json(0);
    let found = &study["studies"];
    assert_eq!(found["sizes"], serde_json::json!([20, 50]));
    assert_eq!(found["blocks"].as_array().unwrap().len(), 3);
    // Depths 0, 1, 2 in three modes at two sizes; windows of 1, both ways, in three modes at the larger one.
    assert_eq!((rows(&study, "unchanged").len(), rows(&study, "progressive").len()), (2, 18));
    assert_eq!(rows(&study, "localised").len(), 18);
    // Shuffles may come out as they were; two exchanges of neighbours.
    let orders = rows(&study, "order");
    assert_eq!(orders.iter().filter(|row| row["name"].as_str().unwrap().starts_with("swap")).count(), 2);
    let controls: Vec<&str> = rows(&study, "control").iter().map(|row| row["name"].as_str().unwrap()).collect();
    let wanted = ["everything anew", "shuffled labels", "no network", "everything anew", "no network"];
    assert_eq!(controls, wanted);
    let proof = |row: &Value, part: &str| row["proof"][part].as_u64().unwrap();
    for row in rows(&study, "progressive") {
        let changed = row["changed"].as_array().unwrap().len() as u64;
        let renewed = match row["mode"].as_str().unwrap() {
            "normal" => 16 * changed,
            // Six biases of a layer stay.
            "paper-code" => 10 * changed,
            _ => 0,
        };
        assert_eq!(proof(row, "renewed"), renewed, "{row:#}");
        assert_eq!(row["values"].as_array().unwrap().len(), 2);
        assert!(row["interval"].is_array() && row["difference"].is_number(), "{row:#}");
    }
    let batches = |row: &Value| row["proof"]["batches"].as_str().unwrap().to_owned();
    let trained: Vec<&Value> =
        found["rows"].as_array().unwrap().iter().filter(|row| row["proof"].is_object()).collect();
    for row in &trained {
        let same = trained.iter().filter(|other| other["n"] == row["n"]);
        assert!(same.clone().count() > 10 && same.clone().all(|other| batches(other) == batches(row)));
    }
    let share = |kept: u64| {
        let dropped = rows(&study, "progressive").into_iter().find(|row| row["kept"] == kept && row["mode"] == "drop");
        dropped.unwrap()["cost_share"].as_f64().unwrap()
    };
    assert!(share(1) < share(2) && share(2) < 1.0);
    assert!(
        !found["contrasts"].as_array().unwrap().is_empty() && found["agreement"]["kept"].as_array().unwrap().len() == 4
    );
    let page = fs::read_to_string(fixture.path("layers.html")).unwrap();
    assert!(
        page.contains("Which layers this task needs")
            && page.contains("blocks kept")
            && !page.contains("http:")
            && !page.contains("https:")
    );
    let run = fixture.run(&[&SHORT[..8], &more, &report[..2]].concat());
    assert!(run.code == 0 && run.out.contains("everything anew") && run.out.contains("paper-code"), "{}", run.out);
}

#[test]
fn a_study_that_was_killed_again_and_again_ends_with_the_same_json() {
    let fixture = setting(60);
    let arguments = [&SHORT[..], &["--seeds", "2", "--sizes", "30", "--mode", "normal,drop"]].concat();
    let mut whole = fixture.command(&arguments);
    let whole = common::Run::of(whole.env("ZOOLOGIST_CACHE", fixture.path("other")).output().unwrap()).json(0);
    for wait in [150, 300, 600, 900, 1200] {
        fixture.kill_after(&arguments, wait);
    }
    let found = fixture.run(&arguments).json(0);
    assert_eq!(without_timing(found), without_timing(whole));
}

#[test]
fn networks_for_pictures_are_studied_by_block() {
    let fixture = Fixture::new();
    models::mobilenet(&fixture.path("mobile"));
    let arguments =
        ["layers", "mobile", "data", "--finetune", "--steps", "2", "--seeds", "2", "--sizes", "24", "--json"];
    let more = ["--keep", "5,12", "--mode", "normal,drop", "--study", "progressive,order"];
    let study = fixture.run(&[&arguments[..], &more].concat()).json(0);
    assert_eq!(rows(&study, "progressive").len(), 4);
    let renewed = |row: &&Value| row["proof"]["renewed"].as_u64().unwrap();
    // Five tensors of each convolution and its norm: 12 blocks of three, and what follows them.
    let normal =
        rows(&study, "progressive").into_iter().find(|row| row["kept"] == 5 && row["mode"] == "normal").unwrap();
    assert_eq!(renewed(&normal), 5 * (12 * 3 + 1));
    assert!(rows(&study, "order").iter().any(|row| row["name"] == "swap blocks.2.1 and blocks.2.2"), "{study:#}");
    let frozen = ["--keep", "5", "--freeze-kept"];
    let study = fixture.run(&[&arguments[..], &frozen].concat()).json(0);
    assert_eq!(study["studies"]["training"]["freezes_kept"], true);
    let kept = rows(&study, "progressive")[0];
    // The stem, and five blocks, of which the first has two convolutions.
    assert!(kept["proof"]["frozen"].as_u64().unwrap() >= 5 * (1 + 2 + 4 * 3), "{kept:#}");
}

#[test]
fn a_budget_is_kept_and_what_it_cost_is_named() {
    let fixture = setting(80);
    let begun = Instant::now();
    let more = ["--study", "progressive,localised,order", "--seeds", "9", "--budget", "25s"];
    let study = fixture.run(&[&SHORT[..], &more].concat()).json(0);
    assert!(begun.elapsed().as_secs() < 40, "{:?}", begun.elapsed());
    assert!(!study["studies"]["gave_up"].as_array().unwrap().is_empty(), "{study:#}");
    let found = fixture.run(&[&SHORT[..], &["--budget", "1s"]].concat()).message(5);
    assert!(found.contains("the least that was asked for would take"), "{found}");
}

#[test]
fn the_smallest_depth_is_found_by_halving() {
    let fixture = setting(60);
    let more = ["--keep", "bisect", "--seeds", "2", "--sizes", "30"];
    let study = fixture.run(&[&SHORT[..], &more].concat()).json(0);
    let depths: Vec<u64> = rows(&study, "progressive").iter().map(|row| row["kept"].as_u64().unwrap()).collect();
    assert!(depths.contains(&0) && depths.len() <= 3, "{depths:?}");
}

#[test]
fn what_cannot_be_studied_is_refused_with_the_reason() {
    let fixture = setting(40);
    let message = |arguments: &[&str], code| fixture.run(arguments).message(code);
    let found = message(&["layers", "bert", "texts.csv", "--steps", "5"], 2);
    assert!(found.contains("need --finetune"), "{found}");
    let found = message(&[&SHORT[..], &["--patience", "3"]].concat(), 2);
    assert!(found.contains("same number of steps"), "{found}");
    for wrong in [["--keep", "two"], ["--mode", "sideways"], ["--study", "all"], ["--budget", "10"]] {
        assert_eq!(fixture.run(&[&SHORT[..], &wrong].concat()).code, 2, "{wrong:?}");
    }
    let fixture = Fixture::new();
    let found = fixture.run(&["layers", "zoo/classifier", "data", "--finetune"]).message(3);
    assert!(found.contains("model.safetensors"), "{found}");
}

/// Features of a folder, as `extract` writes them: rows of numbers.
fn features(fixture: &Fixture, model: &str, data: &str) -> Vec<f32> {
    let file = format!("{}.npy", model.replace('/', "-"));
    fixture.run(&["extract", model, data, "-o", &file, "--runtime", "rten"]).well();
    let bytes = fs::read(fixture.path(&file)).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].chunks_exact(4).map(|it| f32::from_le_bytes(it.try_into().unwrap())).collect()
}

#[test]
fn a_shortened_model_is_written_as_weights_and_as_a_graph_that_agree() {
    let texts = setting(80);
    let pictures = Fixture::new();
    models::mobilenet(&pictures.path("mobile"));
    let cases =
        [(&texts, "bert", "texts.csv", "1", "normal,drop", "12"), (&pictures, "mobile", "data", "6", "drop", "24")];
    for (fixture, model, data, kept, mode, size) in cases {
        let arguments =
            ["layers", model, data, "--finetune", "--mode", mode, "--keep", kept, "--export", "short", "--json"];
        let more = ["--steps", "4", "--seeds", "1", "--sizes", size];
        let study = fixture.run(&[&arguments[..], &more].concat()).json(0);
        let export = &study["studies"]["export"];
        assert_eq!(export["kept"].to_string(), kept);
        assert!(export["value"].is_number(), "{export:#}");
        let files = export["files"].as_array().unwrap();
        for file in ["config.json", "model.safetensors", "onnx/model.onnx", "README.md"] {
            assert!(files.iter().any(|it| it == file), "{file}: {files:?}");
        }
        let graph = features(fixture, "short", data);
        fs::rename(fixture.path("short/onnx"), fixture.path("elsewhere")).unwrap();
        let weights = features(fixture, "short", data);
        fs::rename(fixture.path("elsewhere"), fixture.path("short/onnx")).unwrap();
        assert!(!graph.is_empty() && graph.len() == weights.len());
        let largest = weights.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for (a, b) in graph.iter().zip(&weights) {
            assert!((a - b).abs() <= 1e-4 * largest.max(1.0), "{model}: {a} {b}");
        }
        fixture.run(&["predict", "short", data, "--runtime", "rten"]).well();
        fixture.run(&["layers", "short", data, "--runtime", "rten"]).well();
        let ranking =
            fixture.run(&["rank", data, "--zoo", "short", "--runtime", "rten", "--no-advice", "--json"]).json(0);
        assert!(ranking["models"].as_array().unwrap().iter().any(|it| it["name"] == "short"), "{ranking:#}");
        let again = fixture.run(&[&arguments[..], &more].concat()).message(2);
        assert!(again.contains("exists already"), "{again}");
    }
    let found = texts.run(&[&SHORT[..], &["--export", "out"]].concat()).message(2);
    assert!(found.contains("--mode drop"), "{found}");
    let unwritable = ["--mode", "drop", "--export", "out", "--pooling", "words"];
    let found = texts.run(&[&SHORT[..], &unwritable].concat()).message(3);
    assert!(found.contains("can't write this family") && !texts.path("out").exists(), "{found}");
}

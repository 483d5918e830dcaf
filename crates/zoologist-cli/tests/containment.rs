//! No file outside the folder of a model or a data set is opened, and no file that is not a regular one.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::onnx::outside;
use common::{Fixture, Run};

fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn inspect(fixture: &Fixture, path: &str) -> Run {
    fixture.run(&["inspect", path, "--runtime", "rten"])
}

/// Weights that would be read if their place were allowed.
fn stolen(fixture: &Fixture) -> String {
    let path = fixture.path("stolen.data");
    fs::write(&path, [0; 12]).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn external_data_lies_beneath_the_model_or_is_not_read() {
    let fixture = Fixture::new();
    let absolute = stolen(&fixture);
    fixture.network_of("zoo", "good", &outside("model.data"));
    fs::write(fixture.path("zoo/good/onnx/model.data"), [0; 12]).unwrap();
    inspect(&fixture, "zoo/good").well();
    for location in ["../../../stolen.data", "./../../../stolen.data", &absolute, "/dev/zero", ""] {
        fixture.network_of("zoo", "bad", &outside(location));
        let message = inspect(&fixture, "zoo/bad").message(3);
        assert!(message.contains("not one of the model's own: refused"), "{location}: {message}");
    }
}

#[test]
fn links_of_a_model_that_lead_out_are_refused() {
    let fixture = Fixture::new();
    let stolen = stolen(&fixture);
    for (target, name) in [
        (stolen.as_str(), "onnx/model.data"),
        ("/dev/zero", "onnx/model.data"),
        (stolen.as_str(), "preprocessor_config.json"),
        ("/dev/zero", "preprocessor_config.json"),
        ("/dev/zero", "onnx/model.onnx"),
        ("/dev/zero", "config.json"),
        ("/dev/zero", "tokenizer.json"),
    ] {
        let fixture_of_one = Fixture::new();
        fixture_of_one.network_of("zoo", "bad", &outside("model.data"));
        fs::write(fixture_of_one.path("zoo/bad/onnx/model.data"), [0; 12]).unwrap();
        let path = fixture_of_one.path("zoo/bad").join(name);
        if name == "tokenizer.json" {
            fs::remove_file(fixture_of_one.path("zoo/bad/preprocessor_config.json")).unwrap();
        }
        let _ = fs::remove_file(&path);
        symlink(target, &path).unwrap();
        let message = inspect(&fixture_of_one, "zoo/bad").message(3);
        assert!(message.contains("leads out of the model's folder"), "{name} -> {target}: {message}");
    }
}

#[test]
fn pipes_are_refused_at_once() {
    let fixture = Fixture::new();
    fixture.network_of("zoo", "bad", &outside("model.data"));
    fs::write(fixture.path("zoo/bad/onnx/model.data"), [0; 12]).unwrap();
    for name in ["onnx/model.data", "preprocessor_config.json", "onnx/model.onnx"] {
        pipe(&fixture.path("zoo/bad").join(name));
        let message = inspect(&fixture, "zoo/bad").message(3);
        assert!(message.contains("is not a regular file"), "{name}: {message}");
    }
    for name in ["table.csv", "table.jsonl", "table.parquet", "features.npy", "features.npz", "labels.txt", "zoo.toml"]
    {
        pipe(&fixture.path(name));
        inspect(&fixture, name).message(3);
    }
    pipe(&fixture.path("data/labels.csv"));
    inspect(&fixture, "data").message(3);
}

/// A table of pictures beside a picture that lies outside its folder.
fn table(fixture: &Fixture, last: &str) {
    let mut lines = vec!["file_name,label".to_owned()];
    fs::create_dir_all(fixture.path("listed")).unwrap();
    for number in 0..6 {
        let class = ["red", "blue"][number % 2];
        lines.push(format!("p{number}.png,{class}"));
        let from = fixture.path(&format!("data/{class}/{number:03}.png"));
        fs::copy(from, fixture.path(&format!("listed/p{number}.png"))).unwrap();
    }
    lines.push(format!("{last},red\n"));
    fs::write(fixture.path("listed/table.csv"), lines.join("\n")).unwrap();
}

#[test]
fn a_path_column_can_not_name_what_lies_outside() {
    let fixture = Fixture::new();
    let absolute = fixture.path("data/red/000.png");
    for outside in ["../data/red/000.png", "p0.png/../../data/red/000.png", &absolute.to_string_lossy()] {
        table(&fixture, outside);
        let message = inspect(&fixture, "listed/table.csv").message(3);
        assert!(message.contains("is not a path beneath the folder of the table"), "{outside}: {message}");
    }
}

#[test]
fn a_picture_that_is_a_link_out_of_the_data_set_is_named_and_skipped() {
    let fixture = Fixture::new();
    table(&fixture, "link.png");
    symlink(fixture.path("data/red/000.png"), fixture.path("listed/link.png")).unwrap();
    symlink(fixture.path("listed/p0.png"), fixture.path("data/red/link.png")).unwrap();
    for (data, count) in [("listed/table.csv", 6), ("data", 60)] {
        let rank = ["rank", data, "--zoo", "zoo", "--runtime", "rten", "--json"];
        let ranking = fixture.run(&rank).json(4);
        assert_eq!(ranking["data"]["n"], count);
        assert!(ranking["skipped"].to_string().contains("leads out of the data set"), "{}", ranking["skipped"]);
    }
}

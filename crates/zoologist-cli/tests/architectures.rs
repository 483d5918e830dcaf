//! `search chain|cells DATA` from end to end: what is found, what it is compared with, what is written, what a kill leaves.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

#[path = "common/mod.rs"]
mod common;

use std::fs;

use common::{Fixture, without_timing};
use serde_json::Value;

const SHORT: [&str; 15] = [
    "search",
    "chain",
    "data",
    "--channels",
    "4",
    "--size",
    "8",
    "--steps",
    "40",
    "--batch",
    "8",
    "--training-steps",
    "12",
    "--quiet",
    "--json",
];

fn features(fixture: &Fixture, model: &str) -> Vec<f32> {
    let file = format!("{model}.npy");
    fixture.run(&["extract", model, "data", "-o", &file, "--runtime", "rten"]).well();
    let bytes = fs::read(fixture.path(&file)).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].chunks_exact(4).map(|it| f32::from_le_bytes(it.try_into().unwrap())).collect()
}

#[test]
fn a_search_is_compared_with_what_nobody_searched_for() {
    let fixture = Fixture::new();
    let more = [
        "--methods",
        "duel,random",
        "--seeds",
        "2",
        "--drawn",
        "4",
        "--trainings",
        "2",
        "--shuffle-labels",
        "--report",
        "search.html",
    ];
    let found = fixture.run(&[&SHORT[..], &more].concat()).json(0);
    let searches = found["searches"].as_array().unwrap();
    let named: Vec<&str> = searches.iter().map(|search| search["method"].as_str().unwrap()).collect();
    assert_eq!(named, ["duel:0.1", "duel:0.1", "random", "random"]);
    for search in searches {
        assert_eq!(search["found"]["operations"].as_array().unwrap().len(), 6);
        // 12 of 40 steps warm up; two evaluations after every ten that follow.
        assert_eq!(search["evaluations"], 4);
        // The correlation does not exist where all of these easy pictures are told apart.
        assert!(search["alone"].is_number() && search.get("kendall_interval").is_some(), "{search:#}");
    }
    assert!(searches[0]["distribution"].is_array() && searches[2]["distribution"].is_null());
    assert_eq!(found["control"].as_array().unwrap().len(), 2);
    let networks = found["networks"].as_array().unwrap();
    let roles = |role: &str| networks.iter().filter(|it| it["role"] == role).count();
    assert!(roles("largest") + roles("found") >= 2 && (2..=4).contains(&roles("drawn")), "{networks:#?}");
    assert!(networks.iter().all(|it| it["alone"]["values"].as_array().unwrap().len() == 2));
    let with = |method: &str, start: &str| -> &Value {
        let all = found["comparisons"].as_array().unwrap();
        let is = |it: &&Value| it["method"] == method && it["with"].as_str().unwrap().starts_with(start);
        all.iter().find(is).unwrap_or_else(|| panic!("{method} {start}: {all:#?}"))
    };
    for (method, start) in [
        ("duel:0.1", "the mean of the drawn"),
        ("duel:0.1", "the largest"),
        ("duel:0.1", "found by random"),
        ("random", "the mean"),
        ("shuffled labels", "the mean"),
    ] {
        let it = with(method, start);
        assert!(it["pairs"] == 2 && it["over"] == "searches" && it["interval"].is_array(), "{it:#}");
    }
    let page = fs::read_to_string(fixture.path("search.html")).unwrap();
    assert!(page.matches("<svg").count() >= 6 && page.contains("Trained alone") && !page.contains("https:"));
    let text = fixture.run(&[&SHORT[..14], &more].concat());
    assert!(text.code == 0 && text.out.contains("drawn: ") && text.out.contains("duel:0.1, seed 1"), "{}", text.out);
}

#[test]
fn a_search_that_was_killed_ends_with_the_same_json_whatever_the_threads() {
    let fixture = Fixture::new();
    let arguments = [&SHORT[..], &["--drawn", "2", "--threads", "1"]].concat();
    let mut whole = fixture.command(&[&SHORT[..], &["--drawn", "2", "--threads", "2"]].concat());
    let whole = common::Run::of(whole.env("ZOOLOGIST_CACHE", fixture.path("other")).output().unwrap()).json(0);
    for wait in [100, 200, 400, 700] {
        fixture.kill_after(&arguments, wait);
    }
    assert_eq!(without_timing(fixture.run(&arguments).json(0)), without_timing(whole));
}

#[test]
fn what_was_found_is_a_model_for_every_other_command() {
    for space in ["chain", "cells"] {
        let fixture = Fixture::new();
        let arguments = [&["search", space], &SHORT[2..], &["-o", "found"]].concat();
        let found = fixture.run(&arguments).json(0);
        for file in ["config.json", "model.safetensors", "onnx/model.onnx", "README.md", "preprocessor_config.json"] {
            assert!(found["files"].as_array().unwrap().iter().any(|it| it == file), "{file}: {}", found["files"]);
        }
        let graph = features(&fixture, "found");
        fs::rename(fixture.path("found/onnx"), fixture.path("elsewhere")).unwrap();
        let weights = features(&fixture, "found");
        fs::rename(fixture.path("elsewhere"), fixture.path("found/onnx")).unwrap();
        assert!(!graph.is_empty() && graph.len() == weights.len());
        let largest = weights.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let worst = graph.iter().zip(&weights).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst <= 1e-4 * largest, "{space}: {worst} of {largest}");
        fixture.run(&["predict", "found", "data", "--runtime", "rten"]).well();
        fixture.run(&["tune", "found", "data", "--how", "full", "--steps", "2", "--measure"]).well();
        let again = fixture.run(&arguments).message(2);
        assert!(again.contains("exists already"), "{again}");
    }
}

#[test]
fn a_budget_of_time_sets_the_steps_and_the_same_command_sets_the_same_ones() {
    let fixture = Fixture::new();
    let start = [&SHORT[..7], &["--batch", "8", "--drawn", "1"]].concat();
    let run = |more: &[&str]| fixture.run(&[&start[..], more].concat());
    let budget = ["--budget", "20s", "--quiet", "--json"];
    let first = run(&budget).json(0);
    let [steps, training] = ["steps", "training_steps"].map(|name| first[name].as_u64().unwrap());
    // Small networks: hundreds of steps a second.
    assert!(steps > 40 && steps.div_ceil(2) == training, "{steps} {training}");
    assert!(first["timing"]["seconds"].as_f64().unwrap() < 40.0, "{}", first["timing"]);
    assert_eq!(without_timing(run(&budget).json(0)), without_timing(first));
    assert!(run(&["--budget", "0.2s"]).message(5).contains("--drawn"));
    assert!(run(&["--budget", "20s", "--steps", "40"]).message(2).contains("leave these out"));
    for wrong in ["100", "10s,20s", "0m", "soon"] {
        assert_eq!(run(&["--budget", wrong]).code, 2, "{wrong}");
    }
    let table = ["search", "--table", "x.csv", "--choices", "a", "--search", "b", "--budget", "10s"];
    assert!(fixture.run(&table).message(2).contains("evaluations"));
    assert!(
        fixture.run(&["search", "recipe", "data", "--zoo", "zoo", "--budget", "10s"]).message(2).contains("--eval")
    );
}

#[test]
fn limits_are_kept() {
    let fixture = Fixture::new();
    let found = fixture.run(&[&SHORT[..], &["--drawn", "3"]].concat()).json(0);
    let cost = |it: &Value| it["architecture"]["multiply_adds"].as_f64().unwrap();
    let all: Vec<f64> = found["networks"].as_array().unwrap().iter().map(cost).collect();
    let (least, most) = all.iter().fold((f64::MAX, 0.0_f64), |(a, b), &cost| (a.min(cost), b.max(cost)));
    let limit = f64::midpoint(least, most).to_string();
    let found = fixture.run(&[&SHORT[..], &["--drawn", "3", "--max-madds", &limit]].concat()).json(0);
    assert!(found["networks"].as_array().unwrap().iter().all(|it| cost(it) <= limit.parse().unwrap()), "{found:#}");
    let message = fixture.run(&[&SHORT[..], &["--max-params", "10"]].concat()).message(3);
    assert!(message.contains("too narrow"), "{message}");
}

#[test]
fn what_cannot_be_searched_is_refused_with_the_reason() {
    let fixture = Fixture::new();
    fs::write(fixture.path("texts.csv"), "text,label\n".to_owned() + &"a b,x\nc d,y\n".repeat(30)).unwrap();
    let message = |arguments: &[&str], code| fixture.run(arguments).message(code);
    assert!(message(&["search", "chain", "texts.csv"], 3).contains("pictures"));
    assert!(message(&["search", "chain", "data", "--size", "30"], 2).contains("multiple of 4"));
    assert!(message(&["search", "chain", "data", "--methods", "halving"], 2).contains("several costs"));
    for wrong in [&["search"][..], &["search", "chain"], &["search", "tree", "data"], &["search", "--table", "x.csv"]] {
        assert_eq!(fixture.run(wrong).code, 2, "{wrong:?}");
    }
}

//! `zoologist score`, `stats` and `merge` from the outside.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]
#![allow(clippy::cast_possible_wrap, reason = "small numbers")]

mod common;

use std::fs;

use common::{Fixture, without_timing};
use serde_json::Value;

/// The bytes of a .npy file: version 1, C order.
fn npy(kind: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(|size| format!("{size},")).collect();
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", shape.concat());
    header.push_str(&" ".repeat(63 - (header.len() + 10) % 64));
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// Numbers between -1 and 1 that look random.
fn noise(place: usize) -> f64 {
    let mut state = (place as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Writes features.npy and labels.npy: rows about class means.
fn write(fixture: &Fixture, rows: usize, dim: usize, classes: usize, single: bool) {
    let value = |place: usize| noise(place) + 0.8 * noise(1_000_000_007 + place / dim % classes * dim + place % dim);
    let features: Vec<u8> = if single {
        (0..rows * dim).flat_map(|place| (value(place) as f32).to_le_bytes()).collect()
    } else {
        (0..rows * dim).flat_map(|place| value(place).to_le_bytes()).collect()
    };
    let labels: Vec<u8> = (0..rows).flat_map(|row| ((row % classes) as i64).to_le_bytes()).collect();
    let kind = if single { "<f4" } else { "<f8" };
    fs::write(fixture.path("features.npy"), npy(kind, &[rows, dim], &features)).unwrap();
    fs::write(fixture.path("labels.npy"), npy("<i8", &[rows], &labels)).unwrap();
}

fn score<'a>(card: &'a Value, metric: &str) -> &'a Value {
    card["scores"].as_array().unwrap().iter().find(|score| score["metric"] == metric).unwrap()
}

const FROM_STATISTICS: &str = "logme,hscore,hscore_regularized,lfc,logme_compat,logme_compat_icml,vci";

#[test]
fn any_division_over_workers_merged_in_any_order_gives_the_same_bytes() {
    for (rows, dim, single) in [(900, 12, false), (3000, 40, true)] {
        let fixture = Fixture::empty();
        write(&fixture, rows, dim, 5, single);
        let stats = |shard: &str, output: &str| {
            let arguments = ["stats", "features.npy", "labels.npy", "--null", "--shard", shard, "-o", output, "--json"];
            fixture.run(&arguments).json(0)
        };
        let rescored = |file: &str| {
            let arguments = ["score", file, "--metrics", FROM_STATISTICS, "--interval", "--null", "--json"];
            without_timing(fixture.run(&arguments).json(0)).to_string()
        };
        assert_eq!(stats("0/1", "whole")["n"], rows);
        let whole = rescored("whole");
        // Counted from 1 as well as from 0.
        for (place, shard) in ["1/3", "2/3", "3/3"].into_iter().enumerate() {
            stats(shard, &format!("part{place}"));
        }
        stats("0/7", "lone");
        fixture.run(&["merge", "part2", "part0", "part1", "-o", "joined", "--json"]).json(0);
        assert_eq!(rescored("joined"), whole);
        fixture.run(&["merge", "part1", "part2", "-o", "two"]).well();
        let two = fixture.run(&["inspect", "two", "--json"]).json(0);
        assert_eq!((&two["kind"], &two["n"]), (&"statistics".into(), &rows.into()));
        assert!(two["shards"].as_array().unwrap().len() < two["shard_count"].as_u64().unwrap() as usize);
        fixture.run(&["merge", "part0", "two", "-o", "again"]).well();
        assert_eq!(rescored("again"), whole);
        // The features themselves, in one go and on one thread.
        let arguments =
            ["score", "features.npy", "labels.npy", "--metrics", FROM_STATISTICS, "--interval", "--null", "--json"];
        for threads in ["1", "2"] {
            let direct = fixture.run(&[&arguments[..], &["--threads", threads]].concat()).json(0);
            assert_eq!(without_timing(direct).to_string(), whole, "{threads} threads");
        }
        assert!(fixture.run(&["score", "two"]).message(3).contains("lacks"));
        assert!(fixture.run(&["merge", "part0", "part0", "-o", "twice"]).message(3).contains("shard"));
        assert!(fixture.run(&["merge", "part0", "lone", "-o", "both"]).message(3).contains("shard"));
    }
}

#[test]
fn statistics_of_other_features_labels_or_seeds_are_not_merged() {
    let fixture = Fixture::empty();
    write(&fixture, 200, 6, 4, false);
    let stats = |shard: &str, output: &str, more: &[&str]| {
        let arguments = ["stats", "features.npy", "labels.npy", "--shard", shard, "-o", output, "--json"];
        fixture.run(&[&arguments[..], more].concat()).json(0);
    };
    stats("0/2", "first", &[]);
    stats("1/2", "seed", &["--seed", "3"]);
    assert!(fixture.run(&["merge", "first", "seed", "-o", "x"]).message(3).contains("seed"));
    write(&fixture, 200, 7, 4, false);
    stats("1/2", "wider", &[]);
    assert!(fixture.run(&["merge", "first", "wider", "-o", "x"]).message(3).contains("dimensions"));
    write(&fixture, 200, 6, 5, false);
    stats("1/2", "classes", &[]);
    assert!(fixture.run(&["merge", "first", "classes", "-o", "x"]).message(3).contains("classes"));
    assert!(fixture.run(&["merge", "first", "features.npy", "-o", "x"]).message(3).contains("features.npy"));
    let mut damaged = fs::read(fixture.path("first")).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(fixture.path("first"), damaged).unwrap();
    assert!(fixture.run(&["score", "first"]).message(3).contains("damaged"));
    assert!(!fixture.path("x").exists());
    assert_eq!(fixture.run(&["stats", "features.npy", "labels.npy", "--shard", "5/4", "-o", "x"]).code, 2);
}

#[test]
fn a_gain_a_null_and_an_interval_say_what_a_value_means() {
    let fixture = Fixture::empty();
    write(&fixture, 400, 8, 4, false);
    let all = ["score", "features.npy", "labels.npy", "--interval", "--null", "--json"];
    let card = fixture.run(&all).json(0);
    for found in card["scores"].as_array().unwrap() {
        assert_eq!(found["status"], "ok", "{found}");
        let null = &found["null"];
        assert_eq!(null["permutations"], 5, "{found}");
        // Energy does not look at the labels.
        if found["metric"] != "energy" {
            assert!(found["value"].as_f64() > null["mean"].as_f64(), "{found}");
        }
    }
    assert!(score(&card, "logme")["gain"].as_f64() > Some(0.1));
    for metric in ["logme", "hscore", "hscore_regularized", "lfc", "ridge", "knn"] {
        let found = score(&card, metric);
        assert_eq!(found["interval_status"], "ok", "{metric}");
        assert!(found["interval"][0].as_f64() < found["value"].as_f64(), "{metric}");
    }
    for metric in ["transrate", "gbc", "lda", "sfda", "energy", "parc"] {
        let found = score(&card, metric);
        assert_eq!((&found["interval"], &found["interval_status"]), (&Value::Null, &"not_applicable".into()));
        assert!(found["note"].as_str().unwrap().contains("no interval"), "{metric}");
    }
    let plain = fixture.run(&["score", "features.npy", "labels.npy", "--json"]).json(0);
    assert_eq!(score(&plain, "logme")["interval_status"], Value::Null);
    assert_eq!(score(&plain, "logme")["value"], score(&card, "logme")["value"]);
    let alone = fixture.run(&[&all[..], &["--threads", "1"]].concat()).json(0);
    assert_eq!(without_timing(alone).to_string(), without_timing(card).to_string(), "threads do not matter");
}

#[test]
fn a_score_that_does_not_apply_or_lacks_an_input_says_so_by_name() {
    let fixture = Fixture::empty();
    write(&fixture, 60, 5, 3, false);
    let targets: Vec<u8> = (0..120).flat_map(|place| (noise(place) + place as f64).to_le_bytes()).collect();
    fs::write(fixture.path("targets.npy"), npy("<f8", &[60, 2], &targets)).unwrap();
    let regression = fixture.run(&["score", "features.npy", "targets.npy", "--json"]).json(0);
    assert_eq!(regression["task"], "regression");
    for (metric, status) in [("logme", "ok"), ("ridge", "ok"), ("knn", "ok"), ("hscore", "not_applicable")] {
        assert_eq!(score(&regression, metric)["status"], status, "{metric}");
    }
    let named =
        fixture.run(&["score", "features.npy", "labels.npy", "--metrics", "leep,ped,emms,ncti", "--json"]).json(0);
    for metric in ["leep", "ped", "emms", "ncti"] {
        let found = score(&named, metric);
        assert_eq!((&found["status"], &found["value"]), (&"needs_input".into(), &Value::Null), "{metric}");
        assert!(found["note"].as_str().is_some_and(|note| !note.is_empty()));
    }
    let logits: Vec<u8> = (0..180).flat_map(|place| (3.0 * noise(place)).to_le_bytes()).collect();
    fs::write(fixture.path("logits.npy"), npy("<f8", &[60, 3], &logits)).unwrap();
    let with_source = ["score", "features.npy", "labels.npy", "--metrics", "leep,nce", "--source-probs", "logits.npy"];
    assert!(fixture.run(&with_source).message(3).contains("--source-logits"));
    let found = fixture.run(&[&with_source[..], &["--source-logits", "--json"]].concat()).json(0);
    assert!(score(&found, "leep")["value"].as_f64() < Some(0.0));
}

#[test]
fn awkward_features_and_labels_give_a_value_or_a_reason_for_every_score() {
    let (rows, dim) = (24, 6);
    let constant = |_: usize| 2.0;
    let zero_rows = |place: usize| if place / dim < 10 { 0.0 } else { noise(place) };
    let copied = |place: usize| noise(place / dim * dim + place % dim / 2);
    let huge = |place: usize| 1e30 * noise(place);
    let tiny = |place: usize| 1e-30 * noise(place);
    let features: [(&str, &dyn Fn(usize) -> f64); 6] = [
        ("plain", &noise),
        ("constant", &constant),
        ("zero rows", &zero_rows),
        ("copied", &copied),
        ("huge", &huge),
        ("tiny", &tiny),
    ];
    let labels: [(&str, &dyn Fn(usize) -> i64); 4] = [
        ("two classes", &|row| (row % 2) as i64),
        ("a class of one", &|row| i64::from(row == 5)),
        ("all different", &|row| row as i64),
        ("more classes than dimensions", &|row| (row % 11) as i64),
    ];
    let fixture = Fixture::empty();
    let everything = "logme,logme_compat,logme_compat_icml,hscore,hscore_regularized,transrate,transrate_unweighted,lfc,gbc,knn,\
                      ridge,logistic,lda,sfda,nleep,parc,ncti,energy,vci,pactran_gauss";
    for (what, value) in features {
        let bytes: Vec<u8> = (0..rows * dim).flat_map(|place| value(place).to_le_bytes()).collect();
        fs::write(fixture.path("features.npy"), npy("<f8", &[rows, dim], &bytes)).unwrap();
        for (whom, label) in labels {
            let bytes: Vec<u8> = (0..rows).flat_map(|row| label(row).to_le_bytes()).collect();
            fs::write(fixture.path("labels.npy"), npy("<i8", &[rows], &bytes)).unwrap();
            let card = fixture
                .run(&[
                    "score",
                    "features.npy",
                    "labels.npy",
                    "--metrics",
                    everything,
                    "--interval",
                    "--null",
                    "--json",
                ])
                .json(0);
            for found in card["scores"].as_array().unwrap() {
                let reason = found["status"] != "ok" || found["note"].is_string();
                assert!(found["value"].is_number() || reason, "{what}, {whom}: {found}");
            }
            assert_eq!(card["scores"].as_array().unwrap().len(), everything.split(',').count(), "{what}, {whom}");
        }
    }
    let nan: Vec<u8> =
        (0..rows * dim).flat_map(|place| (if place == 37 { f64::NAN } else { 1.0 }).to_le_bytes()).collect();
    fs::write(fixture.path("features.npy"), npy("<f8", &[rows, dim], &nan)).unwrap();
    for command in [vec!["score", "features.npy", "labels.npy"], vec!["stats", "features.npy", "labels.npy", "-o", "x"]]
    {
        assert!(fixture.run(&command).message(3).contains("row 6, column 1"));
    }
    let one: Vec<u8> = (0..rows).flat_map(|_| 7_i64.to_le_bytes()).collect();
    fs::write(fixture.path("labels.npy"), npy("<i8", &[rows], &one)).unwrap();
    assert!(fixture.run(&["score", "features.npy", "labels.npy"]).message(3).contains("all labels are equal"));
}

#[test]
fn statistics_of_a_hundred_thousand_classes_fit_and_their_interval_is_too_large() {
    let fixture = Fixture::empty();
    let (rows, dim, classes) = (200_000, 160, 100_000);
    let features: Vec<u8> = (0..rows * dim).flat_map(|place| (noise(place % 9973) as f32).to_le_bytes()).collect();
    let labels: Vec<u8> = (0..rows).flat_map(|row| ((row % classes) as i64).to_le_bytes()).collect();
    fs::write(fixture.path("features.npy"), npy("<f4", &[rows, dim], &features)).unwrap();
    fs::write(fixture.path("labels.npy"), npy("<i8", &[rows], &labels)).unwrap();
    let arguments =
        ["score", "features.npy", "labels.npy", "--metrics", "hscore_regularized,lfc", "--interval", "--json"];
    let card = fixture.run(&arguments).json(0);
    for metric in ["hscore_regularized", "lfc"] {
        let found = score(&card, metric);
        assert_eq!((&found["interval"], &found["interval_status"]), (&Value::Null, &"too_large".into()), "{found}");
        assert!(found["value"].is_number(), "{found}");
    }
}

//! The cache from the outside: `zoologist cache`, damage, limits, whose it is.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Fixture, Run, model, without_timing};

/// All files of the cache that hold something.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if fs::metadata(&path).unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Flips a bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_damaged_is_named_computed_again_and_changes_nothing() {
    let fixture = Fixture::new();
    let first = without_timing(fixture.rank(&["--json"]).json(0));
    let all = files(&fixture.path("cache"));
    all.iter().for_each(|path| flip(path));
    let found = fixture.run(&["cache", "verify", "--json"]).json(4);
    assert_eq!(found["faults"].as_array().unwrap().len(), all.len(), "{found:#}");
    let again = fixture.rank(&["--json"]);
    for words in ["the features file is damaged; it is computed again", "kept can't be used (the first is damaged)"] {
        assert!(again.err.contains(words), "{}", again.err);
    }
    assert_eq!(without_timing(again.json(0)).to_string(), first.to_string());
    fixture.run(&["cache", "verify"]).well();
    let features: Vec<&PathBuf> = all.iter().filter(|path| path.ends_with("features.safetensors")).collect();
    let bytes = fs::read(features[0]).unwrap();
    fs::write(features[0], &bytes[..bytes.len() / 2]).unwrap();
    let text = fixture.run(&["cache", "verify"]);
    assert_eq!(text.code, 4);
    assert!(text.out.contains("features.safetensors: the features file is damaged"), "{}", text.out);
    let third = fixture.rank(&["--json"]).json(0);
    let from_store = |ranking: &serde_json::Value| {
        let models = ranking["models"].as_array().unwrap();
        models.iter().filter(|model| model["timing"]["from_store"] == true).count()
    };
    assert_eq!(from_store(&third), third["models"].as_array().unwrap().len() - 1, "only the damaged one is computed");
    assert_eq!(fs::read(features[0]).unwrap(), bytes);
    all.iter().filter(|path| path.parent().unwrap().ends_with("results")).for_each(|path| flip(path));
    assert!(fixture.rank(&[]).err.contains("scores and timings that were kept can't be used"));
    let silent = fixture.rank(&[]);
    assert!(!silent.err.contains("damaged"), "it is said once: {}", silent.err);
    fixture.run(&["cache", "verify"]).well();
}

#[test]
fn the_cache_is_listed_and_cleaned() {
    let fixture = Fixture::new();
    let empty = fixture.run(&["cache", "ls"]);
    empty.well();
    assert!(empty.out.contains("total: 0 B") && !fixture.path("cache").exists(), "{}", empty.out);
    fixture.rank(&["--no-advice"]).well();
    let listed = fixture.run(&["cache", "ls", "--json"]).json(0);
    let jobs = listed["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 5);
    assert!(jobs.iter().all(|job| job["state"] == "sealed" && job["data"] == "data" && job["in_use"] == false));
    assert!(jobs.iter().any(|job| job["model"] == "classifier (permuted weights)"), "{listed:#}");
    let dry = fixture.run(&["cache", "gc", "--max-size", "0", "--dry-run", "--json"]).json(0);
    assert_eq!((&dry["bytes_before"], dry["removed"].as_array().unwrap().len()), (&listed["bytes"], 5));
    let gone = fixture.run(&["cache", "gc", "--max-size", "0 kB"]);
    gone.well();
    assert!(gone.out.contains("least recently used") && gone.out.contains("classifier on data"), "{}", gone.out);
    assert_eq!(fixture.run(&["cache", "ls", "--json"]).json(0)["bytes"], 0);
    fixture.run(&["cache", "gc", "--max-size", "much"]).message_of_parsing();
}

trait Parsing {
    fn message_of_parsing(&self);
}

impl Parsing for Run {
    fn message_of_parsing(&self) {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{}", self.err);
        assert!(self.err.contains("`much` is no size"), "{}", self.err);
    }
}

#[test]
fn a_limit_removes_what_earlier_rankings_used_and_nothing_of_this_one() {
    let fixture = Fixture::new();
    fixture.pictures("other data", &[("dark", [20, 20, 20]), ("light", [230, 230, 230])], 6);
    fixture.rank(&[]).well();
    let limited = |data: &str| {
        let mut command = fixture.command(&["rank", data, "--zoo", "zoo", "--runtime", "rten", "--json"]);
        Run::of(command.env("ZOOLOGIST_CACHE_MAX", "1kB").output().unwrap())
    };
    let run = limited("other data");
    assert!(run.err.contains("the cache is full (ZOOLOGIST_CACHE_MAX)"), "{}", run.err);
    assert_eq!(model(&run.json(0), "classifier")["status"], "ok");
    let jobs = fixture.run(&["cache", "ls", "--json"]).json(0);
    assert!(jobs["jobs"].as_array().unwrap().iter().all(|job| job["data"] == "other data"), "{jobs:#}");
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 5);
    let mut command = fixture.command(&["cache", "ls"]);
    let refused = Run::of(command.env("ZOOLOGIST_CACHE_MAX", "a lot").output().unwrap());
    assert!(refused.message(2).contains("ZOOLOGIST_CACHE_MAX: `a lot` is no size"));
}

#[test]
fn the_cache_is_private_and_another_users_is_refused() {
    let fixture = Fixture::new();
    fixture.rank(&[]).well();
    let mode = |name: &str| fs::metadata(fixture.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("cache"), mode("cache/v1"), mode("cache/v1/jobs")], [0o700; 3]);
    // Only the superuser can give a folder away.
    if std::os::unix::fs::chown(fixture.path("cache"), Some(4321), None).is_ok() {
        let message = fixture.rank(&[]).message(6);
        assert!(message.contains("cache belongs to another user (id 4321)"), "{message}");
        fixture.run(&["cache", "ls"]).message(6);
    }
}

//! A ranking that is killed comes to the same end when it is started again. `make soak SUITE=kill` does more of this.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Fixture, without_timing};

const KILLS: u32 = 10;
const RANK: [&str; 7] = ["rank", "data", "--zoo", "zoo", "--runtime", "rten", "--json"];

/// All files of features below a folder.
fn features(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(features(&path));
        } else if path.extension().is_some_and(|extension| extension == "safetensors" || extension == "blk") {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// Starts a ranking, and after some time kills it, with or without its worker.
fn killed(fixture: &Fixture, after: Duration, alone: bool) {
    let mut command = fixture.command(&RANK);
    let mut child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let whom = if alone { child.id().to_string() } else { format!("-{}", child.id()) };
    // It may have come to its end.
    let _ = Command::new("kill").args(["-KILL", "--", &whom]).stderr(Stdio::null()).status().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_ranking_that_is_killed_at_any_time_goes_on_and_comes_to_the_same_end() {
    let fixture = Fixture::new();
    let begun = Instant::now();
    let expected = without_timing(fixture.run(&RANK).json(0)).to_string();
    let whole = begun.elapsed();
    let undisturbed = features(&fixture.path("cache"));
    fs::remove_dir_all(fixture.path("cache")).unwrap();
    (1..=KILLS).for_each(|kill| killed(&fixture, whole * kill / KILLS, kill % 3 == 0));
    assert_eq!(without_timing(fixture.run(&RANK).json(0)).to_string(), expected);
    let found = features(&fixture.path("cache"));
    assert_eq!(found.keys().collect::<Vec<_>>(), undisturbed.keys().collect::<Vec<_>>());
    assert!(found == undisturbed, "other bytes");
    fixture.run(&["cache", "verify"]).well();
}

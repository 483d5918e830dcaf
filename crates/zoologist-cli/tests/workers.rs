//! What a model can do to its worker process, and what the user can: crashes, limits, interruptions.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::onnx::{looping, memory_eater, stack_overflow};
use common::{Fixture, Run, children, model, signal, wait_until, without_timing};

/// More rows than any machine can hold: 5 TB.
const IMPOSSIBLE: u64 = 400_000_000_000;
/// Rows of 1.2 GB in all.
const LARGE: u64 = 100_000_000;
/// Turns that do not end in anybody's lifetime.
const ENDLESS: u64 = 1 << 62;
/// Turns that take a few milliseconds.
const SLOW: u64 = 20_000;
/// Long enough for a good model on a busy machine.
const PATIENCE: &str = "4";

#[test]
fn a_model_that_crashes_hangs_or_eats_memory_fails_alone_and_says_why() {
    let fixture = Fixture::new();
    let alone = fixture.rank(&["--json"]).json(0);
    fixture.network_of("zoo", "a crash", &stack_overflow());
    fixture.network_of("zoo", "a hang", &looping(ENDLESS));
    fixture.network_of("zoo", "an eater", &memory_eater(IMPOSSIBLE));
    let ranking = fixture.rank(&["--json", "--timeout", PATIENCE]).json(4);
    let error = |name: &str| model(&ranking, name)["error"].as_str().unwrap().to_owned();
    assert!(error("a crash").contains("crashed (signal SIGABRT)"), "{}", error("a crash"));
    assert_eq!(error("a hang"), "took longer than 4 s for one step (--timeout sets the limit)");
    assert!(error("an eater").starts_with("used more than "), "{}", error("an eater"));
    for name in ["classifier", "other", "raw pixels", "classifier (permuted weights)"] {
        assert_eq!(
            without_timing(model(&alone, name)["scores"].clone()),
            without_timing(model(&ranking, name)["scores"].clone())
        );
    }
}

#[test]
fn skipped_failures_leave_the_exit_code_alone() {
    let fixture = Fixture::new();
    fixture.network_of("zoo", "an eater", &memory_eater(IMPOSSIBLE));
    let ranking = fixture.rank(&["--json", "--skip-bad"]).json(0);
    assert_eq!(model(&ranking, "an eater")["status"], "failed");
}

#[test]
fn a_limit_as_the_only_subject_ends_with_5_and_a_crash_with_3() {
    let fixture = Fixture::new();
    fixture.network_of("bad", "crash", &stack_overflow());
    fixture.network_of("bad", "hang", &looping(ENDLESS));
    fixture.network_of("bad", "eater", &memory_eater(LARGE));
    let inspect = |name: &str, more: &[&str]| {
        fixture.run(&[&["inspect", &format!("bad/{name}"), "--runtime", "rten"], more].concat())
    };
    assert!(inspect("crash", &[]).message(3).contains("crashed"));
    assert!(inspect("hang", &["--timeout", "1"]).message(5).contains("took longer than 1 s"));
    assert!(inspect("eater", &[]).message(5).contains("used more than 208 MiB of memory (--memory"));
    let rank = ["rank", "data", "--zoo", "bad/eater", "--runtime", "rten", "--memory", "300MiB"];
    assert!(fixture.run(&rank).message(5).contains("used more than 300 MiB"));
    let refused = fixture.run(&["inspect", "bad/eater", "--memory", "many"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
}

/// Whether a process runs, and is not only waiting to be buried.
fn runs(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A ranking that runs, and its worker, which the parent needs a moment to start.
fn started(fixture: &Fixture, zoo: &str) -> (Child, u32) {
    let arguments =
        ["rank", "data", "--zoo", zoo, "--runtime", "rten", "--json", "--threads", "1", "--no-baselines", "--no-vet"];
    let child = fixture.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut worker = 0;
    wait_until("a worker comes up", || {
        worker = children(child.id()).first().copied().unwrap_or(0);
        // Until it has become another program, it looks like its parent.
        let line = fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"worker")
    });
    (child, worker)
}

/// Files of finished blocks, and all other files beside them.
fn blocks(fixture: &Fixture) -> (usize, usize) {
    let mut counts = (0, 0);
    let mut waiting = vec![fixture.path("cache")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.parent().unwrap().ends_with("blocks") {
                let whole = path.extension().is_some_and(|extension| extension == "blk");
                counts = (counts.0 + usize::from(whole), counts.1 + usize::from(!whole));
            }
        }
    }
    counts
}

#[test]
fn an_interruption_lets_the_block_be_finished_and_a_second_one_does_not_wait() {
    let fixture = Fixture::new();
    fixture.pictures("data", &[("blue", [40, 60, 200]), ("green", [50, 180, 60]), ("red", [190, 50, 40])], 100);
    fixture.network_of("slow", "slow", &looping(SLOW));
    let (child, worker) = started(&fixture, "slow");
    wait_until("a block is finished", || blocks(&fixture).0 > 0);
    // The terminal sends Ctrl-C to both.
    signal("INT", &[child.id(), worker]);
    assert!(Run::of(child.wait_with_output().unwrap()).message(130).contains("interrupted"));
    assert!(!runs(worker));
    assert_eq!(blocks(&fixture), (2, 0), "the block that was begun is finished, the third and last is not begun");

    let (child, worker) = started(&fixture, "slow");
    // Time to load the model: the parent waits only for a worker that has begun something.
    std::thread::sleep(Duration::from_millis(300));
    signal("STOP", &[worker]);
    signal("TERM", &[child.id()]);
    std::thread::sleep(Duration::from_millis(200));
    signal("TERM", &[child.id()]);
    assert_eq!(Run::of(child.wait_with_output().unwrap()).code, 143);
    signal("CONT", &[worker]);
    wait_until("the worker notices that it is alone", || !runs(worker));
}

#[test]
fn a_worker_that_has_begun_nothing_is_stopped_at_once() {
    let fixture = Fixture::new();
    fixture.network_of("bad", "hang", &looping(ENDLESS));
    let (child, _) = started(&fixture, "bad");
    signal("TERM", &[child.id()]);
    assert!(Run::of(child.wait_with_output().unwrap()).message(143).contains("interrupted"));
}

#[test]
fn a_worker_whose_parent_is_killed_ends() {
    let fixture = Fixture::new();
    fixture.network_of("bad", "hang", &looping(ENDLESS));
    let (mut child, worker) = started(&fixture, "bad");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the worker ends", || !runs(worker));
}

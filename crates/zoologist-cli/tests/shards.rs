//! A ranking whose work is shared: by processes that each take some shards, and by workers side by side.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::process::Stdio;

use common::onnx::looping;
use common::{Fixture, model, without_timing};
use serde_json::Value;

/// Turns that take a few milliseconds.
const SLOW: u64 = 20_000;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.pictures("data", &[("blue", [40, 60, 200]), ("green", [50, 180, 60]), ("red", [190, 50, 40])], 60);
    fixture
}

#[test]
fn shards_that_were_extracted_apart_give_what_rank_gives() {
    let fixture = fixture();
    let rank = |more: &[&str]| without_timing(fixture.rank(&[&["--json", "--samples", "150"], more].concat()).json(0));
    // Advice runs the best model once more, which --from-store never does.
    let alone = rank(&["--seed", "3", "--no-advice"]);
    std::fs::remove_dir_all(fixture.path("cache")).unwrap();

    let part = |model: &str, shard: &str| {
        let arguments =
            ["extract", model, "data", "--runtime", "rten", "--samples", "150", "--seed", "3", "--shard", shard];
        fixture.command(&[&arguments[..], &["--json"]].concat())
    };
    // The zoo by three processes at once, two of them with the same part; then one model alone.
    let running = ["0/3", "1/3", "1/3"].map(|shard| part("zoo", shard).stdout(Stdio::piped()).spawn().unwrap());
    let parts = running.map(|child| common::Run::of(child.wait_with_output().unwrap()).json(0));
    assert_eq!((&parts[0]["shards"][1], &parts[0]["shard_count"]), (&3.into(), &20.into()));
    assert_eq!(parts[1].to_string(), parts[2].to_string());
    let missing = fixture.rank(&["--samples", "150", "--seed", "3", "--from-store"]);
    assert!(missing.message(3).contains("blocks of its features are not in the store"), "{}", missing.err);
    assert_eq!(common::Run::of(part("zoo/other", "2/3").output().unwrap()).code, 0);
    let some = fixture.rank(&["--json", "--samples", "150", "--seed", "3", "--from-store"]).json(4);
    assert_eq!(
        (&model(&some, "other")["status"], &model(&some, "classifier")["status"]),
        (&"ok".into(), &"failed".into())
    );
    assert_eq!(common::Run::of(part("zoo", "3/3").output().unwrap()).code, 0, "counted from 1: no more than all");
    assert_eq!(common::Run::of(part("zoo", "2/3").output().unwrap()).code, 0);

    assert_eq!(rank(&["--seed", "3", "--from-store"]).to_string(), alone.to_string());
    let seconds = fixture.rank(&["--json", "--samples", "150", "--seed", "3", "--from-store"]).json(0);
    assert!(model(&seconds, "other")["timing"]["extract_seconds"].as_f64() > Some(0.0));
    assert_eq!(fixture.run(&["cache", "verify"]).code, 0);
}

#[test]
fn a_part_goes_to_the_store_or_to_a_file() {
    let fixture = Fixture::new();
    let extract = |more: &[&str]| fixture.run(&[&["extract", "zoo/other", "data", "--runtime", "rten"], more].concat());
    assert_eq!(extract(&[]).code, 2);
    assert_eq!(extract(&["--shard", "1/2", "-o", "f.npy"]).code, 2);
    assert_eq!(extract(&["--shard", "3/2"]).code, 2);
    assert_eq!(extract(&["-o", "f.npy", "--layers", "best"]).code, 2);
    let text = extract(&["--shard", "1/2"]);
    assert!(text.out.contains("30 of 60 samples (shards 1, 3, 5"), "{}", text.out);
    fixture.network_of("bad", "damaged", b"no network");
    let failed = fixture.run(&["extract", "bad", "data", "--shard", "0/1"]);
    assert!(failed.message(3).contains("damaged"));
}

#[test]
fn models_side_by_side_give_the_same_ranking() {
    let fixture = Fixture::new();
    fixture.network_as("zoo", "classifier", "third");
    fixture.network_of("zoo", "broken", b"no network");
    let alone = without_timing(fixture.rank(&["--json"]).json(4));
    std::fs::remove_dir_all(fixture.path("cache")).unwrap();
    let together = without_timing(fixture.rank(&["--json", "--jobs", "3"]).json(4));
    assert_eq!(alone.to_string(), together.to_string());
}

/// How many jobs of the cache have all their features.
fn sealed(fixture: &Fixture) -> usize {
    let list = fixture.run(&["cache", "ls", "--json"]).json(0);
    list["jobs"].as_array().unwrap().iter().filter(|job| job["state"] == "sealed").count()
}

/// What a ranking prints that is interrupted when so many candidates are done.
fn interrupted_after(fixture: &Fixture, done: usize, more: &[&str]) -> Value {
    let arguments = ["rank", "data", "--zoo", "zoo", "--runtime", "rten", "--json", "--report", "report.html"];
    let mut command = fixture.command(&[&arguments[..], more].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    common::wait_until("some models are done", || sealed(fixture) >= done);
    common::signal("INT", &[child.id()]);
    let ranking = common::Run::of(child.wait_with_output().unwrap()).json(130);
    assert_eq!(ranking["interrupted"], true);
    assert!(ranking["verdict"].as_str().unwrap().starts_with("Not complete: "), "{}", ranking["verdict"]);
    ranking
}

#[test]
fn an_interruption_reports_what_is_finished() {
    let fixture = fixture();
    fixture.network_of("zoo", "slow", &looping(SLOW));
    // The good models come first by name.
    let ranking = interrupted_after(&fixture, 2, &[]);
    let status = |name: &str| model(&ranking, name)["status"].clone();
    assert_eq!((status("other"), status("slow")), ("ok".into(), "failed".into()));
    assert!(std::fs::read_to_string(fixture.path("report.html")).unwrap().contains("Not complete: "));
}

#[test]
fn an_interrupted_race_compares_what_all_have_seen() {
    let fixture = Fixture::empty();
    fixture.pictures("data", &[("blue", [40, 60, 200]), ("green", [50, 180, 60]), ("red", [190, 50, 40])], 140);
    // Equal networks would share their features.
    for (name, more) in [("a", 0), ("b", 1), ("c", 2)] {
        fixture.network_of("zoo", name, &looping(SLOW + more));
    }
    let ranking = interrupted_after(&fixture, 1, &["--budget", "race", "--no-baselines"]);
    let models = ranking["models"].as_array().unwrap();
    assert!(
        models.iter().all(|model| model["n_seen"] == models[0]["n_seen"] && model["status"] == "ok"),
        "{ranking:#}"
    );
    assert!(models[0]["n_seen"].as_u64().unwrap() < 420);
}

//! Racing from the outside: who stops, where, and that nothing depends on what is kept.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::fs;

use common::{Fixture, model, without_timing};
use serde_json::Value;

const SPORT: [&str; 6] = ["ball", "goal", "team", "match", "coach", "league"];
const FOOD: [&str; 6] = ["bread", "soup", "salt", "oven", "taste", "apple"];
const ROWS: usize = 1200;

/// Texts about two topics, and five models of word vectors: the first knows the topic of every word, each other one
/// of one word less.
fn fixture() -> Fixture {
    let fixture = Fixture::empty();
    fs::create_dir_all(fixture.path("zoo")).unwrap();
    for unknown in 0..5 {
        let line = |words: [&str; 6], sign: f64| {
            let vector = move |(place, word): (usize, &str)| {
                let topic = if place < unknown { 0.0 } else { sign };
                format!("{word} {topic} {} {}\n", 0.1 * place as f64, 0.05 * (place * place % 5) as f64)
            };
            words.into_iter().enumerate().map(vector).collect::<String>()
        };
        let text = line(SPORT, 1.0) + &line(FOOD, -1.0);
        fs::write(fixture.path(&format!("zoo/glove.without-{unknown}.txt")), text).unwrap();
    }
    let row = |number: usize| {
        let (words, label) = if number.is_multiple_of(2) { (SPORT, "sport") } else { (FOOD, "food") };
        let word = |step: usize| words[(number * number / 3 + step * number / 7) % 6];
        format!("{} {} {number},{label}\n", word(1), word(2))
    };
    fs::write(fixture.path("data.csv"), "text,label\n".to_owned() + &(0..ROWS).map(row).collect::<String>()).unwrap();
    fixture
}

fn ranking(fixture: &Fixture, budget: &[&str]) -> Value {
    let arguments = ["rank", "data.csv", "--zoo", "zoo", "--json"];
    let run = fixture.run(&[&arguments[..], budget].concat());
    run.well();
    without_timing(serde_json::from_str(&run.out).unwrap())
}

#[test]
fn five_models_race_and_the_winner_is_that_of_the_full_pass() {
    let fixture = fixture();
    let (raced, full) = (ranking(&fixture, &[]), ranking(&fixture, &["--budget", "full"]));
    let best = |ranking: &Value| {
        let models = ranking["models"].as_array().unwrap();
        models.iter().find(|model| model["baseline"] == false).unwrap()["name"].clone()
    };
    assert_eq!((best(&raced), best(&full)), ("glove.without-0.txt".into(), "glove.without-0.txt".into()));
    let stopped: Vec<&Value> =
        raced["models"].as_array().unwrap().iter().filter(|model| model["status"] == "eliminated").collect();
    assert!(!stopped.is_empty(), "{raced}");
    assert!(stopped.iter().all(|model| model["n_seen"].as_u64() < Some(ROWS as u64)));
    assert_eq!(raced["data"]["n"], ROWS);
    let most = &model(&raced, "glove.without-0.txt")["n_seen"];
    assert_eq!(&model(&raced, "TF-IDF")["n_seen"], most, "baselines see what the winner saw");
    assert!(full["models"].as_array().unwrap().iter().all(|model| model["status"] == "ok" && model["n_seen"] == ROWS));
}

#[test]
fn a_race_gives_the_same_bytes_whatever_is_kept() {
    let (fresh, kept) = (fixture(), fixture());
    ranking(&kept, &["--budget", "full"]);
    let race = ranking(&fresh, &["--budget", "race"]);
    assert_eq!(race.to_string(), ranking(&fresh, &["--budget", "race"]).to_string());
    assert_eq!(race.to_string(), ranking(&kept, &["--budget", "race"]).to_string());
}

#[test]
fn a_truth_needs_the_full_pass() {
    let ranking = ranking(&fixture(), &["--truth", "probe"]);
    assert!(ranking["models"].as_array().unwrap().iter().all(|model| model["status"] == "ok"));
}

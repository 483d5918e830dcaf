//! `search --table` from end to end.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

#[path = "common/mod.rs"]
mod common;

use std::fs;

use common::Fixture;
use serde_json::Value;

/// Every architecture of four choices of three options; the more often 2, the better, but for a trap.
fn table(fixture: &Fixture, leave_out: bool) {
    let mut lines = vec!["arch,quick,final,loss,flops".to_owned()];
    for code in 0..81_u32 {
        let digits: Vec<u32> = (0..4).map(|place| code / 3_u32.pow(place) % 3).collect();
        let value = 10 * digits.iter().sum::<u32>() + digits[0] * digits[1];
        if !(leave_out && code % 7 == 3) {
            let name: String = digits.iter().map(ToString::to_string).collect();
            lines.push(format!("{name},{value},{},{},{}", value + 1, 100 - value, code + 1));
        }
    }
    fs::write(fixture.path("table.csv"), lines.join("\n") + "\n").unwrap();
}

const SHORT: [&str; 8] = ["search", "--table", "table.csv", "--choices", "arch", "--search", "quick", "--json"];

fn row<'a>(found: &'a Value, part: usize, method: &str) -> &'a Value {
    found["parts"][part]["methods"].as_array().unwrap().iter().find(|row| row["method"] == method).unwrap()
}

#[test]
fn methods_are_compared_with_equal_budgets_and_the_same_seeds_give_the_same_bytes() {
    let fixture = Fixture::empty();
    table(&fixture, false);
    let more = ["--judge", "final", "--budget", "20,40", "--seeds", "30", "--cost", "flops"];
    let run = |threads: &str| fixture.run(&[&SHORT[..], &more, &["--threads", threads]].concat());
    let (one, two) = (run("1"), run("2"));
    assert_eq!(one.out, two.out);
    let found = one.json(0);
    assert_eq!((&found["rows"], &found["possible"]), (&81.into(), &81.into()));
    assert_eq!(found["parts"].as_array().unwrap().len(), 2);
    assert_eq!(found["parts"][0]["best_possible"], 85.0);
    let best = |part, method| row(&found, part, method)["best_seen"]["value"].as_f64().unwrap();
    assert!(best(1, "duel+ls") > best(1, "random") && best(1, "random") > best(0, "random"));
    assert!(best(1, "local") <= 85.0);
    assert!(row(&found, 0, "random")["most_probable"].is_null());
    assert!(row(&found, 0, "duel:0.1")["most_probable"]["value"].is_number());
    assert_eq!(row(&found, 0, "local")["difference"]["value"], 0.0);
    assert!(row(&found, 0, "local")["cost"]["value"].as_f64().unwrap() > 20.0);
    let text = fixture.run(&[&SHORT[..7], &more].concat());
    assert!(text.code == 0 && text.out.contains("Best seen") && text.out.contains("duel+ls"), "{}", text.out);
}

#[test]
fn a_table_that_is_not_complete_is_searched_within_what_it_holds() {
    let fixture = Fixture::empty();
    table(&fixture, true);
    let found = fixture.run(&[&SHORT[..], &["--budget", "30", "--seeds", "20"]].concat()).json(0);
    assert!(found["rows"].as_u64().unwrap() < 81 && found["possible"] == 81);
    // Lower is better: what is good stays good.
    let arguments = ["search", "--table", "table.csv", "--choices", "arch", "--search", "loss", "--minimise", "--json"];
    let turned = fixture.run(&[&arguments[..], &["--budget", "30", "--seeds", "20"]].concat()).json(0);
    let value = |found: &Value| row(found, 0, "local")["best_seen"]["value"].as_f64().unwrap();
    assert!((value(&found) + value(&turned) - 100.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let fixture = Fixture::empty();
    table(&fixture, false);
    let message = |more: &[&str], code| fixture.run(&[&SHORT[..], more].concat()).message(code);
    assert!(message(&["--judge", "final,loss"], 2).contains("as many columns"));
    assert!(message(&["--methods", "hyperband"], 2).contains("several costs"));
    assert!(message(&["--judge", "accuracy"], 3).contains("no column `accuracy`"));
    assert_eq!(fixture.run(&[&SHORT[..], &["--methods", "annealing"]].concat()).code, 2);
    fs::write(fixture.path("table.csv"), "arch,quick\n01,1\n01,2\n").unwrap();
    assert!(message(&[], 3).contains("same choices as line 2"));
}

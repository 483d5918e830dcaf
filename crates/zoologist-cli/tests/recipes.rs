//! `search recipe` from end to end.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

#[path = "common/mod.rs"]
mod common;
#[path = "tuning/models.rs"]
mod models;

use common::{Fixture, Run, without_timing};
use serde_json::Value;

const SHORT: [&str; 7] = ["search", "recipe", "data", "--zoo", "zoo", "--quiet", "--json"];

#[test]
fn a_recipe_is_found_within_the_budget_and_says_what_mattered() {
    let fixture = Fixture::new();
    let run = |more: &[&str]| fixture.run(&[&SHORT[..], more].concat());
    for method in ["top", "halving", "hyperband", "duel+halving", "random"] {
        let found = run(&["--methods", method, "--evaluations", "6", "--threads", "1"]).json(0);
        assert!(found["spent"].as_f64().unwrap() <= 6.0, "{method}: {}", found["spent"]);
        let recipe = found["found"]["recipe"].as_array().unwrap();
        assert_eq!(recipe.len(), 5);
        assert!(["classifier", "other"].iter().any(|name| recipe[0] == *name), "{recipe:?}");
        let judged = &found["found"]["judgement"];
        assert!(judged["value"].is_number() && judged["interval"].is_array(), "{judged:#}");
        let tried = found["tried"].as_array().unwrap();
        let best = tried.iter().filter(|it| it["fidelity"] == 1.0).map(|it| it["validation"].as_f64().unwrap());
        assert_eq!(found["found"]["validation"], best.fold(0.0, f64::max));
        let learned = |it: &Value| it["options"][0]["probability"].is_number();
        assert_eq!(found["mattered"].as_array().unwrap().iter().all(learned), method == "duel+halving");
        let total: f64 = found["prior"].as_array().unwrap().iter().map(|it| it["probability"].as_f64().unwrap()).sum();
        assert!((total - 1.0).abs() < 1e-12);
        let again = run(&["--methods", method, "--evaluations", "6", "--threads", "2"]).json(0);
        assert_eq!(without_timing(found), without_timing(again));
    }
    let text = fixture.run(&[&SHORT[..6], &["--evaluations", "3"]].concat());
    assert!(
        text.code == 0
            && text.out.contains("learning rate")
            && text.out.contains("way")
            && text.out.contains("accuracy"),
        "{}",
        text.out
    );
}

#[test]
fn methods_are_compared_on_every_recipe() {
    let fixture = Fixture::new();
    let found = fixture.run(&[&SHORT[..], &["--compare", "6,12", "--seeds", "4"]].concat()).json(0);
    let race = &found["race"];
    // Each network has one layer that is half of the way, three quarters and the last: two of them are left out.
    assert_eq!(race["recipes"], 2 * 3 * 2 * 3);
    let standings = race["standings"].as_array().unwrap();
    // Five methods with two priors, and LogME alone, at two budgets.
    assert_eq!(standings.len(), 22);
    for it in standings {
        let (spent, budget) = (it["spent"].as_f64().unwrap(), it["budget"].as_f64().unwrap());
        assert!(spent <= budget && it["regret"].as_f64().unwrap() >= 0.0, "{it:#}");
    }
}

/// An encoder that is built in, and some texts.
fn texts() -> Fixture {
    let fixture = Fixture::empty();
    models::bert(&fixture.path("zoo/bert"), 3);
    models::texts(&fixture.path("texts.csv"), 80);
    fixture
}

const FINETUNED: [&str; 8] = ["search", "recipe", "texts.csv", "--zoo", "zoo", "--finetune", "--quiet", "--json"];

#[test]
fn recipes_that_train_the_network_are_evaluated_and_compared_with_the_others() {
    let fixture = texts();
    let found = fixture.run(&[&FINETUNED[..], &["--compare", "6", "--seeds", "3"]].concat()).json(0);
    // Heads: layers × three normalisations × two heads × three rates. Fine-tuned: two shares of the network, three rates.
    let recipes = found["race"]["recipes"].as_u64().unwrap();
    assert!(recipes > 6 && recipes % 18 == 6, "{recipes}");
    let ways = &found["mattered"][3];
    assert_eq!(ways["name"], "way");
    let names: Vec<&str> = ways["options"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["linear head", "hidden layer", "top half", "full"]);
    let mut tuned = 0;
    for tried in found["tried"].as_array().unwrap() {
        let recipe: Vec<&str> = tried["recipe"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let is_tuned = ["top half", "full"].contains(&recipe[3]);
        assert_eq!(is_tuned, recipe[4].parse::<f64>().unwrap() < 1e-3, "{recipe:?}");
        assert!(!is_tuned || recipe[1..3] == ["last layer", "as they are"], "{recipe:?}");
        tuned += usize::from(is_tuned);
    }
    // Each way is drawn equally often, though there are many more recipes with heads.
    assert!(tuned >= 8, "{tuned} {found:#}");
}

#[test]
fn a_search_that_was_killed_while_it_trained_ends_with_the_same_json() {
    let fixture = texts();
    let arguments = [&FINETUNED[..], &["--methods", "duel+halving", "--evaluations", "9", "--threads", "1"]].concat();
    let mut whole = fixture.command(&[&arguments[..11], &["9", "--threads", "2"]].concat());
    let whole = Run::of(whole.env("ZOOLOGIST_CACHE", fixture.path("other")).output().unwrap()).json(0);
    for wait in [200, 500, 900] {
        fixture.kill_after(&arguments, wait);
    }
    assert_eq!(without_timing(fixture.run(&arguments).json(0)), without_timing(whole));
}

#[test]
fn only_networks_that_are_built_in_are_trained() {
    let fixture = Fixture::new();
    models::mobilenet(&fixture.path("zoo/mobile"));
    let start = ["search", "recipe", "data", "--zoo", "zoo", "--finetune", "--evaluations", "9", "--json"];
    let run = fixture.run(&start);
    assert!(run.err.contains("classifier: not fine-tuned") && !run.err.contains("mobile: not"), "{}", run.err);
    let found = run.json(0);
    let tried: Vec<&Value> = found["tried"].as_array().unwrap().iter().map(|it| &it["recipe"]).collect();
    let tuned: Vec<&&Value> = tried.iter().filter(|it| it[3] == "full" || it[3] == "top half").collect();
    assert!(!tuned.is_empty() && tuned.iter().all(|it| it[0] == "mobile"), "{tried:#?}");
}

#[test]
fn what_cannot_be_searched_is_refused_with_the_reason() {
    let fixture = Fixture::new();
    let message = |arguments: &[&str], code| fixture.run(arguments).message(code);
    assert!(message(&["search", "recipe", "data"], 2).contains("--zoo"));
    for other in ["--report", "--steps"] {
        let run = fixture.run(&[&SHORT[..], &[other, "30"]].concat());
        assert!(run.code == 2 && run.err.contains(&format!("{other} does nothing")), "{}", run.err);
    }
    let run = fixture.run(&["search", "chain", "data", "--evaluations", "5"]);
    assert!(run.code == 2 && run.err.contains("--evaluations does nothing"), "{}", run.err);
    assert!(message(&[&SHORT[..], &["--evaluations", "2"]].concat(), 2).contains("3 full evaluations"));
    assert!(message(&[&SHORT[..], &["--methods", "top,random"]].concat(), 2).contains("--compare"));
    std::fs::write(fixture.path("numbers.csv"), "text,label\n".to_owned() + &"a b,1.5\nc d,2.25\n".repeat(30)).unwrap();
    let found = message(&["search", "recipe", "numbers.csv", "--zoo", "zoo"], 3);
    assert!(found.contains("classes"), "{found}");
}

//! Texts from end to end: a table, a zoo of word vectors, the ranking, the layers, the tokens.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;

use std::fs;

use common::Fixture;
use serde_json::Value;

const SPORT: [&str; 6] = ["ball", "goal", "team", "match", "coach", "league"];
const FOOD: [&str; 6] = ["bread", "soup", "salt", "oven", "taste", "apple"];

/// Word vectors in which the words of a topic point the same way, and texts about two topics.
fn fixture() -> Fixture {
    let fixture = Fixture::empty();
    let vectors = |words: &[&str], sign: f32| {
        let line = |(place, word): (usize, &&str)| {
            format!("{word} {} {} {}\n", sign, 0.1 * place as f32, 0.05 * (place * place % 5) as f32)
        };
        words.iter().enumerate().map(line).collect::<String>()
    };
    fs::create_dir_all(fixture.path("zoo")).unwrap();
    let text = vectors(&SPORT, 1.0) + &vectors(&FOOD, -1.0) + "the 0 0.3 0.1\na 0 0.1 0.2\n";
    fs::write(fixture.path("zoo/glove.topics.txt"), text).unwrap();
    let row = |number: usize| {
        let (words, label) = if number.is_multiple_of(2) { (SPORT, "sport") } else { (FOOD, "food") };
        let word = |step: usize| words[(number / 2 + step * step) % 6];
        format!("\"The {}, a {} unheard {}\",{label}\n", word(0), word(1 + number % 3), word(2))
    };
    let table = "text,label\n".to_owned() + &(0..60).map(row).collect::<String>();
    fs::write(fixture.path("data.csv"), table).unwrap();
    fixture
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn word_vectors_are_ranked_on_a_table_beside_the_baselines_of_texts() {
    let fixture = fixture();
    let run = fixture.run(&["rank", "data.csv", "--zoo", "zoo", "--json"]);
    run.well();
    let ranking = json(&run.out);
    let models = ranking["models"].as_array().unwrap();
    let model = models.iter().find(|model| model["name"] == "glove.topics.txt").unwrap();
    assert_eq!((&model["dim"], &model["baseline"], &model["layer"]), (&3.into(), &false.into(), &"last".into()));
    let ridge = model["scores"].as_array().unwrap().iter().find(|score| score["metric"] == "ridge").unwrap();
    assert_eq!(ridge["value"], 1.0);
    let baselines: Vec<&str> =
        models.iter().filter(|model| model["baseline"] == true).filter_map(|model| model["name"].as_str()).collect();
    for name in ["TF-IDF", "text length", "most frequent label", "glove.topics.txt (permuted weights)"] {
        assert!(baselines.contains(&name), "{baselines:?}");
    }
    assert!(run.err.contains("texts in `text`, labels in `label`"), "{}", run.err);
}

#[test]
fn the_json_of_texts_does_not_depend_on_threads_nor_on_what_is_kept() {
    let fixture = fixture();
    let ranking = |threads: &str| {
        let run =
            fixture.run(&["rank", "data.csv", "--zoo", "zoo", "--json", "--truth", "probe", "--threads", threads]);
        common::without_timing(json(&run.out))
    };
    let kept = ranking("1");
    assert_eq!(ranking("2"), kept);
    fs::remove_dir_all(fixture.path("cache")).unwrap();
    assert_eq!(ranking("2"), kept);
}

#[test]
fn a_model_for_pictures_fails_on_texts_by_name_and_the_rest_is_ranked() {
    let fixture = fixture();
    fixture.network("zoo", "classifier");
    let run = fixture.run(&["rank", "data.csv", "--zoo", "zoo", "--runtime", "rten"]);
    assert_eq!(run.code, 4);
    assert!(run.out.contains("classifier: it takes pictures, and the samples are texts"), "{}", run.out);
}

#[test]
fn features_of_texts_are_means_of_their_known_words() {
    let fixture = fixture();
    fs::write(fixture.path("two.csv"), "text\nball GOAL\nnothing known\n").unwrap();
    fixture.run(&["extract", "zoo/glove.topics.txt", "two.csv", "--text", "text", "-o", "out.npy"]).well();
    let bytes = fs::read(fixture.path("out.npy")).unwrap();
    let numbers: Vec<f32> =
        bytes[bytes.len() - 24..].chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(numbers, [1.0, 0.05, 0.025, 0.0, 0.0, 0.0]);
}

#[test]
fn layers_are_probed_beside_controls_and_end_in_a_verdict() {
    let fixture = Fixture::new();
    let run = fixture.run(&["layers", "zoo/classifier", "--list", "--runtime", "rten", "--json"]);
    run.well();
    let listed = json(&run.out)["layers"].as_array().unwrap().len();
    let run = fixture.run(&["layers", "zoo/classifier", "data", "--runtime", "rten", "--json", "--report", "l.html"]);
    run.well();
    let study = json(&run.out);
    let rows = study["layers"].as_array().unwrap();
    let of_model = rows.iter().filter(|row| !row["index"].is_null()).count();
    assert_eq!(of_model, listed);
    assert!(rows.iter().any(|row| row["control"] == true && row["name"] == "raw pixels"));
    assert!(rows.iter().any(|row| row["name"] == "last layer, permuted weights"));
    assert!(rows.iter().all(|row| row["control"] == true || row["probe"].as_f64().is_some()), "{rows:?}");
    assert!(!study["verdict"].as_str().unwrap().is_empty());
    assert!(fs::read_to_string(fixture.path("l.html")).unwrap().contains("<svg"));
}

#[test]
fn every_way_of_choosing_layers_ranks() {
    let fixture = Fixture::new();
    for layers in ["last", "best", "all"] {
        let run = fixture.rank(&["--layers", layers, "--json"]);
        run.well();
        let models = json(&run.out)["models"].as_array().unwrap().clone();
        assert!(models.iter().filter(|model| model["baseline"] == false).all(|model| model["status"] == "ok"));
    }
}

#[test]
fn tokens_of_a_table_are_counted() {
    let fixture = fixture();
    let words: Vec<String> = SPORT.iter().chain(&FOOD).zip(1..).map(|(word, id)| format!("\"{word}\": {id}")).collect();
    let tokenizer = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": {{"type": "Lowercase"}},
        "pre_tokenizer": {{"type": "Whitespace"}}, "post_processor": null, "decoder": null,
        "model": {{"type": "WordLevel", "vocab": {{"[UNK]": 0, {}}}, "unk_token": "[UNK]"}}}}"#,
        words.join(", ")
    );
    fs::create_dir_all(fixture.path("static")).unwrap();
    fs::write(fixture.path("static/tokenizer.json"), tokenizer).unwrap();
    fs::write(fixture.path("static/config.json"), r#"{"model_type": "static"}"#).unwrap();
    fs::write(fixture.path("static/model.safetensors"), "").unwrap();
    let run = fixture.run(&["inspect", "data.csv", "--tokenizer", "static", "--json"]);
    run.well();
    let found = json(&run.out);
    // The, two signs, a and one unheard word: of 8 tokens, 3 are known.
    let expected = [("texts", 60), ("tokens", 420), ("unknown", 240), ("most", 7)];
    for (name, count) in expected {
        assert_eq!(found["tokens"][name], count, "{name}: {}", found["tokens"]);
    }
}

#[test]
fn faults_of_tables_and_tokenizers_are_told_clearly() {
    let fixture = fixture();
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let run = fixture.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{}", run.err);
        assert!(run.err.contains(expected), "{}", run.err);
    };
    refused(
        &["rank", "data.csv", "--zoo", "zoo", "--text", "body"],
        2,
        "has no column body. It has: text (text), label (text)",
    );
    refused(&["rank", "data.csv", "--zoo", "zoo", "--label", "text"], 3, "no column of texts was found");
    refused(&["rank", "data.csv", "--zoo", "zoo", "--text", "a,b,c"], 2, "--text takes one column, or two");
    fs::write(fixture.path("latin.csv"), b"text,label\nwell,x\ncaf\xe9,y\n").unwrap();
    refused(&["rank", "latin.csv", "--zoo", "zoo"], 3, "latin.csv, line 3: is not valid UTF-8");
    fs::write(fixture.path("one.csv"), "text,label\nsome words,x\nother words,x\n").unwrap();
    refused(&["rank", "one.csv", "--zoo", "zoo"], 3, "At least two classes");
}

#[test]
fn rows_are_not_lost_without_a_word() {
    let fixture = fixture();
    let table = fs::read_to_string(fixture.path("data.csv")).unwrap();
    fs::write(fixture.path("open.csv"), format!("{table}a b,\"sport\nc d,food\n")).unwrap();
    let message = fixture.run(&["rank", "open.csv", "--zoo", "zoo"]).message(3);
    assert!(message.contains("open.csv, line 62: opens a quote that is never closed"), "{message}");
    fs::write(fixture.path("bare.csv"), table.strip_prefix("text,label\n").unwrap()).unwrap();
    let message = fixture.run(&["rank", "bare.csv", "--zoo", "zoo"]).message(3);
    assert!(message.contains("bare.csv, line 1: is data, not names of columns"), "{message}");
    let arguments = ["inspect", "bare.csv", "--no-header", "--text", "0", "--label", "1", "--json"];
    assert_eq!(json(&fixture.run(&arguments).out)["n"], 60);
}

#[test]
fn inspect_lists_the_columns_and_heeds_the_options() {
    let fixture = fixture();
    let run = fixture.run(&["inspect", "data.csv"]);
    run.well();
    assert!(run.out.contains("  column text: text, used as text\n"), "{}", run.out);
    assert!(
        run.out.contains("  column label: text, 2 different values in the first rows, used as label\n"),
        "{}",
        run.out
    );
    let columns = &json(&fixture.run(&["inspect", "data.csv", "--json"]).out)["columns"];
    assert_eq!(
        (&columns[1]["name"], &columns[1]["role"], &columns[1]["distinct"]),
        (&"label".into(), &"label".into(), &2.into())
    );
    for command in
        [&["inspect", "data.csv", "--label", "kind"][..], &["rank", "data.csv", "--label", "kind", "--zoo", "zoo"]]
    {
        let message = fixture.run(command).message(2);
        assert!(message.contains("data.csv: has no column kind. It has: text (text), label (text)."), "{message}");
    }
}

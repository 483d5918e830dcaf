//! What can be wrong with a table, and what the errors say.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use zoologist::base::{Targets, Task};
use zoologist::data::{TableOptions, is_table_of_samples, labels, open};

use super::{Folder, columns, labels as names, texts};

fn told(cases: &[(&str, &str, &str)]) {
    for (name, content, expected) in cases {
        let found = Folder::with(&[(name, content)]).refusal(name, &TableOptions::default());
        assert!(found.starts_with(expected), "{name}: {found}");
    }
}

#[test]
fn faults_are_told_with_their_place_and_what_to_do() {
    let none = TableOptions::default();
    let folder = Folder::with(&[
        ("empty.csv", ""),
        ("header.csv", "text,label\n"),
        ("ragged.csv", "text,label\na b,x\na b,x,y\n"),
        ("double.csv", "text,text\na,b\n"),
        (
            "unclear.csv",
            "first,second,kind\na long text of words,another long text of words,x\nc long text of words,d long text of words,y\n",
        ),
        ("mixed.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":2,\"label\":1}\n"),
        ("labels.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":[1]}\n"),
        ("broken.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\n"),
        ("score.csv", "text,score\ngood,0.5\nbad,low\n"),
    ]);
    fs::write(folder.path("latin.csv"), b"text,label\ncaf\xe9 au lait,x\ntea,y\n").unwrap();
    let cases = [
        ("empty.csv", "DIR/empty.csv: holds no rows. Give a table with a row of column names."),
        ("header.csv", "DIR/header.csv: holds no rows beneath the names of its columns."),
        ("ragged.csv", "DIR/ragged.csv, line 3: has 3 cells where the first line has 2. Quote cells that hold commas."),
        ("double.csv", "DIR/double.csv: has the column \"text\" twice. Rename one of them."),
        (
            "unclear.csv",
            "DIR/unclear.csv: several columns may hold the texts. Choose one with --text. The columns: first (text), second (text), kind (text).",
        ),
        (
            "mixed.jsonl",
            "DIR/mixed.jsonl, line 2: has a number where a text is needed. Make it text, or choose another column with --text.",
        ),
        ("labels.jsonl", "DIR/labels.jsonl, line 2: has [1]"),
        ("broken.jsonl", "DIR/broken.jsonl, line 2: is not a JSON object"),
        ("latin.csv", "DIR/latin.csv, line 2: is not valid UTF-8. Save the file as UTF-8."),
    ];
    for (name, expected) in cases {
        let found = folder.refusal(name, &none);
        if name == "labels.jsonl" {
            assert!(found.contains("line 1: has the number 1 where a list of labels"), "{found}");
            continue;
        }
        assert!(found.starts_with(expected), "{name}: {found}");
    }
    let regression = TableOptions { task: Some(Task::Regression), ..none.clone() };
    let found = folder.refusal("score.csv", &regression);
    assert!(found.starts_with("DIR/score.csv, line 3: has \"low\" where a number is needed."), "{found}");
    let wrong = TableOptions { text: columns(&["body"]), ..none };
    let found = folder.refusal("score.csv", &wrong);
    assert_eq!(found, "DIR/score.csv: has no column body. It has: text (text), score (text).");
}

#[test]
fn a_pipe_is_refused() {
    let folder = Folder::with(&[]);
    let path = folder.path("t.csv");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(open(Path::new(&path), &TableOptions::default()).is_err());
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_with_the_line_of_its_row() {
    let rows = "text,label\na b,x\n\"two\nlines\",y\nc d,\"x\ne f,y\ng h,x\n";
    told(&[
        ("t.csv", rows, "DIR/t.csv, line 5: opens a quote that is never closed. Close it, or double it."),
        ("t.tsv", "text\tlabel\na b\tx\n\"c d\ty", "DIR/t.tsv, line 3: opens a quote that is never closed."),
        (
            "later.csv",
            "text,label\na b,\"x\nc d,y\n\",e f,y\ng h,x\n",
            "DIR/later.csv, line 2: has 4 cells where the first line has 2. It runs to line 4: perhaps a quote is not closed.",
        ),
        (
            "merged.csv",
            "text,label\n\"a \"\"b\"\"\n\",x\n\"c d,x\n\"e f\",y\n\"g h\",x\n",
            "DIR/merged.csv, line 4: opens a quote that is closed on line 5, within a cell. Close it, or double it.",
        ),
    ]);
    let whole = [
        ("a.csv", "text,label\na b,x\nc d,\"y\"", 2),
        ("b.csv", "text,label\na b,x\nc d,\"y\n\"\n", 2),
        ("c.csv", "label,text\nx,\"a \"\"b\"\"\"\ny,c \"d\n\n\n", 2),
    ];
    for (name, content, count) in whole {
        assert_eq!(Folder::with(&[(name, content)]).open(name).unwrap().inputs.len(), count, "{name}");
    }
    let folder = Folder::with(&[("labels.csv", "label\nx\n\"y\nx\n")]);
    let error = labels::read(&folder.path("labels.csv"), None).unwrap_err().to_string();
    assert!(error.contains("labels.csv, line 3: opens a quote that is never closed"), "{error}");
}

#[test]
fn rows_of_more_than_16_mib_are_refused() {
    let long = "x".repeat((16 << 20) + (1 << 17));
    told(&[
        (
            "t.csv",
            &format!("text,label\na,b\n{long},x\n"),
            "DIR/t.csv, line 3: holds a row of more than 16 MiB: perhaps a quote",
        ),
        (
            "t.jsonl",
            &format!("{{\"text\":\"a\",\"label\":1}}\n{{\"text\":\"{long}\",\"label\":1}}\n"),
            "DIR/t.jsonl, line 2: holds a line of more than 16 MiB.",
        ),
    ]);
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    let twice = "{\"text\":\"a b\",\"label\":1}\n{\"text\":\"c\",\"label\":1,\"text\":\"d\"}\n";
    told(&[(
        "t.jsonl",
        twice,
        "DIR/t.jsonl, line 2: is not a JSON object that can be read (the field \"text\" stands there twice",
    )]);
}

#[test]
fn labels_of_two_kinds_are_refused_unless_all_are_names() {
    let mixed = "{\"text\":\"a b\",\"label\":1}\n{\"text\":\"c d\",\"label\":2}\n{\"text\":\"e\",\"label\":\"1\"}\n";
    let truths = "{\"text\":\"a b\",\"label\":true}\n{\"text\":\"c d\",\"label\":1}\n";
    let lists = "{\"text\":\"a b\",\"label\":[\"x\",\"y\"]}\n{\"text\":\"c d\",\"label\":[\"x\",true]}\n";
    told(&[
        (
            "t.jsonl",
            mixed,
            "DIR/t.jsonl, line 3: has \"1\" as a label where the first label is a number. Mend it; --task classification \
             takes all labels as names.",
        ),
        ("b.jsonl", truths, "DIR/b.jsonl, line 2: has the number 1 as a label where the first label is true or false."),
        ("l.jsonl", lists, "DIR/l.jsonl, line 2: has true or false as a label where the first label is a text."),
    ]);
    let folder = Folder::with(&[("t.jsonl", mixed)]);
    let options = TableOptions { task: Some(Task::Classification), ..TableOptions::default() };
    assert_eq!(names(&open(&folder.path("t.jsonl"), &options).unwrap()), ["1", "2", "1"]);
}

#[test]
fn tables_without_rows_or_with_a_name_twice_are_still_tables() {
    let none = TableOptions::default();
    let folder = Folder::with(&[
        ("header.csv", "text,label\n"),
        ("double.csv", "text,text,label\na,b,x\n"),
        ("numbers.csv", "1,1\n0,1\n"),
        ("labels.csv", "label\nx\n"),
    ]);
    let tables = ["header.csv", "double.csv", "numbers.csv", "labels.csv"].map(|name| folder.path(name));
    assert_eq!(tables.map(|path| is_table_of_samples(&path, &none)), [true, true, false, false]);
}

#[test]
fn columns_that_were_asked_for_wrongly_are_told() {
    let folder = Folder::with(&[("t.csv", "text,stars,kind\nhow nice,1,x\nhow bad,0,y\n")]);
    let asked = |text: &[&str], label: &[&str]| TableOptions {
        text: columns(text),
        label: columns(label),
        ..TableOptions::default()
    };
    let cases = [
        (
            asked(&[], &["none"]),
            "DIR/t.csv: has no column none. It has: text (text), stars (whole numbers), kind (text).",
        ),
        (asked(&["text", "text"], &["kind"]), "DIR/t.csv: the column text is given two roles."),
        (asked(&["text"], &["text"]), "DIR/t.csv: the column text is given two roles."),
        (asked(&["text"], &["kind", "kind"]), "DIR/t.csv: the column kind is given two roles."),
        (
            asked(&["stars"], &["kind"]),
            "DIR/t.csv: the column stars holds numbers, not texts. Choose another with --text:",
        ),
    ];
    for (options, expected) in cases {
        let found = folder.refusal("t.csv", &options);
        assert!(found.starts_with(expected), "{found}");
        assert!(is_table_of_samples(&folder.path("t.csv"), &options), "inspect reads it as a table too");
    }
}

#[test]
fn yes_or_no_labels_that_are_neither_name_their_row() {
    let row = |row| format!("text {row},{},{}\n", row % 2, if row == 290 { 2 } else { 1 });
    let rows: String = (0..300).map(row).collect();
    let text = format!("text,a,b\n{rows}");
    told(&[("t.csv", &text, "DIR/t.csv, line 292: has \"2\" where 0 or 1 is needed.")]);
}

#[test]
fn odd_bytes_are_read_or_named() {
    let deep = format!("{{\"text\":{}1{},\"label\":1}}\n", "[".repeat(100_000), "]".repeat(100_000));
    told(&[("deep.jsonl", &deep, "DIR/deep.jsonl: no column of texts was found.")]);
    let same = [
        ("bom.csv", "\u{feff}text,label\na b,x\nc d,y\n"),
        ("bom.jsonl", "\u{feff}{\"text\":\"a b\",\"label\":\"x\"}\n{\"text\":\"c d\",\"label\":\"y\"}\n"),
        ("crlf.csv", "text,label\r\na b,x\r\nc d,y\r\n"),
        ("crlf.jsonl", "{\"text\":\"a b\",\"label\":\"x\"}\r\n{\"text\":\"c d\",\"label\":\"y\"}\r\n"),
        ("cr.csv", "text,label\ra b,x\rc d,y\r"),
    ];
    for (name, content) in same {
        let folder = Folder::with(&[(name, content)]);
        let dataset = folder.open(name).unwrap();
        assert_eq!((texts(&dataset)[1].0.as_str(), names(&dataset)), ("c d", columns(&["x", "y"])), "{name}");
    }
    let nul = Folder::with(&[("nul.csv", "text,label\na\0b,x\nc d,y\n")]);
    assert_eq!(texts(&nul.open("nul.csv").unwrap())[0].0, "a\0b");
}

#[test]
fn lines_are_counted_as_editors_count_them() {
    let lines = ["text,label", "a b,x", "", "", "c d,", "\"e", "f\",", "g h,", "i,y", ""];
    for end in ["\n", "\r\n", "\r"] {
        let dataset = Folder::with(&[("t.csv", &lines.join(end))]).open("t.csv").unwrap();
        let reasons: Vec<&str> = dataset.skipped.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(reasons, ["line 5: has no label", "line 6: has no label", "line 8: has no label"], "{end:?}");
        let ragged = ["text,label", "", "a b,x", "c d,x,y", "e,x"].join(end);
        let expected = "DIR/t.csv, line 4: has 3 cells where the first line has 2. Quote cells that hold commas.";
        told(&[("t.csv", &ragged, expected)]);
    }
}

#[test]
fn a_hundred_thousand_columns_are_read() {
    let mut head = "text,label".to_owned();
    (0..100_000).for_each(|column| write!(head, ",c{column}").unwrap());
    let rest = ",1".repeat(100_000);
    let folder = Folder::with(&[("t.csv", &format!("{head}\na b,x{rest}\nc d,y{rest}\n"))]);
    let dataset = folder.open("t.csv").unwrap();
    assert_eq!(names(&dataset), ["x", "y"]);
    assert!(dataset.notes.iter().all(|note| note.len() < 300));
}

#[test]
fn numbers_that_pandas_left_out_are_skipped_and_named() {
    let folder = Folder::with(&[("t.csv", "text,score\na b,0.5\nc d,\ne f,1.5\n")]);
    let dataset = folder.open("t.csv").unwrap();
    assert!(matches!(&dataset.targets, Some(Targets::Regression(found)) if found.row(1) == [1.5]));
    assert_eq!(dataset.skipped[0].1, "line 3: has no label");
}

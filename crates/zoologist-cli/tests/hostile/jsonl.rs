//! JSONL: tables with one object a line.

use crate::judge::{Case, Content, try_all};

const FILE: &str = "table.jsonl";
const ROWS: &str = "{\"text\": \"a good day\", \"label\": \"yes\"}\n{\"text\": \"a bad day\", \"label\": \"no\"}\n";

fn bad(name: &str, more: impl AsRef<[u8]>) -> Case {
    Case::bad(name, FILE, [ROWS.as_bytes(), more.as_ref()].concat())
}

fn good(name: &str, more: impl AsRef<[u8]>) -> Case {
    Case::good(name, FILE, [ROWS.as_bytes(), more.as_ref()].concat())
}

/// A row with this beside its text and label.
fn row(more: &str) -> String {
    format!("{{\"text\": \"a night\", \"label\": \"no\", {more}}}\n")
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// So many fields whose names begin with this.
fn fields(count: usize, name: &str) -> String {
    (0..count).map(|number| format!("\"{name}{number}\":0")).collect::<Vec<_>>().join(",")
}

pub fn controls() -> Vec<Case> {
    vec![
        good("plain", ""),
        Case::good("a mark of the byte order", FILE, format!("\u{feff}{ROWS}")),
        Case::good("line ends of Windows", FILE, ROWS.replace('\n', "\r\n")),
        Case::good("another extension", "table.ndjson", ROWS),
        good("blank lines", "\n  \n\n"),
        good("no line end at the end", ROWS.trim_end()),
        good("escapes", "{\"text\": \"\\u00e9\\ud83d\\ude00\\u0000\\u001b[2J\", \"label\": \"no\\u0007\"}\n"),
        good("labels in Unicode", "{\"text\": \"день\", \"label\": \"été\"}\n"),
        good("nulls and absent fields", "{\"text\": null, \"label\": \"no\"}\n{\"text\": \"a\"}\n{}\n"),
        good("a field of lists of lists", row(&format!("\"more\": {}", nested(100)))),
        good("an object in a field", row("\"more\": {\"a\": {\"b\": [1, {}]}}")),
        good("large numbers", row("\"more\": [1e308, -9223372036854775808, 18446744073709551615]")),
        Case::good("truth", FILE, ROWS.replace("\"yes\"", "true").replace("\"no\"", "false")),
        Case::good("numbers", FILE, ROWS.replace("\"yes\"", "0.5").replace("\"no\"", "-1e3")),
        Case::good("lists of labels", FILE, ROWS.replace("\"yes\"", "[\"a\", \"b\"]").replace("\"no\"", "[]")),
    ]
}

fn damaged() -> Vec<Case> {
    vec![
        Case::bad("empty", FILE, ""),
        Case::bad("blank lines alone", FILE, "\n\n  \n"),
        Case::bad("a list", FILE, "[1, 2]\n"),
        Case::bad("one document over several lines", FILE, "{\n\"text\": \"a\",\n\"label\": 1\n}\n"),
        Case::bad("no fields", FILE, "{}\n{}\n"),
        Case::bad("zeros", FILE, vec![0; 4096]),
        bad("cut off", "{\"text\": \"a\", \"lab"),
        bad("a comma too many", "{\"text\": \"a\", \"label\": \"no\",}\n"),
        bad("two objects a line", "{\"text\": \"a\", \"label\": \"no\"} {\"text\": \"a\"}\n"),
        bad("a field twice", "{\"text\": \"a\", \"label\": \"no\", \"text\": \"b\"}\n"),
        bad("NaN", "{\"text\": \"a\", \"label\": NaN}\n"),
        bad("a number that is too large", row("\"more\": 1e999")),
        bad("not UTF-8", b"{\"text\": \"caf\xe9\", \"label\": \"no\"}\n"),
        bad("half a character", "{\"text\": \"\\ud800\", \"label\": \"no\"}\n"),
        bad("a text that is a number", "{\"text\": 7, \"label\": \"no\"}\n"),
        bad("a label that is an object", "{\"text\": \"a\", \"label\": {}}\n"),
        Case::bad("one class", FILE, ROWS.replace("yes", "no")),
    ]
}

fn greedy() -> Vec<Case> {
    let lists =
        |count| (0..count).map(|n| format!("\"f{n}\":[{}0]", "0,".repeat(90_000))).collect::<Vec<_>>().join(",");
    let new_names = |line| format!("{{{}}}\n", fields(30_000, &format!("line {line} ")));
    let own_label = |line| format!("{{\"text\": \"a day\", \"label\": [\"{line}\"]}}\n");
    vec![
        bad("1.2 million fields", row(&fields(1_200_000, "f"))),
        bad("1.2 million fields of lists", row(&fields(1_200_000, "f").replace(":0", ":[]"))),
        bad("new fields in every line", (0..20).map(new_names).collect::<String>()),
        bad("a list of a million values", row(&format!("\"more\": [{}0]", "0,".repeat(1_000_000)))),
        bad("eight million values in lists", row(&lists(89))),
        bad("a line of 17 MiB", row(&format!("\"more\": \"{}\"", "x".repeat(17 << 20)))),
        bad("a line that never ends", vec![b' '; 40 << 20]),
        bad("100,000 lists in each other", nested(100_000)),
        bad("100,000 objects in each other", "{\"a\":".repeat(100_000)),
        bad("a list of labels in each other", format!("{{\"text\": \"a\", \"label\": {}}}\n", nested(100_000))),
        Case::bad("as many labels as rows", FILE, (0..40_000).map(own_label).collect::<String>()),
    ]
}

#[test]
fn odd_tables_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_tables_are_refused() {
    try_all(&damaged());
}

#[test]
fn tables_that_would_eat_memory_are_refused() {
    try_all(&greedy());
}

#[test]
fn what_is_no_table_is_refused() {
    let place = |name: &str, content| Case::bad(name, FILE, "").replaced(content);
    try_all(&[
        place("a pipe", Content::Pipe),
        place("a folder", Content::Folder),
        place("a device", Content::Link("/dev/zero".to_owned())),
    ]);
}

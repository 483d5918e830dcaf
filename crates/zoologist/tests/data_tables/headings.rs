//! Tables whose first row may be data.

use zoologist::data::{TableOptions, open};

use super::{Folder, columns, labels, texts};

const HEADLESS: &str = "I would see it again,pos\nnot my kind of film at all,neg\nwhat a film,pos\n";
const NUMBERED: &str = "I would see it again,1\nnot my kind of film at all,0\nwhat a film,1\n";

#[test]
fn a_table_that_would_lose_its_first_row_is_refused_and_read_with_no_header() {
    for content in [HEADLESS, NUMBERED] {
        let folder = Folder::with(&[("t.csv", content)]);
        let found = folder.refusal("t.csv", &TableOptions::default());
        assert!(found.starts_with("DIR/t.csv, line 1: is data, not names of columns"), "{found}");
        let by_number =
            TableOptions { text: columns(&["0"]), label: columns(&["1"]), no_header: true, ..TableOptions::default() };
        let found = folder.refusal("t.csv", &TableOptions { no_header: false, ..by_number.clone() });
        assert!(found.contains("Give --no-header"), "{found}");
        for options in [by_number, TableOptions { no_header: true, ..TableOptions::default() }] {
            let dataset = open(&folder.path("t.csv"), &options).unwrap();
            assert_eq!((texts(&dataset)[0].0.as_str(), dataset.inputs.len()), ("I would see it again", 3));
            assert_eq!(labels(&dataset)[0], labels(&dataset)[2]);
        }
    }
}

#[test]
fn a_first_row_that_may_be_data_is_said() {
    let folder = Folder::with(&[
        ("value.csv", "film,pos\nI would see it again,pos\nnot my kind of film at all,neg\n"),
        ("sentence.csv", "how did you like it,kind\nI would see it again,x\nnot my kind of film at all,y\n"),
        ("pandas.csv", "0,1\nI would see it again,1\nnot my kind of film at all,0\n"),
    ]);
    for name in ["value.csv", "sentence.csv", "pandas.csv"] {
        let dataset = folder.open(name).unwrap();
        let said = dataset.notes.iter().any(|note| note.starts_with("The first row looks like data"));
        assert!(said && dataset.inputs.len() == 2, "{name}: {:?}", dataset.notes);
    }
}

#[test]
fn ordinary_names_are_not_remarked_upon() {
    let folder = Folder::with(&[
        ("named.csv", "text,2019,label\nhow nice,3,x\nhow bad,4,text\n"),
        ("others.csv", "film,kind\nI would see it again,pos\nnot my kind of film at all,neg\n"),
        ("t.jsonl", "{\"text\":\"a\",\"label\":\"label\"}\n{\"text\":\"b\",\"label\":\"x\"}\n"),
    ]);
    for name in ["named.csv", "others.csv", "t.jsonl"] {
        let dataset = folder.open(name).unwrap();
        assert!(dataset.notes.iter().all(|note| !note.contains("first row")), "{name}: {:?}", dataset.notes);
    }
    let options = TableOptions { no_header: true, ..TableOptions::default() };
    let found = folder.refusal("t.jsonl", &options);
    assert_eq!(found, "DIR/t.jsonl: names its columns itself. --no-header is for CSV and TSV only.");
}

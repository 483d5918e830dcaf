//! Tables: the same rows in every format, what is detected, and what the errors say.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its files must fail")]

mod faults;
mod forms;
mod headings;
mod lists;
mod parquet_tables;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use zoologist::base::Targets;
use zoologist::data::{Dataset, Error, Inputs, Split, TableOptions, open, open_unlabelled};

struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, name: &str) -> Result<Dataset, Error> {
        open(&self.path(name), &TableOptions::default())
    }

    /// The error of opening a file, its folder written as DIR.
    fn refusal(&self, name: &str, options: &TableOptions) -> String {
        let error = open(&self.path(name), options).unwrap_err().to_string();
        error.replace(&*self.0.path().to_string_lossy(), "DIR")
    }
}

fn texts(dataset: &Dataset) -> Vec<(String, Option<String>)> {
    let Inputs::Texts(rows) = &dataset.inputs else { panic!("no texts") };
    let mut found = vec![(String::new(), None); dataset.inputs.len()];
    rows.each(&mut |place, first, second| {
        found[place] = (first.to_owned(), second.map(str::to_owned));
        Ok::<(), Error>(())
    })
    .unwrap();
    found
}

fn labels(dataset: &Dataset) -> Vec<String> {
    let Some(Targets::Classes(classes)) = &dataset.targets else { panic!("no classes: {:?}", dataset.targets) };
    classes.index().iter().map(|&class| classes.names()[class as usize].clone()).collect()
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

const CSV: &str =
    "id,text,label,split\n1,\"a, \"\"b\"\"\nc\",x,train\n2,  naïve ,y,test\n3,plain text of a row,x,train\n";
const TSV: &str = "id\ttext\tlabel\tsplit\n1\t\"a, \"\"b\"\"\nc\"\tx\ttrain\n2\t  naïve \ty\ttest\n3\tplain text of a row\tx\ttrain\n";
const JSONL: &str = "{\"id\":1,\"text\":\"a, \\\"b\\\"\\nc\",\"label\":\"x\",\"split\":\"train\"}\n\n\
    {\"id\":2,\"text\":\"  naïve \",\"label\":\"y\",\"split\":\"test\"}\n\
    {\"id\":3,\"text\":\"plain text of a row\",\"label\":\"x\",\"split\":\"train\"}\n";

#[test]
fn the_same_rows_are_read_from_every_text_format() {
    let folder = Folder::with(&[("t.csv", CSV), ("t.tsv", TSV), ("t.jsonl", JSONL), ("t.ndjson", JSONL)]);
    for name in ["t.csv", "t.tsv", "t.jsonl", "t.ndjson"] {
        let dataset = folder.open(name).unwrap();
        let expected = ["a, \"b\"\nc", "  naïve ", "plain text of a row"].map(|text| (text.to_owned(), None));
        assert_eq!(texts(&dataset), expected, "{name}");
        assert_eq!(labels(&dataset), ["x", "y", "x"], "{name}");
        assert_eq!(dataset.splits, [Some(Split::Train), Some(Split::Test), Some(Split::Train)], "{name}");
        assert_eq!(texts(&Dataset { inputs: dataset.inputs.select(&[2, 0]), ..dataset.clone() })[0], expected[2]);
    }
}

#[test]
fn pairs_numbers_and_several_labels_are_detected_and_said() {
    let folder = Folder::with(&[
        ("pair.csv", "sentence1,sentence2,label\na man,a person,1\nb,c,0\n"),
        ("numbers.csv", "text,score\nhow nice,0.5\nhow bad,-0.25\n"),
        ("many.csv", "text,a,b\nhow nice,1,0\nhow bad,0,1\nso so,1,1\n"),
        (
            "lists.jsonl",
            "{\"text\":\"p\",\"labels\":[\"z\",\"a\"]}\n{\"text\":\"q\",\"labels\":[]}\n{\"text\":\"r\",\"labels\":[\"a\"]}\n",
        ),
    ]);
    let pair = folder.open("pair.csv").unwrap();
    assert_eq!(texts(&pair)[0], ("a man".to_owned(), Some("a person".to_owned())));
    assert!(
        pair.notes[1].contains("pairs of texts in `sentence1` and `sentence2`, labels in `label`"),
        "{:?}",
        pair.notes
    );
    let Some(Targets::Regression(found)) = folder.open("numbers.csv").unwrap().targets else { panic!() };
    assert_eq!(found.names(), ["score"]);
    assert_eq!((found.row(0), found.row(1)), (&[0.5][..], &[-0.25][..]));
    let many = folder.open("many.csv").unwrap();
    assert!(many.notes.iter().any(|note| note.starts_with("2 columns of 0 and 1 are taken as yes/no labels")));
    let options = TableOptions { label: columns(&["a", "b"]), ..TableOptions::default() };
    for targets in [many.targets, open(&folder.path("many.csv"), &options).unwrap().targets] {
        let Some(Targets::Multilabel(found)) = targets else { panic!() };
        assert_eq!((found.names(), found.row(2)), (&columns(&["a", "b"])[..], &[1.0, 1.0][..]));
    }
    let Some(Targets::Multilabel(found)) = folder.open("lists.jsonl").unwrap().targets else { panic!() };
    assert_eq!(
        (found.names(), found.row(0), found.row(1)),
        (&columns(&["a", "z"])[..], &[1.0, 1.0][..], &[0.0, 0.0][..])
    );
}

#[test]
fn a_folder_with_a_table_per_split_is_one_data_set() {
    let folder = Folder::with(&[
        ("set/train.csv", "text,label\nfirst text,a\nsecond text,b\n"),
        ("set/test.csv", "text,label\nthird text,a\n"),
        ("hub/data/train-00000-of-00001.jsonl", "{\"text\":\"p q\",\"label\":1}\n{\"text\":\"r\",\"label\":0}\n"),
    ]);
    let dataset = folder.open("set").unwrap();
    assert_eq!(dataset.splits, [Some(Split::Test), Some(Split::Train), Some(Split::Train)]);
    assert_eq!(texts(&dataset)[0].0, "third text");
    assert_eq!(folder.open("hub").unwrap().splits, [Some(Split::Train); 2]);
}

#[test]
fn a_table_for_the_test_without_labels_is_left_out_and_said() {
    let folder = Folder::with(&[
        ("set/train.csv", "text,label\nfirst text,a\nsecond text,b\n"),
        ("set/test.csv", "text\nthird text\n"),
        ("glue/train.jsonl", "{\"sentence\":\"p q\",\"label\":1}\n{\"sentence\":\"r\",\"label\":0}\n"),
        ("glue/test.jsonl", "{\"sentence\":\"p q\",\"label\":-1}\n"),
        ("bad/train.csv", "text,label\nfirst text,a\nsecond text,b\n"),
        ("bad/valid.csv", "text\nthird text\n"),
    ]);
    let dataset = folder.open("set").unwrap();
    assert_eq!((dataset.splits.clone(), texts(&dataset)[1].0.as_str()), (vec![Some(Split::Train); 2], "second text"));
    assert!(
        dataset.notes.iter().any(|note| note.ends_with("test.csv: left out, for it has no labels: no column `label`."))
    );
    let glue = folder.open("glue").unwrap();
    assert!(
        glue.notes.iter().any(|note| note.ends_with("left out, for it has no labels: `label` is -1 in every row."))
    );
    assert_eq!(glue.inputs.len(), 2);
    let found = folder.refusal("bad", &TableOptions::default());
    assert_eq!(found, "DIR/bad/valid.csv: has no column label. It has: text (text).");
    assert_eq!(open_unlabelled(&folder.path("set"), &TableOptions::default()).unwrap().inputs.len(), 3);
}

#[test]
fn paths_of_pictures_make_a_data_set_of_pictures() {
    let folder = Folder::with(&[
        ("t.csv", "image,label\np/a.png,x\np/b.png,y\np/none.png,y\n"),
        ("p/a.png", ""),
        ("p/b.png", ""),
    ]);
    let dataset = folder.open("t.csv").unwrap();
    assert!(matches!(&dataset.inputs, Inputs::Pictures(found) if found.len() == 2));
    assert_eq!(dataset.skipped[0].1, "line 4: there is no such picture");
}

#[test]
fn rows_without_a_text_or_label_are_left_out_and_named() {
    let folder = Folder::with(&[("t.csv", "text,label\nsome text,a\n  ,b\nmore text,\nother text,b\n")]);
    let dataset = folder.open("t.csv").unwrap();
    assert_eq!(labels(&dataset), ["a", "b"]);
    let reasons: Vec<&str> = dataset.skipped.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["line 3: its text is empty", "line 4: has no label"]);
    assert!(dataset.notes.iter().any(|note| note.contains("2 classes have a single sample (the first: a)")));
    let unlabelled = open_unlabelled(&folder.path("t.csv"), &TableOptions::default()).unwrap();
    assert_eq!((unlabelled.inputs.len(), unlabelled.targets), (3, None));
}

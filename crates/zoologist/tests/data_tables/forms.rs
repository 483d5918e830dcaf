//! The same random rows in every format give the same samples.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;
use zoologist::base::Targets;
use zoologist::data::{Dataset, TableOptions, open};

use super::parquet_tables::{Cells, plain, write};
use super::texts;

/// One column of labels.
#[derive(Debug, Clone)]
enum Labels {
    Names(Vec<&'static str>),
    Integers(Vec<i64>),
    Fractions(Vec<f64>),
}

impl Labels {
    fn in_text(&self) -> Vec<String> {
        match self {
            Self::Names(names) => names.iter().map(ToString::to_string).collect(),
            Self::Integers(numbers) => numbers.iter().map(ToString::to_string).collect(),
            Self::Fractions(numbers) => numbers.iter().map(ToString::to_string).collect(),
        }
    }

    fn in_json(&self) -> Vec<serde_json::Value> {
        match self {
            Self::Names(names) => names.iter().map(|name| json!(name)).collect(),
            Self::Integers(numbers) => numbers.iter().map(|number| json!(number)).collect(),
            Self::Fractions(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        }
    }

    fn in_parquet(&self) -> (&'static str, Cells) {
        match self {
            Self::Names(names) => {
                ("required binary label (UTF8);", Cells::Text(names.iter().map(ToString::to_string).collect()))
            }
            Self::Integers(numbers) => ("required int64 label;", Cells::Long(numbers.clone())),
            Self::Fractions(numbers) => ("required double label;", Cells::Double(numbers.clone())),
        }
    }
}

fn separated(path: &Path, delimiter: u8, texts: &[String], labels: &Labels) {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_path(path).unwrap();
    writer.write_record(["text", "label"]).unwrap();
    for (text, label) in texts.iter().zip(labels.in_text()) {
        writer.write_record([text, &label]).unwrap();
    }
    writer.flush().unwrap();
}

/// The rows in every format.
fn write_all(folder: &Path, texts: &[String], labels: &Labels) -> [PathBuf; 4] {
    let paths = ["t.csv", "t.tsv", "t.jsonl", "t.parquet"].map(|name| folder.join(name));
    separated(&paths[0], b',', texts, labels);
    separated(&paths[1], b'\t', texts, labels);
    let line = |(text, label): (&String, serde_json::Value)| format!("{}\n", json!({"text": text, "label": label}));
    let lines: String = texts.iter().zip(labels.in_json()).map(line).collect();
    std::fs::write(&paths[2], lines).unwrap();
    let (schema, cells) = labels.in_parquet();
    let schema = format!("required binary text (UTF8); {schema}");
    write(&paths[3], &schema, &[vec![plain(Cells::Text(texts.to_vec())), plain(cells)]]);
    paths
}

/// What is the same in all formats.
fn essence(dataset: &Dataset) -> (Vec<String>, Option<Targets>, usize) {
    let texts = texts(dataset).into_iter().map(|(text, _)| text).collect();
    (texts, dataset.targets.clone(), dataset.skipped.len())
}

fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-z\"'][a-z,;\"' \\t\\r\\né☃\\\\]{0,12}[a-z\"]",
        1 => Just(String::new()),
        1 => Just(" \t ".to_owned()),
    ]
}

fn some_labels(count: usize) -> impl Strategy<Value = Labels> {
    let name = prop::sample::select(vec!["x", "ß y", "a,\"b\"", "two\nlines"]);
    prop_oneof![
        prop::collection::vec(name, count).prop_map(Labels::Names),
        prop::collection::vec(-2..2_i64, count).prop_map(Labels::Integers),
        prop::collection::vec((-9..9_i32).prop_map(|number| f64::from(number) / 4.0 + 0.125), count)
            .prop_map(Labels::Fractions),
    ]
}

fn some_rows() -> impl Strategy<Value = (Vec<String>, Labels)> {
    (2..9_usize).prop_flat_map(|count| (prop::collection::vec(a_text(), count), some_labels(count)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_rows_are_the_same_samples_in_every_format((rows, labels) in some_rows()) {
        let folder = tempfile::tempdir().unwrap();
        let paths = write_all(folder.path(), &rows, &labels);
        let options = TableOptions { text: vec!["text".to_owned()], ..TableOptions::default() };
        let [csv, others @ ..] = paths.map(|path| open(&path, &options).map(|found| essence(&found)));
        for other in others {
            match (&csv, other) {
                (Ok(csv), Ok(other)) => prop_assert_eq!(csv, &other),
                (Err(_), Err(_)) => {}
                (csv, other) => prop_assert!(false, "{:?} and {:?}", csv, other),
            }
        }
    }
}

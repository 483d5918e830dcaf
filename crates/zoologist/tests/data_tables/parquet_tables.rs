//! Tables in Parquet files.

use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use zoologist::base::Targets;
use zoologist::data::Split;

use super::{Folder, columns, labels, texts};

/// The values of a column in one group of rows.
pub enum Cells {
    Text(Vec<String>),
    Long(Vec<i64>),
    Double(Vec<f64>),
}

/// The values with their definition and repetition levels.
pub type Column = (Cells, Option<Vec<i16>>, Option<Vec<i16>>);

/// A column without nulls or lists.
pub fn plain(cells: Cells) -> Column {
    (cells, None, None)
}

fn text(cells: &[&str]) -> Cells {
    Cells::Text(columns(cells))
}

/// Writes a file with these groups of rows.
pub fn write(path: &Path, schema: &str, groups: &[Vec<Column>]) {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::new())).unwrap();
    for group in groups {
        let mut rows = writer.next_row_group().unwrap();
        for (cells, definitions, repetitions) in group {
            let mut column = rows.next_column().unwrap().unwrap();
            macro_rules! put {
                ($kind:ty, $values:expr) => {{
                    let values: Vec<<$kind as DataType>::T> = $values;
                    let (definitions, repetitions) = (definitions.as_deref(), repetitions.as_deref());
                    column.typed::<$kind>().write_batch(&values, definitions, repetitions).unwrap();
                }};
            }
            match cells {
                Cells::Text(values) => {
                    put!(ByteArrayType, values.iter().map(|text| ByteArray::from(text.as_str())).collect());
                }
                Cells::Long(values) => put!(Int64Type, values.clone()),
                Cells::Double(values) => put!(DoubleType, values.clone()),
            }
            column.close().unwrap();
        }
        rows.close().unwrap();
    }
    writer.close().unwrap();
}

const TEXT: &str = "optional binary text (UTF8);";

#[test]
fn texts_names_and_splits_are_read_over_groups_of_rows() {
    let folder = Folder::with(&[]);
    let schema = format!("{TEXT} required binary label (UTF8); required binary split (UTF8);");
    let group = |first: &str, label: &str, split: &str| {
        vec![(text(&[first]), Some(vec![1, 0]), None), plain(text(&[label, "x"])), plain(text(&[split, split]))]
    };
    write(&folder.path("t.parquet"), &schema, &[group("a b", "x", "train"), group("c d", "y", "test")]);
    let dataset = folder.open("t.parquet").unwrap();
    assert_eq!(texts(&dataset).into_iter().map(|(text, _)| text).collect::<Vec<_>>(), ["a b", "c d"]);
    assert_eq!(labels(&dataset), ["x", "y"]);
    assert_eq!(dataset.splits, [Some(Split::Train), Some(Split::Test)]);
    let skipped: Vec<&str> = dataset.skipped.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(skipped, ["row 1 (counted from 0): has no text", "row 3 (counted from 0): has no text"]);
}

#[test]
fn pairs_and_whole_numbers_are_read() {
    let folder = Folder::with(&[]);
    let schema = "required binary premise (UTF8); required binary hypothesis (UTF8); required int64 label;";
    let group = vec![plain(text(&["a", "b"])), plain(text(&["c", "d"])), plain(Cells::Long(vec![1, 0]))];
    write(&folder.path("t.parquet"), schema, &[group]);
    let dataset = folder.open("t.parquet").unwrap();
    assert_eq!(texts(&dataset)[1], ("b".to_owned(), Some("d".to_owned())));
    assert_eq!(labels(&dataset), ["1", "0"]);
}

#[test]
fn lists_of_labels_are_several_labels() {
    let folder = Folder::with(&[]);
    let list = "optional group labels (LIST) { repeated group list { optional binary element (UTF8); } }";
    let lists = (text(&["z", "a", "a"]), Some(vec![3, 3, 1, 3]), Some(vec![0, 1, 0, 0]));
    let group = vec![(text(&["p", "q", "r"]), Some(vec![1; 3]), None), lists];
    write(&folder.path("t.parquet"), &format!("{TEXT} {list}"), &[group]);
    let Some(Targets::Multilabel(found)) = folder.open("t.parquet").unwrap().targets else { panic!() };
    assert_eq!(found.names(), ["a", "z"]);
    assert_eq!([found.row(0), found.row(1), found.row(2)], [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]);
}

#[test]
fn nan_and_infinity_are_missing_numbers() {
    let folder = Folder::with(&[]);
    let schema = format!("{TEXT} required double score;");
    for missing in [f64::NAN, f64::INFINITY] {
        let numbers = Cells::Double(vec![0.5, missing, -1.5]);
        let rows = vec![vec![(text(&["p", "q", "r"]), Some(vec![1; 3]), None), plain(numbers)]];
        write(&folder.path("t.parquet"), &schema, &rows);
        let dataset = folder.open("t.parquet").unwrap();
        let Some(Targets::Regression(found)) = dataset.targets else { panic!() };
        assert_eq!((found.names(), found.row(0), found.row(1)), (&columns(&["score"])[..], &[0.5][..], &[-1.5][..]));
        assert!(dataset.skipped[0].1.starts_with("row 1 (counted from 0): "), "{}", dataset.skipped[0].1);
    }
}

#[test]
fn files_of_splits_are_one_data_set() {
    let folder = Folder::with(&[("data/README", "")]);
    let schema = format!("{TEXT} required int64 label;");
    let rows = |first: &str, second: &str| {
        vec![vec![(text(&[first, second]), Some(vec![1; 2]), None), plain(Cells::Long(vec![0, 1]))]]
    };
    write(&folder.path("data/train-00000-of-00002.parquet"), &schema, &rows("a", "b"));
    write(&folder.path("data/train-00001-of-00002.parquet"), &schema, &rows("c", "d"));
    write(&folder.path("data/test-00000-of-00001.parquet"), "required int64 id;", &[vec![plain(Cells::Long(vec![0]))]]);
    let dataset = folder.open("").unwrap();
    assert_eq!(dataset.splits, [Some(Split::Train); 4]);
    assert_eq!(texts(&dataset)[3].0, "d");
    assert!(dataset.notes.iter().any(|note| note.contains("test-00000-of-00001.parquet: left out")));
}

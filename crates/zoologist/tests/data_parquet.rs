//! Features and labels in Parquet files.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its files must fail")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::TempDir;
use zoologist::base::{Features, Seed, Targets, Task, Values};
use zoologist::data::rows::{self, Precision};
use zoologist::data::{Error, features, labels};

/// The values of a column in one group of rows, with their definition and repetition levels.
enum Cells {
    Float(Vec<f32>),
    Double(Vec<f64>),
    Int(Vec<i32>),
    Long(Vec<i64>),
    Bool(Vec<bool>),
    Text(Vec<&'static str>),
    Half(Vec<u16>),
}

type Column = (Cells, Option<Vec<i16>>, Option<Vec<i16>>);

fn plain(cells: Cells) -> Column {
    (cells, None, None)
}

/// Lists of `width` values, none of them null.
fn lists(cells: Cells, count: usize, width: usize) -> Column {
    let repetitions = (0..count).map(|place| i16::from(place % width != 0)).collect();
    (cells, Some(vec![3; count]), Some(repetitions))
}

/// A file with these groups of rows.
fn write(path: &Path, schema: &str, groups: &[Vec<Column>], properties: WriterProperties) {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
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
                Cells::Float(values) => put!(FloatType, values.clone()),
                Cells::Double(values) => put!(DoubleType, values.clone()),
                Cells::Int(values) => put!(Int32Type, values.clone()),
                Cells::Long(values) => put!(Int64Type, values.clone()),
                Cells::Bool(values) => put!(BoolType, values.clone()),
                Cells::Text(values) => put!(ByteArrayType, values.iter().map(|&text| ByteArray::from(text)).collect()),
                Cells::Half(values) => put!(
                    FixedLenByteArrayType,
                    values.iter().map(|value| FixedLenByteArray::from(value.to_le_bytes().to_vec())).collect()
                ),
            }
            column.close().unwrap();
        }
        rows.close().unwrap();
    }
    writer.close().unwrap();
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, schema: &str, groups: &[Vec<Column>]) -> PathBuf {
        let path = self.0.path().join("t.parquet");
        write(&path, schema, groups, WriterProperties::new());
        path
    }

    fn problem(&self, error: &Error) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    fn refused(&self, schema: &str, group: Vec<Column>) -> String {
        self.problem(&features::read(&self.write(schema, &[group])).unwrap_err())
    }
}

fn f64s(features: &Features) -> Vec<f64> {
    let mut values = Vec::new();
    features.visit(0..features.rows(), |_, _, value| values.push(value));
    values
}

const LISTS: &str = "optional group features (LIST) { repeated group list { optional float element; } }";

#[test]
fn one_column_for_each_dimension_is_a_matrix_and_the_label_is_not_part_of_it() {
    let folder = Folder::new();
    let path = folder.write(
        "required float a; required boolean b; required binary name (STRING); required int32 c; required int64 y; \
         required int32 day (DATE); required int64 __index_level_0__;",
        &[vec![
            plain(Cells::Float(vec![0.5, 1.5, 2.5])),
            plain(Cells::Bool(vec![true, false, true])),
            plain(Cells::Text(vec!["p", "q", "r"])),
            plain(Cells::Int(vec![-1, 0, 7])),
            plain(Cells::Long(vec![3, 3, 10])),
            plain(Cells::Int(vec![1, 2, 3])),
            plain(Cells::Long(vec![0, 1, 2])),
        ]],
    );
    let features = features::read(&path).unwrap();
    assert_eq!(features.values(), &Values::F64(vec![0.5, 1.0, -1.0, 1.5, 0.0, 0.0, 2.5, 1.0, 7.0]));
    let labels = labels::read(&path, None).unwrap();
    assert_eq!(labels.targets.names(), ["3", "10"]);
    assert_eq!(labels.note, "Labels: 3 rows, taken as 2 classes.");
}

#[test]
fn lists_of_one_length_are_a_matrix_over_groups_of_rows_in_blocks_of_any_size() {
    let folder = Folder::new();
    let value = |place: usize| place as f32 / 4.0;
    let group = |from: usize, rows: usize| {
        let values = (from * 3..(from + rows) * 3).map(value).collect();
        vec![lists(Cells::Float(values), rows * 3, 3), plain(Cells::Text(vec!["a"; rows]))]
    };
    let schema = format!("{LISTS} required binary label (STRING);");
    let path = folder.write(&schema, &[group(0, 5), group(5, 1), group(6, 40)]);
    let expected: Vec<f64> = (0..46 * 3).map(|place| value(place).into()).collect();
    let mut reader = rows::open(&path).unwrap();
    assert_eq!((reader.rows(), reader.dim(), reader.precision(), reader.seekable()), (46, 3, Precision::Single, false));
    for most in [1, 4, 6, 46, 1000] {
        let mut read = Vec::new();
        while let Some(block) = reader.next_block(most).unwrap() {
            assert_eq!(block.rows(), most.min(46 - read.len() / 3));
            read.extend(f64s(&block));
        }
        assert_eq!(read, expected);
        reader.rewind();
    }
    let mut block = reader.no_rows();
    for wanted in [vec![45], vec![0, 44], vec![3, 4, 5, 6, 7]] {
        reader.read(&wanted, &mut block).unwrap();
        let rows: Vec<f64> = wanted.iter().flat_map(|row| expected[row * 3..row * 3 + 3].to_vec()).collect();
        assert_eq!(f64s(&block), rows);
    }
}

#[test]
fn every_packing_and_encoding_is_read() {
    let folder = Folder::new();
    let path = folder.0.path().join("t.parquet");
    let values: Vec<f32> = (0..3000).map(|place| (place % 17) as f32).collect();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(parquet::basic::GzipLevel::default()),
        Compression::BROTLI(parquet::basic::BrotliLevel::default()),
        Compression::ZSTD(parquet::basic::ZstdLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ] {
        for (dictionary, encoding) in
            [(true, Encoding::PLAIN), (false, Encoding::PLAIN), (false, Encoding::BYTE_STREAM_SPLIT)]
        {
            for version in [
                parquet::file::properties::WriterVersion::PARQUET_1_0,
                parquet::file::properties::WriterVersion::PARQUET_2_0,
            ] {
                let properties = WriterProperties::builder()
                    .set_compression(compression)
                    .set_dictionary_enabled(dictionary)
                    .set_encoding(encoding)
                    .set_writer_version(version)
                    .set_data_page_row_count_limit(100)
                    .set_write_batch_size(64)
                    .build();
                write(&path, LISTS, &[vec![lists(Cells::Float(values.clone()), 3000, 3)]], properties);
                let found = features::read(&path).unwrap();
                assert_eq!(
                    (found.dim(), found.values()),
                    (3, &Values::F32(values.clone())),
                    "{compression} {encoding}"
                );
            }
        }
    }
}

#[test]
fn numbers_of_half_precision_and_without_sign_are_read() {
    let folder = Folder::new();
    let path = folder.write(
        "required fixed_len_byte_array(2) a (FLOAT16); required int32 b (INTEGER(32,false)); required double c;",
        &[vec![
            plain(Cells::Half(vec![0x3c00, 0xc000])),
            plain(Cells::Int(vec![-1, 1])),
            plain(Cells::Double(vec![0.25, 1e300])),
        ]],
    );
    assert_eq!(f64s(&features::read(&path).unwrap()), [1.0, 4_294_967_295.0, 0.25, -2.0, 1.0, 1e300]);
}

#[test]
fn cells_that_cannot_be_used_are_named_by_row_and_column() {
    let folder = Folder::new();
    let nan = plain(Cells::Float(vec![1.0, f32::NAN]));
    assert_eq!(
        folder.refused("required float a; required float b;", vec![plain(Cells::Float(vec![1.0, 2.0])), nan]),
        "t.parquet: features contain NaN or infinity (first at row 1, column 1). Drop those rows or extract again."
    );
    let null = (Cells::Float(vec![1.0]), Some(vec![1, 0]), None);
    assert_eq!(
        folder.refused("optional float a;", vec![null]),
        "t.parquet: row 1 (counted from 0) has no value in column a. Fill it in or drop the row."
    );
    let values = |count: usize| Cells::Float(vec![1.0; count]);
    let cases: [(Column, &str); 5] = [
        (
            (values(3), Some(vec![3, 3, 3, 2]), Some(vec![0, 1, 0, 1])),
            "t.parquet: row 1, place 1 (counted from 0) of column features is null. Fill it in or drop the row.",
        ),
        (
            (values(2), Some(vec![3, 3, 0]), Some(vec![0, 1, 0])),
            "t.parquet: row 1, place 0 (counted from 0) of column features is null. Fill it in or drop the row.",
        ),
        (
            (values(3), Some(vec![3; 3]), Some(vec![0, 1, 0])),
            "t.parquet: row 1 (counted from 0) has 1 values in column features, the rows before have 2.",
        ),
        (
            (values(4), Some(vec![3; 4]), Some(vec![0, 0, 1, 1])),
            "t.parquet: row 1 (counted from 0) has 3 values in column features, the rows before have 1.",
        ),
        ((values(1), Some(vec![1, 3]), Some(vec![0, 0])), "t.parquet: has an empty list in row 0 (counted from 0)."),
    ];
    for (column, problem) in cases {
        assert_eq!(folder.refused(LISTS, vec![column]), problem);
    }
}

#[test]
fn files_without_features_are_refused_with_what_they_hold() {
    let folder = Folder::new();
    assert_eq!(
        folder.refused(
            "required binary name (STRING); required int64 y;",
            vec![plain(Cells::Text(vec!["a"])), plain(Cells::Long(vec![1]))]
        ),
        "t.parquet: which array is meant? It holds name (text), y (numbers). Name one of them features, X, x, \
         embeddings, embedding."
    );
    assert_eq!(
        folder.refused("required float a;", vec![plain(Cells::Float(vec![]))]),
        "t.parquet: is empty: it holds no values."
    );
    let path = folder.0.path().join("t.parquet");
    for content in [b"".as_slice(), b"PAR1", b"PAR1PAR1", b"\x93NUMPY", &[0; 1000]] {
        std::fs::write(&path, content).unwrap();
        let problem = folder.problem(&features::read(&path).unwrap_err());
        assert!(problem.starts_with("t.parquet: can't be read as Parquet: "), "{problem}");
    }
}

#[test]
fn labels_are_taken_for_what_they_look_like() {
    let folder = Folder::new();
    let both = "repeated float features;";
    let cases: Vec<(&str, Column, Task, &[&str])> = vec![
        (
            "required binary label (STRING);",
            plain(Cells::Text(vec!["cat", "dog"])),
            Task::Classification,
            &["cat", "dog"],
        ),
        ("required binary anything;", plain(Cells::Text(vec!["10", "9"])), Task::Classification, &["9", "10"]),
        ("required boolean y;", plain(Cells::Bool(vec![true, false])), Task::Classification, &["0", "1"]),
        ("required int32 target;", plain(Cells::Int(vec![5, -5])), Task::Classification, &["-5", "5"]),
        ("required double price;", plain(Cells::Double(vec![0.5, 2.0])), Task::Regression, &["price"]),
        (
            "required group y (LIST) { repeated group list { optional int32 element; } }",
            (Cells::Int(vec![0, 1, 1, 1]), Some(vec![2; 4]), Some(vec![0, 1, 0, 1])),
            Task::Multilabel,
            &["0", "1"],
        ),
    ];
    for (schema, column, task, names) in cases {
        let path = folder.write(schema, &[vec![column]]);
        let targets = labels::read(&path, None).unwrap().targets;
        assert_eq!((targets.task(), targets.len()), (task, 2), "{schema}");
        assert_eq!(targets.names(), names, "{schema}");
    }
    let numbers = || plain(Cells::Int(vec![1, 0]));
    let path = folder.write("required int32 red; required int32 big;", &[vec![numbers(), numbers()]]);
    let targets = labels::read(&path, None).unwrap().targets;
    assert_eq!((targets.task(), targets.names()), (Task::Multilabel, ["red".to_owned(), "big".to_owned()].as_slice()));
    let path = folder.write(both, &[vec![(Cells::Float(vec![1.0; 4]), Some(vec![1; 4]), Some(vec![0, 1, 0, 1]))]]);
    assert_eq!(features::read(&path).unwrap().dim(), 2);
    let null = (Cells::Text(vec!["a"]), Some(vec![1, 0]), None);
    let path = folder.write("optional binary label (STRING);", &[vec![null]]);
    assert_eq!(
        folder.problem(&labels::read(&path, None).unwrap_err()),
        "t.parquet: row 1 (counted from 0) has no value in column label. Fill it in or drop the row."
    );
}

/// Whatever the bytes, reading ends with values or an error.
#[test]
fn damaged_files_are_refused_or_read_but_never_panic() {
    let folder = Folder::new();
    let path = folder.0.path().join("t.parquet");
    let schema = format!("{LISTS} required binary label (STRING); required int64 id;");
    let values: Vec<f32> = (0..120).map(|place| (place % 7) as f32).collect();
    let group = || {
        vec![
            lists(Cells::Float(values.clone()), 120, 3),
            plain(Cells::Text(["a", "b", "c", "d"].repeat(10))),
            plain(Cells::Long((0..40).collect())),
        ]
    };
    let (mut refused, mut read) = (0, 0);
    for compression in
        [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(parquet::basic::ZstdLevel::default())]
    {
        write(&path, &schema, &[group(), group()], WriterProperties::builder().set_compression(compression).build());
        let good = std::fs::read(&path).unwrap();
        for seed in 0..300 {
            let mut content = good.clone();
            let mut stream = Seed(seed).stream("damage", "");
            for _ in 0..=stream.below(3) {
                let place = stream.below(content.len());
                content[place] ^= 1 << stream.below(8);
            }
            if stream.below(10) == 0 {
                content.truncate(stream.below(good.len()));
            }
            std::fs::write(&path, content).unwrap();
            let targets = labels::read(&path, None).is_ok_and(|labels| matches!(labels.targets, Targets::Classes(_)));
            match features::read(&path) {
                Ok(_) => read += 1,
                Err(error) => {
                    refused += 1;
                    let text = error.to_string();
                    assert!(text.lines().count() <= 5 && !text.chars().any(char::is_control), "{text:?}");
                }
            }
            let _ = targets;
        }
    }
    assert!(refused > 100 && read > 100, "{refused} refused, {read} read");
}

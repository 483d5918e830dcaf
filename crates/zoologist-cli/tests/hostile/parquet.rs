//! Parquet: tables of texts, and features.

use std::sync::Arc;

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::judge::{Case, Content, Verdict, try_all};

const FILE: &str = "table.parquet";

/// The cells of a column.
#[derive(Clone)]
enum Cells {
    Text(Vec<Vec<u8>>),
    Long(Vec<i64>),
    Double(Vec<f64>),
    Float(Vec<f32>),
}

type Column = (Cells, Option<Vec<i16>>, Option<Vec<i16>>);

fn written(schema: &str, columns: &[Column], properties: WriterProperties) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
    let mut writer = SerializedFileWriter::new(vec![], schema, Arc::new(properties)).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    for (cells, definitions, repetitions) in columns {
        let mut column = rows.next_column().unwrap().unwrap();
        let (definitions, repetitions) = (definitions.as_deref(), repetitions.as_deref());
        match cells {
            Cells::Text(texts) => {
                let texts: Vec<ByteArray> = texts.iter().map(|text| text.clone().into()).collect();
                column.typed::<ByteArrayType>().write_batch(&texts, definitions, repetitions)
            }
            Cells::Long(values) => column.typed::<Int64Type>().write_batch(values, definitions, repetitions),
            Cells::Double(values) => column.typed::<DoubleType>().write_batch(values, definitions, repetitions),
            Cells::Float(values) => column.typed::<FloatType>().write_batch(values, definitions, repetitions),
        }
        .unwrap();
        column.close().unwrap();
    }
    rows.close().unwrap();
    writer.into_inner().unwrap()
}

const TEXTS: &str = "required binary text (STRING); required binary label (STRING);";

fn texts(texts: &[&[u8]]) -> Column {
    (Cells::Text(texts.iter().map(|text| text.to_vec()).collect()), None, None)
}

fn days() -> [Column; 2] {
    [
        texts(&[b"a good day", b"a bad day", "день".as_bytes(), b"a \x1b[2J day"]),
        texts(&[b"yes", b"no", b"no", b"\x07yes"]),
    ]
}

fn plain(columns: &[Column]) -> Vec<u8> {
    written(TEXTS, columns, WriterProperties::new())
}

fn packed(compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder().set_compression(compression);
    written(TEXTS, &days(), properties.build())
}

fn features(values: Cells, count: usize, width: usize) -> Vec<u8> {
    let repetitions = (0..count).map(|place| i16::from(place % width != 0)).collect();
    let kind = if matches!(values, Cells::Float(_)) { "float" } else { "double" };
    let schema = format!("required group features (LIST) {{ repeated group list {{ required {kind} element; }} }}");
    written(&schema, &[(values, Some(vec![1; count]), Some(repetitions))], WriterProperties::new())
}

fn good(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::good(name, FILE, bytes)
}

fn bad(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::bad(name, FILE, bytes)
}

pub fn controls() -> Vec<Case> {
    let builder = WriterProperties::builder;
    let optional = "optional binary text (STRING); optional binary label (STRING);";
    let [(words, ..), (labels, ..)] = days();
    let with_nulls = |cells: Cells| {
        let Cells::Text(mut texts) = cells else { return (cells, None, None) };
        texts.truncate(3);
        (Cells::Text(texts), Some(vec![1, 1, 0, 1]), None)
    };
    vec![
        good("plain", plain(&days())),
        good("snappy", packed(Compression::SNAPPY)),
        good("gzip", packed(Compression::GZIP(GzipLevel::default()))),
        good("zstd", packed(Compression::ZSTD(ZstdLevel::default()))),
        good("brotli", packed(Compression::BROTLI(BrotliLevel::default()))),
        good("lz4", packed(Compression::LZ4_RAW)),
        good("without a dictionary", written(TEXTS, &days(), builder().set_dictionary_enabled(false).build())),
        good("version 2", written(TEXTS, &days(), builder().set_writer_version(WriterVersion::PARQUET_2_0).build())),
        good("nulls", written(optional, &[with_nulls(words), with_nulls(labels)], WriterProperties::new())),
        good(
            "numbers as labels",
            written(
                "required binary text (STRING); required int64 label;",
                &[days()[0].clone(), (Cells::Long(vec![0, 1, 1, 0]), None, None)],
                WriterProperties::new(),
            ),
        ),
        good(
            "numbers to predict",
            written(
                "required binary text (STRING); required double label;",
                &[days()[0].clone(), (Cells::Double(vec![0.5, f64::NAN, 1.5, 2.5]), None, None)],
                WriterProperties::new(),
            ),
        ),
        Case::good("features", "features.parquet", features(Cells::Float(vec![0.5; 12]), 12, 3)),
        Case::good("features of doubles", "features.parquet", features(Cells::Double(vec![0.5; 12]), 12, 3)),
    ]
}

/// Columns that can be neither texts nor labels.
fn times() -> Vec<u8> {
    let column = || (Cells::Long(vec![1, 2]), None, None);
    let schema = "required int64 text (TIMESTAMP_MILLIS); required int64 label (TIMESTAMP_MILLIS);";
    written(schema, &[column(), column()], WriterProperties::new())
}

fn damaged() -> Vec<Case> {
    let whole = plain(&days());
    let end = whole.len() - 8;
    let stated = |length: u32| [&whole[..end], &length.to_le_bytes(), b"PAR1"].concat();
    let huge = u32::MAX;
    vec![
        bad("empty", ""),
        bad("magic alone", "PAR1PAR1"),
        bad("no table", "a table".repeat(100)),
        bad("zeros", vec![0; 4096]),
        bad("cut", &whole[..whole.len() / 2]),
        bad("the end cut", &whole[..whole.len() - 1]),
        bad("encrypted", [&whole[..whole.len() - 4], b"PARE"].concat()),
        bad("a footer of 4 GiB", stated(huge)),
        bad("a footer of 2 GiB", stated(huge / 2)),
        bad("no footer", stated(0)),
        bad("a footer of one byte", stated(1)),
        bad("a footer of zeros", [&whole[..4], &[0; 500], &500_u32.to_le_bytes()[..], b"PAR1"].concat()),
        bad("a footer of ones", [&whole[..4], &[0xff; 500], &500_u32.to_le_bytes()[..], b"PAR1"].concat()),
        bad("no rows", plain(&[texts(&[]), texts(&[])])),
        bad("one class", plain(&[days()[0].clone(), texts(&[b"a", b"a", b"a", b"a"])])),
        bad("not UTF-8", plain(&[texts(&[b"a b", b"c \xff", b"d", b"e"]), days()[1].clone()])),
        Case::bad(
            "features that are not numbers",
            "features.parquet",
            features(Cells::Float(vec![f32::NAN; 12]), 12, 3),
        ),
        bad("times", times()),
    ]
}

/// Small files that become large.
fn bombs() -> Vec<Case> {
    let zstd = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let large = |count: usize, bytes: usize| vec![vec![b'a'; bytes]; count];
    let page = 1 << 30;
    let properties = zstd.set_dictionary_enabled(false).set_data_page_size_limit(page).set_write_batch_size(1 << 20);
    let one_page = properties.build();
    let rows = 2000;
    let (texts, labels) =
        (Cells::Text(large(rows, 200_000)), Cells::Text((0..rows).map(|row| vec![b'a' + (row % 2) as u8]).collect()));
    let long = Cells::Text(large(20, 17 << 20));
    let short = Cells::Text((0..20).map(|row| vec![b'a' + (row % 2) as u8]).collect());
    let columns: String = (0..200_000).map(|n| format!("required double c{n};")).collect();
    let wide = vec![(Cells::Double(vec![0.5, 1.5]), None, None); 200_000];
    let width = 40_000_000;
    vec![
        bad("a page of 400 MB", written(TEXTS, &[(texts, None, None), (labels, None, None)], one_page.clone())),
        bad("texts of 17 MiB", written(TEXTS, &[(long, None, None), (short, None, None)], one_page)),
        bad("200,000 columns", written(&columns, &wide, WriterProperties::new())),
        Case::bad(
            "rows of 40 million numbers",
            "features.parquet",
            features(Cells::Float(vec![0.0; width]), width, width),
        ),
    ]
}

fn changed() -> Vec<Case> {
    let whole = plain(&days());
    let cut = |length: usize| bad(&format!("cut to {length} bytes"), &whole[..length]);
    let flipped = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x21;
        Case::file(Verdict::Any, &format!("byte {place} flipped"), FILE, bytes)
    };
    (0..whole.len()).step_by(61).map(cut).chain((0..whole.len()).step_by(7).map(flipped)).collect()
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
fn bombs_are_refused() {
    try_all(&bombs());
}

#[test]
fn changed_tables_are_refused_or_still_tables() {
    try_all(&changed());
}

#[test]
fn a_pipe_is_refused() {
    try_all(&[bad("a pipe", "").replaced(Content::Pipe)]);
}

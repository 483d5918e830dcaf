//! Features and labels from files that others wrote, some of them with bad intentions.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its files must fail")]
#![allow(clippy::default_trait_access, reason = "the options are a type of a crate that is not named here")]

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::PathBuf;

use npyz::WriterBuilder;
use npyz::npz::NpzWriter;
use proptest::prelude::*;
use tempfile::TempDir;
use zoologist::base::{Features, Targets, Task, Values};
use zoologist::data::{features, labels};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn features(&self, name: &str, content: &[u8]) -> Result<Features, String> {
        features::read(&self.put(name, content)).map_err(|error| self.message(&error))
    }

    fn labels(&self, name: &str, content: &[u8], task: Option<Task>) -> Result<labels::Labels, String> {
        labels::read(&self.put(name, content), task).map_err(|error| self.message(&error))
    }

    fn message(&self, error: &impl std::error::Error) -> String {
        let text = error.to_string();
        assert!(text.lines().count() <= 5 && !text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// A .npy of version 1 with this header entry and these bytes.
fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), values].concat()
}

fn bytes<const N: usize, T: Copy>(values: &[T], to_bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| to_bytes(value)).collect()
}

fn npz(arrays: &[(&str, Vec<u64>, Vec<f64>)]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = NpzWriter::new(&mut file);
    for (name, shape, values) in arrays {
        let mut array =
            writer.array(name, Default::default()).unwrap().default_dtype().shape(shape).begin_nd().unwrap();
        array.extend(values.iter().copied()).unwrap();
        array.finish().unwrap();
    }
    drop(writer);
    file.into_inner()
}

fn safetensors(header: &str, values: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), values].concat()
}

fn f64s(features: &Features) -> Vec<f64> {
    let mut values = Vec::new();
    features.visit(0..features.rows(), |_, _, value| values.push(value));
    values
}

#[test]
fn every_number_type_is_read_in_either_byte_order() {
    let folder = Folder::new();
    let cases = [
        ("'<f4'", bytes(&[1.0, 2.0, 3.0, 4.5_f32], f32::to_le_bytes)),
        ("'>f4'", bytes(&[1.0, 2.0, 3.0, 4.5_f32], f32::to_be_bytes)),
        ("'<f8'", bytes(&[1.0, 2.0, 3.0, 4.5_f64], f64::to_le_bytes)),
        ("'>f8'", bytes(&[1.0, 2.0, 3.0, 4.5_f64], f64::to_be_bytes)),
        ("'<f2'", bytes(&[0x3c00, 0x4000, 0x4200, 0x4480_u16], u16::to_le_bytes)),
    ];
    for (descr, values) in cases {
        let features = folder.features("x.npy", &npy(descr, false, "(2, 2)", &values)).unwrap();
        assert_eq!((features.rows(), features.dim(), f64s(&features)), (2, 2, vec![1.0, 2.0, 3.0, 4.5]), "{descr}");
    }
    for (descr, values) in [
        ("'|i1'", bytes(&[-1, 2_i8], i8::to_le_bytes)),
        ("'>i2'", bytes(&[-1, 2_i16], i16::to_be_bytes)),
        ("'<i4'", bytes(&[-1, 2_i32], i32::to_le_bytes)),
        ("'>i8'", bytes(&[-1, 2_i64], i64::to_be_bytes)),
    ] {
        let features = folder.features("x.npy", &npy(descr, false, "(2, 1)", &values)).unwrap();
        assert_eq!(features.values(), &Values::F64(vec![-1.0, 2.0]), "{descr}");
    }
}

#[test]
fn a_file_in_column_order_is_the_same_matrix() {
    let values = bytes(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0_f32], f32::to_le_bytes);
    let features = Folder::new().features("x.npy", &npy("'<f4'", true, "(2, 3)", &values)).unwrap();
    assert_eq!((features.dim(), f64s(&features)), (3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
}

#[test]
fn features_that_cannot_be_used_are_refused_with_the_reason() {
    let nan = bytes(&[1.0, 2.0, 3.0, f32::NAN], f32::to_le_bytes);
    let four = [0; 16];
    let long = [b"\x93NUMPY\x02\x00".as_slice(), &u32::MAX.to_le_bytes(), b"{"].concat();
    let cases = [
        (
            npy("'<f4'", false, "(2, 2)", &nan),
            "x.npy: features contain NaN or infinity (first at row 1, column 1). Drop those rows or extract again.",
        ),
        (npy("'<f4'", false, "(4,)", &four), "x.npy: has one dimension, but features are a table of rows and columns."),
        (npy("'<f4'", false, "(1, 2, 2)", &four), "x.npy: has the shape [1, 2, 2]: one or two dimensions are needed."),
        (npy("'<f4'", false, "(0, 4)", &[]), "x.npy: is empty: it holds no values."),
        (npy("'<U0'", false, "(4294967296, 4)", &[]), "x.npy: is empty: it holds no values."),
        (
            npy("'|O'", false, "(2, 2)", &four),
            "x.npy: holds Python objects, which are never loaded. Save plain numbers or strings.",
        ),
        (npy("[('a', '<f4')]", false, "(4,)", &four), "x.npy: holds records, not plain values."),
        (npy("'<c8'", false, "(1, 2)", &four), "x.npy: holds values of the type \"c8\", which can't be used."),
        (npy("'<U2'", false, "(1, 2)", &four), "x.npy: holds text, but features are numbers."),
        (npy("'<f4'", false, "(2, 3)", &four), "x.npy: is cut off: it ends too early."),
        (npy("'<f4'", false, "(4294967296, 4294967296, 4)", &four), "x.npy: is cut off or damaged"),
        (npy("'<f4'", false, "(1, 3)", &four), "x.npy: is damaged: it holds more values than its header says."),
        (long, "x.npy: has a header of 4294967295 bytes: more than 65536 are not read."),
        (b"PK\x03\x04 not".to_vec(), "x.npy: is not a .npy file. Save it with numpy.save."),
        (Vec::new(), "x.npy: is cut off: it ends too early."),
    ];
    let folder = Folder::new();
    for (content, message) in cases {
        let found = folder.features("x.npy", &content).unwrap_err();
        assert!(found.starts_with(message), "\nfound    {found}\nexpected {message}");
    }
}

#[test]
fn files_that_are_no_array_files_are_refused() {
    let folder = Folder::new();
    assert_eq!(
        folder.features("x.pkl", b"").unwrap_err(),
        "x.pkl: its extension is not known here. Known are: .npy, .npz, .safetensors, .parquet."
    );
    let missing = features::read(&folder.0.path().join("gone.npy")).unwrap_err();
    assert_eq!(folder.message(&missing), "gone.npy: there is no such file or folder. Check the spelling of the path.");
    fs::create_dir(folder.0.path().join("dir.npy")).unwrap();
    let directory = features::read(&folder.0.path().join("dir.npy")).unwrap_err();
    assert_eq!(folder.message(&directory), "dir.npy: is not a regular file. Give an ordinary file.");
}

#[test]
fn the_array_of_an_archive_is_found_by_name_or_by_being_the_only_one() {
    let folder = Folder::new();
    let matrix = || (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]);
    let array = |name: &'static str, (shape, values): (Vec<u64>, Vec<f64>)| (name, shape, values);
    let other = || (vec![1, 1], vec![9.0]);
    for content in [
        npz(&[array("other", other()), array("features", matrix())]),
        npz(&[array("X", matrix()), array("a", other())]),
        npz(&[array("arr_0", matrix()), ("arr_1", vec![3], vec![0.0; 3])]),
    ] {
        assert_eq!(f64s(&folder.features("x.npz", &content).unwrap()), [1.0, 2.0, 3.0, 4.0]);
    }
    let unclear = npz(&[array("a", matrix()), array("b", other())]);
    assert_eq!(
        folder.features("x.npz", &unclear).unwrap_err(),
        "x.npz: which array is meant? It holds a [2, 2], b [1, 1]. Name one of them features, X, x, embeddings."
    );
    let empty = npz(&[]);
    assert!(folder.features("x.npz", &empty).unwrap_err().contains("It holds no arrays"));
}

#[test]
fn features_and_labels_can_share_an_archive() {
    let folder = Folder::new();
    let path =
        folder.put("both.npz", &npz(&[("X", vec![3, 1], vec![1.0, 2.0, 3.0]), ("y", vec![3], vec![0.5, 1.5, 2.5])]));
    assert_eq!(features::read(&path).unwrap().rows(), 3);
    assert_eq!(labels::read(&path, None).unwrap().targets.task(), Task::Regression);
}

#[test]
fn an_archive_with_one_wrong_byte_is_refused_or_gives_the_same_numbers() {
    let folder = Folder::new();
    let good = npz(&[("X", vec![3, 4], (0..12).map(f64::from).collect())]);
    let expected = folder.features("x.npz", &good).unwrap();
    let mut refused = 0;
    for place in 0..good.len() {
        let mut content = good.clone();
        content[place] ^= 0x10;
        match folder.features("x.npz", &content) {
            Ok(features) => assert_eq!(features, expected, "byte {place}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > good.len() / 4, "{refused} of {}", good.len());
}

/// 8 MiB of zeros packed into 8 KiB, behind a header that claims 16 numbers.
#[test]
fn what_an_archive_holds_beyond_its_shape_is_not_unpacked() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = NpzWriter::new(&mut file);
    writer.zip_writer().start_file("X.npy", Default::default()).unwrap();
    writer.zip_writer().write_all(&npy("'<f4'", false, "(4, 4)", &vec![0; 8 << 20])).unwrap();
    drop(writer);
    let content = file.into_inner();
    assert!(content.len() < 64 << 10);
    let error = Folder::new().features("x.npz", &content).unwrap_err();
    assert_eq!(error, "x.npz: its array X is damaged: it holds more values than its header says.");
}

#[test]
fn safetensors_are_read_in_every_float_type() {
    let folder = Folder::new();
    for (kind, values) in [
        ("F16", bytes(&[0x3c00, 0xc000_u16], u16::to_le_bytes)),
        ("BF16", bytes(&[0x3f80, 0xc000_u16], u16::to_le_bytes)),
        ("F32", bytes(&[1.0, -2.0_f32], f32::to_le_bytes)),
        ("F64", bytes(&[1.0, -2.0_f64], f64::to_le_bytes)),
    ] {
        let length = values.len();
        let header = format!(r#"{{"anything":{{"dtype":"{kind}","shape":[2,1],"data_offsets":[0,{length}]}}}}"#);
        let features = folder.features("x.safetensors", &safetensors(&header, &values)).unwrap();
        assert_eq!(f64s(&features), [1.0, -2.0], "{kind}");
    }
}

#[test]
fn the_named_tensor_is_read_from_its_place() {
    let header = r#"{"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"features":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]}}"#;
    let content = safetensors(header, &bytes(&[9.0, 1.0, 2.0_f32], f32::to_le_bytes));
    assert_eq!(f64s(&Folder::new().features("x.safetensors", &content).unwrap()), [1.0, 2.0]);
}

#[test]
fn safetensors_that_lie_are_refused() {
    let one = |shape: &str, end: u64| format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
    let cases = [
        (safetensors("{}", &[]), "which array is meant? It holds no arrays"),
        (safetensors("{]", &[]), "is not a .safetensors file: its header is damaged"),
        (
            safetensors(&one("[1,1]", 4), &[0; 8]),
            "is cut off or damaged: its header describes a file of another length",
        ),
        (safetensors(&one("[2,2]", 4), &[0; 4]), "is not a .safetensors file: its header is damaged"),
        (safetensors(&one("[4294967296,4294967296,4]", 4), &[0; 4]), "is not a .safetensors file"),
        (u64::MAX.to_le_bytes().to_vec(), "is not a .safetensors file: its header is longer than the file"),
        (vec![1, 2], "is cut off"),
    ];
    let folder = Folder::new();
    for (content, message) in cases {
        let found = folder.features("x.safetensors", &content).unwrap_err();
        assert!(found.contains(message), "\nfound    {found}\nexpected {message}");
    }
}

#[test]
fn labels_of_arrays_are_taken_for_what_they_look_like() {
    let integers = bytes(&[3, 10, 3, 9_i64], i64::to_le_bytes);
    let text: Vec<u8> = "catdogcatdog".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let fractions = bytes(&[0.5, 1.0, 2.0, 3.0_f32], f32::to_le_bytes);
    let cases: Vec<(Vec<u8>, Task, &[&str], &str)> = vec![
        (
            npy("'<i8'", false, "(4,)", &integers),
            Task::Classification,
            &["3", "9", "10"],
            "Labels: 4 rows, taken as 3 classes.",
        ),
        (
            npy("'<i8'", false, "(4, 1)", &integers),
            Task::Classification,
            &["3", "9", "10"],
            "Labels: 4 rows, taken as 3 classes.",
        ),
        (
            npy("'|b1'", false, "(2,)", &[0, 1]),
            Task::Classification,
            &["0", "1"],
            "Labels: 2 rows, taken as 2 classes.",
        ),
        (
            npy("'<U3'", false, "(4,)", &text),
            Task::Classification,
            &["cat", "dog"],
            "Labels: 4 rows, taken as 2 classes.",
        ),
        (
            npy("'|S2'", false, "(2,)", b"a\0bc"),
            Task::Classification,
            &["a", "bc"],
            "Labels: 2 rows, taken as 2 classes.",
        ),
        (
            npy("'<f4'", false, "(4,)", &fractions),
            Task::Regression,
            &["0"],
            "Labels: 4 rows, taken as 1 number to predict (regression).",
        ),
        (
            npy("'<f4'", false, "(2, 2)", &fractions),
            Task::Regression,
            &["0", "1"],
            "Labels: 2 rows, taken as 2 numbers to predict (regression).",
        ),
        (
            npy("'|u1'", false, "(2, 2)", &[0, 1, 1, 1]),
            Task::Multilabel,
            &["0", "1"],
            "Labels: 2 rows, taken as 2 yes/no labels (multi-label).",
        ),
        (
            npy("'|u1'", false, "(2, 2)", &[0, 1, 1, 2]),
            Task::Regression,
            &["0", "1"],
            "Labels: 2 rows, taken as 2 numbers to predict (regression).",
        ),
    ];
    let folder = Folder::new();
    for (content, task, names, note) in cases {
        let labels = folder.labels("y.npy", &content, None).unwrap();
        assert_eq!((labels.targets.task(), labels.note.as_str()), (task, note));
        assert_eq!(labels.targets.names(), names, "{note}");
    }
}

#[test]
fn text_files_of_labels_are_read_with_or_without_headings() {
    let cases: &[(&str, &str, Task, &[&str], usize)] = &[
        ("y.txt", "cat\ndog\r\ncat\n\n", Task::Classification, &["cat", "dog"], 3),
        ("y.txt", "0.5\n1\n", Task::Regression, &["target"], 2),
        ("y.csv", "cat\ndog\n", Task::Classification, &["cat", "dog"], 2),
        ("y.csv", "species\n1\n2\n", Task::Classification, &["1", "2"], 2),
        ("y.csv", "1\n2\n", Task::Classification, &["1", "2"], 2),
        ("y.csv", "\u{feff}id,Label\nx,cat\ny,\"d,og\"\n", Task::Classification, &["cat", "d,og"], 2),
        ("y.csv", "width,height\n1,2\n3,4\n", Task::Regression, &["width", "height"], 2),
        ("y.csv", "1,2\n3,4\n5,6\n", Task::Regression, &["0", "1"], 3),
        ("y.csv", "red,big\n1,0\n0,0\n", Task::Multilabel, &["red", "big"], 2),
    ];
    let folder = Folder::new();
    for (name, content, task, names, rows) in cases {
        let targets = folder.labels(name, content.as_bytes(), None).unwrap().targets;
        assert_eq!((targets.task(), targets.len()), (*task, *rows), "{content:?}");
        assert_eq!(targets.names(), *names, "{content:?}");
    }
}

#[test]
fn a_task_that_is_asked_for_overrides_what_is_detected() {
    let folder = Folder::new();
    let cases = [
        ("1\n2\n", Task::Regression, Ok(&["target"] as &[&str])),
        ("1.5\n2\n", Task::Classification, Ok(&["1.5", "2"])),
        ("0\n1\n", Task::Multilabel, Ok(&["target"])),
        (
            "cat\ndog\n",
            Task::Regression,
            Err("y.csv: can't be used for that task: row 0 (counted from 0) is \"cat\", not a number."),
        ),
        (
            "1\n2\n",
            Task::Multilabel,
            Err("y.csv: can't be used for that task: row 1 (counted from 0) is 2, not 0 or 1."),
        ),
        (
            "1,2\n3,4\n",
            Task::Classification,
            Err(
                "y.csv: can't be used for that task: there are 2 columns, and one class per row is needed. Save the argmax of one-hot labels.",
            ),
        ),
    ];
    for (content, task, expected) in cases {
        let found = folder.labels("y.csv", content.as_bytes(), Some(task));
        match expected {
            Ok(names) => assert_eq!(found.unwrap().targets.names(), names, "{content:?}"),
            Err(message) => assert_eq!(found.unwrap_err(), message),
        }
    }
    let floats = npy("'<f4'", false, "(2,)", &bytes(&[1.0, 2.0_f32], f32::to_le_bytes));
    let Targets::Classes(classes) = folder.labels("y.npy", &floats, Some(Task::Classification)).unwrap().targets else {
        panic!("no classes")
    };
    assert_eq!(classes.names(), ["1", "2"]);
}

#[test]
fn labels_that_cannot_be_used_are_refused_with_the_reason() {
    let nan = npy("'<f8'", false, "(2,)", &bytes(&[1.0, f64::NAN], f64::to_le_bytes));
    let large = npy("'<u8'", false, "(2,)", &bytes(&[1, u64::MAX], u64::to_le_bytes));
    let surrogate = npy("'<U1'", false, "(2,)", &bytes(&[0x41, 0xd800_u32], u32::to_le_bytes));
    let cases: Vec<(&str, &[u8], &str)> = vec![
        ("y.txt", b"a\na\n", "y.txt: all labels are equal (a): nothing to rank. At least two classes are needed."),
        ("y.txt", b"a\n", "y.txt: there are 1 labelled samples: at least 2 are needed."),
        ("y.txt", b"a\n\nb\n", "y.txt, line 2: is empty. Each line needs one entry."),
        ("y.txt", b"a\n\xff\n", "y.txt, line 2: is not valid UTF-8. Save the file as UTF-8."),
        ("y.csv", b"", "y.csv: there are 0 labelled samples: at least 2 are needed."),
        (
            "y.csv",
            b"a,b\n1,x\n",
            "y.csv, line 2: has \"x\" where a number is needed. Call the column of the labels `label`.",
        ),
        ("y.csv", b",a\n0,1\n1,2\n", "y.csv, line 1: has a column without a name (an index?). Name it or drop it."),
        ("y.csv", b"id,label\n0,a\n1,\n", "y.csv, line 3: has no label. Add it or drop the line."),
        ("y.csv", b"a,b\n1\n", "y.csv, line 2: has 1 cells where the first line has 2. Quote cells that hold commas."),
        ("y.npy", &nan, "y.npy: the target of row 1, column 0 is NaN or infinite: mend or drop that row."),
        ("y.npy", &large, "y.npy: holds an integer above 2^63: 18446744073709551615."),
        ("y.npy", &surrogate, "y.npy: row 1 (counted from 0) is not valid text."),
        (
            "y.json",
            b"",
            "y.json: its extension is not known here. Known are: .npy, .npz, .safetensors, .parquet, .txt, .csv.",
        ),
    ];
    let folder = Folder::new();
    for (name, content, message) in cases {
        assert_eq!(folder.labels(name, content, None).unwrap_err(), message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes, reading ends with a value or an error: no panic, no hang, no huge allocation.
    #[test]
    fn damaged_files_never_panic(place in 0.0..1.0_f64, value: u8, cut in 0.0..1.0_f64, kind in 0..3_usize) {
        let header = r#"{"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
        let (name, mut content) = [
            ("x.npy", npy("'<f4'", false, "(2, 2)", &[0; 16])),
            ("x.npz", npz(&[("X", vec![2, 2], vec![1.0; 4])])),
            ("x.safetensors", safetensors(header, &[0; 16])),
        ][kind].clone();
        let at = (place * content.len() as f64) as usize;
        content[at] = value;
        content.truncate((cut * 4.0 * content.len() as f64) as usize);
        let folder = Folder::new();
        let _ = folder.features(name, &content);
        let _ = folder.labels(name, &content, None);
    }
}

#[test]
fn a_file_larger_than_memory_is_refused_before_it_is_read() {
    let folder = Folder::new();
    let path = folder.put("x.npy", &npy("'<f4'", false, "(1125899906842624, 1024)", &[]));
    File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(features::read(&path).is_err());
}

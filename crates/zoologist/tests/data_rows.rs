//! Features read in blocks of rows: every format, every order of values, damaged files.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its files must fail")]
#![allow(clippy::default_trait_access, reason = "the options are a type of a crate that is not named here")]

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use npyz::npz::NpzWriter;
use tempfile::TempDir;
use zoologist::base::Features;
use zoologist::data::rows::{self, Precision, RowReader};
use zoologist::data::{Error, features};

const ROWS: usize = 300;
const DIM: usize = 5;

/// What stands in each row and column: small whole numbers, exact in every type.
fn value(row: usize, column: usize) -> u8 {
    ((row * 7 + column * 31) % 120) as u8
}

fn in_row_order() -> impl Iterator<Item = u8> {
    (0..ROWS * DIM).map(|place| value(place / DIM, place % DIM))
}

fn in_column_order() -> impl Iterator<Item = u8> {
    (0..ROWS * DIM).map(|place| value(place % ROWS, place / ROWS))
}

/// The bytes of some values as a type of numpy.
fn encoded(descr: &str, values: impl Iterator<Item = u8>) -> Vec<u8> {
    let encode: fn(u8) -> Vec<u8> = match descr {
        "<f2" => |value| half(value).to_le_bytes().to_vec(),
        ">f2" => |value| half(value).to_be_bytes().to_vec(),
        "<f4" => |value| f32::from(value).to_le_bytes().to_vec(),
        ">f4" => |value| f32::from(value).to_be_bytes().to_vec(),
        "<f8" => |value| f64::from(value).to_le_bytes().to_vec(),
        ">f8" => |value| f64::from(value).to_be_bytes().to_vec(),
        "|i1" | "|u1" => |value| vec![value],
        "<i2" | "<u2" => |value| u16::from(value).to_le_bytes().to_vec(),
        ">i4" | ">u4" => |value| u32::from(value).to_be_bytes().to_vec(),
        "<i8" | "<u8" => |value| u64::from(value).to_le_bytes().to_vec(),
        "bf" => |value| f32::from(value).to_le_bytes()[2..].to_vec(),
        other => panic!("{other}"),
    };
    values.flat_map(encode).collect()
}

/// A small whole number in half precision.
fn half(value: u8) -> u16 {
    match value.checked_ilog2() {
        None => 0,
        Some(exponent) => ((exponent as u16 + 15) << 10) + ((u16::from(value) << (10 - exponent)) & 0x3ff),
    }
}

fn npy_of(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), values].concat()
}

fn npy(descr: &str, fortran: bool) -> Vec<u8> {
    let values = if fortran { encoded(descr, in_column_order()) } else { encoded(descr, in_row_order()) };
    npy_of(descr, fortran, &format!("({ROWS}, {DIM})"), &values)
}

/// An archive with the array X, deflated, or stored by taking the deflated blocks away.
fn npz(array: &[u8]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = NpzWriter::new(&mut file);
    writer.zip_writer().start_file("X.npy", Default::default()).unwrap();
    writer.zip_writer().write_all(array).unwrap();
    drop(writer);
    file.into_inner()
}

/// The same archive, stored: one local header, the bytes, one entry of the directory, the end.
fn stored_npz(array: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(array);
    let (sum, size) = (sum.sum().to_le_bytes(), (array.len() as u32).to_le_bytes());
    let common = [[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0].as_slice(), &sum, &size, &size, &[5, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04".as_slice(), &common, b"X.npy", array].concat();
    let entry = [b"PK\x01\x02\x14\x00".as_slice(), &common, &[0; 14], b"X.npy"].concat();
    let (entry_size, start) = ((entry.len() as u32).to_le_bytes(), (local.len() as u32).to_le_bytes());
    let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &entry_size, &start, &[0, 0]].concat();
    [local, entry, end].concat()
}

fn safetensors(kind: &str, values: &[u8]) -> Vec<u8> {
    let end = values.len();
    let header = format!(r#"{{"X":{{"dtype":"{kind}","shape":[{ROWS},{DIM}],"data_offsets":[0,{end}]}}}}"#);
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), values].concat()
}

fn put(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn f64s(features: &Features) -> Vec<f64> {
    let mut values = Vec::new();
    features.visit(0..features.rows(), |_, _, value| values.push(value));
    values
}

fn expected(rows: impl Iterator<Item = usize>) -> Vec<f64> {
    rows.flat_map(|row| (0..DIM).map(move |column| f64::from(value(row, column)))).collect()
}

/// The message of an error, with the name of the file alone.
fn message(path: &Path, error: &Error) -> String {
    error.to_string().replace(&path.display().to_string(), path.file_name().unwrap().to_str().unwrap())
}

/// Every form of the same matrix: its name, bytes, precision, and whether any row can be read alone.
fn every_form() -> Vec<(String, Vec<u8>, Precision, bool)> {
    let mut forms = Vec::new();
    for descr in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "|i1", "|u1", "<i2", "<u2", ">i4", ">u4", "<i8", "<u8"] {
        let precision =
            if matches!(descr, "<f2" | ">f2" | "<f4" | ">f4") { Precision::Single } else { Precision::Double };
        for fortran in [false, true] {
            let name = |form: &str| format!("{}{}-{fortran}.{form}", &descr[1..], &descr[..1].replace('|', "="));
            let array = npy(descr, fortran);
            forms.push((name("packed.npz"), npz(&array), precision, false));
            forms.push((name("stored.npz"), stored_npz(&array), precision, !fortran));
            forms.push((name("npy"), array, precision, !fortran));
        }
    }
    for (kind, descr, precision) in [
        ("F16", "<f2", Precision::Single),
        ("BF16", "bf", Precision::Single),
        ("F32", "<f4", Precision::Single),
        ("F64", "<f8", Precision::Double),
        ("I16", "<i2", Precision::Double),
    ] {
        let content = safetensors(kind, &encoded(descr, in_row_order()));
        forms.push((format!("{kind}.safetensors"), content, precision, true));
    }
    forms
}

#[test]
fn every_form_gives_the_same_rows_in_blocks_of_any_size_and_again_after_rewinding() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, precision, seekable) in every_form() {
        let path = put(&folder, &name, &content);
        let mut reader = rows::open(&path).unwrap();
        assert_eq!((reader.rows(), reader.dim(), reader.precision()), (ROWS, DIM, precision), "{name}");
        assert_eq!(reader.seekable(), seekable, "{name}");
        for most in [1, 7, ROWS, ROWS + 1] {
            let mut read = Vec::new();
            while let Some(block) = reader.next_block(most).unwrap() {
                assert_eq!(block.rows(), most.min(ROWS - read.len() / DIM), "{name}");
                read.extend(f64s(&block));
            }
            assert_eq!(read, expected(0..ROWS), "{name} in blocks of {most}");
            assert!(reader.next_block(most).unwrap().is_none());
            reader.rewind();
        }
        assert_eq!(f64s(&features::read(&path).unwrap()), expected(0..ROWS), "{name}");
    }
}

#[test]
fn rows_are_read_by_their_places_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let choices: [Vec<usize>; 6] =
        [vec![], vec![0], vec![ROWS - 1], (0..ROWS).step_by(3).collect(), vec![0, 1, 2, 100, 299], (5..250).collect()];
    for (name, content, _, seekable) in every_form() {
        let mut reader = rows::open(&put(&folder, &name, &content)).unwrap();
        let mut block = reader.no_rows();
        reader.next_into(10, &mut block).unwrap();
        for wanted in &choices {
            reader.read(wanted, &mut block).unwrap();
            assert_eq!(f64s(&block), expected(wanted.iter().copied()), "{name}, {wanted:?}");
        }
        if seekable {
            reader.next_into(1, &mut block).unwrap();
            assert_eq!(f64s(&block), expected(10..11), "reading by place does not move the next block: {name}");
        }
    }
}

#[test]
fn rows_far_apart_and_longer_than_a_piece_are_read() {
    let (count, dim) = (40, 40_000);
    let numbers = |row: usize| (0..dim).map(move |column| (row * dim + column) as f32);
    let values: Vec<u8> = (0..count).flat_map(numbers).flat_map(f32::to_le_bytes).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, "x.npy", &npy_of("<f4", false, &format!("({count}, {dim})"), &values));
    let mut reader = rows::open(&path).unwrap();
    let mut block = reader.no_rows();
    reader.read(&[0, 3, 4, 39], &mut block).unwrap();
    let wanted: Vec<f64> = [0, 3, 4, 39].into_iter().flat_map(numbers).map(f64::from).collect();
    assert!(f64s(&block) == wanted);
}

#[test]
#[should_panic(expected = "rows are read in ascending order, and there are 300 of them")]
fn rows_in_another_order_are_a_fault_of_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = rows::open(&put(&folder, "x.npy", &npy("<f4", false))).unwrap();
    let mut block = reader.no_rows();
    let _ = reader.read(&[2, 1], &mut block);
}

/// The place of NaN in a matrix whose only NaN is at this row and column.
fn with_nan(fortran: bool, at_row: usize, at_column: usize, nan: f32) -> Vec<u8> {
    let place = if fortran { at_column * ROWS + at_row } else { at_row * DIM + at_column };
    let mut values = if fortran { encoded("<f4", in_column_order()) } else { encoded("<f4", in_row_order()) };
    values[4 * place..4 * place + 4].copy_from_slice(&nan.to_le_bytes());
    npy_of("<f4", fortran, &format!("({ROWS}, {DIM})"), &values)
}

fn first_problem(mut reader: RowReader, most: usize) -> Option<Error> {
    loop {
        match reader.next_block(most) {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

#[test]
fn nan_and_infinity_are_named_by_row_and_column_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    for (row, column, nan) in [(0, 0, f32::NAN), (211, 3, f32::INFINITY), (299, 4, f32::NEG_INFINITY)] {
        for fortran in [false, true] {
            let array = with_nan(fortran, row, column, nan);
            for (name, content) in [("x.npy", array.clone()), ("x.npz", npz(&array)), ("y.npz", stored_npz(&array))] {
                let path = put(&folder, name, &content);
                let wanted = format!(
                    "{name}: features contain NaN or infinity (first at row {row}, column {column}). Drop those rows or \
                     extract again."
                );
                for most in [1, 64, ROWS] {
                    let error = first_problem(rows::open(&path).unwrap(), most).unwrap();
                    assert_eq!(message(&path, &error), wanted);
                }
                let mut reader = rows::open(&path).unwrap();
                let mut block = reader.no_rows();
                let read: Vec<usize> = (0..ROWS).filter(|other| other % 2 == row % 2).collect();
                assert_eq!(message(&path, &reader.read(&read, &mut block).unwrap_err()), wanted);
                assert_eq!(message(&path, &features::read(&path).unwrap_err()), wanted);
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, ..) in every_form() {
        if name.contains("packed") {
            continue;
        }
        let path = put(&folder, &name, &content);
        let mut reader = rows::open(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(content.len() as u64 / 2).unwrap();
        let mut block = reader.no_rows();
        let by_place = reader.read(&[ROWS - 1], &mut block).unwrap_err();
        let in_order = first_problem(reader, 50).unwrap();
        for error in [by_place, in_order] {
            assert_eq!(message(&path, &error), format!("{name}: is cut off: it ends too early."));
        }
    }
}

#[test]
fn a_file_of_another_length_than_its_header_says_is_refused_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let good = npy("<f4", false);
    let cases = [
        (good[..good.len() - 1].to_vec(), "is cut off: it ends too early."),
        ([good.as_slice(), b"x"].concat(), "is damaged: it holds more values than its header says."),
    ];
    for (content, problem) in cases {
        for (name, content) in [("x.npy", content.clone()), ("x.npz", npz(&content)), ("y.npz", stored_npz(&content))] {
            let path = put(&folder, name, &content);
            let found = message(&path, &rows::open(&path).err().unwrap());
            let of_array = format!("{name}: its array X {problem}");
            assert!(found == format!("{name}: {problem}") || found == of_array, "{found}");
        }
    }
}

#[test]
fn a_wrong_checksum_is_an_error_at_the_latest_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    for fortran in [false, true] {
        let mut content = stored_npz(&npy("<f4", fortran));
        let place = content.len() / 2;
        content[place] ^= 1;
        let path = put(&folder, "x.npz", &content);
        let error = first_problem(rows::open(&path).unwrap(), 100).unwrap();
        assert_eq!(message(&path, &error), "x.npz: its array X is damaged: its checksum is wrong.");
    }
}

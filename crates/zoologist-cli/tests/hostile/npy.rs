//! .npy: features and labels of NumPy.

use crate::judge::{Case, Content, Verdict, try_all};

const FILE: &str = "features.npy";

/// A file of this version with this header and these values.
pub fn file(version: u8, header: &str, values: &[u8]) -> Vec<u8> {
    let length = header.len() as u32;
    let length = if version == 1 { length.to_le_bytes()[..2].to_vec() } else { length.to_le_bytes().to_vec() };
    [b"\x93NUMPY", &[version, 0][..], &length, header.as_bytes(), values].concat()
}

/// A header as NumPy writes it.
pub fn header(kind: &str, fortran: bool, shape: &str) -> String {
    let fortran = if fortran { "True" } else { "False" };
    format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': ({shape}), }}")
}

/// A whole file of these values.
pub fn array(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    file(1, &header(kind, false, shape), values)
}

/// Four rows of three numbers.
pub fn twelve() -> Vec<u8> {
    (0..12_u8).flat_map(|value| f32::from(value).to_le_bytes()).collect()
}

fn bad(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::bad(name, FILE, bytes)
}

fn good(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::good(name, FILE, bytes)
}

pub fn controls() -> Vec<Case> {
    let doubles: Vec<u8> = (0..12_u8).flat_map(|value| f64::from(value).to_be_bytes()).collect();
    let halves: Vec<u8> = (0..12_u16).flat_map(|value| (0x3c00 + value).to_le_bytes()).collect();
    let words: Vec<u8> =
        ["aé", "bü", "aé"].iter().flat_map(|word| word.chars()).flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let padded = format!("{}{}\n", header("<f4", false, "4, 3"), " ".repeat(5000));
    vec![
        good("plain", array("<f4", "4, 3", &twelve())),
        good("column after column", file(1, &header("<f4", true, "4, 3"), &twelve())),
        good("version 2", file(2, &header("<f4", false, "4, 3"), &twelve())),
        good("version 3", file(3, &header("<f4", false, "4, 3"), &twelve())),
        good("a long header", file(2, &padded, &twelve())),
        good("the largest number first", array(">f8", "4, 3", &doubles)),
        good("half precision", array("<f2", "4, 3", &halves)),
        good("bytes", array("|u1", "4, 3", &[7; 12])),
        good("truth values", array("|b1", "4, 3", &[0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1])),
        good("one column", array("<f4", "12, 1", &twelve())),
        good("Python 2", file(1, "{'shape': (4L, 3L), 'fortran_order': False, 'descr': '<f4'}", &twelve())),
        Case::good(
            "numbers as labels",
            "labels.npy",
            array("<i8", "3,", &[1_i64, -2, 1].map(i64::to_le_bytes).concat()),
        ),
        Case::good("words as labels", "labels.npy", array("<U2", "3,", &words)),
        Case::good("bytes as labels", "labels.npy", array("|S2", "3,", b"a\0bba\0")),
        Case::good("control characters as labels", "labels.npy", array("|S3", "3,", b"\x1b[2\x07\x08\n\x1b[2")),
    ]
}

fn headers() -> Vec<Case> {
    let shaped = |name: &str, shape: &str| bad(name, array("<f4", shape, &twelve()));
    let kind = |name: &str, kind: &str| bad(name, array(kind, "4, 3", &[0; 400]));
    vec![
        bad("empty", ""),
        bad("a text", "these are no numbers, but longer than a header"),
        bad("another magic", [b"\x93NUMPZ\x01\0".as_slice(), &[0; 200]].concat()),
        bad("another version", file(9, &header("<f4", false, "4, 3"), &twelve())),
        bad("no header", file(1, "", &twelve())),
        bad("a header without an end", file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3", &twelve())),
        bad("a header of 4 GiB", [b"\x93NUMPY\x03\0".as_slice(), &[0xff; 400]].concat()),
        bad("a header that is not text", file(1, &"\u{fffd}".repeat(40), &twelve())),
        bad("a nested header", file(2, &"(".repeat(60_000), &twelve())),
        shaped("too many values", "2, 3"),
        shaped("too few values", "5, 3"),
        shaped("no values", "0, 3"),
        shaped("a product that overflows", "4294967296, 4294967296"),
        shaped("a product that wraps to the right size", "4611686018427387908, 3"),
        shaped("4 TiB", "1048576, 1048576"),
        shaped("a negative size", "-4, 3"),
        shaped("a size that is no number", "4, x"),
        shaped("a size beyond 64 bits", "99999999999999999999, 3"),
        shaped("three axes", "2, 2, 3"),
        shaped("no axis", ""),
        shaped("many axes", &"1, ".repeat(3000)),
        kind("Python objects", "|O"),
        kind("complex numbers", "<c8"),
        kind("times", "<M8[s]"),
        kind("a size that overflows", "<U4611686018427387904"),
        kind("text of no width", "<U0"),
        bad(
            "records",
            array("x", "4, 3", &twelve())
                .iter()
                .map(|&byte| if byte == b'x' { b'[' } else { byte })
                .collect::<Vec<_>>(),
        ),
    ]
}

fn values() -> Vec<Case> {
    let with = |value: f32| [&twelve()[..44], &value.to_le_bytes()].concat();
    let labels = |name: &str, bytes: Vec<u8>| Case::bad(name, "labels.npy", bytes);
    vec![
        bad("not a number", array("<f4", "4, 3", &with(f32::NAN))),
        bad("infinite", array("<f4", "4, 3", &with(f32::NEG_INFINITY))),
        labels("labels that are not numbers", array("<f8", "2,", &[f64::NAN, 0.5].map(f64::to_le_bytes).concat())),
        labels("one class", array("<i8", "3,", &[1_i64; 3].map(i64::to_le_bytes).concat())),
        labels("one label", array("<i8", "1,", &1_i64.to_le_bytes())),
        labels("half a character", array("<U1", "2,", &[0xd800_u32, 65].map(u32::to_le_bytes).concat())),
        labels("not UTF-8", array("|S1", "2,", b"\xffa")),
        labels("beyond 63 bits", array("<u8", "2,", &[u64::MAX, 1].map(u64::to_le_bytes).concat())),
        labels("a table of text", array("|S1", "2, 2", b"abcd")),
    ]
}

/// Files whose size is true: zeros that take no space on the disk.
fn vast() -> Vec<Case> {
    let vast = |name: &str, file: &str, kind: &str, shape: &str, bytes: u64| {
        let head = array(kind, shape, &[]);
        let length = head.len() as u64 + bytes;
        Case::bad(name, file, "").replaced(Content::Sparse(head, length))
    };
    vec![
        vast("a row of 2 GiB", FILE, "|u1", "2, 1073741824", 2 << 30),
        vast("columns of 2 GiB", FILE, "<f8", "2, 134217728", 2 << 30),
        vast("a billion labels", "labels.npy", "|i1", "1073741824,", 1 << 30),
        vast("labels of 1 GiB", "labels.npy", "|S1073741824", "2,", 2 << 30),
        vast("a table of labels", "labels.npy", "|i1", "1, 1073741824", 1 << 30),
    ]
}

/// Cut at every place, and every byte of the header flipped.
fn changed() -> Vec<Case> {
    let whole = array("<f4", "4, 3", &twelve());
    let cut = |length: usize| bad(&format!("cut to {length} bytes"), &whole[..length]);
    let flipped = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        Case::file(Verdict::Any, &format!("byte {place} flipped"), FILE, bytes)
    };
    (0..whole.len()).step_by(7).map(cut).chain((0..whole.len() - 48).step_by(3).map(flipped)).collect()
}

#[test]
fn odd_arrays_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_headers_are_refused() {
    try_all(&headers());
}

#[test]
fn bad_values_are_refused() {
    try_all(&values());
}

#[test]
fn vast_arrays_are_refused() {
    try_all(&vast());
}

#[test]
fn changed_arrays_are_refused_or_still_arrays() {
    try_all(&changed());
}

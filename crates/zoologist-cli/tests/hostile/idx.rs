//! IDX: the files of MNIST and its family, gzip or not.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::judge::{Case, Content, Verdict, try_all};

const PICTURES: &str = "data/train-images-idx3-ubyte";
const LABELS: &str = "data/train-labels-idx1-ubyte";

fn idx(kind: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = shape.iter().flat_map(|size| size.to_be_bytes()).collect();
    [&[0, 0, kind, shape.len() as u8], &sizes[..], values].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The two files, of which one is bad; `packed` is the ending of both.
fn pair(verdict: Verdict, name: &str, pictures: Vec<u8>, labels: Vec<u8>, packed: &str) -> Case {
    let mut case = Case::file(verdict, name, &format!("{PICTURES}{packed}"), pictures);
    case.subject = "data".to_owned();
    case.beside(&format!("{LABELS}{packed}"), Content::Bytes(labels)).asking(&["inspect", "data"])
}

fn pictures() -> Vec<u8> {
    idx(8, &[4, 2, 3], &[9; 24])
}

fn labels() -> Vec<u8> {
    idx(8, &[4], &[0, 1, 0, 1])
}

pub fn controls() -> Vec<Case> {
    let good = |name: &str, pictures, labels, packed| pair(Verdict::Accepted, name, pictures, labels, packed);
    let wide = idx(12, &[4], &[1_u32, 0, 0, 1].map(u32::to_be_bytes).concat());
    vec![
        good("plain", pictures(), labels(), ""),
        good("packed", gzip(&pictures()), gzip(&labels()), ".gz"),
        good("in two parts", [gzip(&pictures()[..7]), gzip(&pictures()[7..])].concat(), gzip(&labels()), ".gz"),
        good("numbers of 32 bits", pictures(), wide, ""),
        good("names", pictures(), labels(), "").beside("data/classes.txt", Content::Bytes("a\nb\u{1b}[2J\n".into())),
    ]
}

fn damaged() -> Vec<Case> {
    let bad = |name: &str, pictures, labels| pair(Verdict::Refused, name, pictures, labels, "");
    let packed = |name: &str, pictures, labels| pair(Verdict::Refused, name, pictures, labels, ".gz");
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    vec![
        bad("empty", vec![], labels()),
        bad("no labels", pictures(), vec![]),
        bad("a text", b"no pictures, but some words".to_vec(), labels()),
        bad("an unknown type", idx(7, &[4, 2, 3], &[9; 24]), labels()),
        bad("a size that overflows", idx(8, &[u32::MAX; 3], &[9; 24]), labels()),
        bad("255 axes", idx(8, &[2; 255], &[9; 24]), labels()),
        bad("no axis", idx(8, &[], &[]), labels()),
        bad("no pictures", idx(8, &[0, 2, 3], &[]), idx(8, &[0], &[])),
        bad("cut labels", pictures(), half(labels())),
        bad("cut pictures", half(pictures()), labels()),
        bad("more labels than are said", pictures(), [labels(), vec![0; 4]].concat()),
        bad("other counts", pictures(), idx(8, &[3], &[0, 1, 0])),
        bad("one class", pictures(), idx(8, &[4], &[1; 4])),
        bad("labels that are fractions", pictures(), idx(13, &[4], &[0; 16])),
        bad("pictures of doubles", idx(14, &[4, 2, 3], &[0; 192]), labels()),
        bad("a label without a name", pictures(), labels()).beside("data/classes.txt", Content::Bytes("a\n".into())),
        packed("packed and cut", half(gzip(&pictures())), gzip(&labels())),
        packed("packed labels, cut", gzip(&pictures()), half(gzip(&labels()))),
        packed("256 million labels", gzip(&pictures()), gzip(&idx(8, &[256 << 20], &vec![0; 256 << 20]))),
        packed(
            "256 million of both",
            gzip(&idx(8, &[256 << 20, 1, 1], &vec![0; 256 << 20])),
            gzip(&idx(8, &[256 << 20], &vec![0; 256 << 20])),
        ),
        packed(
            "20 million of both",
            gzip(&idx(8, &[20 << 20, 1, 1], &vec![0; 20 << 20])),
            gzip(&idx(8, &[20 << 20], &[0, 1].repeat(10 << 20))),
        ),
    ]
}

#[test]
fn odd_files_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_files_are_refused() {
    try_all(&damaged());
}

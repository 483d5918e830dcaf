//! .safetensors: features and labels, and files of statistics.

use serde_json::{Value, json};

use crate::judge::{Case, Content, Verdict, try_all};
use crate::npy::twelve;

const FILE: &str = "features.safetensors";

/// A file with this header, however wrong it is.
pub fn raw(header: &str, values: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), values].concat()
}

pub fn file(header: &Value, values: &[u8]) -> Vec<u8> {
    raw(&header.to_string(), values)
}

pub fn tensor(kind: &str, shape: &Value, from: u64, to: u64) -> Value {
    json!({"dtype": kind, "shape": shape, "data_offsets": [from, to]})
}

fn bad(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::bad(name, FILE, bytes)
}

fn good(name: &str, header: &Value, values: &[u8]) -> Case {
    Case::good(name, FILE, file(header, values))
}

fn features() -> Value {
    tensor("F32", &json!([4, 3]), 0, 48)
}

pub fn controls() -> Vec<Case> {
    let labels = tensor("I64", &json!([4]), 48, 80);
    let both = [twelve(), [0_i64, 1, 0, 1].map(i64::to_le_bytes).concat()].concat();
    let padded = format!("{}{}", json!({"x": features()}), " ".repeat(1000));
    vec![
        good("plain", &json!({"features": features()}), &twelve()),
        good("with metadata", &json!({"__metadata__": {"a": "b\u{1b}[2J", "é": ""}, "x": features()}), &twelve()),
        good("with labels", &json!({"features": features(), "labels": labels}), &both),
        good("half precision", &json!({"x": tensor("F16", &json!([4, 3]), 0, 24)}), &[0, 0x3c].repeat(12)),
        good("the upper half", &json!({"x": tensor("BF16", &json!([4, 3]), 0, 24)}), &[0x80, 0x3f].repeat(12)),
        good("doubles", &json!({"x": tensor("F64", &json!([2, 3]), 0, 48)}), &1.5_f64.to_le_bytes().repeat(6)),
        good("bytes", &json!({"x": tensor("U8", &json!([2, 3]), 0, 6)}), &[1, 2, 3, 4, 5, 6]),
        good(
            "an empty tensor beside it",
            &json!({"none": tensor("F32", &json!([0, 7]), 0, 0), "features": features()}),
            &twelve(),
        ),
        Case::good("a padded header", FILE, raw(&padded, &twelve())),
        Case::good(
            "labels alone",
            "labels.safetensors",
            file(&json!({"y": tensor("I64", &json!([2]), 0, 16)}), &[1_i64, 2].map(i64::to_le_bytes).concat()),
        ),
    ]
}

/// Features beside this metadata.
fn with_metadata(name: &str, metadata: &str) -> Case {
    bad(name, raw(&format!("{{\"__metadata__\": {metadata}, \"x\": {}}}", features()), &twelve()))
}

/// Features that say to be statistics of this version.
fn statistics(name: &str, version: u32) -> Case {
    let envelope = json!({"kind": "statistics", "version": version, "blake3": "", "facts": "{}"}).to_string();
    with_metadata(name, &json!({"zoologist": envelope}).to_string())
}

fn damaged() -> Vec<Case> {
    let one = |tensor: Value| file(&json!({"x": tensor}), &twelve());
    let of = |shape: Value| one(tensor("F32", &shape, 0, 48));
    let whole = one(features());
    let twice = format!("{{\"x\":{0},\"x\":{0}}}", features());
    vec![
        bad("empty", ""),
        bad("eight bytes", vec![0; 8]),
        bad("zeros", vec![0; 4096]),
        bad("a text", "no tensors, but some words that are long enough"),
        bad("a header of 16 EiB", [&[0xff; 8][..], &whole].concat()),
        bad("a header of a gigabyte", [&(1_u64 << 30).to_le_bytes()[..], &whole].concat()),
        bad("cut in the header", &whole[..20]),
        bad("cut in the values", &whole[..whole.len() - 1]),
        bad("more than its tensors", [&whole[..], &[0; 9]].concat()),
        bad("a header that is no JSON", raw("{\"x\": ", &twelve())),
        bad("a header that is a list", raw("[]", &[])),
        bad("a header that is not UTF-8", [&[3, 0, 0, 0, 0, 0, 0, 0, b'{', 0xff, b'}'][..], &twelve()].concat()),
        bad("no tensors", raw("{}", &[])),
        bad("a name twice", raw(&twice, &twelve())),
        bad("100,000 lists in each other", raw(&"[".repeat(100_000), &twelve())),
        bad("too small for its shape", of(json!([5, 3]))),
        bad("a product that overflows", of(json!([4_294_967_296_u64, 4_294_967_296_u64]))),
        bad("4 TiB", of(json!([1_048_576, 1_048_576]))),
        bad("a negative size", of(json!([-4, 3]))),
        bad("no values", file(&json!({"x": tensor("F32", &json!([0, 3]), 0, 0)}), &[])),
        bad("three axes", of(json!([2, 2, 3]))),
        bad("overlapping tensors", file(&json!({"x": features(), "y": features()}), &twelve())),
        bad("a hole", file(&json!({"x": tensor("F32", &json!([4, 3]), 4, 52)}), &[&[0; 4][..], &twelve()].concat())),
        bad("places backwards", one(tensor("F32", &json!([4, 3]), 48, 0))),
        bad("places beyond the file", one(tensor("F32", &json!([4, 3]), 0, u64::MAX))),
        bad("an unknown type", one(tensor("X9", &json!([4, 3]), 0, 48))),
        bad("numbers of 4 bits", file(&json!({"x": tensor("F4", &json!([4, 3]), 0, 6)}), &[0; 6])),
        with_metadata("metadata that is no text", "{\"a\": 1}"),
        bad("not a number", file(&json!({"x": features()}), &f32::NAN.to_le_bytes().repeat(12))),
        statistics("statistics that are none", 1),
        statistics("statistics of another version", 9),
    ]
}

fn greedy() -> Vec<Case> {
    let many = |count: usize| {
        let entries: Vec<String> = (0..count)
            .map(|n| format!("\"{n}\":{{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[{n},{n}]}}"))
            .collect();
        format!("{{{}}}", entries.join(","))
    };
    let head = raw(&json!({"x": tensor("U8", &json!([1, 1_u64 << 30]), 0, 1 << 30)}).to_string(), &[]);
    let length = head.len() as u64 + (1 << 30);
    vec![
        bad("a header of 20 million zeros", raw(&format!("[{}0]", "0,".repeat(20_000_000)), &[])),
        bad(
            "20 million zeros in the metadata",
            raw(&format!("{{\"__metadata__\":[{}0]}}", "0,".repeat(20_000_000)), &[]),
        ),
        bad(
            "a shape of 20 million axes",
            raw(
                &format!(
                    "{{\"x\":{{\"dtype\":\"F32\",\"shape\":[{}1],\"data_offsets\":[0,4]}}}}",
                    "1,".repeat(20_000_000)
                ),
                &[0; 4],
            ),
        ),
        bad("half a million tensors", raw(&many(500_000), &[])),
        bad("a row of 1 GiB", "").replaced(Content::Sparse(head, length)),
        bad("a header of 900 MiB of zeros", "")
            .replaced(Content::Sparse((900_u64 << 20).to_le_bytes().to_vec(), 1 << 30)),
        bad("a header of 90 MiB of zeros", "")
            .replaced(Content::Sparse((90_u64 << 20).to_le_bytes().to_vec(), 1 << 30)),
    ]
}

fn changed() -> Vec<Case> {
    let whole = file(&json!({"x": features()}), &twelve());
    let flipped = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x08;
        Case::file(Verdict::Any, &format!("byte {place} flipped"), FILE, bytes)
    };
    (0..whole.len() - 48).step_by(2).map(flipped).collect()
}

#[test]
fn odd_files_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_files_are_refused() {
    try_all(&damaged());
}

#[test]
fn files_that_would_eat_memory_are_refused() {
    try_all(&greedy());
}

#[test]
fn changed_files_are_refused_or_still_files() {
    try_all(&changed());
}

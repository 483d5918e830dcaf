//! The valid files as seeds: for the fuzz targets, and for random changes here (`make fuzz`, `make hostile`).

use std::fs;
use std::path::Path;

use crate::judge::{Case, Content, Verdict, try_all};
use crate::{csv, idx, jsonl, npy, npz, onnx, parquet, pictures, safetensors, settings, text_models};

/// The valid cases of each format, by the name of its fuzz target.
fn controls() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("csv", csv::controls()),
        ("idx", idx::controls()),
        ("jsonl", jsonl::controls()),
        ("npy", npy::controls()),
        ("npz", npz::controls()),
        ("onnx", onnx::controls()),
        ("parquet", parquet::controls()),
        ("picture", pictures::controls()),
        ("safetensors", safetensors::controls()),
        ("settings", settings::controls()),
        ("tokenizer", text_models::controls()),
    ]
}

/// Writes the first file of each case, where it is no larger than a fuzzer likes, into the folder of its target. The
/// targets of settings and of IDX know their files by a byte.
#[test]
#[ignore = "a command: make fuzz"]
fn write() {
    let Some(folder) = std::env::var_os("SEEDS_FOR_FUZZING") else { return };
    for (target, cases) in controls() {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder).unwrap();
        for (number, case) in cases.iter().enumerate() {
            let Content::Bytes(bytes) = &case.files[0].1 else { continue };
            let bytes = [prefix(target, case), bytes, &suffix(target, case)].concat();
            if bytes.len() <= 64 << 10 {
                fs::write(folder.join(format!("{number:03}")), bytes).unwrap();
            }
        }
    }
}

fn prefix(target: &str, case: &Case) -> &'static [u8] {
    match (target, case.files[0].0.as_str()) {
        ("settings", "model/config.json") => &[0],
        ("settings", "model/preprocessor_config.json") => &[1],
        ("settings", "bare.toml") => &[3],
        ("settings", _) => &[6],
        _ => &[],
    }
}

fn suffix(target: &str, case: &Case) -> Vec<u8> {
    match case.files.get(1) {
        Some((_, Content::Bytes(labels))) if target == "idx" => [&[0xfe], &labels[..]].concat(),
        _ => vec![],
    }
}

/// A number below this, from a state that it moves on (Knuth's constants).
fn below(state: &mut u64, most: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) as usize) % most.max(1)
}

/// The bytes with some of them changed, left out or doubled.
fn changed(bytes: &[u8], state: &mut u64) -> Vec<u8> {
    const TELLING: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', b'\n', b','];
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(state, 4) {
        let (place, length) = (below(state, bytes.len()), 1 + below(state, 16));
        let end = bytes.len().min(place + length);
        match below(state, 6) {
            0 => bytes.truncate(place),
            1 => drop(bytes.drain(place..end)),
            2 => bytes.extend_from_within(place..end),
            3 => bytes.iter_mut().skip(place).take(length).for_each(|byte| *byte = TELLING[below(state, 10)]),
            4 => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << below(state, 8)),
            _ => bytes.iter_mut().skip(place).take(length).for_each(|byte| *byte = below(state, 256) as u8),
        }
    }
    bytes
}

/// So many changes of the controls of a format, from a seed that its name gives.
fn changes(target: &str, controls: &[Case], count: usize) -> Vec<Case> {
    let mut state = target.bytes().fold(7, |state: u64, byte| state.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let small: Vec<&Case> = controls
        .iter()
        .filter(|case| matches!(&case.files[0].1, Content::Bytes(bytes) if bytes.len() < 1 << 20))
        .collect();
    let one = |number| {
        let mut case = small[below(&mut state, small.len())].clone();
        let Content::Bytes(bytes) = &case.files[0].1 else { return case };
        case.files[0].1 = Content::Bytes(changed(bytes, &mut state));
        case.name = format!("{target}, {}, change {number}", case.name);
        case.verdict = Verdict::Any;
        case
    };
    (0..count).map(one).collect()
}

/// What was changed at random never breaks a promise, whatever it has become.
#[test]
#[ignore = "minutes: make hostile"]
fn thousands_of_random_changes_are_refused_or_still_valid() {
    let count = std::env::var("HOSTILE_CHANGES").ok().and_then(|count| count.parse().ok()).unwrap_or(500);
    for (target, cases) in controls() {
        try_all(&changes(target, &cases, count));
    }
}

/// A few of them in every test run.
#[test]
fn some_random_changes_are_refused_or_still_valid() {
    for (target, cases) in controls() {
        try_all(&changes(target, &cases, 10));
    }
}

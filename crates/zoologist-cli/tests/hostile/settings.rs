//! Settings beside a network: `preprocessor_config.json`, timm's `config.json`, sidecars, digests, `zoo.toml`.

use std::fs;

use crate::common::data;
use crate::judge::{Case, Content, Verdict, try_all};

const GOOD: &str = r#"{"do_resize": true, "size": {"height": 32, "width": 32}, "do_center_crop": false,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2}"#;
const TIMM: &str = r#"{"architecture": "x", "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "crop_pct": 1.0}}"#;

const SIDECAR: &str = "[preprocessing]
resize = {height = 32, width = 32}
filter = \"bilinear\"
scale = 0.003921569
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
";

fn network() -> Content {
    Content::Bytes(fs::read(data().join("models/classifier.onnx")).unwrap())
}

/// A model folder with this file of settings.
fn folder(verdict: Verdict, name: &str, file: &str, text: impl Into<Vec<u8>>) -> Case {
    let mut case = Case::file(verdict, name, &format!("model/{file}"), text);
    case.subject = "model".to_owned();
    case.beside("model/onnx/model.onnx", network()).asking(&["inspect", "model", "--runtime", "rten"])
}

fn pictures(verdict: Verdict, name: &str, text: impl Into<Vec<u8>>) -> Case {
    folder(verdict, name, "preprocessor_config.json", text)
}

fn bare(verdict: Verdict, name: &str, text: &str) -> Case {
    let case = Case::file(verdict, name, "bare.toml", text).beside("bare.onnx", network());
    Case { subject: "bare".to_owned(), ..case }.asking(&["inspect", "bare.onnx", "--runtime", "rten"])
}

fn listed(verdict: Verdict, name: &str, text: impl Into<Vec<u8>>) -> Case {
    let case = Case::file(verdict, name, "zoo/zoo.toml", text).beside("zoo/m/onnx/model.onnx", network());
    let case = case.beside("zoo/m/preprocessor_config.json", Content::Bytes(GOOD.into()));
    Case { subject: "zoo".to_owned(), ..case }.asking(&["inspect", "zoo"])
}

pub fn controls() -> Vec<Case> {
    let more =
        GOOD.replacen('{', "{\"день\": [[[1e308]]], \"x\u{1b}\": null, ".replace('\u{1b}', "\\u001b").as_str(), 1);
    vec![
        pictures(Verdict::Accepted, "plain", GOOD),
        pictures(Verdict::Accepted, "more fields", more),
        pictures(
            Verdict::Accepted,
            "one size",
            GOOD.replace(r#"{"height": 32, "width": 32}"#, r#"{"shortest_edge": 40}"#)
                .replace("false", "true, \"crop_size\": 32"),
        ),
        folder(Verdict::Accepted, "timm", "config.json", TIMM),
        bare(Verdict::Accepted, "a sidecar", SIDECAR),
        listed(Verdict::Accepted, "a zoo", "[[model]]\npath = \"m\"\nname = \"день\"\n"),
    ]
}

fn damaged() -> Vec<Case> {
    let bad = |name: &str, text: &str| pictures(Verdict::Refused, name, text);
    let changed = |name: &str, from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        bad(name, &GOOD.replace(from, to))
    };
    vec![
        bad("empty", ""),
        bad("a list", "[]"),
        bad("cut", &GOOD[..GOOD.len() / 2]),
        bad("no JSON", "do_resize = true"),
        bad("zeros", &"\0".repeat(100)),
        bad("100,000 lists in each other", &"[".repeat(100_000)),
        bad("lists in each other in a field", &format!("{{\"a\": {}", "[".repeat(100_000))),
        changed("no size", "\"height\": 32", "\"height\": 0"),
        changed("a negative size", "\"height\": 32", "\"height\": -32"),
        changed("a size of a billion", "\"height\": 32", "\"height\": 1000000000"),
        changed("a size beyond 64 bits", "\"height\": 32", "\"height\": 1e300"),
        changed("a size that is a text", "\"height\": 32", "\"height\": \"32\""),
        changed("a deviation of nothing", "\"image_std\": [0.5, 0.5, 0.5]", "\"image_std\": [0.5, 0, 0.5]"),
        changed("two means", "[0.5, 0.5, 0.5], \"image_std\"", "[0.5, 0.5], \"image_std\""),
        changed("a mean beyond all numbers", "[0.5, 0.5, 0.5], \"image_std\"", "[1e999, 0, 0], \"image_std\""),
        changed("an unknown filter", "\"resample\": 2", "\"resample\": 99"),
        changed("a crop that is cut", "\"do_center_crop\": false", "\"do_center_crop\": true, \"crop_size\": {}"),
        pictures(Verdict::Refused, "not UTF-8", b"{\"a\": \"\xff\"}".as_slice()),
        pictures(Verdict::Refused, "UTF-16", GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
        pictures(Verdict::Refused, "a pipe", "").replaced(Content::Pipe),
        pictures(Verdict::Refused, "a folder", "").replaced(Content::Folder),
        folder(Verdict::Refused, "timm, cut", "config.json", &TIMM[..60]),
        folder(Verdict::Refused, "timm without a size", "config.json", TIMM.replace("[3, 32, 32]", "[3, 0, 32]")),
        bare(Verdict::Refused, "a sidecar that is no TOML", "preset = "),
        bare(Verdict::Refused, "a sidecar of nothing", ""),
        bare(Verdict::Refused, "a sidecar of unknown fields", &format!("magic = 1\n{SIDECAR}")),
        bare(Verdict::Refused, "another digest", &format!("sha256 = \"{}\"\n{SIDECAR}", "0".repeat(64))),
        listed(Verdict::Refused, "a list that is no TOML", "[[model"),
        listed(Verdict::Refused, "a list of 100,000 lists", format!("a = {}", "[".repeat(100_000))),
        listed(Verdict::Refused, "a list without places", "[[model]]\nname = \"x\"\n"),
        folder(
            Verdict::Refused,
            "digests of other files",
            "SHA256SUMS",
            format!("{}  onnx/model.onnx\n", "0".repeat(64)),
        )
        .beside("model/preprocessor_config.json", Content::Bytes(GOOD.into())),
    ]
}

fn greedy() -> Vec<Case> {
    let zeros = format!("{{\"a\": [{}0]}}", "0,".repeat(7_500_000));
    let fields: String = (0..900_000).map(|n| format!("\"{n}\":0,")).collect();
    let tables: String = (0..900_000).map(|n| format!("a{n}=1\n")).collect();
    vec![
        pictures(Verdict::Refused, "7 million zeros", zeros.clone()),
        folder(Verdict::Refused, "7 million zeros for timm", "config.json", zeros),
        pictures(Verdict::Refused, "900,000 fields", format!("{{{fields}\"a\":0}}")),
        listed(Verdict::Refused, "900,000 entries", tables),
        pictures(Verdict::Refused, "1 GiB", "").replaced(Content::Sparse(vec![b'{'], 1 << 30)),
    ]
}

#[test]
fn odd_settings_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_settings_are_refused() {
    try_all(&damaged());
}

#[test]
fn settings_that_would_eat_memory_are_refused() {
    try_all(&greedy());
}

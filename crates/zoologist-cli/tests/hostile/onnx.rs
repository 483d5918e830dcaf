//! ONNX networks in model folders.

use std::fs;

use crate::common::data;
use crate::common::onnx::{
    attribute, begin, field, looping, memory_eater, network, node, number, outside, stack_overflow, tensor, value,
    variable,
};
use crate::judge::{Case, Content, Verdict, try_all};

const FLOAT: u64 = 1;
const INT64: u64 = 7;
const SETTINGS: &str = r#"{"do_resize": true, "size": {"height": 32, "width": 32}, "do_center_crop": false,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2}"#;

/// A model folder with this network. The runtime has its own clock, set so that the test doesn't take long.
fn model(verdict: Verdict, name: &str, network: impl Into<Vec<u8>>) -> Case {
    let mut case = Case::file(verdict, name, "model/onnx/model.onnx", network);
    case.subject = "model".to_owned();
    case.beside("model/preprocessor_config.json", Content::Bytes(SETTINGS.into())).asking(&[
        "inspect",
        "model",
        "--runtime",
        "rten",
        "--timeout",
        "3",
    ])
}

fn bad(name: &str, network: impl Into<Vec<u8>>) -> Case {
    model(Verdict::Refused, name, network)
}

fn good(name: &str, network: impl Into<Vec<u8>>) -> Case {
    model(Verdict::Accepted, name, network)
}

fn known(name: &str) -> Vec<u8> {
    fs::read(data().join("models").join(name)).unwrap()
}

/// The network of the first nodes, and these.
fn with(nodes: &[Vec<u8>], weights: &[Vec<u8>]) -> Vec<u8> {
    network(&[begin(), nodes.to_vec()].concat(), weights)
}

/// The network of one more operator.
fn one(operator: &str, inputs: &[&str], attributes: &[Vec<u8>], weights: &[Vec<u8>]) -> Vec<u8> {
    with(&[node(operator, inputs, "features", attributes)], weights)
}

/// One that adds this weight.
fn weight(shape: &[u64], kind: u64, bytes: &[u8]) -> Vec<u8> {
    one("Add", &["flat", "weight"], &[], &[tensor("weight", shape, kind, bytes)])
}

fn floats() -> Vec<u8> {
    [0.5_f32; 3].map(f32::to_le_bytes).concat()
}

fn sizes(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A message in a message, so many times.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(vec![], |inner, _| attribute("body", &[field(6, &field(1, &inner)), number(20, 5)]))
}

pub fn controls() -> Vec<Case> {
    let plain = weight(&[3], FLOAT, &floats());
    let external = || Content::Bytes(floats());
    let with_doc = [field(6, "день \x1b[2J".as_bytes()), plain.clone()].concat();
    vec![
        good("plain", plain.clone()),
        good("classifier", known("classifier.onnx")),
        good("features", known("with_features.onnx")),
        good("a fixed batch", known("fixed_batch.onnx")),
        good("external data", outside("model.data")).beside("model/onnx/model.data", external()),
        good("a text in it", with_doc),
        good("an unknown field", [plain.clone(), number(99, 1), field(98, b"more")].concat()),
        good("a network without weights", with(&[node("Relu", &["flat"], "features", &[])], &[])),
        good(
            "nodes in another order",
            network(&[vec![node("Relu", &["flat"], "features", &[])], begin()].concat(), &[]),
        ),
    ]
}

fn damaged() -> Vec<Case> {
    let whole = known("classifier.onnx");
    vec![
        bad("empty", ""),
        bad("a text", "no network, but some words"),
        bad("zeros", vec![0; 4096]),
        bad("ones", vec![0xff; 4096]),
        bad("cut", &whole[..whole.len() / 2]),
        bad("the end cut", &whole[..whole.len() - 1]),
        bad("another format", [b"PK\x03\x04", &whole[..]].concat()),
        bad("no graph", number(1, 8)),
        bad("an empty graph", [number(1, 8), field(7, &[])].concat()),
        bad(
            "two graphs",
            [weight(&[3], FLOAT, &floats()), field(7, &field(1, &node("Relu", &["x"], "y", &[])))].concat(),
        ),
        bad("a length beyond the file", [&whole[..], &[0x3a], &variable(1 << 40)].concat()),
        bad("a length of 2^63", [&whole[..], &[0x3a], &variable(1 << 63)].concat()),
        bad("a number that never ends", [&whole[..], &[0x80; 40]].concat()),
        bad("a group", [&whole[..], &[0x0b, 0x0c]].concat()),
        bad("1,000 graphs in each other", with(&[node("If", &["flat"], "features", &[nested(1000)])], &[])),
        bad("no outputs", field(7, &begin().iter().map(|node| field(1, node)).collect::<Vec<_>>().concat())),
    ]
}

fn graphs() -> Vec<Case> {
    let relu = |from: &str, to: &str| node("Relu", &[from], to, &[]);
    let foreign = [node("Relu", &["flat"], "features", &[]), field(7, b"com.example")].concat();
    vec![
        bad("a circle", with(&[node("Add", &["flat", "features"], "b", &[]), relu("b", "features")], &[])),
        bad("a node that takes itself", with(&[node("Add", &["flat", "features"], "features", &[])], &[])),
        bad("a value that nobody makes", one("Add", &["flat", "nothing"], &[], &[])),
        bad("an output that nobody makes", with(&[relu("flat", "other")], &[])),
        bad("a value twice", with(&[relu("flat", "features"), relu("flat", "features"), relu("flat", "flat")], &[])),
        bad("an unknown operator", one("Explode", &["flat"], &[], &[])),
        bad("an operator of somebody's", with(&[foreign], &[])),
        bad(
            "Python",
            one("PythonOp", &["flat"], &[attribute("pycode", &[field(4, b"import os"), number(20, 3)])], &[]),
        ),
        bad("an operator without a name", one("", &["flat"], &[], &[])),
        bad("an operator with too few inputs", one("Add", &["flat"], &[], &[])),
        bad(
            "a product that does not fit",
            one("MatMul", &["flat", "w"], &[], &[tensor("w", &[7, 3], FLOAT, &[0; 84])]),
        ),
        bad(
            "an axis that is not there",
            one("Concat", &["flat", "flat"], &[attribute("axis", &[number(3, 9), number(20, 2)])], &[]),
        ),
        bad(
            "a convolution with a stride of 0",
            one(
                "Conv",
                &["input", "w"],
                &[attribute("strides", &[number(8, 0), number(8, 0), number(20, 7)])],
                &[tensor("w", &[1, 3, 1, 1], FLOAT, &floats())],
            ),
        ),
    ]
}

fn weights() -> Vec<Case> {
    vec![
        bad("too few bytes", weight(&[4], FLOAT, &floats())),
        bad("too many bytes", weight(&[2], FLOAT, &floats())),
        bad("4 TiB", weight(&[1 << 20, 1 << 20], FLOAT, &floats())),
        bad("a product that overflows", weight(&[1 << 32, 1 << 32], FLOAT, &floats())),
        bad("a negative size", weight(&[u64::MAX, 3], FLOAT, &floats())),
        bad("an unknown type", weight(&[3], 99, &floats())),
        bad("texts", weight(&[3], 8, &floats())),
        model(Verdict::Any, "not numbers", weight(&[3], FLOAT, &[f32::NAN; 3].map(f32::to_le_bytes).concat())),
    ]
}

fn limits() -> Vec<Case> {
    let expand = |shape: &[u64]| {
        one("Expand", &["flat", "shape"], &[], &[tensor("shape", &[shape.len() as u64], INT64, &sizes(shape))])
    };
    let name = |layer: usize| if layer == 300_000 { "features".to_owned() } else { format!("v{layer}") };
    let long: Vec<Vec<u8>> = (0..300_000).map(|layer| node("Relu", &[&name(layer)], &name(layer + 1), &[])).collect();
    let many: Vec<Vec<u8>> = (0..200_000).map(|n| node("Relu", &["flat"], &format!("u{n}"), &[])).collect();
    let layers = |count: usize| {
        let name =
            |layer: usize| if layer == count { "features".to_owned() } else { format!("{}{layer}", "v".repeat(200)) };
        let step = |layer: usize| {
            let (from, to) = (name(layer), name(layer + 1));
            let middle = format!("m{layer}");
            [node("MatMul", &[&from, "w"], &middle, &[]), node("Add", &[&middle, &from], &to, &[])]
        };
        let start = node("Relu", &["flat"], &name(0), &[]);
        let nodes = [vec![start], (0..count).flat_map(step).collect()].concat();
        with(&nodes, &[tensor("w", &[3, 3], FLOAT, &[0; 36])])
    };
    let every = |case: Case| case.asking(&["layers", "model", "--list", "--runtime", "rten", "--timeout", "3"]);
    vec![
        bad("a loop without an end", looping(1 << 62)),
        bad("a crash", stack_overflow()),
        bad("5 TB", memory_eater(400_000_000_000)),
        bad("1.2 GB", memory_eater(100_000_000)),
        bad("a value of 4 TiB", expand(&[1 << 40, 3])),
        bad("a value whose size overflows", expand(&[1 << 62, 3])),
        bad("300,000 nodes in a row", with(&[vec![node("Relu", &["flat"], "v0", &[])], long].concat(), &[])),
        model(
            Verdict::Any,
            "200,000 nodes side by side",
            with(&[many, vec![node("Relu", &["flat"], "features", &[])]].concat(), &[]),
        ),
        bad("two million empty nodes", field(7, &field(1, &[]).repeat(2_000_000))),
        every(model(Verdict::Any, "3,000 layers", layers(3000))),
    ]
}

fn external() -> Vec<Case> {
    let beside = |name: &str, location: &str| {
        bad(name, outside(location)).beside("model/onnx/model.data", Content::Bytes(floats()))
    };
    let instead = |name: &str, content| bad(name, outside("model.data")).beside("model/onnx/model.data", content);
    vec![
        beside("that climbs", "../../outside.data").beside("outside.data", Content::Bytes(floats())),
        beside("that climbs and comes back", "../onnx/model.data"),
        beside("from the root", "/etc/passwd"),
        beside("a device", "/dev/zero"),
        beside("a process", "/proc/self/environ"),
        beside("a place in the network", "https://example.com/model.data"),
        beside("an address", "file:///etc/passwd"),
        beside("without a name", ""),
        beside("that is not there", "gone.data"),
        beside("with a zero", "model.data\0"),
        beside("itself", "model.onnx"),
        instead("a link out", Content::Link("/etc/passwd".to_owned())),
        instead("a pipe", Content::Pipe),
        instead("a folder", Content::Folder),
        instead("that is cut", Content::Bytes(vec![0; 4])),
        instead("that is empty", Content::Bytes(vec![])),
    ]
}

fn changed() -> Vec<Case> {
    let whole = known("classifier.onnx");
    let cut = |length: usize| bad(&format!("cut to {length} bytes"), &whole[..length]);
    let flipped = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x15;
        model(Verdict::Any, &format!("byte {place} flipped"), bytes)
    };
    let step = whole.len() / 40;
    (0..whole.len()).step_by(step).flat_map(|place| [cut(place), flipped(place)]).collect()
}

#[test]
fn odd_networks_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_files_are_refused() {
    try_all(&damaged());
}

#[test]
fn bad_graphs_are_refused() {
    try_all(&graphs());
}

#[test]
fn bad_weights_are_refused() {
    try_all(&weights());
}

#[test]
fn networks_that_know_no_limits_are_refused() {
    try_all(&limits());
}

#[test]
fn external_data_from_elsewhere_is_refused() {
    try_all(&external());
}

#[test]
fn changed_networks_are_refused_or_still_networks() {
    try_all(&changed());
}

#[test]
fn vetting_bad_and_odd_networks_is_as_safe() {
    for cases in [controls, damaged, graphs, weights, limits, external] {
        try_all(&cases().into_iter().map(Case::vetted).collect::<Vec<_>>());
    }
}

/// Kept to say that a value without a shape is a value.
#[test]
fn an_input_without_a_shape_is_a_network_or_not() {
    let input = field(11, &value("more", FLOAT, &[]));
    let graph = [begin().iter().map(|node| field(1, node)).collect::<Vec<_>>().concat(), input].concat();
    try_all(&[bad("no output", [number(1, 8), field(7, &graph)].concat())]);
}

//! ONNX files written by hand, byte by byte: small ones that are traps.

/// The classifier's input, pooled to one number per channel: where each of these networks begins.
const BEGIN: [(&str, &str, &str); 2] = [("GlobalAveragePool", "input", "pooled"), ("Flatten", "pooled", "flat")];
const FLOAT: u64 = 1;
const INT64: u64 = 7;
const BOOL: u64 = 9;

/// A network whose only fault is that its features are the largest of so many equal rows, all of which it makes.
pub fn memory_eater(rows: u64) -> Vec<u8> {
    let mut nodes = begin();
    nodes.push(node("Expand", &["flat", "shape"], "rows", &[]));
    let axes = attribute("axes", &[number(8, 0), number(20, 7)]);
    let kept = attribute("keepdims", &[number(3, 1), number(20, 2)]);
    nodes.push(node("ReduceMax", &["rows"], "features", &[axes, kept]));
    let shape = [rows.to_le_bytes(), 3_u64.to_le_bytes()].concat();
    network(&nodes, &[tensor("shape", &[2], INT64, &shape)])
}

/// A network with a loop of so many turns: each takes about a microsecond.
pub fn looping(turns: u64) -> Vec<u8> {
    let body = [
        field(1, &node("Identity", &["go_on"], "goes_on", &[])),
        field(1, &node("Relu", &["state"], "next", &[])),
        field(2, b"body"),
        field(11, &value("turn", INT64, &[])),
        field(11, &value("go_on", BOOL, &[])),
        field(11, &value("state", FLOAT, &[1, 3])),
        field(12, &value("goes_on", BOOL, &[])),
        field(12, &value("next", FLOAT, &[1, 3])),
    ]
    .concat();
    let mut nodes = begin();
    let body = attribute("body", &[field(6, &body), number(20, 5)]);
    nodes.push(node("Loop", &["turns", "go", "flat"], "features", &[body]));
    network(&nodes, &[tensor("turns", &[], INT64, &turns.to_le_bytes()), tensor("go", &[], BOOL, &[1])])
}

/// A network of so many layers that rten's stack overflows, which no handler catches.
pub fn stack_overflow() -> Vec<u8> {
    const LAYERS: usize = 30_000;
    let name = |layer: usize| if layer == LAYERS { "features".to_owned() } else { format!("v{layer}") };
    let mut nodes = begin();
    nodes.push(node("Relu", &["flat"], &name(0), &[]));
    nodes.extend((0..LAYERS).map(|layer| node("Relu", &[&name(layer)], &name(layer + 1), &[])));
    network(&nodes, &[])
}

/// A network whose weights are said to lie in this file.
pub fn outside(location: &str) -> Vec<u8> {
    let entry = |key: &str, text: &str| field(13, &[field(1, key.as_bytes()), field(2, text.as_bytes())].concat());
    let weights = [
        [1, 3].map(|size| number(1, size)).concat(),
        number(2, FLOAT),
        field(8, b"weights"),
        entry("location", location),
        entry("offset", "0"),
        entry("length", "12"),
        number(14, 1),
    ];
    let mut nodes = begin();
    nodes.push(node("Add", &["flat", "weights"], "features", &[]));
    network(&nodes, &[weights.concat()])
}

pub fn begin() -> Vec<Vec<u8>> {
    BEGIN.map(|(operator, from, to)| node(operator, &[from], to, &[])).to_vec()
}

pub fn network(nodes: &[Vec<u8>], weights: &[Vec<u8>]) -> Vec<u8> {
    let (input, output) = (value("input", FLOAT, &[1, 3, 32, 32]), value("features", FLOAT, &[1, 3]));
    between(&input, &output, nodes, weights)
}

/// The same with any number of pictures at a time.
pub fn of_open_batch(nodes: &[Vec<u8>], weights: &[Vec<u8>]) -> Vec<u8> {
    let open = |name: &str, rest: &[u64]| {
        let rest = rest.iter().map(|&size| field(1, &number(1, size)));
        let shape: Vec<Vec<u8>> = std::iter::once(field(1, &field(2, b"batch"))).chain(rest).collect();
        [field(1, name.as_bytes()), field(2, &field(1, &[number(1, FLOAT), field(2, &shape.concat())].concat()))]
            .concat()
    };
    between(&open("input", &[3, 32, 32]), &open("features", &[3]), nodes, weights)
}

fn between(input: &[u8], output: &[u8], nodes: &[Vec<u8>], weights: &[Vec<u8>]) -> Vec<u8> {
    let nodes = nodes.iter().map(|node| field(1, node));
    let weights = weights.iter().map(|weight| field(5, weight));
    let (input, output) = (field(11, input), field(12, output));
    let graph: Vec<Vec<u8>> = nodes.chain([field(2, b"graph")]).chain(weights).chain([input, output]).collect();
    [number(1, 8), field(7, &graph.concat()), field(8, &[field(1, b""), number(2, 13)].concat())].concat()
}

pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs: Vec<Vec<u8>> = inputs.iter().map(|input| field(1, input.as_bytes())).collect();
    [inputs.concat(), field(2, output.as_bytes()), field(4, operator.as_bytes()), attributes.concat()].concat()
}

pub fn attribute(name: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    field(5, &[field(1, name.as_bytes()), parts.concat()].concat())
}

pub fn tensor(name: &str, shape: &[u64], kind: u64, bytes: &[u8]) -> Vec<u8> {
    let shape: Vec<Vec<u8>> = shape.iter().map(|&size| number(1, size)).collect();
    [shape.concat(), number(2, kind), field(8, name.as_bytes()), field(9, bytes)].concat()
}

pub fn value(name: &str, kind: u64, shape: &[u64]) -> Vec<u8> {
    let shape: Vec<Vec<u8>> = shape.iter().map(|&size| field(1, &number(1, size))).collect();
    let of = field(1, &[number(1, kind), field(2, &shape.concat())].concat());
    [field(1, name.as_bytes()), field(2, &of)].concat()
}

pub fn number(key: u64, number: u64) -> Vec<u8> {
    [variable(key << 3), variable(number)].concat()
}

pub fn field(key: u64, bytes: &[u8]) -> Vec<u8> {
    [&variable(key << 3 | 2), &variable(bytes.len() as u64), bytes].concat()
}

/// Seven bits a byte, the lowest first; all but the last byte have the highest bit set.
pub fn variable(mut number: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

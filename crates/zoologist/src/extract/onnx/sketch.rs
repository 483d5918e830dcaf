//! Small models for tests, from one line per node.
//!
//! `y = Conv(x, w[8 3 3 3]) strides=2,2` makes a value, with a float weight of seeded numbers. `#1,2` is a constant of
//! integers, `#` before a number with a point one of floats. `input x float ? 3 8 8` and `output y int64 ? ?` declare
//! values; without type and shape, only the name is stated.

use std::cell::RefCell;

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};
use rten_onnx::protobuf::{EncodeMessage, ValueWriter};

use crate::base::Seed;

/// Attributes that are lists even if they hold one number.
const LISTS: [&str; 6] = ["strides", "dilations", "kernel_shape", "pads", "perm", "axes"];

/// A model of opset 17 as bytes.
pub fn model(text: &str) -> Vec<u8> {
    let mut graph = GraphProto::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once(' ') {
            Some(("input", value)) => graph.input.push(declared(value)),
            Some(("output", value)) => graph.output.push(declared(value)),
            _ => node(line, &mut graph),
        }
    }
    let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(17) };
    let model =
        ModelProto { ir_version: Some(8), graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() };
    let mut bytes = vec![];
    model.encode(ValueWriter::new(&mut bytes)).unwrap();
    bytes
}

/// A small text encoder of 6 dimensions that normalises after each residual, in opset-17 operators that older exporters
/// write: `ids` and `mask` of int64 in, the states of block k are `norm_k_ffn`, and those of the last are an output.
pub fn encoder(blocks: usize) -> String {
    let block = |k: usize| {
        let before = if k == 1 { "norm_0".to_owned() } else { format!("norm_{}_ffn", k - 1) };
        let (middle, end) = (format!("norm_{k}"), format!("norm_{k}_ffn"));
        [
            attention(&before, &format!("att_{k}")),
            format!("sum_{k} = Add(att_{k}, {before})\n"),
            normalisation(&format!("sum_{k}"), &middle),
            feed_forward(&middle, &format!("ffn_{k}")),
            format!("sum_{k}_ffn = Add(ffn_{k}, {middle})\n"),
            normalisation(&format!("sum_{k}_ffn"), &end),
        ]
        .concat()
    };
    let embeddings = "input ids int64 ? ?
        input mask int64 ? ?
        real = Cast(mask) to=1
        padding = Sub(#1.0, real)
        low = Mul(padding, #-10000.0)
        bias = Unsqueeze(low, #1)
        words = Gather(table[20 6], ids)\n";
    let blocks_text: String = (1..=blocks).map(block).collect();
    format!("{embeddings}{}{blocks_text}output norm_{blocks}_ffn float ? ? 6\n", normalisation("words", "norm_0"))
}

/// Layer normalisation in single operators.
fn normalisation(x: &str, y: &str) -> String {
    format!(
        "{y}_mean = ReduceMean({x}) axes=-1
         {y}_rest = Sub({x}, {y}_mean)
         {y}_square = Pow({y}_rest, #2.0)
         {y}_variance = ReduceMean({y}_square) axes=-1
         {y}_more = Add({y}_variance, #0.00001)
         {y}_deviation = Sqrt({y}_more)
         {y}_unit = Div({y}_rest, {y}_deviation)
         {y}_scaled = Mul({y}_unit, {y}_scale[6])
         {y} = Add({y}_scaled, {y}_shift[6])\n"
    )
}

/// Attention with one head; `bias` is added to its scores.
pub fn attention(x: &str, y: &str) -> String {
    format!(
        "{y}_q = MatMul({x}, {y}_wq[6 6])
         {y}_k = MatMul({x}, {y}_wk[6 6])
         {y}_v = MatMul({x}, {y}_wv[6 6])
         {y}_turned = Transpose({y}_k) perm=0,2,1
         {y}_scores = MatMul({y}_q, {y}_turned)
         {y}_masked = Add({y}_scores, bias)
         {y}_weights = Softmax({y}_masked) axis=-1
         {y}_mixed = MatMul({y}_weights, {y}_v)
         {y} = MatMul({y}_mixed, {y}_wo[6 6])\n"
    )
}

/// Two dense layers with the tanh form of GELU between, which adds two values that depend on the input.
pub fn feed_forward(x: &str, y: &str) -> String {
    format!(
        "{y}_up = MatMul({x}, {y}_wu[6 8])
         {y}_cube = Pow({y}_up, #3.0)
         {y}_small = Mul({y}_cube, #0.044715)
         {y}_both = Add({y}_up, {y}_small)
         {y}_wide = Mul({y}_both, #0.797885)
         {y}_tanh = Tanh({y}_wide)
         {y}_gate = Add({y}_tanh, #1.0)
         {y}_gated = Mul({y}_up, {y}_gate)
         {y}_half = Mul({y}_gated, #0.5)
         {y} = MatMul({y}_half, {y}_wd[8 6])\n"
    )
}

fn declared(text: &str) -> ValueInfoProto {
    let mut words = text.split(' ');
    let name = words.next().map(str::to_owned);
    let elem_type = words.next().map(|word| match word {
        "float" => DataType::FLOAT,
        "int32" => DataType::INT32,
        "int64" => DataType::INT64,
        "bool" => DataType::BOOL,
        other => panic!("no type {other}"),
    });
    let dim = words.map(|word| Dimension { dim_value: word.parse().ok(), dim_param: None }).collect();
    let tensor_type = TypeProtoTensor { elem_type, shape: Some(TensorShapeProto { dim }) };
    let kind = TypeProto { tensor_type: Some(tensor_type), sequence: None };
    ValueInfoProto { name, r#type: elem_type.map(|_| kind) }
}

fn node(line: &str, graph: &mut GraphProto) {
    let (outputs, rest) = line.split_once(" = ").unwrap();
    let (operator, rest) = rest.split_once('(').unwrap();
    let (inputs, attributes) = rest.split_once(')').unwrap();
    let input = inputs.split(", ").filter(|input| !input.is_empty()).map(|input| value(input, graph)).collect();
    let attribute = attributes.split_whitespace().map(attribute).collect();
    graph.node.push(NodeProto {
        op_type: Some(operator.to_owned()),
        output: outputs.split(", ").map(str::to_owned).collect(),
        input,
        attribute,
        ..NodeProto::default()
    });
}

/// The name of an input; a weight or a constant is put into the graph first.
fn value(text: &str, graph: &mut GraphProto) -> String {
    if let Some(numbers) = text.strip_prefix('#') {
        let name = format!("constant {}", graph.initializer.len());
        let list = || numbers.split(',');
        let is_scalar = numbers.contains('.') && !numbers.contains(',');
        let dims = if is_scalar { vec![] } else { vec![i64::try_from(list().count()).unwrap()] };
        let tensor = if numbers.contains('.') {
            float_tensor(&name, dims, list().map(|number| number.parse().unwrap()))
        } else {
            let bytes = list().flat_map(|number| number.parse::<i64>().unwrap().to_le_bytes()).collect();
            tensor(&name, dims, DataType::INT64, bytes)
        };
        graph.initializer.push(tensor);
        return name;
    }
    let Some((name, dims)) = text.strip_suffix(']').and_then(|text| text.split_once('[')) else {
        return text.to_owned();
    };
    if graph.initializer.iter().all(|tensor| tensor.name.as_deref() != Some(name)) {
        let dims: Vec<i64> = dims.split(' ').map(|length| length.parse().unwrap()).collect();
        let mut random = Seed(1).stream("sketch", name);
        let numbers = (0..dims.iter().product()).map(|_: i64| random.below(2001) as f32 / 2000.0 - 0.5);
        graph.initializer.push(float_tensor(name, dims, numbers));
    }
    name.to_owned()
}

fn float_tensor(name: &str, dims: Vec<i64>, numbers: impl Iterator<Item = f32>) -> TensorProto {
    tensor(name, dims, DataType::FLOAT, numbers.flat_map(f32::to_le_bytes).collect())
}

fn tensor(name: &str, dims: Vec<i64>, kind: DataType, bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims,
        data_type: Some(kind),
        raw_data: Some(RefCell::new(bytes)),
        ..TensorProto::default()
    }
}

fn attribute(text: &str) -> AttributeProto {
    let (name, value) = text.split_once('=').unwrap();
    let numbers: Vec<i64> = value.split(',').map(|number| number.parse().unwrap()).collect();
    let mut attribute = AttributeProto { name: Some(name.to_owned()), ..AttributeProto::default() };
    if LISTS.contains(&name) {
        (attribute.r#type, attribute.ints) = (Some(AttributeType::INTS), numbers);
    } else {
        (attribute.r#type, attribute.i) = (Some(AttributeType::INT), Some(numbers[0]));
    }
    attribute
}

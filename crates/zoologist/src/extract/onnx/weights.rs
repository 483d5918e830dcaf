//! The numbers of an ONNX model's weights, one tensor after the other.

use std::collections::BTreeMap;

use rten_onnx::onnx::{DataType, TensorProto};

use super::graph::Graph;
use super::{ModelBytes, span};
use crate::data::half;

/// A tensor that the file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Its name; of a constant of a node, the value that the node makes.
    pub name: String,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// What it holds.
    pub content: Content,
}

/// What a tensor holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Floating-point numbers, last axis fastest.
    Floats(Vec<f32>),
    /// Something else: integers, truth values, texts.
    Other,
    /// Not as many numbers as its shape says: how many there are.
    Misfit(usize),
    /// Numbers that are said to lie in another file, which has no such bytes.
    BeyondEnd,
}

impl ModelBytes {
    /// Hands over every tensor of the graph, weights first, then constants of nodes.
    pub fn each_weight(&self, graph: &Graph, take: &mut dyn FnMut(Weight)) {
        for (name, tensor) in graph.tensors() {
            take(weight(name, tensor, &self.external));
        }
    }
}

fn weight(name: &str, tensor: &TensorProto, external: &BTreeMap<String, Vec<u8>>) -> Weight {
    let shape: Vec<usize> = tensor.dims.iter().map(|&length| usize::try_from(length).unwrap_or(0)).collect();
    let content = match floats(tensor, external) {
        _ if is_outside(tensor) && outside(tensor, external).is_none() => Content::BeyondEnd,
        None => Content::Other,
        Some(values)
            if shape.iter().try_fold(1_usize, |all, &length| all.checked_mul(length)) == Some(values.len()) =>
        {
            Content::Floats(values)
        }
        Some(values) => Content::Misfit(values.len()),
    };
    Weight { name: name.to_owned(), shape, content }
}

/// The numbers of a floating-point tensor, however many there are.
fn floats(tensor: &TensorProto, external: &BTreeMap<String, Vec<u8>>) -> Option<Vec<f32>> {
    let kind = tensor.data_type?;
    if !matches!(kind, DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16 | DataType::BFLOAT16) {
        return None;
    }
    if is_outside(tensor) {
        return Some(decoded(outside(tensor, external).unwrap_or_default(), kind));
    }
    if let Some(raw) = &tensor.raw_data {
        return Some(decoded(&raw.borrow(), kind));
    }
    let pairs = tensor.int32_data.iter().map(|&bits| bits as u16);
    Some(match kind {
        DataType::FLOAT => tensor.float_data.clone(),
        DataType::DOUBLE => tensor.double_data.iter().map(|&value| value as f32).collect(),
        DataType::FLOAT16 => pairs.map(half).collect(),
        _ => pairs.map(bfloat).collect(),
    })
}

/// Whether the numbers of a tensor lie in another file.
fn is_outside(tensor: &TensorProto) -> bool {
    tensor.external_data.iter().any(|entry| entry.key.as_deref() == Some("location"))
}

/// The bytes of a tensor that lie in another file; `None` where that file has no such bytes.
fn outside<'a>(tensor: &TensorProto, external: &'a BTreeMap<String, Vec<u8>>) -> Option<&'a [u8]> {
    let value = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some(key));
        found.and_then(|entry| entry.value.as_deref())
    };
    let number = |key: &str| value(key).and_then(|text| text.parse::<u64>().ok());
    let bytes = external.get(value("location")?)?;
    bytes.get(span(bytes.len(), number("offset").unwrap_or(0), number("length"))?)
}

fn decoded(bytes: &[u8], kind: DataType) -> Vec<f32> {
    match kind {
        DataType::FLOAT => bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect(),
        DataType::DOUBLE => bytes.as_chunks::<8>().0.iter().map(|&eight| f64::from_le_bytes(eight) as f32).collect(),
        DataType::FLOAT16 => bytes.as_chunks::<2>().0.iter().map(|&two| half(u16::from_le_bytes(two))).collect(),
        _ => bytes.as_chunks::<2>().0.iter().map(|&two| bfloat(u16::from_le_bytes(two))).collect(),
    }
}

fn bfloat(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::onnx::sketch;

    #[test]
    fn weights_and_constants_of_nodes_are_handed_over_with_their_numbers() {
        let text = "input x float 1 3\n output y float 1 2\n a = Add(x, #0.5)\n y = Gemm(a, w[3 2])";
        let model = ModelBytes { model: sketch::model(text), external: BTreeMap::new() };
        let graph = Graph::parse(&model.model).unwrap();
        let mut found = vec![];
        model.each_weight(&graph, &mut |weight| found.push(weight));
        let matrix = found.iter().find(|weight| weight.name == "w").unwrap();
        assert_eq!(matrix.shape, [3, 2]);
        assert!(matches!(&matrix.content, Content::Floats(values) if values.len() == 6));
        assert!(found.iter().any(|weight| weight.content == Content::Floats(vec![0.5])));
    }
}

//! Whether a graph's weights fit each other and what comes before them.
//!
//! Shapes are followed only as far as weights decide them: the channels of maps through convolutions and what leaves
//! channels alone, the width of vectors through matrix products. What depends on the shape of the input is left to the
//! runtime.

use std::collections::HashMap;

use rten_onnx::onnx::NodeProto;

use super::structure::Names;
use super::{Graph, operator};

/// Operators that leave the channels of a map, or the width of a vector, as they are.
const KEEP: [&str; 23] = [
    "Relu",
    "Clip",
    "LeakyRelu",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Elu",
    "Selu",
    "Softplus",
    "Gelu",
    "Erf",
    "Mish",
    "Identity",
    "Dropout",
    "Cast",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Softmax",
    "PRelu",
    "LayerNormalization",
];

/// The length of one axis of a value.
#[derive(Clone, Copy)]
enum Width {
    /// Of its second axis: the channels of a map.
    Channels(i64),
    /// Of its last axis: the numbers of a vector.
    Last(i64),
}

impl Graph {
    /// Nodes whose weights don't fit each other or what comes before them, in words.
    pub fn misfits(&self) -> Names {
        let mut widths: HashMap<&str, Width> = HashMap::new();
        let mut faults = Names::default();
        for &node in self.flow.order() {
            let node = &self.proto.node[node];
            let Some(output) = node.output.first() else { continue };
            match self.width_after(node, &widths) {
                Ok(Some(width)) => {
                    widths.insert(output, width);
                }
                Ok(None) => {}
                Err(fault) => faults.push(&fault),
            }
        }
        faults
    }

    /// The width of what a node makes, where it is known.
    fn width_after(&self, node: &NodeProto, widths: &HashMap<&str, Width>) -> Result<Option<Width>, String> {
        let before = node.input.first().and_then(|name| widths.get(name.as_str())).copied();
        match operator(node) {
            "Conv" => self.after_convolution(node, before),
            "Gemm" | "MatMul" => self.after_product(node, before),
            "BatchNormalization" => self.after_norm(node, before),
            "Flatten" | "Squeeze" => Ok(match before {
                Some(Width::Channels(channels)) if self.is_pooled(&node.input[0]) => Some(Width::Last(channels)),
                _ => None,
            }),
            other if KEEP.contains(&other) => Ok(before),
            _ => Ok(None),
        }
    }

    fn after_convolution(&self, node: &NodeProto, before: Option<Width>) -> Result<Option<Width>, String> {
        let Some([out, own, ..]) = self.dims_of(node, 1) else { return Ok(None) };
        let groups = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some("group"));
        let channels = own.checked_mul(groups.and_then(|attribute| attribute.i).unwrap_or(1));
        let channels = channels.ok_or_else(|| fault(node, 1, "has an impossible number of groups"))?;
        match (before, self.dims_of(node, 2)) {
            (Some(Width::Channels(before)), _) if before != channels => {
                Err(fault(node, 1, &format!("takes {channels} channels and gets {before}")))
            }
            (_, Some([bias])) if bias != out => Err(fault(node, 2, &format!("has {bias} numbers for {out} channels"))),
            _ => Ok(Some(Width::Channels(*out))),
        }
    }

    fn after_product(&self, node: &NodeProto, before: Option<Width>) -> Result<Option<Width>, String> {
        let turned = node
            .attribute
            .iter()
            .any(|attribute| attribute.name.as_deref() == Some("transB") && attribute.i == Some(1));
        let Some(&[first, second]) = self.dims_of(node, 1) else { return Ok(None) };
        let (inner, out) = if turned { (second, first) } else { (first, second) };
        let bias = self.dims_of(node, 2).and_then(<[i64]>::last).filter(|&&bias| bias != out && bias != 1);
        match (before, bias) {
            (Some(Width::Last(before)), _) if before != inner => {
                Err(fault(node, 1, &format!("takes {inner} numbers and gets {before}")))
            }
            (_, Some(bias)) => Err(fault(node, 2, &format!("has {bias} numbers for {out}"))),
            _ => Ok(Some(Width::Last(out))),
        }
    }

    fn after_norm(&self, node: &NodeProto, before: Option<Width>) -> Result<Option<Width>, String> {
        let lengths: Vec<i64> = (1..5).filter_map(|place| self.dims_of(node, place)?.first().copied()).collect();
        let Some(&first) = lengths.first() else { return Ok(before) };
        let expected = if let Some(Width::Channels(channels)) = before { channels } else { first };
        match lengths.iter().find(|&&length| length != expected) {
            Some(length) => Err(fault(node, 1, &format!("has {length} numbers for {expected} channels"))),
            None => Ok(before.or(Some(Width::Channels(first)))),
        }
    }

    fn dims_of(&self, node: &NodeProto, place: usize) -> Option<&[i64]> {
        self.weight_dims(node.input.get(place)?)
    }

    /// Whether a value is a map that was pooled to one number a channel.
    fn is_pooled(&self, value: &str) -> bool {
        self.flow.maker(value).is_some_and(|node| operator(&self.proto.node[node]).starts_with("Global"))
    }
}

fn fault(node: &NodeProto, place: usize, what: &str) -> String {
    format!("{} ({}) {what}", node.input.get(place).map_or("", String::as_str), operator(node))
}

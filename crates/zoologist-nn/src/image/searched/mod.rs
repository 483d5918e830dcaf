//! Networks that a search puts together: a skeleton, and in each of its places one of several operations.
//!
//! Two skeletons are here. The chain has layers one after the other, whose operations cost the same, so that a search can't
//! win by size alone. The cells are those of MdeNAS and DARTS (Zheng et al., ICCV 2019, §3.1; Liu et al.,
//! arXiv:1806.09055, §2.1): a normal and a reduction cell of two inputs and four nodes, each the sum of what comes from
//! all before it.
//!
//! A network is a space and an architecture. Its parameters are named by place and operation: the network that shares its
//! weights among all architectures has the same parameters, those of every operation of every place.

mod cells;
mod chain;
mod path;

use burn::tensor::Tensor;
use serde_json::{Value, json};
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::{Skeleton, SkeletonKind};
use zoologist::search::{Choice, Limit, Space};

use super::Take;
use crate::architecture::Parameter;
use crate::error::LoadError;
use crate::graphs::Writer;
use crate::scope::Scope;
use path::Path;

/// What the sample norms of these networks add to the variance.
pub const EPSILON: f64 = 1e-5;
/// What the name of their architecture begins with.
const PREFIX: &str = "zoologist_";

/// An architecture of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    skeleton: Skeleton,
    /// The number of the operation in each place.
    operations: Vec<u8>,
}

impl Searched {
    /// The network of an architecture.
    pub fn new(skeleton: Skeleton, operations: Vec<u8>) -> Self {
        Self { skeleton, operations }
    }

    /// Reads `config.json`; `None` where it names another architecture.
    pub fn read(config: &Value) -> Result<Option<Self>, LoadError> {
        let name = config.get("architecture").and_then(Value::as_str);
        let Some(kind) = name.and_then(|name| name.strip_prefix(PREFIX)) else { return Ok(None) };
        let wrong = |what: &str| LoadError::Config(what.to_owned());
        let own = config.get("zoologist").ok_or_else(|| wrong("`zoologist` is missing"))?;
        let kind: SkeletonKind = kind.parse().map_err(|_| wrong("an architecture of zoologist that is not known"))?;
        let channels = own.get("channels").and_then(Value::as_u64).filter(|channels| (1..=4096).contains(channels));
        let channels = channels.ok_or_else(|| wrong("`zoologist.channels` must be 1 to 4096"))? as usize;
        let skeleton = Skeleton { kind, channels };
        let choices = choices(skeleton);
        let named = own.get("operations").and_then(Value::as_array).filter(|named| named.len() == choices.len());
        let named = named.ok_or_else(|| wrong("`zoologist.operations` must name one operation for each place"))?;
        let number = |(choice, name): (&Choice, &Value)| {
            let found = choice.options.iter().position(|option| name.as_str() == Some(option));
            found.map(|number| number as u8).ok_or_else(|| wrong("`zoologist.operations` names one that is not known"))
        };
        let operations: Vec<u8> = choices.iter().zip(named).map(number).collect::<Result<_, _>>()?;
        if space(skeleton, 4, [None; 2]).held(&operations) > 0 {
            return Err(wrong("`zoologist.operations` leaves a node without anything that comes to it"));
        }
        Ok(Some(Self { skeleton, operations }))
    }

    /// What `config.json` says of it.
    pub fn config(&self) -> Value {
        let choices = choices(self.skeleton);
        let names = choices.iter().zip(&self.operations).map(|(choice, &number)| &choice.options[usize::from(number)]);
        json!({
            "architecture": format!("{PREFIX}{}", self.skeleton.kind),
            "zoologist": { "channels": self.skeleton.channels, "operations": names.collect::<Vec<_>>() },
        })
    }

    /// Its parameters.
    pub fn parameters(&self) -> Vec<Parameter> {
        paths(self.skeleton, Some(&self.operations)).iter().flat_map(Path::parameters).collect()
    }

    /// Whether a filter begins as one that gives what it takes.
    pub fn passes_at_first(&self, name: &str) -> bool {
        self.skeleton.kind == SkeletonKind::Cells && cells::is_of_an_edge(name)
    }

    /// Width of its features.
    pub fn dim(&self) -> usize {
        match self.skeleton.kind {
            SkeletonKind::Chain => chain::dim(self.skeleton.channels),
            SkeletonKind::Cells => cells::dim(self.skeleton.channels),
        }
    }

    /// The names of its blocks.
    pub fn block_names(&self) -> Vec<String> {
        match self.skeleton.kind {
            SkeletonKind::Chain => chain::block_names(),
            SkeletonKind::Cells => cells::block_names(),
        }
    }

    /// The widths of what each block takes and gives.
    pub fn block_widths(&self) -> Vec<[usize; 2]> {
        match self.skeleton.kind {
            SkeletonKind::Chain => chain::block_widths(self.skeleton.channels),
            SkeletonKind::Cells => cells::block_widths(self.skeleton.channels),
        }
    }

    /// The names of its layers.
    pub fn layer_names(&self) -> Vec<String> {
        ["stem".to_owned()].into_iter().chain(self.block_names()).chain(["features".to_owned()]).collect()
    }

    /// The pass.
    pub fn forward(&self, scope: &Scope, pictures: Tensor<4>, take: Take) {
        match self.skeleton.kind {
            SkeletonKind::Chain => chain::forward(self.skeleton.channels, &self.operations, scope, pictures, take),
            SkeletonKind::Cells => cells::forward(self.skeleton.channels, &self.operations, scope, pictures, take),
        }
    }

    /// Its nodes in an ONNX graph, from pictures to features.
    pub fn write(&self, writer: &mut Writer, pictures: &str) -> Result<String, ModelError> {
        match self.skeleton.kind {
            SkeletonKind::Chain => chain::write(self.skeleton.channels, &self.operations, writer, pictures),
            SkeletonKind::Cells => cells::write(self.skeleton.channels, &self.operations, writer, pictures),
        }
    }
}

/// What is to be chosen.
fn choices(skeleton: Skeleton) -> Vec<Choice> {
    match skeleton.kind {
        SkeletonKind::Chain => chain::choices(),
        SkeletonKind::Cells => cells::choices(),
    }
}

/// Every path of an architecture; without one, of all of them.
fn paths(skeleton: Skeleton, operations: Option<&[u8]>) -> Vec<Path> {
    match skeleton.kind {
        SkeletonKind::Chain => chain::paths(skeleton.channels, operations),
        SkeletonKind::Cells => cells::paths(skeleton.channels, operations),
    }
}

/// The parameters of all architectures together.
pub fn shared_parameters(skeleton: Skeleton) -> Vec<Parameter> {
    paths(skeleton, None).iter().flat_map(Path::parameters).collect()
}

/// The space of the architectures of a skeleton, for pictures of this edge: the most parameters and multiply-adds that
/// one may have become limits on what its options add to what all have in common.
pub fn space(skeleton: Skeleton, edge: usize, most: [Option<f64>; 2]) -> Space {
    let Costs { common, options } = costs(skeleton, edge);
    let limit = |(kind, name): (usize, &str)| {
        let costs = options.iter().map(|options| options.iter().map(|cost| cost[kind]).collect()).collect();
        most[kind].map(|most| Limit { name: name.to_owned(), costs, most: most - common[kind] })
    };
    let limits = ["parameters", "multiply-adds"].into_iter().enumerate().filter_map(limit).collect();
    let excluded = match skeleton.kind {
        SkeletonKind::Chain => vec![],
        SkeletonKind::Cells => cells::excluded(),
    };
    Space { choices: choices(skeleton), limits, excluded, only: None }
}

/// Parameters, the classifier's aside, and multiply-adds for one picture of this edge.
pub fn cost(skeleton: Skeleton, edge: usize, operations: &[u8]) -> [f64; 2] {
    let Costs { common, options } = costs(skeleton, edge);
    let own = operations.iter().zip(&options).map(|(&operation, options)| options[usize::from(operation)]);
    own.fold(common, |[parameters, multiply_adds], cost| [parameters + cost[0], multiply_adds + cost[1]])
}

/// Multiply-adds of each option of each choice.
pub fn options_cost(skeleton: Skeleton, edge: usize) -> Vec<Vec<f64>> {
    let options = costs(skeleton, edge).options;
    options.iter().map(|options| options.iter().map(|[_, multiply_adds]| *multiply_adds).collect()).collect()
}

fn costs(skeleton: Skeleton, edge: usize) -> Costs {
    match skeleton.kind {
        SkeletonKind::Chain => chain::costs(skeleton.channels, edge),
        SkeletonKind::Cells => cells::costs(skeleton.channels, edge),
    }
}

/// The architecture that is built in the end: of cells, each node keeps the two edges of largest weight.
pub fn pruned(skeleton: Skeleton, operations: &[u8], weight: &mut dyn FnMut(usize) -> f64) -> Vec<u8> {
    match skeleton.kind {
        SkeletonKind::Chain => operations.to_vec(),
        SkeletonKind::Cells => cells::pruned(operations, weight),
    }
}

/// Parameters and multiply-adds.
struct Costs {
    /// Of what all architectures have in common.
    common: [f64; 2],
    /// Of each option of each choice.
    options: Vec<Vec<[f64; 2]>>,
}

#[cfg(test)]
mod tests;

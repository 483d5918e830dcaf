//! What a model's files hold, without running it: the worker's look at weights, graph, vocabulary and pickles, of which
//! `vet` makes findings.
//!
//! Everything here is measured, nothing judged: counts, names, shares. Lists are short whatever the file holds, because
//! they travel as one line.

mod freshness;
mod network;
mod pickle;
mod pickles;
mod scan;
mod tables;
mod texts;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::onnx::{ModelError, Names, TrainingNode};
use super::order::{NetworkPlan, PortablePath};
use super::{SampleFiles, onnx};
use crate::base::path_text::{self, escape};
use crate::zoo::ModelInput;

/// A model whose files are to be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookOrder {
    /// The folder of the model.
    #[serde(with = "path_text")]
    pub folder: PathBuf,
    /// Pickles in it, relative to it.
    pub pickles: Vec<PortablePath>,
    /// The model, where it can be run.
    pub plan: Option<NetworkPlan>,
    /// Texts whose tokens are looked at, if there are any.
    pub texts: Option<SampleFiles>,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Anatomy {
    /// What the file of weights is, for example `ONNX, opset 17, written by pytorch 2.1.0`.
    pub format: String,
    /// How often each operator stands in the graph.
    pub operators: BTreeMap<String, usize>,
    /// Sets of operators that are not the standard one.
    pub domains: Vec<String>,
    /// How many numbers the weights are.
    pub parameters: u64,
    /// Weights that nodes take and the file lacks.
    pub missing: Names,
    /// Weights that nothing takes.
    pub unused: Names,
    /// Weights whose shapes don't fit.
    pub misfits: Names,
    /// What the numbers of the weights are.
    pub numbers: Numbers,
    /// Signs of random initialisation.
    pub freshness: Signs,
    /// Nodes that run in training mode.
    pub training: Vec<TrainingNode>,
    /// Inputs with an axis of fixed length, in words.
    pub fixed: Vec<String>,
    /// Whether the graph shifts or scales its input itself.
    pub scales_its_input: bool,
    /// Whether the features of a text model are pooled by the graph itself.
    pub pools_itself: bool,
    /// The output that holds one number per class, if there is one.
    pub head: Option<String>,
    /// The running statistics of the batch norms whose inputs are looked at as signals of the preprocessing.
    pub running: Vec<Running>,
    /// The bias of the first convolution; empty if it has none.
    pub stem_bias: Vec<f32>,
    /// Whether the activation behind the first convolution lets negative numbers through.
    pub smooth_stem: bool,
    /// Weights that are said to lie beyond the end of the file that holds them.
    pub beyond_end: Names,
    /// A file that the graph names and that may not be opened.
    pub outside: Option<String>,
    /// The table of token vectors and the tokenizer, of a text model.
    pub vocabulary: Option<Vocabulary>,
    /// What the tokenizer makes of the texts, where there were some.
    pub texts: Option<TextFacts>,
    /// Pickles beside the weights.
    pub pickles: Vec<PickleFacts>,
}

/// The running statistics of a batch norm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// The value that it normalises.
    pub value: String,
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// The variance of each channel, with what is added to it before the root is taken.
    pub variance: Vec<f32>,
}

/// What the numbers of some weights are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Tensors with NaN or infinity, in words: which, where, how many.
    pub not_finite: Names,
    /// Tensors with numbers above 1e30.
    pub huge: Names,
    /// Weight matrices that hold one number only.
    pub constant: Names,
    /// Normalisations whose factors are all 0.
    pub dead_norms: Names,
    /// Pairs of large weights that hold the same numbers.
    pub twins: Names,
    /// Numbers that are looked at, not counting exact zeros.
    pub counted: u64,
    /// Of these, numbers that half precision makes subnormal or 0.
    pub subnormal_in_half: u64,
    /// Numbers that are beyond half precision's largest.
    pub beyond_half: u64,
}

/// How many of some tensors show a sign of random initialisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many show it.
    pub fresh: usize,
    /// How many could.
    pub all: usize,
}

/// Signs of random initialisation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Signs {
    /// Normalisations that do nothing: factor 1, shift 0, and, of batch norms, mean 0 and variance 1.
    pub norms: Share,
    /// Biases that are 0, or uniform between ±1/√fan-in.
    pub biases: Share,
    /// Matrices whose numbers follow the law of an initialiser.
    pub laws: Share,
    /// Matrices whose singular values lie in the bulk of a random matrix.
    pub bulks: Share,
    /// The matrices that follow such a law and lie in the bulk.
    pub fresh: Names,
}

/// A table of token vectors and the tokenizer that picks from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// Rows of the table, where it was found.
    pub rows: Option<usize>,
    /// The largest id that the tokenizer can give.
    pub largest: Option<i64>,
    /// That id's token.
    pub token: String,
    /// How many tokens the tokenizer knows.
    pub tokens: usize,
    /// How many of its ids have no row.
    pub beyond: usize,
    /// Groups of rows that hold the same vector: how many rows.
    pub equal_rows: usize,
}

/// What a tokenizer makes of some texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TextFacts {
    /// How many texts.
    pub texts: usize,
    /// Bytes of all texts.
    pub bytes: u64,
    /// Runs of letters and digits in them.
    pub words: u64,
    /// Tokens, without the special ones where they can be told.
    pub tokens: u64,
    /// Tokens of unknown words.
    pub unknown: u64,
    /// The same after all letters were made small.
    pub unknown_lower: u64,
    /// Texts whose ids change when all letters are made small.
    pub cased: usize,
    /// The longest sequence that is read.
    pub limit: Option<usize>,
    /// Texts that are longer.
    pub truncated: usize,
    /// Half of these lose at most so many tokens.
    pub median_lost: usize,
    /// Texts with an id that has no row in the table.
    pub beyond: usize,
    /// Different ids that occur.
    pub occurring: usize,
    /// Of these, ids whose row looks as if it was never trained, and the share of all tokens that they are.
    pub untrained: usize,
    /// How many tokens these are.
    pub untrained_tokens: u64,
    /// Some of them.
    pub untrained_examples: Vec<String>,
}

/// What a pickle would import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickleFacts {
    /// The file, as text.
    pub file: String,
    /// Names that are on no list of harmless ones; the first few.
    pub suspicious: Names,
    /// Why it could not be read to its end, if so.
    pub unreadable: Option<String>,
}

/// Looks at the files of a model.
pub fn look(order: &LookOrder) -> Result<Anatomy, ModelError> {
    let mut anatomy = match order.plan.as_ref().map(of_plan) {
        None => Anatomy::default(),
        Some(Err(ModelError::Escapes(file))) => Anatomy { outside: Some(escape(&file)), ..Anatomy::default() },
        Some(found) => found?,
    };
    if let Some(plan) = &order.plan
        && anatomy.outside.is_none()
        && let ModelInput::Texts(settings) = &plan.input
    {
        texts::add(plan, settings, order.texts.as_ref(), &mut anatomy)?;
    }
    anatomy.pickles = order.pickles.iter().map(|file| pickles::facts(&order.folder, &file.0)).collect();
    Ok(anatomy)
}

fn of_plan(plan: &NetworkPlan) -> Result<Anatomy, ModelError> {
    match plan.form {
        crate::zoo::Form::Onnx => network::anatomy(plan),
        crate::zoo::Form::Native { .. } | crate::zoo::Form::Static => tables::anatomy(plan),
    }
}

/// The graph of a model with its batch norms in evaluation mode; its external data stay where they are.
pub fn in_evaluation_mode(plan: &NetworkPlan) -> Result<Vec<u8>, ModelError> {
    onnx::ModelBytes::of(plan)?.in_evaluation_mode()
}

//! A head put onto the graph of a model, in the worker.

use std::path::Path;

use super::head::Head;
use super::network;
use super::onnx::{Graph, ModelBytes, ModelError};
use super::order::{Attached, NetworkPlan};
use super::runtime::Runtime;
use super::text;
use crate::zoo::{Form, ModelInput};

/// The ONNX file of a model with the head of a file on its features, and how the values of the two are called in it.
/// Refused are a model that is no graph, and a head for another number of features.
pub fn attach(plan: &NetworkPlan, head: &Path, runtime: &dyn Runtime) -> Result<(Vec<u8>, Attached), ModelError> {
    if plan.form != Form::Onnx {
        return Err(ModelError::Unfit("only an ONNX graph can be written with a head: export the model".to_owned()));
    }
    let file = std::fs::read(head).map_err(|source| ModelError::Read { path: head.to_owned(), source })?;
    let head = Head::read(&file)?;
    let bytes = ModelBytes::of(plan)?;
    let graph = Graph::parse(&bytes.model)?;
    let (features, parts) = match &plan.input {
        ModelInput::Pictures(preprocessing) => network::parts(plan, preprocessing, &bytes, &graph, runtime)?,
        ModelInput::Texts(settings) => text::parts(plan, settings.pooling, &bytes, &graph, runtime)?,
    };
    let edit = graph.headed(&parts, &head)?;
    Ok((bytes.file_with(&edit.added)?, Attached { logits: edit.logits, features }))
}

#[cfg(test)]
mod tests;

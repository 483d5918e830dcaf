//! `rten`: pure Rust, always there.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::TensorView;
use rten_tensor::prelude::*;

use super::{Input, NetworkBytes, Runtime, Session, Tensor, graph};
use crate::extract::onnx::ModelError;

/// The built-in runtime.
pub struct Rten;

struct RtenSession {
    model: Arc<Model>,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
    thread: Arc<ThreadPool>,
}

impl Runtime for Rten {
    fn name(&self) -> String {
        "rten 0.27.0".to_owned()
    }

    fn load(
        &self,
        network: &NetworkBytes,
        inputs: &[&str],
        outputs: &[&str],
        sessions: usize,
    ) -> Result<Vec<Box<dyn Session>>, ModelError> {
        let model = graph(network, "rten")?;
        let mut options = ModelOptions::with_all_ops();
        options.prepack_weights(true);
        for (name, bytes) in &model.external {
            options.external_data(name, bytes.clone());
        }
        let model = Arc::new(options.load(model.model.clone()).map_err(refusal)?);
        let nodes = |names: &[&str]| names.iter().map(|name| model.node_id(name)).collect::<Result<Vec<_>, _>>();
        let (inputs, outputs) = (nodes(inputs).map_err(refusal)?, nodes(outputs).map_err(refusal)?);
        let session = |_| {
            let (model, inputs, outputs) = (Arc::clone(&model), inputs.clone(), outputs.clone());
            Box::new(RtenSession { model, inputs, outputs, thread: Arc::new(ThreadPool::with_num_threads(1)) })
                as Box<dyn Session>
        };
        Ok((0..sessions).map(session).collect())
    }
}

impl Session for RtenSession {
    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, ModelError> {
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.thread)));
        let narrow: Vec<Vec<i32>> = inputs.iter().map(narrowed).collect();
        let values = self.inputs.iter().zip(inputs.iter().zip(&narrow)).map(|(&node, (input, narrow))| {
            let value = match input {
                Input::Floats(tensor) => {
                    ValueOrView::from(TensorView::from_data(&tensor.shape[..], &tensor.values[..]))
                }
                Input::Integers { shape, .. } => ValueOrView::from(TensorView::from_data(&shape[..], &narrow[..])),
            };
            (node, value)
        });
        let found = self.model.run(values.collect(), &self.outputs, Some(options)).map_err(refusal)?;
        found.into_iter().map(tensor).collect()
    }
}

/// rten's integers have 32 bits.
fn narrowed(input: &Input) -> Vec<i32> {
    match input {
        Input::Floats(_) => vec![],
        Input::Integers { values, .. } => values.iter().map(|&value| value as i32).collect(),
    }
}

fn tensor(value: Value) -> Result<Tensor, ModelError> {
    let found: rten_tensor::Tensor<f32> = value.try_into().map_err(refusal)?;
    Ok(Tensor { shape: found.shape().to_vec(), values: found.into_data() })
}

fn refusal(error: impl std::fmt::Display) -> ModelError {
    ModelError::Runtime { runtime: "rten", reason: error.to_string() }
}

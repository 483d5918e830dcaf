//! `rten`: pure Rust, always there.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;

use super::{Runtime, Session, Tensor};
use crate::extract::onnx::{ModelBytes, ModelError};

/// The built-in runtime.
pub struct Rten;

struct RtenSession {
    model: Arc<Model>,
    input: NodeId,
    outputs: Vec<NodeId>,
    thread: Arc<ThreadPool>,
}

impl Runtime for Rten {
    fn name(&self) -> String {
        "rten 0.27.0".to_owned()
    }

    fn load(
        &self,
        model: &ModelBytes,
        input: &str,
        outputs: &[&str],
        sessions: usize,
    ) -> Result<Vec<Box<dyn Session>>, ModelError> {
        let mut options = ModelOptions::with_all_ops();
        options.prepack_weights(true);
        for (name, bytes) in &model.external {
            options.external_data(name, bytes.clone());
        }
        let model = Arc::new(options.load(model.model.clone()).map_err(refusal)?);
        let input = model.node_id(input).map_err(refusal)?;
        let outputs = outputs.iter().map(|name| model.node_id(name)).collect::<Result<Vec<_>, _>>().map_err(refusal)?;
        let session = |_| {
            let (model, outputs) = (Arc::clone(&model), outputs.clone());
            Box::new(RtenSession { model, input, outputs, thread: Arc::new(ThreadPool::with_num_threads(1)) })
                as Box<dyn Session>
        };
        Ok((0..sessions).map(session).collect())
    }
}

impl Session for RtenSession {
    fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>, ModelError> {
        let view = rten_tensor::NdTensorView::from_data(shape_of(input)?, &input.values[..]);
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.thread)));
        let inputs = vec![(self.input, ValueOrView::from(view.as_dyn()))];
        let found = self.model.run(inputs, &self.outputs, Some(options)).map_err(refusal)?;
        found.into_iter().map(tensor).collect()
    }
}

fn shape_of(input: &Tensor) -> Result<[usize; 4], ModelError> {
    input.shape.clone().try_into().map_err(|_| ModelError::Unfit("a batch of pictures has 4 axes".to_owned()))
}

fn tensor(value: Value) -> Result<Tensor, ModelError> {
    let found: rten_tensor::Tensor<f32> = value.try_into().map_err(refusal)?;
    Ok(Tensor { shape: found.shape().to_vec(), values: found.into_data() })
}

fn refusal(error: impl std::fmt::Display) -> ModelError {
    ModelError::Runtime { runtime: "rten", reason: error.to_string() }
}

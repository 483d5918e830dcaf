//! Native encoders as a runtime of the worker.

use std::sync::atomic::AtomicBool;

use zoologist::extract::LayerDescription;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::runtime::{EncoderFacts, Input, NativeBytes, NetworkBytes, Runtime, Session, Tensor};
use zoologist::extract::training::{
    Examples, SupernetOrder, SupernetOutcome, Trainer, TrainingOrder, TrainingOutcome, Watch,
};

use crate::architecture::Architecture;
use crate::weights::Weights;
use crate::{Encoder, LoadError, PictureEncoder, Tokens, training};

/// How this runtime calls itself in messages.
const NAME: &str = "the native runtime";
/// The input of a network for pictures.
const PICTURES: &str = "input";

/// Runs and trains the networks of this crate.
pub struct Native;

struct EncoderSession {
    encoder: Encoder,
    /// What each input is, in the order in which they are given.
    inputs: Vec<Role>,
    /// The hidden states that are wanted, rising.
    layers: Vec<usize>,
}

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Ids,
    Mask,
    Types,
}

impl Runtime for Native {
    fn name(&self) -> String {
        format!("zoologist-nn {} on burn 0.22.1", env!("CARGO_PKG_VERSION"))
    }

    fn load(
        &self,
        network: &NetworkBytes,
        inputs: &[&str],
        outputs: &[&str],
        sessions: usize,
    ) -> Result<Vec<Box<dyn Session>>, ModelError> {
        let NetworkBytes::Native(bytes) = network else {
            return Err(ModelError::Unfit(format!("{NAME} runs safetensors only")));
        };
        if inputs == [PICTURES] {
            return picture_sessions(bytes, outputs, sessions);
        }
        let encoder = Encoder::load(&bytes.config, &bytes.weights).map_err(|error| refusal(&error))?;
        let inputs = inputs.iter().map(|name| role(name)).collect::<Result<Vec<Role>, ModelError>>()?;
        let layers = outputs.iter().map(|name| layer(name)).collect::<Result<Vec<usize>, ModelError>>()?;
        let session = |_| {
            let (encoder, inputs, layers) = (encoder.clone(), inputs.clone(), layers.clone());
            Box::new(EncoderSession { encoder, inputs, layers }) as Box<dyn Session>
        };
        Ok((0..sessions).map(session).collect())
    }

    fn pictures(&self, network: &NativeBytes, size: [usize; 2]) -> Result<Vec<LayerDescription>, ModelError> {
        let encoder = PictureEncoder::load(&network.config, &network.weights).map_err(|error| refusal(&error))?;
        encoder.layers(size).map_err(|error| ModelError::Unfit(error.to_string()))
    }

    fn trainer(&self) -> Option<&dyn Trainer> {
        Some(self)
    }

    fn encoder(&self, network: &NativeBytes, length: usize) -> Result<EncoderFacts, ModelError> {
        let encoder = Architecture::read(&network.config).map_err(|error| refusal(&error))?;
        Weights::check(&network.weights, &encoder.contents()).map_err(|error| refusal(&error))?;
        Ok(EncoderFacts {
            vocabulary: encoder.vocabulary,
            positions: encoder.positions(),
            dim: encoder.dim,
            multiply_adds: (0..=encoder.layers).map(|layer| encoder.multiply_adds(layer, length)).collect(),
        })
    }
}

fn picture_sessions(
    bytes: &NativeBytes,
    outputs: &[&str],
    sessions: usize,
) -> Result<Vec<Box<dyn Session>>, ModelError> {
    let encoder = PictureEncoder::load(&bytes.config, &bytes.weights).map_err(|error| refusal(&error))?;
    let outputs: Vec<String> = outputs.iter().map(|&name| name.to_owned()).collect();
    let session =
        |_| Box::new(PictureSession { encoder: encoder.clone(), outputs: outputs.clone() }) as Box<dyn Session>;
    Ok((0..sessions).map(session).collect())
}

struct PictureSession {
    encoder: PictureEncoder,
    outputs: Vec<String>,
}

impl Session for PictureSession {
    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, ModelError> {
        let [Input::Floats(Tensor { shape, values })] = inputs else {
            return Err(ModelError::Unfit("it takes pictures".to_owned()));
        };
        let [batch, 3, height, width] = shape[..] else {
            return Err(ModelError::Unfit(format!("pictures of shape {shape:?} are not batch × 3 × height × width")));
        };
        let found = self.encoder.outputs(&self.outputs, [height, width], values.clone());
        let found = found.map_err(|error| ModelError::Unfit(error.to_string()))?;
        let tensor = |values: Vec<f32>| Tensor { shape: vec![batch, values.len() / batch], values };
        Ok(found.into_iter().map(tensor).collect())
    }
}

impl Trainer for Native {
    fn train(
        &self,
        order: &TrainingOrder,
        network: &NativeBytes,
        examples: &dyn Examples,
        watch: &dyn Watch,
        stop: &AtomicBool,
    ) -> Result<TrainingOutcome, ModelError> {
        training::train(order, network, examples, watch, stop)
    }

    fn search(
        &self,
        order: &SupernetOrder,
        examples: &dyn Examples,
        watch: &dyn Watch,
        stop: &AtomicBool,
    ) -> Result<SupernetOutcome, ModelError> {
        training::search(order, examples, watch, stop)
    }
}

impl Session for EncoderSession {
    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, ModelError> {
        let mut tokens = Tokens::default();
        for (role, input) in self.inputs.iter().zip(inputs) {
            let Input::Integers { shape: [batch, length], values } = *input else {
                return Err(ModelError::Unfit("tokens are whole numbers".to_owned()));
            };
            (tokens.batch, tokens.length) = (batch, length);
            let narrow = || values.iter().map(|&value| u32::try_from(value).unwrap_or(u32::MAX)).collect();
            match role {
                Role::Ids => tokens.ids = narrow(),
                Role::Mask => tokens.mask = values.iter().map(|&value| value != 0).collect(),
                Role::Types if values.iter().any(|&value| value != 0) => tokens.types = Some(narrow()),
                Role::Types => {}
            }
        }
        let states = self.encoder.hidden_states(&tokens, &self.layers);
        let states = states.map_err(|error| ModelError::Unfit(error.to_string()))?;
        let shape = vec![tokens.batch, tokens.length, self.encoder.dim()];
        Ok(states.into_iter().map(|values| Tensor { shape: shape.clone(), values }).collect())
    }
}

fn role(name: &str) -> Result<Role, ModelError> {
    match name {
        "input_ids" => Ok(Role::Ids),
        "attention_mask" => Ok(Role::Mask),
        "token_type_ids" => Ok(Role::Types),
        other => Err(ModelError::Unfit(format!("a native encoder has no input {other}"))),
    }
}

fn layer(name: &str) -> Result<usize, ModelError> {
    let number = name.strip_prefix("hidden_").and_then(|number| number.parse().ok());
    number.ok_or_else(|| ModelError::Unfit(format!("a native encoder has no output {name}")))
}

fn refusal(error: &LoadError) -> ModelError {
    ModelError::Unfit(error.to_string())
}

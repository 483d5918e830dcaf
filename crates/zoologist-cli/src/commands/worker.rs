//! `zoologist worker`: hands the worker its runtimes.

use std::path::Path;

use zoologist::extract::RuntimeChoice;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::runtime::{OnnxRuntime, Rten, Runtime};
use zoologist::extract::worker;

use crate::end::{Outcome, Result};

/// Runs the command.
pub fn run(order: &Path) -> Result<Outcome> {
    worker::run(order, &open, std::io::stdout().lock())?;
    Ok(Outcome::Complete)
}

fn open(choice: &RuntimeChoice) -> std::result::Result<Box<dyn Runtime>, ModelError> {
    Ok(match choice {
        RuntimeChoice::Rten => Box::new(Rten),
        RuntimeChoice::OnnxRuntime(library) => Box::new(OnnxRuntime::load(library)?),
        RuntimeChoice::Native => native()?,
    })
}

#[cfg(feature = "native")]
#[allow(clippy::unnecessary_wraps, reason = "a build without the networks has to refuse")]
fn native() -> std::result::Result<Box<dyn Runtime>, ModelError> {
    Ok(Box::new(zoologist_nn::Native))
}

#[cfg(not(feature = "native"))]
fn native() -> std::result::Result<Box<dyn Runtime>, ModelError> {
    Err(ModelError::Unfit(
        "this build reads no safetensors of encoders: build it with the feature `native` (the default), or export the \
         model to ONNX with tools/export.py"
            .to_owned(),
    ))
}

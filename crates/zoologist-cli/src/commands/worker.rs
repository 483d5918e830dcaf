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

fn native() -> std::result::Result<Box<dyn Runtime>, ModelError> {
    Err(ModelError::Unfit("this build runs no safetensors: it was made without the feature `native`".to_owned()))
}

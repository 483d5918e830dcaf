//! `zoologist worker`: hands the worker its runtimes.

use std::io::Write;
use std::path::Path;
use std::sync::Once;

use zoologist::extract::RuntimeChoice;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::runtime::{OnnxRuntime, Rten, Runtime};
use zoologist::extract::worker;

use crate::end::{Outcome, Result};
use crate::interrupt::{self, STOP};

/// Runs the command.
pub fn run(order: &Path) -> Result<Outcome> {
    begin();
    worker::run(order, &open, std::io::stdout(), &STOP)?;
    Ok(Outcome::Complete)
}

/// Begins as the child of a process that listens to what this one says, and whose end is its end.
pub fn begin() {
    say_panics_in_one_line();
    interrupt::listen_as_worker();
    worker::hear(std::io::stdin(), &STOP);
}

/// The parent shows the last line of what a worker says: of several panics, which follow from each other, the first.
fn say_panics_in_one_line() {
    let first = Once::new();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or("without a reason").replace('\n', " ");
        first.call_once(|| {
            // The parent may be gone.
            let _ = writeln!(std::io::stderr(), "{text}");
        });
    }));
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

//! How a run ends: the exit code, and the one message of a failure.

use std::io::Write;
use std::process::ExitCode;

use zoologist::base::{Fail, Fault};

/// How a run that gave a result ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Complete,
    /// Some models or samples failed; each is named in the result.
    WithFailures,
    /// The user stopped the run; the result says what was not looked at.
    Interrupted,
    /// Another process of ours did it all, and ended with this code.
    Elsewhere(u8),
}

/// A failure: its kind and what to tell the user.
#[derive(Debug)]
pub struct Failure {
    fault: Fault,
    message: String,
}

/// What a command gives.
pub type Result<T> = std::result::Result<T, Failure>;

impl<E: Fail> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { fault: error.fault(), message: error.to_string() }
    }
}

impl Failure {
    /// A request that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { fault: Fault::Usage, message: message.into() }
    }

    /// A file of the user's that can't be written.
    pub fn writing(path: &std::path::Path, error: &std::io::Error) -> Self {
        let path = zoologist::base::path_text::show(path);
        Self { fault: Fault::Environment, message: format!("can't write {path}: {error}. Choose another place") }
    }

    /// A fault of ours.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self { fault: Fault::Internal, message: format!("internal fault: {error}. Please report it") }
    }
}

/// The exit code of a run, after its message was printed.
pub fn of(result: Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::WithFailures) => ExitCode::from(4),
        Ok(Outcome::Interrupted) => ExitCode::from(code(Fault::Interrupted)),
        Ok(Outcome::Elsewhere(code)) => ExitCode::from(code),
        Err(failure) => {
            let message: Vec<&str> = failure.message.lines().take(5).collect();
            // Nothing can be told to somebody whose error output is closed.
            let _ = writeln!(anstream::stderr(), "zoologist: {}", message.join("\n"));
            ExitCode::from(code(failure.fault))
        }
    }
}

/// The exit code of a command line that was not understood, or that asked for help.
pub fn of_parsing(error: &clap::Error) -> ExitCode {
    // Help to a closed pipe is help that nobody wants.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

fn code(fault: Fault) -> u8 {
    match fault {
        Fault::Internal => 1,
        Fault::Usage => 2,
        Fault::Input => 3,
        Fault::Limit => 5,
        Fault::Environment => 6,
        Fault::Interrupted => crate::interrupt::exit_code(),
    }
}

/// Prints a result. A reader that has gone away ends the program quietly.
pub fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::writing("standard output".as_ref(), &error))
        }
        _ => Ok(()),
    }
}

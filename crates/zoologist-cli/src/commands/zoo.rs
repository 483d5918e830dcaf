//! `zoologist zoo`.

use crate::end::{Outcome, Result};
use crate::options::{Global, Zoo};

/// Runs the command.
pub fn run(_global: &Global, _options: &Zoo) -> Result<Outcome> {
    Ok(Outcome::Complete)
}

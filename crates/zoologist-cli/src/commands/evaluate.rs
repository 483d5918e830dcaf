//! `zoologist evaluate`.

use zoologist::base::Seed;
use zoologist::evaluate::{self, Request};
use zoologist::report;

use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Evaluate, Global};

/// Runs the command.
pub fn run(global: &Global, options: &Evaluate) -> Result<Outcome> {
    if options.truth.is_none() && options.results.len() > 1 {
        return Err(Failure::usage("several tables need the true accuracies beside them: add --truth TRUTH.csv"));
    }
    let request = Request {
        results: options.results.clone(),
        truth: options.truth.clone(),
        scores: options.score.as_ref().map(|names| names.iter().map(|name| name.trim().to_owned()).collect()),
        draws: options.draws as usize,
        seed: Seed(global.seed),
    };
    let found = evaluate::evaluate(&request)?;
    print(&if global.json {
        report::json::to_string(&found)
    } else {
        report::evaluation::evaluation(&found, super::terminal_width())
    })?;
    Ok(Outcome::Complete)
}

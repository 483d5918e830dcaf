//! One file per command.

mod cache;
mod evaluate;
mod extract;
mod inspect;
mod layers;
mod machinery;
mod predict;
mod rank;
mod score;
mod search;
mod statistics;
mod tune;
mod vet;
mod worker;
mod zoo;

use crate::end::{Outcome, Result};
use crate::options::{Command, Global, Options};

/// Runs the command that was asked for.
pub fn run(options: Options) -> Result<Outcome> {
    let Options { global, command } = options;
    machinery::limit_threads(&global)?;
    match command {
        Command::Rank(options) => rank::run(&global, &options),
        Command::Score(options) => score::run(&global, &options),
        Command::Layers(options) => layers::run(&global, &options),
        Command::Vet(options) => vet::run(&global, &options),
        Command::Tune(options) => tune::run(&global, &options),
        Command::Predict(options) => predict::run(&global, &options),
        Command::Stats(options) => statistics::make(&global, &options),
        Command::Merge(options) => statistics::merge(&global, &options),
        Command::Evaluate(options) => evaluate::run(&global, &options),
        Command::Search(options) => search::run(&global, &options),
        Command::Extract(options) => extract::run(&global, &options),
        Command::Inspect(options) => inspect::run(&global, &options),
        Command::Zoo(options) => zoo::run(&global, &options),
        Command::Cache(options) => cache::run(&global, &options),
        Command::Worker { order } => worker::run(&order),
    }
}

/// The outcome of a run with or without failures.
fn outcome(global: &Global, failures: bool) -> Outcome {
    if failures && !global.skip_bad { Outcome::WithFailures } else { Outcome::Complete }
}

/// The width of the terminal that the result goes to; `None` for a pipe or a file.
fn terminal_width() -> Option<u16> {
    let (_, width) = console::Term::stdout().size_checked()?;
    Some(width)
}

//! `zoologist search`.

use zoologist::base::Seed;
use zoologist::report;
use zoologist::tabular::{self, Request};

use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, Search};

/// Runs the command.
pub fn run(global: &Global, options: &Search) -> Result<Outcome> {
    let methods = options.methods();
    let many = options.methods.iter().chain([&options.against]).find(|method| method.needs_fidelities());
    if let Some(method) = many {
        return Err(Failure::usage(format!("{method} needs evaluations of several costs, and a table has one")));
    }
    let request = Request {
        table: options.table.clone(),
        choices: options.choices.clone(),
        search: options.seen.clone(),
        report: if options.report.is_empty() { options.seen.clone() } else { options.report.clone() },
        cost: options.cost.clone(),
        minimises: options.minimise,
        methods,
        against: options.against,
        budgets: options.budget.iter().map(|&budget| budget as usize).collect(),
        seeds: options.seeds as usize,
        seed: Seed(global.seed),
    };
    let found = tabular::compare(&request)?;
    print(&if global.json {
        report::json::to_string(&found)
    } else {
        report::search::comparison(&found, super::terminal_width())
    })?;
    Ok(Outcome::Complete)
}

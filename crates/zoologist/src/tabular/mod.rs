//! Searching a table of everything that was tried: each method, many seeds, equal budgets. The search sees one column, what
//! it found is judged by another.
//!
//! ```text
//! FILE.csv ─► data::tried ─► Space, values ─► every method × every seed (in parallel) ─► means, standard errors, differences
//! ```

mod lookup;
mod summary;

use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use crate::base::{Fail, Fault, Seed, path_text};
use crate::data;
use crate::search::{Distribution, Method, SpaceError};
use lookup::Lookup;
use summary::of_runs;

pub use summary::{Mean, MethodRow};

/// What to compare.
#[derive(Debug, Clone)]
pub struct Request {
    /// The table.
    pub table: PathBuf,
    /// The columns of choices; a single one may hold a sign per choice.
    pub choices: Vec<String>,
    /// The columns that the search sees.
    pub search: Vec<String>,
    /// The columns that judge what it found, one for each of `search`.
    pub report: Vec<String>,
    /// The column of costs, if an evaluation does not cost the same for all.
    pub cost: Option<String>,
    /// Whether lower values are better.
    pub minimises: bool,
    /// The methods.
    pub methods: Vec<Method>,
    /// The method that others are compared with.
    pub against: Method,
    /// Evaluations.
    pub budgets: Vec<usize>,
    /// How many seeds, from the first.
    pub seeds: usize,
    /// The first seed.
    pub seed: Seed,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Version of this form.
    pub schema: u32,
    /// The table.
    #[serde(with = "path_text")]
    pub table: PathBuf,
    /// The choices and their options.
    pub choices: Vec<(String, Vec<String>)>,
    /// Rows of the table.
    pub rows: usize,
    /// Architectures that the choices allow.
    pub possible: u64,
    /// How many seeds each method was run with.
    pub seeds: usize,
    /// The first of them.
    pub seed: Seed,
    /// The method that others are compared with.
    pub against: String,
    /// One for each pair of columns and each budget.
    pub parts: Vec<Part>,
}

/// One pair of columns and one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// The column that the search saw.
    pub search: String,
    /// The column that judged.
    pub report: String,
    /// Evaluations.
    pub budget: usize,
    /// The best that could have been found, by the column that judges.
    pub best_possible: f64,
    /// What the one that is best by the search's column is worth (of several the mean): the limit of whoever trusts it.
    pub best_by_search: f64,
    /// The methods.
    pub methods: Vec<MethodRow>,
}

/// Why nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table can't be read.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// Its space can't be searched.
    #[error("{path}: {source}")]
    Space {
        /// The table.
        path: String,
        /// The reason.
        source: SpaceError,
    },
    /// Columns that do not go together.
    #[error("{0}")]
    Columns(String),
}

impl Fail for Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Data(error) => error.fault(),
            Self::Space { .. } => Fault::Input,
            Self::Columns(_) => Fault::Usage,
        }
    }
}

/// What one run came to, as rows of the table.
pub(crate) struct Run {
    /// The best by the search's column.
    pub best: usize,
    /// The most probable one of the distribution, if one was learned.
    pub most_probable: Option<usize>,
    /// Mean entropy of the distribution at the end, in nats.
    pub entropy: Option<f64>,
    /// The sum of costs.
    pub cost: f64,
}

/// Runs every method with every seed.
pub fn compare(request: &Request) -> Result<Comparison, Error> {
    if request.search.len() != request.report.len() || request.search.is_empty() {
        let text = "give as many columns that judge (--judge) as columns that the search sees (--search)";
        return Err(Error::Columns(text.to_owned()));
    }
    let asked: Vec<String> = request.search.iter().chain(&request.report).chain(&request.cost).cloned().collect();
    let mut tried = data::tried::read(&request.table, &request.choices, &asked)?;
    let costs = request.cost.as_ref().and_then(|_| tried.numbers.pop());
    if request.minimises {
        tried.numbers.iter_mut().flatten().for_each(|number| *number = -*number);
    }
    let lookup = Lookup::of(&tried);
    let mut stream = request.seed.stream("search", "check");
    lookup.space.check(&mut stream).map_err(|source| Error::Space { path: path_text::show(&request.table), source })?;
    let mut parts = vec![];
    for (place, (search, report)) in request.search.iter().zip(&request.report).enumerate() {
        let columns = [&tried.numbers[place], &tried.numbers[request.search.len() + place]];
        for &budget in &request.budgets {
            parts.push(part(request, &lookup, columns, costs.as_deref(), [search, report], budget));
        }
    }
    Ok(Comparison {
        schema: 1,
        table: request.table.clone(),
        rows: tried.architectures.len(),
        possible: lookup.possible(),
        choices: tried.choices,
        seeds: request.seeds,
        seed: request.seed,
        against: request.against.to_string(),
        parts,
    })
}

fn part(
    request: &Request,
    lookup: &Lookup,
    [seen, judging]: [&Vec<f64>; 2],
    costs: Option<&[f64]>,
    [search, report]: [&String; 2],
    budget: usize,
) -> Part {
    let mut methods = request.methods.clone();
    if !methods.contains(&request.against) {
        methods.push(request.against);
    }
    let sign = if request.minimises { -1.0 } else { 1.0 };
    let runs: Vec<Vec<Run>> = methods
        .iter()
        .map(|&method| {
            let seeds = (0..request.seeds as u64).into_par_iter();
            seeds.map(|offset| run(method, lookup, seen, costs, Seed(request.seed.0 + offset), budget)).collect()
        })
        .collect();
    let against = methods.iter().position(|method| *method == request.against).unwrap_or(0);
    let highest = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let at_best: Vec<f64> =
        seen.iter().zip(judging).filter(|(seen, _)| **seen >= highest).map(|(_, judged)| *judged).collect();
    Part {
        search: search.clone(),
        report: report.clone(),
        budget,
        best_possible: sign * judging.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        best_by_search: sign * at_best.iter().sum::<f64>() / at_best.len() as f64,
        methods: methods
            .iter()
            .zip(&runs)
            .map(|(method, own)| of_runs(&method.to_string(), own, &runs[against], seen, judging, sign))
            .collect(),
    }
}

/// One search, every evaluation of which is a look at the table.
fn run(method: Method, lookup: &Lookup, seen: &[f64], costs: Option<&[f64]>, seed: Seed, budget: usize) -> Run {
    let mut searcher = method.searcher(&lookup.space, seed, budget as f64);
    let (mut best, mut cost, mut found) = (f64::NEG_INFINITY, 0.0, 0);
    while let Some(trial) = searcher.ask() {
        let row = lookup.row(&trial.architecture);
        searcher.tell(&trial, seen[row]);
        cost += costs.map_or(1.0, |costs| costs[row]);
        if seen[row] > best {
            (best, found) = (seen[row], row);
        }
    }
    let distribution = searcher.distribution();
    let most_probable = |it: &Distribution| lookup.row(&it.most_probable(&lookup.space));
    Run {
        best: found,
        most_probable: distribution.map(most_probable),
        entropy: distribution.map(Distribution::entropy),
        cost,
    }
}

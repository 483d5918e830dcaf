//! Options of `search`.

use std::path::PathBuf;

use clap::Args;
use zoologist::search::{METHODS, Method};

/// Options of `search`.
#[derive(Args)]
pub struct Search {
    /// A CSV table of everything that was tried: every evaluation of a search is a look at it
    #[arg(long, value_name = "FILE.csv")]
    pub table: PathBuf,
    /// The columns of choices; a single one whose cells have equally many signs is cut into a choice per sign
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', required = true)]
    pub choices: Vec<String>,
    /// The columns that the search sees, one comparison each
    #[arg(long = "search", value_name = "COLUMN,…", value_delimiter = ',', required = true)]
    pub seen: Vec<String>,
    /// The columns that judge what was found, one for each of --search [default: the same]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub report: Vec<String>,
    /// A column of costs, to be summed up
    #[arg(long, value_name = "COLUMN")]
    pub cost: Option<String>,
    /// Lower values are better
    #[arg(long)]
    pub minimise: bool,
    /// The methods [default: all that need no other fidelities]
    #[arg(long, value_name = "METHOD,…", value_delimiter = ',')]
    pub methods: Vec<Method>,
    /// The method that the others are compared with, seed by seed
    #[arg(long, value_name = "METHOD", default_value = "local")]
    pub against: Method,
    /// Evaluations
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100,200", value_parser = clap::value_parser!(u32).range(1..))]
    pub budget: Vec<u32>,
    /// How many seeds, from --seed on
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub seeds: u32,
}

impl Search {
    /// The methods that are compared: those of one fidelity.
    pub fn methods(&self) -> Vec<Method> {
        let all = METHODS.iter().filter_map(|name| name.parse().ok());
        let all = if self.methods.is_empty() { all.collect() } else { self.methods.clone() };
        all.into_iter().filter(|method: &Method| !method.needs_fidelities()).collect()
    }
}

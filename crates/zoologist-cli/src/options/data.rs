//! Options that say how a table is read.

use clap::Args;
use zoologist::data::TableOptions;

use super::TaskName;

/// How a table (CSV, TSV, JSONL, Parquet) is read; what is not given is detected and said.
#[derive(Args)]
pub struct DataOptions {
    /// The column of the texts; two for pairs
    #[arg(long, value_name = "COLUMN[,COLUMN]", value_delimiter = ',')]
    pub text: Vec<String>,
    /// The column of the labels; several 0/1 columns for several labels
    #[arg(long, value_name = "COLUMN[,…]", value_delimiter = ',')]
    pub label: Vec<String>,
    /// What is predicted
    #[arg(long, default_value = "auto", value_name = "TASK")]
    pub task: TaskName,
    /// The column that says train, validation or test
    #[arg(long, value_name = "COLUMN")]
    pub split: Option<String>,
    /// The first row of a CSV or TSV table is data: its columns are called 0, 1, …
    #[arg(long)]
    pub no_header: bool,
}

impl DataOptions {
    /// The same for the library.
    pub fn table(&self) -> Result<TableOptions, String> {
        if self.text.len() > 2 {
            return Err("--text takes one column, or two for pairs of texts".to_owned());
        }
        Ok(TableOptions {
            text: self.text.clone(),
            label: self.label.clone(),
            task: self.task.task(),
            split: self.split.clone(),
            no_header: self.no_header,
        })
    }
}

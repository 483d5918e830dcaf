//! Features in Parquet: one column of lists, or one column for each dimension.

use std::path::Path;

use super::Scan;
use super::schema::{self, Column, Kind};
use crate::base::Values;
use crate::data::Error;
use crate::data::labels;
use crate::data::rows::Precision;

const NAMES: &[&str] = &["features", "X", "x", "embeddings", "embedding"];

/// The rows of a feature matrix, in order.
pub(in crate::data) struct Rows {
    scan: Scan,
    dim: usize,
}

impl Rows {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut scan = Scan::open(path, |columns| features(path, &columns))?;
        let width = scan.find_width()?;
        let dim = if scan.columns.iter().any(|column| column.list) { width } else { scan.columns.len() };
        Ok(Self { scan, dim })
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.scan.rows
    }

    pub fn dim(&self) -> usize {
        self.dim
    }

    pub fn precision(&self) -> Precision {
        let single = |column: &Column| matches!(column.kind, Kind::Half | Kind::Single);
        if self.scan.columns.iter().all(single) { Precision::Single } else { Precision::Double }
    }

    /// Adds `count` rows from `begin` on to `values`; they must be the next ones or the first.
    pub fn append(&mut self, begin: usize, count: usize, values: &mut Values) -> Result<(), Error> {
        if begin != self.scan.next {
            self.scan.restart();
        }
        let mut left = count;
        while left > 0 {
            match self.scan.numbers(left, self.dim, values)? {
                0 => return Err(self.scan.refuse("is cut off: it ends too early")),
                more => left -= more,
            }
        }
        Ok(())
    }
}

/// The columns of the features: the lists with a known name, else the only lists, else every column of single numbers
/// that is not called like labels.
fn features(path: &Path, columns: &[Column]) -> Result<Vec<Column>, Error> {
    let is_label = |column: &Column| labels::WANTED.names.contains(&column.name.as_str());
    let (lists, single): (Vec<&Column>, Vec<&Column>) =
        columns.iter().filter(|column| column.is_number() && !is_label(column)).partition(|column| column.list);
    let named = NAMES.iter().find_map(|name| lists.iter().find(|column| column.name == *name));
    match (named, &lists[..]) {
        (Some(list), _) | (None, [list]) => Ok(vec![(*list).clone()]),
        (None, []) if !single.is_empty() => Ok(single.into_iter().cloned().collect()),
        _ => Err(schema::unclear(path, columns, NAMES)),
    }
}

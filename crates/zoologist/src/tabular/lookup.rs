//! From an architecture to its row.

use std::collections::HashMap;
use std::sync::Arc;

use crate::data::tried::Tried;
use crate::search::{Choice, Space};

/// Numbers of architectures up to which rows stand in an array by the architecture's number.
const DENSE: u64 = 1 << 26;

/// Rows by architecture.
pub struct Lookup {
    /// The space of the table: what is in no row is not allowed.
    pub space: Space,
    /// Options of each choice.
    sizes: Vec<u64>,
    rows: Rows,
}

enum Rows {
    Dense(Vec<u32>),
    Sparse(HashMap<Vec<u8>, u32>),
}

/// What stands in an array where there is no row.
const NONE: u32 = u32::MAX;

impl Lookup {
    /// Of a table.
    pub fn of(tried: &Tried) -> Self {
        let choice = |(name, options): &(String, Vec<String>)| Choice { name: name.clone(), options: options.clone() };
        let mut space =
            Space { choices: tried.choices.iter().map(choice).collect(), limits: vec![], excluded: vec![], only: None };
        let sizes: Vec<u64> = tried.choices.iter().map(|(_, options)| options.len() as u64).collect();
        let possible = product(&sizes);
        let numbered = tried.architectures.iter().zip(0_u32..);
        let rows = if possible <= DENSE {
            let mut rows = vec![NONE; possible as usize];
            numbered.for_each(|(architecture, row)| rows[code(&sizes, architecture)] = row);
            Rows::Dense(rows)
        } else {
            Rows::Sparse(numbered.map(|(architecture, row)| (architecture.clone(), row)).collect())
        };
        if possible > tried.architectures.len() as u64 {
            space.only = Some(Arc::new(tried.architectures.iter().cloned().collect()));
        }
        Self { space, sizes, rows }
    }

    /// The row of an allowed architecture.
    ///
    /// # Panics
    /// If it is in no row.
    pub fn row(&self, architecture: &[u8]) -> usize {
        let row = match &self.rows {
            Rows::Dense(rows) => rows[code(&self.sizes, architecture)],
            Rows::Sparse(rows) => rows.get(architecture).copied().unwrap_or(NONE),
        };
        assert_ne!(row, NONE, "only what is in the table is allowed");
        row as usize
    }

    /// How many architectures the choices allow.
    pub fn possible(&self) -> u64 {
        product(&self.sizes)
    }
}

fn product(sizes: &[u64]) -> u64 {
    sizes.iter().fold(1, |product, &size| product.saturating_mul(size))
}

/// The number of an architecture: its options as digits.
fn code(sizes: &[u64], architecture: &[u8]) -> usize {
    architecture.iter().zip(sizes).fold(0, |code, (&option, &size)| code * size as usize + usize::from(option))
}

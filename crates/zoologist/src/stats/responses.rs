//! What every row is to be explained by: its own target, and the targets that permutations give it.

use crate::base::Targets;

/// The targets of all rows, and for each permutation the row whose target a row gets instead.
///
/// Permutations stay inside the shards, so the classes of a shard keep their sizes and only the products with the
/// features differ.
#[derive(Debug, Clone)]
pub struct Responses<'a> {
    targets: &'a Targets,
    permutations: Vec<Vec<u32>>,
}

impl<'a> Responses<'a> {
    /// The targets alone.
    pub fn plain(targets: &'a Targets) -> Self {
        Self { targets, permutations: vec![] }
    }

    /// The targets and permutations of them, each as long as the targets.
    ///
    /// # Panics
    /// If a permutation has another length.
    pub fn with_permutations(targets: &'a Targets, permutations: Vec<Vec<u32>>) -> Self {
        assert!(permutations.iter().all(|rows| rows.len() == targets.len()), "a permutation moves every row");
        Self { targets, permutations }
    }

    /// How many responses each row has: one, and one per permutation.
    pub fn count(&self) -> usize {
        1 + self.permutations.len()
    }

    /// The targets as they are.
    pub fn targets(&self) -> &'a Targets {
        self.targets
    }

    /// The row whose target a row has under a response; 0 is the row's own.
    pub fn source(&self, response: usize, row: usize) -> usize {
        response.checked_sub(1).map_or(row, |permutation| self.permutations[permutation][row] as usize)
    }
}

//! Named arrays: the form in which results of one part are kept in files by another.

/// An array of whole or real numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its shape, the last axis running fastest.
    pub shape: Vec<usize>,
    /// Its values.
    pub numbers: Numbers,
}

/// Whole or real numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Counts.
    Counts(Vec<u64>),
    /// Everything else.
    Reals(Vec<f64>),
}

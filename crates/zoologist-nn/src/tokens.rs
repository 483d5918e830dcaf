//! A batch of token ids, checked, and cut down to its real tokens.
//!
//! Padding costs nothing and can't leak: it is taken out before the network and zeros stand in its place after it.

use zoologist::extract::text::TokenIds;

use crate::architecture::Architecture;
use crate::error::RunError;

/// A batch of sequences, padded to one length; row after row, batch × length entries in each list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Sequences.
    pub batch: usize,
    /// Tokens of each, padding included.
    pub length: usize,
    /// Token ids.
    pub ids: Vec<u32>,
    /// Which tokens are real; those of a row stand together, padding at one or both ends.
    pub mask: Vec<bool>,
    /// Token types; all 0 if there are none.
    pub types: Option<Vec<u32>>,
}

/// The real tokens of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where the first stands in the lists of [`Tokens`].
    pub start: usize,
    /// How many there are.
    pub length: usize,
}

impl Span {
    /// Their places in the lists of [`Tokens`].
    pub fn places(self) -> std::ops::Range<usize> {
        self.start..self.start + self.length
    }
}

impl Tokens {
    /// Texts as one batch; what is negative or too large for an id is caught by [`Tokens::check`].
    pub fn of_texts(texts: &[TokenIds], with_types: bool) -> Self {
        let length = texts.iter().map(|text| text.ids.len()).max().unwrap_or(0);
        let padded = |values: &[i64]| {
            let narrow = |&value: &i64| u32::try_from(value).unwrap_or(u32::MAX);
            values.iter().map(narrow).chain(std::iter::repeat(0)).take(length).collect::<Vec<u32>>()
        };
        let mask = |text: &TokenIds| (0..length).map(move |place| place < text.ids.len()).collect::<Vec<bool>>();
        let texts = || texts.iter();
        Self {
            batch: texts().count(),
            length,
            ids: texts().flat_map(|text| padded(&text.ids)).collect(),
            mask: texts().flat_map(mask).collect(),
            types: with_types.then(|| texts().flat_map(|text| padded(&text.types)).collect()),
        }
    }

    /// The real tokens of each row, if the network can run them.
    pub fn check(&self, architecture: &Architecture) -> Result<Vec<Span>, RunError> {
        self.check_size("ids", self.ids.len())?;
        self.check_size("mask", self.mask.len())?;
        if let Some(types) = &self.types {
            self.check_size("types", types.len())?;
        }
        (0..self.batch).map(|row| self.check_row(row, architecture)).collect()
    }

    fn check_size(&self, what: &'static str, found: usize) -> Result<(), RunError> {
        let Self { batch, length, .. } = *self;
        if batch.checked_mul(length) == Some(found) {
            return Ok(());
        }
        Err(RunError::Size { what, found, batch, length })
    }

    fn check_row(&self, row: usize, architecture: &Architecture) -> Result<Span, RunError> {
        let first = row * self.length;
        let mask = &self.mask[first..first + self.length];
        let skipped = mask.iter().take_while(|real| !**real).count();
        let span = Span { start: first + skipped, length: mask[skipped..].iter().take_while(|real| **real).count() };
        if mask[skipped + span.length..].contains(&true) {
            return Err(RunError::Mask { row });
        }
        let (limit, counted) = (architecture.positions(), architecture.family.counts_from_padding);
        let length = if counted || span.length == 0 { span.length } else { skipped + span.length };
        if length > limit {
            return Err(RunError::Length { row, length, limit });
        }
        check_ids(row, "token id", &self.ids[span.places()], architecture.vocabulary)?;
        if let Some(types) = &self.types {
            check_ids(row, "token type", &types[span.places()], architecture.types.max(1))?;
        }
        Ok(span)
    }

    /// The row of the embedding of positions for each real token of a row.
    pub fn positions(&self, span: Span, architecture: &Architecture) -> Vec<u32> {
        if !architecture.family.counts_from_padding {
            return span.places().map(|place| (place % self.length) as u32).collect();
        }
        let padding = architecture.padding as u32;
        let mut position = padding;
        let ids = &self.ids[span.places()];
        ids.iter()
            .map(|id| {
                position += u32::from(*id != padding);
                if *id == padding { padding } else { position }
            })
            .collect()
    }
}

fn check_ids(row: usize, what: &'static str, ids: &[u32], limit: usize) -> Result<(), RunError> {
    match ids.iter().find(|id| **id as usize >= limit) {
        Some(&id) => Err(RunError::Id { row, what, id, limit }),
        None => Ok(()),
    }
}

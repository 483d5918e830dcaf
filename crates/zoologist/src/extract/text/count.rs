//! How many tokens a tokenizer makes of a table's texts, and how many of them it does not know.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::tokens::Tokens;
use crate::extract::SampleFiles;
use crate::extract::order::TokenOrder;
use crate::extract::worker::WorkerError;
use crate::store::Texts;
use crate::zoo::TextSettings;

/// Texts that are counted at a time.
const BLOCK: usize = 4096;

/// What a tokenizer makes of some texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// How many texts there are.
    pub texts: u64,
    /// How many tokens, special ones included.
    pub tokens: u64,
    /// Tokens of the shortest text.
    pub least: usize,
    /// Tokens that half of the texts do not exceed.
    pub median: usize,
    /// Tokens that 95% of the texts do not exceed.
    pub percentile_95: usize,
    /// Tokens of the longest text.
    pub most: usize,
    /// Tokens of unknown words.
    pub unknown: u64,
    /// The longest sequence that the model reads, where it says so.
    pub max_tokens: Option<usize>,
    /// How many texts are longer, and would be cut.
    pub truncated: u64,
    /// How many different tokens the tokenizer knows.
    pub vocabulary: usize,
}

/// How many texts have each length, and unknown tokens.
#[derive(Default)]
struct Tally {
    lengths: Vec<u64>,
    unknown: u64,
}

/// Counts the tokens of all texts of an order, in parallel.
pub fn count(order: &TokenOrder, settings: &TextSettings) -> Result<TokenCounts, WorkerError> {
    let SampleFiles::Texts { file, .. } = &order.samples else {
        return Err(WorkerError::Order("only texts have tokens".to_owned()));
    };
    let texts = Texts::open(file)?;
    let whole = TextSettings { max_tokens: None, ..settings.clone() };
    let tokens = Tokens::load(&order.folder, &whole, vec![], None)?;
    let unknown = tokens.unknown();
    let blocks: Vec<Range<usize>> =
        (0..texts.len()).step_by(BLOCK).map(|start| start..texts.len().min(start + BLOCK)).collect();
    let tally = blocks
        .into_par_iter()
        .map(|block| tally(&texts, block, &tokens, unknown))
        .try_reduce(Tally::default, |a, b| Ok(a.merged(&b)))?;
    Ok(tally.counts(settings.max_tokens, tokens.size()))
}

fn tally(texts: &Texts, block: Range<usize>, tokens: &Tokens, unknown: Option<i64>) -> Result<Tally, WorkerError> {
    let mut tally = Tally::default();
    for place in block {
        let ids = tokens.ids(&texts.read(place)?)?.ids;
        let length = ids.len();
        if tally.lengths.len() <= length {
            tally.lengths.resize(length + 1, 0);
        }
        tally.lengths[length] += 1;
        tally.unknown += ids.iter().filter(|&&id| Some(id) == unknown).count() as u64;
    }
    Ok(tally)
}

impl Tally {
    fn merged(mut self, other: &Self) -> Self {
        if self.lengths.len() < other.lengths.len() {
            self.lengths.resize(other.lengths.len(), 0);
        }
        self.lengths.iter_mut().zip(&other.lengths).for_each(|(own, more)| *own += more);
        Self { lengths: self.lengths, unknown: self.unknown + other.unknown }
    }

    fn counts(&self, max_tokens: Option<usize>, vocabulary: usize) -> TokenCounts {
        let texts: u64 = self.lengths.iter().sum();
        let at = |share: f64| {
            let wanted = (texts as f64 * share).ceil() as u64;
            let mut seen = 0;
            self.lengths.iter().position(|count| {
                seen += count;
                seen >= wanted.max(1)
            })
        };
        let longer = |limit: usize| self.lengths.iter().skip(limit + 1).sum();
        TokenCounts {
            texts,
            tokens: self.lengths.iter().zip(0..).map(|(count, length)| count * length).sum(),
            least: at(0.0).unwrap_or(0),
            median: at(0.5).unwrap_or(0),
            percentile_95: at(0.95).unwrap_or(0),
            most: self.lengths.len().saturating_sub(1),
            unknown: self.unknown,
            max_tokens,
            truncated: max_tokens.map_or(0, longer),
            vocabulary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_give_their_median_and_what_would_be_cut() {
        let one = Tally { lengths: vec![0, 0, 3, 1], unknown: 1 };
        let other = Tally { lengths: vec![1, 0, 0, 0, 0, 2], unknown: 4 };
        let counts = other.merged(&one).counts(Some(3), 100);
        assert_eq!((counts.texts, counts.tokens, counts.unknown, counts.truncated), (7, 19, 5, 2));
        assert_eq!((counts.least, counts.median, counts.percentile_95, counts.most), (0, 2, 5, 5));
        assert_eq!(Tally::default().counts(None, 1).most, 0);
    }
}

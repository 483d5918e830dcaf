//! Texts of one block, put together into batches of like length.
//!
//! Texts are sorted by their number of tokens, so little padding is needed. A batch depends on its block alone, which
//! depends on the samples alone: neither threads nor interruptions change what stands beside a text.

use super::tokens::TokenIds;

/// Most texts in a batch.
const MOST_ROWS: usize = 32;
/// Most tokens in a batch, padding included, unless a single text has more.
const MOST_TOKENS: usize = 2048;

/// Texts of like length.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Places of its texts in the block.
    pub members: Vec<usize>,
    /// Tokens of each text.
    pub tokens: Vec<usize>,
    /// The longest of them.
    pub length: usize,
    /// members × length ids, filled up with the padding id.
    pub ids: Vec<i64>,
    /// 1 for a token, 0 for padding.
    pub mask: Vec<i64>,
    /// Token types, 0 for padding.
    pub types: Vec<i64>,
    /// The share of each token of each text in the pooled vector, where the tokens' words decide it.
    pub shares: Vec<Option<Vec<f32>>>,
}

/// The batches of a block. Texts without a token have no batch.
pub fn batches(block: &[TokenIds], padding: i64) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..block.len()).filter(|&place| !block[place].ids.is_empty()).collect();
    order.sort_by_key(|&place| (block[place].ids.len(), place));
    let mut batches = vec![];
    let mut rest = &order[..];
    while !rest.is_empty() {
        let fits = |rows: &usize| rows * block[rest[rows - 1]].ids.len() <= MOST_TOKENS;
        let rows = (1..=rest.len().min(MOST_ROWS)).take_while(fits).last().unwrap_or(1);
        let (members, later) = rest.split_at(rows);
        batches.push(Batch::of(members, block, padding));
        rest = later;
    }
    batches
}

impl Batch {
    fn of(members: &[usize], block: &[TokenIds], padding: i64) -> Self {
        let length = members.iter().map(|&place| block[place].ids.len()).max().unwrap_or(0);
        Self::of_length(members, block, length, padding)
    }

    /// All texts of a block, each filled up to this length or longer than it.
    pub fn padded(block: &[TokenIds], length: usize, padding: i64) -> Self {
        let members: Vec<usize> = (0..block.len()).collect();
        Self::of_length(&members, block, length, padding)
    }

    fn of_length(members: &[usize], block: &[TokenIds], length: usize, padding: i64) -> Self {
        let tokens: Vec<usize> = members.iter().map(|&place| block[place].ids.len()).collect();
        let filled = |row: &dyn Fn(&TokenIds) -> Vec<i64>, with: i64| {
            let row = |&place: &usize| {
                let mut row = row(&block[place]);
                row.resize(length, with);
                row
            };
            members.iter().flat_map(row).collect()
        };
        Self {
            ids: filled(&|text| text.ids.clone(), padding),
            mask: filled(&|text| vec![1; text.ids.len()], 0),
            types: filled(&|text| text.types.clone(), 0),
            shares: members.iter().map(|&place| block[place].shares.clone()).collect(),
            members: members.to_vec(),
            tokens,
            length,
        }
    }

    /// How many texts there are and how long each is.
    pub fn shape(&self) -> [usize; 2] {
        [self.members.len(), self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tokens: usize) -> TokenIds {
        TokenIds { ids: (1_i64..).take(tokens).collect(), types: vec![0; tokens], truncated: false, shares: None }
    }

    #[test]
    fn every_text_with_tokens_is_in_one_batch_beside_texts_of_like_length() {
        let lengths = [3, 700, 1, 0, 3, 1500, 2, 4000];
        let block: Vec<TokenIds> = lengths.iter().map(|&length| text(length)).collect();
        let found = batches(&block, 9);
        let mut members: Vec<usize> = found.iter().flat_map(|batch| batch.members.clone()).collect();
        members.sort_unstable();
        assert_eq!(members, [0, 1, 2, 4, 5, 6, 7]);
        assert_eq!(found[0].members, [2, 6, 0, 4]);
        assert_eq!(found[0].ids, [1, 9, 9, 1, 2, 9, 1, 2, 3, 1, 2, 3]);
        assert_eq!(found[0].mask, [1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1]);
        assert_eq!(found.iter().map(|batch| batch.length).collect::<Vec<_>>(), [3, 700, 1500, 4000]);
    }
}

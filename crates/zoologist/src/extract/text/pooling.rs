//! From the states of a text's tokens to one vector.

use super::tokens::TokenIds;
use crate::zoo::TokenPooling;

/// Pools the states of one text: `states` are at least `tokens` rows of `dim` numbers, of which the first `tokens` are of
/// real tokens; what stands behind them is padding.
pub fn pooled(pooling: TokenPooling, states: &[f32], tokens: usize, dim: usize) -> Vec<f32> {
    let real = &states[..tokens * dim];
    let rows = || real.chunks_exact(dim);
    match pooling {
        TokenPooling::Cls => real.get(..dim).map_or_else(|| vec![0.0; dim], <[f32]>::to_vec),
        TokenPooling::Last => rows().next_back().map_or_else(|| vec![0.0; dim], <[f32]>::to_vec),
        TokenPooling::Max if tokens > 0 => folded(rows(), vec![f32::NEG_INFINITY; dim], f32::max),
        TokenPooling::Mean | TokenPooling::Max | TokenPooling::Words => {
            let mut mean = folded(rows(), vec![0.0; dim], |sum, value| sum + value);
            mean.iter_mut().for_each(|sum| *sum /= tokens.max(1) as f32);
            mean
        }
    }
}

fn folded<'a>(rows: impl Iterator<Item = &'a [f32]>, start: Vec<f32>, join: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    rows.fold(start, |mut so_far, row| {
        so_far.iter_mut().zip(row).for_each(|(value, &next)| *value = join(*value, next));
        so_far
    })
}

/// The sum of the states of one text, each times its share.
pub fn shared(shares: &[f32], states: &[f32], dim: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dim];
    for (share, state) in shares.iter().zip(states.chunks_exact(dim)) {
        sum.iter_mut().zip(state).for_each(|(sum, value)| *sum += share * value);
    }
    sum
}

/// The share of each of `length` places in the pooled vector of a text of so many tokens; `None` where pooling is not
/// linear.
pub fn shares(pooling: TokenPooling, tokens: usize, length: usize) -> Option<Vec<f32>> {
    let mut shares = vec![0.0; length];
    match pooling {
        TokenPooling::Cls => shares.iter_mut().take(1).for_each(|share| *share = 1.0),
        TokenPooling::Last => shares.iter_mut().take(tokens).last().into_iter().for_each(|share| *share = 1.0),
        TokenPooling::Mean => shares.iter_mut().take(tokens).for_each(|share| *share = 1.0 / tokens.max(1) as f32),
        TokenPooling::Max | TokenPooling::Words => return None,
    }
    Some(shares)
}

/// The share of each token of a text in its features; `None` where pooling is not linear.
pub fn shares_of(ids: &TokenIds, pooling: TokenPooling) -> Option<Vec<f32>> {
    ids.shares.clone().or_else(|| shares(pooling, ids.ids.len(), ids.ids.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_counts_for_nothing_and_both_forms_agree() {
        let states = [1.0, -2.0, 3.0, 4.0, 100.0, 100.0];
        let pool = |pooling| pooled(pooling, &states, 2, 2);
        assert_eq!(pool(TokenPooling::Cls), [1.0, -2.0]);
        assert_eq!(pool(TokenPooling::Mean), [2.0, 1.0]);
        assert_eq!(pool(TokenPooling::Max), [3.0, 4.0]);
        assert_eq!(pool(TokenPooling::Last), [3.0, 4.0]);
        assert_eq!(pooled(TokenPooling::Mean, &states, 0, 2), [0.0, 0.0]);
        for pooling in [TokenPooling::Cls, TokenPooling::Mean, TokenPooling::Last] {
            let shares = shares(pooling, 2, 3).unwrap();
            let product = |column: usize| {
                shares.iter().zip(states.chunks(2)).map(|(share, row)| share * row[column]).sum::<f32>()
            };
            assert_eq!(vec![product(0), product(1)], pool(pooling));
        }
        assert_eq!(shares(TokenPooling::Max, 2, 3), None);
    }
}

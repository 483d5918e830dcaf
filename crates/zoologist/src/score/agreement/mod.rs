//! How well a score's order of models agrees with the true accuracies.
//!
//! Six figures of n scores x and n accuracies y, both higher = better:
//!
//! | figure | is |
//! |---|---|
//! | weighted Kendall | [`super::kendall::weighted`] |
//! | Kendall | tau-b |
//! | Pearson | the correlation of the values |
//! | Spearman | Pearson's of the ranks, ties having the mean of theirs |
//! | regret of the top k | see [`regret`] |
//!
//! The correlations do not exist where a list does not vary; they are those of `scipy.stats`. Cost: n log n.

mod bootstrap;
mod correlation;
mod regret;

use serde::Serialize;

pub use bootstrap::{Draws, interval, resample};
pub use correlation::{pearson, ranks, spearman};
pub use regret::regret;

use super::kendall::Pairs;

/// How many figures there are.
pub const FIGURES: usize = 6;

/// One thing for each figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures<T> {
    /// For the weighted Kendall correlation.
    pub weighted_kendall: T,
    /// For Kendall's tau-b.
    pub kendall: T,
    /// For Pearson's correlation.
    pub pearson: T,
    /// For Spearman's correlation.
    pub spearman: T,
    /// For the accuracy that is lost by taking the best by score.
    pub regret_top1: T,
    /// For the accuracy that is lost by taking the best of the three best by score.
    pub regret_top3: T,
}

impl<T> Figures<T> {
    /// From a list in the order of the fields.
    pub fn from_list([weighted_kendall, kendall, pearson, spearman, regret_top1, regret_top3]: [T; FIGURES]) -> Self {
        Self { weighted_kendall, kendall, pearson, spearman, regret_top1, regret_top3 }
    }

    /// As a list in the order of the fields.
    pub fn list(&self) -> [&T; FIGURES] {
        [&self.weighted_kendall, &self.kendall, &self.pearson, &self.spearman, &self.regret_top1, &self.regret_top3]
    }
}

/// The agreement of finite scores with finite accuracies.
///
/// ```
/// let found = zoologist::score::agreement::agreement(&[0.3, 0.1, 0.2], &[0.9, 0.7, 0.8]);
/// assert_eq!((found.kendall, found.regret_top1), (Some(1.0), Some(0.0)));
/// ```
pub fn agreement(scores: &[f64], accuracies: &[f64]) -> Figures<Option<f64>> {
    let pairs = Pairs::of(scores, accuracies);
    Figures {
        weighted_kendall: pairs.weighted(),
        kendall: pairs.plain(),
        pearson: pearson(scores, accuracies),
        spearman: spearman(scores, accuracies),
        regret_top1: regret(scores, accuracies, 1),
        regret_top3: regret(scores, accuracies, 3),
    }
}

#[cfg(test)]
mod tests;

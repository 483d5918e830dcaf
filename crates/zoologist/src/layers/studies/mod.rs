//! Which layers transfer: what is said of trainings in which some blocks were changed before (Tamkin et al. 2020,
//! arXiv:2004.14975). Nothing here trains: values of runs in, rows, differences and sentences out.
//!
//! Runs are paired: with the same seed every variant learns from the same samples in the same order and begins with the same
//! head, so that its difference to the unchanged network is that of the change. An example of one comparison:
//!
//! ```
//! use zoologist::layers::studies::compared;
//! let (unchanged, changed) = ([Some(0.90), Some(0.88), Some(0.91)], [Some(0.89), Some(0.88), Some(0.89)]);
//! let found = compared(&changed, &unchanged).unwrap();
//! assert!((found.mean + 0.01).abs() < 1e-12 && found.interval.unwrap()[0] < -0.03);
//! ```

mod answer;
mod curves;

use serde::Serialize;

pub use answer::{Enough, SHUFFLED, answer, enough, exported};
pub use curves::{CurveAgreement, curve_agreement};

use crate::extract::training::{Mode, Proof};
use crate::score::paired::{self, Paired};

/// All studies of one model on one data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Studies {
    /// What the values are: `accuracy` or `matthews`; `pearson` for numbers.
    pub metric: &'static str,
    /// The names of the network's blocks.
    pub blocks: Vec<String>,
    /// What stands before the blocks: `embeddings` or `stem`.
    pub before: &'static str,
    /// Samples learned from; each set contains the smaller ones.
    pub sizes: Vec<usize>,
    /// The seeds: each fixes the samples, the head and the order of the batches.
    pub seeds: Vec<u64>,
    /// How every run was trained.
    pub training: Recipe,
    /// Samples that judge, and which these are.
    pub judged: usize,
    /// Which these are, in words.
    pub judged_on: String,
    /// The value of always naming the commonest class; `None` for numbers.
    pub chance: Option<f64>,
    /// A loss up to this is no loss.
    pub delta: f64,
    /// Every variant at every size, study by study; the unchanged network first.
    pub rows: Vec<StudyRow>,
    /// Whether the changed layers matter less with less data.
    pub contrasts: Vec<Contrast>,
    /// How alike the probes and the progressive study order the layers.
    pub agreement: Option<CurveAgreement>,
    /// The answer in sentences.
    pub answer: Vec<String>,
    /// What was given up to stay within the budget.
    pub gave_up: Vec<String>,
    /// Variants that this network can't be changed to, and why.
    pub impossible: Vec<(String, String)>,
    /// The shortened model, if one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<Exported>,
    /// Seconds; differs between two equal runs.
    pub timing: StudiesTiming,
}

/// How long the runs took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StudiesTiming {
    /// What was estimated before the first of them, where none was in the store.
    pub estimated_seconds: f64,
    /// What they took now.
    pub seconds: f64,
}

/// A shortened model that was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exported {
    /// Its folder.
    pub folder: String,
    /// How many blocks it has.
    pub kept: usize,
    /// What it reached on the judged samples, tuned with early stopping.
    pub value: Option<f64>,
    /// The 95% interval, as far as these are a sample.
    pub interval: Option<[f64; 2]>,
    /// The share of the forward pass's multiply-adds that it needs.
    pub cost_share: Option<f64>,
    /// Its files.
    pub files: Vec<String>,
    /// Milliseconds of one sample's pass on this machine: of the whole model, and of this one, by the same runtime; `None`
    /// where the two can't be compared.
    pub timing: Option<[f64; 2]>,
}

/// How every run was trained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Steps, the same at every size.
    pub steps: usize,
    /// Samples of a step.
    pub batch: usize,
    /// The learning rate after the warm-up.
    pub learning_rate: f64,
    /// Tokens that texts were cut to.
    pub tokens: Option<usize>,
    /// Whether the layers that were kept stayed frozen.
    pub freezes_kept: bool,
}

/// Which question a variant belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Study {
    /// The network as it is: what the others are compared with.
    Unchanged,
    /// The first blocks are kept, the rest is changed.
    Progressive,
    /// A window of blocks is changed, or everything but the window.
    Localised,
    /// The blocks stand in another order.
    Order,
    /// What a layer must beat.
    Control,
}

/// One variant at one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyRow {
    /// The study.
    pub study: Study,
    /// What was done, in words.
    pub name: String,
    /// What became of the changed blocks; `None` where nothing is changed or the change has no mode.
    pub mode: Option<Mode>,
    /// Samples learned from.
    pub n: usize,
    /// In the progressive study, how many blocks were kept.
    pub kept: Option<usize>,
    /// The blocks that were changed.
    pub changed: Vec<usize>,
    /// The value of each seed; `None` where it was not run.
    pub values: Vec<Option<f64>>,
    /// Their mean.
    pub mean: Option<f64>,
    /// The mean of value less that of the unchanged network with the same seed.
    pub difference: Option<f64>,
    /// Its 95% interval by Student's t over the seeds.
    pub interval: Option<[f64; 2]>,
    /// The standard error that one value has from the judged samples being few.
    pub judged_error: Option<f64>,
    /// The share of the forward pass's multiply-adds that the variant needs.
    pub cost_share: Option<f64>,
    /// What was shown of the tensors before and after the training, for the first seed.
    pub proof: Option<Proof>,
}

/// Whether what the changed layers bring depends on the amount of data: the loss with many samples less the loss with
/// few, seed by seed. Above 0: the changed layers matter less with little data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contrast {
    /// The mode.
    pub mode: Mode,
    /// How many blocks were kept.
    pub kept: usize,
    /// The sizes, few and many.
    pub sizes: [usize; 2],
    /// The mean.
    pub mean: f64,
    /// Its 95% interval by Student's t over the seeds.
    pub interval: Option<[f64; 2]>,
}

/// The paired differences of two lists of values; `None` where no seed has both.
pub fn compared(values: &[Option<f64>], reference: &[Option<f64>]) -> Option<Paired> {
    let differences: Vec<f64> = values.iter().zip(reference).filter_map(|(a, b)| Some((*a)? - (*b)?)).collect();
    paired::mean(&differences)
}

/// The contrasts of all progressive rows between the smallest and the largest size.
pub fn contrasts(rows: &[StudyRow], sizes: &[usize]) -> Vec<Contrast> {
    let (Some(&few), Some(&many)) = (sizes.first(), sizes.last()) else { return vec![] };
    let changed = rows.iter().filter(|row| row.n == many && !row.changed.is_empty() && few < many);
    let contrast = |row: &StudyRow| {
        let (mode, kept) = (row.mode?, row.kept?);
        let loss = |n: usize| -> Option<Vec<Option<f64>>> {
            let values = &find(rows, n, |it| it.kept == Some(kept) && it.mode == Some(mode))?.values;
            let reference = &find(rows, n, |it| it.study == Study::Unchanged)?.values;
            Some(reference.iter().zip(values).map(|(a, b)| Some((*a)? - (*b)?)).collect())
        };
        let Paired { mean, interval } = compared(&loss(many)?, &loss(few)?)?;
        Some(Contrast { mode, kept, sizes: [few, many], mean, interval })
    };
    changed.filter_map(contrast).collect()
}

/// The row of a size that has a property.
pub fn find(rows: &[StudyRow], n: usize, is: impl Fn(&StudyRow) -> bool) -> Option<&StudyRow> {
    rows.iter().find(|row| row.n == n && is(row))
}

/// Proofs of runs that are to be paired: same rows in every step, and the same head where the heads have the same width.
///
/// # Errors
/// Which of them differs, and in what.
pub fn check_pairs(runs: &[(&str, &Proof)]) -> Result<(), String> {
    let Some(((_, first), rest)) = runs.split_first() else { return Ok(()) };
    if let Some((name, _)) = rest.iter().find(|(_, proof)| proof.batches != first.batches) {
        return Err(format!("{name} did not learn from the same samples in the same order as the others"));
    }
    let other_head = |proof: &Proof| {
        runs.iter().any(|(_, other)| other.head_numbers == proof.head_numbers && other.head != proof.head)
    };
    match rest.iter().find(|(_, proof)| other_head(proof)) {
        Some((name, _)) => Err(format!("{name} did not begin with the same head as others of its width")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A progressive row.
    pub fn row(kept: Option<usize>, n: usize, values: &[f64]) -> StudyRow {
        let unchanged = kept.is_none();
        StudyRow {
            study: if unchanged { Study::Unchanged } else { Study::Progressive },
            name: kept.map_or("unchanged".to_owned(), |kept| format!("keep {kept}")),
            mode: (!unchanged).then_some(Mode::Normal),
            n,
            kept,
            changed: kept.map_or(vec![], |kept| (kept..6).collect()),
            values: values.iter().copied().map(Some).collect(),
            mean: Some(values.iter().sum::<f64>() / values.len() as f64),
            difference: None,
            interval: None,
            judged_error: Some(0.01),
            cost_share: None,
            proof: None,
        }
    }

    #[test]
    fn contrasts_are_paired_by_seed() {
        let rows = [
            row(None, 100, &[0.6, 0.7, 0.65]),
            row(Some(2), 100, &[0.59, 0.70, 0.64]),
            row(None, 400, &[0.8, 0.9, 0.85]),
            row(Some(2), 400, &[0.7, 0.81, 0.76]),
        ];
        let found = contrasts(&rows, &[100, 400]);
        assert_eq!((found.len(), found[0].kept, found[0].sizes), (1, 2, [100, 400]));
        // Losses .1 .09 .09 with many, .01 0 .01 with few.
        assert!((found[0].mean - (0.28 - 0.02) / 3.0).abs() < 1e-12, "{found:?}");
        assert!(found[0].interval.unwrap()[0] > 0.07);
        assert!(contrasts(&rows, &[100]).is_empty());
    }

    #[test]
    fn an_unpaired_subset_is_caught() {
        let proof = |batches: &str| Proof { batches: batches.to_owned(), ..Proof::default() };
        let (a, b) = (proof("1"), proof("2"));
        assert!(check_pairs(&[("full", &a), ("keep 2", &a)]).is_ok());
        let error = check_pairs(&[("full", &a), ("keep 2", &a), ("keep 4", &b)]).unwrap_err();
        assert!(error.starts_with("keep 4 did not learn from the same samples"), "{error}");
        let headed = |head: &str, head_numbers| Proof { head: head.to_owned(), head_numbers, ..proof("1") };
        let (wide, narrow, other) = (headed("w", 20), headed("n", 10), headed("x", 20));
        assert!(check_pairs(&[("full", &wide), ("keep 2", &narrow)]).is_ok());
        let error = check_pairs(&[("full", &wide), ("keep 2", &other)]).unwrap_err();
        assert!(error.contains("same head"), "{error}");
    }
}

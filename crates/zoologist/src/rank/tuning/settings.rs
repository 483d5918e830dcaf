//! Ways of using a model, and what a person may set about the training.

use std::fmt;
use std::str::FromStr;

use crate::extract::training::{Freeze, Norms, Optimizer, Recipe, Start};

/// A way of using a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A linear head on the layer that does best.
    Probe,
    /// A head with one hidden layer on that layer.
    Head,
    /// A linear head on features of all layers, of which the relevant ones are chosen (Evci et al., arXiv:2201.03529).
    Head2Toe,
    /// A linear head first, then all weights from there (Kumar et al., arXiv:2202.10054).
    LpFt,
    /// All weights.
    Full,
    /// The last so many layers.
    Top(usize),
    /// All weights, from random ones: what the architecture alone is worth.
    Scratch,
    /// All weights, with the best-ranked models of a zoo as teachers (You et al., arXiv:2110.10545).
    Btune,
}

impl Way {
    /// Whether the model's own weights stay as they are.
    pub fn is_frozen(self) -> bool {
        matches!(self, Self::Probe | Self::Head | Self::Head2Toe)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe => into.write_str("probe"),
            Self::Head => into.write_str("head"),
            Self::Head2Toe => into.write_str("head2toe"),
            Self::LpFt => into.write_str("lp-ft"),
            Self::Full => into.write_str("full"),
            Self::Top(layers) => write!(into, "top:{layers}"),
            Self::Scratch => into.write_str("scratch"),
            Self::Btune => into.write_str("btune"),
        }
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Probe, Self::Head, Self::Head2Toe, Self::LpFt, Self::Full, Self::Scratch, Self::Btune];
        if let Some(layers) = text.strip_prefix("top:") {
            let layers = layers.parse().ok().filter(|&layers: &usize| layers > 0);
            return layers.map(Self::Top).ok_or_else(|| "top:K takes a number of layers from 1, as top:2".to_owned());
        }
        let names = "probe, head, head2toe, lp-ft, full, top:K, scratch or btune";
        all.into_iter().find(|way| way.to_string() == text).ok_or_else(|| format!("give {names}"))
    }
}

/// What a person set; what is `None` goes by the rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The learning rate after the warm-up.
    pub learning_rate: Option<f64>,
    /// How many times that the head learns at.
    pub head_factor: Option<f64>,
    /// Samples of a step.
    pub batch: Option<usize>,
    /// Steps.
    pub steps: Option<usize>,
    /// Passes through the samples, in place of steps.
    pub epochs: Option<usize>,
    /// What turns gradients into steps.
    pub optimizer: Option<Optimizer>,
    /// How batch norms behave.
    pub norms: Option<Norms>,
    /// Checkups in a row without a better one after which the training ends.
    pub patience: Option<usize>,
    /// Whether pictures are mirrored at random.
    pub mirror: bool,
    /// The edge that pictures are brought to, if not the model's own.
    pub size: Option<u32>,
    /// Tokens that a text is cut to, if not the model's own limit.
    pub length: Option<u32>,
}

/// What is trained on: decides between the habits of the two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Texts,
    /// Pictures.
    Pictures,
}

/// Checkups of a whole training.
const CHECKUPS: usize = 20;

/// The recipe of a way, for so many samples to learn from, and so many that validate.
pub fn recipe(way: Way, kind: Kind, [samples, validation]: [usize; 2], settings: &Settings) -> Recipe {
    let scratch = way == Way::Scratch;
    let batch = settings.batch.unwrap_or(16);
    let in_epochs = settings.epochs.map(|epochs| (epochs * samples).div_ceil(batch));
    let steps = settings.steps.or(in_epochs).unwrap_or_else(|| Recipe::steps_for(samples)).max(1);
    let steps = if way == Way::Probe { 0 } else { steps };
    let usual = if kind == Kind::Texts || scratch { Optimizer::Adamw } else { Optimizer::Sgd };
    let optimizer = settings.optimizer.unwrap_or(usual);
    let rate = match optimizer {
        Optimizer::Adamw if scratch => 5e-4,
        Optimizer::Adamw => 5e-5,
        // BiT's, for batches of 512; smaller batches here make noisier steps of the same size.
        Optimizer::Sgd => 3e-3,
    };
    Recipe {
        start: if scratch { Start::Random } else { Start::Pretrained },
        alteration: None,
        freeze: match way {
            Way::Top(layers) => Freeze::AllBut(layers),
            Way::Probe => Freeze::Everything,
            _ => Freeze::Nothing,
        },
        norms: settings.norms.unwrap_or(if scratch { Norms::Training } else { Norms::Frozen }),
        head: None,
        optimizer,
        learning_rate: settings.learning_rate.unwrap_or(rate),
        // A head that was fitted needs no faster steps than the weights below it.
        head_factor: settings.head_factor.unwrap_or(if scratch || way == Way::LpFt { 1.0 } else { 10.0 }),
        weight_decay: if optimizer == Optimizer::Adamw { 0.01 } else { 0.0 },
        batch,
        steps,
        warm_up: 0.1,
        clip: 1.0,
        // A checkup costs a third of a step per sample: together they are to cost no more than a sixth of the steps.
        checkup: steps.div_ceil(CHECKUPS).max((2 * validation).div_ceil(batch)).max(1),
        patience: settings.patience.unwrap_or(if scratch { CHECKUPS } else { CHECKUPS / 2 }),
        mirror: settings.mirror,
        teachers: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_read_back_what_they_write() {
        for text in ["probe", "head", "head2toe", "lp-ft", "full", "top:3", "scratch", "btune"] {
            assert_eq!(text.parse::<Way>().unwrap().to_string(), text);
        }
        for text in ["top:0", "top:", "top:x", "lpft", ""] {
            assert!(text.parse::<Way>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_number_of_steps_follows_the_number_of_samples() {
        let steps =
            |samples, settings: &Settings| recipe(Way::Full, Kind::Texts, [samples, samples / 4], settings).steps;
        let usual = Settings::default();
        assert_eq!([steps(500, &usual), steps(20_000, &usual), steps(500_000, &usual)], [500, 10_000, 20_000]);
        assert_eq!(steps(100, &Settings { epochs: Some(3), ..Settings::default() }), 19);
    }
}

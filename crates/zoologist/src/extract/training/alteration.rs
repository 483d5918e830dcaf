//! What is done to the blocks of a network before it is trained: the interventions of Tamkin et al. (2020,
//! arXiv:2004.14975).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is done to blocks. They are counted from 0; what stands before the first one (embeddings, the stem) and after the
/// last one is no block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alteration {
    /// Some blocks start anew.
    Reinitialised {
        /// Which.
        blocks: Vec<usize>,
        /// Whether what stands after the blocks does too.
        after: bool,
        /// With which numbers.
        how: Reinitialisation,
    },
    /// Some blocks are taken out. What stands after the blocks goes too if it does not fit any more.
    Dropped {
        /// Which.
        blocks: Vec<usize>,
    },
    /// The blocks stand in another order.
    Reordered {
        /// For each place the block that stands there.
        order: Vec<usize>,
    },
}

/// With which numbers a block starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reinitialisation {
    /// As the field initialises: weights normal and cut off at two deviations, biases 0, norms 1 and 0.
    Normal,
    /// As the code of the paper does: weights within ±.0008 (its bounds are taken for deviations), biases kept, norms 1 and
    /// 0.
    PaperCode,
}

impl Alteration {
    /// The block of the network as it was that stands in a place of the altered one; `None` beyond its last place.
    pub fn source(&self, place: usize, blocks: usize) -> Option<usize> {
        match self {
            Self::Reinitialised { .. } => (place < blocks).then_some(place),
            Self::Dropped { blocks: gone } => (0..blocks).filter(|block| !gone.contains(block)).nth(place),
            Self::Reordered { order } => order.get(place).copied(),
        }
    }
}

impl fmt::Display for Reinitialisation {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str(match self {
            Self::Normal => "normal",
            Self::PaperCode => "paper-code",
        })
    }
}

/// What becomes of the layers that are changed: a mode of the studies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They start anew as the field initialises.
    Normal,
    /// They are taken out.
    Drop,
    /// They start anew as the code of the paper does.
    PaperCode,
}

impl Mode {
    /// The alteration that changes these blocks; `after`: what stands after the blocks is changed too.
    pub fn of(self, blocks: Vec<usize>, after: bool) -> Alteration {
        match self {
            Self::Normal => Alteration::Reinitialised { blocks, after, how: Reinitialisation::Normal },
            Self::PaperCode => Alteration::Reinitialised { blocks, after, how: Reinitialisation::PaperCode },
            Self::Drop => Alteration::Dropped { blocks },
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str(match self {
            Self::Normal => "normal",
            Self::Drop => "drop",
            Self::PaperCode => "paper-code",
        })
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Normal, Self::Drop, Self::PaperCode];
        all.into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| "give normal, drop or paper-code".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_know_their_block() {
        let sources = |alteration: &Alteration| -> Vec<Option<usize>> {
            (0..4).map(|place| alteration.source(place, 3)).collect()
        };
        assert_eq!(sources(&Mode::Drop.of(vec![1], false)), [Some(0), Some(2), None, None]);
        assert_eq!(sources(&Mode::Normal.of(vec![1], true)), [Some(0), Some(1), Some(2), None]);
        let turned = Alteration::Reordered { order: vec![2, 0, 1] };
        assert_eq!(sources(&turned), [Some(2), Some(0), Some(1), None]);
    }
}

//! What is done to the network in each study: a list, made from the names and widths of its blocks.

use std::fmt;
use std::str::FromStr;

use crate::base::Seed;
use crate::extract::training::{Alteration, BlockFacts, Mode};
use crate::layers::studies::{SHUFFLED, Study};

/// A study that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Keep the first blocks, change the rest.
    Progressive,
    /// Change a window of blocks, or everything but the window.
    Localised,
    /// Put the blocks into another order.
    Order,
}

impl fmt::Display for Kind {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str(match self {
            Self::Progressive => "progressive",
            Self::Localised => "localised",
            Self::Order => "order",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Progressive, Self::Localised, Self::Order];
        all.into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| "give progressive, localised or order".to_owned())
    }
}

/// Which depths the progressive study keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Up to four, evenly spaced.
    Usual,
    /// These.
    Depths(Vec<usize>),
    /// The smallest that is enough, found by halving: as if more kept blocks were never worse.
    Bisect,
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "bisect" {
            return Ok(Self::Bisect);
        }
        let depths: Result<Vec<usize>, _> = text.split(',').map(str::parse).collect();
        depths.map(Self::Depths).map_err(|_| "give numbers of blocks, as 0,2,4, or bisect".to_owned())
    }
}

/// What a network starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// As it is.
    AsItIs,
    /// With changed blocks.
    Altered(Alteration),
    /// Everything anew.
    Anew,
    /// As it is, with the labels of the samples exchanged at random.
    ShuffledLabels,
    /// There is no network: a linear head on the simplest features.
    WithoutNetwork,
}

/// At which sizes a variant is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At each.
    Each,
    /// At the largest.
    Largest,
    /// At the smallest.
    Smallest,
}

/// One variant of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The study that it belongs to.
    pub study: Study,
    /// What is done, in words.
    pub name: String,
    /// What becomes of the changed blocks.
    pub mode: Option<Mode>,
    /// How many blocks are kept, in the progressive study.
    pub kept: Option<usize>,
    /// The blocks that are changed.
    pub changed: Vec<usize>,
    /// What the network starts from.
    pub how: How,
    /// At which sizes it is run.
    pub at: At,
}

impl Variant {
    /// Whether it is run at one of these sizes.
    pub fn runs_at(&self, size: usize, sizes: &[usize]) -> bool {
        match self.at {
            At::Each => true,
            At::Largest => sizes.last() == Some(&size),
            At::Smallest => sizes.first() == Some(&size),
        }
    }

    /// The blocks that its forward pass goes through, of so many.
    pub fn passes(&self, blocks: usize) -> Vec<usize> {
        let gone: &[usize] = match &self.how {
            How::Altered(Alteration::Dropped { blocks }) => blocks,
            _ => &[],
        };
        (0..blocks).filter(|block| !gone.contains(block)).collect()
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The studies.
    pub kinds: &'a [Kind],
    /// The modes.
    pub modes: &'a [Mode],
    /// The depths.
    pub keep: &'a Keep,
    /// Blocks of a window.
    pub window: usize,
    /// What stands before the blocks, in words.
    pub before: &'a str,
    /// Fixes the shuffles.
    pub seed: Seed,
}

/// Shuffles of the blocks.
const SHUFFLES: usize = 5;
/// Parts into which the depths are cut where nothing else is said.
const PARTS: [usize; 3] = [4, 3, 2];

/// All variants, the unchanged network first; and those that this network can't be changed to, with the reason.
pub fn all(asked: &Asked, blocks: &[BlockFacts]) -> (Vec<Variant>, Vec<(String, String)>) {
    let mut variants = vec![simple(Study::Unchanged, "unchanged", How::AsItIs, At::Each)];
    if asked.kinds.contains(&Kind::Progressive) {
        let depths = depths(asked.keep, blocks.len());
        variants.extend(
            asked
                .modes
                .iter()
                .flat_map(|&mode| depths.iter().map(move |&kept| progressive(kept, mode, blocks.len(), asked.before))),
        );
    }
    if asked.kinds.contains(&Kind::Localised) {
        variants.extend(asked.modes.iter().flat_map(|&mode| windows(mode, asked.window, blocks)));
    }
    if asked.kinds.contains(&Kind::Order) {
        variants.extend(orders(asked.seed, blocks));
    }
    let has = |variants: &[Variant], mode: Mode| variants.iter().any(|it| it.kept == Some(0) && it.mode == Some(mode));
    if !has(&variants, Mode::Drop) {
        let only = progressive(0, Mode::Drop, blocks.len(), asked.before);
        variants.push(Variant { study: Study::Control, kept: None, name: format!("{} only", asked.before), ..only });
    }
    variants.push(simple(Study::Control, "everything anew", How::Anew, At::Each));
    variants.push(simple(Study::Control, SHUFFLED, How::ShuffledLabels, At::Smallest));
    variants.push(simple(Study::Control, "no network", How::WithoutNetwork, At::Each));
    let (possible, impossible): (Vec<Variant>, Vec<Variant>) = variants.into_iter().partition(|variant| {
        fits(&variant.passes(blocks.len()), blocks, variant.kept.is_some() || variant.study == Study::Control)
    });
    let reason = "the blocks that are left don't fit on each other";
    (possible, impossible.into_iter().map(|variant| (variant.name, reason.to_owned())).collect())
}

fn simple(study: Study, name: &str, how: How, at: At) -> Variant {
    Variant { study, name: name.to_owned(), mode: None, kept: None, changed: vec![], how, at }
}

/// The depths below the whole one, from the first.
fn depths(keep: &Keep, blocks: usize) -> Vec<usize> {
    match keep {
        Keep::Usual => {
            let parts = PARTS.into_iter().find(|&parts| blocks.is_multiple_of(parts)).unwrap_or(4).min(blocks);
            let mut depths: Vec<usize> = (0..parts).map(|part| (part * blocks + parts / 2) / parts).collect();
            depths.dedup();
            depths
        }
        Keep::Depths(depths) => {
            let mut depths: Vec<usize> = depths.iter().copied().filter(|&depth| depth < blocks).collect();
            depths.sort_unstable();
            depths.dedup();
            depths
        }
        Keep::Bisect => vec![0],
    }
}

/// The first blocks kept, the rest changed.
pub fn progressive(kept: usize, mode: Mode, blocks: usize, before: &str) -> Variant {
    let changed: Vec<usize> = (kept..blocks).collect();
    Variant {
        study: Study::Progressive,
        name: if kept == 0 { format!("keep the {before}") } else { format!("keep {kept} of {blocks}") },
        mode: Some(mode),
        kept: Some(kept),
        how: How::Altered(mode.of(changed.clone(), true)),
        changed,
        at: At::Each,
    }
}

/// A window of blocks, at each place, changed and left as the only one that is not.
fn windows(mode: Mode, width: usize, blocks: &[BlockFacts]) -> Vec<Variant> {
    let count = blocks.len();
    if width == 0 || width >= count {
        return vec![];
    }
    let one = |start: usize, inside: bool| {
        let window = start..start + width;
        let changed: Vec<usize> = (0..count).filter(|block| window.contains(block) == inside).collect();
        let (first, last) = (&blocks[start].name, &blocks[start + width - 1].name);
        let what = if inside { "changed" } else { "kept alone" };
        Variant {
            study: Study::Localised,
            name: format!("{first} to {last} {what}"),
            mode: Some(mode),
            kept: None,
            how: How::Altered(mode.of(changed.clone(), false)),
            changed,
            at: At::Largest,
        }
    };
    (0..=count - width).flat_map(|start| [one(start, true), one(start, false)]).collect()
}

/// Shuffles of the blocks that can change places, and exchanges of neighbours.
fn orders(seed: Seed, blocks: &[BlockFacts]) -> Vec<Variant> {
    let order = |name: String, order: Vec<usize>| Variant {
        study: Study::Order,
        name,
        mode: None,
        kept: None,
        changed: (0..blocks.len()).filter(|&place| order[place] != place).collect(),
        how: How::Altered(Alteration::Reordered { order }),
        at: At::Largest,
    };
    let shuffles = (0..SHUFFLES).map(|number| order(format!("shuffle {}", number + 1), shuffled(seed, number, blocks)));
    let swaps = (1..blocks.len()).filter(|&place| blocks[place].kind == blocks[place - 1].kind).map(|place| {
        let mut places: Vec<usize> = (0..blocks.len()).collect();
        places.swap(place - 1, place);
        order(format!("swap {} and {}", blocks[place - 1].name, blocks[place].name), places)
    });
    shuffles.chain(swaps).filter(|variant| !variant.changed.is_empty()).collect()
}

/// Blocks of each kind in a random order among themselves.
fn shuffled(seed: Seed, number: usize, blocks: &[BlockFacts]) -> Vec<usize> {
    let mut stream = seed.stream("order of blocks", &number.to_string());
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    let mut kinds: Vec<usize> = blocks.iter().map(|block| block.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let places: Vec<usize> = (0..blocks.len()).filter(|&place| blocks[place].kind == kind).collect();
        let mut turned = places.clone();
        stream.shuffle(&mut turned);
        places.iter().zip(turned).for_each(|(&place, block)| order[place] = block);
    }
    order
}

/// Whether blocks that follow each other have the same width between them; the last may give another width than before
/// where `may_end_early`.
fn fits(passes: &[usize], blocks: &[BlockFacts], may_end_early: bool) -> bool {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return true };
    let mut width = first.into;
    let chained = passes.iter().all(|&block| std::mem::replace(&mut width, blocks[block].out) == blocks[block].into);
    chained && (may_end_early || width == last.out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(kinds: &[(usize, usize, usize)]) -> Vec<BlockFacts> {
        let block = |(number, &(kind, into, out)): (usize, &(usize, usize, usize))| BlockFacts {
            name: format!("b{number}"),
            kind,
            into,
            out,
        };
        kinds.iter().enumerate().map(block).collect()
    }

    fn names(kinds: &[Kind], modes: &[Mode], keep: &Keep, blocks: &[BlockFacts]) -> (Vec<String>, Vec<String>) {
        let asked = Asked { kinds, modes, keep, window: 2, before: "stem", seed: Seed(0) };
        let (variants, impossible) = all(&asked, blocks);
        (variants.into_iter().map(|it| it.name).collect(), impossible.into_iter().map(|it| it.0).collect())
    }

    #[test]
    fn depths_are_spread_evenly() {
        let of = |count| depths(&Keep::Usual, count);
        assert_eq!(of(6), [0, 2, 4]);
        assert_eq!(of(12), [0, 3, 6, 9]);
        assert_eq!(of(16), [0, 4, 8, 12]);
        assert_eq!(of(7), [0, 2, 4, 5]);
        assert_eq!(of(2), [0, 1]);
        assert_eq!(depths(&Keep::Depths(vec![4, 0, 4, 9]), 6), [0, 4]);
    }

    #[test]
    fn controls_are_never_left_out() {
        let alike = blocks(&[(0, 4, 4), (0, 4, 4), (0, 4, 4)]);
        let (found, _) = names(&[Kind::Progressive], &[Mode::Normal], &Keep::Usual, &alike);
        let wanted = ["unchanged", "keep the stem", "keep 1 of 3", "keep 2 of 3", "stem only", "everything anew"];
        assert_eq!(found[..6], wanted);
        assert_eq!(found[6..], [SHUFFLED, "no network"]);
        // Where it is a depth of the study it is not run twice.
        let (found, _) = names(&[Kind::Progressive], &[Mode::Drop], &Keep::Usual, &alike);
        assert!(!found.contains(&"stem only".to_owned()));
    }

    #[test]
    fn blocks_of_other_widths_can_neither_change_places_nor_be_left_out() {
        let wider = blocks(&[(0, 4, 4), (1, 4, 8), (2, 8, 8), (2, 8, 8)]);
        let (found, impossible) = names(&[Kind::Order, Kind::Localised], &[Mode::Drop], &Keep::Usual, &wider);
        let swaps: Vec<&String> = found.iter().filter(|name| name.starts_with("swap")).collect();
        assert_eq!(swaps, ["swap b2 and b3"]);
        assert!(found.contains(&"b2 to b3 changed".to_owned()), "{found:?}");
        assert!(
            impossible.contains(&"b0 to b1 changed".to_owned()) && impossible.contains(&"b1 to b2 changed".to_owned())
        );
        let turned = shuffled(Seed(3), 0, &wider);
        assert_eq!(turned[..2], [0, 1]);
    }
}

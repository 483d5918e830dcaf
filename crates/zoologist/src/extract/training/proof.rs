//! The proof that a network was changed as planned, and nothing else: tensor by tensor, before the training and after it.
//!
//! What shipped elsewhere makes it necessary: a re-initialisation that had no effect on the model; a layer that was in no
//! optimizer and never trained; runs that were compared and had seen other samples. Whoever trains shows the tensors
//! as they are ([`Shown`]); what they must be is decided here, from the alteration alone.

use serde::{Deserialize, Serialize};

use super::{Alteration, Reinitialisation};

/// Share of a weight's numbers that must differ from what they were for it to count as new.
const NEW: f64 = 0.99;

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the blocks: embeddings, the stem.
    Before,
    /// In a block.
    Block(usize),
    /// After the blocks.
    After,
}

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A matrix, a filter, an embedding.
    Weight,
    /// The bias of a weight.
    Bias,
    /// The factor of a norm.
    NormWeight,
    /// The summand of a norm.
    NormBias,
    /// The running mean of a batch norm.
    RunningMean,
    /// The running variance of a batch norm.
    RunningVariance,
}

impl Role {
    /// What it is when it starts anew; `None` where it is random.
    fn fresh(self) -> Option<f32> {
        match self {
            Self::Weight => None,
            Self::Bias | Self::NormBias | Self::RunningMean => Some(0.0),
            Self::NormWeight | Self::RunningVariance => Some(1.0),
        }
    }

    /// Whether it is a statistic, which no gradient reaches.
    pub fn is_statistic(self) -> bool {
        matches!(self, Self::RunningMean | Self::RunningVariance)
    }
}

/// A parameter at some moment.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it stands.
    pub place: Place,
    /// Its name without that of its block.
    pub within: &'a str,
    /// What it is.
    pub role: Role,
    /// Its numbers.
    pub values: &'a [f32],
}

/// What was shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Tensors that started anew.
    pub renewed: usize,
    /// Tensors that began as they were in the file.
    pub kept: usize,
    /// Tensors that the training changed.
    pub trained: usize,
    /// Tensors that it left as they were.
    pub frozen: usize,
    /// BLAKE3 of the rows of every step, in their order: what runs that are compared must share.
    pub batches: String,
    /// BLAKE3 of the head that the training began with.
    pub head: String,
    /// Numbers of that head: heads of one width must be the same one.
    #[serde(default)]
    pub head_numbers: usize,
}

/// What was planned for the start.
#[derive(Debug, Clone, Copy)]
pub enum Planned<'a> {
    /// The network as it is.
    AsItIs,
    /// Everything anew.
    Everything,
    /// An alteration.
    Altered(&'a Alteration),
}

impl Planned<'_> {
    /// Whether a parameter of the altered network was to start anew.
    fn renews(&self, state: &Shown) -> bool {
        match self {
            Self::AsItIs | Self::Altered(Alteration::Dropped { .. } | Alteration::Reordered { .. }) => false,
            Self::Everything => true,
            Self::Altered(Alteration::Reinitialised { blocks, after, how }) => {
                let inside = match state.place {
                    Place::Before => false,
                    Place::Block(block) => blocks.contains(&block),
                    Place::After => *after,
                };
                inside && !(*how == Reinitialisation::PaperCode && state.role == Role::Bias)
            }
        }
    }

    /// Where a parameter of the altered network stood before.
    fn source(&self, place: Place, blocks: usize) -> Option<Place> {
        match (self, place) {
            (Self::Altered(alteration), Place::Block(block)) => alteration.source(block, blocks).map(Place::Block),
            _ => Some(place),
        }
    }

    /// Tensors of the network as it was that must be in the altered one.
    fn stays(&self, state: &Shown) -> bool {
        match (self, state.place) {
            (Self::Altered(Alteration::Dropped { blocks }), Place::Block(block)) => !blocks.contains(&block),
            // What follows the blocks may not fit what is left.
            (Self::Altered(Alteration::Dropped { .. }), Place::After) => false,
            _ => true,
        }
    }
}

/// Compares the network as it was, of so many blocks, with that which will be trained.
///
/// # Errors
/// What is not as planned.
pub fn check_start(planned: Planned, blocks: usize, before: &[Shown], start: &[Shown]) -> Result<Proof, String> {
    let mut proof = Proof::default();
    for state in start {
        let source = planned.source(state.place, blocks);
        let found = before.iter().find(|it| Some(it.place) == source && it.within == state.within);
        let found = found.ok_or_else(|| format!("{} comes from nowhere", state.name))?;
        if found.values.len() != state.values.len() || found.role != state.role {
            return Err(format!("{} is not of the same kind as {}", state.name, found.name));
        }
        if planned.renews(state) {
            is_fresh(state, found)?;
            proof.renewed += 1;
        } else if same(state.values, found.values) {
            proof.kept += 1;
        } else {
            return Err(format!("{} was to stay as it was, and differs from {}", state.name, found.name));
        }
    }
    let wanted = before.iter().filter(|state| planned.stays(state)).count();
    let there = start.iter().filter(|state| !(is_drop(planned) && state.place == Place::After)).count();
    if wanted != there {
        return Err(format!("{there} tensors are left, not {wanted}"));
    }
    Ok(proof)
}

fn is_drop(planned: Planned) -> bool {
    matches!(planned, Planned::Altered(Alteration::Dropped { .. }))
}

fn is_fresh(state: &Shown, found: &Shown) -> Result<(), String> {
    if let Some(value) = state.role.fresh() {
        let fresh = state.values.iter().all(|it| it.to_bits() == value.to_bits());
        return if fresh { Ok(()) } else { Err(format!("{} was to be {value} everywhere, and is not", state.name)) };
    }
    let differing = state.values.iter().zip(found.values).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    let share = differing as f64 / state.values.len().max(1) as f64;
    if share > NEW {
        return Ok(());
    }
    Err(format!("{} was to start anew, and {:.1}% of its numbers are the old ones", state.name, 100.0 * (1.0 - share)))
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Compares the network before and after its training, and completes the proof. `learns` says of each whether it was meant
/// to.
///
/// # Errors
/// A weight that was to learn and did not, or a tensor that was not to and changed.
pub fn check_end(
    proof: Proof,
    start: &[Shown],
    end: &[Shown],
    learns: &dyn Fn(&Shown) -> bool,
) -> Result<Proof, String> {
    let mut proof = Proof { trained: 0, frozen: 0, ..proof };
    for (state, after) in start.iter().zip(end) {
        let (changed, meant) = (!same(state.values, after.values), learns(state));
        // A gradient may be 0 for a bias; statistics follow the batches, not a gradient.
        if meant && !changed && state.role == Role::Weight {
            return Err(format!("{} was to learn, and did not change", state.name));
        }
        if !meant && changed && !state.role.is_statistic() {
            return Err(format!("{} was to stay frozen, and changed", state.name));
        }
        proof.trained += usize::from(changed);
        proof.frozen += usize::from(!changed);
    }
    if start.len() == end.len() { Ok(proof) } else { Err("tensors were lost in the training".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::super::Mode;
    use super::*;

    /// Two blocks of one weight and one bias each, and what stands before.
    const NAMES: [(&str, Place, &str, Role); 5] = [
        ("words", Place::Before, "words", Role::Weight),
        ("0.weight", Place::Block(0), "weight", Role::Weight),
        ("0.bias", Place::Block(0), "bias", Role::Bias),
        ("1.weight", Place::Block(1), "weight", Role::Weight),
        ("1.bias", Place::Block(1), "bias", Role::Bias),
    ];

    fn shown(values: &[[f32; 2]]) -> Vec<Shown<'_>> {
        NAMES
            .iter()
            .zip(values)
            .map(|(&(name, place, within, role), values)| Shown { name, place, within, role, values })
            .collect()
    }

    const BEFORE: [[f32; 2]; 5] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 9.5]];

    fn start(alteration: &Alteration, values: &[[f32; 2]]) -> Result<Proof, String> {
        check_start(Planned::Altered(alteration), 2, &shown(&BEFORE), &shown(values))
    }

    #[test]
    fn what_was_planned_passes() {
        let mut renewed = BEFORE;
        (renewed[3], renewed[4]) = ([0.1, 0.2], [0.0; 2]);
        let proof = start(&Mode::Normal.of(vec![1], true), &renewed).unwrap();
        assert_eq!((proof.renewed, proof.kept), (2, 3));
        // The paper's code keeps the biases.
        renewed[4] = BEFORE[4];
        assert_eq!(start(&Mode::PaperCode.of(vec![1], true), &renewed).unwrap().renewed, 1);
        assert_eq!(start(&Mode::Drop.of(vec![1], false), &BEFORE[..3]).unwrap().kept, 3);
        let turned = [BEFORE[0], BEFORE[3], BEFORE[4], BEFORE[1], BEFORE[2]];
        assert_eq!(start(&Alteration::Reordered { order: vec![1, 0] }, &turned).unwrap().kept, 5);
    }

    #[test]
    fn a_reinitialisation_that_does_nothing_is_caught() {
        let error = start(&Mode::Normal.of(vec![1], true), &BEFORE).unwrap_err();
        assert!(error.starts_with("1.weight was to start anew, and 100.0%"), "{error}");
        let error = start(&Alteration::Reordered { order: vec![1, 0] }, &BEFORE).unwrap_err();
        assert!(error.contains("was to stay as it was"), "{error}");
        assert!(start(&Mode::Drop.of(vec![1], false), &BEFORE).is_err());
    }

    #[test]
    fn a_reinitialisation_of_too_much_or_of_the_wrong_block_is_caught() {
        let mut renewed = BEFORE;
        (renewed[1], renewed[3], renewed[4]) = ([0.5, 0.6], [0.1, 0.2], [0.0; 2]);
        let error = start(&Mode::Normal.of(vec![1], true), &renewed).unwrap_err();
        assert!(error.starts_with("0.weight was to stay as it was"), "{error}");
        // A bias that kept its trained numbers.
        let mut renewed = BEFORE;
        renewed[3] = [0.1, 0.2];
        let error = start(&Mode::Normal.of(vec![1], true), &renewed).unwrap_err();
        assert!(error.starts_with("1.bias was to be 0"), "{error}");
        let error = start(&Mode::Drop.of(vec![1], false), &BEFORE[..1]).unwrap_err();
        assert!(error.contains("1 tensors are left, not 3"), "{error}");
    }

    #[test]
    fn a_layer_missing_from_the_optimizer_and_a_frozen_one_that_moved_are_caught() {
        let mut end = BEFORE;
        end[1] = [3.1, 4.1];
        let of = |learns: &dyn Fn(&Shown) -> bool| check_end(Proof::default(), &shown(&BEFORE), &shown(&end), learns);
        let error = of(&|state| matches!(state.place, Place::Block(_))).unwrap_err();
        assert!(error.starts_with("1.weight was to learn"), "{error}");
        let error = of(&|state| state.place == Place::Block(1)).unwrap_err();
        assert!(error.starts_with("0.weight was to stay frozen"), "{error}");
        let proof = of(&|state| state.place == Place::Block(0)).unwrap();
        assert_eq!((proof.trained, proof.frozen), (1, 4));
    }
}

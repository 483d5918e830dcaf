//! What frozen first blocks make of each row: computed once, so that no step runs them again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::{Examples, Freeze, TrainingOrder, Watch};

use super::parameters::Parameters;
use super::passes::PART;
use crate::design::{Design, Passed};
use crate::error::RunError;
use crate::scope::Tensors;

/// Numbers that are kept in memory at most: 2 GiB.
const MOST: usize = 1 << 29;

/// The states of every row after its first blocks.
pub struct FrozenStates {
    kept: usize,
    rows: BTreeMap<usize, Vec<f32>>,
}

impl FrozenStates {
    /// Computes them; `None` where nothing is frozen, for networks that can't go on from there, and where it would be
    /// too much for the memory.
    pub fn of(
        design: &Design,
        parameters: &Parameters,
        order: &TrainingOrder,
        examples: &dyn Examples,
        watch: &dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, ModelError> {
        let Freeze::First(kept) = order.recipe.freeze else { return Ok(None) };
        let tensors = parameters.tensors();
        let bound = parameters.bound(&tensors, false);
        let of_part = |rows: &[usize]| {
            if stop.load(Ordering::Relaxed) {
                return Err(ModelError::Stopped);
            }
            let batch = examples.batch(rows, &vec![false; rows.len()])?;
            // A sign of life: there may be many.
            watch.learned(0);
            let states = design.states_after(&bound, kept, &batch);
            let states = states.map_err(|error| ModelError::Unfit(error.to_string()))?;
            Ok(states.map(|states| rows.iter().copied().zip(states).collect::<BTreeMap<usize, Vec<f32>>>()))
        };
        let (first, rest) = order.training.split_at(PART.min(order.training.len()));
        let Some(mut rows) = of_part(first)? else { return Ok(None) };
        let numbers: usize = rows.values().map(Vec::len).sum();
        if numbers / first.len().max(1) * order.training.len() > MOST {
            return Ok(None);
        }
        let parts: Vec<Result<_, ModelError>> = rest.par_chunks(PART).map(of_part).collect();
        for part in parts {
            rows.extend(part?.unwrap_or_default());
        }
        Ok(Some(Self { kept, rows }))
    }

    /// The pass of some rows from there.
    pub fn pass(
        &self,
        design: &Design,
        tensors: &Tensors,
        rows: &[usize],
        batch: &zoologist::extract::training::Batch,
    ) -> Result<Passed, RunError> {
        let states = rows.iter().flat_map(|row| self.rows[row].iter().copied()).collect();
        design.pass_from(tensors, self.kept, states, batch)
    }
}

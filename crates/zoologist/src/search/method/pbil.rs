//! Population-based incremental learning (Baluja 1994): each generation the distribution moves towards its best member.

use super::{Searcher, Start, Trial};
use crate::search::{Architecture, Distribution};

/// Members of a generation.
const GENERATION: usize = 5;
/// How far the distribution moves.
const RATE: f64 = 0.2;
/// How far it then moves back to the prior, so that nothing is ever excluded.
const MIX: f64 = 0.02;

/// The distribution and the best of the generation.
pub struct Pbil {
    start: Start,
    distribution: Distribution,
    best: Option<(Architecture, f64)>,
    members: usize,
}

impl Pbil {
    /// A new search.
    pub fn new(start: Start) -> Self {
        let distribution = start.prior.clone();
        Self { start, distribution, best: None, members: 0 }
    }
}

impl Searcher for Pbil {
    fn ask(&mut self) -> Option<Trial> {
        let drawn = self.distribution.sample(&self.start.space, &mut self.start.stream);
        self.start.full(drawn)
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        if self.best.as_ref().is_none_or(|(_, best)| value > *best) {
            self.best = Some((trial.architecture.clone(), value));
        }
        self.members += 1;
        if self.members < GENERATION {
            return;
        }
        self.members = 0;
        let Some((best, _)) = self.best.take() else { return };
        for ((choice, prior), option) in self.distribution.0.iter_mut().zip(&self.start.prior.0).zip(best) {
            for (place, (probability, prior)) in choice.iter_mut().zip(prior).enumerate() {
                let aim = if place == usize::from(option) { 1.0 } else { 0.0 };
                let moved = (1.0 - RATE) * *probability + RATE * aim;
                *probability = (1.0 - MIX) * moved + MIX * prior;
            }
        }
    }

    fn distribution(&self) -> Option<&Distribution> {
        Some(&self.distribution)
    }
}

//! Many at the lowest fidelity, the best few of them at the full one: "Is one epoch all you need?" (Egele et al.,
//! arXiv:2307.15422).

use super::halving::FIDELITIES;
use super::{Searcher, Start, Trial};
use crate::search::Architecture;

/// The part of the budget that full evaluations take, and one at least.
const FULL: f64 = 1.0 / 3.0;

/// Draws first, then the best of them.
pub struct Top {
    start: Start,
    /// Draws that are still to be made.
    draws: usize,
    drawn: Vec<(Architecture, f64)>,
    /// Full evaluations that follow.
    full: usize,
    /// What is left of them, the best last; `None` while draws are made.
    best: Option<Vec<Architecture>>,
}

impl Top {
    /// A search that draws from the prior.
    pub fn new(start: Start) -> Self {
        let full = ((FULL * start.left).floor() as usize).max(1);
        let draws = ((start.left - full as f64) / FIDELITIES[0] + 1e-9).floor().max(1.0) as usize;
        Self { start, draws, drawn: vec![], full, best: None }
    }

    /// The best draws, each once, the best last.
    fn chosen(&self) -> Vec<Architecture> {
        let mut drawn = self.drawn.clone();
        // Stable: of equals the earlier goes first.
        drawn.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut chosen: Vec<Architecture> = vec![];
        for (architecture, _) in drawn {
            if chosen.len() < self.full && !chosen.contains(&architecture) {
                chosen.push(architecture);
            }
        }
        chosen.reverse();
        chosen
    }
}

impl Searcher for Top {
    fn ask(&mut self) -> Option<Trial> {
        if self.best.is_none() && self.draws > 0 {
            self.draws -= 1;
            let architecture = self.start.draw();
            return self.start.pay(Trial { architecture, fidelity: FIDELITIES[0] });
        }
        if self.best.is_none() {
            self.best = Some(self.chosen());
        }
        let architecture = self.best.as_mut()?.pop()?;
        self.start.full(architecture)
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        if self.best.is_none() {
            self.drawn.push((trial.architecture.clone(), value));
        }
    }
}

//! Successive halving and Hyperband: many at a low fidelity, the better half of them at the next. Only values of one
//! fidelity are compared.

use super::{Searcher, Start, Trial};
use crate::search::Architecture;

/// Fidelities, from the lowest: each costs twice the one before.
const FIDELITIES: [f64; 3] = [0.25, 0.5, 1.0];

/// A bracket on its way.
struct Bracket {
    /// The rung: an index of [`FIDELITIES`].
    rung: usize,
    /// What is still to be evaluated there; the next one last.
    waiting: Vec<Architecture>,
    done: Vec<(Architecture, f64)>,
}

/// Brackets one after the other.
pub struct Halving {
    start: Start,
    /// How many begin, and at which rung, for the brackets to come; the next one last.
    planned: Vec<(usize, usize)>,
    bracket: Option<Bracket>,
}

/// What a bracket of so many costs that begins at a rung.
fn cost(count: usize, rung: usize) -> f64 {
    (rung..FIDELITIES.len()).map(|later| (count >> (later - rung)) as f64 * FIDELITIES[later]).sum()
}

/// The most that may begin at a rung for a budget: so many that they can be halved to the end.
fn most(budget: f64, rung: usize) -> usize {
    let unit = 1 << (FIDELITIES.len() - 1 - rung);
    unit * (budget / cost(unit, rung) + 1e-9).floor() as usize
}

impl Halving {
    /// One bracket from the lowest fidelity.
    pub fn one_bracket(start: Start) -> Self {
        let planned = vec![(most(start.left, 0), 0)];
        Self { start, planned, bracket: None }
    }

    /// A bracket from each fidelity, for a third of the budget each; what one does not need goes to the next.
    pub fn hyperband(start: Start) -> Self {
        let (mut left, mut planned) = (start.left, vec![]);
        for rung in 0..FIDELITIES.len() {
            let count = most(left / (FIDELITIES.len() - rung) as f64, rung);
            left -= cost(count, rung);
            planned.push((count, rung));
        }
        planned.reverse();
        Self { start, planned, bracket: None }
    }

    /// The next rung of the bracket, or the next bracket.
    fn advance(&mut self) -> Option<()> {
        if let Some(Bracket { rung, mut done, .. }) = self.bracket.take()
            && rung + 1 < FIDELITIES.len()
        {
            // Stable: of equals the earlier goes on.
            done.sort_by(|a, b| b.1.total_cmp(&a.1));
            done.truncate(done.len() / 2);
            let waiting: Vec<Architecture> = done.into_iter().rev().map(|(architecture, _)| architecture).collect();
            if !waiting.is_empty() {
                self.bracket = Some(Bracket { rung: rung + 1, waiting, done: vec![] });
                return Some(());
            }
        }
        loop {
            let (count, rung) = self.planned.pop()?;
            let waiting: Vec<Architecture> = (0..count).map(|_| self.start.draw()).collect();
            if count > 0 {
                self.bracket = Some(Bracket { rung, waiting, done: vec![] });
                return Some(());
            }
        }
    }
}

impl Searcher for Halving {
    fn ask(&mut self) -> Option<Trial> {
        if self.bracket.as_ref().is_none_or(|bracket| bracket.waiting.is_empty()) {
            self.advance()?;
        }
        let bracket = self.bracket.as_mut()?;
        let architecture = bracket.waiting.pop()?;
        self.start.pay(Trial { architecture, fidelity: FIDELITIES[bracket.rung] })
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        if let Some(bracket) = &mut self.bracket {
            bracket.done.push((trial.architecture.clone(), value));
        }
    }
}

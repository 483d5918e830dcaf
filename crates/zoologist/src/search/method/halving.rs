//! Successive halving and Hyperband: many at a low fidelity, the better half of them at the next. Only values of one
//! fidelity are compared.
//!
//! Brackets may teach a distribution, from which the next one is drawn: in each rung the best and the worst are a duel, the
//! second best and the second worst are one, and so on.

use super::{Searcher, Start, Trial};
use crate::search::rules::{FLOOR, duel};
use crate::search::{Architecture, Distribution};

/// Fidelities, from the lowest: each costs twice the one before.
pub const FIDELITIES: [f64; 3] = [0.25, 0.5, 1.0];
/// The step of the duels of a rung.
const ALPHA: f64 = 0.05;
/// Brackets of a search that learns, at most.
const MOST_BRACKETS: usize = 4;

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
    /// What rungs teach, if they do.
    learned: Option<Distribution>,
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

/// Brackets that begin at these rungs, for an even part of the budget each; what one does not need goes to the next. The
/// first one last.
fn parts(budget: f64, rungs: impl ExactSizeIterator<Item = usize>) -> Vec<(usize, usize)> {
    let (mut left, mut planned, brackets) = (budget, vec![], rungs.len());
    for (number, rung) in rungs.enumerate() {
        let count = most(left / (brackets - number) as f64, rung);
        left -= cost(count, rung);
        planned.push((count, rung));
    }
    planned.reverse();
    planned
}

impl Halving {
    /// One bracket from the lowest fidelity.
    pub fn one_bracket(start: Start) -> Self {
        let planned = vec![(most(start.left, 0), 0)];
        Self { start, planned, bracket: None, learned: None }
    }

    /// Brackets from the lowest fidelity, each drawn from what those before it taught.
    pub fn learning(start: Start) -> Self {
        let smallest = cost(1 << (FIDELITIES.len() - 1), 0);
        let brackets = ((start.left / smallest + 1e-9).floor() as usize).clamp(1, MOST_BRACKETS);
        let planned = parts(start.left, (0..brackets).map(|_| 0));
        let learned = Some(start.prior.clone());
        Self { start, planned, bracket: None, learned }
    }

    /// A bracket from each fidelity, for a third of the budget each; what one does not need goes to the next.
    pub fn hyperband(start: Start) -> Self {
        let planned = parts(start.left, 0..FIDELITIES.len());
        Self { start, planned, bracket: None, learned: None }
    }

    /// A draw from what was learned, else from the prior.
    fn draw(&mut self) -> Architecture {
        match &self.learned {
            Some(learned) => learned.sample(&self.start.space, &mut self.start.stream),
            None => self.start.draw(),
        }
    }

    /// The next rung of the bracket, or the next bracket.
    fn advance(&mut self) -> Option<()> {
        if let Some(Bracket { rung, mut done, .. }) = self.bracket.take() {
            // Stable: of equals the earlier goes on.
            done.sort_by(|a, b| b.1.total_cmp(&a.1));
            if let Some(learned) = &mut self.learned {
                let worst = done.iter().rev();
                for (best, worst) in done.iter().zip(worst).take(done.len() / 2) {
                    duel(learned, (&best.0, best.1), (&worst.0, worst.1), ALPHA, FLOOR);
                }
            }
            done.truncate(done.len() / 2);
            let waiting: Vec<Architecture> = done.into_iter().rev().map(|(architecture, _)| architecture).collect();
            if rung + 1 < FIDELITIES.len() && !waiting.is_empty() {
                self.bracket = Some(Bracket { rung: rung + 1, waiting, done: vec![] });
                return Some(());
            }
        }
        loop {
            let (count, rung) = self.planned.pop()?;
            let waiting: Vec<Architecture> = (0..count).map(|_| self.draw()).collect();
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

    fn distribution(&self) -> Option<&Distribution> {
        self.learned.as_ref()
    }
}

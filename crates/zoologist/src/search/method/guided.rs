//! A climb that is guided by what it learns: the searcher of ours that measured best on tables (docs/mdenas.md).
//!
//! It begins with duels between draws of the distribution, as `duel` does. Then it climbs from the best by single changes,
//! and three things differ from plain local search: the neighbours stand in the order of the distribution, the likeliest
//! gain first; every step is a duel too, so the distribution goes on learning; and where no neighbour is better it
//! begins anew from a draw of the distribution. Nothing is evaluated twice. A duel of two that differ in few choices says more
//! about each of these: its step is the larger, the fewer they are.

use std::collections::HashSet;

use super::{Searcher, Start, Trial};
use crate::search::rules::{FLOOR, duel};
use crate::search::{Architecture, Distribution};

/// The share of the budget that goes into duels between draws.
const DRAWN: f64 = 0.3;
/// The step of a duel of two that differ in every choice.
const STEP: f64 = 0.03;
/// How many times that a step may be.
const LARGEST: f64 = 6.0;
/// Draws until one that is new is given up on.
const DRAWS: usize = 100;

/// Where the search stands.
enum Phase {
    /// So many draws are left; the first of a pair may wait for the second.
    Drawing(usize, Option<(Architecture, f64)>),
    /// At a place, with the neighbours that were not evaluated, the likeliest last.
    At(Architecture, f64, Vec<Architecture>),
    /// Waiting for the value of a new beginning.
    Anew,
}

/// A guided climb.
pub struct Guided {
    start: Start,
    distribution: Distribution,
    known: HashSet<Architecture>,
    best: Option<(Architecture, f64)>,
    phase: Phase,
}

impl Guided {
    /// A new search.
    pub fn new(start: Start) -> Self {
        let draws = 2 * (DRAWN * start.left / 2.0).floor() as usize;
        Self {
            distribution: start.prior.clone(),
            start,
            known: HashSet::new(),
            best: None,
            phase: Phase::Drawing(draws, None),
        }
    }

    /// A draw that was not evaluated yet, as far as one is found.
    fn new_draw(&mut self) -> Architecture {
        let Start { space, stream, .. } = &mut self.start;
        let likely = (0..DRAWS).map(|_| self.distribution.sample(space, stream)).find(|it| !self.known.contains(it));
        likely.unwrap_or_else(|| {
            let mut any = (0..DRAWS).map(|_| space.uniform(stream));
            any.find(|it| !self.known.contains(it)).unwrap_or_else(|| space.uniform(stream))
        })
    }

    /// Goes to a place and looks around.
    fn stand(&mut self, place: Architecture, value: f64) {
        let mut around = self.start.space.neighbours(&place);
        around.retain(|other| !self.known.contains(other));
        self.start.stream.shuffle(&mut around);
        let gain = |other: &Architecture| -> f64 {
            let changed = other.iter().zip(&place).zip(&self.distribution.0).filter(|((new, old), _)| new != old);
            changed.map(|((&new, &old), choice)| choice[usize::from(new)] - choice[usize::from(old)]).sum()
        };
        let mut keyed: Vec<(f64, Architecture)> = around.into_iter().map(|other| (gain(&other), other)).collect();
        // Stable, so that equals stay in random order.
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.phase = Phase::At(place, value, keyed.into_iter().map(|(_, other)| other).collect());
    }

    fn duel(&mut self, a: (&[u8], f64), b: (&[u8], f64)) {
        let differing = a.0.iter().zip(b.0).filter(|(a, b)| a != b).count().max(1);
        let step = STEP * (a.0.len() as f64 / differing as f64).min(LARGEST);
        duel(&mut self.distribution, a, b, step, FLOOR);
    }
}

impl Searcher for Guided {
    fn ask(&mut self) -> Option<Trial> {
        if let Phase::Drawing(0, _) = self.phase {
            match self.best.clone() {
                Some((place, value)) => self.stand(place, value),
                None => self.phase = Phase::Anew,
            }
        }
        let next = match &mut self.phase {
            Phase::At(_, _, around) => around.pop(),
            Phase::Drawing(..) | Phase::Anew => None,
        };
        let next = next.unwrap_or_else(|| {
            if let Phase::At(..) = self.phase {
                self.phase = Phase::Anew;
            }
            self.new_draw()
        });
        self.start.full(next)
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        let told = &trial.architecture;
        self.known.insert(told.clone());
        if self.best.as_ref().is_none_or(|(_, best)| value > *best) {
            self.best = Some((told.clone(), value));
        }
        match std::mem::replace(&mut self.phase, Phase::Anew) {
            Phase::Drawing(left, None) => self.phase = Phase::Drawing(left - 1, Some((told.clone(), value))),
            Phase::Drawing(left, Some((other, others))) => {
                self.duel((&other, others), (told, value));
                self.phase = Phase::Drawing(left - 1, None);
            }
            Phase::At(place, here, around) => {
                self.duel((&place, here), (told, value));
                if value > here {
                    self.stand(told.clone(), value);
                } else {
                    self.phase = Phase::At(place, here, around);
                }
            }
            Phase::Anew => self.stand(told.clone(), value),
        }
    }

    fn distribution(&self) -> Option<&Distribution> {
        Some(&self.distribution)
    }
}

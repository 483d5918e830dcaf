//! Regularised evolution (Real et al., arXiv:1802.01548, algorithm 1): the oldest dies, whatever it is worth.

use std::collections::VecDeque;

use super::{Searcher, Start, Trial};
use crate::search::Architecture;

/// How many live at a time.
const POPULATION: usize = 10;
/// How many compete to have a child.
const COMPETITORS: usize = 3;

/// A population in the order of age.
pub struct Evolution {
    start: Start,
    population: VecDeque<(Architecture, f64)>,
}

impl Evolution {
    /// A new search.
    pub fn new(start: Start) -> Self {
        Self { start, population: VecDeque::with_capacity(POPULATION + 1) }
    }

    /// A child of the best of a few: one choice is made anew.
    fn child(&mut self) -> Architecture {
        let drawn: Vec<usize> = (0..COMPETITORS).map(|_| self.start.stream.below(self.population.len())).collect();
        let best = drawn.into_iter().fold(None, |best: Option<usize>, next| match best {
            Some(best) if self.population[best].1 >= self.population[next].1 => Some(best),
            _ => Some(next),
        });
        let parent = &self.population[best.unwrap_or(0)].0;
        let others = self.start.space.neighbours(parent);
        if others.is_empty() { parent.clone() } else { others[self.start.stream.below(others.len())].clone() }
    }
}

impl Searcher for Evolution {
    fn ask(&mut self) -> Option<Trial> {
        let next = if self.population.len() < POPULATION { self.start.draw() } else { self.child() };
        self.start.full(next)
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        self.population.push_back((trial.architecture.clone(), value));
        if self.population.len() > POPULATION {
            self.population.pop_front();
        }
    }
}

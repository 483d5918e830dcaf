//! Local search: first-improvement hill climbing over single changes.

use super::{Searcher, Start, Trial};
use crate::search::Architecture;

/// A climber.
pub struct Local {
    start: Start,
    /// Where it stands.
    place: Option<(Architecture, f64)>,
    /// Neighbours that it has not looked at, in random order; the next one last.
    unseen: Vec<Architecture>,
}

impl Local {
    /// A new search from a draw of the prior.
    pub fn new(start: Start) -> Self {
        Self { start, place: None, unseen: vec![] }
    }

    /// A search from a place whose value is known.
    pub fn from(start: Start, place: Architecture, value: f64) -> Self {
        let mut search = Self::new(start);
        search.stand(place, value);
        search
    }

    fn stand(&mut self, place: Architecture, value: f64) {
        self.unseen = self.start.space.neighbours(&place);
        self.start.stream.shuffle(&mut self.unseen);
        self.place = Some((place, value));
    }
}

impl Searcher for Local {
    fn ask(&mut self) -> Option<Trial> {
        let next = self.unseen.pop().unwrap_or_else(|| {
            // No neighbour is better: elsewhere, anew.
            self.place = None;
            self.start.draw()
        });
        self.start.full(next)
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        if self.place.as_ref().is_none_or(|(_, here)| value > *here) {
            self.stand(trial.architecture.clone(), value);
        }
    }
}

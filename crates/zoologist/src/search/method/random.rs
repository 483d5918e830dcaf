//! Random search.

use super::{Searcher, Start, Trial};

/// Draws from the prior.
pub struct Random(Start);

impl Random {
    /// A new search.
    pub fn new(start: Start) -> Self {
        Self(start)
    }
}

impl Searcher for Random {
    fn ask(&mut self) -> Option<Trial> {
        let drawn = self.0.draw();
        self.0.full(drawn)
    }

    fn tell(&mut self, _: &Trial, _: f64) {}
}

//! What was asked and told: all that a run needs to go on.

use serde::{Deserialize, Serialize};

use super::{Architecture, Searcher, Trial};

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What was evaluated.
    pub trial: Trial,
    /// What came of it: the higher the better.
    pub value: f64,
}

/// The evaluations of a run, in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History(pub Vec<Told>);

impl History {
    /// One more.
    pub fn push(&mut self, trial: Trial, value: f64) {
        self.0.push(Told { trial, value });
    }

    /// The best that was seen at the highest fidelity that was reached, the first of equals.
    pub fn best(&self) -> Option<(&Architecture, f64)> {
        let highest = self.0.iter().map(|told| told.trial.fidelity).fold(0.0, f64::max);
        let whole = self.0.iter().filter(|told| told.trial.fidelity >= highest);
        whole.fold(None, |best: Option<(&Architecture, f64)>, told| match best {
            Some((_, value)) if value >= told.value => best,
            _ => Some((&told.trial.architecture, told.value)),
        })
    }

    /// What was spent, in full evaluations.
    pub fn spent(&self) -> f64 {
        self.0.iter().map(|told| told.trial.fidelity).sum()
    }

    /// Brings a new searcher to where the one was that made this history.
    ///
    /// # Errors
    /// The number of the first trial that the searcher would not have asked for: another space, method, seed or budget.
    pub fn replay(&self, searcher: &mut dyn Searcher) -> Result<(), usize> {
        for (number, told) in self.0.iter().enumerate() {
            let asked = searcher.ask().filter(|asked| *asked == told.trial).ok_or(number)?;
            searcher.tell(&asked, told.value);
        }
        Ok(())
    }
}

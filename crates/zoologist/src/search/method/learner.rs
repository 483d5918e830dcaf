//! A distribution that learns by a rule, and what may follow it.

use super::local::Local;
use super::{Searcher, Start, Trial};
use crate::search::rules::{Learning, Rule, RuleKind};
use crate::search::{Architecture, Distribution};

/// Draws from a distribution that learns.
pub struct Learner {
    /// `None` once local search has taken over.
    start: Option<Start>,
    distribution: Distribution,
    rule: Box<dyn Rule>,
    /// Evaluations that still teach nothing.
    warm_up: usize,
    /// Evaluations until local search takes over.
    until_local: Option<usize>,
    /// The most probable one has been asked for.
    checks: bool,
    best: Option<(Architecture, f64)>,
    local: Option<Local>,
}

impl Learner {
    /// A search that learns until the budget is spent.
    pub fn new(start: Start, learning: Learning) -> Self {
        let (distribution, rule) = (start.prior.clone(), learning.rule(&start.space));
        let warm_up = (learning.warm_up * start.left) as usize;
        let (until_local, checks, best, local) = (None, false, None, None);
        Self { start: Some(start), distribution, rule, warm_up, until_local, checks, best, local }
    }

    /// A search that learns for half of the budget, evaluates the most probable architecture, and climbs from the best.
    pub fn then_local(start: Start, rule: RuleKind, budget: f64) -> Self {
        // Duels take two.
        let half = 2 * (budget / 4.0).floor() as usize;
        Self { until_local: Some(half), ..Self::new(start, Learning::usual(rule)) }
    }
}

impl Searcher for Learner {
    fn ask(&mut self) -> Option<Trial> {
        if self.until_local == Some(0) && self.checks {
            let (start, best) = (self.start.take(), self.best.clone());
            self.local = start.zip(best).map(|(start, (place, value))| Local::from(start, place, value));
            self.until_local = None;
        }
        if let Some(local) = &mut self.local {
            return local.ask();
        }
        let start = self.start.as_mut()?;
        if self.until_local == Some(0) {
            self.checks = true;
            let most_probable = self.distribution.most_probable(&start.space);
            return start.full(most_probable);
        }
        let drawn = self.distribution.sample(&start.space, &mut start.stream);
        start.full(drawn)
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        if self.best.as_ref().is_none_or(|(_, best)| value > *best) {
            self.best = Some((trial.architecture.clone(), value));
        }
        if let Some(local) = &mut self.local {
            return local.tell(trial, value);
        }
        if self.checks {
            return;
        }
        if self.warm_up > 0 {
            self.warm_up -= 1;
            return;
        }
        self.rule.learn(&mut self.distribution, &trial.architecture, value);
        self.until_local = self.until_local.map(|left| left - 1);
    }

    fn distribution(&self) -> Option<&Distribution> {
        Some(&self.distribution)
    }
}

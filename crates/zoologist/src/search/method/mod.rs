//! Ways of searching, all driven by asking and telling.

mod evolution;
mod guided;
mod halving;
mod learner;
mod local;
mod pbil;
mod random;
mod reinforce;
mod top;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::rules::{Learning, RuleKind, STEP};
use super::{Architecture, Distribution, Space};
use crate::base::Seed;
use evolution::Evolution;
use guided::Guided;
use halving::Halving;
use learner::Learner;
use local::Local;
use pbil::Pbil;
use random::Random;
use reinforce::Reinforce;
use top::Top;

/// What is to be evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The architecture.
    pub architecture: Architecture,
    /// At which share of a full evaluation; 1: a full one.
    pub fidelity: f64,
}

impl Trial {
    /// A full evaluation.
    pub fn full(architecture: Architecture) -> Self {
        Self { architecture, fidelity: 1.0 }
    }
}

/// Somebody who searches. Every trial that was asked for is to be told before the next one is asked for.
pub trait Searcher: Send {
    /// What to evaluate next; `None` once the budget is spent.
    fn ask(&mut self) -> Option<Trial>;

    /// What came of it: the higher the better.
    fn tell(&mut self, trial: &Trial, value: f64);

    /// What it has learned so far, if it learns a distribution.
    fn distribution(&self) -> Option<&Distribution> {
        None
    }
}

/// A way of searching, by name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Method {
    /// Draws from the prior.
    Random,
    /// Regularised evolution (Real et al., arXiv:1802.01548): ten at a time, three compete.
    Evolution,
    /// First-improvement hill climbing over single changes, begun anew at each local optimum.
    Local,
    /// A distribution that learns by a rule.
    Learner(Learning),
    /// A duel for half of the budget, then local search from the best.
    DuelLocal,
    /// Duels, then a climb that what they taught guides, and that goes on teaching.
    Guided,
    /// Policy gradients (Williams 1992) with Adam.
    Reinforce,
    /// Population-based incremental learning (Baluja 1994).
    Pbil,
    /// Many at a low fidelity, the better half at the next (Jamieson and Talwalkar, arXiv:1502.07943).
    Halving,
    /// Brackets of halving that begin at each fidelity (Li et al., arXiv:1603.06560).
    Hyperband,
    /// Brackets of halving whose rungs teach a distribution, from which the next one is drawn.
    DuelHalving,
    /// Many at the lowest fidelity, the best few of them at the full one.
    Top,
}

/// Every method by name, as a comparison lists them; those of several fidelities come last.
pub const METHODS: [&str; 17] = [
    "random",
    "evolution",
    "local",
    "reinforce",
    "paper",
    "transfer:last",
    "mean",
    "transfer",
    "duel:0.05",
    "duel:0.1",
    "pbil",
    "duel+ls",
    "guided",
    "halving",
    "hyperband",
    "duel+halving",
    "top",
];

/// Budgets from which duels take smaller steps.
const LONG: f64 = 200.0;

/// The step of a duel for a budget.
fn step_for(budget: f64) -> f64 {
    if budget >= LONG { 0.05 } else { STEP }
}

impl Method {
    /// A searcher of a checked space that draws from a uniform prior; the budget is in full evaluations.
    pub fn searcher(self, space: &Space, seed: Seed, budget: f64) -> Box<dyn Searcher> {
        self.searcher_from(space, &Distribution::uniform(space), seed, budget)
    }

    /// The same from a prior.
    pub fn searcher_from(self, space: &Space, prior: &Distribution, seed: Seed, budget: f64) -> Box<dyn Searcher> {
        let stream = seed.stream("search", &self.to_string());
        let start = Start { space: space.clone(), prior: prior.clone(), stream, left: budget };
        match self {
            Self::Random => Box::new(Random::new(start)),
            Self::Evolution => Box::new(Evolution::new(start)),
            Self::Local => Box::new(Local::new(start)),
            Self::Learner(learning) => Box::new(Learner::new(start, learning)),
            Self::DuelLocal => Box::new(Learner::then_local(start, RuleKind::Duel { alpha: step_for(budget) }, budget)),
            Self::Guided => Box::new(Guided::new(start)),
            Self::Reinforce => Box::new(Reinforce::new(start)),
            Self::Pbil => Box::new(Pbil::new(start)),
            Self::Halving => Box::new(Halving::one_bracket(start)),
            Self::Hyperband => Box::new(Halving::hyperband(start)),
            Self::DuelHalving => Box::new(Halving::learning(start)),
            Self::Top => Box::new(Top::new(start)),
        }
    }

    /// Whether it needs evaluations of less than full cost.
    pub fn needs_fidelities(self) -> bool {
        matches!(self, Self::Halving | Self::Hyperband | Self::DuelHalving | Self::Top)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => into.write_str("random"),
            Self::Evolution => into.write_str("evolution"),
            Self::Local => into.write_str("local"),
            Self::Learner(learning) => learning.fmt(into),
            Self::DuelLocal => into.write_str("duel+ls"),
            Self::Guided => into.write_str("guided"),
            Self::Reinforce => into.write_str("reinforce"),
            Self::Pbil => into.write_str("pbil"),
            Self::Halving => into.write_str("halving"),
            Self::Hyperband => into.write_str("hyperband"),
            Self::DuelHalving => into.write_str("duel+halving"),
            Self::Top => into.write_str("top"),
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = [
            Self::Random,
            Self::Evolution,
            Self::Local,
            Self::DuelLocal,
            Self::Guided,
            Self::Reinforce,
            Self::Pbil,
            Self::Halving,
            Self::Hyperband,
            Self::DuelHalving,
            Self::Top,
        ];
        let named = plain.into_iter().find(|method| method.to_string() == text);
        let learner = || text.parse().map(Self::Learner);
        named.map_or_else(learner, Ok).map_err(|_: String| format!("give one of {}", METHODS.join(", ")))
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.to_string()
    }
}

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What every searcher begins with.
struct Start {
    space: Space,
    prior: Distribution,
    stream: crate::base::Stream,
    /// Full evaluations that may still be asked for.
    left: f64,
}

impl Start {
    /// A draw from the prior.
    fn draw(&mut self) -> Architecture {
        self.prior.sample(&self.space, &mut self.stream)
    }

    /// A full evaluation, if it can still be paid.
    fn full(&mut self, architecture: Architecture) -> Option<Trial> {
        self.pay(Trial::full(architecture))
    }

    /// An evaluation, if it can still be paid.
    fn pay(&mut self, trial: Trial) -> Option<Trial> {
        // Sums of shares are not exact.
        if self.left + 1e-9 < trial.fidelity {
            self.left = 0.0;
            return None;
        }
        self.left -= trial.fidelity;
        Some(trial)
    }
}

#[cfg(test)]
mod tests;

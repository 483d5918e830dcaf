//! How a distribution learns from what it was told: the rules of MdeNAS (Zheng et al., ICCV 2019, arXiv:1905.07529), its
//! readings, and a pairwise one.
//!
//! With the number of times that an option was evaluated (`He`) and its accuracy (`Ha`), and their differences between two
//! options of one choice, the paper rewards an option that did better with less training and punishes one that did worse
//! with more. What the paper leaves open is what `Ha` is once an option was sampled several times, and how probabilities
//! return to the simplex; each reading is a rule of its own.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Architecture, Distribution, Space};

/// A rule by name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// As written: the last accuracy, strict inequalities, cut at 0 and divided by the sum.
    Paper,
    /// The same with the mean of all accuracies.
    Mean,
    /// Pairwise transfers of at most alpha, with the mean of all accuracies.
    Transfer,
    /// The same with the last accuracy.
    TransferLast,
    /// The better of two architectures takes from the worse where they differ.
    Duel {
        /// How much.
        alpha: f64,
    },
}

/// The step of the paper's rules.
const ALPHA: f64 = 0.01;
/// The step of a duel where nothing else is said.
pub const STEP: f64 = 0.1;
/// What each option keeps in a duel.
pub const FLOOR: f64 = 0.02;

/// A rule, and when and how far it moves a distribution.
///
/// As text the rule, then what is not as usual: `mean/floor:0.02/warm-up:0.2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learning {
    /// The rule.
    pub rule: RuleKind,
    /// What each option keeps, at most what it has in an even distribution; where nothing is said .02 in a duel, else nothing.
    pub floor: Option<f64>,
    /// The share of the budget that is drawn from the prior and teaches nothing.
    pub warm_up: f64,
}

impl Learning {
    /// A rule as it is usually run.
    pub fn usual(rule: RuleKind) -> Self {
        Self { rule, floor: None, warm_up: 0.0 }
    }

    /// The rule, before it was told anything.
    pub fn rule(self, space: &Space) -> Box<dyn Rule> {
        let usual = if matches!(self.rule, RuleKind::Duel { .. }) { FLOOR } else { 0.0 };
        let floor = self.floor.unwrap_or(usual);
        let counted = |takes_mean: bool, transfers: bool| Counted::new(space, takes_mean, transfers, floor);
        match self.rule {
            RuleKind::Paper => Box::new(counted(false, false)),
            RuleKind::Mean => Box::new(counted(true, false)),
            RuleKind::Transfer => Box::new(counted(true, true)),
            RuleKind::TransferLast => Box::new(counted(false, true)),
            RuleKind::Duel { alpha } => Box::new(Duel { alpha, floor, first: None }),
        }
    }
}

impl fmt::Display for Learning {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(into)?;
        if let Some(floor) = self.floor {
            write!(into, "/floor:{floor}")?;
        }
        if self.warm_up > 0.0 {
            write!(into, "/warm-up:{}", self.warm_up)?;
        }
        Ok(())
    }
}

impl FromStr for Learning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let mut learning = Self::usual(parts.next().unwrap_or_default().parse()?);
        for part in parts {
            let share = |name: &str| {
                let share = part.strip_prefix(name)?.strip_prefix(':')?.parse().ok();
                share.filter(|share: &f64| (0.0..1.0).contains(share))
            };
            match (share("floor"), share("warm-up")) {
                (Some(floor), _) => learning.floor = Some(floor),
                (_, Some(warm_up)) => learning.warm_up = warm_up,
                _ => return Err("give RULE, RULE/floor:SHARE or RULE/warm-up:SHARE".to_owned()),
            }
        }
        Ok(learning)
    }
}

impl fmt::Display for RuleKind {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paper => into.write_str("paper"),
            Self::Mean => into.write_str("mean"),
            Self::Transfer => into.write_str("transfer"),
            Self::TransferLast => into.write_str("transfer:last"),
            Self::Duel { alpha } => write!(into, "duel:{alpha}"),
        }
    }
}

impl FromStr for RuleKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "paper" => Ok(Self::Paper),
            "mean" => Ok(Self::Mean),
            "transfer" => Ok(Self::Transfer),
            "transfer:last" => Ok(Self::TransferLast),
            "duel" => Ok(Self::Duel { alpha: STEP }),
            _ => {
                let alpha = text.strip_prefix("duel:").and_then(|alpha| alpha.parse().ok());
                let alpha = alpha.filter(|alpha: &f64| *alpha > 0.0 && *alpha <= 1.0);
                alpha
                    .map(|alpha| Self::Duel { alpha })
                    .ok_or_else(|| "give paper, mean, transfer, transfer:last or duel:STEP".to_owned())
            }
        }
    }
}

/// How a distribution learns.
pub trait Rule: Send {
    /// Takes in the accuracy of an architecture that was drawn from the distribution.
    fn learn(&mut self, distribution: &mut Distribution, architecture: &[u8], accuracy: f64);
}

/// The rules that count.
struct Counted {
    /// Of each option: how often it was evaluated.
    times: Vec<Vec<u32>>,
    /// Its accuracy: the last, or the mean so far.
    accuracy: Vec<Vec<f64>>,
    takes_mean: bool,
    transfers: bool,
    floor: f64,
}

impl Counted {
    fn new(space: &Space, takes_mean: bool, transfers: bool, floor: f64) -> Self {
        let sizes = || space.choices.iter().map(|choice| choice.options.len());
        Self {
            times: sizes().map(|options| vec![0; options]).collect(),
            accuracy: sizes().map(|options| vec![0.0; options]).collect(),
            takes_mean,
            transfers,
            floor,
        }
    }
}

impl Rule for Counted {
    fn learn(&mut self, distribution: &mut Distribution, architecture: &[u8], accuracy: f64) {
        let all = self.times.iter_mut().zip(&mut self.accuracy).zip(&mut distribution.0).zip(architecture);
        for (((times, accuracies), probabilities), &option) in all {
            let option = usize::from(option);
            times[option] += 1;
            let step = if self.takes_mean { f64::from(times[option]).recip() } else { 1.0 };
            accuracies[option] += step * (accuracy - accuracies[option]);
            if self.transfers {
                transfer(times, accuracies, probabilities);
            } else {
                reward(times, accuracies, probabilities);
            }
        }
        if self.floor > 0.0 {
            distribution.raise(self.floor);
        }
    }
}

/// The rule as written: every option is compared with every other one at once.
fn reward(times: &[u32], accuracies: &[f64], probabilities: &mut [f64]) {
    let mut sum = 0.0;
    for option in 0..times.len() {
        let mut balance = 0_i32;
        for other in 0..times.len() {
            let better = accuracies[option] > accuracies[other];
            let worse = accuracies[option] < accuracies[other];
            balance += i32::from(times[option] < times[other] && better);
            balance -= i32::from(times[option] > times[other] && worse);
        }
        probabilities[option] = (probabilities[option] + ALPHA * f64::from(balance)).max(0.0);
        sum += probabilities[option];
    }
    if sum > 0.0 {
        probabilities.iter_mut().for_each(|probability| *probability /= sum);
    } else {
        let even = (probabilities.len() as f64).recip();
        probabilities.fill(even);
    }
}

/// Pair by pair in the order of the options, at most alpha from the one to the other.
fn transfer(times: &[u32], accuracies: &[f64], probabilities: &mut [f64]) {
    for first in 0..times.len() {
        for second in first + 1..times.len() {
            let better = accuracies[first] > accuracies[second];
            let worse = accuracies[first] < accuracies[second];
            if times[first] >= times[second] && worse {
                let moved = probabilities[first].min(ALPHA);
                probabilities[first] -= moved;
                probabilities[second] += moved;
            } else if times[first] <= times[second] && better {
                let moved = probabilities[second].min(ALPHA);
                probabilities[second] -= moved;
                probabilities[first] += moved;
            }
        }
    }
}

/// Two architectures at a time.
struct Duel {
    alpha: f64,
    floor: f64,
    first: Option<(Architecture, f64)>,
}

impl Rule for Duel {
    fn learn(&mut self, distribution: &mut Distribution, architecture: &[u8], accuracy: f64) {
        let Some((other, others)) = self.first.take() else {
            self.first = Some((architecture.to_vec(), accuracy));
            return;
        };
        duel(distribution, (&other, others), (architecture, accuracy), self.alpha, self.floor);
    }
}

/// The better of two takes at most `alpha` from the worse in every choice in which they differ; of equals nobody does.
pub fn duel(distribution: &mut Distribution, a: (&[u8], f64), b: (&[u8], f64), alpha: f64, floor: f64) {
    let (winner, loser) = match a.1.partial_cmp(&b.1) {
        Some(Ordering::Greater) => (a.0, b.0),
        Some(Ordering::Less) => (b.0, a.0),
        _ => return,
    };
    for (choice, (&to, &from)) in winner.iter().zip(loser).enumerate().filter(|(_, (to, from))| to != from) {
        distribution.transfer(choice, usize::from(from), usize::from(to), alpha, floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: RuleKind, told: &[(u8, f64)]) -> Vec<f64> {
        learned(Learning::usual(kind), told)
    }

    fn learned(learning: Learning, told: &[(u8, f64)]) -> Vec<f64> {
        let space = Space::of_sizes(&[3]);
        let (mut rule, mut distribution) = (learning.rule(&space), Distribution::uniform(&space));
        for &(option, accuracy) in told {
            rule.learn(&mut distribution, &[option], accuracy);
        }
        distribution.0.remove(0)
    }

    fn near(found: &[f64], expected: [f64; 3]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_paper_s_rule_by_hand() {
        // Option 0 has .5 after one evaluation, the others 0 after none: nobody did better with less or worse with more.
        near(&told(RuleKind::Paper, &[(0, 0.5)]), [1.0 / 3.0; 3]);
        // Option 0 has .2 after two, option 1 has .6 after one: 1 is rewarded, 0 is punished, then all are divided by 1.
        let third = 1.0 / 3.0;
        near(&told(RuleKind::Paper, &[(0, 0.5), (0, 0.2), (1, 0.6)]), [third - 0.01, third + 0.01, third]);
        // By the mean, .35 against .3: nothing speaks for 1.
        near(&told(RuleKind::Mean, &[(0, 0.5), (0, 0.2), (1, 0.3)]), [third; 3]);
        near(&told(RuleKind::Paper, &[(0, 0.5), (0, 0.2), (1, 0.3)]), [third - 0.01, third + 0.01, third]);
    }

    #[test]
    fn a_leader_that_is_sampled_more_earns_nothing_by_the_paper_s_rule() {
        let leads: Vec<(u8, f64)> = (0..50).map(|step| if step % 3 == 2 { (1, 0.1) } else { (0, 0.9) }).collect();
        near(&told(RuleKind::Paper, &leads), [1.0 / 3.0; 3]);
    }

    #[test]
    fn transfers_by_hand() {
        let third = 1.0 / 3.0;
        // Option 0: .5 once; 1 and 2 never: counts 1 >= 0, accuracy not worse; counts not <=: nothing moves.
        near(&told(RuleKind::Transfer, &[(0, 0.5)]), [third; 3]);
        // Then option 1 with .7, once each: 0 gives to 1 (equal counts and worse); 1 against 2: more often, not worse: nothing.
        near(&told(RuleKind::Transfer, &[(0, 0.5), (1, 0.7)]), [third - 0.01, third + 0.01, third]);
        // Option 2 then has .6 once: 0 gives to 1 and to 2; 1 and 2 are equal in counts: 2 gives to 1.
        near(&told(RuleKind::Transfer, &[(0, 0.5), (1, 0.7), (2, 0.6)]), [third - 0.03, third + 0.03, third]);
    }

    #[test]
    fn duels_by_hand() {
        let third = 1.0 / 3.0;
        let duel = RuleKind::Duel { alpha: 0.1 };
        near(&told(duel, &[(0, 0.5)]), [third; 3]);
        near(&told(duel, &[(0, 0.5), (2, 0.7)]), [third - 0.1, third, third + 0.1]);
        near(&told(duel, &[(0, 0.5), (2, 0.5)]), [third; 3]);
        let many: Vec<(u8, f64)> = (0..20).map(|step| if step % 2 == 0 { (0, 0.1) } else { (2, 0.9) }).collect();
        near(&told(duel, &many), [0.02, third, 1.0 - third - 0.02]);
    }

    #[test]
    fn every_option_keeps_the_floor() {
        // Option 0 has the worst accuracy and the most evaluations, again and again: it is punished until the floor holds it.
        let told: Vec<(u8, f64)> = (0..300).map(|step| if step % 3 == 2 { (1, 0.9) } else { (0, 0.1) }).collect();
        for rule in ["paper", "mean", "transfer", "transfer:last"] {
            let least = |floor: &str| {
                let learned = learned(format!("{rule}{floor}").parse().unwrap(), &told);
                assert!((learned.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                learned[0]
            };
            assert!(least("").abs() < 1e-12, "{rule}");
            assert!((least("/floor:0.05") - 0.05).abs() < 1e-12, "{rule}");
        }
    }

    #[test]
    fn rules_read_back_what_they_write() {
        for text in ["paper", "mean", "transfer", "transfer:last", "duel:0.1", "duel:0.05"] {
            assert_eq!(text.parse::<RuleKind>().unwrap().to_string(), text);
        }
        assert!("duel:2".parse::<RuleKind>().is_err() && "literal".parse::<RuleKind>().is_err());
        for text in ["mean", "mean/floor:0.02", "duel:0.1/floor:0/warm-up:0.25", "transfer:last/warm-up:0.5"] {
            assert_eq!(text.parse::<Learning>().unwrap().to_string(), text);
        }
        for text in ["mean/floor:1", "mean/floor", "mean/", "mean/warm-up:-1", "/floor:0.1"] {
            assert!(text.parse::<Learning>().is_err(), "{text}");
        }
    }
}

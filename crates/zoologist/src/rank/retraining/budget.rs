//! What is given up for a budget: the least telling runs first.

use std::time::Duration;

use super::Scope;
use super::cost::Cost;
use crate::layers::studies::Study;
use crate::rank::Error;
use crate::rank::times::{PLANNED, words};

/// Something that can be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reduction {
    Order,
    Localised,
    Seeds(usize),
    MiddleSizes,
    Depths,
    LaterModes,
    SmallSizes,
}

/// From what is missed least to what is missed most.
const REDUCTIONS: [Reduction; 8] = [
    Reduction::Order,
    Reduction::Localised,
    Reduction::Seeds(3),
    Reduction::MiddleSizes,
    Reduction::Depths,
    Reduction::LaterModes,
    Reduction::Seeds(2),
    Reduction::SmallSizes,
];

/// What fits into the budget, and what was given up for it.
///
/// # Errors
/// If even the least does not fit.
pub fn fitted(scope: Scope, cost: &Cost, budget: Option<Duration>) -> Result<(Scope, Vec<String>), Error> {
    let Some(budget) = budget else { return Ok((scope, vec![])) };
    let limit = PLANNED * budget.as_secs_f64();
    let mut applied: Vec<Reduction> = vec![];
    let reduced = |applied: &[Reduction]| applied.iter().fold(scope.clone(), |scope, reduction| reduction.of(scope));
    let fits = |applied: &[Reduction]| cost.of_all(&reduced(applied)) <= limit;
    for reduction in REDUCTIONS {
        if fits(&applied) {
            break;
        }
        applied.push(reduction);
    }
    if !fits(&applied) {
        let least = cost.of_all(&reduced(&applied)) / PLANNED;
        let less = "fewer --steps, or smaller --sizes";
        return Err(Error::Budget { least: words(least), given: words(budget.as_secs_f64()), less });
    }
    // What was given up early may fit again after what was given up late: what is missed most comes first.
    for place in (0..applied.len()).rev() {
        let mut without = applied.clone();
        without.remove(place);
        if fits(&without) {
            applied = without;
        }
    }
    // More seeds than the reductions left, where the budget has room for them.
    let seeds = |seeds: usize| Scope { seeds, ..reduced(&applied) };
    let fitted = (reduced(&applied).seeds..=scope.seeds).rev().map(seeds).find(|scope| cost.of_all(scope) <= limit);
    let fitted = fitted.unwrap_or_else(|| reduced(&applied));
    let said = said(&applied, &scope, &fitted);
    Ok((fitted, said))
}

impl Reduction {
    fn of(self, mut scope: Scope) -> Scope {
        match self {
            Self::Order => scope.variants.retain(|variant| variant.study != Study::Order),
            Self::Localised => scope.variants.retain(|variant| variant.study != Study::Localised),
            Self::Seeds(most) => scope.seeds = scope.seeds.min(most),
            Self::MiddleSizes => {
                let ends = [scope.sizes.first().copied(), scope.sizes.last().copied()];
                scope.sizes.retain(|&size| ends.contains(&Some(size)));
            }
            Self::Depths => {
                let mut depths: Vec<usize> = scope.variants.iter().filter_map(|variant| variant.kept).collect();
                depths.sort_unstable();
                depths.dedup();
                let middle = depths.get(depths.len() / 2).copied();
                scope.variants.retain(|variant| variant.kept.is_none_or(|kept| kept == 0 || Some(kept) == middle));
            }
            Self::LaterModes => {
                let first = scope.variants.iter().find_map(|variant| variant.mode);
                let is_first =
                    |it: &super::Variant| it.mode.is_none() || it.mode == first || it.study == Study::Control;
                scope.variants.retain(is_first);
            }
            Self::SmallSizes => {
                let largest = scope.sizes.last().copied();
                scope.sizes.retain(|&size| Some(size) == largest);
            }
        }
        scope
    }
}

/// What was given up, in words.
fn said(applied: &[Reduction], before: &Scope, after: &Scope) -> Vec<String> {
    let sizes = |scope: &Scope| scope.sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let sentence = |reduction: &Reduction| match reduction {
        Reduction::Order => (before.has(Study::Order)).then(|| "the study of the order".to_owned()),
        Reduction::Localised => (before.has(Study::Localised)).then(|| "the study of windows".to_owned()),
        Reduction::Seeds(_) => {
            (after.seeds < before.seeds).then(|| format!("seeds: {} in place of {}", after.seeds, before.seeds))
        }
        Reduction::MiddleSizes | Reduction::SmallSizes => {
            (after.sizes != before.sizes).then(|| format!("sizes: {} in place of {}", sizes(after), sizes(before)))
        }
        Reduction::Depths => Some("depths between".to_owned()),
        Reduction::LaterModes => Some("all modes but the first".to_owned()),
    };
    let mut said: Vec<String> = applied.iter().filter_map(sentence).collect();
    said.dedup();
    said
}

impl Scope {
    fn has(&self, study: Study) -> bool {
        self.variants.iter().any(|variant| variant.study == study)
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        let at = |size: &usize| self.variants.iter().filter(|variant| variant.runs_at(*size, &self.sizes)).count();
        self.seeds * self.sizes.iter().map(at).sum::<usize>()
    }
}

/// What will be run, how long that takes, and what was given up.
pub fn announcement(scope: &Scope, cost: &Cost, budget: Option<Duration>, gave_up: &[String]) -> String {
    let within = budget.map_or(String::new(), |budget| format!(", of a budget of {}", words(budget.as_secs_f64())));
    let without = if gave_up.is_empty() { String::new() } else { format!("; given up: {}", gave_up.join("; ")) };
    let (runs, time) = (scope.runs(), words(cost.of_all(scope)));
    format!("{runs} trainings, about {time} where none is in the store{within}{without}")
}

#[cfg(test)]
mod tests {
    use super::super::variants::{Asked, How, Keep, Kind, all};
    use super::*;
    use crate::base::Seed;
    use crate::extract::training::{BlockFacts, Mode};

    fn scope() -> Scope {
        let block = |number: usize| BlockFacts { name: format!("b{number}"), kind: 0, into: 4, out: 4 };
        let blocks: Vec<BlockFacts> = (0..3).map(block).collect();
        let asked = Asked {
            kinds: &[Kind::Progressive, Kind::Localised, Kind::Order],
            modes: &[Mode::Normal, Mode::Drop],
            keep: &Keep::Usual,
            window: 1,
            before: "stem",
            seed: Seed(0),
        };
        Scope { sizes: vec![100, 200, 400], seeds: 5, variants: all(&asked, &blocks).0 }
    }

    #[test]
    fn a_budget_is_kept_and_what_was_given_up_is_named() {
        let (cost, whole) = (Cost::for_tests(), scope());
        let all = cost.of_all(&whole);
        assert_eq!(fitted(whole.clone(), &cost, None).unwrap(), (whole.clone(), vec![]));
        for share in [1.2, 0.8, 0.6, 0.3, 0.15] {
            let budget = Duration::from_secs_f64(share * all);
            let (fitted, said) = fitted(whole.clone(), &cost, Some(budget)).unwrap();
            assert!(cost.of_all(&fitted) <= PLANNED * budget.as_secs_f64(), "{share}");
            assert_eq!(said.is_empty(), share > 1.0, "{share}: {said:?}");
            let more = Scope { seeds: fitted.seeds + 1, ..fitted.clone() };
            assert!(fitted.seeds == whole.seeds || cost.of_all(&more) > PLANNED * budget.as_secs_f64(), "{share}");
            assert!(fitted.variants.iter().any(|variant| variant.how == How::Anew));
        }
        let (_, said) = fitted(whole.clone(), &cost, Some(Duration::from_secs_f64(0.6 * all))).unwrap();
        assert_eq!(said, ["the study of the order", "seeds: 3 in place of 5"]);
        assert!(matches!(fitted(whole, &cost, Some(Duration::from_secs(5))), Err(Error::Budget { .. })));
    }
}

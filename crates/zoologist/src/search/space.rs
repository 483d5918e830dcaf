//! What can be chosen, and what may not be chosen together.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Architecture;
use crate::base::Stream;

/// Draws before a space is called too narrow.
const DRAWS: usize = 10_000;

/// A categorical space: one option of each choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// The choices, in their order.
    pub choices: Vec<Choice>,
    /// Sums over the choices that must not be exceeded.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Options that may not be chosen together: pairs of a choice and its option.
    #[serde(default)]
    pub excluded: Vec<Vec<(usize, u8)>>,
    /// The only architectures that are allowed, where not all are, as in a table that is not complete.
    #[serde(skip)]
    pub only: Option<Arc<HashSet<Architecture>>>,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// The names of its options.
    pub options: Vec<String>,
}

/// A cost that adds up over the choices, for example parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// For each choice the cost of each option.
    pub costs: Vec<Vec<f64>>,
    /// The largest sum that is allowed.
    pub most: f64,
}

/// Why there is nothing to search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// A choice without options, or with more than 256.
    #[error("choice `{0}` has {1} options; it needs 1 to 256")]
    Options(String, usize),
    /// There is no choice.
    #[error("there is nothing to choose")]
    Empty,
    /// The limits leave (next to) nothing.
    #[error("no allowed architecture was found in {DRAWS} draws: the limits or the exclusions are too narrow")]
    Narrow,
}

impl Space {
    /// A space of so many options each, named by their numbers.
    pub fn of_sizes(sizes: &[usize]) -> Self {
        let choice = |(place, &size): (usize, &usize)| Choice {
            name: place.to_string(),
            options: (0..size).map(|option| option.to_string()).collect(),
        };
        Self { choices: sizes.iter().enumerate().map(choice).collect(), limits: vec![], excluded: vec![], only: None }
    }

    /// Refuses what can't be searched.
    pub fn check(&self, stream: &mut Stream) -> Result<(), SpaceError> {
        if self.choices.is_empty() {
            return Err(SpaceError::Empty);
        }
        let wrong = self.choices.iter().find(|choice| !(1..=256).contains(&choice.options.len()));
        if let Some(Choice { name, options }) = wrong {
            return Err(SpaceError::Options(name.clone(), options.len()));
        }
        self.try_uniform(stream).map(|_| ()).ok_or(SpaceError::Narrow)
    }

    /// Options of a choice.
    pub fn options(&self, choice: usize) -> usize {
        self.choices[choice].options.len()
    }

    /// The sum of a limit's costs.
    pub fn cost(&self, limit: &Limit, architecture: &[u8]) -> f64 {
        architecture.iter().zip(&limit.costs).map(|(&option, costs)| costs[usize::from(option)]).sum()
    }

    /// Whether an architecture keeps all limits and holds nothing that is excluded.
    pub fn allows(&self, architecture: &[u8]) -> bool {
        if self.is_free() {
            return true;
        }
        let known = self.only.as_ref().is_none_or(|only| only.contains(architecture));
        let within = self.limits.iter().all(|limit| self.cost(limit, architecture) <= limit.most);
        known && within && self.held(architecture) == 0
    }

    /// How many of the exclusions an architecture holds.
    pub fn held(&self, architecture: &[u8]) -> usize {
        let holds = |pairs: &&Vec<(usize, u8)>| pairs.iter().all(|&(choice, option)| architecture[choice] == option);
        self.excluded.iter().filter(holds).count()
    }

    /// Whether everything is allowed.
    pub fn is_free(&self) -> bool {
        self.limits.is_empty() && self.excluded.is_empty() && self.only.is_none()
    }

    /// A uniform draw among what is allowed.
    ///
    /// # Panics
    /// If nothing allowed was found; [`Space::check`] says so before.
    pub fn uniform(&self, stream: &mut Stream) -> Architecture {
        self.try_uniform(stream).expect("a checked space has something that is allowed")
    }

    fn try_uniform(&self, stream: &mut Stream) -> Option<Architecture> {
        let mut draw = || -> Architecture {
            (0..self.choices.len()).map(|choice| stream.below(self.options(choice)) as u8).collect()
        };
        (0..DRAWS).map(|_| draw()).find(|architecture| self.allows(architecture))
    }

    /// Every allowed architecture, the last choice changing fastest: for spaces small enough to be written down.
    pub fn all(&self) -> Vec<Architecture> {
        let mut found: Vec<Architecture> = vec![vec![]];
        for choice in 0..self.choices.len() {
            let options = (0..self.options(choice)).map(|option| option as u8);
            found = found
                .iter()
                .flat_map(|start| options.clone().map(move |option| [&start[..], &[option]].concat()))
                .collect();
        }
        found.retain(|architecture| self.allows(architecture));
        found
    }

    /// Every allowed architecture that differs in one choice, choice by choice.
    pub fn neighbours(&self, architecture: &[u8]) -> Vec<Architecture> {
        let mut found = Vec::with_capacity(self.choices.iter().map(|choice| choice.options.len() - 1).sum());
        for choice in 0..self.choices.len() {
            for option in (0..self.options(choice) as u16).map(|option| option as u8) {
                if option != architecture[choice] {
                    let mut other = architecture.to_vec();
                    other[choice] = option;
                    found.push(other);
                }
            }
        }
        if !self.is_free() {
            found.retain(|other| self.allows(other));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;

    #[test]
    fn what_is_not_allowed_is_never_drawn() {
        let mut space = Space::of_sizes(&[2, 3]);
        space.excluded.push(vec![(0, 1), (1, 2)]);
        space.limits.push(Limit {
            name: "size".to_owned(),
            costs: vec![vec![0.0, 1.0], vec![0.0, 1.0, 2.0]],
            most: 2.0,
        });
        let mut stream = Seed(0).stream("test", "space");
        for _ in 0..200 {
            let drawn = space.uniform(&mut stream);
            assert!(space.allows(&drawn) && drawn != [1, 2]);
        }
        assert_eq!(space.neighbours(&[1, 1]), [vec![0, 1], vec![1, 0]]);
        assert_eq!(space.all(), [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]]);
        space.limits[0].most = -1.0;
        assert_eq!(space.check(&mut stream), Err(SpaceError::Narrow));
        assert_eq!(Space::of_sizes(&[]).check(&mut stream), Err(SpaceError::Empty));
        assert!(matches!(Space::of_sizes(&[0]).check(&mut stream), Err(SpaceError::Options(_, 0))));
    }
}

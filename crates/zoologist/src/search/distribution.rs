//! One multinomial distribution per choice, independent of each other.

use serde::{Deserialize, Serialize};

use super::{Architecture, Space};
use crate::base::Stream;

/// Draws that must be allowed before a uniform one is taken.
const DRAWS: usize = 1000;

/// For each choice the probability of each option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution(pub Vec<Vec<f64>>);

impl Distribution {
    /// Every option is as likely as every other one.
    pub fn uniform(space: &Space) -> Self {
        let even = |choice: &super::Choice| vec![1.0 / choice.options.len() as f64; choice.options.len()];
        Self(space.choices.iter().map(even).collect())
    }

    /// A draw among what is allowed.
    pub fn sample(&self, space: &Space, stream: &mut Stream) -> Architecture {
        let mut draw = || -> Architecture { self.0.iter().map(|choice| drawn(choice, stream.unit())).collect() };
        let found = (0..DRAWS).map(|_| draw()).find(|architecture| space.allows(architecture));
        found.unwrap_or_else(|| space.uniform(stream))
    }

    /// The most probable architecture; of several equal options the first. If that is not allowed, the allowed one of
    /// highest probability among those that a walk from it meets: always the change that costs least.
    pub fn most_probable(&self, space: &Space) -> Architecture {
        let best = |choice: &Vec<f64>| {
            choice.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (option, &probability)| {
                if probability > best.1 { (option as u8, probability) } else { best }
            })
        };
        let mut found: Architecture = self.0.iter().map(|choice| best(choice).0).collect();
        let log = |architecture: &[u8]| -> f64 {
            architecture.iter().zip(&self.0).map(|(&option, choice)| choice[usize::from(option)].max(1e-300).ln()).sum()
        };
        // A walk over architectures that are not allowed: the one of fewest exclusions and least excess, then of highest
        // probability.
        let mut steps = 0;
        while !space.allows(&found) && steps < 64 * self.0.len() {
            let excess = |architecture: &[u8]| -> f64 {
                space.limits.iter().map(|limit| (space.cost(limit, architecture) - limit.most).max(0.0)).sum()
            };
            let all = Space { limits: vec![], excluded: vec![], only: None, choices: space.choices.clone() }
                .neighbours(&found);
            let score = |other: &Architecture| {
                let held = std::cmp::Reverse(space.held(other));
                ((space.allows(other), held), [-excess(other), log(other)])
            };
            let next = all.into_iter().max_by(|a, b| {
                let ((a, [b, c]), (d, [e, f])) = (score(a), score(b));
                a.cmp(&d).then(b.total_cmp(&e)).then(c.total_cmp(&f))
            });
            let Some(next) = next else { break };
            (found, steps) = (next, steps + 1);
        }
        found
    }

    /// Nats of each choice.
    pub fn entropies(&self) -> Vec<f64> {
        let nats = |probability: &f64| if *probability > 0.0 { -probability * probability.ln() } else { 0.0 };
        self.0.iter().map(|choice| choice.iter().map(nats).sum()).collect()
    }

    /// The mean entropy of the choices, in nats.
    pub fn entropy(&self) -> f64 {
        let all = self.entropies();
        all.iter().sum::<f64>() / all.len().max(1) as f64
    }

    /// Moves probability from one option of a choice to another: as much as leaves `floor`, at most `most`.
    pub fn transfer(&mut self, choice: usize, from: usize, to: usize, most: f64, floor: f64) {
        let choice = &mut self.0[choice];
        let moved = (choice[from] - floor).clamp(0.0, most);
        choice[from] -= moved;
        choice[to] += moved;
    }

    /// Raises every option to `floor`, at most to an even share; what others have above it pays for that, in proportion.
    pub fn raise(&mut self, floor: f64) {
        for choice in &mut self.0 {
            let floor = floor.min((choice.len() as f64).recip());
            if choice.iter().all(|&probability| probability >= floor) {
                continue;
            }
            let above = |probability: f64| (probability - floor).max(0.0);
            let all: f64 = choice.iter().map(|&probability| above(probability)).sum();
            // Of an even distribution rounding may leave nothing above the floor.
            let share = if all > 0.0 { (1.0 - floor * choice.len() as f64) / all } else { 0.0 };
            choice.iter_mut().for_each(|probability| *probability = floor + above(*probability) * share);
        }
    }
}

/// The option in whose part of the interval a number of [0, 1) lies.
fn drawn(choice: &[f64], number: f64) -> u8 {
    let mut sum = 0.0;
    for (option, probability) in choice.iter().enumerate() {
        sum += probability;
        if number < sum {
            return option as u8;
        }
    }
    // Rounding may leave a gap before 1: it belongs to the last option that can be drawn.
    choice.iter().rposition(|&probability| probability > 0.0).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;
    use crate::search::Limit;

    #[test]
    fn draws_follow_the_probabilities() {
        let space = Space::of_sizes(&[3]);
        let distribution = Distribution(vec![vec![0.2, 0.0, 0.8]]);
        let mut stream = Seed(0).stream("test", "draws");
        let mut counts = [0; 3];
        (0..10_000).for_each(|_| counts[usize::from(distribution.sample(&space, &mut stream)[0])] += 1);
        assert!(counts[1] == 0 && (counts[0] - 2000_i32).abs() < 160, "{counts:?}");
        assert_eq!(drawn(&[0.5, 0.4999, 0.0], 0.999_95), 1);
    }

    #[test]
    fn the_most_probable_keeps_the_limits() {
        let mut space = Space::of_sizes(&[2, 2, 2]);
        let distribution = Distribution(vec![vec![0.1, 0.9], vec![0.4, 0.6], vec![0.2, 0.8]]);
        assert_eq!(distribution.most_probable(&space), [1, 1, 1]);
        space.limits.push(Limit { name: "size".to_owned(), costs: vec![vec![0.0, 1.0]; 3], most: 2.0 });
        assert_eq!(distribution.most_probable(&space), [1, 0, 1]);
        assert!((distribution.entropies()[0] - 0.325_083).abs() < 1e-5);
    }

    #[test]
    fn the_most_probable_leaves_several_exclusions_behind() {
        let mut space = Space::of_sizes(&[2, 2, 2, 2, 2]);
        space.excluded = vec![vec![(0, 1), (1, 1)], vec![(2, 1), (3, 1)]];
        // The last choice costs nothing to change, and helps nothing.
        let probable = vec![0.2, 0.8];
        let distribution =
            Distribution(vec![probable.clone(), vec![0.3, 0.7], probable.clone(), probable, vec![0.5, 0.5]]);
        let found = distribution.most_probable(&space);
        assert!(space.allows(&found), "{found:?}");
        assert_eq!(found[..2], [1, 0]);
    }

    #[test]
    fn what_is_above_the_floor_pays_for_what_is_below() {
        let mut distribution = Distribution(vec![vec![0.0, 0.3, 0.7], vec![0.5, 0.5]]);
        distribution.raise(0.1);
        // .1 + (.2, .6) x .7 / .8
        let expected = [0.1, 0.275, 0.625];
        assert!(distribution.0[0].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{distribution:?}");
        assert_eq!(distribution.0[1], [0.5, 0.5]);
        distribution.raise(0.9);
        assert!(distribution.0.iter().flatten().all(|it| it.is_finite()), "{distribution:?}");
        assert!((distribution.0[0][0] - 1.0 / 3.0).abs() < 1e-12);
        let mut even = Distribution(vec![vec![0.2_f64.next_down(); 5]]);
        even.raise(0.5);
        assert_eq!(even.0[0], [0.2; 5]);
    }

    #[test]
    fn a_transfer_keeps_the_sum_and_the_floor() {
        let mut distribution = Distribution(vec![vec![0.3, 0.7]]);
        distribution.transfer(0, 0, 1, 0.1, 0.02);
        assert!((distribution.0[0][0] - 0.2).abs() < 1e-12 && (distribution.0[0][1] - 0.8).abs() < 1e-12);
        distribution.transfer(0, 0, 1, 1.0, 0.02);
        assert!((distribution.0[0][0] - 0.02).abs() < 1e-12);
        distribution.transfer(0, 0, 1, 1.0, 0.05);
        assert!((distribution.0[0][0] - 0.02).abs() < 1e-12);
    }
}

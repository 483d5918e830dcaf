//! Limited-memory BFGS for smooth convex functions.
//!
//! Source: Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5, with a backtracking line search.

use std::collections::VecDeque;

/// Pairs of steps and gradient changes kept.
const HISTORY: usize = 10;
/// Share of the predicted decrease that a step must reach (Armijo).
const DECREASE: f64 = 1e-4;
/// Relative change of the value that may be rounding alone: then the gradient must have become shorter.
const ROUNDING: f64 = 1e-15;

/// Where the search ended.
pub struct Minimum {
    /// The best place found.
    pub place: Vec<f64>,
    /// Whether the gradient became small enough.
    pub converged: bool,
}

/// Minimises a function that writes its gradient into its second argument and returns its value, from `start`, until
/// the gradient's length is below `tolerance` or after `max_steps` steps.
pub fn minimise(
    start: Vec<f64>,
    tolerance: f64,
    max_steps: usize,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Minimum {
    let mut place = start;
    let mut gradient = vec![0.0; place.len()];
    let mut value = function(&place, &mut gradient);
    let mut history = VecDeque::new();
    for _ in 0..max_steps {
        if dot(&gradient, &gradient).sqrt() < tolerance {
            return Minimum { place, converged: true };
        }
        let direction = descent(&gradient, &history);
        let slope = dot(&direction, &gradient);
        let mut length = if history.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let mut next_gradient = vec![0.0; place.len()];
        let next = loop {
            let next: Vec<f64> = place.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let next_value = function(&next, &mut next_gradient);
            let flat = (next_value - value).abs() <= ROUNDING * value.abs()
                && dot(&next_gradient, &next_gradient) < dot(&gradient, &gradient);
            if next_value <= value + DECREASE * length * slope || flat {
                value = next_value;
                break next;
            }
            length /= 2.0;
            if length < 1e-12 {
                return Minimum { place, converged: false };
            }
        };
        remember(&mut history, difference(&next, &place), difference(&next_gradient, &gradient));
        (place, gradient) = (next, next_gradient);
    }
    Minimum { place, converged: false }
}

type Pair = (Vec<f64>, Vec<f64>);

fn remember(history: &mut VecDeque<Pair>, step: Vec<f64>, change: Vec<f64>) {
    if dot(&step, &change) > 0.0 {
        history.push_back((step, change));
        if history.len() > HISTORY {
            history.pop_front();
        }
    }
}

/// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
fn descent(gradient: &[f64], history: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(history.len());
    for (step, change) in history.iter().rev() {
        let share = dot(step, &direction) / dot(step, change);
        add(&mut direction, -share, change);
        shares.push(share);
    }
    if let Some((step, change)) = history.back() {
        let scale = dot(step, change) / dot(change, change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((step, change), share) in history.iter().zip(shares.into_iter().rev()) {
        let back = dot(change, &direction) / dot(step, change);
        add(&mut direction, share - back, step);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(into: &mut [f64], factor: f64, values: &[f64]) {
    into.iter_mut().zip(values).for_each(|(into, value)| *into += factor * value);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_minimum_of_a_stretched_bowl_is_found() {
        let found = super::minimise(vec![5.0, -3.0, 2.0], 1e-9, 200, |x, gradient| {
            let scales = [1.0, 50.0, 1000.0];
            for place in 0..3 {
                gradient[place] = scales[place] * (x[place] - place as f64);
            }
            (0..3).map(|place| 0.5 * scales[place] * (x[place] - place as f64).powi(2)).sum()
        });
        assert!(found.converged);
        assert!(found.place.iter().enumerate().all(|(place, x)| (x - place as f64).abs() < 1e-8));
    }
}

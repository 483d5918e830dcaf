//! From gradients to steps. One pass over each parameter and its moments: as a chain of tensor operations the same takes
//! some twenty passes over memory, which is most of a step of a small batch.

use rayon::prelude::*;
use zoologist::extract::training::{Optimizer, Recipe};

use super::parameters::Parameters;

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
const MOMENTUM: f32 = 0.9;

/// Running means of gradients and of their squares; the second is empty for gradient descent. Empty too for what does not
/// learn.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Of gradients.
    pub first: Vec<Vec<f32>>,
    /// Of their squares.
    pub second: Vec<Vec<f32>>,
}

impl Moments {
    /// Before the first step.
    pub fn new(parameters: &Parameters, optimizer: Optimizer) -> Self {
        let zeros = |keeps: bool| {
            let each = parameters.list.iter().zip(&parameters.learns);
            each.map(|(it, learns)| if *learns && keeps { vec![0.0; it.values.len()] } else { vec![] }).collect()
        };
        Self { first: zeros(true), second: zeros(optimizer == Optimizer::Adamw) }
    }
}

/// The learning rate of a step, counted from 0.
pub fn rate(recipe: &Recipe, step: usize) -> f64 {
    let warm = (recipe.warm_up * recipe.steps as f64).ceil();
    let done = step as f64;
    if done < warm {
        return recipe.learning_rate * (done + 1.0) / warm;
    }
    let share = (done - warm) / (recipe.steps as f64 - warm).max(1.0);
    recipe.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
}

/// Cuts gradients to a common length, and gives the length that they had.
pub fn cut(gradients: &mut [Vec<f32>], longest: f64) -> f64 {
    let square = |values: &Vec<f32>| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
    let squares: Vec<f64> = gradients.par_iter().map(square).collect();
    let length = squares.iter().sum::<f64>().sqrt();
    if length > longest {
        let factor = (longest / length) as f32;
        gradients.par_iter_mut().for_each(|values| values.iter_mut().for_each(|value| *value *= factor));
    }
    length
}

/// One step, counted from 0; gradients of what does not learn are empty. The head's two parameters are the last.
pub fn step(parameters: &mut Parameters, moments: &mut Moments, gradients: &[Vec<f32>], recipe: &Recipe, step: usize) {
    let (rate, head) = (rate(recipe, step), parameters.list.len() - 2);
    let all =
        parameters.list.par_iter_mut().zip(&mut moments.first).zip(&mut moments.second).zip(gradients).enumerate();
    all.filter(|(_, (_, gradient))| !gradient.is_empty()).for_each(|(place, (((it, first), second), gradient))| {
        let rate = if place >= head { rate * recipe.head_factor } else { rate };
        // Biases and norms are not pulled towards 0.
        let decay = if it.shape.len() > 1 { recipe.weight_decay } else { 0.0 };
        match recipe.optimizer {
            Optimizer::Adamw => adamw(&mut it.values, [first, second], gradient, [rate, decay], step),
            Optimizer::Sgd => descent(&mut it.values, first, gradient, [rate as f32, decay as f32]),
        }
    });
}

fn adamw(values: &mut [f32], moments: [&mut Vec<f32>; 2], gradient: &[f32], [rate, decay]: [f64; 2], step: usize) {
    let count = i32::try_from(step + 1).unwrap_or(i32::MAX);
    let corrections = BETAS.map(|beta| 1.0 - beta.powi(count));
    let (size, root) = ((rate / corrections[0]) as f32, (1.0 / corrections[1].sqrt()) as f32);
    let (kept, epsilon) = ((1.0 - rate * decay) as f32, EPSILON as f32);
    let [old, older] = BETAS.map(|beta| beta as f32);
    let [new, newer] = BETAS.map(|beta| (1.0 - beta) as f32);
    let [first, second] = moments;
    for (((value, first), second), gradient) in values.iter_mut().zip(first).zip(second).zip(gradient) {
        *first = old * *first + new * gradient;
        *second = older * *second + newer * gradient * gradient;
        *value = kept * *value - size * *first / (second.sqrt() * root + epsilon);
    }
}

fn descent(values: &mut [f32], moments: &mut [f32], gradient: &[f32], [rate, decay]: [f32; 2]) {
    for ((value, moment), gradient) in values.iter_mut().zip(moments).zip(gradient) {
        let gradient = gradient + decay * *value;
        *moment = MOMENTUM * *moment + gradient;
        *value -= rate * (gradient + MOMENTUM * *moment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adamw_follows_its_formula() {
        // Two steps worked out by hand: gradient 2 then -1, rate .1, decay .5.
        let (mut values, mut first, mut second) = (vec![1.0_f32], vec![0.0], vec![0.0]);
        adamw(&mut values, [&mut first, &mut second], &[2.0], [0.1, 0.5], 0);
        assert!((values[0] - (0.95 - 0.1)).abs() < 1e-6);
        adamw(&mut values, [&mut first, &mut second], &[-1.0], [0.1, 0.5], 1);
        let (m, v) = (0.9 * 0.2 - 0.1, 0.999 * 0.004 + 0.001);
        let expected = 0.85 * 0.95 - 0.1 * (m / (1.0 - 0.81)) / ((v / (1.0 - 0.998_001_f64)).sqrt() + 1e-8);
        assert!((f64::from(values[0]) - expected).abs() < 1e-5, "{} {expected}", values[0]);
    }

    #[test]
    fn gradients_are_cut_together() {
        let mut gradients = vec![vec![3.0], vec![], vec![4.0]];
        assert!((cut(&mut gradients, 1.0) - 5.0).abs() < 1e-9);
        assert!((gradients[0][0] - 0.6).abs() < 1e-6 && (gradients[2][0] - 0.8).abs() < 1e-6);
        assert!((cut(&mut gradients, 2.0) - 1.0).abs() < 1e-6);
    }
}

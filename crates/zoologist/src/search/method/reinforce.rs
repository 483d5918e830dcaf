//! REINFORCE (Williams 1992): a softmax per choice, whose logits follow the gradient of the expected value, by Adam.

use super::{Searcher, Start, Trial};
use crate::search::Distribution;

/// Adam's step.
const RATE: f64 = 0.1;
const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
/// How much of the running mean of values stays at each step; what a value is compared with.
const MEMORY: f64 = 0.9;

/// Logits and the moments of their gradients.
pub struct Reinforce {
    start: Start,
    distribution: Distribution,
    logits: Vec<Vec<f64>>,
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
    baseline: Option<f64>,
    steps: i32,
}

impl Reinforce {
    /// A new search.
    pub fn new(start: Start) -> Self {
        let logits: Vec<Vec<f64>> =
            start.prior.0.iter().map(|choice| choice.iter().map(|it| it.max(1e-12).ln()).collect()).collect();
        let zeros: Vec<Vec<f64>> = logits.iter().map(|choice| vec![0.0; choice.len()]).collect();
        let distribution = start.prior.clone();
        Self { start, distribution, logits, first: zeros.clone(), second: zeros, baseline: None, steps: 0 }
    }
}

impl Searcher for Reinforce {
    fn ask(&mut self) -> Option<Trial> {
        let drawn = self.distribution.sample(&self.start.space, &mut self.start.stream);
        self.start.full(drawn)
    }

    fn tell(&mut self, trial: &Trial, value: f64) {
        let baseline = self.baseline.map_or(value, |old| MEMORY * old + (1.0 - MEMORY) * value);
        self.baseline = Some(baseline);
        self.steps += 1;
        let corrections = BETAS.map(|beta| 1.0 - beta.powi(self.steps));
        for (choice, &option) in trial.architecture.iter().enumerate() {
            let (logits, probabilities) = (&mut self.logits[choice], &mut self.distribution.0[choice]);
            for place in 0..logits.len() {
                let chosen = if place == usize::from(option) { 1.0 } else { 0.0 };
                let gradient = (value - baseline) * (chosen - probabilities[place]);
                let (first, second) = (&mut self.first[choice][place], &mut self.second[choice][place]);
                *first = BETAS[0] * *first + (1.0 - BETAS[0]) * gradient;
                *second = BETAS[1] * *second + (1.0 - BETAS[1]) * gradient * gradient;
                logits[place] += RATE * (*first / corrections[0]) / ((*second / corrections[1]).sqrt() + EPSILON);
            }
            softmax(logits, probabilities);
        }
    }

    fn distribution(&self) -> Option<&Distribution> {
        Some(&self.distribution)
    }
}

fn softmax(logits: &[f64], probabilities: &mut [f64]) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for (probability, logit) in probabilities.iter_mut().zip(logits) {
        *probability = (logit - largest).exp();
        sum += *probability;
    }
    probabilities.iter_mut().for_each(|probability| *probability /= sum);
}

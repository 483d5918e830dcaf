//! Passes of a network with a head: what it gives for some rows, and the gradient of its loss over some.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Tensor;
use rayon::prelude::*;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::{Answers, Batch, Examples, Watch};

use super::loss::{Right, judged};
use super::parameters::Parameters;
use crate::design::{Design, Passed};
use crate::error::RunError;
use crate::operations::numbers;
use crate::scope::{BatchNorms, BatchStatistics, Tensors};

/// Samples that a thread takes at a time. Sums of gradients are taken in the order of the parts, whoever computed them.
pub const PART: usize = 8;

/// What gives the features of some rows.
pub type Pass<'a> = &'a (dyn Fn(&Tensors, &[usize], &Batch) -> Result<Passed, RunError> + Sync);
/// What may add to the loss of some rows, by their features.
pub type Term<'a> = &'a (dyn Fn(Tensor<2>, &[usize]) -> Option<Tensor<1>> + Sync);

/// A network, its samples, and who follows.
pub struct Passes<'a> {
    /// The network.
    pub design: &'a Design,
    /// What is right for each sample.
    pub answers: &'a Answers,
    /// The samples.
    pub examples: &'a dyn Examples,
    /// Who follows.
    pub watch: &'a dyn Watch,
    /// Set once it is to end.
    pub stop: &'a AtomicBool,
}

/// The loss over some rows and its gradient.
pub struct Slope {
    /// The mean loss.
    pub loss: f64,
    /// For each parameter; empty for those that do not learn.
    pub gradients: Vec<Vec<f32>>,
    /// What batch norms in training saw in the first part.
    pub statistics: Vec<BatchStatistics>,
}

impl Passes<'_> {
    /// The head's outputs.
    pub fn head(&self, bound: &Tensors, features: Tensor<2>) -> Tensor<2> {
        let part = |part: &str| &bound[&format!("{}.{part}", self.design.classifier())];
        let (shape, weight) = part("weight");
        let weight: Tensor<2> = weight.clone().reshape([shape[0], shape[1]]);
        features.matmul(weight.transpose()) + part("bias").1.clone().unsqueeze()
    }

    /// The outputs for some rows, row after row.
    pub fn outputs(&self, parameters: &Parameters, rows: &[usize]) -> Result<Vec<f32>, ModelError> {
        let tensors = parameters.tensors();
        let part = |rows: &[usize]| -> Result<Vec<f32>, ModelError> {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ModelError::Stopped);
            }
            let examples: Batch = self.examples.batch(rows, &vec![false; rows.len()])?;
            let bound = parameters.bound(&tensors, false);
            let passed = self.design.pass(&bound, BatchNorms::Frozen, &examples).map_err(|error| unfit(&error))?;
            // A sign of life: there may be many.
            self.watch.learned(0);
            Ok(numbers(&self.head(&bound, passed.features).into_data()).to_vec())
        };
        let parts: Vec<Result<Vec<f32>, ModelError>> = rows.par_chunks(PART).map(part).collect();
        Ok(parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Mean loss and mean score over some rows; the score is 1 for a right one.
    pub fn judged(&self, parameters: &Parameters, rows: &[usize]) -> Result<[f64; 2], ModelError> {
        let outputs = self.outputs(parameters, rows)?;
        let each = rows.iter().zip(outputs.chunks(self.answers.outputs()));
        let [loss, score] = each.fold([0.0; 2], |[loss, score], (&row, outputs)| {
            let (of_row, right) = judged(self.answers, row, outputs);
            [loss + of_row, score + right]
        });
        Ok([loss, score].map(|sum| sum / rows.len() as f64))
    }

    /// The mean loss over some rows, each with whether it is mirrored, and its gradient. `pass` gives the features of a
    /// part, in rows of their own numbers; `term` may add to the loss of a part.
    pub fn slope(
        &self,
        parameters: &Parameters,
        rows: &[(usize, bool)],
        part: usize,
        pass: Pass,
        term: Term,
    ) -> Result<Slope, ModelError> {
        let tensors = parameters.tensors();
        let of_part = |of_part: &[(usize, bool)]| -> Result<Slope, ModelError> {
            let (own, mirrored): (Vec<usize>, Vec<bool>) = of_part.iter().copied().unzip();
            let examples = self.examples.batch(&own, &mirrored)?;
            let bound = parameters.bound(&tensors, true);
            let passed = pass(&bound, &own, &examples).map_err(|error| unfit(&error))?;
            let device = passed.features.device();
            let outputs = self.head(&bound, passed.features.clone());
            let mut loss = Right::of(self.answers, &own, &device).loss(outputs) / rows.len() as f64;
            if let Some(term) = term(passed.features, &own) {
                loss = loss + term / rows.len() as f64;
            }
            let value = f64::from(numbers(&loss.clone().inner().into_data())[0]);
            Ok(Slope { loss: value, gradients: gradients(parameters, &bound, &loss), statistics: passed.statistics })
        };
        let parts: Vec<Result<Slope, ModelError>> = rows.par_chunks(part).map(of_part).collect();
        let mut parts = parts.into_iter().collect::<Result<Vec<Slope>, ModelError>>()?.into_iter();
        let nothing = || ModelError::Unfit("there are no samples to learn from".to_owned());
        let mut sum = parts.next().ok_or_else(nothing)?;
        for part in parts {
            sum.loss += part.loss;
            sum.gradients.par_iter_mut().zip(part.gradients).for_each(|(sum, part)| {
                sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            });
        }
        Ok(sum)
    }
}

fn gradients(parameters: &Parameters, bound: &Tensors, loss: &Tensor<1>) -> Vec<Vec<f32>> {
    let mut found = loss.backward();
    let learning = parameters.list.iter().zip(&parameters.learns);
    let mut of_one = |it: &crate::design::Filled| {
        let (_, leaf) = &bound[&it.name];
        leaf.grad_remove(&mut found)
            .map_or_else(|| vec![0.0; it.values.len()], |found| numbers(&found.into_data()).to_vec())
    };
    learning.map(|(it, learns)| if *learns { of_one(it) } else { vec![] }).collect()
}

/// The rows of a step, and whether each is mirrored: each epoch is a seeded order of its own, and steps go on through them
/// without a gap.
pub fn rows_of_step(
    seed: zoologist::base::Seed,
    training: &[usize],
    batch: usize,
    mirrors: bool,
    step: usize,
) -> Vec<(usize, bool)> {
    let all = training.len();
    let mut rows = Vec::with_capacity(batch);
    let mut place = step * batch;
    while rows.len() < batch {
        let epoch = place / all;
        let mut stream = seed.stream("order of an epoch", &epoch.to_string());
        let mut order = training.to_vec();
        stream.shuffle(&mut order);
        let mirrored: Vec<bool> = order.iter().map(|_| mirrors && stream.below(2) == 1).collect();
        let end = (place % all + batch - rows.len()).min(all);
        rows.extend((place % all..end).map(|place| (order[place], mirrored[place])));
        place = (epoch + 1) * all;
    }
    rows
}

/// What a network can't run.
pub fn unfit(error: &RunError) -> ModelError {
    ModelError::Unfit(error.to_string())
}

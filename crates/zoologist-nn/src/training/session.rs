//! One training, from an order to weights.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use safetensors::SafeTensors;
use zoologist::base::Seed;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::runtime::NativeBytes;
use zoologist::extract::training::{
    Answers, Batch, Checkup, Examples, Norms, OUTPUTS, Start, TrainingOrder, TrainingOutcome, WEIGHTS, Watch,
};

use super::PART;
use super::checkpoint::{self, Checkpoint, State};
use super::initial::{initial, of_head};
use super::loss::{Right, judged};
use super::optimizer::{self, Moments};
use super::parameters::{Parameters, file, is_statistic};
use crate::design::{Design, Filled};
use crate::error::RunError;
use crate::operations::numbers;
use crate::scope::{BatchNorms, BatchStatistics, Tensors};
use crate::weights::Weights;

/// Below so many numbers a checkpoint costs nothing, and is written at every checkup too.
const SMALL: usize = 1 << 20;
/// A checkpoint is written at least this often.
const CHECKPOINT: Duration = Duration::from_secs(20);
/// How much of a batch's statistics goes into the running ones.
const NEW_STATISTICS: f32 = 0.1;
/// A loss this many times the first one has run away.
const RUN_AWAY: f64 = 100.0;

/// Trains a network as an order says; see [`zoologist::extract::training::Trainer`].
pub fn train(
    order: &TrainingOrder,
    network: &NativeBytes,
    examples: &dyn Examples,
    watch: &dyn Watch,
    stop: &AtomicBool,
) -> Result<TrainingOutcome, ModelError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(order.threads).build();
    let pool = pool.map_err(|error| ModelError::Unfit(error.to_string()))?;
    let session = Session::new(order, network, examples, watch, stop)?;
    pool.install(|| session.run())
}

/// What stays the same through a training.
struct Session<'a> {
    order: &'a TrainingOrder,
    design: Design,
    answers: Answers,
    /// Mean and deviation of each number that is predicted; empty otherwise.
    scales: Vec<[f32; 2]>,
    teachers: Option<Lessons>,
    start: Parameters,
    examples: &'a dyn Examples,
    watch: &'a dyn Watch,
    stop: &'a AtomicBool,
}

/// What teachers say (B-Tuning).
struct Lessons {
    /// Outputs × dim.
    projection: Tensor<2>,
    /// Samples × outputs.
    predictions: Vec<f32>,
    weight: f64,
}

/// What came of one part of a batch.
struct Part {
    loss: f64,
    gradients: Vec<Vec<f32>>,
    statistics: Vec<BatchStatistics>,
}

impl<'a> Session<'a> {
    fn new(
        order: &'a TrainingOrder,
        network: &NativeBytes,
        examples: &'a dyn Examples,
        watch: &'a dyn Watch,
        stop: &'a AtomicBool,
    ) -> Result<Self, ModelError> {
        if order.training.is_empty() || order.validation.is_empty() {
            return Err(ModelError::Unfit("there are no samples to learn from, or none to stop by".to_owned()));
        }
        let unfit = |error: crate::LoadError| ModelError::Unfit(error.to_string());
        let design = Design::read(&network.config).map_err(unfit)?;
        let weights = Weights::check(&network.weights, &design.contents()).map_err(unfit)?;
        let list = match order.recipe.start {
            Start::Pretrained => design.fill(&weights).map_err(unfit)?,
            Start::Random => random(&design, order.seed),
        };
        let (answers, scales) = scaled(&order.answers, &order.training);
        let head = head(&design, order, answers.outputs())?;
        let start = Parameters::new(&design, list, head, order.recipe.freeze);
        let teachers = order.recipe.teachers.as_ref().map(|_| lessons(order, &design, &scales)).transpose()?;
        Ok(Self { order, design, answers, scales, teachers, start, examples, watch, stop })
    }

    fn run(&self) -> Result<TrainingOutcome, ModelError> {
        let recipe = &self.order.recipe;
        let mut now = self.beginning().or_resumed(&self.order.folder);
        let (mut begun, mut written) = (Instant::now(), Instant::now());
        let small = now.parameters.list.iter().map(|it| it.values.len()).sum::<usize>() < SMALL;
        if now.state.curve.is_empty() {
            self.check_up(&mut now)?;
        }
        self.watch.learned(now.state.step * recipe.batch);
        while now.state.step < recipe.steps && now.state.without_better < recipe.patience {
            self.step(&mut now)?;
            let checks = now.state.step.is_multiple_of(recipe.checkup) || now.state.step == recipe.steps;
            if checks {
                self.check_up(&mut now)?;
            }
            let stopped = self.stop.load(Ordering::Relaxed);
            if written.elapsed() > CHECKPOINT || (checks && small) || stopped {
                now.state.seconds += begun.elapsed().as_secs_f64();
                now.write(&self.order.folder)?;
                (begun, written) = (Instant::now(), Instant::now());
            }
            if stopped {
                return Err(ModelError::Stopped);
            }
        }
        now.state.seconds += begun.elapsed().as_secs_f64();
        self.finish(now)
    }

    fn beginning(&self) -> Checkpoint {
        let state = State { step: 0, best_step: 0, without_better: 0, since: [0.0; 2], curve: vec![], seconds: 0.0 };
        let moments = Moments::new(&self.start, self.order.recipe.optimizer);
        Checkpoint { state, parameters: self.start.clone(), best: self.start.list.clone(), moments }
    }

    /// The rows of a step: each epoch is a seeded order of its own, and steps go on through them without a gap.
    fn rows(&self, step: usize) -> Vec<(usize, bool)> {
        let (all, batch) = (self.order.training.len(), self.order.recipe.batch);
        let mut rows = Vec::with_capacity(batch);
        let mut place = step * batch;
        while rows.len() < batch {
            let epoch = place / all;
            let mut stream = self.order.seed.stream("order of an epoch", &epoch.to_string());
            let mut order = self.order.training.clone();
            stream.shuffle(&mut order);
            let mirrored: Vec<bool> = order.iter().map(|_| self.order.recipe.mirror && stream.below(2) == 1).collect();
            let end = (place % all + batch - rows.len()).min(all);
            rows.extend((place % all..end).map(|place| (order[place], mirrored[place])));
            place = (epoch + 1) * all;
        }
        rows
    }

    fn step(&self, now: &mut Checkpoint) -> Result<(), ModelError> {
        let (recipe, step) = (&self.order.recipe, now.state.step);
        let rows = self.rows(step);
        // A batch norm that trains must see the whole batch.
        let part = if recipe.norms == Norms::Training { rows.len() } else { PART };
        let tensors = now.parameters.tensors();
        let parameters = &now.parameters;
        let parts: Vec<Result<Part, ModelError>> = rows
            .par_chunks(part)
            .map(|rows_of_part| self.part(parameters, &tensors, rows_of_part, rows.len()))
            .collect();
        drop(tensors);
        let mut parts = parts.into_iter().collect::<Result<Vec<Part>, ModelError>>()?.into_iter();
        let Some(mut sum) = parts.next() else { return Ok(()) };
        for part in parts {
            sum.loss += part.loss;
            sum.gradients.par_iter_mut().zip(part.gradients).for_each(|(sum, part)| {
                sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            });
        }
        let length = optimizer::cut(&mut sum.gradients, recipe.clip);
        self.refuse_divergence(now, sum.loss, length)?;
        optimizer::step(&mut now.parameters, &mut now.moments, &sum.gradients, recipe, step);
        keep_statistics(&mut now.parameters, &sum.statistics);
        now.state.step += 1;
        now.state.since[0] += sum.loss * rows.len() as f64;
        now.state.since[1] += rows.len() as f64;
        self.watch.learned(rows.len());
        Ok(())
    }

    /// One part's mean loss over the whole batch, and its gradient.
    fn part(
        &self,
        parameters: &Parameters,
        tensors: &[Tensor<1>],
        rows: &[(usize, bool)],
        batch: usize,
    ) -> Result<Part, ModelError> {
        let (rows, mirrored): (Vec<usize>, Vec<bool>) = rows.iter().copied().unzip();
        let examples = self.examples.batch(&rows, &mirrored)?;
        let bound = parameters.bound(tensors, true);
        let norms = match self.order.recipe.norms {
            Norms::Frozen => BatchNorms::Frozen,
            Norms::Training => BatchNorms::Training,
        };
        let passed = self.design.pass(&bound, norms, &examples).map_err(|error| unfit(&error))?;
        let device = passed.features.device();
        let outputs = self.outputs(&bound, passed.features.clone());
        let mut loss = Right::of(&self.answers, &rows, &device).loss(outputs) / batch as f64;
        if let Some(lessons) = &self.teachers {
            loss = loss + lessons.term(passed.features, &rows) / batch as f64;
        }
        let value = f64::from(numbers(&loss.clone().inner().into_data())[0]);
        let mut gradients = loss.backward();
        let mut gradient = |it: &Filled| {
            let (_, leaf) = &bound[&it.name];
            leaf.grad_remove(&mut gradients)
                .map_or_else(|| vec![0.0; it.values.len()], |found| numbers(&found.into_data()).to_vec())
        };
        let learning = parameters.list.iter().zip(&parameters.learns);
        let gradients = learning.map(|(it, learns)| if *learns { gradient(it) } else { vec![] }).collect();
        Ok(Part { loss: value, gradients, statistics: passed.statistics })
    }

    fn outputs(&self, bound: &Tensors, features: Tensor<2>) -> Tensor<2> {
        let part = |part: &str| &bound[&format!("{}.{part}", self.design.classifier())];
        let (shape, weight) = part("weight");
        let weight: Tensor<2> = weight.clone().reshape([shape[0], shape[1]]);
        features.matmul(weight.transpose()) + part("bias").1.clone().unsqueeze()
    }

    fn refuse_divergence(&self, now: &Checkpoint, loss: f64, length: f64) -> Result<(), ModelError> {
        let first = now.state.curve.first().map_or(f64::INFINITY, |checkup| checkup.validation_loss.max(0.1));
        if loss.is_finite() && length.is_finite() && loss < RUN_AWAY * first {
            return Ok(());
        }
        let (step, rate) = (now.state.step + 1, self.order.recipe.learning_rate);
        Err(ModelError::Unfit(format!(
            "the training diverged at step {step} (loss {loss:.3e}, gradient {length:.3e}): set --learning-rate lower, \
             for example {:.1e} in place of {rate:.1e}",
            rate / 10.0
        )))
    }

    /// The outputs for some rows, in parts; network and head as they are in `list`.
    fn outputs_of(&self, list: &[Filled], rows: &[usize]) -> Result<Vec<f32>, ModelError> {
        let parameters = Parameters { list: list.to_vec(), learns: vec![false; list.len()] };
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
            Ok(numbers(&self.outputs(&bound, passed.features).into_data()).to_vec())
        };
        let parts: Vec<Result<Vec<f32>, ModelError>> = rows.par_chunks(PART).map(part).collect();
        Ok(parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Looks at the validation rows, and keeps the weights if they never did better.
    fn check_up(&self, now: &mut Checkpoint) -> Result<(), ModelError> {
        let (rows, width) = (&self.order.validation, self.answers.outputs());
        let outputs = self.outputs_of(&now.parameters.list, rows)?;
        let judged: Vec<(f64, f64)> =
            rows.iter().zip(outputs.chunks(width)).map(|(&row, outputs)| judged(&self.answers, row, outputs)).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| judged.iter().map(of).sum::<f64>() / judged.len() as f64;
        let [loss, samples] = std::mem::take(&mut now.state.since);
        let checkup = Checkup {
            step: now.state.step,
            training_loss: (samples > 0.0).then(|| loss / samples),
            validation_loss: mean(|judged| judged.0),
            validation_score: mean(|judged| judged.1),
        };
        let best = now.state.curve.iter().find(|checkup| checkup.step == now.state.best_step);
        if best.is_none_or(|best| is_better(&checkup, best, &self.answers, rows.len())) {
            now.best.clone_from(&now.parameters.list);
            (now.state.best_step, now.state.without_better) = (now.state.step, 0);
        } else if now.state.step as f64 > self.order.recipe.warm_up * self.order.recipe.steps as f64 {
            // Small steps can't be expected to help yet.
            now.state.without_better += 1;
        }
        now.state.curve.push(checkup);
        Ok(())
    }

    /// Writes the best weights and what they say of the judged rows.
    fn finish(&self, now: Checkpoint) -> Result<TrainingOutcome, ModelError> {
        let mut outputs = self.outputs_of(&now.best, &self.order.judged)?;
        let width = self.answers.outputs();
        let mut best = Parameters { list: now.best, learns: now.parameters.learns };
        self.unscale(&mut best, &mut outputs);
        let shape = vec![self.order.judged.len(), width];
        let named = [("outputs".to_owned(), shape, outputs.as_slice())];
        checkpoint::write(&self.order.folder.join(OUTPUTS), &file(named.into_iter(), None)?)?;
        checkpoint::write(&self.order.folder.join(WEIGHTS), &best.file()?)?;
        let changed = best.list.iter().zip(&self.start.list).filter(|(after, before)| after.values != before.values);
        let outcome = TrainingOutcome {
            steps: now.state.step,
            best_step: now.state.best_step,
            stopped_early: now.state.step < self.order.recipe.steps,
            trained_parameters: best.learning(),
            changed_tensors: changed.count(),
            curve: now.state.curve,
            unreadable: vec![],
            seconds: now.state.seconds,
        };
        Checkpoint::remove(&self.order.folder);
        Ok(outcome)
    }

    /// Numbers were learned in units of their deviation: the head's weights take that in.
    fn unscale(&self, best: &mut Parameters, outputs: &mut [f32]) {
        if self.scales.is_empty() {
            return;
        }
        let width = self.scales.len();
        for (place, output) in outputs.iter_mut().enumerate() {
            let [mean, deviation] = self.scales[place % width];
            *output = *output * deviation + mean;
        }
        let count = best.list.len();
        let dim = self.design.dim();
        for (place, weight) in best.list[count - 2].values.iter_mut().enumerate() {
            *weight *= self.scales[place / dim][1];
        }
        for (bias, [mean, deviation]) in best.list[count - 1].values.iter_mut().zip(&self.scales) {
            *bias = *bias * deviation + mean;
        }
    }
}

/// Whether one checkup is better than another: more right ones by more than the standard error of their number, or a lower
/// loss and not fewer by more than that. A few samples more or less are chance; the loss tells more.
fn is_better(new: &Checkup, old: &Checkup, answers: &Answers, samples: usize) -> bool {
    let share = old.validation_score.clamp(0.0, 1.0);
    let chance = match answers {
        Answers::Classes { .. } | Answers::Labels { .. } => (share * (1.0 - share) / samples as f64).sqrt(),
        Answers::Numbers { .. } => 0.0,
    };
    let difference = new.validation_score - old.validation_score;
    difference > chance || (difference >= -chance && new.validation_loss < old.validation_loss)
}

impl Lessons {
    /// The summed squares of what the student's features predict, less what the teachers do, over the outputs' mean.
    fn term(&self, features: Tensor<2>, rows: &[usize]) -> Tensor<1> {
        let [width, _] = self.projection.dims();
        let wanted: Vec<f32> =
            rows.iter().flat_map(|&row| self.predictions[row * width..(row + 1) * width].to_vec()).collect();
        let device = features.device();
        let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [rows.len(), width]), &device);
        let found = features.matmul(self.projection.clone().autodiff().transpose());
        (found - wanted).square().sum() * (self.weight / width as f64)
    }
}

fn unfit(error: &RunError) -> ModelError {
    ModelError::Unfit(error.to_string())
}

/// Every parameter at random.
fn random(design: &Design, seed: Seed) -> Vec<Filled> {
    let parameters = design.contents().parameters.into_iter();
    parameters
        .map(|parameter| {
            let values = initial(design, &parameter, seed);
            Filled { name: parameter.name, shape: parameter.shape, values }
        })
        .collect()
}

/// The head to start from: that of a file, or small random numbers.
fn head(design: &Design, order: &TrainingOrder, outputs: usize) -> Result<[Filled; 2], ModelError> {
    let (dim, name) = (design.dim(), design.classifier());
    let (weight, bias) = match &order.recipe.head {
        None => (of_head(outputs * dim, order.seed), vec![0.0; outputs]),
        Some(path) => {
            let [weight, bias] = tensors_of(&path.0, ["weight", "bias"])?;
            if weight.len() != outputs * dim || bias.len() != outputs {
                return Err(ModelError::Unfit("the head to start from does not fit the network".to_owned()));
            }
            (weight, bias)
        }
    };
    Ok([
        Filled { name: format!("{name}.weight"), shape: vec![outputs, dim], values: weight },
        Filled { name: format!("{name}.bias"), shape: vec![outputs], values: bias },
    ])
}

fn lessons(order: &TrainingOrder, design: &Design, scales: &[[f32; 2]]) -> Result<Lessons, ModelError> {
    let Some(teachers) = &order.recipe.teachers else { return Err(ModelError::Stopped) };
    let [projection, predictions] = tensors_of(&teachers.file.0, ["projection", "predictions"])?;
    let (width, dim) = (order.answers.outputs(), design.dim());
    if projection.len() != width * dim || !scales.is_empty() {
        return Err(ModelError::Unfit(
            "what the teachers say does not fit the network, or predicts numbers".to_owned(),
        ));
    }
    let projection = Tensor::from_data(TensorData::new(projection, [width, dim]), &Device::flex());
    Ok(Lessons { projection, predictions, weight: teachers.weight })
}

/// Two float32 tensors of a file of the store.
fn tensors_of(path: &std::path::Path, names: [&str; 2]) -> Result<[Vec<f32>; 2], ModelError> {
    let broken = |error: &dyn std::fmt::Display| ModelError::Unfit(format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| broken(&error))?;
    let read = |name: &str| {
        let tensor = tensors.tensor(name).map_err(|error| broken(&error))?;
        Ok(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<f32>>())
    };
    Ok([read(names[0])?, read(names[1])?])
}

/// Numbers in units of their deviation over the rows to learn from, and mean and deviation of each.
fn scaled(answers: &Answers, training: &[usize]) -> (Answers, Vec<[f32; 2]>) {
    let Answers::Numbers { values, width } = answers else { return (answers.clone(), vec![]) };
    let scale = |column: usize| {
        let column = |row: &usize| f64::from(values[row * width + column]);
        let mean = training.iter().map(column).sum::<f64>() / training.len() as f64;
        let variance = training.iter().map(|row| (column(row) - mean).powi(2)).sum::<f64>() / training.len() as f64;
        [mean as f32, if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 }]
    };
    let scales: Vec<[f32; 2]> = (0..*width).map(scale).collect();
    let scaled = values.iter().enumerate().map(|(place, value)| {
        let [mean, deviation] = scales[place % width];
        (value - mean) / deviation
    });
    (Answers::Numbers { values: scaled.collect(), width: *width }, scales)
}

/// Moves the running statistics of batch norms towards those of a batch.
fn keep_statistics(parameters: &mut Parameters, statistics: &[BatchStatistics]) {
    for seen in statistics {
        let parts = [("running_mean", &seen.mean), ("running_var", &seen.variance)];
        for (part, tensor) in parts {
            let name = format!("{}.{part}", seen.name);
            let values = tensor.clone().inner().into_data();
            let into = parameters.list.iter_mut().filter(|it| is_statistic(&it.name)).find(|it| it.name == name);
            if let Some(into) = into {
                into.values
                    .iter_mut()
                    .zip(numbers(&values))
                    .for_each(|(old, new)| *old += NEW_STATISTICS * (new - *old));
            }
        }
    }
}

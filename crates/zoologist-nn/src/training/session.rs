//! One training, from an order to weights.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::Tensor;
use rayon::prelude::*;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::runtime::NativeBytes;
use zoologist::extract::training::proof::{self, Shown};
use zoologist::extract::training::{
    Answers, Batch, Checkup, Examples, GRAPH, Keeps, Norms, OUTPUTS, Proof, TrainingOrder, TrainingOutcome, WEIGHTS,
    Watch,
};
use zoologist::zoo::{ModelInput, TokenPooling};

use super::PART;
use super::checkpoint::{self, Checkpoint, State};
use super::frozen::FrozenStates;
use super::lessons::Lessons;
use super::loss::{Right, judged};
use super::optimizer::{self, Moments};
use super::parameters::{Parameters, file, is_statistic};
use super::start::{self, Beginning};
use crate::design::{Design, Filled};
use crate::error::RunError;
use crate::graphs;
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
pub struct Session<'a> {
    order: &'a TrainingOrder,
    design: Design,
    answers: Answers,
    /// Mean and deviation of each number that is predicted; empty otherwise.
    scales: Vec<[f32; 2]>,
    teachers: Option<Lessons>,
    start: Parameters,
    /// What was shown of the start.
    proof: Proof,
    /// What the frozen first blocks of a text encoder make of each row; made before the first step.
    frozen: OnceLock<Option<FrozenStates>>,
    examples: &'a dyn Examples,
    watch: &'a dyn Watch,
    stop: &'a AtomicBool,
}

/// What came of one part of a batch.
struct Part {
    loss: f64,
    gradients: Vec<Vec<f32>>,
    statistics: Vec<BatchStatistics>,
}

impl<'a> Session<'a> {
    /// Reads the network, alters it, and shows that this was done.
    pub fn new(
        order: &'a TrainingOrder,
        network: &NativeBytes,
        examples: &'a dyn Examples,
        watch: &'a dyn Watch,
        stop: &'a AtomicBool,
    ) -> Result<Self, ModelError> {
        if order.training.is_empty() {
            return Err(ModelError::Unfit("there are no samples to learn from".to_owned()));
        }
        let unfit = |error: crate::LoadError| ModelError::Unfit(error.to_string());
        let design = Design::read(&network.config).map_err(unfit)?;
        let weights = Weights::check(&network.weights, &design.contents()).map_err(unfit)?;
        let original = design.fill(&weights).map_err(unfit)?;
        let Beginning { design: altered, list } = start::beginning(&design, &original, &order.recipe, order.seed)?;
        let (before, now) = (start::shown(&design, &original), start::shown(&altered, &list));
        let planned = start::planned(&order.recipe);
        let proof = proof::check_start(planned, design.block_names().len(), &before, &now)
            .map_err(|problem| broken_proof(&problem))?;
        let design = altered;
        let (answers, scales) = scaled(&order.answers, &order.training);
        let head = start::head(&design, order, answers.outputs())?;
        let head_numbers = head.iter().map(|it| it.values.len()).sum();
        let proof = Proof { head: start::digest(&head), head_numbers, ..proof };
        let start = Parameters::new(&design, list, head, order.recipe.freeze);
        let teachers = &order.recipe.teachers;
        let outputs = answers.outputs();
        let teachers =
            teachers.as_ref().map(|it| Lessons::read(it, outputs, &design, !scales.is_empty())).transpose()?;
        Ok(Self {
            order,
            design,
            answers,
            scales,
            teachers,
            start,
            proof,
            frozen: OnceLock::new(),
            examples,
            watch,
            stop,
        })
    }

    /// Trains to the end, from a checkpoint if there is one.
    pub fn run(&self) -> Result<TrainingOutcome, ModelError> {
        let recipe = &self.order.recipe;
        let mut now = self.beginning().or_resumed(&self.order.folder);
        let (mut begun, mut written) = (Instant::now(), Instant::now());
        let small = now.parameters.list.iter().map(|it| it.values.len()).sum::<usize>() < SMALL;
        let validates = !self.order.validation.is_empty();
        if now.state.curve.is_empty() && validates {
            self.check_up(&mut now)?;
        }
        self.watch.learned(now.state.step * recipe.batch);
        if now.state.step < recipe.steps {
            let states =
                FrozenStates::of(&self.design, &now.parameters, self.order, self.examples, self.watch, self.stop)?;
            self.frozen.get_or_init(|| states);
        }
        while now.state.step < recipe.steps && now.state.without_better < recipe.patience {
            self.step(&mut now)?;
            let checks = now.state.step.is_multiple_of(recipe.checkup) || now.state.step == recipe.steps;
            if checks && validates {
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
        if !validates {
            now.best.clone_from(&now.parameters.list);
            now.state.best_step = now.state.step;
        }
        self.finish(now)
    }

    /// What is shown of the whole training. With validation the weights that are kept may be those of the start; without,
    /// every weight that was meant to learn must have changed.
    fn proven(&self, end: &[Filled]) -> Result<Proof, ModelError> {
        if !self.order.validation.is_empty() {
            return Ok(self.proof.clone());
        }
        let (of_head, steps) = (self.start.list.len() - 2, self.order.recipe.steps);
        let shown = |list| start::shown(&self.design, list);
        let (before, after) = (shown(&self.start.list[..of_head]), shown(&end[..of_head]));
        let learns = |shown: &Shown| steps > 0 && start::is_meant_to_learn(self.order.recipe.freeze, shown);
        let proof =
            proof::check_end(self.proof.clone(), &before, &after, &learns).map_err(|problem| broken_proof(&problem))?;
        let mut hasher = blake3::Hasher::new();
        for (row, mirrored) in (0..steps).flat_map(|step| self.rows(step)) {
            hasher.update(&(row as u64).to_le_bytes()).update(&[u8::from(mirrored)]);
        }
        Ok(Proof { batches: hasher.finalize().to_hex().to_string(), ..proof })
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
        let passed = match self.frozen.get() {
            Some(Some(frozen)) => frozen.pass(&self.design, &bound, &rows, &examples),
            _ => self.design.pass(&bound, norms, &examples),
        };
        let passed = passed.map_err(|error| unfit(&error))?;
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
        let proof = self.proven(&now.best)?;
        let mut outputs = self.outputs_of(&now.best, &self.order.judged)?;
        let width = self.answers.outputs();
        let mut best = Parameters { list: now.best, learns: now.parameters.learns };
        self.unscale(&mut best, &mut outputs);
        let shape = vec![self.order.judged.len(), width];
        let named = [("outputs".to_owned(), shape, outputs.as_slice())];
        checkpoint::write(&self.order.folder.join(OUTPUTS), &file(named.into_iter(), None)?)?;
        if self.order.keeps >= Keeps::Weights {
            checkpoint::write(&self.order.folder.join(WEIGHTS), &best.file()?)?;
        }
        let named_in_graph = if self.order.keeps == Keeps::Graph { Some(self.write_graph(&best.list)?) } else { None };
        let changed = best.list.iter().zip(&self.start.list).filter(|(after, before)| after.values != before.values);
        let outcome = TrainingOutcome {
            steps: now.state.step,
            best_step: now.state.best_step,
            stopped_early: now.state.step < self.order.recipe.steps,
            trained_parameters: best.learning(),
            changed_tensors: changed.count(),
            curve: now.state.curve,
            unreadable: vec![],
            proof,
            blocks: self.design.block_facts(),
            can_be_graph: graphs::can_write(&self.design, self.pooling()),
            named_in_graph,
            usual_tokens: None,
            seconds: now.state.seconds,
        };
        Checkpoint::remove(&self.order.folder);
        Ok(outcome)
    }

    /// How the states of texts become vectors.
    fn pooling(&self) -> Option<TokenPooling> {
        match &self.order.plan.input {
            ModelInput::Texts(settings) => Some(settings.pooling),
            ModelInput::Pictures(_) => None,
        }
    }

    /// Writes the network with its head as an ONNX file; what the head and the features are called in it.
    fn write_graph(&self, list: &[Filled]) -> Result<[String; 2], ModelError> {
        let Some((network, [weight, bias])) = list.split_last_chunk::<2>() else { return Err(ModelError::Stopped) };
        let composed = graphs::onnx(&self.design, network, [weight, bias], self.pooling())?;
        checkpoint::write(&self.order.folder.join(GRAPH), &composed.bytes)?;
        Ok([composed.logits, composed.features])
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

#[cfg(test)]
impl Session<'_> {
    /// Plants a fault: parameters that begin so are in no optimizer.
    pub fn forget(&mut self, start: &str) {
        self.set_learns(start, false);
    }

    /// Plants a fault: parameters that begin so learn, whatever was planned.
    pub fn remember(&mut self, start: &str) {
        self.set_learns(start, true);
    }

    fn set_learns(&mut self, start: &str, value: bool) {
        let named = self.start.list.iter().zip(&mut self.start.learns).filter(|(it, _)| it.name.starts_with(start));
        named.for_each(|(_, learns)| *learns = value);
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

/// A network that is not what was planned: nothing may be concluded from its training.
fn broken_proof(problem: &str) -> ModelError {
    ModelError::Unfit(format!(
        "what was to be trained is not what was planned: {problem}. This is a fault of zoologist"
    ))
}

fn unfit(error: &RunError) -> ModelError {
    ModelError::Unfit(error.to_string())
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

//! One training, from an order to weights.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use zoologist::extract::onnx::ModelError;
use zoologist::extract::runtime::NativeBytes;
use zoologist::extract::training::proof::{self, Shown};
use zoologist::extract::training::{
    Answers, Batch, Checkup, Examples, GRAPH, Keeps, Norms, OUTPUTS, Proof, TrainingOrder, TrainingOutcome, WEIGHTS,
    Watch,
};
use zoologist::zoo::{ModelInput, TokenPooling};

use super::checkpoint::{self, Checkpoint, State};
use super::frozen::FrozenStates;
use super::lessons::Lessons;
use super::optimizer::{self, Moments};
use super::parameters::{Parameters, file, is_statistic};
use super::passes::{PART, Passes, rows_of_step};
use super::selection::{is_as_good, is_progress};
use super::start::{self, Beginning};
use crate::design::{Design, Filled};
use crate::graphs;
use crate::operations::numbers;
use crate::scope::{BatchNorms, BatchStatistics, Tensors};
use crate::weights::Weights;

/// Below so many numbers a checkpoint costs nothing, and is written at every checkup too.
const SMALL: usize = 1 << 20;
/// A checkpoint is written at least this often, unless writing it would take more than [`WRITING`] of the time.
const CHECKPOINT: Duration = Duration::from_secs(20);
/// One part in so many.
const WRITING: u32 = 40;
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
        let (mut begun, mut written, mut pause) = (Instant::now(), Instant::now(), CHECKPOINT);
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
        while now.state.step < recipe.steps && now.state.without_progress < recipe.patience {
            self.step(&mut now)?;
            let checks = now.state.step.is_multiple_of(recipe.checkup) || now.state.step == recipe.steps;
            if checks && validates {
                self.check_up(&mut now)?;
            }
            let stopped = self.stop.load(Ordering::Relaxed);
            if written.elapsed() > pause || (checks && small) || stopped {
                now.state.seconds += begun.elapsed().as_secs_f64();
                (begun, written) = (Instant::now(), Instant::now());
                now.write(&self.order.folder)?;
                pause = CHECKPOINT.max(written.elapsed() * WRITING);
            }
            if stopped {
                return Err(ModelError::Stopped);
            }
        }
        now.state.seconds += begun.elapsed().as_secs_f64();
        if !validates {
            now.kept.clone_from(&now.parameters.list);
            now.state.kept_step = now.state.step;
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
        let learns =
            |shown: &Shown| steps > 0 && start::is_meant_to_learn(&self.design, self.order.recipe.freeze, shown);
        let proof =
            proof::check_end(self.proof.clone(), &before, &after, &learns).map_err(|problem| broken_proof(&problem))?;
        let mut hasher = blake3::Hasher::new();
        for (row, mirrored) in (0..steps).flat_map(|step| self.rows(step)) {
            hasher.update(&(row as u64).to_le_bytes()).update(&[u8::from(mirrored)]);
        }
        Ok(Proof { batches: hasher.finalize().to_hex().to_string(), ..proof })
    }

    fn beginning(&self) -> Checkpoint<State> {
        let state = State { step: 0, kept_step: 0, without_progress: 0, since: [0.0; 2], curve: vec![], seconds: 0.0 };
        let moments = Moments::new(&self.start, self.order.recipe.optimizer);
        // Without validation those of the last step are kept: there is nothing to hold beside them.
        let kept = if self.order.validation.is_empty() { vec![] } else { self.start.list.clone() };
        Checkpoint { state, parameters: self.start.clone(), kept, moments }
    }

    fn rows(&self, step: usize) -> Vec<(usize, bool)> {
        let recipe = &self.order.recipe;
        rows_of_step(self.order.seed, &self.order.training, recipe.batch, recipe.mirror, step)
    }

    fn passes(&self) -> Passes<'_> {
        let Self { design, answers, examples, watch, stop, .. } = self;
        Passes { design, answers, examples: *examples, watch: *watch, stop }
    }

    fn step(&self, now: &mut Checkpoint<State>) -> Result<(), ModelError> {
        let (recipe, step) = (&self.order.recipe, now.state.step);
        let rows = self.rows(step);
        // A batch norm that trains must see the whole batch.
        let part = if recipe.norms == Norms::Training { rows.len() } else { PART };
        let norms = match recipe.norms {
            Norms::Frozen => BatchNorms::Frozen,
            Norms::Training => BatchNorms::Training,
        };
        let pass = |bound: &Tensors, rows: &[usize], examples: &Batch| match self.frozen.get() {
            Some(Some(frozen)) => frozen.pass(&self.design, bound, rows, examples),
            _ => self.design.pass(bound, norms, examples),
        };
        let term = |features, rows: &[usize]| self.teachers.as_ref().map(|lessons| lessons.term(features, rows));
        let mut slope = self.passes().slope(&now.parameters, &rows, part, &pass, &term)?;
        let length = optimizer::cut(&mut slope.gradients, recipe.clip);
        self.refuse_divergence(now, slope.loss, length)?;
        optimizer::step(&mut now.parameters, &mut now.moments, &slope.gradients, recipe, step);
        keep_statistics(&mut now.parameters, &slope.statistics);
        now.state.step += 1;
        now.state.since[0] += slope.loss * rows.len() as f64;
        now.state.since[1] += rows.len() as f64;
        self.watch.learned(rows.len());
        Ok(())
    }

    fn refuse_divergence(&self, now: &Checkpoint<State>, loss: f64, length: f64) -> Result<(), ModelError> {
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

    /// The outputs for some rows; network and head as they are in `list`.
    fn outputs_of(&self, list: &[Filled], rows: &[usize]) -> Result<Vec<f32>, ModelError> {
        let parameters = Parameters { list: list.to_vec(), learns: vec![false; list.len()] };
        self.passes().outputs(&parameters, rows)
    }

    /// Looks at the validation rows, and keeps the weights unless earlier ones did clearly better.
    fn check_up(&self, now: &mut Checkpoint<State>) -> Result<(), ModelError> {
        let rows = &self.order.validation;
        let [validation_loss, validation_score] = self.passes().judged(&now.parameters, rows)?;
        let [loss, samples] = std::mem::take(&mut now.state.since);
        let checkup = Checkup {
            step: now.state.step,
            training_loss: (samples > 0.0).then(|| loss / samples),
            validation_loss,
            validation_score,
        };
        let state = &mut now.state;
        if is_as_good(&checkup, &state.curve, &self.answers, rows.len()) {
            now.kept.clone_from(&now.parameters.list);
            state.kept_step = state.step;
        }
        if is_progress(&checkup, &state.curve) {
            state.without_progress = 0;
        } else if state.step as f64 > self.order.recipe.warm_up * self.order.recipe.steps as f64 {
            // Small steps can't be expected to help yet.
            state.without_progress += 1;
        }
        state.curve.push(checkup);
        Ok(())
    }

    /// Writes the weights that are kept and what they say of the judged rows.
    fn finish(&self, now: Checkpoint<State>) -> Result<TrainingOutcome, ModelError> {
        let proof = self.proven(&now.kept)?;
        let mut outputs = self.outputs_of(&now.kept, &self.order.judged)?;
        let width = self.answers.outputs();
        let mut kept = Parameters { list: now.kept, learns: now.parameters.learns };
        self.unscale(&mut kept, &mut outputs);
        let shape = vec![self.order.judged.len(), width];
        let named = [("outputs".to_owned(), shape, outputs.as_slice())];
        checkpoint::write(&self.order.folder.join(OUTPUTS), &file(named.into_iter(), None)?)?;
        if self.order.keeps >= Keeps::Weights {
            checkpoint::write(&self.order.folder.join(WEIGHTS), &kept.file()?)?;
        }
        let named_in_graph = if self.order.keeps == Keeps::Graph { Some(self.write_graph(&kept.list)?) } else { None };
        let changed = kept.list.iter().zip(&self.start.list).filter(|(after, before)| after.values != before.values);
        let outcome = TrainingOutcome {
            steps: now.state.step,
            kept_step: now.state.kept_step,
            stopped_early: now.state.step < self.order.recipe.steps,
            trained_parameters: kept.learning(),
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
        checkpoint::remove(&self.order.folder);
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
    fn unscale(&self, kept: &mut Parameters, outputs: &mut [f32]) {
        if self.scales.is_empty() {
            return;
        }
        let width = self.scales.len();
        for (place, output) in outputs.iter_mut().enumerate() {
            let [mean, deviation] = self.scales[place % width];
            *output = *output * deviation + mean;
        }
        let count = kept.list.len();
        let dim = self.design.dim();
        for (place, weight) in kept.list[count - 2].values.iter_mut().enumerate() {
            *weight *= self.scales[place / dim][1];
        }
        for (bias, [mean, deviation]) in kept.list[count - 1].values.iter_mut().zip(&self.scales) {
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

/// A network that is not what was planned: nothing may be concluded from its training.
fn broken_proof(problem: &str) -> ModelError {
    ModelError::Unfit(format!(
        "what was to be trained is not what was planned: {problem}. This is a fault of zoologist"
    ))
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

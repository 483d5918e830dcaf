//! A search with shared weights: each step trains one path; between steps the searcher asks for paths and is told how well
//! they do.
//!
//! ```text
//! warm-up: paths drawn evenly, each operation equally often
//!    │
//!    ▼
//! rounds: ROUND steps of paths from the distribution ─► ask two paths, evaluate both with the same weights, tell
//!    │
//!    ▼
//! short list (most probable, best seen, drawn) on all validation rows ─► what was found
//! ```
//!
//! Every path of a step comes from the seed, the step's number and what was told; what was told is the history. So a
//! checkpoint is the weights, their momentum and the history.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use zoologist::base::{Seed, Stream, path_text};
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::{
    Examples, Freeze, Norms, OneShot, Optimizer, PathPer, Recipe, Start, SupernetOrder, SupernetOutcome, Watch,
    folder_of,
};
use zoologist::search::{Architecture, Distribution, History, Searcher, Space, Trial};

use super::checkpoint::{self, Checkpoint};
use super::initial::{initial, of_head};
use super::optimizer::{self, Moments};
use super::parameters::{Parameters, file};
use super::passes::{PART, Passes, rows_of_step};
use crate::architecture::Parameter;
use crate::design::{Design, Filled};
use crate::image::{self, PictureNetwork, Searched};
use crate::scope::BatchNorms;

/// Steps of the shared weights before two paths are evaluated.
const ROUND: usize = 10;
/// A checkpoint is written at least this often.
const CHECKPOINT: Duration = Duration::from_secs(20);
/// Parts of the steps whose mean losses are told.
const PARTS: usize = 20;
/// The length that gradients are cut to (Liu et al., arXiv:1806.09055, appendix A).
const CLIP: f64 = 5.0;
/// Draws for each place of the short list, since some repeat.
const DRAWS: usize = 20;

/// Searches as an order says; see [`zoologist::extract::training::Trainer::search`].
pub fn search(
    order: &SupernetOrder,
    examples: &dyn Examples,
    watch: &dyn Watch,
    stop: &AtomicBool,
) -> Result<SupernetOutcome, ModelError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(order.threads).build();
    let pool = pool.map_err(|error| ModelError::Unfit(error.to_string()))?;
    let supernet = Supernet::new(order, examples, watch, stop)?;
    pool.install(|| supernet.run())
}

/// Where a search stands beside the weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    step: usize,
    history: History,
    entropies: Vec<Vec<f64>>,
    /// Sum and number of the losses of each part of the steps.
    losses: Vec<[f64; 2]>,
    multiply_adds: f64,
    seconds: f64,
}

struct Supernet<'a> {
    order: &'a SupernetOrder,
    space: Space,
    /// Where each shared parameter stands.
    places: HashMap<String, usize>,
    /// For the optimizer.
    recipe: Recipe,
    examples: &'a dyn Examples,
    watch: &'a dyn Watch,
    stop: &'a AtomicBool,
}

impl<'a> Supernet<'a> {
    fn new(
        order: &'a SupernetOrder,
        examples: &'a dyn Examples,
        watch: &'a dyn Watch,
        stop: &'a AtomicBool,
    ) -> Result<Self, ModelError> {
        if order.training.is_empty() || order.validation.is_empty() {
            return Err(ModelError::Unfit("there are too few samples to search with".to_owned()));
        }
        let space = image::space(order.skeleton, order.edge, [order.most_parameters, order.most_multiply_adds]);
        let checked = space.check(&mut order.seed.stream("search", "check"));
        checked.map_err(|error| ModelError::Unfit(error.to_string()))?;
        let shared = image::shared_parameters(order.skeleton);
        let places = shared.iter().enumerate().map(|(place, it)| (it.name.clone(), place)).collect();
        let recipe = Recipe {
            start: Start::Random,
            alteration: None,
            freeze: Freeze::Nothing,
            norms: Norms::Frozen,
            head: None,
            optimizer: Optimizer::Sgd,
            learning_rate: order.learning_rate,
            head_factor: 1.0,
            weight_decay: order.weight_decay,
            batch: order.batch,
            steps: order.steps,
            warm_up: 0.1,
            clip: CLIP,
            checkup: order.steps,
            patience: order.steps,
            mirror: false,
            teachers: None,
        };
        Ok(Self { order, space, places, recipe, examples, watch, stop })
    }

    fn run(&self) -> Result<SupernetOutcome, ModelError> {
        let mut now = self.beginning().or_resumed(&self.order.folder);
        let mut searcher = self.order.method.searcher(&self.space, self.order.seed, self.evaluations() as f64);
        let foreign = |_| ModelError::Unfit("the checkpoint is of another search".to_owned());
        now.state.history.replay(searcher.as_mut()).map_err(foreign)?;
        self.watch.learned(now.state.step * self.order.batch);
        let (mut begun, mut written) = (Instant::now(), Instant::now());
        // The path that an epoch trains, where it is one.
        let mut of_epoch: Option<Trial> = None;
        while now.state.step < self.order.steps {
            let path = self.path(now.state.step, searcher.as_mut(), &mut of_epoch);
            self.step(&mut now, &path)?;
            let step = now.state.step;
            match self.order.path_per {
                PathPer::Epoch if step.is_multiple_of(self.epoch()) => {
                    if let Some(trial) = of_epoch.take() {
                        self.evaluate(&mut now, searcher.as_mut(), &trial)?;
                    }
                }
                PathPer::Step if step > self.warm_steps() && (step - self.warm_steps()).is_multiple_of(ROUND) => {
                    for _ in 0..2 {
                        let Some(trial) = searcher.ask() else { break };
                        self.evaluate(&mut now, searcher.as_mut(), &trial)?;
                    }
                }
                _ => {}
            }
            let stopped = self.stop.load(Ordering::Relaxed);
            if written.elapsed() > CHECKPOINT || stopped {
                now.state.seconds += begun.elapsed().as_secs_f64();
                now.write(&self.order.folder)?;
                (begun, written) = (Instant::now(), Instant::now());
            }
            if stopped {
                return Err(ModelError::Stopped);
            }
        }
        now.state.seconds += begun.elapsed().as_secs_f64();
        self.finish(now, searcher.as_ref())
    }

    /// Steps in which nothing is learned of the paths; whole epochs where a path is trained for one.
    fn warm_steps(&self) -> usize {
        let steps = (self.order.warm_up * self.order.steps as f64).ceil() as usize;
        match self.order.path_per {
            PathPer::Step => steps,
            PathPer::Epoch => steps.div_ceil(self.epoch()) * self.epoch(),
        }
    }

    fn epoch(&self) -> usize {
        self.order.training.len().div_ceil(self.order.batch).max(1)
    }

    /// Evaluations that the steps leave time for.
    fn evaluations(&self) -> usize {
        let left = self.order.steps.saturating_sub(self.warm_steps());
        match self.order.path_per {
            PathPer::Step => left / ROUND * 2,
            PathPer::Epoch => left / self.epoch(),
        }
    }

    fn beginning(&self) -> Checkpoint<Progress> {
        // What stands for all architectures when it comes to how parameters start.
        let any = self.design(&vec![0; self.space.choices.len()]);
        let fill =
            |it: Parameter| Filled { values: initial(&any, &it, self.order.seed), name: it.name, shape: it.shape };
        let mut list: Vec<Filled> = image::shared_parameters(self.order.skeleton).into_iter().map(fill).collect();
        let (outputs, dim, name) = (self.order.answers.outputs(), any.dim(), any.classifier());
        list.push(Filled {
            name: format!("{name}.weight"),
            shape: vec![outputs, dim],
            values: of_head(outputs * dim, self.order.seed),
        });
        list.push(Filled { name: format!("{name}.bias"), shape: vec![outputs], values: vec![0.0; outputs] });
        let learns = vec![true; list.len()];
        let parameters = Parameters { list, learns };
        let moments = Moments::new(&parameters, Optimizer::Sgd);
        let state = Progress {
            step: 0,
            history: History::default(),
            entropies: vec![],
            losses: vec![[0.0; 2]; PARTS],
            multiply_adds: 0.0,
            seconds: 0.0,
        };
        Checkpoint { state, parameters, kept: vec![], moments }
    }

    fn design(&self, architecture: &[u8]) -> Design {
        Design::Pictures(PictureNetwork::Searched(Searched::new(self.order.skeleton, architecture.to_vec())))
    }

    /// The path of a step.
    fn path(&self, step: usize, searcher: &mut dyn Searcher, of_epoch: &mut Option<Trial>) -> Architecture {
        let stream = |what: &str, number: usize| self.order.seed.stream(what, &number.to_string());
        let learns = step >= self.warm_steps();
        if self.order.path_per == PathPer::Epoch {
            let epoch = step / self.epoch();
            if !learns {
                return self.even(epoch);
            }
            // Asked for once an epoch, and once more after an interruption within it: what was not told is asked again.
            if of_epoch.is_none() && epoch < self.order.steps / self.epoch() {
                *of_epoch = searcher.ask();
            }
            let drawn = || self.space.uniform(&mut stream("path of an epoch", epoch));
            return of_epoch.as_ref().map_or_else(drawn, |trial| trial.architecture.clone());
        }
        match searcher.distribution() {
            Some(distribution) if learns => distribution.sample(&self.space, &mut stream("path of a step", step)),
            _ => self.even(step),
        }
    }

    /// Architecture number so and so of a sequence in which every option of a choice comes equally often.
    fn even(&self, number: usize) -> Architecture {
        let option = |(place, choice): (usize, &zoologist::search::Choice)| {
            let count = choice.options.len();
            let mut stream = self.order.seed.stream("even paths", &format!("{place} {}", number / count));
            let mut options: Vec<u8> = (0..count).map(|option| option as u8).collect();
            stream.shuffle(&mut options);
            options[number % count]
        };
        let path: Architecture = self.space.choices.iter().enumerate().map(option).collect();
        if self.space.allows(&path) {
            return path;
        }
        self.space.uniform(&mut self.order.seed.stream("even paths", &number.to_string()))
    }

    /// The parameters of a path, and where each stands among the shared ones.
    fn parameters_of(&self, design: &Design, shared: &Parameters) -> (Parameters, Vec<usize>) {
        let of_head = shared.list.len() - 2..shared.list.len();
        let own = design.contents().parameters.into_iter().map(|it| self.places[&it.name]);
        let places: Vec<usize> = own.chain(of_head).collect();
        let list: Vec<Filled> = places.iter().map(|&place| shared.list[place].clone()).collect();
        let learns = vec![true; list.len()];
        (Parameters { list, learns }, places)
    }

    fn passes<'b>(&'b self, design: &'b Design) -> Passes<'b> {
        let Self { order, examples, watch, stop, .. } = self;
        Passes { design, answers: &order.answers, examples: *examples, watch: *watch, stop }
    }

    fn step(&self, now: &mut Checkpoint<Progress>, path: &[u8]) -> Result<(), ModelError> {
        let (design, step) = (self.design(path), now.state.step);
        let (parameters, places) = self.parameters_of(&design, &now.parameters);
        let rows = rows_of_step(self.order.seed, &self.order.training, self.order.batch, false, step);
        let pass = |bound: &_, _: &[usize], examples: &_| design.pass(bound, BatchNorms::Frozen, examples);
        let mut slope = self.passes(&design).slope(&parameters, &rows, PART, &pass, &|_, _| None)?;
        let length = optimizer::cut(&mut slope.gradients, CLIP);
        if !slope.loss.is_finite() || !length.is_finite() {
            return Err(ModelError::Unfit(format!(
                "the search diverged at step {}: set --learning-rate lower, for example {:.1e} in place of {:.1e}",
                step + 1,
                self.order.learning_rate / 10.0,
                self.order.learning_rate
            )));
        }
        let mut gradients = vec![vec![]; now.parameters.list.len()];
        for (gradient, place) in slope.gradients.into_iter().zip(places) {
            gradients[place] = gradient;
        }
        optimizer::step(&mut now.parameters, &mut now.moments, &gradients, &self.recipe, step);
        let part = &mut now.state.losses[step * PARTS / self.order.steps];
        *part = [part[0] + slope.loss, part[1] + 1.0];
        now.state.multiply_adds += 3.0 * rows.len() as f64 * self.cost(path)[1];
        now.state.step += 1;
        self.watch.learned(rows.len());
        Ok(())
    }

    /// Evaluates a path on a sample of the validation rows, the same for both of a pair, and tells the searcher.
    fn evaluate(
        &self,
        now: &mut Checkpoint<Progress>,
        searcher: &mut dyn Searcher,
        trial: &Trial,
    ) -> Result<(), ModelError> {
        let mut stream = self.order.seed.stream("rows of an evaluation", &now.state.step.to_string());
        let mut rows = self.order.validation.clone();
        stream.shuffle(&mut rows);
        rows.truncate(self.order.evaluated_on.max(1));
        let accuracy = self.accuracy(&now.parameters, &trial.architecture, &rows)?;
        now.state.multiply_adds += rows.len() as f64 * self.cost(&trial.architecture)[1];
        searcher.tell(trial, accuracy);
        now.state.history.push(trial.clone(), accuracy);
        now.state.entropies.extend(searcher.distribution().map(Distribution::entropies));
        Ok(())
    }

    /// The share of right ones with the shared weights.
    fn accuracy(&self, shared: &Parameters, architecture: &[u8], rows: &[usize]) -> Result<f64, ModelError> {
        let design = self.design(architecture);
        let (parameters, _) = self.parameters_of(&design, shared);
        let [_, score] = self.passes(&design).judged(&parameters, rows)?;
        Ok(score)
    }

    /// Parameters and multiply-adds of an architecture.
    fn cost(&self, architecture: &[u8]) -> [f64; 2] {
        image::cost(self.order.skeleton, self.order.edge, architecture)
    }

    fn finish(&self, now: Checkpoint<Progress>, searcher: &dyn Searcher) -> Result<SupernetOutcome, ModelError> {
        let distribution = searcher.distribution().cloned();
        let shot = |architecture: &Architecture| self.one_shot(&now.parameters, architecture);
        let list = self.short_list(distribution.as_ref(), &now.state.history);
        let short_list = list.iter().map(shot).collect::<Result<Vec<OneShot>, _>>()?;
        let best = short_list.iter().fold(None, |best: Option<&OneShot>, shot| match best {
            Some(best) if best.accuracy >= shot.accuracy => Some(best),
            _ => Some(shot),
        });
        let found = best.cloned().ok_or_else(|| ModelError::Unfit("the short list is empty".to_owned()))?;
        let most_probable = distribution.is_some().then(|| short_list[0].clone());
        let drawn = self.drawn().iter().map(shot).collect::<Result<Vec<OneShot>, _>>()?;
        let largest = shot(&self.largest())?;
        let all = [&found, &largest].into_iter().chain(&most_probable).chain(&drawn);
        all.into_iter().try_for_each(|it| self.write(it))?;
        let outcome = SupernetOutcome {
            space: self.space.clone(),
            distribution,
            entropies: now.state.entropies,
            most_probable,
            found,
            short_list,
            largest,
            drawn,
            losses: now.state.losses.iter().map(|[sum, count]| sum / count.max(1.0)).collect(),
            multiply_adds: now.state.multiply_adds,
            unreadable: vec![],
            seconds: now.state.seconds,
            history: now.state.history,
        };
        checkpoint::remove(&self.order.folder);
        Ok(outcome)
    }

    fn one_shot(&self, shared: &Parameters, architecture: &Architecture) -> Result<OneShot, ModelError> {
        let accuracy = self.accuracy(shared, architecture, &self.order.validation)?;
        let [parameters, multiply_adds] = self.cost(architecture);
        let searched = Searched::new(self.order.skeleton, architecture.clone());
        let (edge, how) = (self.order.edge, &self.order.preprocessing);
        let mut config = searched.config();
        config["pretrained_cfg"] = json!({
            "input_size": [3, edge, edge],
            "mean": how.mean,
            "std": how.std,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
        });
        let architecture = architecture.clone();
        Ok(OneShot { architecture, accuracy, parameters, multiply_adds, config: format!("{config:#}\n") })
    }

    /// The most probable architecture, the best that was seen, and others drawn from what was learned.
    fn short_list(&self, distribution: Option<&Distribution>, history: &History) -> Vec<Architecture> {
        let mut stream = self.order.seed.stream("search", "short list");
        let built = |architecture: &[u8], stream: &mut Stream| {
            let mut weight = |choice: usize| match distribution {
                Some(Distribution(learned)) => learned[choice][usize::from(architecture[choice])],
                None => stream.unit(),
            };
            image::pruned(self.order.skeleton, architecture, &mut weight)
        };
        let most_probable = distribution.map(|it| it.most_probable(&self.space));
        let seen = history.best().map(|(architecture, _)| architecture.clone());
        let mut list: Vec<Architecture> =
            most_probable.into_iter().chain(seen).map(|it| built(&it, &mut stream)).collect();
        for _ in 0..DRAWS * self.order.short_list {
            if list.len() >= self.order.short_list.max(2) {
                break;
            }
            let drawn = match distribution {
                Some(distribution) => distribution.sample(&self.space, &mut stream),
                None => self.space.uniform(&mut stream),
            };
            let drawn = built(&drawn, &mut stream);
            if !list.contains(&drawn) {
                list.push(drawn);
            }
        }
        let mut known = HashSet::new();
        list.retain(|architecture| known.insert(architecture.clone()));
        list
    }

    /// Different architectures, drawn evenly. They depend on the space and on a seed of their own, not on how it was searched.
    fn drawn(&self) -> Vec<Architecture> {
        let mut stream = self.order.drawn_seed.stream("search", "drawn evenly");
        let mut drawn: Vec<Architecture> = vec![];
        for _ in 0..DRAWS * self.order.drawn {
            if drawn.len() == self.order.drawn {
                break;
            }
            let architecture = self.space.uniform(&mut stream);
            let architecture = image::pruned(self.order.skeleton, &architecture, &mut |_| stream.unit());
            if !drawn.contains(&architecture) {
                drawn.push(architecture);
            }
        }
        drawn
    }

    /// The costliest option in every place, or what is nearest to it within the limits.
    fn largest(&self) -> Architecture {
        let costs = image::options_cost(self.order.skeleton, self.order.edge);
        let even = |options: &Vec<f64>| {
            let sum: f64 = options.iter().sum();
            options.iter().map(|cost| cost / sum.max(1.0)).collect()
        };
        let largest = Distribution(costs.iter().map(even).collect()).most_probable(&self.space);
        image::pruned(self.order.skeleton, &largest, &mut |choice| costs[choice][usize::from(largest[choice])])
    }

    /// Writes an architecture as the folder of a model that nobody has trained.
    fn write(&self, shot: &OneShot) -> Result<(), ModelError> {
        let folder = self.order.folder.join(folder_of(&shot.architecture));
        let write = |path: &Path, bytes: &[u8]| checkpoint::write(path, bytes);
        std::fs::create_dir_all(&folder)
            .map_err(|error| ModelError::Unfit(format!("{} can't be created: {error}", path_text::show(&folder))))?;
        let design = self.design(&shot.architecture);
        let parameters = design.contents().parameters;
        // Not those that a training with the same seed will draw: it has to show that its weights are new.
        let seed = Seed(!self.order.seed.0);
        let values: Vec<Vec<f32>> = parameters.iter().map(|it| initial(&design, it, seed)).collect();
        let tensors = parameters.into_iter().zip(&values).map(|(it, values)| (it.name, it.shape, values.as_slice()));
        write(&folder.join("model.safetensors"), &file(tensors, None)?)?;
        write(&folder.join("config.json"), shot.config.as_bytes())
    }
}

#[cfg(test)]
#[path = "supernet_tests.rs"]
mod tests;

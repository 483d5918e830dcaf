//! `search recipe`: which model of a zoo, which of its layers, how its features are normalised, which way of using them (a
//! head, or fine-tuning), and at which learning rate, for these samples.
//!
//! ```text
//! samples ─► learned from | validation | judged          zoo ─► features of three layers of each model
//!                                                          │
//!            LogME of each model ─► prior over models ─► searcher ─ask─► head trained on a share of the samples
//!                                                          ▲                    │
//!                                                          └──────tell──────────┘ right on the validation samples
//!                                                          │
//!                                                          └─► the best ─► trained on all of both ─► judged, once
//! ```
//!
//! Where it is asked for, a recipe may fine-tune: its training is a worker's, and is kept in the store, so that a search that
//! was killed finds it again.
//!
//! An evaluation on a share of the samples costs that share of a full one. `--compare` evaluates every recipe and lets every
//! searcher find its way through that table, many times, with the same prior: what each loses against the best recipe.

mod finetuning;
mod ground;
mod result;
mod tournament;

use std::path::PathBuf;
use std::time::Instant;

pub use result::{Factor, ModelPrior, OptionOfFactor, Race, RecipeFound, RecipeSearch, RecipeTiming, Standing, Tried};

use super::plan::Progress;
use super::samples::{self, Take};
use super::tuning;
use super::{Error, Skipped};
use crate::base::Seed;
use crate::base::path_text::{escape, show};
use crate::data::TableOptions;
use crate::extract::launch::Machinery;
use crate::search::{Distribution, History, Method, Searcher};
use crate::zoo::{self, Access};
use finetuning::Workers;
use ground::Ground;

/// What a search is called, for whoever watches: in quarters of a full evaluation.
const SEARCH: &str = "search of a recipe";

/// What to search, and how.
#[derive(Debug, Clone)]
pub struct RecipePlan {
    /// The data set.
    pub data: PathBuf,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// The zoo.
    pub zoo: PathBuf,
    /// A sample of so many beside a test split.
    pub samples: Option<usize>,
    /// The method.
    pub method: Method,
    /// Whether recipes may train the networks too, not only heads.
    pub finetunes: bool,
    /// Full evaluations.
    pub budget: f64,
    /// To compare all methods: with which budgets, and how many seeds.
    pub compare: Option<(Vec<f64>, usize)>,
    /// Fixes everything random.
    pub seed: Seed,
}

/// Searches a recipe.
pub fn run(
    plan: &RecipePlan,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<RecipeSearch, Error> {
    let begun = Instant::now();
    let zoo = zoo::open(&plan.zoo, access)?;
    let take = Take::up_to(plan.samples);
    let samples = samples::for_tuning(&plan.data, &plan.table, take, plan.seed, &machinery.store)?;
    samples.job.dataset.notes.iter().for_each(|note| progress.say(note));
    let ground = Ground::of(plan, &zoo, access, &samples, Workers { machinery, progress })?;
    let (space, prior) = (ground.space(), ground.prior());
    let mut searcher = plan.method.searcher_from(&space, &prior, plan.seed, plan.budget);
    let history = search(&ground, searcher.as_mut(), plan.budget, progress)?;
    let learned = searcher.distribution().cloned();
    let (best, validation) = history.best().map(|(recipe, value)| (recipe.clone(), value)).ok_or(Error::NoRows)?;
    let judgement = ground.judged(&best)?;
    let race = plan
        .compare
        .as_ref()
        .map(|(budgets, seeds)| tournament::race(&ground, &space, &prior, budgets, *seeds, plan.seed, progress));
    let race = race.transpose()?;
    let refused =
        zoo.refused.iter().map(|refused| Skipped { path: show(&refused.path), reason: refused.reason.clone() });
    let mut found = RecipeSearch {
        schema: 1,
        data: ground.summary(plan),
        method: plan.method.to_string(),
        budget: plan.budget,
        spent: history.spent(),
        prior: ground.named_prior(&prior),
        found: RecipeFound { recipe: ground.names(&best), validation, judgement },
        mattered: mattered(&ground, &history, learned.as_ref()),
        tried: history
            .0
            .iter()
            .map(|told| Tried {
                recipe: ground.names(&told.trial.architecture),
                fidelity: told.trial.fidelity,
                validation: told.value,
            })
            .collect(),
        race,
        answer: vec![],
        seed: plan.seed,
        skipped: refused
            .chain(ground.failed.iter().cloned())
            .chain(tuning::skipped(&samples, &ground.unreadable))
            .collect(),
        timing: RecipeTiming { seconds: 0.0 },
    };
    found.answer = answer(&found);
    found.timing.seconds = begun.elapsed().as_secs_f64();
    Ok(found)
}

fn search(
    ground: &Ground,
    searcher: &mut dyn Searcher,
    budget: f64,
    progress: &dyn Progress,
) -> Result<History, Error> {
    let mut history = History::default();
    let quarters = |amount: f64| (4.0 * amount).round() as usize;
    progress.begin(SEARCH, 0, quarters(budget));
    while let Some(trial) = searcher.ask() {
        progress.phase(&format!("recipe {}: {}", history.0.len() + 1, ground.names(&trial.architecture).join(", ")));
        let value = ground.evaluate(&trial.architecture, trial.fidelity);
        progress.advance(SEARCH, quarters(trial.fidelity));
        let value = value.inspect_err(|_| progress.end(SEARCH))?;
        searcher.tell(&trial, value);
        history.push(trial, value);
    }
    progress.end(SEARCH);
    Ok(history)
}

/// For each factor what its options came to: the mean of what was tried, less the mean of its fidelity, and how sure that
/// is; and what was learned.
fn mattered(ground: &Ground, history: &History, learned: Option<&Distribution>) -> Vec<Factor> {
    let at = |fidelity: f64| {
        history.0.iter().filter(move |told| told.trial.fidelity.to_bits() == fidelity.to_bits()).map(|told| told.value)
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let relative: Vec<(&[u8], f64)> = history
        .0
        .iter()
        .map(|told| {
            let others: Vec<f64> = at(told.trial.fidelity).collect();
            (&told.trial.architecture[..], told.value - mean(&others))
        })
        .collect();
    let option = |place: usize, number: usize, name: &String| {
        let values: Vec<f64> = relative
            .iter()
            .filter(|(recipe, _)| usize::from(recipe[place]) == number)
            .map(|(_, value)| *value)
            .collect();
        let paired = crate::score::paired::mean(&values);
        OptionOfFactor {
            name: name.clone(),
            tried: values.len(),
            gain: paired.map(|paired| paired.mean),
            // Two equal values show no spread, not that there is none.
            interval: paired.and_then(|paired| paired.interval).filter(|[low, high]| low < high),
            probability: learned.map(|Distribution(learned)| learned[place][number]),
        }
    };
    let factor = |(place, choice): (usize, &crate::search::Choice)| Factor {
        name: choice.name.clone(),
        options: choice.options.iter().enumerate().map(|(number, name)| option(place, number, name)).collect(),
    };
    ground.choices.iter().enumerate().map(factor).collect()
}

fn answer(found: &RecipeSearch) -> Vec<String> {
    let recipe: Vec<String> = found.found.recipe.iter().map(|part| escape(part)).collect();
    let judged = found.found.judgement.interval.map_or(String::new(), |[low, high]| format!(" [{low:.3}, {high:.3}]"));
    let value = found.found.judgement.value.unwrap_or(f64::NAN);
    let mut said = vec![format!("{}: accuracy {value:.3}{judged} on samples that no search saw.", recipe.join(", "))];
    for factor in &found.mattered {
        let sure = factor.options.iter().filter(|it| it.interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0));
        let sure: Vec<String> =
            sure.map(|it| format!("{} {:+.1} points", escape(&it.name), 100.0 * it.gain.unwrap_or(0.0))).collect();
        if !sure.is_empty() {
            said.push(format!("{} mattered: {}.", factor.name, sure.join(", ")));
        }
    }
    if said.len() == 1 {
        said.push("No factor mattered beyond chance among what was tried.".to_owned());
    }
    said
}

//! `layers --finetune`: trainings in which some blocks were changed before, paired with those of the whole network.
//!
//! ```text
//! look at the network ─► variants ─► cost of each ─► what fits the budget ─► runs (seed by seed, from the store) ─► rows ─► answer
//! ```
//!
//! A run is one training: kept in the store, resumed from its checkpoint. How long a step takes is
//! measured once and kept too, so that the same command, begun again, plans the same runs.

mod budget;
mod cost;
mod export;
mod runs;
mod table;
mod variants;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use variants::{Keep, Kind};

use super::layer_study::StudyPlan;
use super::plan::Progress;
use super::tuning::{self, Settings};
use super::{Error, candidate};
use crate::base::Fault;
use crate::extract::launch::Machinery;
use crate::extract::training::{BlockFacts, Mode};
use crate::extract::{LayerSet, NetworkPlan};
use crate::layers::LayerRow;
use crate::layers::studies::{self, CurveAgreement, Recipe, Studies, StudiesTiming, Study, StudyRow};
use crate::zoo::{Access, Model, ModelInput};
use cost::Cost;
use runs::Runs;
use table::Table;
use variants::{Asked, Variant};

/// What to study by training.
#[derive(Debug, Clone)]
pub struct Retraining {
    /// The studies.
    pub kinds: Vec<Kind>,
    /// What becomes of the changed blocks.
    pub modes: Vec<Mode>,
    /// Which depths the progressive study keeps.
    pub keep: Keep,
    /// Samples to learn from; empty: a quarter, a half and all.
    pub sizes: Vec<usize>,
    /// How many seeds.
    pub seeds: usize,
    /// Blocks of a window.
    pub window: usize,
    /// A loss up to this is no loss.
    pub delta: f64,
    /// Whether classes are judged by Matthews' correlation, not by the share of right ones.
    pub matthews: bool,
    /// How long all of it may take.
    pub budget: Option<Duration>,
    /// Whether the layers that are kept stay frozen: cheaper, and another question.
    pub freezes_kept: bool,
    /// What a person set about the training.
    pub settings: Settings,
    /// The folder for the shortened model.
    pub export: Option<PathBuf>,
}

/// What is planned: everything that a budget may take away from.
#[derive(Debug, Clone, PartialEq)]
struct Scope {
    sizes: Vec<usize>,
    seeds: usize,
    variants: Vec<Variant>,
}

/// What was probed, by the number of kept blocks whose last one is the layer.
struct Probes {
    /// The probe with its standard error.
    values: BTreeMap<usize, (f64, f64)>,
    /// The share of the forward pass up to it.
    shares: BTreeMap<usize, f64>,
}

/// What is studied.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The model.
    pub model: &'a Model,
    /// What was asked of it.
    pub plan: &'a StudyPlan,
    /// The layers of the same network, probed.
    pub probed: &'a [LayerRow],
    /// When all began: a budget counts from there.
    pub begun: Instant,
}

/// Makes the studies.
pub fn run(
    subject: Subject,
    retraining: &Retraining,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Studies, Error> {
    let Subject { model, plan, probed, begun } = subject;
    tuning::refuse_existing(retraining.export.as_deref())?;
    let network = candidate::plan(model, LayerSet::Last, plan.pooling);
    let mut runs = Runs::open(model, network, plan, retraining, machinery, progress)?;
    let look = runs.look()?;
    if retraining.export.is_some() && !look.can_be_graph {
        let reasons = "--export can't write this family of networks (or its pooling) as ONNX: leave it out".to_owned();
        return Err(Error::NoModel { path: model.name.clone(), reasons, fault: Fault::Input });
    }
    runs.network = within(runs.network.clone(), &retraining.settings, look.usual_tokens);
    let asked = Asked {
        kinds: &retraining.kinds,
        modes: &retraining.modes,
        keep: &retraining.keep,
        window: retraining.window,
        before: runs.before(),
        seed: plan.seed,
    };
    let (variants, impossible) = variants::all(&asked, &look.blocks);
    let scope = Scope { sizes: runs.sizes.clone(), seeds: retraining.seeds, variants };
    let probes = Probes::of(probed, &look.blocks, runs.is_text());
    let cost = Cost::measured(&runs, &probes.shares, look.blocks.len())?;
    let budget = retraining.budget.map(|budget| runs.left_of(budget, begun)).transpose()?;
    let (scope, mut gave_up) = budget::fitted(scope, &cost, budget)?;
    progress.say(&budget::announcement(&scope, &cost, budget, &gave_up));
    let estimated_seconds = cost.of_all(&scope);
    let mut table = Table::new(scope, cost, budget);
    table.fill(&mut runs, progress)?;
    if retraining.keep == Keep::Bisect {
        table.bisect(&mut runs, retraining, look.blocks.len(), progress)?;
    }
    gave_up.extend(table.missing());
    let rows = table.rows()?;
    let recipe = runs.recipe(&variants::How::AsItIs, None);
    let tokens = if let ModelInput::Texts(settings) = &runs.network.input { settings.max_tokens } else { None };
    let mut found = Studies {
        metric: table.metric(),
        before: runs.before(),
        contrasts: studies::contrasts(&rows, &table.scope.sizes),
        agreement: agreement(&rows, &table.scope, &probes, look.blocks.len(), plan),
        training: Recipe {
            steps: recipe.steps,
            batch: recipe.batch,
            learning_rate: recipe.learning_rate,
            tokens,
            freezes_kept: retraining.freezes_kept,
        },
        judged: runs.judged(),
        judged_on: runs.judged_on(),
        chance: table.chance(),
        delta: retraining.delta,
        seeds: (0..table.scope.seeds).map(|offset| plan.seed.0 + offset as u64).collect(),
        sizes: table.scope.sizes.clone(),
        blocks: look.blocks.into_iter().map(|block| block.name).collect(),
        rows,
        answer: vec![],
        gave_up,
        impossible,
        export: None,
        timing: StudiesTiming { estimated_seconds, seconds: table.seconds() },
    };
    if let Some(output) = &retraining.export {
        let exported = export::run(plan, retraining, &found, output, access, machinery, progress)?;
        found.export = Some(exported);
    }
    found.answer = studies::answer(&found);
    Ok(found)
}

/// The network as a person set it; texts are cut to what 95% of them do not exceed, if nothing else was said.
fn within(network: NetworkPlan, settings: &Settings, usual_tokens: Option<usize>) -> NetworkPlan {
    // A sequence has a first and a last token beside its words.
    let usual = usual_tokens.map(|tokens| tokens.max(3) as u32);
    let settings = Settings { length: settings.length.or(usual), ..settings.clone() };
    tuning::settings_of(network, &settings)
}

/// The probes beside the progressive study of the first mode, at the largest size.
fn agreement(
    rows: &[StudyRow],
    scope: &Scope,
    probes: &Probes,
    blocks: usize,
    plan: &StudyPlan,
) -> Option<CurveAgreement> {
    let largest = *scope.sizes.last()?;
    let mode = rows.iter().find(|row| row.study == Study::Progressive)?.mode;
    let mut points: Vec<(usize, &StudyRow)> = rows
        .iter()
        .filter(|row| row.n == largest && row.study == Study::Progressive && row.mode == mode)
        .filter_map(|row| Some((row.kept?, row)))
        .collect();
    points.push((blocks, studies::find(rows, largest, |row| row.study == Study::Unchanged)?));
    points.sort_by_key(|(kept, _)| *kept);
    studies::curve_agreement(&probes.values, &points, plan.seed)
}

/// The quantile of the normal distribution for 95%.
const NORMAL: f64 = 1.96;

impl Probes {
    /// Finds the layer of each depth. The layers of a text encoder are its states, counted from the embeddings; those of a
    /// network for pictures carry the names of its blocks, and what stands around them.
    fn of(rows: &[LayerRow], blocks: &[BlockFacts], is_text: bool) -> Self {
        let depth = |row: &LayerRow| -> Option<usize> {
            let index = row.index?;
            if is_text {
                return (index <= blocks.len()).then_some(index);
            }
            let own = blocks.iter().position(|block| block.name == row.name);
            match row.name.as_str() {
                "stem" => Some(0),
                "features" => Some(blocks.len()),
                _ => own.map(|block| block + 1),
            }
        };
        let mut found = Self { values: BTreeMap::new(), shares: BTreeMap::new() };
        // Where something follows the last block, it comes later and stands for the whole network.
        for (kept, row) in rows.iter().filter_map(|row| Some((depth(row)?, row))) {
            if let (Some(probe), Some([low, high])) = (row.probe, row.interval) {
                found.values.insert(kept, (probe, (high - low) / (2.0 * NORMAL)));
            }
            if let Some(share) = row.cost_share {
                found.shares.insert(kept, share);
            }
        }
        found
    }
}

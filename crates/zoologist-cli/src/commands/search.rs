//! `zoologist search`.

use std::path::Path;
use std::time::Duration;

use zoologist::base::Seed;
use zoologist::extract::training::{PathPer, Skeleton, SkeletonKind};
use zoologist::rank::Progress;
use zoologist::rank::recipes::{self, RecipePlan};
use zoologist::rank::searching::{self, ArchitectureSearch, SearchPlan};
use zoologist::report;
use zoologist::search::Method;
use zoologist::store::Store;
use zoologist::tabular::{self, Request};

use super::{machinery, outcome};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Amount, Global, PathPerName, RuntimeName, Search, SpaceName};
use crate::progress::Bars;

/// Seeds of a comparison on a table, where nothing else is said.
const SEEDS_OF_TABLE: u32 = 100;
/// Full evaluations of a search of a recipe, at least.
const LEAST_EVALUATIONS: f64 = 3.0;
/// Seeds of a comparison on recipes, where nothing else is said.
const SEEDS_OF_RECIPE: u32 = 20;
/// The method of a search of a recipe, where nothing else is said.
const METHOD_OF_RECIPE: &str = "top";
/// The method of a search that trains, where nothing else is said.
const METHOD: &str = "duel";

/// Steps of a search and of a training alone, where nothing else is said.
const STEPS: [u32; 2] = [600, 300];
/// Evaluations of a table, where nothing else is said.
const EVALUATIONS: [u32; 2] = [100, 200];

/// Runs the command.
pub fn run(global: &Global, options: &Search) -> Result<Outcome> {
    match (&options.tabular.table, options.space, &options.data) {
        (Some(table), ..) => of_table(global, options, table),
        (None, Some(SpaceName::Chain), Some(data)) => of_skeleton(global, options, SkeletonKind::Chain, data),
        (None, Some(SpaceName::Cells), Some(data)) => of_skeleton(global, options, SkeletonKind::Cells, data),
        (None, Some(SpaceName::Recipe), Some(data)) => of_recipe(global, options, data),
        _ => Err(Failure::usage("give a space and data (search chain DATA), or --table FILE.csv")),
    }
}

fn of_skeleton(global: &Global, options: &Search, kind: SkeletonKind, data: &Path) -> Result<Outcome> {
    let networks = &options.networks;
    if !networks.size.is_multiple_of(4) {
        return Err(Failure::usage("--size must be a multiple of 4: these networks halve their maps twice"));
    }
    let methods = if options.methods.is_empty() {
        vec![METHOD.parse().map_err(Failure::usage)?]
    } else {
        options.methods.clone()
    };
    refuse_fidelities(&methods, "shared weights have one")?;
    let (batch, rate) = match kind {
        SkeletonKind::Chain => (128, 0.2),
        SkeletonKind::Cells => (32, 0.05),
    };
    let budget = time_budget(options)?;
    let plan = SearchPlan {
        data: data.to_owned(),
        table: options.table_of_data.table().map_err(Failure::usage)?,
        skeleton: Skeleton { kind, channels: networks.channels.into() },
        edge: networks.size as usize,
        samples: networks.samples.map(|count| count as usize),
        methods,
        path_per: match networks.path_per {
            PathPerName::Step => PathPer::Step,
            PathPerName::Epoch => PathPer::Epoch,
        },
        steps: networks.steps.unwrap_or(STEPS[0]) as usize,
        warm_up: networks.warm_up,
        batch: networks.batch.unwrap_or(batch).into(),
        learning_rate: networks.learning_rate.unwrap_or(rate),
        most_parameters: networks.max_params,
        most_multiply_adds: networks.max_madds,
        seeds: options.seeds.unwrap_or(1) as usize,
        training_steps: networks.training_steps.unwrap_or(STEPS[1]) as usize,
        trainings: networks.trainings as usize,
        drawn: networks.drawn as usize,
        shuffles: networks.shuffle_labels,
        output: networks.output.clone(),
        budget,
        seed: Seed(global.seed),
    };
    let machinery = machinery::machinery(global, RuntimeName::Auto, &options.limits, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let found = searching::run(&plan, &machinery::access(global, &say), &machinery, &progress)?;
    drop(progress);
    write_report(options, &found)?;
    print(&if global.json {
        report::json::to_string(&found)
    } else {
        report::architecture::search(&found, super::terminal_width())
    })?;
    Ok(outcome(global, !found.skipped.is_empty()))
}

fn of_recipe(global: &Global, options: &Search, data: &Path) -> Result<Outcome> {
    let Some(zoo) = &options.recipes.zoo else {
        return Err(Failure::usage("search recipe needs --zoo ZOO: a folder of model folders"));
    };
    if !options.budget.is_empty() {
        return Err(Failure::usage("the budget of a recipe is --evaluations: leave --budget out"));
    }
    let method = match &options.methods[..] {
        [] => METHOD_OF_RECIPE.parse().map_err(Failure::usage)?,
        [method] => *method,
        _ => return Err(Failure::usage("give one of --methods; --compare 6,12 compares all")),
    };
    let budgets = options.recipes.compare.clone();
    let least = budgets.iter().copied().fold(options.recipes.evaluations, f64::min);
    if least < LEAST_EVALUATIONS {
        return Err(Failure::usage(format!(
            "give {LEAST_EVALUATIONS} full evaluations or more: what one bracket costs"
        )));
    }
    let plan = RecipePlan {
        data: data.to_owned(),
        table: options.table_of_data.table().map_err(Failure::usage)?,
        zoo: zoo.clone(),
        samples: options.networks.samples.map(|count| count as usize),
        method,
        finetunes: options.recipes.finetune,
        budget: options.recipes.evaluations,
        compare: (!budgets.is_empty()).then_some((budgets, options.seeds.unwrap_or(SEEDS_OF_RECIPE) as usize)),
        seed: Seed(global.seed),
    };
    let machinery = machinery::machinery(global, RuntimeName::Auto, &options.limits, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let found = recipes::run(&plan, &machinery::access(global, &say), &machinery, &progress)?;
    drop(progress);
    print(&if global.json {
        report::json::to_string(&found)
    } else {
        report::recipe::search(&found, super::terminal_width())
    })?;
    Ok(outcome(global, !found.skipped.is_empty()))
}

fn write_report(options: &Search, found: &ArchitectureSearch) -> Result<()> {
    let Some(path) = &options.networks.report else { return Ok(()) };
    let page = report::architecture::page(found).map_err(Failure::internal)?;
    std::fs::write(path, page).map_err(|error| Failure::writing(path, &error))
}

fn of_table(global: &Global, options: &Search, table: &Path) -> Result<Outcome> {
    let tabular = &options.tabular;
    let asked: Vec<Method> = options.methods.iter().copied().chain([tabular.against]).collect();
    refuse_fidelities(&asked, "a table has one")?;
    let request = Request {
        table: table.to_owned(),
        choices: tabular.choices.clone(),
        search: tabular.seen.clone(),
        report: if tabular.judging.is_empty() { tabular.seen.clone() } else { tabular.judging.clone() },
        cost: tabular.cost.clone(),
        minimises: tabular.minimise,
        methods: options.methods_of_table(),
        against: tabular.against,
        budgets: evaluations(&options.budget)?,
        seeds: options.seeds.unwrap_or(SEEDS_OF_TABLE) as usize,
        seed: Seed(global.seed),
    };
    let found = tabular::compare(&request)?;
    print(&if global.json {
        report::json::to_string(&found)
    } else {
        report::search::comparison(&found, super::terminal_width())
    })?;
    Ok(Outcome::Complete)
}

/// The time that a search which trains may take.
fn time_budget(options: &Search) -> Result<Option<Duration>> {
    let networks = &options.networks;
    match options.budget[..] {
        [] => Ok(None),
        [Amount::Time(_)] if networks.steps.is_some() || networks.training_steps.is_some() => {
            Err(Failure::usage("--budget sets --steps and --training-steps: leave these out"))
        }
        [Amount::Time(time)] => Ok(Some(time)),
        _ => Err(Failure::usage("the budget of this search is one time, as 15m")),
    }
}

/// The evaluations that a search of a table may make.
fn evaluations(budget: &[Amount]) -> Result<Vec<usize>> {
    let one = |amount: &Amount| match amount {
        Amount::Evaluations(count) => Ok(*count as usize),
        Amount::Time(_) => Err(Failure::usage("the budget of a table is evaluations, as 100,200")),
    };
    let usual = EVALUATIONS.map(Amount::Evaluations);
    if budget.is_empty() { &usual } else { budget }.iter().map(one).collect()
}

/// Refuses methods that need evaluations of several costs.
fn refuse_fidelities(methods: &[Method], because: &str) -> Result<()> {
    match methods.iter().find(|method| method.needs_fidelities()) {
        Some(method) => Err(Failure::usage(format!("{method} needs evaluations of several costs, and {because}"))),
        None => Ok(()),
    }
}

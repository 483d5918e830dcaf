//! Every recipe evaluated, and every method let loose on that table.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::ground::{Ground, finetunes};
use super::result::{Race, Standing};
use crate::base::Seed;
use crate::rank::Error;
use crate::rank::plan::Progress;
use crate::rank::side_by_side::side_by_side;
use crate::search::{Architecture, Distribution, History, Method, Space};

/// The methods that are compared.
const METHODS: [&str; 5] = ["random", "top", "halving", "hyperband", "duel+halving"];
/// The shares of a full evaluation that methods ask for.
const FIDELITIES: [f64; 3] = [0.25, 0.5, 1.0];
/// The same in quarters of a full evaluation.
const QUARTERS: [usize; 3] = [1, 2, 4];
/// What the evaluation of all recipes is called, for whoever watches.
const OF_HEADS: &str = "every recipe with a head";
/// See [`OF_HEADS`].
const OF_NETWORKS: &str = "every recipe that trains";

/// What is known of a recipe: right on validation at each fidelity, and on judged samples at the highest.
struct Known {
    validation: [f64; 3],
    judged: f64,
}

type Table = BTreeMap<Architecture, Known>;

/// Compares all methods at equal budgets, each with the prior and with an even one.
///
/// # Errors
/// What stops a worker.
pub fn race(
    ground: &Ground,
    space: &Space,
    prior: &Distribution,
    budgets: &[f64],
    seeds: usize,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<Race, Error> {
    let table = table(ground, space, progress)?;
    let judged = || table.values().map(|known| known.judged);
    let best = judged().fold(f64::NEG_INFINITY, f64::max);
    let even = ground.even();
    let mut standings = vec![];
    for &budget in budgets {
        let usual = best - table.get(&ground.usual()).map_or(f64::NAN, |known| known.judged);
        standings.push(Standing {
            method: "LogME".to_owned(),
            prior: "LogME",
            budget,
            spent: 1.0,
            regret: usual,
            error: 0.0,
        });
        for method in METHODS.iter().filter_map(|name| name.parse::<Method>().ok()) {
            for (name, prior) in [("LogME", prior), ("even", &even)] {
                let run = |offset: u64| {
                    let seed = Seed(seed.0 + offset);
                    let history = walked(&table, method, space, prior, seed, budget);
                    let found = history.best().and_then(|(recipe, _)| table.get(recipe));
                    (history.spent(), best - found.map_or(f64::NAN, |known| known.judged))
                };
                let runs: Vec<(f64, f64)> = (0..seeds as u64).map(run).collect();
                let mean = |of: fn(&(f64, f64)) -> f64| runs.iter().map(of).sum::<f64>() / seeds as f64;
                let regret = mean(|run| run.1);
                let variance = runs.iter().map(|run| (run.1 - regret).powi(2)).sum::<f64>() / (seeds.max(2) - 1) as f64;
                let (spent, error) = (mean(|run| run.0), (variance / seeds as f64).sqrt());
                standings.push(Standing { method: method.to_string(), prior: name, budget, spent, regret, error });
            }
        }
    }
    let mean = judged().sum::<f64>() / table.len() as f64;
    let error = (best * (1.0 - best) / ground.judges() as f64).sqrt();
    Ok(Race { recipes: table.len(), best, mean, error, seeds, standings })
}

/// Every recipe at every fidelity.
fn table(ground: &Ground, space: &Space, progress: &dyn Progress) -> Result<Table, Error> {
    let (trained, heads): (Vec<_>, Vec<_>) = space.all().into_iter().partition(|recipe| finetunes(recipe));
    let machinery = ground.at_once(trained.len());
    let known = |name: &str, recipe: &Architecture| {
        let evaluate = |place: usize| {
            let value = ground.evaluate_by(recipe, FIDELITIES[place], &machinery);
            progress.advance(name, QUARTERS[place]);
            value
        };
        let [low, middle] = [evaluate(0)?, evaluate(1)?];
        let [high, judged] = ground.evaluate_and_judge(recipe, &machinery)?;
        progress.advance(name, QUARTERS[2]);
        Ok(Known { validation: [low, middle, high], judged })
    };
    let begin = |name, count| progress.begin(name, 0, QUARTERS.iter().sum::<usize>() * count);
    begin(OF_HEADS, heads.len());
    let of_heads = heads.par_iter().map(|recipe| known(OF_HEADS, recipe)).collect::<Result<Vec<Known>, Error>>();
    progress.end(OF_HEADS);
    let of_heads = of_heads?;
    begin(OF_NETWORKS, trained.len());
    let of_trained = side_by_side(trained.len(), machinery.jobs, |place| known(OF_NETWORKS, &trained[place]));
    progress.end(OF_NETWORKS);
    let of_trained = of_trained?;
    Ok(heads.into_iter().zip(of_heads).chain(trained.into_iter().zip(of_trained)).collect())
}

/// One search, every evaluation of which is a look at the table.
fn walked(table: &Table, method: Method, space: &Space, prior: &Distribution, seed: Seed, budget: f64) -> History {
    let (mut searcher, mut history) = (method.searcher_from(space, prior, seed, budget), History::default());
    while let Some(trial) = searcher.ask() {
        let place = FIDELITIES
            .iter()
            .position(|fidelity| fidelity.to_bits() == trial.fidelity.to_bits())
            .unwrap_or(FIDELITIES.len() - 1);
        let value = table.get(&trial.architecture).map_or(0.0, |known| known.validation[place]);
        searcher.tell(&trial, value);
        history.push(trial, value);
    }
    history
}

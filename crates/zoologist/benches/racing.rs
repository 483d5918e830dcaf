//! Whether a race finds what the full pass finds, and what it saves: `make racing`.
//!
//! Reads features that `zoologist extract --layers all` wrote, so that the forward passes are made once, and replays the
//! race of `zoologist rank --budget race` over many seeds: each gives another order of the samples, and so other shards
//! and rungs. Contenders are the models and, unless `--real` is given alone, the models cut short after a quarter, half and
//! three quarters of their blocks: honest passes that cost the multiply-adds up to there. The full pass compares all
//! contenders on all rows; what ties with its winner (the 95% interval of the difference contains 0) counts as the same.
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(missing_docs, reason = "a program")]

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use zoologist::base::{Features, Seed, Targets, Values};
use zoologist::data::{self, Partition, TableOptions, shard_count};
use zoologist::rank::race::{self, End, Rule, Seen};
use zoologist::score::{Asked, Evaluation, Inputs, Metric, Rows, Settings, evaluate, jackknife, metric};

/// After these shares of its blocks a model is cut short.
const CUTS: [f64; 3] = [0.25, 0.5, 0.75];
const RULE: Rule = Rule { top: 1, confidence: 0.95 };

/// What `zoologist extract --json` says of a model.
#[derive(Deserialize)]
struct Extracted {
    model: String,
    layers: Vec<Layer>,
    multiply_adds: u64,
}

#[derive(Deserialize)]
struct Layer {
    dim: usize,
    multiply_adds: Option<u64>,
}

/// Somebody in the race.
struct Contender {
    name: String,
    features: Features,
    /// Multiply-adds per sample.
    cost: u64,
    /// Whether it is a model as it is.
    real: bool,
}

/// The samples in the order of one seed.
struct Order {
    places: Vec<usize>,
    targets: Targets,
    partition: Partition,
    settings: Settings,
}

/// What a race came to.
struct Outcome {
    winner: usize,
    spent: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let seeds = arguments.pop().and_then(|text| text.parse::<u64>().ok()).unwrap_or(50);
    let [data, folder] = &arguments[..] else {
        return Err("give DATA, a folder of features and a number of seeds".into());
    };
    let targets = data::open(Path::new(data), &TableOptions::default())?.targets.ok_or("the data set has no labels")?;
    let contenders = contenders(Path::new(folder), targets.len())?;
    let metric = metric("logme").ok_or("no such metric")?;
    let real: Vec<usize> = (0..contenders.len()).filter(|&one| contenders[one].real).collect();
    let all: Vec<usize> = (0..contenders.len()).collect();
    println!("{data}: {} samples, {} models, {} contenders, {seeds} seeds", targets.len(), real.len(), all.len());
    let full = full_pass(&contenders, &targets, metric)?;
    for (name, field) in [("all contenders", &all), ("models alone", &real)] {
        let races: Vec<Outcome> = (0..seeds)
            .into_par_iter()
            .map(|seed| race_of(field, &contenders, &Order::of(&targets, Seed(seed))?, metric))
            .collect::<Result<_, String>>()?;
        print(name, field, &full, &races, &contenders);
    }
    Ok(())
}

fn print(name: &str, field: &[usize], full: &[Evaluation], races: &[Outcome], contenders: &[Contender]) {
    let best = field.iter().copied().max_by(|&a, &b| full[a].height().total_cmp(&full[b].height())).unwrap_or_default();
    let tied: Vec<usize> = field.iter().copied().filter(|&one| ties(&full[best], &full[one])).collect();
    let mut winners: HashMap<usize, usize> = HashMap::new();
    races.iter().for_each(|race| *winners.entry(race.winner).or_default() += 1);
    let exact = races.iter().filter(|race| race.winner == best).count();
    let same = races.iter().filter(|race| tied.contains(&race.winner)).count();
    let spent: Vec<f64> = races.iter().map(|race| race.spent).collect();
    let mean = spent.iter().sum::<f64>() / spent.len() as f64;
    let (least, most) = spent.iter().fold((1.0_f64, 0.0_f64), |(least, most), &one| (least.min(one), most.max(one)));
    println!(
        "  {name}: same first {same} of {} ({exact} the very same), {:.1}% of the full pass's multiply-adds ({:.1}-{:.1}%)",
        races.len(),
        100.0 * mean,
        100.0 * least,
        100.0 * most
    );
    let names = |ones: &[usize]| ones.iter().map(|&one| contenders[one].name.as_str()).collect::<Vec<_>>().join(", ");
    println!("    full pass: {}; ties with it: {}", contenders[best].name, names(&tied));
    let mut winners: Vec<(usize, usize)> = winners.into_iter().collect();
    winners.sort_by_key(|&(one, count)| (std::cmp::Reverse(count), one));
    let winners: Vec<String> =
        winners.iter().map(|(one, count)| format!("{} {count}", contenders[*one].name)).collect();
    println!("    races: {}", winners.join(", "));
}

/// Every contender on all rows. The order of the rows matters for the shards of the intervals alone.
fn full_pass(contenders: &[Contender], targets: &Targets, metric: &'static Metric) -> Result<Vec<Evaluation>, String> {
    let order = Order::of(targets, Seed(0))?;
    let widest = contenders.iter().map(|one| one.features.dim()).max().unwrap_or(1);
    Ok(contenders.iter().map(|one| order.evaluation(one, targets.len(), widest, metric)).collect())
}

fn race_of(
    field: &[usize],
    contenders: &[Contender],
    order: &Order,
    metric: &'static Metric,
) -> Result<Outcome, String> {
    let bounds: Vec<usize> = order.partition.shards(20).into_iter().map(|shard| shard.end).collect();
    let rungs = race::rungs(&bounds);
    let mut last: Vec<f64> = vec![f64::NEG_INFINITY; field.len()];
    let ends: Vec<End> = race::run(RULE, &rungs, field.len(), |numbers, rows| {
        let widest = numbers.iter().map(|&number| contenders[field[number]].features.dim()).max().unwrap_or(1);
        let see = |&number: &usize| {
            let contender = &contenders[field[number]];
            Seen { score: order.evaluation(contender, rows, widest, metric), dim: contender.features.dim() }
        };
        let found: Vec<Seen> = numbers.iter().map(see).collect();
        numbers.iter().zip(&found).for_each(|(&number, found)| last[number] = found.score.height());
        Ok::<_, String>(found.into_iter().map(Some).collect())
    })?;
    let reached = ends.iter().map(|end| end.rung).max().unwrap_or_default();
    let finalists = (0..field.len()).filter(|&number| ends[number].rung == reached && !ends[number].stopped);
    let winner = finalists.max_by(|&a, &b| last[a].total_cmp(&last[b])).ok_or("nobody won")?;
    let cost = |number: usize| contenders[field[number]].cost as f64;
    let spent: f64 = ends.iter().enumerate().map(|(number, end)| cost(number) * rungs[end.rung] as f64).sum();
    let all: f64 = (0..field.len()).map(|number| cost(number) * order.places.len() as f64).sum();
    Ok(Outcome { winner: field[winner], spent: spent / all })
}

impl Order {
    fn of(targets: &Targets, seed: Seed) -> Result<Self, String> {
        let partition = Partition::new(targets, None, seed);
        let places = partition.order().to_vec();
        let targets = targets.select(&places).map_err(|error| error.to_string())?;
        Ok(Self { places, targets, partition, settings: Settings { seed, ..Settings::default() } })
    }

    /// The score of a contender on the first rows.
    fn evaluation(&self, contender: &Contender, rows: usize, widest: usize, metric: &'static Metric) -> Evaluation {
        let rows: Vec<usize> = (0..rows).collect();
        let places: Vec<usize> = rows.iter().map(|&row| self.places[row]).collect();
        let features = contender.features.select(&places);
        let Ok(targets) = self.targets.select(&rows) else { unreachable!("a beginning of the rows") };
        let shards = self.partition.sample(rows.len()).shards(shard_count(rows.len(), widest));
        let (inputs, settings) = (Inputs::default(), &self.settings);
        let rows =
            Rows { features: &features, targets: &targets, shards: &shards, order: &places, inputs: &inputs, settings };
        let mut found = evaluate(&[metric], &rows, Asked { interval: true, ..Asked::default() });
        found.remove(0)
    }
}

/// Whether the second may be as good as the first.
fn ties(best: &Evaluation, other: &Evaluation) -> bool {
    let (Some(a), Some(b)) = (best.score.value, other.score.value) else { return false };
    let paired: Vec<f64> = best.replicates.iter().zip(&other.replicates).map(|(a, b)| a - b).collect();
    jackknife::interval(a - b, &paired).is_some_and(|[low, high]| low <= 0.0 && high >= 0.0)
}

/// The models of a folder, each with its cuts.
fn contenders(folder: &Path, rows: usize) -> Result<Vec<Contender>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "npy"));
    files.sort();
    let mut contenders = vec![];
    for file in files {
        let said: Extracted = serde_json::from_slice(&std::fs::read(file.with_extension("json"))?)?;
        let features = data::features::read(&file)?;
        if features.rows() != rows {
            return Err(format!("{}: {} rows for {rows} labels", file.display(), features.rows()).into());
        }
        contenders.extend(cuts(&said, &features));
    }
    Ok(contenders)
}

/// A model, and the same cut short.
fn cuts(said: &Extracted, features: &Features) -> Vec<Contender> {
    let count = said.layers.len();
    let mut places: Vec<usize> = CUTS.iter().map(|share| (share * count as f64).round() as usize).collect();
    places.retain(|&place| place > 0 && place < count);
    places.push(count);
    places.dedup();
    let one = |&place: &usize| {
        let start: usize = said.layers[..place - 1].iter().map(|layer| layer.dim).sum();
        let (dim, real) = (said.layers[place - 1].dim, place == count);
        let whole = Some(said.multiply_adds).filter(|_| real);
        let cost = whole.or(said.layers[place - 1].multiply_adds).unwrap_or(said.multiply_adds);
        let name = if real { said.model.clone() } else { format!("{} to layer {place} of {count}", said.model) };
        Contender { name, features: columns(features, start, dim), cost, real }
    };
    places.iter().map(one).collect()
}

fn columns(features: &Features, start: usize, dim: usize) -> Features {
    let Values::F32(values) = features.values() else { return features.clone() };
    let rows = values.chunks_exact(features.dim()).flat_map(|row| &row[start..start + dim]).copied();
    Features::new(dim, Values::F32(rows.collect()))
}

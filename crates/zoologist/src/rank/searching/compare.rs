//! Found architectures against others: in pairs, each side trained alone with the same seeds.

use std::collections::BTreeMap;

use super::result::{
    Against, Alone, Architecture, ArchitectureSearch, Control, Network, Search, SearchTiming, SearchedData,
};
use super::{Made, SearchPlan, VALIDATED_ON};
use crate::base::Targets;
use crate::extract::training::OneShot;
use crate::rank::samples::TuningSamples;
use crate::score::agreement::{Draws, agreement, interval, resample};
use crate::score::paired;
use crate::search::{self, Choice, Distribution};

/// Draws of the bootstrap.
const DRAWS: usize = 2000;
/// A training costs three forward passes of each sample.
const PASSES: f64 = 3.0;

/// What was trained alone, by architecture.
#[derive(Default)]
pub struct Trained(BTreeMap<search::Architecture, Alone>);

impl Trained {
    /// One more training.
    pub fn insert(&mut self, architecture: &search::Architecture, value: Option<f64>, validation: f64) {
        let alone = self.0.entry(architecture.clone()).or_default();
        alone.values.push(value);
        alone.validation.push(validation);
    }

    fn of(&self, shot: &OneShot) -> Alone {
        self.0.get(&shot.architecture).cloned().unwrap_or_default()
    }

    /// The accuracy of each training; empty where one has none.
    fn values(&self, shot: &OneShot) -> Vec<f64> {
        self.of(shot).values.into_iter().collect::<Option<Vec<f64>>>().unwrap_or_default()
    }
}

/// Puts everything together.
pub fn compared(
    plan: &SearchPlan,
    samples: &TuningSamples,
    searches: &[Made],
    shuffled: &[Made],
    alone: &Trained,
) -> ArchitectureSearch {
    let choices = searches.first().map_or_else(Vec::new, |made| made.outcome.space.choices.clone());
    let drawn = searches.first().map_or(&[][..], |made| &made.outcome.drawn);
    let comparisons = comparisons(plan, searches, shuffled, alone);
    let found = searches.iter().map(|made| search_of(plan, made, &choices, alone)).collect::<Vec<_>>();
    let control = shuffled.iter().map(|made| control_of(plan, made, alone)).collect::<Vec<_>>();
    let mut networks: Vec<Network> = vec![];
    let largest = searches.first().map(|made| ("largest", &made.outcome.largest));
    let roles = searches.iter().map(|made| ("found", &made.outcome.found));
    for (role, shot) in roles.chain(largest).chain(drawn.iter().map(|shot| ("drawn", shot))) {
        let network = Network { role, architecture: architecture(shot, &choices), alone: alone.of(shot) };
        let is_new = networks.iter().all(|it| it.architecture.operations != network.architecture.operations);
        if is_new && !network.alone.values.is_empty() {
            networks.push(network);
        }
    }
    let classes = if let Targets::Classes(classes) = &samples.targets { classes.names().to_vec() } else { vec![] };
    ArchitectureSearch {
        schema: 1,
        skeleton: plan.skeleton,
        edge: plan.edge,
        steps: plan.steps,
        training_steps: plan.training_steps,
        answer: answer(&found, &control, &comparisons),
        choices,
        data: SearchedData {
            path: plan.data.clone(),
            learned: samples.learned.len(),
            validation: samples.validation.len().min(VALIDATED_ON),
            judged: samples.judged.len(),
            judged_on: samples.judged_on.clone(),
            classes,
        },
        searches: found,
        control,
        networks,
        comparisons,
        seed: plan.seed,
        output: None,
        files: vec![],
        skipped: vec![],
        timing: SearchTiming::default(),
    }
}

fn architecture(shot: &OneShot, choices: &[Choice]) -> Architecture {
    let named = shot.architecture.iter().zip(choices);
    Architecture {
        operations: named.map(|(&option, choice)| choice.options[usize::from(option)].clone()).collect(),
        one_shot: shot.accuracy,
        parameters: shot.parameters,
        multiply_adds: shot.multiply_adds,
    }
}

fn search_of(plan: &SearchPlan, made: &Made, choices: &[Choice], alone: &Trained) -> Search {
    let outcome = &made.outcome;
    let (kendall, kendall_interval) = rank_correlation(plan, made, alone);
    Search {
        method: made.method.to_string(),
        seed: plan.seed.0 + made.offset as u64,
        found: architecture(&outcome.found, choices),
        most_probable: outcome.most_probable.as_ref().map(|shot| architecture(shot, choices)),
        evaluations: outcome.history.0.len(),
        distribution: outcome.distribution.clone(),
        entropies: outcome.entropies.clone(),
        losses: outcome.losses.clone(),
        kendall,
        kendall_interval,
        multiply_adds: outcome.multiply_adds,
        alone: mean(&alone.values(&outcome.found)),
    }
}

fn control_of(plan: &SearchPlan, made: &Made, alone: &Trained) -> Control {
    let (kendall, kendall_interval) = rank_correlation(plan, made, alone);
    Control {
        seed: plan.seed.0 + made.offset as u64,
        kendall,
        kendall_interval,
        entropy: made.outcome.distribution.as_ref().map(Distribution::entropy),
        alone: mean(&alone.values(&made.outcome.found)),
    }
}

/// Between the accuracy of the drawn ones with shared weights and their mean accuracy alone.
fn rank_correlation(plan: &SearchPlan, made: &Made, alone: &Trained) -> (Option<f64>, Option<[f64; 2]>) {
    let pairs: Vec<(f64, f64)> =
        made.outcome.drawn.iter().filter_map(|shot| Some((shot.accuracy, mean(&alone.values(shot))?))).collect();
    if pairs.len() < 3 {
        return (None, None);
    }
    let (shared, own): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let tau = |places: &[usize]| {
        let [a, b] = [&shared, &own].map(|list| places.iter().map(|&place| list[place]).collect::<Vec<f64>>());
        agreement(&a, &b).kendall
    };
    let draws = Draws { count: DRAWS, seed: plan.seed };
    let [drawn] = resample(pairs.len(), draws, ("rank correlation", "architectures"), |places| [tau(places)]);
    (tau(&(0..pairs.len()).collect::<Vec<_>>()), interval(drawn))
}

fn mean(values: &[f64]) -> Option<f64> {
    paired::mean(values).map(|found| found.mean)
}

fn comparisons(plan: &SearchPlan, searches: &[Made], shuffled: &[Made], alone: &Trained) -> Vec<Against> {
    let Some(first) = searches.first() else { return vec![] };
    let mut all = vec![];
    for &method in &plan.methods {
        let own: Vec<&Made> = searches.iter().filter(|made| made.method == method).collect();
        all.extend(against_others(&method.to_string(), plan, &own, first, alone));
        // Another method's findings, search by search.
        for &other in plan.methods.iter().filter(|&&other| other != method && method == plan.methods[0]) {
            let others: Vec<&Made> = searches.iter().filter(|made| made.method == other).collect();
            let theirs =
                |place: usize, number: usize| Some(*alone.values(&others.get(place)?.outcome.found).get(number)?);
            all.extend(against(&method.to_string(), &format!("found by {other}"), plan, &own, alone, &theirs));
        }
    }
    let own: Vec<&Made> = shuffled.iter().collect();
    let by_chance = |_: usize, number: usize| mean_drawn(first, alone, number);
    all.extend(against("shuffled labels", "the mean of the drawn ones", plan, &own, alone, &by_chance));
    all.extend(against_all("shuffled labels", &own, first, alone));
    all
}

/// Against the mean drawn one, the best of as many drawn ones as the search cost, and the largest.
fn against_others(method: &str, plan: &SearchPlan, own: &[&Made], first: &Made, alone: &Trained) -> Vec<Against> {
    let by_chance = |_: usize, number: usize| mean_drawn(first, alone, number);
    let largest = |_: usize, number: usize| alone.values(&first.outcome.largest).get(number).copied();
    let count = affordable(plan, own, first);
    let best = |_: usize, number: usize| best_of(count, first, alone, number);
    let drawn = first.outcome.drawn.len();
    let mut all: Vec<Against> = vec![];
    all.extend(against(method, "the mean of the drawn ones", plan, own, alone, &by_chance));
    all.extend(against_all(method, own, first, alone));
    if (1..=drawn).contains(&count) {
        let with = format!("the best on validation of {count} drawn ones, equal compute");
        all.extend(against(method, &with, plan, own, alone, &best));
    }
    all.extend(against(method, "the largest", plan, own, alone, &largest));
    all
}

/// How many drawn ones can be trained for what a search and one training cost.
fn affordable(plan: &SearchPlan, own: &[&Made], first: &Made) -> usize {
    let training = |shot: &OneShot| PASSES * (plan.training_steps * plan.batch) as f64 * shot.multiply_adds;
    let spent = own.iter().map(|made| made.outcome.multiply_adds + training(&made.outcome.found)).collect::<Vec<_>>();
    let each = first.outcome.drawn.iter().map(training).collect::<Vec<_>>();
    mean(&spent).zip(mean(&each)).map_or(0, |(spent, each)| (spent / each).round() as usize)
}

fn mean_drawn(first: &Made, alone: &Trained, number: usize) -> Option<f64> {
    let values = first.outcome.drawn.iter().map(|shot| alone.values(shot).get(number).copied());
    mean(&values.collect::<Option<Vec<f64>>>()?)
}

/// The accuracy to be expected of the one that is best on the validation samples, of so many of the drawn ones: each
/// subset of that size is as likely as every other one.
fn best_of(count: usize, first: &Made, alone: &Trained, number: usize) -> Option<f64> {
    let each = first.outcome.drawn.iter().map(|shot| {
        let alone = alone.of(shot);
        Some((*alone.validation.get(number)?, (*alone.values.get(number)?)?))
    });
    let mut each = each.collect::<Option<Vec<(f64, f64)>>>()?;
    each.sort_by(|a, b| b.0.total_cmp(&a.0));
    // The best of a subset is number i if i is in it and none before it: C(n - 1 - i, count - 1) of C(n, count) subsets.
    let all = each.len();
    let (mut sum, mut none_before) = (0.0, 1.0);
    for (place, (_, value)) in each.iter().enumerate() {
        let left = (all - place) as f64;
        let is_in = (count as f64 / left).min(1.0);
        sum += none_before * is_in * value;
        none_before *= 1.0 - is_in;
    }
    Some(sum)
}

/// Differences in pairs: over searches where there are several, else over trainings.
fn against(
    method: &str,
    with: &str,
    plan: &SearchPlan,
    own: &[&Made],
    alone: &Trained,
    other: &dyn Fn(usize, usize) -> Option<f64>,
) -> Option<Against> {
    let difference = |place: usize, number: usize| {
        let value = *alone.values(&own[place].outcome.found).get(number)?;
        Some(value - other(place, number)?)
    };
    let of_search = |place: usize| {
        let each = (0..plan.trainings).map(|number| difference(place, number)).collect::<Option<Vec<f64>>>()?;
        mean(&each)
    };
    let over_searches = own.len() > 1;
    let differences = if over_searches {
        (0..own.len()).map(of_search).collect::<Option<Vec<f64>>>()?
    } else {
        own.first()?;
        (0..plan.trainings).map(|number| difference(0, number)).collect::<Option<Vec<f64>>>()?
    };
    let found = paired::mean(&differences)?;
    Some(Against {
        method: method.to_owned(),
        with: with.to_owned(),
        difference: found.mean,
        interval: found.interval,
        over: if over_searches { "searches" } else { "trainings" },
        pairs: differences.len(),
    })
}

/// Against all architectures that could have been drawn, of which the drawn ones are a sample: not in pairs, so that the
/// interval counts what the luck of that draw does to its mean.
fn against_all(method: &str, own: &[&Made], first: &Made, alone: &Trained) -> Option<Against> {
    let means = |shots: &mut dyn Iterator<Item = &OneShot>| {
        shots.map(|shot| mean(&alone.values(shot))).collect::<Option<Vec<f64>>>()
    };
    let found = means(&mut own.iter().map(|made| &made.outcome.found))?;
    let drawn = means(&mut first.outcome.drawn.iter())?;
    let apart = paired::apart(&found, &drawn)?;
    Some(Against {
        method: method.to_owned(),
        with: "all that could be drawn, of which these are a sample".to_owned(),
        difference: apart.mean,
        interval: apart.interval,
        over: "searches and drawn ones",
        pairs: found.len() + drawn.len(),
    })
}

fn answer(searches: &[Search], control: &[Control], comparisons: &[Against]) -> Vec<String> {
    let mut said = vec![];
    for it in comparisons {
        let points = 100.0 * it.difference;
        let sure = match it.interval {
            Some([low, high]) if low > 0.0 || high < 0.0 => {
                format!("interval {:+.1} to {:+.1} over {} {}", 100.0 * low, 100.0 * high, it.pairs, it.over)
            }
            Some([low, high]) => {
                format!("within chance: {:+.1} to {:+.1} over {} {}", 100.0 * low, 100.0 * high, it.pairs, it.over)
            }
            None => "one pair: nothing can be said of chance".to_owned(),
        };
        said.push(format!("{} against {}: {points:+.1} points ({sure}).", it.method, it.with));
    }
    let taus: Vec<f64> = searches.iter().filter_map(|search| search.kendall).collect();
    if let Some(tau) = mean(&taus) {
        said.push(format!("Shared weights order architectures with Kendall's tau {tau:.2} on average."));
    }
    let taus: Vec<f64> = control.iter().filter_map(|control| control.kendall).collect();
    if let Some(tau) = mean(&taus) {
        said.push(format!("With shuffled labels it is {tau:.2}."));
    }
    said
}

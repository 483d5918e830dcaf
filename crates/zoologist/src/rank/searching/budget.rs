//! Steps for a budget of time: a few steps are timed, and then searches and trainings get as many as fit, in the proportion
//! that was asked for.

use std::time::{Duration, Instant};

use super::{EVALUATED_ON, SHORT_LIST, SearchPlan, VALIDATED_ON, Work};
use crate::base::Seed;
use crate::extract::launch::Machinery;
use crate::extract::training::{PathPer, SupernetOrder};
use crate::rank::Error;
use crate::rank::side_by_side::side_by_side;
use crate::rank::times::{FORWARD, PLANNED, words};
use crate::store::Key;

/// Steps that are timed.
const TIMED: usize = 12;
/// Validation rows of the timed search.
const TIMED_ROWS: usize = 64;
/// Evaluations of paths for each step after the warm-up, where paths are drawn step by step: two after every ten.
const EVALUATIONS: f64 = 0.2;
/// What the checkups of a training alone add to its steps.
const CHECKUPS: f64 = 1.0 / 6.0;
/// Steps of a search at least.
const LEAST: usize = 20;
/// Steps of a search at most.
const MOST: usize = 1_000_000;

/// What was measured.
#[derive(Clone, Copy)]
struct Timed {
    /// Seconds of one step.
    step: f64,
    /// Seconds of a worker beside its steps.
    start: f64,
}

/// How long everything takes that was asked for.
struct Cost<'a> {
    plan: &'a SearchPlan,
    timed: Timed,
    /// Samples that are learned from, that validate, that judge.
    rows: [usize; 3],
    /// Searches and trainings at once.
    at_once: usize,
}

/// The plan with as many steps as fit into its budget, if it has one.
///
/// # Errors
/// If not even the fewest steps fit, and what makes the timed steps fail.
pub fn fitted(work: &Work, begun: Instant) -> Result<SearchPlan, Error> {
    let plan = work.plan;
    let Some(budget) = plan.budget else { return Ok(plan.clone()) };
    let threads = work.machinery.threads.to_string();
    let asked = format!("{plan:?}");
    let key = Key::of(&[
        ("what", "steps for a budget"),
        ("asked", &asked),
        ("data", &work.samples.job.digest),
        ("threads", &threads),
    ]);
    let folder = work.machinery.store.job(&key)?;
    // What was planned first stays: the same command is to make the same searches.
    let steps = if let Some(steps) = folder.result(&key)? {
        steps
    } else {
        let steps = planned(work, budget, begun)?;
        folder.write_result(&key, &steps)?;
        steps
    };
    Ok(plan.with_steps(steps))
}

fn planned(work: &Work, budget: Duration, begun: Instant) -> Result<usize, Error> {
    let machinery = work.machinery.for_trainings(work.plan.searches(), 0);
    let timed = side_by_side(machinery.jobs, machinery.jobs, |place| timed(work, place, &machinery))?;
    let mean = |of: fn(&Timed) -> f64| timed.iter().map(of).sum::<f64>() / timed.len() as f64;
    let samples = work.samples;
    let cost = Cost {
        plan: work.plan,
        timed: Timed { step: mean(|timed| timed.step), start: mean(|timed| timed.start) },
        rows: [samples.learned.len(), samples.validation.len().min(VALIDATED_ON), samples.judged.len()],
        at_once: machinery.jobs,
    };
    let given = words(budget.as_secs_f64());
    let left = budget.saturating_sub(begun.elapsed()).as_secs_f64();
    let Some(steps) = cost.most(PLANNED * left) else {
        let least = words(cost.of(LEAST) / PLANNED + begun.elapsed().as_secs_f64());
        return Err(Error::Budget { least, given, less: "fewer --seeds, --drawn, --trainings or --samples" });
    };
    let plan = work.plan.with_steps(steps);
    work.progress.say(&format!(
        "{steps} steps of each search and {} of each training alone, about {} of a budget of {given}",
        plan.training_steps,
        words(cost.of(steps))
    ));
    Ok(steps)
}

/// Times a few steps of even paths, in a worker like that of a search.
fn timed(work: &Work, place: usize, machinery: &Machinery) -> Result<Timed, Error> {
    let order = work.order(work.plan.methods[0], place);
    let validation = order.validation.iter().copied().take(TIMED_ROWS).collect();
    let order = SupernetOrder {
        path_per: PathPer::Step,
        steps: TIMED,
        warm_up: 1.0,
        validation,
        drawn: 0,
        short_list: 1,
        // Not the weights that a search begins with: what is timed is in a folder of its own.
        seed: Seed(!order.seed.0),
        ..order
    };
    let begun = Instant::now();
    let threads = format!("{} {}", machinery.jobs, machinery.threads);
    let made = work.searched(order, &format!("timing a step ({})", place + 1), &[("threads", &threads)], machinery)?;
    let seconds = made.0.seconds;
    Ok(Timed { step: seconds / TIMED as f64, start: (begun.elapsed().as_secs_f64() - seconds).max(0.0) })
}

impl SearchPlan {
    /// Searches of all kinds.
    pub(super) fn searches(&self) -> usize {
        self.seeds * (self.methods.len() + usize::from(self.shuffles))
    }

    /// The same with so many steps of a search, and steps of a training alone in proportion.
    fn with_steps(&self, steps: usize) -> Self {
        let proportion = self.training_steps as f64 / self.steps as f64;
        Self { steps, training_steps: ((proportion * steps as f64).round() as usize).max(1), ..self.clone() }
    }
}

impl Cost<'_> {
    /// The most steps that take no longer than so many seconds.
    fn most(&self, seconds: f64) -> Option<usize> {
        let fits = |steps: usize| self.of(steps) <= seconds;
        let (mut low, mut high) = (LEAST, MOST);
        if !fits(low) {
            return None;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        Some(low)
    }

    /// Seconds of everything, with so many steps of each search.
    fn of(&self, steps: usize) -> f64 {
        let plan = self.plan.with_steps(steps);
        let searches = plan.searches();
        let networks = searches + if plan.drawn > 0 { plan.drawn + 1 } else { 0 };
        let rounds = |count: usize| count.div_ceil(self.at_once) as f64;
        let measured_latency = networks as f64 * self.timed.start;
        rounds(searches) * self.of_search(&plan)
            + rounds(networks * plan.trainings) * self.of_training(&plan)
            + measured_latency
    }

    /// Seconds of a forward pass of one sample.
    fn forward(&self) -> f64 {
        FORWARD * self.timed.step / self.plan.batch as f64
    }

    fn of_search(&self, plan: &SearchPlan) -> f64 {
        let [learned, validation, _] = self.rows;
        let learning = (1.0 - plan.warm_up) * plan.steps as f64;
        let evaluations = match plan.path_per {
            PathPer::Step => EVALUATIONS * learning,
            PathPer::Epoch => learning / learned.div_ceil(plan.batch) as f64,
        };
        let evaluated = evaluations * EVALUATED_ON.min(validation) as f64;
        // In the end the short list, the largest and the drawn ones.
        let in_the_end = (SHORT_LIST + 1 + plan.drawn) * validation;
        self.timed.start + plan.steps as f64 * self.timed.step + (evaluated + in_the_end as f64) * self.forward()
    }

    fn of_training(&self, plan: &SearchPlan) -> f64 {
        let [_, validation, judged] = self.rows;
        let steps = (1.0 + CHECKUPS) * plan.training_steps as f64 * self.timed.step;
        self.timed.start + steps + (validation + judged) as f64 * self.forward()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TableOptions;
    use crate::extract::training::{Skeleton, SkeletonKind};

    fn plan() -> SearchPlan {
        SearchPlan {
            data: "data".into(),
            table: TableOptions::default(),
            skeleton: Skeleton { kind: SkeletonKind::Chain, channels: 8 },
            edge: 28,
            samples: None,
            methods: vec!["duel".parse().unwrap(), "random".parse().unwrap()],
            path_per: PathPer::Step,
            steps: 600,
            warm_up: 0.3,
            batch: 100,
            learning_rate: 0.2,
            most_parameters: None,
            most_multiply_adds: None,
            seeds: 2,
            training_steps: 300,
            trainings: 1,
            drawn: 3,
            shuffles: false,
            output: None,
            budget: None,
            seed: Seed(0),
        }
    }

    #[test]
    fn everything_that_was_asked_for_is_counted() {
        let plan = plan();
        let cost = Cost { plan: &plan, timed: Timed { step: 0.3, start: 1.0 }, rows: [5000, 400, 1000], at_once: 2 };
        // A row costs a millisecond. Four searches, two at once: 180 s of steps, 84 evaluations of 400 rows, 24 in the end.
        let search = 1.0 + 180.0 + (84.0 + 24.0) * 0.4;
        // Eight networks: four found, the largest, three drawn.
        let training = 1.0 + 300.0 * 0.3 * 7.0 / 6.0 + 1.4;
        assert!((cost.of(600) - (2.0 * search + 4.0 * training + 8.0)).abs() < 1e-6);
        let steps = cost.most(cost.of(600)).unwrap();
        assert_eq!(steps, 600);
        assert!(cost.of(cost.most(400.0).unwrap()) <= 400.0 && cost.of(cost.most(400.0).unwrap() + 2) > 400.0);
        assert_eq!(cost.most(10.0), None);
        assert_eq!(plan.with_steps(200).training_steps, 100);
    }
}

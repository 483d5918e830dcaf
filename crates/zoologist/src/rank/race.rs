//! Racing: every candidate sees a few shards; those that can't win stop; the rest see more.
//!
//! Candidates are compared at equal n, on the same rows. Scores rise with n, and not equally: a wide model often starts
//! below a narrow one and overtakes it. So what is judged is not the paired difference D(n) of now, but what it will be
//! at all N rows. Its drift is estimated twice, and the one that favours the one behind counts: by the jackknife's
//! estimate of the bias of first order, (s - 1) (mean of the leave-one-shard-out values - D(n)), of which the share
//! 1 - n/N is still to come (Quenouille, Biometrika 43, 1956); and, from the second rung on, by the line through
//! the last two rungs over log n, as far as log N. The standard error of the prediction joins the jackknife's, of which
//! the share 1 - n/N is left, and half of the drift. A candidate stops when even at the confidence that is asked for,
//! shared among all comparisons of all rungs, it stays behind.
//!
//! ```text
//! rung      1     2     3      4              5
//! shards    1     2     4      8             20
//!           all ─► those that may win ─► … ─► all rows, or nobody is left to race
//! ```

use crate::score::Evaluation;
use crate::score::jackknife::{self, student_quantile};

/// Shards of the finest cut that are seen at each rung.
const RUNGS: [usize; 5] = [1, 2, 4, 8, 20];
/// A rung of fewer rows says too little.
const LEAST_ROWS: usize = 200;
/// The share of the predicted drift that counts as its standard error.
const DOUBT: f64 = 0.5;

/// When a candidate stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// How many winners are wanted.
    pub top: usize,
    /// How sure it must be that nobody who stops belongs to them, over the whole race.
    pub confidence: f64,
}

/// How a candidate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The last rung that it ran.
    pub rung: usize,
    /// Whether it was stopped there because it can't win.
    pub stopped: bool,
}

/// How many rows are seen at each rung, rising to all; `bounds` are the ends of the finest shards.
pub fn rungs(bounds: &[usize]) -> Vec<usize> {
    let Some(&all) = bounds.last() else { return vec![] };
    let shards = bounds.len();
    let end = |count: &usize| bounds[(count * shards / RUNGS[RUNGS.len() - 1]).clamp(1, shards) - 1];
    let mut rungs: Vec<usize> = RUNGS.iter().map(end).filter(|&rows| rows >= LEAST_ROWS && rows < all).collect();
    rungs.push(all);
    rungs.dedup();
    rungs
}

/// Runs a race of some candidates, by number. `evaluate` is given those that are still in it, rising, and a number of
/// rows, and gives their scores on these rows; `None` for one that failed, which is out.
pub fn run<E>(
    rule: Rule,
    rungs: &[usize],
    candidates: usize,
    mut evaluate: impl FnMut(&[usize], usize) -> Result<Vec<Option<Evaluation>>, E>,
) -> Result<Vec<End>, E> {
    let mut ends = vec![End { rung: 0, stopped: false }; candidates];
    let mut field: Vec<Runner> = (0..candidates).map(Runner::new).collect();
    let comparisons = candidates.saturating_sub(rule.top).max(1) * rungs.len().saturating_sub(1).max(1);
    let error = (1.0 - rule.confidence) / comparisons as f64;
    for (rung, &rows) in rungs.iter().enumerate() {
        field.sort_by_key(|runner| runner.number);
        let numbers: Vec<usize> = field.iter().map(|runner| runner.number).collect();
        let found = evaluate(&numbers, rows)?;
        numbers.iter().for_each(|&number| ends[number].rung = rung);
        field = field.into_iter().zip(found).filter_map(|(runner, found)| Some(runner.at(rows, found?))).collect();
        field.sort_by(|a, b| b.height().total_cmp(&a.height()).then(a.number.cmp(&b.number)));
        let last = rungs.last().copied().unwrap_or(rows);
        let Some(bar) = rule.top.checked_sub(1).and_then(|place| field.get(place)).cloned() else { continue };
        let mut place = 0;
        field.retain(|runner| {
            place += 1;
            let goes_on = place <= rule.top || rows == last || runner.may_reach(&bar, last, error);
            ends[runner.number].stopped = !goes_on;
            goes_on
        });
        if field.len() <= rule.top {
            break;
        }
    }
    Ok(ends)
}

/// A candidate in the race, and its scores at the rungs so far.
#[derive(Debug, Clone)]
struct Runner {
    number: usize,
    seen: Vec<(usize, Evaluation)>,
}

impl Runner {
    fn new(number: usize) -> Self {
        Self { number, seen: vec![] }
    }

    fn at(mut self, rows: usize, found: Evaluation) -> Self {
        self.seen.push((rows, found));
        self
    }

    /// The last score.
    fn height(&self) -> f64 {
        self.seen.last().map_or(f64::NEG_INFINITY, |(_, last)| last.height())
    }

    /// Whether this one may yet be level with `bar`, who is ahead now, at `all` rows. What can't be compared goes on.
    fn may_reach(&self, bar: &Self, all: usize, error: f64) -> bool {
        let gaps: Vec<(usize, Gap)> = self
            .seen
            .iter()
            .zip(&bar.seen)
            .filter_map(|((rows, own), (_, other))| Some((*rows, Gap::between(other, own)?)))
            .collect();
        let [before @ .., (rows, gap)] = &gaps[..] else { return true };
        if gaps.len() < self.seen.len() {
            return true;
        }
        let share = 1.0 - *rows as f64 / all as f64;
        let mut drift = gap.bias * share;
        if let Some((earlier, then)) = before.last() {
            let steps = (all as f64 / *rows as f64).ln() / (*rows as f64 / *earlier as f64).ln();
            drift = drift.max((then.value - gap.value) * steps);
        }
        let deviation = (gap.error.powi(2) * share + (DOUBT * drift).powi(2)).sqrt();
        gap.value - drift <= student_quantile(1.0 - error, gap.freedom) * deviation
    }
}

/// The paired difference of two candidates at one rung.
struct Gap {
    value: f64,
    /// Standard error.
    error: f64,
    /// How much of it is due to n being finite.
    bias: f64,
    freedom: usize,
}

impl Gap {
    /// `None` where there is nothing to compare.
    fn between(ahead: &Evaluation, behind: &Evaluation) -> Option<Self> {
        let value = ahead.score.value? - behind.score.value?;
        let shards = ahead.replicates.len();
        if shards < 2 || shards != behind.replicates.len() {
            return None;
        }
        let paired: Vec<f64> = ahead.replicates.iter().zip(&behind.replicates).map(|(a, b)| a - b).collect();
        let mean = paired.iter().sum::<f64>() / shards as f64;
        let freedom = shards - 1;
        Some(Self { value, error: jackknife::standard_error(&paired)?, bias: freedom as f64 * (mean - value), freedom })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Score;

    const ROWS: [usize; 5] = [100, 200, 400, 800, 2000];

    /// A score that tends to `limit` as 1/n, with noise of its own in every shard.
    fn evaluation(limit: f64, slope: f64, rows: usize, noise: f64) -> Evaluation {
        let at = |rows: f64| limit - slope / rows;
        let shards = 20;
        let replicates = (0..shards).map(|shard| {
            let own = noise * f64::from(shard * 7 % 20 - 10) / 100.0;
            at(rows as f64 * 19.0 / 20.0) + own
        });
        let value = at(rows as f64);
        Evaluation { score: Score::of("logme", value), replicates: replicates.collect() }
    }

    fn race(models: &[(f64, f64)], noise: f64) -> Vec<usize> {
        let evaluate = |numbers: &[usize], rows: usize| {
            let one = |&number: &usize| {
                let (limit, slope) = models[number];
                Some(evaluation(limit, slope, rows, noise * (1.0 + number as f64)))
            };
            Ok::<_, ()>(numbers.iter().map(one).collect())
        };
        let ends = run(Rule { top: 1, confidence: 0.95 }, &ROWS, models.len(), evaluate).unwrap();
        ends.into_iter().map(|end| end.rung).collect()
    }

    #[test]
    fn a_clear_winner_ends_the_race_at_the_first_rung() {
        assert_eq!(race(&[(0.1, 1.0), (0.9, 1.0), (0.2, 1.0)], 0.01), [0, 0, 0]);
    }

    #[test]
    fn a_late_starter_is_not_stopped() {
        // At 100 rows the second stands at -0.1 and the first at 0.2; at all rows they stand at 0.3 and 0.55.
        let reached = race(&[(0.3, 10.0), (0.6, 70.0), (-0.5, 10.0)], 0.01);
        assert!(reached[1] > 0, "{reached:?}");
        assert_eq!(reached[2], 0);
        assert!(reached[1] >= reached[0]);
    }

    #[test]
    fn equals_race_to_the_end() {
        assert_eq!(race(&[(0.3, 10.0), (0.3, 10.0)], 0.5), [4, 4]);
    }

    #[test]
    fn rungs_end_on_bounds_of_shards_and_none_is_too_small() {
        let bounds: Vec<usize> = (1..=20).map(|shard| shard * 60).collect();
        assert_eq!(rungs(&bounds), [240, 480, 1200]);
        assert_eq!(rungs(&[30, 60]), [60]);
        assert_eq!(rungs(&[]), [0; 0]);
    }
}

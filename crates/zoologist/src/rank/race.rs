//! Racing: every candidate sees a few shards; those that can't win stop; the rest see more.
//!
//! Candidates are compared at equal n, on the same rows. Scores rise with n, and not equally: a wide model often starts
//! below a narrow one and overtakes it. So what is judged is not the paired difference D(n) of now, but what it will be
//! at all N rows. Its drift is estimated twice, and the estimate that favours the one behind counts:
//!
//! * by the jackknife's estimate of the bias of first order (Quenouille, Biometrika 43, 1956), B = (s - 1) (mean of the
//!   leave-one-shard-out values - D(n)), which is the slope of D over log n with its sign turned. Scores of wide features go on
//!   rising by log n until there are many rows per dimension, so B log(N/n) is taken off where that favours the one behind,
//!   and where it doesn't only B (1 - n/N), as for a bias that falls as 1/n;
//! * from the second rung on, by the line through the last two rungs over log n, as far as log N.
//!
//! The standard error of the prediction joins the jackknife's, of which the share 1 - n/N is left, and half of the drift.
//! Who is wider than the one ahead and has seen few rows for its dimensions is not judged by one rung alone.
//!
//! A candidate stops when it can't be better at N by more than chance: then the full pass would call the two a tie at best. The error
//! that the confidence leaves is shared among the rungs, and at each among the comparisons made there (Bonferroni).
//!
//! ```text
//! rung      1     2     3      4        5        6
//! shards    1     2     4      8       13       20
//!           all ─► those that may win ─► … ─► all rows, or nobody is left to race
//! ```

use crate::score::Evaluation;
use crate::score::jackknife::{self, student_quantile};

/// Shards of the finest cut that are seen at each rung.
const RUNGS: [usize; 6] = [1, 2, 4, 8, 13, 20];
/// A rung of fewer rows says too little.
const LEAST_ROWS: usize = 200;
/// The share of the predicted drift that counts as its standard error.
const DOUBT: f64 = 0.5;
/// With fewer rows per dimension a score still rises fast.
const ROWS_PER_DIMENSION: usize = 4;
/// Differences inside the 95% interval are ties.
const TWO_SIDED: f64 = 0.975;

/// When a candidate stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// How many winners are wanted.
    pub top: usize,
    /// How sure it must be that nobody who stops belongs to them, over the whole race.
    pub confidence: f64,
}

/// What is seen of a candidate at a rung.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its score.
    pub score: Evaluation,
    /// The dimensions of its features.
    pub dim: usize,
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

/// Runs a race of some candidates, by number. `evaluate` is given those that are still in it, the most promising first, and a
/// number of rows, and gives what is seen of each on these rows; `None` for one that failed, which is out.
pub fn run<E>(
    rule: Rule,
    rungs: &[usize],
    candidates: usize,
    mut evaluate: impl FnMut(&[usize], usize) -> Result<Vec<Option<Seen>>, E>,
) -> Result<Vec<End>, E> {
    let mut ends = vec![End { rung: 0, stopped: false }; candidates];
    let mut field: Vec<Runner> = (0..candidates).map(Runner::new).collect();
    // The error that is allowed, shared among the rungs that may stop somebody.
    let error = (1.0 - rule.confidence) / rungs.len().saturating_sub(1).max(1) as f64;
    for (rung, &rows) in rungs.iter().enumerate() {
        let numbers: Vec<usize> = field.iter().map(|runner| runner.number).collect();
        let found = evaluate(&numbers, rows)?;
        numbers.iter().for_each(|&number| ends[number].rung = rung);
        field = field.into_iter().zip(found).filter_map(|(runner, found)| Some(runner.at(rows, found?))).collect();
        field.sort_by(|a, b| b.height().total_cmp(&a.height()).then(a.number.cmp(&b.number)));
        let last = rungs.last().copied().unwrap_or(rows);
        let Some(bar) = rule.top.checked_sub(1).and_then(|place| field.get(place)).cloned() else { continue };
        // And at a rung among those who are compared there.
        let error = error / field.len().saturating_sub(rule.top).max(1) as f64;
        let mut place = 0;
        field.retain(|runner| {
            place += 1;
            let goes_on = place <= rule.top || rows == last || runner.may_win(&bar, last, error);
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
    seen: Vec<(usize, Seen)>,
}

impl Runner {
    fn new(number: usize) -> Self {
        Self { number, seen: vec![] }
    }

    fn at(mut self, rows: usize, found: Seen) -> Self {
        self.seen.push((rows, found));
        self
    }

    /// The last score.
    fn height(&self) -> f64 {
        self.seen.last().map_or(f64::NEG_INFINITY, |(_, last)| last.score.height())
    }

    /// Whether it is wider than another and has seen few rows for its dimensions.
    fn is_late(&self, other: &Self, rows: usize) -> bool {
        let dim = |runner: &Self| runner.seen.last().map_or(0, |(_, seen)| seen.dim);
        dim(self) > dim(other) && rows < ROWS_PER_DIMENSION * dim(self)
    }

    /// Whether this one may yet be better than `bar`, who is ahead now, at `all` rows, by more than chance. What can't be
    /// compared goes on.
    fn may_win(&self, bar: &Self, all: usize, error: f64) -> bool {
        let gap = |((rows, own), (_, other)): (&(usize, Seen), &(usize, Seen))| {
            Some((*rows, Gap::between(&other.score, &own.score)?))
        };
        let gaps: Vec<Option<(usize, Gap)>> = self.seen.iter().zip(&bar.seen).map(gap).collect();
        let Some((Some((rows, gap)), before)) = gaps.split_last() else { return true };
        // A wider one overtakes where rows were few for its dimensions: one rung alone doesn't show by how much.
        if before.is_empty() && self.is_late(bar, *rows) {
            return true;
        }
        let share = 1.0 - *rows as f64 / all as f64;
        let mut drift = gap.bias * if gap.bias > 0.0 { (all as f64 / *rows as f64).ln() } else { share };
        if let Some(Some((earlier, then))) = before.last() {
            let steps = (all as f64 / *rows as f64).ln() / (*rows as f64 / *earlier as f64).ln();
            drift = drift.max((then.value - gap.value) * steps);
        }
        let deviation = (gap.error.powi(2) * share + (DOUBT * drift).powi(2)).sqrt();
        // What will be chance at all rows, where the standard error is smaller.
        let chance = student_quantile(TWO_SIDED, gap.freedom) * gap.error * (1.0 - share).sqrt();
        gap.value - drift + chance <= student_quantile(1.0 - error, gap.freedom) * deviation
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

    const ROWS: [usize; 6] = [100, 200, 400, 800, 1300, 2000];

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
        race_of(models, noise, &vec![1; models.len()])
    }

    /// The last rungs of models whose features have these dimensions.
    fn race_of(models: &[(f64, f64)], noise: f64, dims: &[usize]) -> Vec<usize> {
        let evaluate = |numbers: &[usize], rows: usize| {
            let one = |&number: &usize| {
                let (limit, slope) = models[number];
                Some(Seen { score: evaluation(limit, slope, rows, noise * (1.0 + number as f64)), dim: dims[number] })
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
    fn who_would_only_tie_stops_before_the_end() {
        let reached = race(&[(0.3, 10.0), (0.3, 10.0)], 0.5);
        assert!(reached[0] < 5 && reached[1] < 5, "{reached:?}");
    }

    #[test]
    fn a_wider_one_is_judged_by_two_rungs() {
        assert_eq!(race_of(&[(0.9, 1.0), (0.2, 1.0)], 0.01, &[50, 50]), [0, 0]);
        assert_eq!(race_of(&[(0.9, 1.0), (0.2, 1.0)], 0.01, &[50, 400]), [1, 1]);
    }

    #[test]
    fn what_can_not_be_compared_goes_on() {
        let evaluate = |numbers: &[usize], rows: usize| {
            let one = |&number: &usize| {
                let mut score = evaluation(1.0 - 0.5 * number as f64, 1.0, rows, 0.01);
                // A class is missing without one of the shards.
                score.replicates.truncate(if rows == 100 { 0 } else { 20 });
                Some(Seen { score, dim: 1 })
            };
            Ok::<_, ()>(numbers.iter().map(one).collect())
        };
        let ends = run(Rule { top: 1, confidence: 0.95 }, &ROWS, 2, evaluate).unwrap();
        assert_eq!([ends[0].rung, ends[1].rung], [1, 1]);
    }

    #[test]
    fn rungs_end_on_bounds_of_shards_and_none_is_too_small() {
        let bounds: Vec<usize> = (1..=20).map(|shard| shard * 60).collect();
        assert_eq!(rungs(&bounds), [240, 480, 780, 1200]);
        assert_eq!(rungs(&[30, 60]), [60]);
        assert_eq!(rungs(&[]), [0; 0]);
    }
}

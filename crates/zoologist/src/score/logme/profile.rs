//! The global maximum of the profile evidence of each target column.
//!
//! l(t) can have two maxima (when column means dominate, one uses only the mean direction), can be largest at t = 0
//! (no noise) or at t = infinity (features unused). So its slope is evaluated on a grid of t, every maximum is refined,
//! and the largest of them and of the two limits wins. All columns of a panel go through this together.

use std::f64::consts::PI;

use rayon::prelude::*;

use crate::score::reduction::{Fit, Reduction};
use crate::score::solver::{LANES, Lanes, Panel};

/// The maximum evidence of one target column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnEvidence {
    /// Log evidence per row in nats; `None` if it has no upper bound.
    pub value: Option<f64>,
    /// Log evidence per row of using no features.
    pub without_features: f64,
    /// alpha / beta at the maximum; infinite where the features are unused.
    pub t: f64,
    /// Precision of the weights.
    pub alpha: f64,
    /// Precision of the noise.
    pub beta: f64,
    /// Effective number of parameters.
    pub gamma: f64,
    /// Whether the maximum lies at a limit.
    pub limit: Limit,
}

/// Where the maximum lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At a finite t.
    Interior,
    /// At t = infinity: the features are unused.
    FeaturesUnused,
    /// At t = 0 with a finite value: as many independent rows as there are rows.
    NoiseFree,
    /// At t = 0, where the evidence grows without bound.
    Unbounded,
}

/// Steps of the refinement; the slope is smooth, and about eight are needed.
const MAX_STEPS: usize = 60;

/// Finds the maximum for each of these target columns of a response.
pub fn maximise(reduction: &Reduction, response: usize, columns: &[usize]) -> Vec<ColumnEvidence> {
    let grid = Grid::of(reduction);
    let panel = |columns: &[usize]| {
        let places: Vec<Option<usize>> = columns.iter().copied().map(Some).collect();
        let panel = reduction.panel(response, &places);
        let mut found = grid.maximise(reduction, &panel);
        found.truncate(columns.len());
        found
    };
    columns.par_chunks(LANES).flat_map_iter(panel).collect()
}

/// Values of t, two per decade, from far below the smallest eigenvalue that counts to far above the largest. Empty
/// when all features are 0.
struct Grid {
    points: Vec<f64>,
    /// The sum of lambda / (lambda + t) at each point.
    traces: Vec<f64>,
}

/// A bracket of a maximum: a lane, and a place ln t with the slope there on either side.
struct Bracket {
    lane: usize,
    left: (f64, f64),
    right: (f64, f64),
}

impl Grid {
    fn of(reduction: &Reduction) -> Self {
        let (low, high) = (reduction.lowest_t(), 1e8 * (reduction.largest() + reduction.mean_trace));
        if low <= 0.0 || !(high / low).is_finite() {
            return Self { points: vec![], traces: vec![] };
        }
        let steps = (2.0 * (high / low).log10()).ceil();
        let points: Vec<f64> = (0..=steps as usize).map(|step| low * (high / low).powf(step as f64 / steps)).collect();
        let traces = points.chunks(LANES).flat_map(|chunk| {
            let mut t = [1.0; LANES];
            t[..chunk.len()].copy_from_slice(chunk);
            reduction.traces(&t)[..chunk.len()].to_vec()
        });
        Self { traces: traces.collect(), points }
    }

    /// The maximum of every lane of a panel.
    fn maximise(&self, reduction: &Reduction, panel: &Panel) -> Vec<ColumnEvidence> {
        let mut best: Vec<ColumnEvidence> = (0..LANES).map(|lane| without_features(reduction, panel, lane)).collect();
        let Some((&low, &low_trace)) = self.points.first().zip(self.traces.first()) else { return best };
        let lowest = reduction.fit(panel, &[low; LANES], &[low_trace; LANES]);
        let slopes = self.slopes(reduction, panel);
        let can_fit_all = reduction.rank(lowest.mean_outside[0]) as f64 >= reduction.rows;
        let at_lowest = evidences(reduction, panel, &[low; LANES], &lowest);
        for (lane, mut found) in at_lowest.into_iter().enumerate() {
            if !can_fit_all && (lowest.penalised[lane] <= 0.0 || slopes[0][lane] < 0.0) && panel.scatter[lane] > 0.0 {
                best[lane] = ColumnEvidence { value: None, limit: Limit::Unbounded, t: 0.0, ..best[lane].clone() };
                continue;
            }
            found.limit = if can_fit_all { Limit::NoiseFree } else { Limit::Interior };
            keep_larger(&mut best[lane], found);
        }
        for brackets in self.brackets(&slopes).chunks(LANES) {
            for (lane, found) in refined(reduction, panel, brackets) {
                keep_larger(&mut best[lane], found);
            }
        }
        best
    }

    /// The slopes of every lane at every point.
    fn slopes(&self, reduction: &Reduction, panel: &Panel) -> Vec<Lanes> {
        let at = |(&t, &trace): (&f64, &f64)| {
            let t = [t; LANES];
            slopes(reduction, &t, &reduction.fit(panel, &t, &[trace; LANES]))
        };
        self.points.iter().zip(&self.traces).map(at).collect()
    }

    /// Where the slope turns from positive to negative.
    fn brackets(&self, slopes: &[Lanes]) -> Vec<Bracket> {
        let end = |place: usize, lane: usize| (self.points[place].ln(), slopes[place][lane]);
        let turns = |lane: usize| {
            let falls = move |place: &usize| slopes[place - 1][lane] > 0.0 && slopes[*place][lane] <= 0.0;
            let bracket = move |place| Bracket { lane, left: end(place - 1, lane), right: end(place, lane) };
            (1..slopes.len()).filter(falls).map(bracket)
        };
        (0..LANES).flat_map(turns).collect()
    }
}

/// `None` stands for an unbounded value, which nothing replaces.
fn keep_larger(best: &mut ColumnEvidence, found: ColumnEvidence) {
    if best.limit != Limit::Unbounded && found.value > best.value {
        *best = found;
    }
}

/// dl / d ln t = (gamma - n t |m|² / S) / 2.
fn slopes(reduction: &Reduction, t: &Lanes, fit: &Fit) -> Lanes {
    std::array::from_fn(|lane| {
        let pull = reduction.rows * t[lane] * fit.weight[lane] / fit.penalised[lane].max(f64::MIN_POSITIVE);
        (fit.gamma[lane] - pull) / 2.0
    })
}

/// The maxima inside some brackets, as many as there are lanes at the most, with the lanes that they belong to.
fn refined(reduction: &Reduction, panel: &Panel, brackets: &[Bracket]) -> Vec<(usize, ColumnEvidence)> {
    let lanes: Vec<usize> = brackets.iter().map(|bracket| bracket.lane).collect();
    let panel = panel.pick(&lanes);
    let fit = |t: &Lanes| reduction.fit(&panel, t, &reduction.traces(t));
    let mut roots: Vec<Root> = brackets.iter().map(|bracket| Root::new(bracket.left, bracket.right)).collect();
    let mut t = [1.0; LANES];
    for _ in 0..MAX_STEPS {
        if roots.iter().all(|root| root.found) {
            break;
        }
        roots.iter_mut().zip(&mut t).for_each(|(root, t)| *t = root.propose().exp());
        let found = slopes(reduction, &t, &fit(&t));
        roots.iter_mut().zip(found).for_each(|(root, slope)| root.narrow(slope));
    }
    roots.iter().zip(&mut t).for_each(|(root, t)| *t = root.place.exp());
    let found = evidences(reduction, &panel, &t, &fit(&t));
    lanes.into_iter().zip(found).collect()
}

/// l_inf = n/2 ln(n / (2 pi e y'y)).
fn without_features(reduction: &Reduction, panel: &Panel, lane: usize) -> ColumnEvidence {
    let mean = panel.mean[lane];
    let total = panel.scatter[lane] + reduction.rows * mean * mean;
    let value = profile_of(reduction.rows, total);
    ColumnEvidence {
        value: Some(value),
        without_features: value,
        t: f64::INFINITY,
        alpha: f64::INFINITY,
        beta: reduction.rows / total,
        gamma: 0.0,
        limit: Limit::FeaturesUnused,
    }
}

/// The evidence per row of every lane at its own t.
fn evidences(reduction: &Reduction, panel: &Panel, t: &Lanes, fit: &Fit) -> Vec<ColumnEvidence> {
    let determinants = reduction.log_determinants(t, &fit.mean_energy);
    let evidence = |lane: usize| {
        let penalised = fit.penalised[lane];
        let value = profile_of(reduction.rows, penalised) - determinants[lane] / (2.0 * reduction.rows);
        let beta = reduction.rows / penalised;
        ColumnEvidence {
            // A residual that rounding made negative has no logarithm; the limits speak for such a column.
            value: Some(value).filter(|value| value.is_finite()),
            t: t[lane],
            alpha: t[lane] * beta,
            beta,
            gamma: fit.gamma[lane],
            limit: Limit::Interior,
            ..without_features(reduction, panel, lane)
        }
    };
    (0..LANES).map(evidence).collect()
}

/// 1/2 ln( n / (2 pi e S) ): the log evidence per row but for the determinant.
fn profile_of(rows: f64, penalised: f64) -> f64 {
    0.5 * (rows / (2.0 * PI * penalised)).ln() - 0.5
}

/// The search for the root of a falling function between two places (x, f(x)), by the Illinois form of the false
/// position: an end that stays twice counts half, so both ends close in.
struct Root {
    left: (f64, f64),
    right: (f64, f64),
    place: f64,
    /// Whether the last step moved the left end, if there was one.
    moved_left: Option<bool>,
    found: bool,
    step: f64,
}

impl Root {
    fn new(left: (f64, f64), right: (f64, f64)) -> Self {
        Self { left, right, place: left.0, moved_left: None, found: false, step: f64::INFINITY }
    }

    /// The next place to look at.
    fn propose(&mut self) -> f64 {
        if !self.found {
            let before = self.place;
            let (left, right) = (self.left, self.right);
            self.place = right.0 - right.1 * (right.0 - left.0) / (right.1 - left.1);
            self.step = (self.place - before).abs();
        }
        self.place
    }

    /// Takes in the value there.
    fn narrow(&mut self, y: f64) {
        if self.found || self.step < 1e-10 || y == 0.0 {
            self.found = true;
        } else if y > 0.0 {
            self.right.1 /= if self.moved_left == Some(true) { 2.0 } else { 1.0 };
            self.left = (self.place, y);
            self.moved_left = Some(true);
        } else {
            self.left.1 /= if self.moved_left == Some(false) { 2.0 } else { 1.0 };
            self.right = (self.place, y);
            self.moved_left = Some(false);
        }
    }
}

//! Kendall's correlations: do two lists order the same things alike?
//!
//! With s_ij = sgn(x_i - x_j) sgn(y_i - y_j) over pairs i < j,
//!
//! ```text
//! tau_b = sum s_ij / sqrt( sum [x_i != x_j] · sum [y_i != y_j] )
//! tau_w = the same with each pair weighted by w_i + w_j, w_i = 1 / (place of i, from 1, by descending value);
//!         the mean of placing by x (ties by y) and by y (ties by x)
//! ```
//!
//! so pairs at the top count most in tau_w. Sources: Kendall (1945); Vigna (2015), additive hyperbolic weights: what
//! `scipy.stats.kendalltau` and `scipy.stats.weightedtau` compute. Undefined where a list does not vary.
//!
//! Both need only a_i = sum_j s_ij and the sizes of ties, since sum_{i<j} (w_i + w_j) s_ij = sum_i w_i a_i. The a_i are
//! whole numbers, counted in a binary indexed tree: n log n time, n memory.

use super::ordinal::Places;

/// The weighted correlation of two lists of finite numbers, -1 to 1; `None` where one of them does not vary.
///
/// ```
/// use zoologist::score::kendall::weighted;
/// let found = weighted(&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0]).unwrap();
/// assert!((found - -0.566_949_681_536_827_2).abs() < 1e-15);
/// ```
pub fn weighted(x: &[f64], y: &[f64]) -> Option<f64> {
    Pairs::of(x, y).weighted()
}

/// All pairs of items in two orders.
pub(super) struct Pairs {
    x: Places,
    y: Places,
    /// For each item, how many others both lists put on the same side of it, less those they put on opposite sides.
    agreement: Vec<i64>,
}

impl Pairs {
    /// The pairs of two lists of equal length.
    pub fn of(x: &[f64], y: &[f64]) -> Self {
        let (x, y) = (Places::of(x), Places::of(y));
        let mut agreement = vec![0; x.of.len()];
        let mut groups = vec![Vec::new(); x.counts.len()];
        x.of.iter().enumerate().for_each(|(item, &place)| groups[place].push(item));
        let top = y.counts.len();
        sweep(groups.iter(), top, |item| y.of[item], &mut agreement);
        sweep(groups.iter().rev(), top, |item| top - 1 - y.of[item], &mut agreement);
        Self { x, y, agreement }
    }

    /// Kendall's tau-b.
    pub fn plain(&self) -> Option<f64> {
        let differ = |places: &Places| (0..places.of.len()).map(|item| others(places, item)).sum::<f64>();
        ratio(self.agreement.iter().sum::<i64>() as f64, differ(&self.x), differ(&self.y))
    }

    /// The weighted tau.
    pub fn weighted(&self) -> Option<f64> {
        Some(f64::midpoint(self.placed_by(&self.x, &self.y)?, self.placed_by(&self.y, &self.x)?))
    }

    fn placed_by(&self, first: &Places, second: &Places) -> Option<f64> {
        let mut order: Vec<usize> = (0..first.of.len()).collect();
        order.sort_unstable_by_key(|&item| std::cmp::Reverse((first.of[item], second.of[item], item)));
        let (mut agreement, mut differ_first, mut differ_second) = (0.0, 0.0, 0.0);
        for (place, &item) in order.iter().enumerate() {
            let weight = 1.0 / (place as f64 + 1.0);
            agreement += weight * self.agreement[item] as f64;
            differ_first += weight * others(first, item);
            differ_second += weight * others(second, item);
        }
        ratio(agreement, differ_first, differ_second)
    }
}

/// Goes through the groups of equal x upwards, and adds to each item's agreement what the groups below it say.
fn sweep<'a>(
    groups: impl Iterator<Item = &'a Vec<usize>>,
    places: usize,
    place: impl Fn(usize) -> usize,
    agreement: &mut [i64],
) {
    let mut seen = Counts { tree: vec![0; places], all: 0 };
    for group in groups {
        for &item in group {
            let above = seen.all - seen.below(place(item) + 1);
            agreement[item] += seen.below(place(item)) - above;
        }
        group.iter().for_each(|&item| seen.add(place(item)));
    }
}

/// How many others have another value than this item.
fn others(places: &Places, item: usize) -> f64 {
    (places.of.len() - places.counts[places.of[item]]) as f64
}

fn ratio(agreement: f64, differ_x: f64, differ_y: f64) -> Option<f64> {
    let scale = (differ_x * differ_y).sqrt();
    (scale > 0.0).then(|| (agreement / scale).clamp(-1.0, 1.0))
}

/// A binary indexed tree of counts.
struct Counts {
    tree: Vec<i64>,
    all: i64,
}

impl Counts {
    fn add(&mut self, place: usize) {
        self.all += 1;
        let mut node = place;
        while node < self.tree.len() {
            self.tree[node] += 1;
            node |= node + 1;
        }
    }

    /// How many were added at lower places.
    fn below(&self, place: usize) -> i64 {
        let (mut end, mut sum) = (place, 0);
        while end > 0 {
            sum += self.tree[end - 1];
            end &= end - 1;
        }
        sum
    }
}

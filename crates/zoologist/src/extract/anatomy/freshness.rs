//! Does a weight tensor look freshly initialised?
//!
//! Two kinds of evidence, both without data. First: initialisers draw every entry independently from a distribution
//! whose width is a formula of the tensor's shape. The entries are held against these distributions by their standard
//! deviation and by the Kolmogorov-Smirnov distance. Second: the singular values of a matrix of independent entries
//! stay below the edge of the Marchenko-Pastur law, sd · (sqrt(rows) + sqrt(columns)). Training adds directions
//! beyond it.
//!
//! One kind alone proves little: trained matrices look normal too, and identity-like ones stay below the edge. So a
//! caller should ask for both, and for most tensors of a model. Sources: LeCun et al. (1998); Glorot & Bengio (2010);
//! He et al. (2015); Marchenko & Pastur (1967).

/// With fewer entries a tensor says nothing.
const FEWEST_ENTRIES: usize = 200;

/// The Kolmogorov-Smirnov test looks at so many entries at the most.
const MAX_SAMPLED: usize = 2000;

/// Below this p-value a distribution does not fit.
const LEAST_P: f64 = 0.05;

/// A largest singular value up to this multiple of the edge is inside the bulk.
const EDGE_MARGIN: f64 = 1.05;

/// The singular value is that of a part of the matrix with so many rows and columns at the most.
const MAX_ROWS: usize = 512;
const MAX_COLUMNS: usize = 2048;

/// Steps of the power iteration at the most.
const MAX_STEPS: usize = 100;

/// What the entries of a weight tensor say about their origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Freshness {
    /// The initialiser that fits best; `None` if none fits.
    pub fits: Option<Fit>,
    /// Whether all singular values lie inside the bulk of random matrices; `None` for matrices that are so narrow that
    /// hardly any could lie outside.
    pub in_bulk: Option<bool>,
    /// The largest singular value by the edge of the bulk; infinite for constant entries other than 0, NaN for zeros.
    pub edge_ratio: f64,
}

/// An initialiser that the entries may come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The distribution, with its parameter.
    pub distribution: Distribution,
    /// The formula that gives the parameter, for example `sqrt(6 / fan_in)`.
    pub formula: &'static str,
    /// The p-value of the Kolmogorov-Smirnov test.
    pub p: f64,
    /// The standard deviation of the entries by that of the distribution.
    pub deviation_ratio: f64,
}

/// A distribution around 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Uniform between minus and plus this bound.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// Normal with this standard deviation, cut off at twice of it.
    TruncatedNormal(f64),
}

impl Distribution {
    /// The standard deviation.
    pub fn deviation(self) -> f64 {
        /// Of the standard normal distribution cut off at 2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
        const TRUNCATED: f64 = 0.879_625_661_034_239_8;
        match self {
            Self::Uniform(bound) => bound / 3.0_f64.sqrt(),
            Self::Normal(deviation) => deviation,
            Self::TruncatedNormal(deviation) => TRUNCATED * deviation,
        }
    }

    /// The probability of a value up to x.
    pub fn cumulative(self, x: f64) -> f64 {
        match self {
            Self::Uniform(bound) => (f64::midpoint(x / bound, 1.0)).clamp(0.0, 1.0),
            Self::Normal(deviation) => normal(x / deviation),
            Self::TruncatedNormal(deviation) => {
                let outside = normal(-2.0);
                ((normal(x / deviation) - outside) / (1.0 - 2.0 * outside)).clamp(0.0, 1.0)
            }
        }
    }
}

/// Looks at the entries of a weight tensor, in row-major order.
///
/// The shape is `[out, in, kernel..]`; for two axes `[in, out]` is tried too. `None` for tensors of fewer than two axes
/// or 200 entries, with entries that are not finite, or of another number of entries than the shape says.
pub fn freshness(values: &[f32], shape: &[usize]) -> Option<Freshness> {
    let entries = shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis))?;
    let finite = || values.iter().all(|value| value.is_finite());
    if shape.len() < 2 || entries < FEWEST_ENTRIES || entries != values.len() || !finite() {
        return None;
    }
    let deviation = deviation(values);
    let matrix = Matrix::sampled(values, shape[0], entries / shape[0]);
    let edge_ratio = matrix.largest_singular_value() / (deviation * matrix.edge());
    let in_bulk = matrix.can_exceed_edge().then_some(edge_ratio < EDGE_MARGIN);
    Some(Freshness { fits: best_fit(values, shape, deviation), in_bulk, edge_ratio })
}

/// The standard deviation about the mean.
fn deviation(values: &[f32]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let square = |&value: &f32| (f64::from(value) - mean).powi(2);
    (values.iter().map(square).sum::<f64>() / count).sqrt()
}

/// The initialiser of the largest p-value among those that fit.
fn best_fit(values: &[f32], shape: &[usize], deviation: f64) -> Option<Fit> {
    let tolerance = (2.0 / (values.len() as f64).sqrt()).max(0.03);
    let mut sample: Vec<f64> = evenly(values.len(), MAX_SAMPLED).map(|place| f64::from(values[place])).collect();
    sample.sort_unstable_by(f64::total_cmp);
    let fit = |(distribution, formula): (Distribution, &'static str)| {
        let deviation_ratio = deviation / distribution.deviation();
        let near = (deviation_ratio - 1.0).abs() <= tolerance;
        near.then(|| Fit { distribution, formula, p: p_value(&sample, distribution), deviation_ratio })
    };
    let fits = initialisers(shape).into_iter().filter_map(fit).filter(|fit| fit.p > LEAST_P);
    fits.max_by(|one, other| one.p.total_cmp(&other.p))
}

/// The usual initialisers for a shape of two or more axes.
fn initialisers(shape: &[usize]) -> Vec<(Distribution, &'static str)> {
    let kernel: usize = shape[2..].iter().product();
    let (inputs, outputs) = ((shape[1] * kernel) as f64, (shape[0] * kernel) as f64);
    let mut found = vec![
        (Distribution::Normal(0.02), "0.02"),
        (Distribution::TruncatedNormal(0.02), "0.02"),
        (Distribution::Uniform((6.0 / (inputs + outputs)).sqrt()), "sqrt(6 / (fan_in + fan_out))"),
        (Distribution::Normal((2.0 / (inputs + outputs)).sqrt()), "sqrt(2 / (fan_in + fan_out))"),
        (Distribution::Normal((2.0 / outputs).sqrt()), "sqrt(2 / fan_out)"),
    ];
    found.extend(initialisers_by_inputs(inputs));
    if shape.len() == 2 {
        found.extend(initialisers_by_inputs(outputs));
        found.push((Distribution::Normal((2.0 / inputs).sqrt()), "sqrt(2 / fan_out)"));
    }
    found
}

fn initialisers_by_inputs(inputs: f64) -> [(Distribution, &'static str); 5] {
    [
        (Distribution::Uniform((1.0 / inputs).sqrt()), "1 / sqrt(fan_in)"),
        (Distribution::Uniform((3.0 / inputs).sqrt()), "sqrt(3 / fan_in)"),
        (Distribution::Uniform((6.0 / inputs).sqrt()), "sqrt(6 / fan_in)"),
        (Distribution::Normal((1.0 / inputs).sqrt()), "sqrt(1 / fan_in)"),
        (Distribution::Normal((2.0 / inputs).sqrt()), "sqrt(2 / fan_in)"),
    ]
}

/// The p-value of the Kolmogorov-Smirnov test of an ascending sample: the limit law with the correction of Stephens
/// (1970) for finite samples.
fn p_value(ascending: &[f64], distribution: Distribution) -> f64 {
    let count = ascending.len() as f64;
    let gap = |(place, &x): (usize, &f64)| {
        let probability = distribution.cumulative(x);
        (probability - place as f64 / count).max((place as f64 + 1.0) / count - probability)
    };
    let distance = ascending.iter().enumerate().map(gap).fold(0.0, f64::max);
    let scaled = (count.sqrt() + 0.12 + 0.11 / count.sqrt()) * distance;
    // The series does not converge near 0, where the probability is 1 to all digits.
    if scaled < 0.2 {
        return 1.0;
    }
    let term = |j: i32| (1.0 - 2.0 * f64::from((j + 1) % 2)) * (-2.0 * (f64::from(j) * scaled).powi(2)).exp();
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// The standard normal distribution function to 1e-7: Abramowitz & Stegun (1964), 7.1.26.
fn normal(x: f64) -> f64 {
    const FACTORS: [f64; 5] = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let z = x.abs() / 2.0_f64.sqrt();
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let tail = FACTORS.iter().fold(0.0, |sum, factor| (sum + factor) * t) * (-z * z).exp() / 2.0;
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// So many of the numbers below `length` at the most, evenly spaced.
fn evenly(length: usize, most: usize) -> impl Iterator<Item = usize> + Clone {
    let taken = length.min(most);
    (0..taken).map(move |step| (step as u128 * length as u128 / taken as u128) as usize)
}

/// A part of the tensor as a matrix, row after row.
struct Matrix {
    rows: usize,
    entries: Vec<f64>,
}

impl Matrix {
    /// Evenly spaced rows and columns, so that the cost is bounded. A part of a random matrix is as random.
    fn sampled(values: &[f32], rows: usize, columns: usize) -> Self {
        let taken = evenly(columns, MAX_COLUMNS);
        let row = |row: usize| taken.clone().map(move |column| f64::from(values[row * columns + column]));
        Self { rows: rows.min(MAX_ROWS), entries: evenly(rows, MAX_ROWS).flat_map(row).collect() }
    }

    fn columns(&self) -> usize {
        self.entries.len() / self.rows
    }

    /// The edge of the bulk for entries of standard deviation 1.
    fn edge(&self) -> f64 {
        (self.rows as f64).sqrt() + (self.columns() as f64).sqrt()
    }

    /// Whether a matrix of this shape with everything in one direction would be far outside the bulk.
    fn can_exceed_edge(&self) -> bool {
        (self.entries.len() as f64).sqrt() > 1.5 * self.edge()
    }

    /// Power iteration on A A'. Its estimates rise towards the true value. Near the edge, where singular values lie
    /// close, 100 steps leave them about 1 % low.
    fn largest_singular_value(&self) -> f64 {
        let mut left = start(self.rows);
        let mut value = 0.0;
        for _ in 0..MAX_STEPS {
            let length = norm(&left);
            if length == 0.0 {
                break;
            }
            left.iter_mut().for_each(|entry| *entry /= length);
            let right = self.transposed_times(&left);
            let before = std::mem::replace(&mut value, norm(&right));
            if value - before <= 1e-6 * value {
                break;
            }
            left = self.times(&right);
        }
        value
    }

    fn times(&self, right: &[f64]) -> Vec<f64> {
        let product = |row: &[f64]| row.iter().zip(right).map(|(a, b)| a * b).sum();
        self.entries.chunks(self.columns()).map(product).collect()
    }

    fn transposed_times(&self, left: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.columns()];
        for (row, factor) in self.entries.chunks(sums.len()).zip(left) {
            sums.iter_mut().zip(row).for_each(|(sum, entry)| *sum += factor * entry);
        }
        sums
    }
}

/// Multiples of the golden ratio without their whole part, plus 1/2: all positive, so never at right angles to a mean
/// direction, and without a pattern that a learnt direction might cancel.
fn start(length: usize) -> Vec<f64> {
    const GOLDEN: f64 = 1.618_033_988_749_895;
    (1..=length).map(|place| (place as f64 * GOLDEN).fract() + 0.5).collect()
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A linear congruential generator with the constants of Knuth's MMIX.
    struct Random(u64);

    impl Random {
        /// Uniform in 0 to 1, without both.
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
        }

        /// Standard normal, after Box and Muller.
        fn normal(&mut self) -> f64 {
            (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
        }

        fn between(&mut self, bound: f64, count: usize) -> Vec<f32> {
            (0..count).map(|_| ((2.0 * self.uniform() - 1.0) * bound) as f32).collect()
        }

        fn normals(&mut self, deviation: f64, count: usize) -> Vec<f32> {
            (0..count).map(|_| (deviation * self.normal()) as f32).collect()
        }
    }

    fn assert_fresh(values: &[f32], shape: &[usize], formula: &str) {
        let found = freshness(values, shape).unwrap();
        assert_eq!(found.fits.map(|fit| fit.formula), Some(formula), "{found:?}");
        assert_eq!(found.in_bulk, Some(true), "{found:?}");
        assert!((0.7..1.05).contains(&found.edge_ratio), "{found:?}");
    }

    #[test]
    fn fresh_tensors_are_recognised_with_their_formula() {
        let mut random = Random(1);
        assert_fresh(&random.between((1.0 / 288.0_f64).sqrt(), 64 * 288), &[64, 32, 3, 3], "1 / sqrt(fan_in)");
        assert_fresh(&random.between((6.0 / 400.0_f64).sqrt(), 400 * 90), &[400, 90], "sqrt(6 / fan_in)");
        let xavier = random.between((6.0 / 500.0_f64).sqrt(), 100 * 400);
        assert_fresh(&xavier, &[100, 400], "sqrt(6 / (fan_in + fan_out))");
        assert_fresh(&random.normals((2.0 / 432.0_f64).sqrt(), 48 * 288), &[48, 32, 3, 3], "sqrt(2 / fan_out)");
        assert_fresh(&random.normals(0.02, 700 * 300), &[700, 300], "0.02");
    }

    #[test]
    fn truncation_is_told_from_a_narrower_normal_distribution() {
        let mut random = Random(2);
        let cut = std::iter::repeat_with(|| random.normal()).filter(|draw| draw.abs() < 2.0);
        let values: Vec<f32> = cut.map(|draw| (0.02 * draw) as f32).take(64 * 200).collect();
        let fit = freshness(&values, &[64, 200]).unwrap().fits.unwrap();
        assert_eq!(fit.distribution, Distribution::TruncatedNormal(0.02));
    }

    #[test]
    fn a_learnt_direction_lies_outside_the_bulk_and_spoils_the_fit() {
        let mut random = Random(3);
        let (rows, columns) = (random.normals(1.0, 128), random.normals(1.0, 256));
        let noise = random.between(1.0 / 16.0, 128 * 256);
        let learnt = |(place, noise): (usize, &f32)| noise + 0.02 * rows[place / 256] * columns[place % 256];
        let values: Vec<f32> = noise.iter().enumerate().map(learnt).collect();
        let found = freshness(&values, &[128, 256]).unwrap();
        assert_eq!((found.fits, found.in_bulk), (None, Some(false)), "{found:?}");
    }

    #[test]
    fn constant_tensors_are_not_fresh() {
        for constant in [0.0, 0.02] {
            let found = freshness(&[constant; 1024], &[32, 32]).unwrap();
            assert_eq!((found.fits, found.in_bulk), (None, Some(false)));
        }
    }

    #[test]
    fn tensors_that_say_nothing_are_left_out() {
        assert_eq!(freshness(&[0.5; 199], &[1, 199]), None);
        assert_eq!(freshness(&[0.5; 400], &[400]), None);
        assert_eq!(freshness(&[0.5; 400], &[20, 21]), None);
        assert_eq!(freshness(&[f32::NAN; 400], &[20, 20]), None);
        assert_eq!(freshness(&Random(4).normals(1.0, 400), &[1, 400]).unwrap().in_bulk, None);
    }

    #[test]
    fn singular_values_and_probabilities_agree_with_known_ones() {
        let matrix = Matrix { rows: 2, entries: vec![3.0, 0.0, 4.0, 5.0] };
        assert!((matrix.largest_singular_value() - 45.0_f64.sqrt()).abs() < 1e-6);
        assert!((Distribution::Normal(2.0).cumulative(-2.0) - 0.158_655_254).abs() < 2e-7);
        let thirds = [1.0 / 6.0, 0.5, 5.0 / 6.0].map(|x| 2.0 * x - 1.0);
        assert!(p_value(&thirds, Distribution::Uniform(1.0)) > 0.999);
    }
}

//! Random weights to start from, by what a parameter is.

use zoologist::base::{Seed, Stream};

use super::parameters::is_statistic;
use crate::architecture::Parameter;
use crate::design::Design;
use crate::image::PictureNetwork;

/// Standard deviation of the matrices of a transformer for pictures, and of a new head.
const SPREAD: f64 = 0.02;
/// Where [`Initial::Narrow`] is cut off, in deviations.
const NARROW: f64 = 0.04;
/// The part of their usual spread that filters have beside [`Initial::Passing`].
const BESIDE_IDENTITY: f64 = 0.1;

/// What a parameter starts from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// One number.
    Constant(f32),
    /// A normal distribution of this standard deviation, cut off at two of them.
    Normal(f64),
    /// A normal distribution of deviation .02, cut off at a twenty-fifth of it: what the code of Tamkin et al. draws, which
    /// gives `truncnorm` its bounds in place of deviations.
    Narrow,
    /// Filters that give what they take, channel by channel, but for normal numbers of this standard deviation. Operations
    /// that share an edge then agree at first on what each channel means; without that, weights which each step meets in
    /// another company did not learn at all in hundreds of steps.
    Passing(f64),
}

impl Initial {
    /// What is usual for a parameter: norms 1 and 0, biases 0, filters by their fan-out (He et al., arXiv:1502.01852),
    /// matrices and embeddings normal with .02.
    pub fn of(design: &Design, parameter: &Parameter) -> Self {
        let (name, shape) = (parameter.name.as_str(), &parameter.shape[..]);
        match (design, shape) {
            _ if name.ends_with("running_var") => Self::Constant(1.0),
            _ if is_statistic(name) || name.ends_with("bias") => Self::Constant(0.0),
            (_, [_]) => Self::Constant(1.0),
            // A filter of its own for each channel has a fan-out of its places alone.
            (Design::Pictures(_), &[out, into, height, width]) => {
                let groups = if into == 1 { out } else { 1 };
                let spread = (2.0 / (out * height * width / groups) as f64).sqrt();
                match design {
                    Design::Pictures(PictureNetwork::Searched(network)) if network.passes_at_first(name) => {
                        Self::Passing(BESIDE_IDENTITY * spread)
                    }
                    _ => Self::Normal(spread),
                }
            }
            (Design::Texts(architecture), _) => Self::Normal(architecture.spread),
            _ => Self::Normal(SPREAD),
        }
    }

    /// The numbers of a parameter.
    pub fn draw(self, shape: &[usize], seed: Seed, name: &str) -> Vec<f32> {
        let count = shape.iter().product();
        match self {
            Self::Constant(value) => vec![value; count],
            Self::Normal(spread) => {
                let mut stream = seed.stream("initial weights", name);
                (0..count).map(|_| (spread * cut_normal(&mut stream)) as f32).collect()
            }
            Self::Narrow => {
                let mut stream = seed.stream("initial weights", name);
                (0..count).map(|_| (SPREAD * narrow_normal(&mut stream)) as f32).collect()
            }
            Self::Passing(spread) => {
                let mut values = Self::Normal(spread).draw(shape, seed, name);
                let (out, each) = (shape[0], count / shape[0]);
                let places: usize = shape[2..].iter().product();
                for channel in 0..out {
                    // A filter of its own for each channel takes that one alone.
                    let from = if shape[1] == 1 { 0 } else { channel };
                    values[channel * each + from * places + places / 2] += 1.0;
                }
                values
            }
        }
    }
}

/// The random start of a parameter.
pub fn initial(design: &Design, parameter: &Parameter, seed: Seed) -> Vec<f32> {
    Initial::of(design, parameter).draw(&parameter.shape, seed, &parameter.name)
}

/// The random start of a head's weight.
pub fn of_head(count: usize, seed: Seed) -> Vec<f32> {
    Initial::Normal(SPREAD).draw(&[count], seed, "head")
}

/// A standard normal number of at most 2 in size (Box and Muller, drawn again beyond).
fn cut_normal(stream: &mut Stream) -> f64 {
    loop {
        let (radius, angle) = ((-2.0 * (1.0 - stream.unit()).ln()).sqrt(), std::f64::consts::TAU * stream.unit());
        let value = radius * angle.cos();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

/// A standard normal number of at most [`NARROW`] in size, by rejection: there the density is nearly even.
fn narrow_normal(stream: &mut Stream) -> f64 {
    loop {
        let value = NARROW * (2.0 * stream.unit() - 1.0);
        if stream.unit() < (-0.5 * value * value).exp() {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_normal_has_the_spread_of_the_cut_normal() {
        let values = Initial::Normal(0.02).draw(&[100_000], Seed(0), "x");
        let variance = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / values.len() as f64;
        // A standard normal cut at two deviations has a deviation of .8796.
        assert!((variance.sqrt() / 0.02 - 0.8796).abs() < 0.01, "{}", variance.sqrt());
        assert!(values.iter().all(|value| value.abs() <= 0.04));
    }

    #[test]
    fn the_paper_s_numbers_are_38_times_too_small() {
        let values = Initial::Narrow.draw(&[100_000], Seed(0), "x");
        let variance = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / values.len() as f64;
        assert!((variance.sqrt() / 0.000_46 - 1.0).abs() < 0.02, "{}", variance.sqrt());
        assert!(values.iter().all(|value| value.abs() <= 0.0008));
    }

    #[test]
    fn passing_filters_give_what_they_take() {
        for (shape, ones) in [([2, 2, 1, 1], vec![0, 3]), ([2, 1, 3, 3], vec![4, 13])] {
            let values = Initial::Passing(0.01).draw(&shape, Seed(0), "x");
            for (place, value) in values.iter().enumerate() {
                let expected = if ones.contains(&place) { 1.0 } else { 0.0 };
                assert!((value - expected).abs() <= 0.02, "{shape:?}: {values:?}");
            }
        }
    }
}

//! One pass over the numbers of all weights: what can't be numbers, what holds nothing, what looks freshly made.

use std::collections::HashMap;

use super::freshness::freshness;
use super::{Numbers, Share, Signs};
use crate::extract::onnx::{Batchnorm, Role};

/// Larger numbers no network needs.
const HUGE: f32 = 1e30;
/// The largest number of half precision, and the least that is not subnormal.
const HALF: (f32, f32) = (65_504.0, 6.104e-5);
/// Weights of fewer numbers are not compared with each other.
const COMPARED_FROM: usize = 256;

/// What has been seen so far.
#[derive(Default)]
pub struct Scan {
    parameters: u64,
    numbers: Numbers,
    signs: Signs,
    /// The first weight with each content.
    contents: HashMap<blake3::Hash, String>,
    /// Vectors of normalisations by name: for each, its one value, if all are equal.
    vectors: HashMap<String, Option<f32>>,
    /// Pairs of scale and shift that are met one behind the other, of norms without statistics.
    last_scale: Option<bool>,
}

impl Scan {
    /// Looks at a tensor.
    pub fn take(&mut self, name: &str, shape: &[usize], role: Option<Role>, values: &[f32]) {
        if role.is_some() || shape.len() > 1 {
            self.parameters += values.len() as u64;
        }
        self.look_for_what_is_no_number(name, role, values);
        let Some(role) = role else { return };
        self.look_at_half(values);
        self.look_for_twins(name, shape, values);
        match role {
            Role::Kernel | Role::Matrix | Role::TurnedMatrix => self.matrix(name, shape, values),
            Role::Table => {}
            Role::Bias => self.bias(values),
            Role::Scale | Role::Shift | Role::Mean | Role::Variance => self.vector(name, role, values),
        }
    }

    /// Masks are made of infinities, and constants may be: only what has a role in the network must be finite.
    fn look_for_what_is_no_number(&mut self, name: &str, role: Option<Role>, values: &[f32]) {
        // Tables may be masks too.
        let is_mask = |value: f32| role == Some(Role::Table) && value < 0.0;
        let wrong = |value: &&f32| value.is_nan() || role.is_some() && value.is_infinite() && !is_mask(**value);
        let count = values.iter().filter(wrong).count();
        if let (Some(first), true) = (values.iter().position(|value| wrong(&value)), count > 0) {
            let what = if values[first].is_nan() { "NaN" } else { "infinite" };
            let more = if count > 1 { format!(", and {} more of its numbers", count - 1) } else { String::new() };
            self.numbers.not_finite.push(&format!("{name}[{first}] is {what}{more}"));
        } else if role.is_some()
            && let Some(first) = values.iter().position(|value| value.abs() > HUGE && !is_mask(*value))
        {
            self.numbers.huge.push(&format!("{name}[{first}] is {:e}", values[first]));
        }
    }

    fn look_at_half(&mut self, values: &[f32]) {
        let some = values.iter().map(|value| value.abs()).filter(|&value| value > 0.0 && value.is_finite());
        let (mut counted, mut small, mut large) = (0, 0, 0);
        for value in some {
            counted += 1;
            small += u64::from(value < HALF.1);
            large += u64::from(value > HALF.0);
        }
        self.numbers.counted += counted;
        self.numbers.subnormal_in_half += small;
        self.numbers.beyond_half += large;
    }

    fn look_for_twins(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        if shape.len() < 2 || values.len() < COMPARED_FROM || all_equal(values).is_some() {
            return;
        }
        let mut hasher = blake3::Hasher::new();
        values.iter().for_each(|value| {
            hasher.update(&value.to_le_bytes());
        });
        match self.contents.entry(hasher.finalize()) {
            std::collections::hash_map::Entry::Occupied(first) => {
                let first = first.get().clone();
                self.numbers.twins.push(&format!("{name} equals {first}"));
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(name.to_owned());
            }
        }
    }

    fn matrix(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        if values.len() > 1 && all_equal(values).is_some() {
            self.numbers.constant.push(name);
            return;
        }
        let Some(found) = freshness(values, shape) else { return };
        self.signs.laws.count(found.fits.is_some());
        found.in_bulk.into_iter().for_each(|inside| self.signs.bulks.count(inside));
        if found.fits.is_some() && found.in_bulk != Some(false) {
            self.signs.fresh.push(name);
        }
    }

    fn bias(&mut self, values: &[f32]) {
        let zero = values.iter().all(|&value| value == 0.0);
        self.signs.biases.count(zero || is_uniform(values));
    }

    /// Scale and shift of a norm without statistics stand one behind the other in a file; those with statistics are
    /// looked up by name when all is known.
    fn vector(&mut self, name: &str, role: Role, values: &[f32]) {
        let one = all_equal(values);
        self.vectors.insert(name.to_owned(), one);
        if role == Role::Scale && one == Some(0.0) {
            self.numbers.dead_norms.push(name);
        }
        match role {
            Role::Scale => self.last_scale = Some(one == Some(1.0)),
            Role::Shift => {
                if let Some(scale) = self.last_scale.take() {
                    self.signs.norms.count(scale && one == Some(0.0));
                }
            }
            _ => {}
        }
    }

    /// Judges the batch norms by their statistics too.
    pub fn batchnorms(&mut self, norms: &[Batchnorm]) {
        if norms.is_empty() {
            return;
        }
        self.signs.norms = Share::default();
        let value = |name: &String| self.vectors.get(name).copied().flatten();
        let fresh: Vec<bool> =
            norms.iter().map(|norm| norm.weights.each_ref().map(value) == [1.0, 0.0, 0.0, 1.0].map(Some)).collect();
        fresh.into_iter().for_each(|fresh| self.signs.norms.count(fresh));
    }

    /// How many parameters there are, what their numbers are, and the signs of random initialisation.
    pub fn finish(self) -> (u64, Numbers, Signs) {
        (self.parameters, self.numbers, self.signs)
    }
}

impl Share {
    /// One more.
    pub fn count(&mut self, fresh: bool) {
        self.all += 1;
        self.fresh += usize::from(fresh);
    }
}

/// Whether a vector is spread as draws from an interval about 0 are: none is far beyond the deviation.
fn is_uniform(values: &[f32]) -> bool {
    /// The largest draw is √3 deviations, that of as many normal ones more than 2.
    const MOST: f64 = 1.9;
    let squares = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>();
    let deviation = (squares / values.len() as f64).sqrt();
    let largest = values.iter().map(|value| f64::from(value.abs())).fold(0.0, f64::max);
    values.len() >= 32 && largest < MOST * deviation && all_equal(values).is_none()
}

/// The value that all of some numbers have.
fn all_equal(values: &[f32]) -> Option<f32> {
    let first = *values.first()?;
    values.iter().all(|value| value.to_bits() == first.to_bits()).then_some(first)
}

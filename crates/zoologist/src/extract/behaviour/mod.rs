//! How a network behaves on a few inputs: whether the features of a sample depend on its neighbours in the batch, on
//! padding, on chance, or on the runtime, and how large the numbers become on the way.
//!
//! Some seventy forward passes. Measured here, judged by `vet`.

mod magnitude;
mod pictures;
mod texts;

pub(super) use magnitude::largest;

use serde::{Deserialize, Serialize};

use super::onnx::ModelError;
use super::order::{NetworkPlan, RuntimeChoice};
use super::runtime::Runtime;
use super::{SampleFiles, order::Extractor};
use crate::zoo::{Form, ModelInput};

/// How many samples are used.
const ITEMS: usize = 8;

/// A network whose behaviour is to be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BehaviourOrder {
    /// The network.
    pub plan: NetworkPlan,
    /// What runs it.
    pub runtime: Option<RuntimeChoice>,
    /// Another runtime that could.
    pub other: Option<RuntimeChoice>,
    /// The samples; without them noise and random tokens are used.
    pub samples: Option<SampleFiles>,
    /// Whether to run every sample once, and say no more than which of them have features that are not all numbers.
    pub count: bool,
}

/// Something that was measured, or why it could not be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// The number.
    Value(f64),
    /// There is no such thing in this network, because of this.
    Impossible(String),
    /// It went wrong.
    Failed(String),
}

/// How a network behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// How many samples were used.
    pub items: usize,
    /// Whether they were made up.
    pub synthetic: bool,
    /// Samples whose features are not all numbers.
    pub not_finite: Vec<String>,
    /// The largest relative change of a sample's features between two equal runs.
    pub repeated: Measured,
    /// The largest relative change of a sample's features with the samples beside it.
    pub neighbours: Measured,
    /// The largest relative change of a text's features when it is padded.
    pub padding: Measured,
    /// The largest number on the way, and the value where it stands.
    pub largest: Option<Largest>,
    /// The other runtime, and the least cosine between the features of the two.
    pub other: Option<(String, Measured)>,
}

/// The largest number that a network computes on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Largest {
    /// The value of the graph.
    pub value: String,
    /// Its magnitude.
    pub magnitude: f64,
}

/// How the worker gets a runtime.
type Open<'a> = &'a dyn Fn(&RuntimeChoice) -> Result<Box<dyn Runtime>, ModelError>;

/// Runs the network and sees.
pub fn observe(order: &BehaviourOrder, open: Open) -> Result<Behaviour, ModelError> {
    if order.plan.form == Form::Static {
        return Ok(Behaviour::of_a_table());
    }
    let choice = order.runtime.clone().unwrap_or(RuntimeChoice::Rten);
    let runtime = open(&choice)?;
    if order.count {
        return match &order.plan.input {
            ModelInput::Pictures(how) => pictures::count(order, how, &*runtime),
            ModelInput::Texts(settings) => texts::count(order, settings, &*runtime),
        };
    }
    let mut found = match &order.plan.input {
        ModelInput::Pictures(how) => pictures::observe(order, how, &*runtime)?,
        ModelInput::Texts(settings) => texts::observe(order, settings, &*runtime)?,
    };
    if let Some(other) = order.other.as_ref().filter(|other| Extractor::Network(order.plan.clone()).can_run_on(other)) {
        found.behaviour.other = Some(compared(order, other, open, &found.alone));
    }
    Ok(found.behaviour)
}

/// What was seen, and the features of each sample alone.
struct Seen {
    behaviour: Behaviour,
    alone: Vec<Vec<f32>>,
}

impl Behaviour {
    fn of_a_table() -> Self {
        Self::unseen("a table of vectors runs no network", 0, vec![])
    }

    /// Nothing but which samples have features that are not all numbers.
    fn unseen(reason: &str, items: usize, not_finite: Vec<String>) -> Self {
        let none = || Measured::Impossible(reason.to_owned());
        Self {
            items,
            synthetic: false,
            not_finite,
            repeated: none(),
            neighbours: none(),
            padding: none(),
            largest: None,
            other: None,
        }
    }
}

/// The features of the same samples on another runtime against those of the first.
fn compared(order: &BehaviourOrder, other: &RuntimeChoice, open: Open, alone: &[Vec<f32>]) -> (String, Measured) {
    let run = || -> Result<(String, Vec<Vec<f32>>), ModelError> {
        let runtime = open(other)?;
        let found = match &order.plan.input {
            ModelInput::Pictures(how) => pictures::alone(order, how, &*runtime)?,
            ModelInput::Texts(settings) => texts::alone(order, settings, &*runtime)?,
        };
        Ok((runtime.name(), found))
    };
    match run() {
        Ok((name, found)) => {
            let cosines = alone.iter().zip(&found).map(|(a, b)| cosine(a, b));
            (name, Measured::Value(cosines.fold(1.0, f64::min)))
        }
        Err(error) => ("the other runtime".to_owned(), Measured::Failed(error.to_string())),
    }
}

/// The cosine of the angle between two vectors; 1 between two of zeros.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    if lengths > 0.0 { product(a, b) / lengths } else { f64::from(u8::from(product(a, a) + product(b, b) <= 0.0)) }
}

/// The largest difference between two vectors, relative to the largest number of the first.
fn change(first: &[f32], second: &[f32]) -> f64 {
    let largest = first.iter().map(|value| value.abs()).fold(0.0_f32, f32::max);
    let difference =
        first.iter().zip(second).map(|(a, b)| if a.to_bits() == b.to_bits() { 0.0 } else { (a - b).abs() });
    let difference = difference.fold(0.0_f32, |most, value| if value > most || value.is_nan() { value } else { most });
    if difference <= 0.0 { 0.0 } else { f64::from(difference) / f64::from(largest.max(f32::MIN_POSITIVE)) }
}

/// The largest change of any sample; what is not finite in the first place is left out.
fn most_changed(first: &[Vec<f32>], second: &[Vec<f32>]) -> f64 {
    let sound = |row: &[f32]| row.iter().all(|value| value.is_finite());
    let pairs = first.iter().zip(second).filter(|(first, _)| sound(first));
    pairs
        .map(|(first, second)| change(first, second))
        .fold(0.0, |most, value| if value > most || value.is_nan() { value } else { most })
}

fn unsound(row: &[f32]) -> bool {
    row.iter().any(|value| !value.is_finite())
}

fn measured(result: Result<f64, ModelError>) -> Measured {
    match result {
        Ok(value) if value.is_finite() => Measured::Value(value),
        // A number that JSON can't hold: larger than any threshold.
        Ok(_) => Measured::Value(f64::MAX),
        Err(error) => Measured::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_relative_to_the_largest_number() {
        assert!(change(&[1.0, -4.0], &[1.0, -4.0]) <= 0.0);
        assert!((change(&[1.0, -4.0], &[2.0, -4.0]) - 0.25).abs() < 1e-9);
        assert!(change(&[1.0], &[f32::NAN]).is_nan());
        assert!((most_changed(&[vec![f32::NAN], vec![2.0]], &[vec![1.0], vec![3.0]]) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_cosine_of_equal_and_of_opposite_vectors() {
        assert!(cosine(&[0.0], &[0.0]) >= 1.0);
        assert!((cosine(&[1.0, 1.0], &[-1.0, -1.0]) + 1.0).abs() < 1e-12);
    }
}

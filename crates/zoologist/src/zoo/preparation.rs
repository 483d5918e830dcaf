//! What the dialects share while they read how pictures are prepared: a JSON object whose values are asked for by
//! name, and the checks that every preparation must pass.

use serde_json::{Map, Value};

use super::Problem;
use super::preprocessing::{Preprocessing, Resize, Size};

/// No model takes pictures with a longer edge.
const LONGEST_EDGE: u32 = 16_384;

/// How pictures are prepared, and what was assumed while reading it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Preparation {
    /// The steps.
    pub preprocessing: Preprocessing,
    /// What was assumed, one sentence each.
    pub notes: Vec<String>,
}

impl Preparation {
    /// Checks that the steps can be carried out.
    pub fn checked(self) -> Result<Self, Problem> {
        let Preprocessing { resize, crop, scale, offset, mean, std, .. } = &self.preprocessing;
        let edges = match resize {
            Resize::Keep => vec![],
            Resize::ShortestEdge(edge) => vec![*edge],
            Resize::Exact(size) => vec![size.height, size.width],
        };
        let mut edges = edges.into_iter().chain(crop.iter().flat_map(|crop| [crop.size.height, crop.size.width]));
        if let Some(edge) = edges.find(|edge| !(1..=LONGEST_EDGE).contains(edge)) {
            return Err(Problem::Malformed(format!("an edge of {edge} pixels is impossible: 1 to {LONGEST_EDGE} are")));
        }
        if !mean.iter().chain(std).chain([scale, offset]).all(|number| number.is_finite()) {
            return Err(Problem::Malformed("a scale, mean or deviation is not a finite number".into()));
        }
        if std.contains(&0.0) || *scale == 0.0 {
            return Err(Problem::Malformed("a scale or deviation is 0".into()));
        }
        Ok(self)
    }
}

/// A JSON object. A `null` counts as missing, as it does in Python's settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The value of that name.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The object of that name.
    pub fn object(self, name: &str) -> Option<Fields<'a>> {
        self.get(name)?.as_object().map(Fields)
    }

    /// The text of that name.
    pub fn text(self, name: &str) -> Result<Option<&'a str>, Problem> {
        self.typed(name, "a text", Value::as_str)
    }

    /// The truth of that name.
    pub fn flag(self, name: &str) -> Result<Option<bool>, Problem> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// The number of that name.
    pub fn number(self, name: &str) -> Result<Option<f64>, Problem> {
        self.typed(name, "a number", Value::as_f64)
    }

    /// The three numbers of that name, one per channel; a single number stands for all three.
    pub fn channels(self, name: &str) -> Result<Option<[f32; 3]>, Problem> {
        self.typed(name, "a list of 3 numbers", |value| match value {
            Value::Array(list) => match &list[..] {
                [one] => one.as_f64().map(|number| [number as f32; 3]),
                [a, b, c] => Some([a.as_f64()? as f32, b.as_f64()? as f32, c.as_f64()? as f32]),
                _ => None,
            },
            other => other.as_f64().map(|number| [number as f32; 3]),
        })
    }

    fn typed<T>(
        self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let read = |value| read(value).ok_or_else(|| wrong(name, wanted, value));
        self.get(name).map(read).transpose()
    }
}

/// A value that is not what it should be.
pub(super) fn wrong(name: &str, wanted: &str, value: &Value) -> Problem {
    let mut shown: String = value.to_string().chars().take(60).collect();
    if shown.len() < value.to_string().len() {
        shown.push('…');
    }
    Problem::malformed(format!("{name} is {shown}, not {wanted}"))
}

/// A number of pixels.
pub(super) fn pixels(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// A picture of equal edges.
pub(super) fn square(edge: u32) -> Size {
    Size { height: edge, width: edge }
}

/// `floor(edge / share)`, as timm and transformers compute it.
pub(super) fn enlarged(edge: u32, share: f64) -> u32 {
    (f64::from(edge) / share) as u32
}

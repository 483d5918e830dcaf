//! `config.json`: the sizes of a network, bounded, and the names and shapes of all its parameters.

use serde_json::Value;
use zoologist::base::path_text::escape;

use crate::activation::Activation;
use crate::error::LoadError;
use crate::family::{self, FAMILIES, Family};
use crate::weights::Contents;

/// No size in a configuration may be above this; the sizes are compared with the file before anything is made of them.
const LARGEST: usize = 1 << 24;
/// No network may have more layers.
const MOST_LAYERS: usize = 1 << 10;
/// The field's habit where a configuration says nothing.
const EPSILON: f64 = 1e-12;
/// The standard deviation of new weights where a configuration says nothing.
pub const SPREAD: f64 = 0.02;
/// Buckets of relative positions where a configuration says nothing.
const BUCKETS: usize = 32;

/// The sizes of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Its family.
    pub family: &'static Family,
    /// Layers.
    pub layers: usize,
    /// Width of a hidden state.
    pub dim: usize,
    /// Heads of attention; divides `dim`.
    pub heads: usize,
    /// Width inside the feed-forward block.
    pub inner: usize,
    /// Rows of the embedding of tokens.
    pub vocabulary: usize,
    /// Rows of the embedding of positions.
    pub position_rows: usize,
    /// Rows of the embedding of token types; 0 where there is none.
    pub types: usize,
    /// The id of padding.
    pub padding: usize,
    /// Buckets of relative positions; 0 where there is no such bias.
    pub buckets: usize,
    /// Activation of the feed-forward block.
    pub activation: Activation,
    /// What the norms add to the variance.
    pub epsilon: f64,
    /// Standard deviation of weights that start anew.
    pub spread: f64,
}

/// A parameter: its name without the family's prefix, and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name in the file.
    pub name: String,
    /// Shape in the file.
    pub shape: Vec<usize>,
}

impl Architecture {
    /// Reads the text of a `config.json`.
    pub fn read(text: &str) -> Result<Self, LoadError> {
        let config = Config::parse(text)?;
        let family = config.family()?;
        config.refuse_unsupported()?;
        let architecture = Self {
            family,
            layers: config.size(&["num_hidden_layers", "n_layers"], None, 1..=MOST_LAYERS)?,
            dim: config.size(&["hidden_size", "dim"], None, 1..=LARGEST)?,
            heads: config.size(&["num_attention_heads", "n_heads"], None, 1..=LARGEST)?,
            inner: config.size(&["intermediate_size", "hidden_dim"], None, 1..=LARGEST)?,
            vocabulary: config.size(&["vocab_size"], None, 1..=LARGEST)?,
            position_rows: config.size(&["max_position_embeddings"], None, 1..=LARGEST)?,
            types: if family.has_types { config.size(&["type_vocab_size"], None, 1..=LARGEST)? } else { 0 },
            padding: config.size(&["pad_token_id"], Some(usize::from(family.counts_from_padding)), 0..=LARGEST)?,
            buckets: config.buckets(family)?,
            activation: config.activation()?,
            epsilon: config.epsilon()?,
            spread: config.spread()?,
        };
        architecture.checked()
    }

    fn checked(self) -> Result<Self, LoadError> {
        if !self.dim.is_multiple_of(self.heads) {
            let (dim, heads) = (self.dim, self.heads);
            return Err(LoadError::Config(format!("a width of {dim} can't be cut into {heads} heads")));
        }
        if self.positions() == 0 {
            return Err(LoadError::Config("max_position_embeddings leaves no position for a token".into()));
        }
        Ok(self)
    }

    /// The row of the first position.
    pub fn first_position(&self) -> usize {
        if self.family.counts_from_padding { self.padding + 1 } else { 0 }
    }

    /// The longest sequence.
    pub fn positions(&self) -> usize {
        self.position_rows.saturating_sub(self.first_position())
    }

    /// Multiply-adds of the products of one sequence of `length` tokens, up to hidden state `layer`.
    pub fn multiply_adds(&self, layer: usize, length: usize) -> u64 {
        let [layer, length, dim, inner] = [layer, length, self.dim, self.inner].map(|size| size as u64);
        let weights = dim.saturating_mul(dim.saturating_mul(4).saturating_add(inner.saturating_mul(2)));
        let pairs = length.saturating_mul(dim).saturating_mul(2);
        weights.saturating_add(pairs).saturating_mul(length).saturating_mul(layer)
    }

    /// What a file of this encoder must hold.
    pub fn contents(&self) -> Contents<'static> {
        let family = self.family;
        let is_leftover = Box::new(|name: &str| family.is_leftover(name));
        Contents { parameters: self.parameters(), prefix: family.prefix, is_leftover }
    }

    /// Every parameter, with the shape that it must have.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut list = vec![
            Parameter::new(family::WORDS, &[self.vocabulary, self.dim]),
            Parameter::new(family::POSITIONS, &[self.position_rows, self.dim]),
        ];
        if self.types > 0 {
            list.push(Parameter::new(family::TYPES, &[self.types, self.dim]));
        }
        if self.buckets > 0 {
            list.push(Parameter::new(family::RELATIVE_BIAS, &[self.buckets, self.heads]));
        }
        list.extend(Parameter::norm(family::EMBEDDING_NORM, self.dim));
        list.extend((0..self.layers).flat_map(|layer| self.parameters_of(layer)));
        list
    }

    /// The hidden state that a parameter belongs to: 0 for the embeddings.
    pub fn layer_of(&self, name: &str) -> usize {
        let number = name
            .strip_prefix(self.family.layers)
            .and_then(|rest| rest.strip_prefix('.')?.split('.').next()?.parse().ok());
        number.map_or(0, |layer: usize| layer + 1)
    }

    fn parameters_of(&self, layer: usize) -> Vec<Parameter> {
        let (family, dim, inner) = (self.family, self.dim, self.inner);
        let name = |part| family.in_layer(layer, part);
        let mut list: Vec<Parameter> =
            family.attention.iter().flat_map(|part| Parameter::product(&name(part), dim, dim)).collect();
        list.extend(Parameter::product(&name(family.context), dim, dim));
        list.extend(Parameter::norm(&name(family.attention_norm), dim));
        list.extend(Parameter::product(&name(family.inner), inner, dim));
        list.extend(Parameter::product(&name(family.outer), dim, inner));
        list.extend(Parameter::norm(&name(family.outer_norm), dim));
        list
    }
}

impl Parameter {
    /// A parameter.
    pub fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), shape: shape.to_owned() }
    }

    /// The weight, out × into, and the bias of a product.
    pub fn product(name: &str, out: usize, into: usize) -> [Self; 2] {
        [Self::new(&format!("{name}.weight"), &[out, into]), Self::new(&format!("{name}.bias"), &[out])]
    }

    /// The weight and the bias of a norm.
    pub fn norm(name: &str, dim: usize) -> [Self; 2] {
        [Self::new(&format!("{name}.weight"), &[dim]), Self::new(&format!("{name}.bias"), &[dim])]
    }
}

/// The values of a `config.json`.
struct Config(serde_json::Map<String, Value>);

impl Config {
    fn parse(text: &str) -> Result<Self, LoadError> {
        match serde_json::from_str(text) {
            Ok(Value::Object(values)) => Ok(Self(values)),
            Ok(_) => Err(LoadError::Config("not a JSON object".into())),
            Err(error) => Err(LoadError::Config(format!("not JSON ({error})"))),
        }
    }

    /// The value under the first of some names that is there and not null.
    fn value(&self, names: &[&str]) -> Option<&Value> {
        names.iter().find_map(|name| self.0.get(*name).filter(|value| !value.is_null()))
    }

    fn family(&self) -> Result<&'static Family, LoadError> {
        let name = self.value(&["model_type"]).map_or("(none)".to_owned(), shown);
        Family::named(&name).ok_or_else(|| {
            let known: Vec<&str> = FAMILIES.iter().flat_map(|family| family.types).copied().collect();
            LoadError::Family(name, known.join(", "))
        })
    }

    fn refuse_unsupported(&self) -> Result<(), LoadError> {
        if let Some(kind) = self.value(&["position_embedding_type"]).filter(|kind| *kind != "absolute") {
            return Err(LoadError::Unsupported(format!("position_embedding_type {}", shown(kind))));
        }
        match ["is_decoder", "add_cross_attention"]
            .into_iter()
            .find(|name| self.0.get(*name) == Some(&Value::Bool(true)))
        {
            Some(name) => Err(LoadError::Unsupported(name.to_owned())),
            None => Ok(()),
        }
    }

    fn size(
        &self,
        names: &[&str],
        default: Option<usize>,
        bounds: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, LoadError> {
        let value = match (self.value(names), default) {
            (Some(value), _) => value.as_u64().and_then(|size| usize::try_from(size).ok()),
            (None, Some(default)) => Some(default),
            (None, None) => return Err(LoadError::Config(format!("{} is missing", names[0]))),
        };
        value.filter(|size| bounds.contains(size)).ok_or_else(|| {
            let given = self.value(names).map(shown).unwrap_or_default();
            LoadError::Config(format!(
                "{} is {given}, not a whole number from {} to {}",
                names[0],
                bounds.start(),
                bounds.end()
            ))
        })
    }

    fn buckets(&self, family: &Family) -> Result<usize, LoadError> {
        if !family.has_relative_bias {
            return Ok(0);
        }
        let name = "relative_attention_num_buckets";
        let buckets = self.size(&[name], Some(BUCKETS), 4..=LARGEST)?;
        if buckets.is_multiple_of(4) { Ok(buckets) } else { Err(LoadError::Unsupported(format!("{name} {buckets}"))) }
    }

    fn activation(&self) -> Result<Activation, LoadError> {
        let name = self.value(&["hidden_act", "activation"]).map_or("gelu".to_owned(), shown);
        Activation::named(&name).ok_or_else(|| LoadError::Unsupported(format!("hidden_act {name}")))
    }

    fn epsilon(&self) -> Result<f64, LoadError> {
        self.below_one("layer_norm_eps", EPSILON)
    }

    fn spread(&self) -> Result<f64, LoadError> {
        self.below_one("initializer_range", SPREAD)
    }

    fn below_one(&self, key: &str, usual: f64) -> Result<f64, LoadError> {
        let Some(value) = self.value(&[key]) else { return Ok(usual) };
        value
            .as_f64()
            .filter(|number| (0.0..1.0).contains(number))
            .ok_or_else(|| LoadError::Config(format!("{key} is {}, not a number from 0 to 1", shown(value))))
    }
}

/// A value for a message: text as it is, anything else as JSON, cut, control characters escaped.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    escape(&text.chars().take(LONGEST).collect::<String>())
}

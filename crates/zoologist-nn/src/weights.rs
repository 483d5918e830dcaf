//! `model.safetensors`: checked as a whole against the parameters of a network, then read one by one.

use burn::tensor::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use zoologist::base::path_text::escape;

use crate::architecture::Parameter;
use crate::error::LoadError;

/// How many names an error gives.
const NAMED: usize = 5;
/// What files converted from TensorFlow call the two vectors of a norm.
const OLD_NAMES: [(&str, &str); 2] = [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")];

/// What a file of a network must hold, and what may stand beside it.
pub struct Contents<'a> {
    /// Every parameter.
    pub parameters: Vec<Parameter>,
    /// What stands before each name where the network is part of a larger model.
    pub prefix: &'static str,
    /// Whether a name that is no parameter, without the prefix, may stand there all the same.
    pub is_leftover: Box<dyn Fn(&str) -> bool + 'a>,
}

/// A tensor's shape and its numbers.
pub type Shaped = (Vec<usize>, Vec<f32>);

/// A file in which every parameter is there with its shape, and nothing is unknown.
pub struct Weights<'a> {
    file: SafeTensors<'a>,
    prefix: &'static str,
}

impl<'a> Weights<'a> {
    /// Checks the bytes of a file.
    pub fn check(bytes: &'a [u8], contents: &Contents) -> Result<Self, LoadError> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| LoadError::Broken(escape(&error.to_string())))?;
        let Contents { parameters, prefix, .. } = contents;
        let first = parameters.first().map_or("", |parameter| &parameter.name);
        let prefix = if file.tensor(&format!("{prefix}{first}")).is_ok() { prefix } else { "" };
        let weights = Self { file, prefix };
        let mut faults: Vec<String> = parameters.iter().filter_map(|parameter| weights.fault(parameter)).collect();
        faults.extend(weights.unknown(contents));
        if faults.is_empty() { Ok(weights) } else { Err(LoadError::Tensors(first_of(&faults))) }
    }

    /// A tensor that need not be there, by its whole name: its shape and its numbers.
    pub fn optional(&self, name: &str) -> Result<Option<Shaped>, LoadError> {
        let Ok(tensor) = self.file.tensor(name) else { return Ok(None) };
        Ok(Some((tensor.shape().to_vec(), values(&tensor, name)?)))
    }

    /// The numbers of a parameter, last axis fastest.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, LoadError> {
        let tensor = self.find(name).ok_or_else(|| LoadError::Tensors(format!("{name} is missing")))?;
        values(&tensor, name)
    }

    /// The name of a parameter in the file, if it is there.
    fn stored(&self, name: &str) -> Option<String> {
        let old = OLD_NAMES.iter().find_map(|(new, old)| Some(format!("{}{old}", name.strip_suffix(new)?)));
        let names = [Some(name.to_owned()), old];
        names
            .into_iter()
            .flatten()
            .map(|name| format!("{}{name}", self.prefix))
            .find(|name| self.file.tensor(name).is_ok())
    }

    fn find(&self, name: &str) -> Option<TensorView<'_>> {
        self.stored(name).and_then(|name| self.file.tensor(&name).ok())
    }

    fn fault(&self, parameter: &Parameter) -> Option<String> {
        let Parameter { name, shape } = parameter;
        let Some(tensor) = self.find(name) else { return Some(format!("{name} is missing")) };
        if tensor.shape() != shape {
            return Some(format!("{name} is {:?}, not {shape:?}", tensor.shape()));
        }
        let known = matches!(tensor.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16);
        (!known).then(|| format!("{name} is {:?}, not F32, F16 or BF16", tensor.dtype()))
    }

    /// Tensors of the file that are neither a parameter nor a known leftover.
    fn unknown(&self, contents: &Contents) -> Vec<String> {
        let used: std::collections::HashSet<String> =
            contents.parameters.iter().filter_map(|parameter| self.stored(&parameter.name)).collect();
        let is_leftover = |name: &str| (contents.is_leftover)(name.strip_prefix(self.prefix).unwrap_or(name));
        let mut names: Vec<&str> = self.file.names();
        names.sort_unstable();
        let unknown = names.into_iter().filter(|name| !used.contains(*name) && !is_leftover(name));
        unknown.map(|name| format!("{} is not part of this network", escape(name))).collect()
    }
}

fn values(tensor: &TensorView, name: &str) -> Result<Vec<f32>, LoadError> {
    let bytes = tensor.data();
    let (pairs, fours) = (bytes.as_chunks::<2>().0, bytes.as_chunks::<4>().0);
    match tensor.dtype() {
        Dtype::F32 => Ok(fours.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        Dtype::F16 => Ok(pairs.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()),
        Dtype::BF16 => Ok(pairs.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()),
        other => Err(LoadError::Tensors(format!("{name} is {other:?}"))),
    }
}

/// The first few faults, and how many more there are.
fn first_of(faults: &[String]) -> String {
    let named = faults[..faults.len().min(NAMED)].join(", ");
    if faults.len() > NAMED { format!("{named}, and {} more", faults.len() - NAMED) } else { named }
}

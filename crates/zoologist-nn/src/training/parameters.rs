//! The parameters of a network and its head, as numbers that an optimizer changes.

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::Freeze;
use zoologist::extract::training::proof::Place;

use crate::design::{Design, Filled};
use crate::scope::Tensors;

/// The parameters of a network and its head.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Each with its name, shape and numbers, in the order of the design; the head's two come last.
    pub list: Vec<Filled>,
    /// Which of them learn.
    pub learns: Vec<bool>,
}

/// Whether a parameter is a running statistic of a batch norm, which no gradient reaches.
pub fn is_statistic(name: &str) -> bool {
    name.ends_with("running_mean") || name.ends_with("running_var")
}

impl Parameters {
    /// A network's parameters and its head's; the layers say which learn.
    pub fn new(design: &Design, mut list: Vec<Filled>, head: [Filled; 2], freeze: Freeze) -> Self {
        let blocks = design.block_names();
        let learns_in = |name: &str| match freeze {
            Freeze::Nothing => true,
            Freeze::AllBut(last) => design.layer_of(name) + last >= design.layers(),
            Freeze::First(kept) => match design.place_of(name, &blocks).0 {
                Place::Before => false,
                Place::Block(block) => block >= kept,
                Place::After => true,
            },
            Freeze::Everything => false,
        };
        let mut learns: Vec<bool> = list.iter().map(|it| learns_in(&it.name) && !is_statistic(&it.name)).collect();
        list.extend(head);
        learns.extend([true; 2]);
        Self { list, learns }
    }

    /// How many numbers learn.
    pub fn learning(&self) -> usize {
        self.list.iter().zip(&self.learns).filter(|(_, learns)| **learns).map(|(it, _)| it.values.len()).sum()
    }

    /// The numbers as tensors without a tape; clones share them.
    pub fn tensors(&self) -> Vec<Tensor<1>> {
        let tensor =
            |it: &Filled| Tensor::from_data(TensorData::new(it.values.clone(), [it.values.len()]), &Device::flex());
        self.list.iter().map(tensor).collect()
    }

    /// Tensors for one pass; with a tape, those that learn are its leaves.
    pub fn bound(&self, tensors: &[Tensor<1>], with_tape: bool) -> Tensors {
        let bound = |((it, tensor), learns): ((&Filled, &Tensor<1>), &bool)| {
            let tensor = match (with_tape, learns) {
                (true, true) => tensor.clone().autodiff().require_grad(),
                (true, false) => tensor.clone().autodiff(),
                (false, _) => tensor.clone(),
            };
            (it.name.clone(), (it.shape.clone(), tensor))
        };
        self.list.iter().zip(tensors).zip(&self.learns).map(bound).collect()
    }

    /// The file of all of them.
    pub fn file(&self) -> Result<Vec<u8>, ModelError> {
        file(self.list.iter().map(|it| (it.name.clone(), it.shape.clone(), it.values.as_slice())), None)
    }
}

/// A safetensors file of float32 tensors.
pub fn file<'a>(
    tensors: impl Iterator<Item = (String, Vec<usize>, &'a [f32])>,
    metadata: Option<std::collections::HashMap<String, String>>,
) -> Result<Vec<u8>, ModelError> {
    let mut bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    bytes.sort_by(|a, b| a.0.cmp(&b.0));
    let broken = |error: safetensors::SafeTensorError| ModelError::Unfit(format!("weights can't be written: {error}"));
    let views = bytes.iter().map(|(name, shape, data)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), data)?)));
    let views: Vec<(&String, TensorView)> = views.collect::<Result<_, _>>().map_err(broken)?;
    safetensors::serialize(views, metadata).map_err(broken)
}

/// Two float32 tensors of a file of the store.
pub fn tensors_of(path: &std::path::Path, names: [&str; 2]) -> Result<[Vec<f32>; 2], ModelError> {
    let broken = |error: &dyn std::fmt::Display| ModelError::Unfit(format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| broken(&error))?;
    let read = |name: &str| {
        let tensor = tensors.tensor(name).map_err(|error| broken(&error))?;
        Ok(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<f32>>())
    };
    Ok([read(names[0])?, read(names[1])?])
}

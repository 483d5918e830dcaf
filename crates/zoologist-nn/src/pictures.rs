//! The network for pictures of a model folder, as the rest of zoologist sees it.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use zoologist::extract::LayerDescription;

use crate::design::{Design, Filled};
use crate::error::{LoadError, RunError};
use crate::image::{Layer, PictureNetwork};
use crate::operations::numbers;
use crate::scope::{BatchNorms, Tensors};
use crate::weights::Weights;

/// The output of the classifier.
const LOGITS: &str = "logits";

/// A network for pictures with its weights: EfficientNet-Lite, MobileNetV2, ResNet or ViT under timm's names. Batch norms
/// use the statistics of the file. Clones share their weights.
#[derive(Debug, Clone)]
pub struct PictureEncoder {
    network: PictureNetwork,
    tensors: Arc<Tensors>,
    /// The classifier's name and its number of classes, if the file holds one.
    classifier: Option<(&'static str, usize)>,
}

impl PictureEncoder {
    /// Reads a network from the text of `config.json` and the bytes of `model.safetensors`. Every tensor of the file must
    /// be a parameter of the network or of its classifier; every parameter must be there.
    pub fn load(config: &str, safetensors: &[u8]) -> Result<Self, LoadError> {
        let Some(network) = PictureNetwork::read(config)? else {
            return Err(LoadError::Config("architecture is missing".to_owned()));
        };
        let design = Design::Pictures(network.clone());
        let weights = Weights::check(safetensors, &design.contents())?;
        let mut filled = design.fill(&weights)?;
        let classifier = classifier(&design, &weights)?;
        let named = classifier.as_ref().map(|[weight, _]| (design.classifier(), weight.shape[0]));
        filled.extend(classifier.into_iter().flatten());
        let tensor = |it: Filled| {
            let count = it.values.len();
            (it.name, (it.shape, Tensor::from_data(TensorData::new(it.values, [count]), &Device::flex())))
        };
        Ok(Self { network, tensors: Arc::new(filled.into_iter().map(tensor).collect()), classifier: named })
    }

    /// Its layers, from the first to the last, with the multiply-adds of a picture of this height and width; then `logits`
    /// if it has a classifier.
    pub fn layers(&self, [height, width]: [usize; 2]) -> Result<Vec<LayerDescription>, RunError> {
        let blank = vec![0.0; 3 * height * width];
        let layers = self.run([height, width], blank)?;
        let layer = |layer: Layer| LayerDescription {
            name: layer.name,
            dim: layer.features.dims()[1],
            multiply_adds: Some(layer.multiply_adds),
        };
        let mut layers: Vec<LayerDescription> = layers.into_iter().map(layer).collect();
        if let (Some((_, classes)), Some(last)) = (self.classifier, layers.last()) {
            let multiply_adds = last.multiply_adds.map(|before| before + (classes * last.dim) as u64);
            layers.push(LayerDescription { name: LOGITS.to_owned(), dim: classes, multiply_adds });
        }
        Ok(layers)
    }

    /// Outputs by name, each batch × width: layers, or `logits`. Pictures stand one after the other, each 3 × height ×
    /// width.
    pub fn outputs(&self, names: &[String], size: [usize; 2], values: Vec<f32>) -> Result<Vec<Vec<f32>>, RunError> {
        let layers = self.run(size, values)?;
        let output = |name: &String| {
            let own = layers.iter().find(|layer| layer.name == *name).map(|layer| layer.features.clone());
            let found = if name == LOGITS { self.logits(&layers) } else { own };
            found.map(|found| numbers(&found.into_data()).to_vec()).ok_or(RunError::Nothing)
        };
        names.iter().map(output).collect()
    }

    fn logits(&self, layers: &[Layer]) -> Option<Tensor<2>> {
        let (name, _) = self.classifier?;
        let scope = self.network.scope(&self.tensors, BatchNorms::Frozen);
        layers.last().map(|last| scope.linear(last.features.clone(), name))
    }

    fn run(&self, [height, width]: [usize; 2], values: Vec<f32>) -> Result<Vec<Layer>, RunError> {
        let count = self.network.check([height, width], &values)?;
        let pictures = TensorData::new(values, [count, 3, height, width]);
        let scope = self.network.scope(&self.tensors, BatchNorms::Frozen);
        Ok(self.network.forward(&scope, Tensor::from_data(pictures, &Device::flex())))
    }
}

/// The classifier of a file, if it holds a whole one that fits the features.
pub fn classifier(design: &Design, weights: &Weights) -> Result<Option<[Filled; 2]>, LoadError> {
    let name = |part: &str| format!("{}.{part}", design.classifier());
    let (Some((shape, values)), Some((length, bias))) =
        (weights.optional(&name("weight"))?, weights.optional(&name("bias"))?)
    else {
        return Ok(None);
    };
    if shape.len() != 2 || shape[1] != design.dim() || length != [shape[0]] {
        return Err(LoadError::Tensors(format!("{} is {shape:?}, not classes × {}", name("weight"), design.dim())));
    }
    let weight = Filled { name: name("weight"), shape, values };
    Ok(Some([weight, Filled { name: name("bias"), shape: length, values: bias }]))
}

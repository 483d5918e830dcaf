//! EfficientNet-Lite and MobileNetV2: inverted residual blocks without squeeze-and-excitation (Sandler et al.,
//! arXiv:1801.04381, §3.3; Tan and Le, arXiv:1905.11946, as EfficientNet-Lite), as timm builds them.
//!
//! A block widens the channels by a 1 × 1 convolution, filters each alone, and narrows them again; where input and result
//! have the same shape they are added. Names with `tf_` come from TensorFlow: SAME padding, epsilon 1e-3.

use burn::tensor::Tensor;
use zoologist::extract::onnx::{AddedAttribute, ModelError};

use super::{Take, convolution};
use crate::architecture::Parameter;
use crate::graphs::Writer;
use crate::kernels::Clamp;
use crate::scope::{Convolution, Padding, Scope, pooled};

/// Stride of the first block of each stage.
const STRIDES: [usize; 7] = [1, 2, 2, 2, 1, 2, 1];
/// How much each stage widens.
const EXPANSION: [usize; 7] = [1, 6, 6, 6, 6, 6, 6];

/// Kernels, channels and blocks of the seven stages, before scaling.
struct Stages {
    kernels: [usize; 7],
    channels: [usize; 7],
    blocks: [usize; 7],
}

const EFFICIENTNET: Stages =
    Stages { kernels: [3, 3, 5, 3, 5, 5, 3], channels: [16, 24, 40, 80, 112, 192, 320], blocks: [1, 2, 2, 3, 3, 4, 1] };
const MOBILENET: Stages =
    Stages { kernels: [3; 7], channels: [16, 24, 32, 64, 96, 160, 320], blocks: [1, 2, 3, 4, 3, 3, 1] };

/// A network of inverted residual blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Inverted {
    tensorflow: bool,
    stem: usize,
    blocks: Vec<Block>,
    /// Whether a convolution to the features' width follows the blocks; not where the last blocks were taken out.
    has_head: bool,
    /// Width of the features.
    pub features: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Block {
    /// `blocks.STAGE.NUMBER`.
    name: String,
    kernel: usize,
    stride: usize,
    into: usize,
    wide: usize,
    out: usize,
}

/// The nearest multiple of 8, at most a tenth below.
fn rounded(channels: f64) -> usize {
    let near = ((channels + 4.0) / 8.0).floor().max(1.0) * 8.0;
    (if near < 0.9 * channels { near + 8.0 } else { near }) as usize
}

impl Inverted {
    /// The network of a timm name.
    pub fn named(name: &str) -> Option<Self> {
        let (tensorflow, name) = name.strip_prefix("tf_").map_or((false, name), |rest| (true, rest));
        if let Some(variant) = name.strip_prefix("efficientnet_lite") {
            let scales = [(1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8)];
            let (width, depth) = *scales.get(variant.parse::<usize>().ok()?)?;
            // The first and the last stage keep their depth, and the stem its width.
            let repeat = |(stage, blocks): (usize, &usize)| match stage {
                0 | 6 => *blocks,
                _ => (*blocks as f64 * depth).ceil() as usize,
            };
            let blocks: Vec<usize> = EFFICIENTNET.blocks.iter().enumerate().map(repeat).collect();
            return Some(Self::built(tensorflow, &EFFICIENTNET, width, 32, &blocks, 1280));
        }
        let width = match name.strip_prefix("mobilenetv2_")? {
            "035" => 0.35,
            "050" => 0.5,
            "075" => 0.75,
            "100" => 1.0,
            "140" => 1.4,
            _ => return None,
        };
        let (stem, features) = (rounded(32.0 * width), rounded(1280.0 * width).max(1280));
        Some(Self::built(tensorflow, &MOBILENET, width, stem, &MOBILENET.blocks, features))
    }

    fn built(tensorflow: bool, stages: &Stages, width: f64, stem: usize, repeats: &[usize], features: usize) -> Self {
        let (mut blocks, mut into) = (vec![], stem);
        for (stage, &repeats) in repeats.iter().enumerate() {
            let out = rounded(stages.channels[stage] as f64 * width);
            for number in 0..repeats {
                let stride = if number == 0 { STRIDES[stage] } else { 1 };
                let (name, wide) = (format!("blocks.{stage}.{number}"), into * EXPANSION[stage]);
                blocks.push(Block { name, kernel: stages.kernels[stage], stride, into, wide, out });
                into = out;
            }
        }
        Self { tensorflow, stem, blocks, has_head: true, features }
    }

    /// What its batch norms add to the variance.
    pub fn epsilon(&self) -> f64 {
        if self.tensorflow { 1e-3 } else { 1e-5 }
    }

    /// Every parameter but the classifier's.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut list = convolution(["conv_stem", "bn1"], self.stem, 3, 3);
        list.extend(self.blocks.iter().flat_map(Block::parameters));
        if self.has_head {
            list.extend(convolution(["conv_head", "bn2"], self.features, self.width_after_blocks(), 1));
        }
        list
    }

    fn width_after_blocks(&self) -> usize {
        self.blocks.last().map_or(self.stem, |block| block.out)
    }

    /// The names of its blocks.
    pub fn block_names(&self) -> Vec<String> {
        self.blocks.iter().map(|block| block.name.clone()).collect()
    }

    /// The names of its layers.
    pub fn layer_names(&self) -> Vec<String> {
        let head = self.has_head.then(|| "features".to_owned());
        ["stem".to_owned()].into_iter().chain(self.block_names()).chain(head).collect()
    }

    /// The widths of what each block takes and gives.
    pub fn block_widths(&self) -> Vec<[usize; 2]> {
        self.blocks.iter().map(|block| [block.into, block.out]).collect()
    }

    /// The network without some of its blocks; `None` where what is left does not fit on each other. Where the last blocks
    /// are gone, the means of the maps are the features.
    pub fn without(&self, gone: &[usize]) -> Option<Self> {
        let kept = self.blocks.iter().enumerate().filter(|(number, _)| !gone.contains(number));
        let mut left = Self { blocks: kept.map(|(_, block)| block.clone()).collect(), ..self.clone() };
        let width = left.width_after_blocks();
        if width != self.width_after_blocks() {
            (left.has_head, left.features) = (false, width);
        }
        let mut before = left.stem;
        let fits = left.blocks.iter().all(|block| std::mem::replace(&mut before, block.out) == block.into);
        fits.then_some(left)
    }

    /// The pass.
    pub fn forward(&self, scope: &Scope, pictures: Tensor<4>, take: Take) {
        let padding = if self.tensorflow { Padding::Same } else { Padding::Symmetric };
        let how = Convolution { stride: 2, dilation: 1, padding, depthwise: false };
        let mut maps = scope.convolution_norm(pictures, ["conv_stem", "bn1"], how, Clamp::Relu6);
        take("stem", pooled(maps.clone()));
        for block in &self.blocks {
            maps = block.forward(scope, maps, padding);
            take(&block.name, pooled(maps.clone()));
        }
        if !self.has_head {
            return;
        }
        let how = Convolution { stride: 1, dilation: 1, padding, depthwise: false };
        take("features", pooled(scope.convolution_norm(maps, ["conv_head", "bn2"], how, Clamp::Relu6)));
    }
}

impl Inverted {
    /// Its nodes in an ONNX graph, from pictures to features.
    pub fn write(&self, writer: &mut Writer, pictures: &str) -> Result<String, ModelError> {
        let attributes = |kernel: usize, stride: usize, groups: usize| self.attributes(kernel, stride, groups);
        let epsilon = self.epsilon();
        let mut maps = writer.convolution(pictures, ["conv_stem", "bn1"], epsilon, attributes(3, 2, 1), true)?;
        for block in &self.blocks {
            let steps = [(1, 1, 1, true), (block.kernel, block.stride, block.wide, true), (1, 1, 1, false)];
            let steps = if block.expands() { &steps[..] } else { &steps[1..] };
            let mut inside = maps.clone();
            for (names, &(kernel, stride, groups, clamps)) in block.names().iter().zip(steps) {
                let names = names.each_ref().map(String::as_str);
                inside = writer.convolution(&inside, names, epsilon, attributes(kernel, stride, groups), clamps)?;
            }
            maps = if block.adds() { writer.graph.node("Add", &[&inside, &maps]) } else { inside };
        }
        if self.has_head {
            maps = writer.convolution(&maps, ["conv_head", "bn2"], epsilon, attributes(1, 1, 1), true)?;
        }
        Ok(writer.pooled(&maps))
    }

    fn attributes(&self, kernel: usize, stride: usize, groups: usize) -> Vec<(&'static str, AddedAttribute)> {
        // TensorFlow's SAME depends on the size; ONNX has a word for it.
        let pads = if self.tensorflow {
            ("auto_pad", AddedAttribute::Text("SAME_UPPER"))
        } else {
            ("pads", AddedAttribute::Integers(vec![kernel / 2; 4]))
        };
        vec![
            ("kernel_shape", AddedAttribute::Integers(vec![kernel; 2])),
            ("strides", AddedAttribute::Integers(vec![stride; 2])),
            ("group", AddedAttribute::Integer(groups)),
            pads,
        ]
    }
}

impl Block {
    /// Whether its result is added to what it takes.
    fn adds(&self) -> bool {
        self.stride == 1 && self.into == self.out
    }

    fn expands(&self) -> bool {
        self.wide != self.into
    }

    /// The names of its two or three convolutions and their norms.
    fn names(&self) -> Vec<[String; 2]> {
        let three = [["conv_pw", "bn1"], ["conv_dw", "bn2"], ["conv_pwl", "bn3"]];
        let two = [["conv_dw", "bn1"], ["conv_pw", "bn2"]];
        let names = if self.expands() { &three[..] } else { &two[..] };
        names.iter().map(|pair| pair.map(|name| format!("{}.{name}", self.name))).collect()
    }

    fn parameters(&self) -> Vec<Parameter> {
        let shapes = [(self.wide, self.into, 1), (self.wide, 1, self.kernel), (self.out, self.wide, 1)];
        let shapes = if self.expands() { &shapes[..] } else { &shapes[1..] };
        let named = self.names().into_iter().zip(shapes);
        named
            .flat_map(|(names, &(out, into, kernel))| {
                convolution(names.each_ref().map(String::as_str), out, into, kernel)
            })
            .collect()
    }

    fn forward(&self, scope: &Scope, maps: Tensor<4>, padding: Padding) -> Tensor<4> {
        let plain = Convolution { stride: 1, dilation: 1, padding, depthwise: false };
        let filter = Convolution { stride: self.stride, dilation: 1, padding, depthwise: true };
        let steps = [(plain, Clamp::Relu6), (filter, Clamp::Relu6), (plain, Clamp::None)];
        let steps = if self.expands() { &steps[..] } else { &steps[1..] };
        let input = maps.clone();
        let result = self.names().into_iter().zip(steps).fold(maps, |maps, (names, &(how, clamp))| {
            scope.convolution_norm(maps, names.each_ref().map(String::as_str), how, clamp)
        });
        if self.adds() { result + input } else { result }
    }
}

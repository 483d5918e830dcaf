//! ResNet (He et al., arXiv:1512.03385), as timm and torchvision build it: the stride is on the 3 × 3 convolution.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use super::{Take, convolution};
use crate::architecture::Parameter;
use crate::kernels::Clamp;
use crate::scope::{Convolution, Padding, Scope, pooled};

/// Channels of the stem, and inside the blocks of the first stage.
const WIDTH: usize = 64;

/// A residual network.
#[derive(Debug, Clone, PartialEq)]
pub struct Residual {
    blocks: Vec<Block>,
    /// How much wider a block's result is than its inside: 1 for two 3 × 3 convolutions, 4 for a bottleneck.
    expansion: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Block {
    /// `layerSTAGE.NUMBER`.
    name: String,
    into: usize,
    inside: usize,
    out: usize,
    stride: usize,
}

impl Residual {
    /// The network of a timm name.
    pub fn named(name: &str) -> Option<Self> {
        let (blocks, expansion) = match name.strip_prefix("resnet")? {
            "18" => ([2, 2, 2, 2], 1),
            "34" => ([3, 4, 6, 3], 1),
            "26" => ([2, 2, 2, 2], 4),
            "50" => ([3, 4, 6, 3], 4),
            "101" => ([3, 4, 23, 3], 4),
            "152" => ([3, 8, 36, 3], 4),
            _ => return None,
        };
        Some(Self { blocks: built(blocks, expansion), expansion })
    }

    /// Width of the features.
    pub fn dim(&self) -> usize {
        self.blocks.last().map_or(WIDTH, |block| block.out)
    }

    /// The names of its blocks.
    pub fn block_names(&self) -> Vec<String> {
        self.blocks.iter().map(|block| block.name.clone()).collect()
    }

    /// The widths of what each block takes and gives.
    pub fn block_widths(&self) -> Vec<[usize; 2]> {
        self.blocks.iter().map(|block| [block.into, block.out]).collect()
    }

    /// The network without some of its blocks; `None` where what is left does not fit on each other.
    pub fn without(&self, gone: &[usize]) -> Option<Self> {
        let kept = self.blocks.iter().enumerate().filter(|(number, _)| !gone.contains(number));
        let left = Self { blocks: kept.map(|(_, block)| block.clone()).collect(), ..self.clone() };
        let mut before = WIDTH;
        let fits = left.blocks.iter().all(|block| std::mem::replace(&mut before, block.out) == block.into);
        fits.then_some(left)
    }

    /// Every parameter but the classifier's.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut list = convolution(["conv1", "bn1"], WIDTH, 3, 7);
        list.extend(self.blocks.iter().flat_map(|block| block.parameters(self.expansion)));
        list
    }

    /// The names of its layers.
    pub fn layer_names(&self) -> Vec<String> {
        ["stem".to_owned()].into_iter().chain(self.block_names()).collect()
    }

    /// The pass.
    pub fn forward(&self, scope: &Scope, pictures: Tensor<4>, take: Take) {
        let maps = scope.convolution_norm(pictures, ["conv1", "bn1"], step(2), Clamp::Relu);
        let options = MaxPoolOptions {
            kernel_size: [3; 2],
            stride: [2; 2],
            padding: [(1, 1); 2],
            dilation: [1; 2],
            ceil_mode: false,
        };
        let mut maps = max_pool2d(maps, options);
        take("stem", pooled(maps.clone()));
        for block in &self.blocks {
            maps = block.forward(scope, maps, self.expansion);
            take(&block.name, pooled(maps.clone()));
        }
    }
}

/// The blocks of the four stages.
fn built(stages: [usize; 4], expansion: usize) -> Vec<Block> {
    let (mut blocks, mut into) = (vec![], WIDTH);
    for (stage, &count) in stages.iter().enumerate() {
        let inside = WIDTH << stage;
        for number in 0..count {
            let stride = if stage > 0 && number == 0 { 2 } else { 1 };
            let (name, out) = (format!("layer{}.{number}", stage + 1), inside * expansion);
            blocks.push(Block { name, into, inside, out, stride });
            into = out;
        }
    }
    blocks
}

fn step(stride: usize) -> Convolution {
    Convolution { stride, dilation: 1, padding: Padding::Symmetric, depthwise: false }
}

impl Block {
    /// Its convolutions: out, into, kernel and stride of each.
    fn convolutions(&self, expansion: usize) -> Vec<(usize, usize, usize, usize)> {
        let (into, inside, out, stride) = (self.into, self.inside, self.out, self.stride);
        if expansion == 1 {
            vec![(inside, into, 3, stride), (out, inside, 3, 1)]
        } else {
            vec![(inside, into, 1, 1), (inside, inside, 3, stride), (out, inside, 1, 1)]
        }
    }

    fn shortens(&self) -> bool {
        self.stride != 1 || self.into != self.out
    }

    fn names(&self, number: usize) -> [String; 2] {
        ["conv", "bn"].map(|kind| format!("{}.{kind}{}", self.name, number + 1))
    }

    fn shortcut(&self) -> [String; 2] {
        [0, 1].map(|part| format!("{}.downsample.{part}", self.name))
    }

    fn parameters(&self, expansion: usize) -> Vec<Parameter> {
        let convolutions = self.convolutions(expansion).into_iter().enumerate();
        let mut list: Vec<Parameter> = convolutions
            .flat_map(|(number, (out, into, kernel, _))| {
                convolution(self.names(number).each_ref().map(String::as_str), out, into, kernel)
            })
            .collect();
        if self.shortens() {
            list.extend(convolution(self.shortcut().each_ref().map(String::as_str), self.out, self.into, 1));
        }
        list
    }

    fn forward(&self, scope: &Scope, maps: Tensor<4>, expansion: usize) -> Tensor<4> {
        let convolutions = self.convolutions(expansion);
        let last = convolutions.len() - 1;
        let result = convolutions.into_iter().enumerate().fold(maps.clone(), |maps, (number, (_, _, _, stride))| {
            let clamp = if number == last { Clamp::None } else { Clamp::Relu };
            scope.convolution_norm(maps, self.names(number).each_ref().map(String::as_str), step(stride), clamp)
        });
        let shortcut = || self.shortcut();
        let past = if self.shortens() {
            scope.convolution_norm(maps, shortcut().each_ref().map(String::as_str), step(self.stride), Clamp::None)
        } else {
            maps
        };
        relu(result + past)
    }
}

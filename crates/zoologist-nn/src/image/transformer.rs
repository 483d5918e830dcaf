//! ViT (Dosovitskiy et al., arXiv:2010.11929), as timm builds it: patches, a class token, norms before each part.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::module::layer_norm;

use super::Take;
use crate::architecture::Parameter;
use crate::operations::gelu;
use crate::scope::Scope;

/// What the norms add to the variance.
const EPSILON: f64 = 1e-6;

/// A transformer of patches.
#[derive(Debug, Clone, PartialEq)]
pub struct Transformer {
    /// Width of a state.
    pub dim: usize,
    layers: usize,
    heads: usize,
    patch: usize,
    /// Edge of a picture.
    pub edge: usize,
}

impl Transformer {
    /// The network of a timm name.
    pub fn named(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("vit_")?.split('_');
        let (dim, layers, heads) = match parts.next()? {
            "tiny" => (192, 12, 3),
            "small" => (384, 12, 6),
            "base" => (768, 12, 12),
            "large" => (1024, 24, 16),
            _ => return None,
        };
        let patch: usize = parts.next()?.strip_prefix("patch")?.parse().ok()?;
        let edge: usize = parts.next()?.parse().ok()?;
        let fits = parts.next().is_none() && patch > 0 && edge < 1 << 12 && edge.is_multiple_of(patch) && edge > 0;
        fits.then_some(Self { dim, layers, heads, patch, edge })
    }

    /// Every parameter but the classifier's.
    pub fn parameters(&self) -> Vec<Parameter> {
        let (dim, places) = (self.dim, (self.edge / self.patch).pow(2));
        let mut list = vec![
            Parameter::new("cls_token", &[1, 1, dim]),
            Parameter::new("pos_embed", &[1, places + 1, dim]),
            Parameter::new("patch_embed.proj.weight", &[dim, 3, self.patch, self.patch]),
            Parameter::new("patch_embed.proj.bias", &[dim]),
        ];
        for layer in 0..self.layers {
            let name = |part: &str| format!("blocks.{layer}.{part}");
            list.extend(Parameter::norm(&name("norm1"), dim));
            list.extend(Parameter::product(&name("attn.qkv"), 3 * dim, dim));
            list.extend(Parameter::product(&name("attn.proj"), dim, dim));
            list.extend(Parameter::norm(&name("norm2"), dim));
            list.extend(Parameter::product(&name("mlp.fc1"), 4 * dim, dim));
            list.extend(Parameter::product(&name("mlp.fc2"), dim, 4 * dim));
        }
        list.extend(Parameter::norm("norm", dim));
        list
    }

    /// The names of its layers: the last block's state, after the norm, is the features.
    pub fn layer_names(&self) -> Vec<String> {
        let blocks = (1..self.layers).map(|layer| format!("blocks.{}", layer - 1));
        blocks.chain(["features".to_owned()]).collect()
    }

    /// The names of its blocks.
    pub fn block_names(&self) -> Vec<String> {
        (0..self.layers).map(|layer| format!("blocks.{layer}")).collect()
    }

    /// The network without some of its blocks.
    pub fn without(&self, gone: &[usize]) -> Self {
        Self { layers: self.layers - gone.len(), ..self.clone() }
    }

    /// Whether a parameter belongs to the block whose state gives the features.
    pub fn is_in_last_block(&self, name: &str) -> bool {
        self.layers > 0 && name.starts_with(&format!("blocks.{}.", self.layers - 1))
    }

    /// The pass.
    pub fn forward(&self, scope: &Scope, pictures: Tensor<4>, take: Take) {
        let patches = scope.patches(pictures, "patch_embed.proj");
        let ([batch, places, _], dim) = (patches.dims(), self.dim);
        let class: Tensor<3> = scope.tensor::<3>("cls_token").expand([batch, 1, dim]);
        let states = Tensor::cat(vec![class, patches], 1) + scope.tensor::<3>("pos_embed");
        let mut rows: Tensor<2> = states.reshape([batch * (places + 1), dim]);
        if self.layers == 0 {
            take("features", norm(scope, first(rows.clone(), batch), "norm"));
        }
        for layer in 0..self.layers {
            rows = self.layer(scope, &format!("blocks.{layer}"), rows, batch);
            let last = layer + 1 == self.layers;
            let name = if last { "features".to_owned() } else { format!("blocks.{layer}") };
            let token = first(rows.clone(), batch);
            take(&name, if last { norm(scope, token, "norm") } else { token });
        }
    }

    fn layer(&self, scope: &Scope, name: &str, rows: Tensor<2>, batch: usize) -> Tensor<2> {
        let mixed = self.attend(scope, norm(scope, rows.clone(), &format!("{name}.norm1")), name, batch);
        let rows = rows + scope.linear(mixed, &format!("{name}.attn.proj"));
        let inner = scope.linear(norm(scope, rows.clone(), &format!("{name}.norm2")), &format!("{name}.mlp.fc1"));
        rows + scope.linear(gelu(inner), &format!("{name}.mlp.fc2"))
    }

    fn attend(&self, scope: &Scope, rows: Tensor<2>, name: &str, batch: usize) -> Tensor<2> {
        let (length, width) = (rows.dims()[0] / batch, self.dim / self.heads);
        let parts: Tensor<5> =
            scope.linear(rows, &format!("{name}.attn.qkv")).reshape([batch, length, 3, self.heads, width]);
        let part = |number: usize| -> Tensor<4> {
            let part: Tensor<4> = parts.clone().narrow(2, number, 1).reshape([batch, length, self.heads, width]);
            part.swap_dims(1, 2)
        };
        scope.count(2 * batch * self.heads * length * length * width);
        let scores = part(0).matmul(part(1).transpose()).div_scalar((width as f64).sqrt());
        softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([batch * length, self.dim])
    }
}

/// The class token of each picture.
fn first(rows: Tensor<2>, batch: usize) -> Tensor<2> {
    let [count, dim] = rows.dims();
    let states: Tensor<3> = rows.reshape([batch, count / batch, dim]);
    states.narrow(1, 0, 1).reshape([batch, dim])
}

fn norm(scope: &Scope, rows: Tensor<2>, name: &str) -> Tensor<2> {
    let part = |part: &str| scope.tensor::<1>(&format!("{name}.{part}"));
    layer_norm(rows, part("weight"), Some(part("bias")), EPSILON)
}

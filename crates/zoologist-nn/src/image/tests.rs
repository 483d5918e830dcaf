//! The networks against timm, on weights that both sides make from a formula (`tests/reference/make_reference.py`).

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;

use super::PictureNetwork;
use crate::operations::numbers;
use crate::scope::{BatchNorms, Tensors};

#[derive(Deserialize)]
struct Reference {
    input_shape: [usize; 4],
    features: Vec<Vec<f32>>,
    tensors: usize,
    gradient_norms: BTreeMap<String, f64>,
}

/// The number in -.5 to .5 at a place of a tensor.
fn number(hash: u64, place: usize) -> f64 {
    let mut z = hash.wrapping_add(place as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24) - 0.5
}

fn numbers_of(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (0..count).map(move |place| number(hash, place))
}

fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    let fan_in: usize = shape[1..].iter().product();
    let scaled: Box<dyn Fn(f64) -> f64> = match shape {
        _ if name.ends_with("running_var") => Box::new(|r| 1.0 + r),
        _ if name.ends_with("running_mean") => Box::new(|r| 0.2 * r),
        [_] if name.ends_with("weight") => Box::new(|r| 1.0 + 0.4 * r),
        [_] => Box::new(|r| 0.2 * r),
        _ if name == "cls_token" || name == "pos_embed" => Box::new(|r| 0.2 * r),
        _ => Box::new(move |r| r * 3.4 / (fan_in as f64).sqrt()),
    };
    numbers_of(name, count).map(|r| scaled(r) as f32).collect()
}

fn compare(architecture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reference/{architecture}.json"));
    let reference: Reference = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let network = PictureNetwork::named(architecture).unwrap();
    let parameters = network.parameters();
    assert_eq!(parameters.len(), reference.tensors, "{architecture}");
    let device = Device::flex().autodiff();
    let tensors: Tensors = parameters
        .into_iter()
        .map(|it| {
            let (count, values) = (it.shape.iter().product::<usize>(), values(&it.name, &it.shape));
            let tensor = Tensor::from_data(TensorData::new(values, [count]), &device).require_grad();
            (it.name, (it.shape, tensor))
        })
        .collect();
    let shape = reference.input_shape;
    let pictures: Vec<f32> = numbers_of("input", shape.iter().product()).map(|r| (2.0 * r) as f32).collect();
    let scope = network.scope(&tensors, BatchNorms::Frozen);
    let layers = network.forward(&scope, Tensor::from_data(TensorData::new(pictures, shape), &device));
    let names: Vec<String> = layers.iter().map(|layer| layer.name.clone()).collect();
    assert_eq!(names, network.layer_names(), "{architecture}");
    let features = layers.into_iter().next_back().unwrap().features;
    let dims = features.dims();
    assert_eq!(dims, [reference.features.len(), network.dim()], "{architecture}");
    let data = features.clone().inner().into_data();
    let (found, expected) = (numbers(&data), reference.features.concat());
    let size = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-5 * size.max(1.0), "{architecture}: {found} {expected}");
    }
    let cotangent: Vec<f32> = numbers_of("cotangent", dims[0] * dims[1]).map(|r| r as f32).collect();
    let mut gradients = (features * Tensor::from_data(TensorData::new(cotangent, dims), &device)).sum().backward();
    for (name, expected) in &reference.gradient_norms {
        let found = tensors[name].1.grad_remove(&mut gradients).unwrap().into_data();
        let found = numbers(&found).iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        assert!((found - expected).abs() <= 1e-3 * expected.max(1e-3), "{architecture} {name}: {found} {expected}");
    }
}

#[test]
fn networks_of_inverted_residuals_and_their_gradients_agree_with_timm() {
    ["tf_efficientnet_lite0", "mobilenetv2_100"].into_iter().for_each(compare);
}

#[test]
fn residual_networks_and_their_gradients_agree_with_timm() {
    ["resnet18", "resnet26d", "resnet50"]
        .into_iter()
        .filter(|name| PictureNetwork::named(name).is_some())
        .for_each(compare);
}

#[test]
fn transformers_and_their_gradients_agree_with_timm() {
    ["vit_tiny_patch16_224", "vit_small_patch32_224"].into_iter().for_each(compare);
}

#[test]
fn names_that_are_not_known_are_refused_with_those_that_are() {
    let read = |name: &str| PictureNetwork::read(&format!("{{\"architecture\": \"{name}\"}}"));
    assert!(read("resnet50.a1_in1k").is_ok_and(|network| network.is_some()));
    for unknown in
        ["resnet50d", "efficientnet_lite9", "mobilenetv2_110d", "vit_tiny_patch0_224", "vit_tiny_patch15_224", "x"]
    {
        let message = read(unknown).unwrap_err().to_string();
        assert!(message.contains(unknown) && message.contains("resnet18-152"), "{message}");
    }
}

//! Every kind of layer that training uses, against central differences.

use burn::tensor::activation::{log_sigmoid, log_softmax, relu, softmax};
use burn::tensor::module::{conv2d, layer_norm, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use zoologist::base::Seed;
use zoologist::extract::text::TokenIds;
use zoologist::extract::training::{Answers, Batch};

use crate::design::{Design, Filled};
use crate::kernels::{BiasClamp, Clamp, Depthwise, SampleNorm};
use crate::operation::apply;
use crate::operations::{gelu, indices, numbers};
use crate::scope::{BatchNorms, Tensors};
use crate::training::{Initial, Right};

/// Half of the distance between the two points of a difference.
const STEP: f32 = 1e-2;

fn random(count: usize, name: &str) -> Vec<f32> {
    let mut stream = Seed(5).stream("test", name);
    (0..count).map(|_| (2.0 * stream.unit() - 1.0) as f32).collect()
}

/// Checks the gradient of Σ cotangent · f(inputs) in every entry of every input.
fn check(name: &str, counts: &[usize], f: impl Fn(&[Tensor<1>]) -> Tensor<1>) {
    let inputs: Vec<Vec<f32>> =
        counts.iter().enumerate().map(|(place, &count)| random(count, &format!("{name} {place}"))).collect();
    let tensor = |values: &Vec<f32>, device: &Device| {
        Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), device)
    };
    let weighted = |inputs: &[Tensor<1>]| {
        let result = f(inputs);
        let cotangent = random(result.dims()[0], &format!("{name} cotangent"));
        let cotangent = tensor(&cotangent, &result.device());
        result * cotangent
    };
    let value = |inputs: &[Vec<f32>]| {
        let tensors: Vec<Tensor<1>> = inputs.iter().map(|values| tensor(values, &Device::flex())).collect();
        numbers(&weighted(&tensors).into_data()).iter().map(|&value| f64::from(value)).sum::<f64>()
    };
    let leaves: Vec<Tensor<1>> =
        inputs.iter().map(|values| tensor(values, &Device::flex().autodiff()).require_grad()).collect();
    let mut gradients = weighted(&leaves).sum().backward();
    for (place, leaf) in leaves.iter().enumerate() {
        let found = leaf.grad_remove(&mut gradients).unwrap().into_data();
        let found = numbers(&found);
        let size = (found.iter().map(|value| value * value).sum::<f32>() / found.len() as f32).sqrt();
        for entry in 0..inputs[place].len() {
            let moved = |by: f32| {
                let mut inputs = inputs.clone();
                inputs[place][entry] += by;
                value(&inputs)
            };
            let difference = ((moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP)) as f32;
            let allowed = 1e-3 * found[entry].abs().max(size);
            assert!(
                (difference - found[entry]).abs() <= allowed,
                "{name} {place} {entry}: {difference} {}",
                found[entry]
            );
        }
    }
}

/// 0, 1, 2, … in a tensor like another one.
fn places(count: usize, like: &Tensor<1>) -> Tensor<1> {
    let places = (0..count).map(|place| place as f32).collect();
    Tensor::from_data(TensorData::new::<f32, _>(places, [count]), &like.device())
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

#[test]
fn depthwise_convolutions() {
    let cases: [[usize; 5]; 8] = [
        [3, 1, 1, 1, 5],
        [3, 2, 1, 0, 6],
        [5, 1, 1, 2, 4],
        [5, 2, 1, 1, 7],
        [3, 2, 1, 1, 1],
        [3, 1, 2, 2, 6],
        [3, 2, 2, 2, 7],
        [5, 1, 2, 4, 3],
    ];
    for [kernel, stride, dilation, before, size] in cases {
        let reach = dilation * (kernel - 1) + 1;
        let out = if before == 0 { size.div_ceil(stride) } else { (size + 2 * before - reach) / stride + 1 };
        let (planes, channels) = (4, 2);
        let (size, before) = ([size; 2], [before; 2]);
        let shape = Depthwise { planes, channels, size, kernel, stride, dilation, before, out: [out; 2] };
        let size = size[0];
        let counts = [planes * size * size, channels * kernel * kernel];
        check(&format!("depthwise {kernel} {stride} {dilation} {size}"), &counts, |inputs| {
            flat(apply(&shape, [inputs[0].clone(), inputs[1].clone()], [2, channels, out, out]))
        });
    }
}

#[test]
fn a_depthwise_convolution_is_what_burn_computes() {
    for (kernel, stride, dilation, size) in [(3, 1, 1, 9), (5, 2, 1, 12), (3, 2, 1, 7), (3, 1, 2, 9), (5, 2, 2, 11)] {
        let before = dilation * (kernel / 2);
        let out = (size + 2 * before - dilation * (kernel - 1) - 1) / stride + 1;
        let (edges, before) = ([size; 2], [before; 2]);
        let shape = Depthwise { planes: 6, channels: 3, size: edges, kernel, stride, dilation, before, out: [out; 2] };
        let tensor = |name: &str, shape: [usize; 4]| {
            Tensor::<4>::from_data(TensorData::new(random(shape.iter().product(), name), shape), &Device::flex())
        };
        let (maps, filters) = (tensor("maps", [2, 3, size, size]), tensor("filters", [3, 1, kernel, kernel]));
        let ours = apply(&shape, [flat(maps.clone()), flat(filters.clone())], [2, 3, out, out]);
        let theirs = conv2d(maps, filters, None, ConvOptions::new([stride; 2], before, [dilation; 2], 3));
        let difference = numbers(&(ours - theirs).abs().max().into_data())[0];
        assert!(difference < 1e-5, "{difference}");
    }
}

#[test]
fn biases_and_clamps() {
    for clamp in [Clamp::None, Clamp::Relu, Clamp::Relu6] {
        // Away from the corners: the numbers are spread over -12 to 12, and none lies near 0 or 6.
        let spread = |tensor: Tensor<1>| tensor.clone() * 0.1 + places(48, &tensor) * 0.5 - 11.75;
        check(&format!("clamp {clamp:?}"), &[48], |inputs| {
            let none = Tensor::zeros([3], &inputs[0].device());
            apply(&BiasClamp { pixels: 8, clamp }, [spread(inputs[0].clone()), none], [48])
        });
        check(&format!("bias {clamp:?}"), &[3], |inputs| {
            let maps = Tensor::ones([48], &inputs[0].device()) * 3.0;
            apply(&BiasClamp { pixels: 8, clamp }, [maps, inputs[0].clone()], [48])
        });
    }
}

#[test]
fn sample_norms() {
    for clamp in [Clamp::None, Clamp::Relu] {
        check(&format!("sample norm {clamp:?}"), &[2 * 3 * 4, 3, 3], |inputs| {
            // Channels are wholly above or wholly below 0: no number lies at the corner of the clamp.
            let device = inputs[0].device();
            let offsets = Tensor::from_data(TensorData::from([3.0_f32, -3.0, 4.0]), &device);
            let (factors, summands) = (inputs[1].clone() * 0.3 + 0.5, inputs[2].clone() * 0.1 + offsets);
            let operation = SampleNorm { channels: 3, pixels: 4, epsilon: 1e-5, clamp };
            apply(&operation, [inputs[0].clone(), factors, summands], [24])
        });
    }
}

#[test]
fn convolutions_products_and_pools() {
    for (stride, kernel) in [(1, 3), (2, 3), (2, 7)] {
        check(&format!("convolution {stride} {kernel}"), &[2 * 2 * 8 * 8, 3 * 2 * kernel * kernel], |inputs| {
            let maps: Tensor<4> = inputs[0].clone().reshape([2, 2, 8, 8]);
            let weight: Tensor<4> = inputs[1].clone().reshape([3, 2, kernel, kernel]);
            flat(conv2d(maps, weight, None, ConvOptions::new([stride; 2], [kernel / 2; 2], [1; 2], 1)))
        });
    }
    check("product", &[12, 20], |inputs| {
        let left: Tensor<2> = inputs[0].clone().reshape([3, 4]);
        flat(left.matmul(inputs[1].clone().reshape([5, 4]).transpose()))
    });
    check("pointwise", &[2 * 3 * 4, 5 * 3], |inputs| {
        let maps: Tensor<3> = inputs[0].clone().reshape([2, 3, 4]);
        flat(inputs[1].clone().reshape([1, 5, 3]).matmul(maps))
    });
    check("mean", &[24], |inputs| flat(inputs[0].clone().reshape([2, 3, 4]).mean_dim(2)));
    check("rows", &[24], |inputs| {
        let table: Tensor<2> = inputs[0].clone().reshape([8, 3]);
        flat(table.select(0, indices(&[1, 7, 1, 0], &Device::flex())))
    });
    check("largest", &[16], |inputs| {
        let options = MaxPoolOptions {
            kernel_size: [3; 2],
            stride: [2; 2],
            padding: [(1, 1); 2],
            dilation: [1; 2],
            ceil_mode: false,
        };
        // Numbers stand further apart than they are moved, so that the largest stays the largest.
        let apart = inputs[0].clone() * 0.1 + places(16, &inputs[0]) * 0.25;
        flat(max_pool2d(apart.reshape([1, 1, 4, 4]), options))
    });
}

#[test]
fn norms_and_activations() {
    check("layer norm", &[4 * 6, 6, 6], |inputs| {
        flat(layer_norm(inputs[0].clone().reshape([4, 6]), inputs[1].clone(), Some(inputs[2].clone()), 1e-5))
    });
    check("gelu", &[20], |inputs| flat(gelu(inputs[0].clone().reshape([4, 5]) * 2.0)));
    check("relu", &[20], |inputs| relu(inputs[0].clone() * 0.1 + places(20, &inputs[0]) * 0.5 - 4.75));
    check("softmax", &[20], |inputs| flat(softmax(inputs[0].clone().reshape([4, 5]) * 2.0, 1)));
    check("log softmax", &[20], |inputs| flat(log_softmax(inputs[0].clone().reshape([4, 5]) * 2.0, 1)));
    check("log sigmoid", &[20], |inputs| log_sigmoid(inputs[0].clone() * 2.0));
}

#[test]
fn losses() {
    let answers = [
        Answers::Classes { index: vec![0, 2, 1], count: 3 },
        Answers::Labels { values: vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0], width: 2 },
        Answers::Numbers { values: vec![0.5, -1.0, 2.0, 0.0, 1.0, 0.3], width: 2 },
    ];
    for answers in answers {
        let width = answers.outputs();
        check(&format!("loss {answers:?}"), &[3 * width], |inputs| {
            let outputs: Tensor<2> = inputs[0].clone().reshape([3, width]);
            let device = outputs.device();
            Right::of(&answers, &[0, 1, 2], &device).loss(outputs * 2.0)
        });
    }
}

/// A whole network: the derivative along the gradient of each parameter is the gradient's length.
fn check_network(config: &str, norms: BatchNorms, batch: &Batch) {
    let design = Design::read(config).unwrap();
    let list: Vec<Filled> = design
        .contents()
        .parameters
        .into_iter()
        .map(|it| {
            let count = it.shape.iter().product();
            let spread = if let Initial::Normal(spread) = Initial::of(&design, &it) { spread.max(0.1) } else { 0.1 };
            let base = if let Initial::Constant(value) = Initial::of(&design, &it) { value } else { 0.0 };
            let values = random(count, &it.name).into_iter().map(|value| base + spread as f32 * value).collect();
            Filled { name: it.name, shape: it.shape, values }
        })
        .collect();
    let bind = |list: &[Filled], device: &Device| -> Tensors {
        let tensor =
            |it: &Filled| Tensor::<1>::from_data(TensorData::new(it.values.clone(), [it.values.len()]), device);
        let tracked = |tensor: Tensor<1>| if tensor.is_autodiff() { tensor.require_grad() } else { tensor };
        list.iter().map(|it| (it.name.clone(), (it.shape.clone(), tracked(tensor(it))))).collect()
    };
    let cotangent = |count: usize| random(count, "cotangent");
    let leaves = bind(&list, &Device::flex().autodiff());
    let features = design.pass(&leaves, norms, batch).unwrap().features;
    let weights = TensorData::new(cotangent(features.shape().num_elements()), features.dims());
    let mut gradients = (features.clone() * Tensor::from_data(weights, &features.device())).sum().backward();
    let value = |list: &[Filled]| {
        let data = design.pass(&bind(list, &Device::flex()), norms, batch).unwrap().features.into_data();
        let weights = cotangent(numbers(&data).len());
        numbers(&data).iter().zip(weights).map(|(a, b)| f64::from(*a) * f64::from(b)).sum::<f64>()
    };
    for (place, it) in list.iter().enumerate().filter(|(_, it)| !it.name.contains("running_")) {
        let Some(gradient) = leaves[&it.name].1.grad_remove(&mut gradients) else { continue };
        let gradient = gradient.into_data();
        let length = numbers(&gradient).iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        if length < 1e-2 {
            continue;
        }
        let along = |by: f64| {
            let mut list = list.clone();
            let moves = numbers(&gradient).iter().map(|&value| (by * f64::from(value) / length) as f32);
            list[place].values.iter_mut().zip(moves).for_each(|(value, by)| *value += by);
            value(&list)
        };
        let difference = (along(2e-3) - along(-2e-3)) / 4e-3;
        assert!((difference - length).abs() <= 1e-3 * length + 2e-3, "{}: {difference} {length}", it.name);
    }
}

#[test]
fn a_whole_text_encoder() {
    let texts = [vec![3, 7, 1], vec![2, 9], vec![5, 6, 7, 8]].map(TokenIds::of).to_vec();
    let shares = texts.iter().map(|text| vec![1.0 / text.ids.len() as f32; text.ids.len()]).collect();
    let batch = Batch::Texts { tokens: texts, shares };
    for family in ["bert", "distilbert", "mpnet"] {
        let config = format!(
            r#"{{"model_type": "{family}", "num_hidden_layers": 2, "hidden_size": 12, "num_attention_heads": 3, "vocab_size": 20,
            "intermediate_size": 16, "max_position_embeddings": 20, "type_vocab_size": 2, "layer_norm_eps": 1e-5}}"#
        );
        check_network(&config, BatchNorms::Frozen, &batch);
    }
}

#[test]
fn batch_norms_that_train() {
    // The derivative along one parameter, with the statistics of the batch moving too.
    check("batch norm", &[4 * 2 * 3 * 3, 2, 2, 2 * 2], |inputs| {
        let part = |part: &str, place: usize, shape: Vec<usize>| (part.to_owned(), (shape, inputs[place].clone()));
        let statistic =
            |name: &str, value: f64| (name.to_owned(), (vec![2], Tensor::ones([2], &inputs[0].device()) * value));
        let tensors: Tensors = [
            part("bn.weight", 1, vec![2]),
            part("bn.bias", 2, vec![2]),
            part("conv.weight", 3, vec![2, 2, 1, 1]),
            statistic("bn.running_mean", 0.0),
            statistic("bn.running_var", 1.0),
        ]
        .into();
        let scope = crate::scope::Scope::new(&tensors, BatchNorms::Training, 1e-3);
        let how = crate::scope::Convolution {
            stride: 1,
            dilation: 1,
            padding: crate::scope::Padding::Symmetric,
            depthwise: false,
        };
        let maps: Tensor<4> = inputs[0].clone().reshape([4, 2, 3, 3]);
        flat(scope.convolution_norm(maps, ["conv", "bn"], how, Clamp::None))
    });
}

#[test]
fn batch_norms_that_train_hand_over_the_statistics_of_the_batch() {
    let maps = random(3 * 2 * 4, "statistics");
    let one = |values: Vec<f32>, shape: Vec<usize>| {
        let count = values.len();
        (shape, Tensor::<1>::from_data(TensorData::new(values, [count]), &Device::flex()))
    };
    let tensors: Tensors = [
        ("conv.weight".to_owned(), one(vec![1.0, 0.0, 0.0, 1.0], vec![2, 2, 1, 1])),
        ("bn.weight".to_owned(), one(vec![1.0; 2], vec![2])),
        ("bn.bias".to_owned(), one(vec![0.0; 2], vec![2])),
    ]
    .into();
    let scope = crate::scope::Scope::new(&tensors, BatchNorms::Training, 1e-5);
    let how = crate::scope::Convolution {
        stride: 1,
        dilation: 1,
        padding: crate::scope::Padding::Symmetric,
        depthwise: false,
    };
    let input = Tensor::<4>::from_data(TensorData::new(maps.clone(), [3, 2, 2, 2]), &Device::flex());
    let result = scope.convolution_norm(input, ["conv", "bn"], how, Clamp::None).into_data();
    let seen = scope.statistics().pop().unwrap();
    let (means, variances) = (seen.mean.into_data(), seen.variance.into_data());
    for channel in 0..2 {
        let own = |values: &[f32]| -> Vec<f64> {
            (0..3)
                .flat_map(|sample| {
                    values[(sample * 2 + channel) * 4..][..4].iter().map(|&value| f64::from(value)).collect::<Vec<_>>()
                })
                .collect()
        };
        let (values, normed) = (own(&maps), own(numbers(&result)));
        let mean = values.iter().sum::<f64>() / 12.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 11.0;
        assert!((f64::from(numbers(&means)[channel]) - mean).abs() < 1e-6);
        assert!((f64::from(numbers(&variances)[channel]) - variance).abs() < 1e-6);
        let spread = (normed.iter().map(|value| value * value).sum::<f64>() / 12.0).sqrt();
        assert!(normed.iter().sum::<f64>().abs() < 1e-5 && (spread - 1.0).abs() < 1e-3, "{spread}");
    }
}

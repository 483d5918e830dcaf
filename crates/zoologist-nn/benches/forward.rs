//! One thread's rate on the shape of MiniLM-L6, as a share of this machine's rate of plain matrix products.
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use zoologist_nn::{Encoder, Tokens};

const DIM: usize = 384;
const INNER: usize = 1536;
const LAYERS: usize = 6;
const VOCABULARY: usize = 1000;
const POSITIONS: usize = 512;
/// Passes of which the fastest counts.
const ROUNDS: usize = 5;

fn main() {
    let config = format!(
        r#"{{"model_type": "bert", "num_hidden_layers": {LAYERS}, "hidden_size": {DIM}, "num_attention_heads": 12,
        "intermediate_size": {INNER}, "vocab_size": {VOCABULARY}, "max_position_embeddings": {POSITIONS}, "type_vocab_size": 2}}"#
    );
    let encoder = Encoder::load(&config, &weights()).expect("the weights fit");
    for length in [16, 32, 128] {
        let batch = 16;
        let tokens = Tokens {
            batch,
            length,
            ids: (0..batch * length).map(|place| (place % VOCABULARY) as u32).collect(),
            mask: vec![true; batch * length],
            types: None,
        };
        let seconds = fastest(|| {
            encoder.hidden_states(&tokens, &[LAYERS]).expect("the tokens fit");
        });
        let multiply_adds = encoder.multiply_adds(LAYERS, length) as f64 * batch as f64;
        let rows = batch * length;
        let limit = product_rate(rows);
        let rate = multiply_adds / seconds;
        println!(
            "{batch} x {length} tokens: {:.1} ms, {:.1} G multiply-adds/s, {:.0}% of a plain product of {rows} rows ({:.1} G/s)",
            1e3 * seconds,
            rate / 1e9,
            100.0 * rate / limit,
            limit / 1e9
        );
    }
}

/// Multiply-adds per second of a product rows × 384 by 384 × 1536.
fn product_rate(rows: usize) -> f64 {
    let device = Device::flex();
    let left = Tensor::<2>::random([rows, DIM], Distribution::Default, &device);
    let right = Tensor::<2>::random([DIM, INNER], Distribution::Default, &device);
    let repeats = 20;
    let seconds = fastest(|| {
        for _ in 0..repeats {
            drop(left.clone().matmul(right.clone()).into_data());
        }
    });
    (repeats * rows * DIM * INNER) as f64 / seconds
}

fn fastest(mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let begun = Instant::now();
        run();
        begun.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(once).fold(f64::INFINITY, f64::min)
}

/// Random weights under BERT's names.
fn weights() -> Vec<u8> {
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), vec![VOCABULARY, DIM]),
        ("embeddings.position_embeddings.weight".into(), vec![POSITIONS, DIM]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, DIM]),
        ("embeddings.LayerNorm.weight".into(), vec![DIM]),
        ("embeddings.LayerNorm.bias".into(), vec![DIM]),
    ];
    for layer in 0..LAYERS {
        let products = [
            ("attention.self.query", DIM, DIM),
            ("attention.self.key", DIM, DIM),
            ("attention.self.value", DIM, DIM),
            ("attention.output.dense", DIM, DIM),
            ("intermediate.dense", INNER, DIM),
            ("output.dense", DIM, INNER),
        ];
        for (name, out, into) in products {
            shapes.push((format!("encoder.layer.{layer}.{name}.weight"), vec![out, into]));
            shapes.push((format!("encoder.layer.{layer}.{name}.bias"), vec![out]));
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            shapes.push((format!("encoder.layer.{layer}.{name}.weight"), vec![DIM]));
            shapes.push((format!("encoder.layer.{layer}.{name}.bias"), vec![DIM]));
        }
    }
    let bytes = |shape: &[usize]| {
        let number = |place: usize| ((place * 2_654_435_761) % 1000) as f32 / 10_000.0 - 0.05;
        (0..shape.iter().product()).flat_map(|place| number(place).to_le_bytes()).collect::<Vec<u8>>()
    };
    let data: Vec<Vec<u8>> = shapes.iter().map(|(_, shape)| bytes(shape)).collect();
    let views = shapes.iter().zip(&data).map(|((name, shape), data)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), data).expect("as many numbers as the shape says"))
    });
    safetensors::serialize(views, None).expect("whole tensors")
}

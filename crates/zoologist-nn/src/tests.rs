//! The network against plain loops in double precision, on small seeded weights, for each family.

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::activation::Activation;
use crate::architecture::Architecture;
use crate::family::{EMBEDDING_NORM, POSITIONS, RELATIVE_BIAS, TYPES, WORDS};
use crate::reference::activate;
use crate::relative::by_distance;
use crate::{Encoder, Operations, Tokens};

const BERT: &str = r#"{"model_type": "bert", "num_hidden_layers": 3, "hidden_size": 24, "num_attention_heads": 3,
    "intermediate_size": 40, "vocab_size": 50, "max_position_embeddings": 70, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "hidden_act": "gelu"}"#;
const MPNET: &str = r#"{"model_type": "mpnet", "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2,
    "intermediate_size": 24, "vocab_size": 50, "max_position_embeddings": 70, "layer_norm_eps": 1e-5,
    "relative_attention_num_buckets": 32, "hidden_act": "gelu"}"#;

type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A number between -0.5 and 0.5 for each place.
fn number(state: &mut u64) -> f32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1 << 24) as f32 - 0.5
}

fn weights(config: &str) -> Weights {
    let (architecture, mut state) = (Architecture::read(config).unwrap(), 7);
    let parameter = |parameter: crate::architecture::Parameter| {
        let count: usize = parameter.shape.iter().product();
        let values = (0..count).map(|_| number(&mut state)).collect();
        (parameter.name, (parameter.shape, values))
    };
    architecture.parameters().into_iter().map(parameter).collect()
}

fn file(weights: &Weights) -> Vec<u8> {
    let bytes: BTreeMap<&String, Vec<u8>> = weights
        .iter()
        .map(|(name, (_, values))| (name, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let view = |(name, (shape, _)): (&String, &(Vec<usize>, Vec<f32>))| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap())
    };
    safetensors::serialize(weights.iter().map(view), None).unwrap()
}

/// The forward pass in plain loops: hidden states of one sequence without padding.
struct Reference<'a> {
    weights: &'a Weights,
    architecture: Architecture,
}

impl Reference<'_> {
    fn get(&self, name: &str) -> &[f32] {
        &self.weights[name].1
    }

    fn norm(&self, name: &str, row: &[f64]) -> Vec<f64> {
        let (weight, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / row.len() as f64;
        let deviation = (variance + self.architecture.epsilon).sqrt();
        let one = |(place, value): (usize, &f64)| {
            (value - mean) / deviation * f64::from(weight[place]) + f64::from(bias[place])
        };
        row.iter().enumerate().map(one).collect()
    }

    fn linear(&self, name: &str, row: &[f64]) -> Vec<f64> {
        let (weight, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let product = |out: usize| {
            let weights = &weight[out * row.len()..(out + 1) * row.len()];
            weights.iter().zip(row).map(|(a, b)| f64::from(*a) * b).sum::<f64>() + f64::from(bias[out])
        };
        (0..bias.len()).map(product).collect()
    }

    fn embed(&self, ids: &[u32]) -> Vec<Vec<f64>> {
        let dim = self.architecture.dim;
        let row = |table: &str, place: usize| self.get(table)[place * dim..(place + 1) * dim].to_vec();
        let token = |(place, &id): (usize, &u32)| {
            let (word, position) =
                (row(WORDS, id as usize), row(POSITIONS, place + self.architecture.first_position()));
            let kind = if self.architecture.types > 0 { row(TYPES, 0) } else { vec![0.0; dim] };
            let sum: Vec<f64> =
                (0..dim).map(|d| f64::from(word[d]) + f64::from(position[d]) + f64::from(kind[d])).collect();
            self.norm(EMBEDDING_NORM, &sum)
        };
        ids.iter().enumerate().map(token).collect()
    }

    fn layer(&self, number: usize, hidden: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let family = self.architecture.family;
        let name = |part: &str| family.in_layer(number, part);
        let [query, key, value] =
            family.attention.map(|part| hidden.iter().map(|row| self.linear(&name(part), row)).collect::<Vec<_>>());
        let (heads, width) = (self.architecture.heads, self.architecture.dim / self.architecture.heads);
        let buckets = self.architecture.buckets;
        let distances = if buckets > 0 { by_distance(hidden.len(), buckets) } else { vec![] };
        let attended = |place: usize| {
            let mut context = vec![0.0; heads * width];
            for head in 0..heads {
                let part = head * width..(head + 1) * width;
                let score = |other: usize| {
                    let product: f64 =
                        query[place][part.clone()].iter().zip(&key[other][part.clone()]).map(|(a, b)| a * b).sum();
                    let bias = distances.get(hidden.len() - 1 + other - place);
                    let bias = bias.map_or(0.0, |bucket| f64::from(self.get(RELATIVE_BIAS)[bucket * heads + head]));
                    (product / (width as f64).sqrt() + bias).exp()
                };
                let scores: Vec<f64> = (0..hidden.len()).map(score).collect();
                let sum: f64 = scores.iter().sum();
                for (other, score) in scores.iter().enumerate() {
                    part.clone().for_each(|d| context[d] += score / sum * value[other][d]);
                }
            }
            context
        };
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
        let after = |(place, row): (usize, &Vec<f64>)| {
            let mixed = add(&self.linear(&name(family.context), &attended(place)), row);
            let middle = self.norm(&name(family.attention_norm), &mixed);
            let inner: Vec<f64> =
                self.linear(&name(family.inner), &middle).into_iter().map(|x| activate(Activation::Gelu, x)).collect();
            self.norm(&name(family.outer_norm), &add(&self.linear(&name(family.outer), &inner), &middle))
        };
        hidden.iter().enumerate().map(after).collect()
    }

    /// All hidden states, each tokens × dim.
    fn states(&self, ids: &[u32]) -> Vec<Vec<Vec<f64>>> {
        let mut states = vec![self.embed(ids)];
        for layer in 0..self.architecture.layers {
            states.push(self.layer(layer, &states[layer]));
        }
        states
    }
}

fn batch(rows: &[Vec<u32>], length: usize) -> Tokens {
    let padded = |row: &Vec<u32>| (0..length).map(|place| row.get(place).copied().unwrap_or(1)).collect::<Vec<u32>>();
    Tokens {
        batch: rows.len(),
        length,
        ids: rows.iter().flat_map(padded).collect(),
        mask: rows.iter().flat_map(|row| (0..length).map(|place| place < row.len())).collect(),
        types: None,
    }
}

fn rows() -> Vec<Vec<u32>> {
    [3_u32, 1, 17, 40].iter().map(|&length| (0..length).map(|place| 2 + (place * 13 + length) % 47).collect()).collect()
}

#[test]
fn hidden_states_are_those_of_plain_loops_in_double_precision() {
    for config in [BERT, MPNET] {
        let weights = weights(config);
        let encoder = Encoder::load(config, &file(&weights)).unwrap();
        let reference = Reference { weights: &weights, architecture: Architecture::read(config).unwrap() };
        let (rows, length, dim) = (rows(), 44, encoder.dim());
        let layers: Vec<usize> = (0..=encoder.layers()).collect();
        for operations in [Operations::Loops, Operations::Burn] {
            let found =
                encoder.clone().with_operations(operations).hidden_states(&batch(&rows, length), &layers).unwrap();
            for (place, row) in rows.iter().enumerate() {
                for (layer, expected) in reference.states(row).iter().enumerate() {
                    let own = &found[layer][place * length * dim..][..row.len() * dim];
                    let near = own.iter().zip(expected.concat()).all(|(a, b)| (f64::from(*a) - b).abs() < 2e-5);
                    assert!(near, "{operations:?}, layer {layer}, row {place} of {config}");
                }
            }
        }
    }
}

#[test]
fn neighbours_and_padding_do_not_change_a_sequence() {
    for config in [BERT, MPNET] {
        let encoder = Encoder::load(config, &file(&weights(config))).unwrap();
        let (rows, dim, last) = (rows(), encoder.dim(), encoder.layers());
        let together = encoder.hidden_states(&batch(&rows, 60), &[last]).unwrap();
        for (place, row) in rows.iter().enumerate() {
            let alone = encoder.hidden_states(&batch(std::slice::from_ref(row), row.len()), &[last]).unwrap();
            let own = &together[0][place * 60 * dim..][..row.len() * dim];
            assert!(own.iter().zip(&alone[0]).all(|(a, b)| (a - b).abs() <= 1e-5));
        }
    }
}

#[test]
fn files_that_do_not_fit_are_refused_with_the_names() {
    let refusal = |weights: &Weights, config: &str| Encoder::load(config, &file(weights)).unwrap_err().to_string();
    let mut missing = weights(BERT);
    missing.remove(WORDS);
    assert!(refusal(&missing, BERT).contains("embeddings.word_embeddings.weight is missing"));
    let mut more = weights(BERT);
    more.insert("encoder.layer.9.odd".to_owned(), (vec![1], vec![0.0]));
    assert!(refusal(&more, BERT).contains("encoder.layer.9.odd is not part of this network"));
    let wrong = BERT.replace("\"hidden_size\": 24", "\"hidden_size\": 27");
    assert!(refusal(&weights(BERT), &wrong).contains("model.safetensors does not fit config.json"));
    for config in [
        "{",
        "[]",
        "{}",
        &BERT.replace("\"num_attention_heads\": 3", "\"num_attention_heads\": 0"),
        &BERT.replace("24", "99999999999"),
    ] {
        assert!(Encoder::load(config, &file(&weights(BERT))).is_err());
    }
    let whole = file(&weights(BERT));
    assert!((0..whole.len()).step_by(97).all(|end| Encoder::load(BERT, &whole[..end]).is_err()));
}

#[test]
fn tokens_beyond_the_model_are_refused_by_id_and_length() {
    let encoder = Encoder::load(BERT, &file(&weights(BERT))).unwrap();
    let run = |tokens: &Tokens| encoder.hidden_states(tokens, &[3]).unwrap_err().to_string();
    assert!(run(&batch(&[vec![2, 50]], 2)).contains("token id 50 has no embedding: the model knows 50"));
    assert!(run(&batch(&[vec![2; 71]], 71)).contains("has 71 tokens; the model has positions for 70"));
}

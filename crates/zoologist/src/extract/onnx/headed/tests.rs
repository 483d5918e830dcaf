use std::collections::BTreeMap;

use super::*;
use crate::extract::head::Dense;
use crate::extract::onnx::{ModelBytes, sketch};
use crate::extract::runtime::{Input, NetworkBytes, Rten, Runtime, Tensor};
use crate::extract::text::pooled;

/// A head whose numbers are all different and of both signs.
fn head(columns: Option<&[usize]>, widths: &[usize]) -> Head {
    let number = |place: usize| ((place * 37 + 11) % 101) as f32 / 50.0 - 1.0;
    let dense = |pair: &[usize]| Dense {
        into: pair[0],
        out: pair[1],
        weight: (0..pair[0] * pair[1]).map(number).collect(),
        bias: (0..pair[1]).map(|place| number(place + 5)).collect(),
    };
    Head { columns: columns.map(<[usize]>::to_vec), layers: widths.windows(2).map(dense).collect() }
}

/// What a head makes of one row, in loops.
fn by_hand(head: &Head, features: &[f32]) -> Vec<f32> {
    let mut row: Vec<f32> = match &head.columns {
        Some(columns) => columns.iter().map(|&column| features[column]).collect(),
        None => features.to_vec(),
    };
    for (place, layer) in head.layers.iter().enumerate() {
        let before = |value: f32| if place > 0 { value.max(0.0) } else { value };
        let sum = |out: usize| {
            (0..layer.into).map(|into| before(row[into]) * layer.weight[into * layer.out + out]).sum::<f32>()
        };
        row = (0..layer.out).map(|out| sum(out) + layer.bias[out]).collect();
    }
    row
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(found.iter().zip(expected).all(near), "{found:?} {expected:?}");
}

fn part(value: &str, vector: VectorFrom, width: usize) -> Part {
    let rank = if matches!(vector, VectorFrom::Tokens(_)) || value == "tokens" { 3 } else { 2 };
    let rank = if ["on", "mean", "turned"].contains(&value) { 4 } else { rank };
    Part { value: value.to_owned(), vector, width, rank }
}

fn run(model: Vec<u8>, inputs: &[(&str, Input)], outputs: &[&str]) -> Vec<Tensor> {
    let network = NetworkBytes::Onnx(ModelBytes { model, external: BTreeMap::new() });
    let names: Vec<&str> = inputs.iter().map(|(name, _)| *name).collect();
    let fed: Vec<Input> = inputs.iter().map(|(_, input)| *input).collect();
    Rten.load(&network, &names, outputs, 1).unwrap()[0].run(&fed).unwrap()
}

/// Puts a head on a sketch; gives the file, the name of its logits, and what the graph gives of these inputs: the logits,
/// then the value of each part.
fn put(text: &str, parts: &[Part], head: &Head, inputs: &[(&str, Input)]) -> (HeadedGraph, Vec<Tensor>) {
    let model = sketch::model(text);
    let graph = Graph::parse(&model).unwrap();
    let edit = graph.headed(parts, head).unwrap();
    let shown = |added: &Added| super::super::wire::with_added(&model, added).unwrap();
    let logits = run(shown(&edit.added), inputs, &[&edit.logits]);
    let mut values: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
    values.dedup();
    let hidden = values.iter().filter(|value| !graph.output_named(value)).map(|&value| value.to_owned()).collect();
    let states = run(shown(&Added { outputs: hidden, ..Added::default() }), inputs, &values);
    (edit, logits.into_iter().chain(states).collect())
}

const PICTURES: &str = "input x float ? 3 4 4
    output y float ? 2
    maps = Conv(x, k[5 3 3 3]) strides=1,1 dilations=1,1 pads=0,0,0,0
    on = Relu(maps)
    mean = GlobalAveragePool(on)
    flat = Flatten(mean)
    y = Gemm(flat, own[5 2])
    turned = Transpose(on) perm=0,2,3,1
    tokens = Reshape(turned, #0,-1,5)";

fn picture() -> Tensor {
    Tensor { shape: vec![2, 3, 4, 4], values: (0..96).map(|number| (number * 7 % 31) as f32 / 31.0).collect() }
}

#[test]
fn tensors_are_pooled_as_outside_the_graph_and_multiplied() {
    let shapes: [(&str, Pooling, &[usize]); 6] = [
        ("on", Pooling::MeanOfMap, &[5, 2, 2]),
        ("mean", Pooling::None, &[5, 1, 1]),
        ("flat", Pooling::None, &[5]),
        ("turned", Pooling::MeanOfMapChannelsLast, &[2, 2, 5]),
        ("tokens", Pooling::MeanOfTokens, &[4, 5]),
        ("tokens", Pooling::FirstToken, &[4, 5]),
    ];
    for (value, pooling, shape) in shapes {
        let head = head(None, &[5, 3]);
        let parts = [part(value, VectorFrom::Tensor(pooling), 5)];
        let (edit, found) = put(PICTURES, &parts, &head, &[("x", Input::Floats(&picture()))]);
        assert_eq!((edit.logits.as_str(), &found[0].shape[..]), ("logits", &[2, 3][..]));
        let rows = found[1].values.chunks(found[1].values.len() / 2);
        let expected: Vec<f32> = rows.flat_map(|row| by_hand(&head, &pooling.apply(shape, row))).collect();
        assert_near(&found[0].values, &expected);
    }
}

#[test]
fn columns_are_taken_over_several_parts_and_parts_without_any_are_left_out() {
    let parts = [
        part("on", VectorFrom::Tensor(Pooling::MeanOfMap), 5),
        part("tokens", VectorFrom::Tensor(Pooling::FirstToken), 5),
        part("y", VectorFrom::Tensor(Pooling::None), 2),
    ];
    let input = picture();
    let inputs = [("x", Input::Floats(&input))];
    for (columns, layers, nodes) in [
        (
            &[1, 4, 10, 11][..],
            &[4, 6, 3][..],
            ["GlobalAveragePool", "Flatten", "Flatten", "Concat", "Gather"].len() + 3,
        ),
        (&[10, 11], &[2, 3], ["Flatten"].len() + 1),
        (&[0, 6], &[2, 3], 6 + 1),
    ] {
        let head = head(Some(columns), layers);
        let (edit, found) = put(PICTURES, &parts, &head, &inputs);
        assert_eq!(
            (edit.added.nodes.len(), &edit.added.float_outputs[..]),
            (nodes, &[("logits".to_owned(), vec![None, Some(3)])][..])
        );
        let row = |sample: usize| {
            let of = |tensor: &Tensor| {
                let size = tensor.values.len() / 2;
                tensor.values[sample * size..(sample + 1) * size].to_vec()
            };
            let mean = Pooling::MeanOfMap.apply(&[5, 2, 2], &of(&found[1]));
            let first = Pooling::FirstToken.apply(&[4, 5], &of(&found[2]));
            by_hand(&head, &[mean, first, of(&found[3])].concat())
        };
        assert_near(&found[0].values, &[row(0), row(1)].concat());
    }
    let other = Graph::parse(&sketch::model(PICTURES)).unwrap().headed(&parts, &head(None, &[5, 3]));
    assert!(other.unwrap_err().to_string().contains("takes 5 features, the model gives 12"));
}

#[test]
fn the_head_has_a_name_of_its_own_and_the_features_stay() {
    let (input, parts) = (picture(), [part("flat", VectorFrom::Tensor(Pooling::None), 5)]);
    for (names, expected) in
        [(&[][..], "logits"), (&["logits"], "tuned_logits"), (&["logits", "tuned_logits"], "tuned_logits_")]
    {
        let others: Vec<String> =
            names.iter().map(|name| format!("output {name} float ? 2\n {name} = Relu(y)")).collect();
        let others = others.join("\n");
        let text = format!("{PICTURES}\n{others}\n zoologist_head_1 = Relu(y)");
        let (edit, _) = put(&text, &parts, &head(None, &[5, 3]), &[("x", Input::Floats(&input))]);
        assert_eq!(edit.logits, expected);
        assert_eq!(edit.added.float_outputs[1], ("flat".to_owned(), vec![None; 2]));
        let file = super::super::wire::with_added(&sketch::model(&text), &edit.added).unwrap();
        let graph = Graph::parse(&file).unwrap();
        assert_eq!(graph.head_source(Some(expected), None).unwrap().value, expected);
        assert!(graph.output_named("flat") && graph.output_named("y"));
    }
}

/// Ids, masks of real tokens at the front, at the back and everywhere, and the range of each text's tokens.
type Batch = (Vec<i64>, Vec<i64>, [std::ops::Range<usize>; 3]);

fn texts() -> Batch {
    let ids = vec![3, 7, 11, 0, 0, 5, 2, 9, 4, 1, 8, 6];
    (ids, vec![1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1], [0..3, 1..4, 0..4])
}

#[test]
fn tokens_are_pooled_by_the_mask_wherever_padding_stands() {
    let (ids, mask, real) = texts();
    let shape = [3, 4];
    let inputs = [("ids", Input::Integers { shape, values: &ids }), ("mask", Input::Integers { shape, values: &mask })];
    for pooling in [TokenPooling::Mean, TokenPooling::Cls, TokenPooling::Last, TokenPooling::Max] {
        let head = head(Some(&[0, 3, 5, 6, 7, 11]), &[6, 4, 3]);
        let parts = ["norm_1_ffn", "norm_2_ffn"].map(|value| part(value, VectorFrom::Tokens(pooling), 6));
        let (_, found) = put(&sketch::encoder(2), &parts, &head, &inputs);
        let vector = |text: usize, states: &Tensor| {
            let rows = &states.values[(text * 4 + real[text].start) * 6..(text * 4 + real[text].end) * 6];
            pooled(pooling, rows, real[text].len(), 6)
        };
        let row = |text| by_hand(&head, &[vector(text, &found[1]), vector(text, &found[2])].concat());
        assert_near(&found[0].values, &[row(0), row(1), row(2)].concat());
    }
}

#[test]
fn without_a_mask_all_tokens_count() {
    let text =
        "input ids int64 ? ?\n output states float ? ? 6\n words = Gather(table[20 6], ids)\n states = Tanh(words)";
    let (ids, ..) = texts();
    let inputs = [("ids", Input::Integers { shape: [3, 4], values: &ids })];
    for pooling in [TokenPooling::Mean, TokenPooling::Cls, TokenPooling::Last, TokenPooling::Max] {
        let head = head(None, &[6, 2]);
        let (_, found) = put(text, &[part("states", VectorFrom::Tokens(pooling), 6)], &head, &inputs);
        let rows = found[1].values.chunks(24);
        let expected: Vec<f32> = rows.flat_map(|states| by_hand(&head, &pooled(pooling, states, 4, 6))).collect();
        assert_near(&found[0].values, &expected);
    }
}

/// The same sketch of another version of ONNX.
fn of_opset(text: &str, opset: u8) -> Graph {
    let mut model = sketch::model(text);
    let place = model.windows(2).rposition(|pair| pair == [0x10, 17]).unwrap();
    model[place + 1] = opset;
    let graph = Graph::parse(&model).unwrap();
    assert_eq!(graph.origin().opset, Some(i64::from(opset)));
    graph
}

#[test]
fn what_a_graph_can_not_do_is_refused() {
    let encoder = sketch::encoder(1);
    let put = |opset: u8, pooling: TokenPooling| {
        let parts = [part("norm_1_ffn", VectorFrom::Tokens(pooling), 6)];
        of_opset(&encoder, opset).headed(&parts, &head(None, &[6, 2])).map(|edit| edit.logits)
    };
    assert_eq!(put(9, TokenPooling::Mean).unwrap(), "logits");
    assert_eq!(put(11, TokenPooling::Last).unwrap(), "logits");
    let refusal = put(10, TokenPooling::Cls).unwrap_err().to_string();
    assert!(refusal.contains("of ONNX opset 10, and a head on it needs 11"), "{refusal}");
    assert!(put(17, TokenPooling::Words).unwrap_err().to_string().contains("pooling by words"));
}

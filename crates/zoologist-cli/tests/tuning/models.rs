//! Small networks of the families that are built in, with weights that are random but the same every time.

use std::fs;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

/// Words that the small tokenizer knows.
pub const WORDS: [&str; 14] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ball", "goal", "team", "match", "bread", "soup", "salt", "oven", "the", "a"];

/// A number between -1 and 1 for each place of a tensor.
fn numbers(name: &str, count: usize) -> Vec<f32> {
    let mut state = name.bytes().fold(7_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn write(file: &Path, parameters: &[(String, Vec<usize>)]) {
    let bytes = |(name, shape): &(String, Vec<usize>)| {
        let fan_in: usize = shape[1..].iter().product();
        let value = |number: f32| match shape.len() {
            _ if name.ends_with("running_var") => 1.0 + 0.1 * number,
            1 if name.ends_with("weight") => 1.0 + 0.1 * number,
            1 => 0.1 * number,
            _ => 1.7 * number / (fan_in as f32).sqrt(),
        };
        numbers(name, shape.iter().product())
            .into_iter()
            .flat_map(|number| value(number).to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let data: Vec<Vec<u8>> = parameters.iter().map(bytes).collect();
    let views = parameters
        .iter()
        .zip(&data)
        .map(|((name, shape), data)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Texts of two topics that share no word.
pub fn texts(file: &Path, count: usize) {
    let row = |number: usize| {
        let (first, label) = if number.is_multiple_of(2) { (4, "sport") } else { (8, "food") };
        let word = |step: usize| WORDS[first + (number / 2 + step) % 4];
        format!("the {} a {} {},{label}\n", word(0), word(1 + number % 3), word(number % 2))
    };
    fs::write(file, "text,label\n".to_owned() + &(0..count).map(row).collect::<String>()).unwrap();
}

/// A BERT of so many layers with a tokenizer of whole words.
pub fn bert(folder: &Path, layers: usize) {
    const DIM: usize = 16;
    const INNER: usize = 24;
    fs::create_dir_all(folder.join("1_Pooling")).unwrap();
    let config = json!({
        "model_type": "bert", "num_hidden_layers": layers, "hidden_size": DIM, "num_attention_heads": 2, "intermediate_size": INNER,
        "vocab_size": WORDS.len(), "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-5
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        WORDS.iter().enumerate().map(|(id, word)| ((*word).to_owned(), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let pooling = json!({"word_embedding_dimension": DIM, "pooling_mode_mean_tokens": true});
    fs::write(folder.join("1_Pooling/config.json"), pooling.to_string()).unwrap();
    let mut parameters = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![WORDS.len(), DIM]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![32, DIM]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, DIM]),
    ];
    let norm = |name: &str| ["weight", "bias"].map(|part| (format!("{name}.{part}"), vec![DIM]));
    parameters.extend(norm("embeddings.LayerNorm"));
    for layer in 0..layers {
        let products = [
            ("attention.self.query", DIM, DIM),
            ("attention.self.key", DIM, DIM),
            ("attention.self.value", DIM, DIM),
            ("attention.output.dense", DIM, DIM),
            ("intermediate.dense", INNER, DIM),
            ("output.dense", DIM, INNER),
        ];
        for (name, out, into) in products {
            parameters.push((format!("encoder.layer.{layer}.{name}.weight"), vec![out, into]));
            parameters.push((format!("encoder.layer.{layer}.{name}.bias"), vec![out]));
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            parameters.extend(norm(&format!("encoder.layer.{layer}.{name}")));
        }
    }
    write(&folder.join("model.safetensors"), &parameters);
}

/// MobileNetV2 at a width of .35, under timm's names.
pub fn mobilenet(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let config = json!({"architecture": "mobilenetv2_035", "num_classes": 0, "num_features": 1280});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let preprocessing = json!({
        "do_resize": true, "size": {"height": 64, "width": 64}, "resample": 2, "do_center_crop": false, "do_rescale": true,
        "rescale_factor": 1.0 / 255.0, "do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25],
        "channel_order": "RGB"
    });
    fs::write(folder.join("preprocessor_config.json"), preprocessing.to_string()).unwrap();
    let mut parameters = vec![];
    let mut convolution = |name: &str, norm: &str, out: usize, into: usize, kernel: usize| {
        parameters.push((format!("{name}.weight"), vec![out, into, kernel, kernel]));
        let parts = ["weight", "bias", "running_mean", "running_var"];
        parameters.extend(parts.map(|part| (format!("{norm}.{part}"), vec![out])));
    };
    convolution("conv_stem", "bn1", 16, 3, 3);
    let mut into = 16;
    for (stage, (out, blocks)) in [(8, 1), (8, 2), (16, 3), (24, 4), (32, 3), (56, 3), (112, 1)].into_iter().enumerate()
    {
        for block in 0..blocks {
            let name = |part: &str| format!("blocks.{stage}.{block}.{part}");
            let wide = if stage == 0 { into } else { 6 * into };
            if stage == 0 {
                convolution(&name("conv_dw"), &name("bn1"), wide, 1, 3);
                convolution(&name("conv_pw"), &name("bn2"), out, wide, 1);
            } else {
                convolution(&name("conv_pw"), &name("bn1"), wide, into, 1);
                convolution(&name("conv_dw"), &name("bn2"), wide, 1, 3);
                convolution(&name("conv_pwl"), &name("bn3"), out, wide, 1);
            }
            into = out;
        }
    }
    convolution("conv_head", "bn2", 1280, into, 1);
    write(&folder.join("model.safetensors"), &parameters);
}

//! Models of texts: tokenizers, static embeddings, word vectors, and encoders in safetensors.

use serde_json::{Value, json};

use crate::judge::{Case, Content, Verdict, try_all};
use crate::npy::twelve;
use crate::safetensors::{file, raw, tensor};

/// A tokenizer of four words.
fn tokenizer() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "good": 2, "day": 3}, "unk_token": "[UNK]"}
    })
}

fn with(part: &str, value: Value) -> String {
    let mut whole = tokenizer();
    whole[part] = value;
    whole.to_string()
}

/// A table with one vector for each of the four words.
fn table() -> Vec<u8> {
    file(&json!({"embeddings": tensor("F32", &json!([4, 3]), 0, 48)}), &twelve())
}

/// A folder of static embeddings with these files, asked what it is.
fn folder(verdict: Verdict, name: &str, tokenizer: impl Into<Vec<u8>>, weights: Vec<u8>, config: &str) -> Case {
    let mut case = Case::file(verdict, name, "model/tokenizer.json", tokenizer);
    case.subject = "model".to_owned();
    case.beside("model/model.safetensors", Content::Bytes(weights))
        .beside("model/config.json", Content::Bytes(config.into()))
        .asking(&["inspect", "model", "--timeout", "5"])
}

const STATIC: &str = r#"{"model_type": "model2vec"}"#;

fn of_tokenizer(verdict: Verdict, name: &str, tokenizer: impl Into<Vec<u8>>) -> Case {
    folder(verdict, name, tokenizer, table(), STATIC)
}

/// The same, with texts that are cut into its tokens.
fn cutting(verdict: Verdict, name: &str, tokenizer: impl Into<Vec<u8>>, text: &str) -> Case {
    let rows = format!("text,label\n\"{text}\",a\na day,b\n");
    of_tokenizer(verdict, name, tokenizer).beside("table.csv", Content::Bytes(rows.into())).asking(&[
        "inspect",
        "table.csv",
        "--tokenizer",
        "model",
        "--timeout",
        "5",
    ])
}

fn of_weights(verdict: Verdict, name: &str, weights: Vec<u8>) -> Case {
    folder(verdict, name, tokenizer().to_string(), weights, STATIC)
}

pub fn controls() -> Vec<Case> {
    let (good, words) = (Verdict::Accepted, "the 1 2\n. . 3 4\n");
    let half = file(&json!({"embeddings": tensor("F16", &json!([4, 3]), 0, 24)}), &[0, 0x3c].repeat(12));
    let upper = file(
        &json!({"__metadata__": {"format": "pt"}, "embeddings": tensor("BF16", &json!([4, 3]), 0, 24)}),
        &[0x80, 0x3f].repeat(12),
    );
    let split = json!({"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Removed", "invert": false});
    vec![
        of_tokenizer(good, "plain", tokenizer().to_string()),
        of_tokenizer(
            good,
            "an added token",
            with(
                "added_tokens",
                json!([{"id": 3, "content": "<é>", "special": true, "single_word": false,
                    "lstrip": false, "rstrip": false, "normalized": false}]),
            ),
        ),
        of_tokenizer(good, "no version", with("version", json!("1.0"))),
        of_weights(good, "half precision", half),
        of_weights(good, "the upper half", upper),
        cutting(good, "texts", tokenizer().to_string(), "a good day"),
        cutting(good, "texts with control characters", tokenizer().to_string(), "a \u{1b}[2J\0 day"),
        cutting(good, "a pattern", with("pre_tokenizer", split), "a good day"),
        Case::good("words and vectors", "glove.x.txt", words),
        Case::good("words and vectors with their sizes", "words.vec", format!("2 2\n{words}")),
        encoder(good, "an encoder", CONFIG, &parameters()),
    ]
}

fn bad_tokenizers() -> Vec<Case> {
    let bad = |name: &str, tokenizer: String| of_tokenizer(Verdict::Refused, name, tokenizer);
    let whole = tokenizer().to_string();
    let model = |value: Value| with("model", value);
    vec![
        bad("empty", String::new()),
        bad("cut", whole[..whole.len() / 2].to_owned()),
        bad("a list", "[]".to_owned()),
        bad("an empty object", "{}".to_owned()),
        bad("100,000 lists in each other", "[".repeat(100_000)),
        bad("no model", model(json!(null))),
        bad("an unknown model", model(json!({"type": "Magic", "vocab": {}}))),
        bad("another version", with("version", json!("9.0"))),
        bad("a negative id", model(json!({"type": "WordLevel", "vocab": {"[UNK]": -1}, "unk_token": "[UNK]"}))),
        bad(
            "an id beyond 32 bits",
            model(json!({"type": "WordLevel", "vocab": {"[UNK]": 1_u64 << 40}, "unk_token": "[UNK]"})),
        ),
        bad("merges of unknown words", model(json!({"type": "BPE", "vocab": {"a": 0}, "merges": [["x", "y"]]}))),
        bad("an unknown normalizer", with("normalizer", json!({"type": "Magic"}))),
        bad("a map that is no map", with("normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}))),
        bad(
            "a pattern that is none",
            with(
                "pre_tokenizer",
                json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Removed", "invert": false}),
            ),
        ),
        bad("an unknown post-processor", with("post_processor", json!({"type": "Magic"}))),
        of_tokenizer(Verdict::Refused, "not UTF-8", b"{\"version\": \"\xff\"}".as_slice()),
        of_tokenizer(Verdict::Refused, "a pipe", "").replaced(Content::Pipe),
        of_tokenizer(Verdict::Refused, "a link out", "").replaced(Content::Link("/etc/passwd".to_owned())),
    ]
}

/// A tokenizer whose part is this, and what it makes of a text.
fn trap(name: &str, part: &str, value: Value, text: &str) -> Case {
    cutting(Verdict::Any, name, with(part, value), text)
}

/// Tokenizers that load, and what they do to a text before it is cut.
fn traps_of_patterns() -> Vec<Case> {
    let long = format!("{}!", "a".repeat(5000));
    let splits = |name: &str, regex: &str| {
        let value = json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
        trap(name, "pre_tokenizer", value, &long)
    };
    let replaces = json!({"type": "Replace", "pattern": {"Regex": "(a|aa)+$"}, "content": "b"});
    let doubles = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    vec![
        splits("a pattern that tries everything", "(a+)+$"),
        splits("a pattern that looks ahead", "(?=(a+)+b)a"),
        splits("a pattern of a pattern of a pattern", "((a{1,99}){1,99}){1,99}"),
        splits("a pattern that matches nothing", ""),
        trap("a replacement that tries everything", "normalizer", replaces, &long),
        trap("a text that doubles", "normalizer", json!({"type": "Sequence", "normalizers": vec![doubles; 64]}), "a"),
    ]
}

/// Tokenizers that load, and whose words or tokens are traps.
fn traps_of_words() -> Vec<Case> {
    let words =
        |vocabulary: Value, unknown: &str| json!({"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown});
    let many: serde_json::Map<String, Value> = (0..300_000).map(|id| (format!("w{id}"), json!(id))).collect();
    let far = words(json!({"[UNK]": 0, "day": 4_000_000_000_u32}), "[UNK]");
    let pieces = json!({"type": "WordPiece", "vocab": {"": 0, "[UNK]": 1}, "unk_token": "[UNK]",
        "continuing_subword_prefix": "", "max_input_chars_per_word": 4_000_000_000_u32});
    let unigram =
        |unknown: usize, vocabulary: Value| json!({"type": "Unigram", "unk_id": unknown, "vocab": vocabulary});
    let template = json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}],
        "pair": [], "special_tokens": {}});
    let padding = json!({"strategy": {"Fixed": 4_000_000_000_u32}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "x"});
    let truncation = json!({"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 9});
    vec![
        trap("no words", "model", words(json!({}), "[UNK]"), "a day"),
        trap("an unknown word without a token", "model", words(json!({"a": 0}), "gone"), "x y"),
        trap("an id of four billion", "model", far.clone(), "a day"),
        trap("pieces of no length", "model", pieces, &"a".repeat(5000)),
        trap("a unigram without scores", "model", unigram(9, json!([["a", 0.0]])), "b"),
        trap("a unigram of no words", "model", unigram(0, json!([])), "b"),
        trap("a template without its tokens", "post_processor", template, "a day"),
        trap("padding without an end", "padding", padding, "a day"),
        trap("a step of nothing", "truncation", truncation, "a day"),
        of_tokenizer(Verdict::Any, "ids beyond the table", with("model", far)),
        of_tokenizer(Verdict::Any, "300,000 words", with("model", words(many.into(), "w0"))),
    ]
}

fn bad_tables() -> Vec<Case> {
    let bad = |name: &str, weights: Vec<u8>| of_weights(Verdict::Refused, name, weights);
    let of = |kind: &str, shape: Value, bytes: &[u8]| {
        file(&json!({"embeddings": tensor(kind, &shape, 0, bytes.len() as u64)}), bytes)
    };
    let whole = table();
    vec![
        bad("empty", vec![]),
        bad("a text", b"no tensors, but some words".to_vec()),
        bad("cut", whole[..whole.len() - 5].to_vec()),
        bad("a header of 16 EiB", [&[0xff; 8][..], &whole].concat()),
        bad("nested", raw(&"[".repeat(100_000), &[])),
        bad("three axes", of("F32", json!([2, 2, 3]), &[0; 48])),
        bad("no columns", of("F32", json!([4, 0]), &[])),
        bad("a product that overflows", of("F32", json!([1_u64 << 62, 1_u64 << 62]), &[0; 48])),
        bad("truth values", of("BOOL", json!([4, 3]), &[0; 12])),
        bad("not numbers", of("F32", json!([4, 3]), &f32::NAN.to_le_bytes().repeat(12))),
        bad("20 million zeros", raw(&format!("[{}0]", "0,".repeat(20_000_000)), &[])),
        Case::bad("no words", "glove.x.txt", ""),
        Case::bad("a word alone", "glove.x.txt", "word\n"),
        Case::bad("a line too short", "glove.x.txt", "a 1 2\nb 1\n"),
        Case::bad("a vector that is no vector", "glove.x.txt", "a 1 2\nb 1 nan\n"),
        Case::bad("words that are not UTF-8", "words.vec", b"a 1 2\n\xff 1 2\n".as_slice()),
        Case::bad("a million numbers a word", "words.vec", format!("a{}\n", " 1".repeat(1_000_000))),
        Case::bad("a line without an end", "words.vec", vec![b'x'; 100 << 20]),
    ]
}

const CONFIG: &str = r#"{"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 4, "num_attention_heads": 2,
    "intermediate_size": 6, "vocab_size": 4, "max_position_embeddings": 40, "type_vocab_size": 2, "hidden_act": "gelu"}"#;

/// Names and shapes of such an encoder.
fn parameters() -> Vec<(String, Vec<u64>)> {
    let mut all: Vec<(String, Vec<u64>)> = [("word", 4), ("position", 40), ("token_type", 2)]
        .map(|(name, rows)| (format!("embeddings.{name}_embeddings.weight"), vec![rows, 4]))
        .to_vec();
    let mut part = |name: &str, shape: &[u64]| {
        all.push((format!("{name}.weight"), shape.to_vec()));
        all.push((format!("{name}.bias"), vec![shape[0]]));
    };
    part("embeddings.LayerNorm", &[4]);
    let layer = "encoder.layer.0";
    for name in ["self.query", "self.key", "self.value", "output.dense"] {
        part(&format!("{layer}.attention.{name}"), &[4, 4]);
    }
    part(&format!("{layer}.attention.output.LayerNorm"), &[4]);
    part(&format!("{layer}.intermediate.dense"), &[6, 4]);
    part(&format!("{layer}.output.dense"), &[4, 6]);
    part(&format!("{layer}.output.LayerNorm"), &[4]);
    all
}

/// An encoder's folder with tensors of these shapes, all values one half.
fn encoder(verdict: Verdict, name: &str, config: &str, parameters: &[(String, Vec<u64>)]) -> Case {
    filled(verdict, name, config, parameters, 0.5)
}

fn filled(verdict: Verdict, name: &str, config: &str, parameters: &[(String, Vec<u64>)], value: f32) -> Case {
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in parameters {
        let begin = end;
        end += 4 * shape.iter().product::<u64>();
        header.insert(name.clone(), tensor("F32", &json!(shape), begin, end));
    }
    let values = value.to_le_bytes().repeat(end as usize / 4);
    folder(verdict, name, tokenizer().to_string(), file(&Value::Object(header), &values), config)
}

fn bad_encoders() -> Vec<Case> {
    let changed =
        |name: &str, from: &str, to: &str| encoder(Verdict::Refused, name, &CONFIG.replace(from, to), &parameters());
    let shaped = |name: &str, change: &dyn Fn(&mut Vec<(String, Vec<u64>)>)| {
        let mut all = parameters();
        change(&mut all);
        encoder(Verdict::Refused, name, CONFIG, &all)
    };
    vec![
        changed("cut", "\"gelu\"}", "\"ge"),
        changed("a family that is not known", "\"bert\"", "\"magic\""),
        changed("a width of nothing", "\"hidden_size\": 4", "\"hidden_size\": 0"),
        changed("a negative width", "\"hidden_size\": 4", "\"hidden_size\": -4"),
        changed("a width that is a text", "\"hidden_size\": 4", "\"hidden_size\": \"4\""),
        changed("a width beyond 64 bits", "\"hidden_size\": 4", "\"hidden_size\": 99999999999999999999"),
        changed("heads that do not divide", "\"num_attention_heads\": 2", "\"num_attention_heads\": 3"),
        changed("no heads", "\"num_attention_heads\": 2", "\"num_attention_heads\": 0"),
        changed("a billion layers", "\"num_hidden_layers\": 1", "\"num_hidden_layers\": 1000000000"),
        changed("1,024 layers", "\"num_hidden_layers\": 1", "\"num_hidden_layers\": 1024"),
        changed("a vocabulary of 16 million", "\"vocab_size\": 4", "\"vocab_size\": 16000000"),
        changed("an unknown activation", "\"gelu\"", "\"magic\""),
        changed("no positions", "\"max_position_embeddings\": 40", "\"max_position_embeddings\": 0"),
        shaped("a tensor less", &|all| drop(all.pop())),
        shaped("a tensor too small", &|all| all[0].1[0] = 3),
        shaped("a tensor of another name", &|all| all[5].0.push('x')),
        filled(Verdict::Refused, "weights that are not numbers", CONFIG, &parameters(), f32::NAN),
    ]
}

#[test]
fn odd_models_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_tokenizers_are_refused() {
    try_all(&bad_tokenizers());
}

#[test]
fn tokenizers_that_are_traps_are_held() {
    try_all(&traps_of_patterns());
    try_all(&traps_of_words());
}

#[test]
fn bad_tables_are_refused() {
    try_all(&bad_tables());
}

#[test]
fn bad_encoders_are_refused() {
    try_all(&bad_encoders());
}

#[test]
fn vetting_bad_and_odd_text_models_is_as_safe() {
    for cases in [controls, bad_tokenizers, bad_tables, bad_encoders] {
        try_all(&cases().into_iter().map(Case::vetted).collect::<Vec<_>>());
    }
}

//! The settings of a model: the first byte says which file, the rest is its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zoologist::zoo;
use zoologist_fuzz::{Folder, access};

const FILES: [&str; 7] = [
    "m/config.json",
    "m/preprocessor_config.json",
    "m/SHA256SUMS",
    "m/model.toml",
    "m/1_Pooling/config.json",
    "m/modules.json",
    "zoo.toml",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let file = FILES[usize::from(*first) % FILES.len()];
    let mut files = vec![("m/model.onnx", &b"network"[..]), ("m/tokenizer.json", &b"{}"[..]), (file, text)];
    if !file.ends_with("config.json") {
        files.push(("m/config.json", &br#"{"pretrained_cfg": {"input_size": [3, 8, 8]}}"#[..]));
    }
    let folder = Folder::with(&files);
    let _ = zoo::model(&folder.path().join("m"), &access());
    let _ = zoo::open(folder.path(), &access());
});

//! A tokenizer.json: loading it, and cutting texts with it.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use zoologist::extract::text::Tokens;
use zoologist::store::Text;
use zoologist::zoo::{TextFile, TextSettings, TokenPooling, Vocabulary};
use zoologist_fuzz::Folder;

const TEXTS: [&str; 4] = ["a good day", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "\u{0}д👍 x\u{301}\n<unk>"];

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::with(&[("tokenizer.json", bytes)]);
    let file = TextFile { path: PathBuf::from("tokenizer.json"), sha256: String::new() };
    for pooling in [TokenPooling::Mean, TokenPooling::Words] {
        let vocabulary = Vocabulary::Tokenizer(file.clone());
        let settings =
            TextSettings { vocabulary, pooling, special_tokens: true, drop_unknown: false, max_tokens: Some(64) };
        let Ok(tokens) = Tokens::load(folder.path(), &settings, vec![], None) else { return };
        for text in TEXTS {
            let _ = tokens.ids(&Text { first: text.to_owned(), second: None });
            let _ = tokens.ids(&Text { first: text.to_owned(), second: Some("day".to_owned()) });
        }
    }
});

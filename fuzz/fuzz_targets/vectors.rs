//! Words and their vectors.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use zoologist::extract::text::Embeddings;
use zoologist::extract::{LayerSet, NetworkPlan};
use zoologist::zoo::{self, ModelInput};
use zoologist_fuzz::{Folder, access};

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::with(&[("words.vec", bytes)]);
    let Ok(model) = zoo::model(&folder.path().join(PathBuf::from("words.vec")), &access()) else { return };
    let ModelInput::Texts(settings) = &model.input else { return };
    let _ = Embeddings::load(&NetworkPlan::new(&model, LayerSet::Last), settings, None);
});

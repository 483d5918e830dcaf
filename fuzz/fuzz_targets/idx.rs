//! Two IDX files: pictures, and labels behind the first byte 0xfe.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zoologist::data::{self, PictureReader, TableOptions};
use zoologist_fuzz::Folder;

fuzz_target!(|bytes: &[u8]| {
    let place = bytes.iter().position(|byte| *byte == 0xfe).unwrap_or(bytes.len());
    let (pictures, labels) = bytes.split_at(place);
    let folder = Folder::with(&[
        ("train-images-idx3-ubyte", pictures),
        ("train-labels-idx1-ubyte", labels.get(1..).unwrap_or_default()),
    ]);
    let Ok(found) = data::open(folder.path(), &TableOptions::default()) else { return };
    if let data::Inputs::Pictures(pictures) = &found.inputs {
        let reader = PictureReader::new(folder.path());
        pictures.iter().take(3).for_each(|picture| drop(reader.read(picture)));
    }
});

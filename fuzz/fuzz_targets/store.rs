//! Files of the cache: the first byte says which, the rest is what stands in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zoologist::extract::Commission;
use zoologist::store::{Key, Store, read_order};
use zoologist_fuzz::{Folder, put};

/// In the folder of a job; the last is a worker's order.
const FILES: [&str; 5] =
    ["about.json", "features.safetensors", "blocks/000000000000.blk", "blocks/000000000002.blk", "order.json"];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    let folder = Folder::with(&[]);
    let Ok(job) = Store::at(folder.path()).job(&Key::of(&[("model", "a")])) else { return };
    let path = job.path().join(FILES[usize::from(*first) % FILES.len()]);
    put(&path, content);
    let _ = job.about();
    let _ = job.sealed();
    for rows in [0..2, 2..3] {
        let _ = job.block(&rows);
    }
    let _ = read_order::<Commission>(&path);
});

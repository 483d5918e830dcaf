//! What the targets share: files of the fuzzer's, read by the functions that the program reads them with.
//!
//! The files stand in a folder that is used again, in memory where the system has such a place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use zoologist::data::{self, TableOptions, labels, rows};
use zoologist::zoo::Access;

/// A folder that goes away.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// With these files in it.
    pub fn with(files: &[(&str, &[u8])]) -> Self {
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = Self(tempfile::tempdir_in(home).expect("a folder"));
        files.iter().for_each(|(name, bytes)| put(&folder.path().join(name), bytes));
        folder
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Writes a file, and the folders above it.
pub fn put(path: &Path, bytes: &[u8]) {
    let parent: PathBuf = path.parent().map(Path::to_path_buf).unwrap_or_default();
    fs::create_dir_all(parent).and_then(|()| fs::write(path, bytes)).expect("a file");
}

/// Reads an array as everything that it can be.
pub fn array(name: &str, bytes: &[u8]) {
    let folder = Folder::with(&[(name, bytes)]);
    let path = folder.path().join(name);
    if let Ok(mut reader) = rows::open(&path) {
        while let Ok(Some(_)) = reader.next_block((1 << 22) / reader.row_bytes().max(1) + 1) {}
    }
    let _ = labels::read(&path, None);
    if zoologist::store::statistics::recognise(&path) {
        let _ = zoologist::store::statistics::read::<serde_json::Value>(&path);
    }
    if name.ends_with(".parquet") {
        whole_table(&path);
    }
}

/// Reads a table as everything that it can be.
pub fn table(name: &str, bytes: &[u8]) {
    let folder = Folder::with(&[(name, bytes)]);
    let path = folder.path().join(name);
    whole_table(&path);
    let _ = labels::read(&path, None);
}

fn whole_table(path: &Path) {
    let options = TableOptions::default();
    let _ = data::is_table_of_samples(path, &options);
    let _ = data::table_columns(path, &options);
    for found in [data::open(path, &options), data::open_unlabelled(path, &options)].into_iter().flatten() {
        if let data::Inputs::Texts(texts) = &found.inputs {
            let mut count = 0;
            let ended = texts.each::<data::Error>(&mut |_, _, _| {
                count += 1;
                Ok(())
            });
            assert!(ended.is_err() || count == found.inputs.len());
        }
    }
}

/// No network, and nobody who is told anything.
pub fn access() -> Access<'static> {
    static STOP: AtomicBool = AtomicBool::new(false);
    Access::from_environment(true, &|_| {}, &STOP)
}

//! The pickles in a model's folder: what loading them would import. They are read opcode by opcode and never loaded.

use std::io::{BufReader, Read};
use std::path::Path;

use npyz::npz::NpzArchive;

use super::PickleFacts;
use super::pickle::{globals, is_allowed};
use crate::base::path_text::{escape, show};
use crate::extract::files;
use crate::extract::onnx::Names;

/// How much of a pickle is read: what it imports stands in its opcodes, and large arrays of old files behind them.
const MOST_BYTES: u64 = 64 << 20;
/// How many entries of an archive are looked at.
const MOST_ENTRIES: usize = 10_000;

/// What a pickle would import.
pub fn facts(folder: &Path, file: &Path) -> PickleFacts {
    let mut facts = PickleFacts { file: show(file), suspicious: Names::default(), unreadable: None };
    if let Err(reason) = read(folder, file, &mut facts.suspicious) {
        facts.unreadable = Some(escape(&reason));
    }
    facts
}

fn read(folder: &Path, file: &Path, into: &mut Names) -> Result<(), String> {
    let path = files::checked(folder, file).map_err(|error| error.to_string())?;
    let mut opened = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = vec![];
    opened.by_ref().take(4).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.starts_with(b"PK\x03\x04") {
        return of_archive(opened, into);
    }
    opened.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    of_stream(&bytes, into)
}

/// PyTorch's files are archives whose `data.pkl` says what is in them.
fn of_archive(file: std::fs::File, into: &mut Names) -> Result<(), String> {
    let broken = |error: &dyn std::fmt::Display| format!("a broken archive: {error}");
    let mut archive = NpzArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
    let archive = archive.zip_archive();
    if archive.len() > MOST_ENTRIES {
        return Err(format!("an archive of {} entries", archive.len()));
    }
    let is_pickle = |name: &&str| Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("pkl"));
    let names: Vec<String> = archive.file_names().filter(is_pickle).map(str::to_owned).collect();
    for name in &names {
        let entry = archive.by_name(name).map_err(|error| broken(&error))?;
        let mut bytes = vec![];
        entry.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
        of_stream(&bytes, into)?;
    }
    if names.is_empty() { Err("an archive without data.pkl".to_owned()) } else { Ok(()) }
}

fn of_stream(bytes: &[u8], into: &mut Names) -> Result<(), String> {
    let found = globals(bytes).map_err(|error| error.to_string())?;
    let dangerous = found.named.iter().filter(|(module, name)| !is_allowed(module, name));
    dangerous.for_each(|(module, name)| into.push(&format!("{module}.{name}")));
    (0..found.unresolved).for_each(|_| into.push("a name that is computed"));
    Ok(())
}

//! Statistics in files: named arrays and what they describe, in one checksummed safetensors file.
//!
//! The file's metadata has one entry, `zoologist`: a JSON document with the kind and version of the file, the BLAKE3 of
//! everything that matters (facts, names, shapes, numbers), and the facts as the writer gave them. The file is written
//! whole or not at all. What is read is checked before it is believed: other files, newer versions, and any flipped
//! bit are refused by name.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{TensorView, View};
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Error, atomic};
use crate::base::{Array, Numbers};

const ENTRY: &str = "zoologist";
const KIND: &str = "statistics";
const VERSION: u32 = 1;
/// Bytes of a header that is looked at to find out whether a file is one of these.
const LARGEST_HEADER: u64 = 100 << 20;
/// Bytes of a header beside the facts: while they are parsed, the names of arrays take many times their size.
const LARGEST_REST: u64 = 4 << 20;

/// A header as far as it tells whether a file is one of these: nothing else of it is kept.
#[derive(Deserialize)]
struct Glance {
    #[serde(rename = "__metadata__")]
    metadata: Entry,
}

/// The metadata of a header.
#[derive(Deserialize)]
struct Entry {
    zoologist: String,
}

/// What the metadata says.
#[derive(Serialize, Deserialize)]
struct Envelope {
    kind: String,
    version: u32,
    blake3: String,
    /// JSON of the writer's, as text so that its bytes can be checked.
    facts: String,
}

/// Why a file can't be read as statistics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is something else.
    #[error("is not a file of statistics. Make one with `zoologist stats`")]
    Other,
    /// It was written by a newer zoologist.
    #[error("was written by a newer zoologist (form {0}, this one reads {VERSION}). Use that one, or make it again")]
    Newer(u32),
    /// It is damaged.
    #[error("is damaged: {0}. Make it again with `zoologist stats`")]
    Damaged(String),
    /// The machine refused.
    #[error("can't be read: {0}")]
    Machine(String),
}

/// Writes arrays by name and the facts about them, whole or not at all.
pub fn write<F: Serialize>(path: &Path, facts: &F, arrays: &BTreeMap<String, Array>) -> Result<(), Error> {
    atomic::write(path, |into| {
        let facts = serde_json::to_string(facts)?;
        let blake3 = digest(&facts, arrays.iter().map(|(name, array)| (name.as_str(), Stored::of(array))));
        let envelope = Envelope { kind: KIND.to_owned(), version: VERSION, blake3, facts };
        let metadata = HashMap::from([(ENTRY.to_owned(), serde_json::to_string(&envelope)?)]);
        let views = arrays.iter().map(|(name, array)| (name.as_str(), Stored::of(array)));
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(std::io::Error::other)?;
        into.write_all(&bytes)
    })
}

/// Whether a file says that it holds statistics.
pub fn recognise(path: &Path) -> bool {
    let read = || -> Option<bool> {
        use std::io::Read;
        // Looked at before it is opened: opening a pipe would wait for ever.
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let mut file = std::fs::File::open(path).ok()?;
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix).ok()?;
        let length = u64::from_le_bytes(prefix);
        if length > LARGEST_HEADER {
            return None;
        }
        let mut header = vec![];
        file.take(length).read_to_end(&mut header).ok()?;
        let Glance { metadata: Entry { zoologist } } = serde_json::from_slice(&header).ok()?;
        // Text in text: a quote or backslash of the facts takes twice its room.
        let rest = length.saturating_sub((zoologist.len() as u64).saturating_mul(2));
        Some(rest <= LARGEST_REST && serde_json::from_str::<Envelope>(&zoologist).ok()?.kind == KIND)
    };
    read().unwrap_or(false)
}

/// Reads what [`write()`] wrote.
pub fn read<F: DeserializeOwned>(path: &Path) -> Result<(F, BTreeMap<String, Array>), Unreadable> {
    let found = std::fs::metadata(path).map_err(|error| Unreadable::Machine(error.to_string()))?;
    if !found.is_file() {
        return Err(Unreadable::Other);
    }
    let bytes = std::fs::read(path).map_err(|error| Unreadable::Machine(error.to_string()))?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|_| Unreadable::Other)?;
    let entry = metadata.metadata().as_ref().and_then(|metadata| metadata.get(ENTRY)).ok_or(Unreadable::Other)?;
    let envelope: Envelope = serde_json::from_str(entry).map_err(|_| Unreadable::Other)?;
    if envelope.kind != KIND {
        return Err(Unreadable::Other);
    }
    if envelope.version > VERSION {
        return Err(Unreadable::Newer(envelope.version));
    }
    let damaged = |error: &dyn std::fmt::Display| Unreadable::Damaged(error.to_string());
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&error))?;
    let views: BTreeMap<String, TensorView> = tensors.tensors().into_iter().collect();
    let stored = views.iter().map(|(name, view)| (name.as_str(), Stored::from_view(view)));
    if digest(&envelope.facts, stored) != envelope.blake3 {
        return Err(Unreadable::Damaged("its checksum is wrong".to_owned()));
    }
    let facts = serde_json::from_str(&envelope.facts).map_err(|error| damaged(&error))?;
    let arrays = views.iter().map(|(name, view)| array(view).map(|array| (name.clone(), array)));
    let arrays = arrays.collect::<Option<_>>().ok_or_else(|| damaged(&"it holds numbers of another kind"))?;
    Ok((facts, arrays))
}

/// An array as it stands in the file.
struct Stored<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: Cow<'a, [u8]>,
}

impl<'a> Stored<'a> {
    fn of(array: &'a Array) -> Self {
        let (dtype, bytes) = match &array.numbers {
            Numbers::Counts(numbers) => (Dtype::U64, numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
            Numbers::Reals(numbers) => (Dtype::F64, numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
        };
        Self { dtype, shape: &array.shape, bytes: Cow::Owned(bytes) }
    }

    fn from_view(view: &'a TensorView) -> Self {
        Self { dtype: view.dtype(), shape: view.shape(), bytes: Cow::Borrowed(view.data()) }
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// BLAKE3 of the facts and of the arrays with their names, kinds and shapes, in the order of their names.
fn digest<'a>(facts: &str, arrays: impl Iterator<Item = (&'a str, Stored<'a>)>) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 statistics file");
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(facts.as_bytes());
    for (name, array) in arrays {
        add(name.as_bytes());
        add(format!("{:?} {:?}", array.dtype, array.shape).as_bytes());
        add(&array.bytes);
    }
    hasher.finalize().to_hex().to_string()
}

fn array(view: &TensorView) -> Option<Array> {
    let (chunks, rest) = view.data().as_chunks::<8>();
    let numbers = match view.dtype() {
        Dtype::U64 if rest.is_empty() => {
            Numbers::Counts(chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect())
        }
        Dtype::F64 if rest.is_empty() => {
            Numbers::Reals(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect())
        }
        _ => return None,
    };
    Some(Array { shape: view.shape().to_vec(), numbers })
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use std::collections::BTreeMap;

    use super::{Unreadable, read, recognise, write};
    use crate::base::{Array, Numbers};

    #[test]
    fn arrays_come_back_and_no_flipped_bit_or_cut_goes_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.stats");
        let reals = Array { shape: vec![2], numbers: Numbers::Reals(vec![1.5, -2.0]) };
        let counts = Array { shape: vec![1], numbers: Numbers::Counts(vec![7]) };
        let arrays = BTreeMap::from([("a".to_owned(), reals), ("b".to_owned(), counts)]);
        write(&path, &"facts", &arrays).unwrap();
        assert!(recognise(&path));
        assert_eq!(read::<String>(&path).unwrap(), ("facts".to_owned(), arrays));
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, damaged).unwrap();
            // A flip in the padding of the header changes nothing.
            assert!(read::<String>(&path).map_or(true, |(facts, _)| facts == "facts"), "bit {bit}");
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(read::<String>(&path).is_err(), "{length} bytes");
        }
        let mut newer = whole.clone();
        let version = br#"\"version\":"#;
        let place = whole.windows(version.len()).position(|window| window == version).unwrap();
        newer[place + version.len()] = b'9';
        std::fs::write(&path, newer).unwrap();
        assert_eq!(read::<String>(&path), Err(Unreadable::Newer(9)));
    }
}

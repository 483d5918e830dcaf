//! Sealed features: all rows of a job in one safetensors file, with what made them.
//!
//! The file is written and verified piece by piece, and its rows stay there: no memory for all of them is needed.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::{Deserialize, Serialize};

use super::kept::Unsound;
use super::rows::Place;
use super::{Error, JobFolder, Kept, Key, RowFailure, StoredRows, atomic, folders, refused};

/// The one entry of the file's metadata.
const ENTRY: &str = "zoologist";
const KIND: &str = "features";
const FORM: u32 = 2;
/// No header of ours is longer; the library for these files sets the same limit.
const LONGEST_HEADER: u64 = 100_000_000;
/// Bytes that are verified at once.
const AT_ONCE: usize = 1 << 20;
/// The header's length is a multiple of this, so that the numbers are aligned.
const ALIGNED: usize = 8;

/// What that entry says, as JSON.
#[derive(Serialize, Deserialize)]
struct Envelope {
    kind: String,
    form: u32,
    /// Of the facts, the shape and the digest of the rows' bytes.
    blake3: String,
    /// JSON, as text so that its bytes can be checked.
    facts: String,
}

/// What is said of the rows.
#[derive(Serialize, Deserialize)]
struct Facts {
    key: String,
    failures: Vec<RowFailure>,
    truncated: Vec<Truncated>,
    metadata: BTreeMap<String, String>,
}

/// Texts of one block that were cut to the longest length that the model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// The first row of the block.
    pub first: u64,
    /// How many texts.
    pub count: u64,
}

/// The rows of a job.
#[derive(Debug)]
pub struct Sealed {
    /// The rows; zeros where a sample failed.
    pub rows: StoredRows,
    /// The samples that failed.
    pub failures: Vec<RowFailure>,
    /// The blocks in which texts were cut.
    pub truncated: Vec<Truncated>,
    /// What the extractor said of itself.
    pub metadata: BTreeMap<String, String>,
}

impl Sealed {
    /// The rows in the blocks of these ranges, which are verified and stay where they are.
    pub(super) fn of_blocks(
        folder: &JobFolder,
        ranges: &[Range<usize>],
        metadata: BTreeMap<String, String>,
    ) -> Result<(Self, blake3::Hash), Error> {
        let (mut dim, mut count, mut failures, mut truncated) = (0, 0_usize, vec![], vec![]);
        let mut numbers = blake3::Hasher::new();
        for range in ranges {
            let block = folder.sound_block(range)?;
            numbers.update(&bytes(&block.values));
            (dim, count) = (block.dim, count.saturating_add(range.len()));
            truncated.extend((block.truncated > 0).then_some(Truncated { first: block.first, count: block.truncated }));
            failures.extend(block.failures);
        }
        let place = Place::Blocks { folder: folder.clone(), ranges: ranges.to_vec() };
        Ok((Self { rows: StoredRows { dim, count, place }, failures, truncated, metadata }, numbers.finalize()))
    }

    /// Writes the rows, whose bytes have this digest, into one file.
    pub(super) fn write(&self, key: &Key, numbers: blake3::Hash, path: &Path) -> Result<(), Error> {
        let facts = Facts {
            key: key.as_str().to_owned(),
            failures: self.failures.clone(),
            truncated: self.truncated.clone(),
            metadata: self.metadata.clone(),
        };
        let header = header(&facts, [self.rows.count, self.rows.dim], numbers).map_err(refused("write", path))?;
        atomic::write(path, |into| {
            into.write_all(&(header.len() as u64).to_le_bytes())?;
            into.write_all(&header)?;
            let (places, mut written) = ((0..self.rows.count).collect::<Vec<usize>>(), Ok(()));
            let visited = self.rows.visit(&places, |row| {
                if written.is_ok() {
                    written = into.write_all(&bytes(row));
                }
            });
            written.and(visited.map_err(std::io::Error::other))
        })
    }

    /// Opens and verifies a sealed file; refuses one that is damaged, of another form or of another job.
    pub(super) fn open(key: &Key, path: &Path) -> Result<Kept<Self>, Error> {
        let opened = folders::present(File::open(path)).map_err(refused("read", path))?;
        let Some(mut file) = opened else { return Ok(Kept::Absent) };
        let length = file.metadata().map_err(refused("read", path))?.len();
        let mut size = [0; 8];
        if length < size.len() as u64 {
            return Ok(Kept::Unsound(Unsound::Damaged));
        }
        file.read_exact(&mut size).map_err(refused("read", path))?;
        let size = u64::from_le_bytes(size);
        let start = size.saturating_add(8);
        if size > LONGEST_HEADER || start > length {
            return Ok(Kept::Unsound(Unsound::Damaged));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(refused("read", path))?;
        let header = match Header::parse(key, &header, length.saturating_sub(start)) {
            Ok(header) => header,
            Err(unsound) => return Ok(Kept::Unsound(unsound)),
        };
        let numbers = digest_of(&mut file).map_err(refused("read", path))?;
        if header.blake3 != digest(&header.text, &header.shape, numbers) {
            return Ok(Kept::Unsound(Unsound::Damaged));
        }
        let ([count, dim], Facts { failures, truncated, metadata, .. }) = (header.shape, header.facts);
        let place = Place::Sealed { file, path: path.to_owned(), start };
        Ok(Kept::Sound(Self { rows: StoredRows { dim, count, place }, failures, truncated, metadata }))
    }
}

/// What stands before the numbers.
struct Header {
    shape: [usize; 2],
    blake3: String,
    /// The facts, and the text that they were.
    facts: Facts,
    text: String,
}

impl Header {
    /// Reads the header of a file with so many bytes after it.
    fn parse(key: &Key, header: &[u8], rest: u64) -> Result<Self, Unsound> {
        let header: Metadata = serde_json::from_slice(header).map_err(|_| Unsound::Damaged)?;
        let envelope = header.metadata().as_ref().and_then(|entries| entries.get(ENTRY)).ok_or(Unsound::Damaged)?;
        let envelope: Envelope = serde_json::from_str(envelope).map_err(|_| Unsound::Damaged)?;
        if envelope.form > FORM {
            return Err(Unsound::Newer(envelope.form));
        }
        Self::checked(key, &header, envelope, rest).ok_or(Unsound::Damaged)
    }

    fn checked(key: &Key, header: &Metadata, envelope: Envelope, rest: u64) -> Option<Self> {
        let tensor = header.info(KIND)?;
        let &[count, dim] = tensor.shape.as_slice() else { return None };
        let size = (count as u64).checked_mul(dim as u64)?.checked_mul(4)?;
        let Envelope { kind, form, blake3, facts: text } = envelope;
        let facts: Facts = serde_json::from_str(&text).ok()?;
        let sound = (kind.as_str(), form, facts.key.as_str()) == (KIND, FORM, key.as_str())
            && (tensor.dtype, tensor.data_offsets) == (Dtype::F32, (0, usize::try_from(size).ok()?))
            && facts.failures.iter().all(|failure| failure.row < count as u64)
            && size == rest
            && size > 0;
        sound.then_some(Self { shape: [count, dim], blake3, facts, text })
    }
}

/// The header of a file of so many rows and columns, whose bytes have this digest.
fn header(facts: &Facts, shape: [usize; 2], numbers: blake3::Hash) -> std::io::Result<Vec<u8>> {
    let facts = serde_json::to_string(facts)?;
    let envelope = Envelope { kind: KIND.to_owned(), form: FORM, blake3: digest(&facts, &shape, numbers), facts };
    // One entry only: the order of several would differ from run to run.
    let metadata = HashMap::from([(ENTRY.to_owned(), serde_json::to_string(&envelope)?)]);
    let size = shape.iter().product::<usize>().saturating_mul(4);
    let tensor = TensorInfo { dtype: Dtype::F32, shape: shape.to_vec(), data_offsets: (0, size) };
    let header = Metadata::new(Some(metadata), vec![(KIND.to_owned(), tensor)]).map_err(std::io::Error::other)?;
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(ALIGNED), b' ');
    Ok(header)
}

/// The digest of the rest of a file.
fn digest_of(file: &mut File) -> std::io::Result<blake3::Hash> {
    let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; AT_ONCE]);
    loop {
        let count = file.read(&mut piece)?;
        match piece.get(..count) {
            Some(read) if count > 0 => hasher.update(read),
            _ => return Ok(hasher.finalize()),
        };
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn digest(facts: &str, shape: &[usize], numbers: blake3::Hash) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 sealed features");
    hasher.update(&(facts.len() as u64).to_le_bytes()).update(facts.as_bytes());
    hasher.update(format!("{shape:?}").as_bytes()).update(numbers.as_bytes());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::store::{Block, Store};

    fn values(sealed: &Sealed) -> Vec<f32> {
        let mut values = vec![];
        let places: Vec<usize> = (0..sealed.rows.count()).collect();
        sealed.rows.visit(&places, |row| values.extend_from_slice(row)).unwrap();
        values
    }

    fn block(first: u64, values: &[f32], failures: Vec<RowFailure>, truncated: u64) -> Block {
        Block { first, dim: 1, values: values.to_vec(), failures, truncated }
    }

    #[test]
    fn blocks_are_sealed_in_order_and_a_damaged_file_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let job = Store::at(folder.path()).job(&Key::of(&[("model", "a")])).unwrap();
        let failure = RowFailure { row: 2, reason: "cut off".to_owned() };
        job.write_block(&block(2, &[0.0], vec![failure.clone()], 1)).unwrap();
        assert!(job.seal(&[0..2, 2..3], BTreeMap::new()).is_err());
        job.write_block(&block(0, &[1.0, 2.0], vec![], 0)).unwrap();
        let joined = job.join(&[0..2, 2..3], BTreeMap::new()).unwrap();
        assert_eq!(values(&joined), [1.0, 2.0, 0.0]);
        let sealed = job.seal(&[0..2, 2..3], BTreeMap::from([("dim".to_owned(), "1".to_owned())])).unwrap();
        assert_eq!((values(&sealed), &sealed.failures), (vec![1.0, 2.0, 0.0], &vec![failure]));
        assert_eq!(sealed.truncated, [Truncated { first: 2, count: 1 }]);
        assert_eq!(job.block(&(0..2)).unwrap(), Kept::Absent);
        let mut some = vec![];
        sealed.rows.visit(&[0, 2], |row| some.extend_from_slice(row)).unwrap();
        assert_eq!(some, [1.0, 0.0]);
        assert!(sealed.rows.visit(&[3], |_| ()).is_err());
        let path = job.path().join("features.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(job.sealed().unwrap().unsound(), Some(Unsound::Damaged));
    }

    #[test]
    fn no_flipped_bit_or_cut_changes_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::of(&[("model", "a")]);
        let job = Store::at(folder.path()).job(&key).unwrap();
        let failures = vec![RowFailure { row: 1, reason: "cut off".to_owned() }];
        job.write_block(&Block { dim: 2, ..block(0, &[1.0, -2.0, 0.0, 0.0], failures, 3) }).unwrap();
        let metadata = BTreeMap::from([("description".to_owned(), "{\"dim\":2}".to_owned())]);
        job.seal(std::slice::from_ref(&(0..2)), metadata).unwrap();
        let path = job.path().join("features.safetensors");
        let whole = std::fs::read(&path).unwrap();
        assert!(safetensors::SafeTensors::deserialize(&whole).is_ok(), "others can read it");
        let unsound = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Sealed::open(&key, &path).unwrap().unsound()
        };
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unsound(&damaged).is_some(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(unsound(&whole[..length]), Some(Unsound::Damaged), "{length} bytes");
        }
        let form = br#"\"form\":"#;
        let place = whole.windows(form.len()).position(|window| window == form).unwrap();
        let mut newer = whole;
        newer[place + form.len()] = b'9';
        assert_eq!(unsound(&newer), Some(Unsound::Newer(9)));
    }
}

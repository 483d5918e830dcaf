//! Sealed features: all rows of a job in one safetensors file, with what made them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::kept::Unsound;
use super::{Error, Key, RowFailure, atomic};

/// The one entry of the file's metadata.
const ENTRY: &str = "zoologist";
const KIND: &str = "features";
const FORM: u32 = 1;

/// What that entry says, as JSON.
#[derive(Serialize, Deserialize)]
struct Envelope {
    kind: String,
    form: u32,
    /// Of the facts, the shape and the rows' bytes.
    blake3: String,
    /// JSON, as text so that its bytes can be checked.
    facts: String,
}

/// What is said of the rows.
#[derive(Serialize, Deserialize)]
struct Facts {
    key: String,
    failures: Vec<RowFailure>,
    truncated: u64,
    metadata: BTreeMap<String, String>,
}

/// All rows of a finished job.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    /// Numbers per row.
    pub dim: usize,
    /// The numbers, row after row; zeros where a sample failed.
    pub values: Vec<f32>,
    /// The samples that failed.
    pub failures: Vec<RowFailure>,
    /// How many texts were cut to the longest length that the model reads.
    pub truncated: u64,
    /// What the extractor said of itself.
    pub metadata: BTreeMap<String, String>,
}

impl Sealed {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.dim).unwrap_or_default()
    }

    pub(super) fn write(&self, key: &Key, path: &Path) -> Result<(), Error> {
        let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let facts = Facts {
            key: key.as_str().to_owned(),
            failures: self.failures.clone(),
            truncated: self.truncated,
            metadata: self.metadata.clone(),
        };
        atomic::write(path, |into| {
            let shape = vec![self.rows(), self.dim];
            let facts = serde_json::to_string(&facts)?;
            let envelope =
                Envelope { kind: KIND.to_owned(), form: FORM, blake3: digest(&facts, &shape, &bytes), facts };
            // One entry only: the order of several would differ from run to run.
            let metadata = HashMap::from([(ENTRY.to_owned(), serde_json::to_string(&envelope)?)]);
            let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(std::io::Error::other)?;
            let file = safetensors::serialize([(KIND, view)], Some(metadata)).map_err(std::io::Error::other)?;
            into.write_all(&file)
        })
    }

    /// Reads and verifies a sealed file; refuses one that is damaged, of another form or of another job.
    pub(super) fn read(key: &Key, bytes: &[u8]) -> Result<Self, Unsound> {
        let envelope = envelope(bytes).ok_or(Unsound::Damaged)?;
        if envelope.form > FORM {
            return Err(Unsound::Newer(envelope.form));
        }
        Self::parse(key, &envelope, bytes).ok_or(Unsound::Damaged)
    }

    fn parse(key: &Key, envelope: &Envelope, bytes: &[u8]) -> Option<Self> {
        let file = SafeTensors::deserialize(bytes).ok()?;
        let tensor = file.tensor(KIND).ok()?;
        let &[rows, dim] = tensor.shape() else { return None };
        let sound = (envelope.kind.as_str(), envelope.form) == (KIND, FORM)
            && envelope.blake3 == digest(&envelope.facts, tensor.shape(), tensor.data())
            && tensor.dtype() == Dtype::F32
            && rows > 0
            && dim > 0;
        let Facts { key: stated, failures, truncated, metadata } = serde_json::from_str(&envelope.facts).ok()?;
        if !sound || stated != key.as_str() {
            return None;
        }
        let values = tensor.data().chunks_exact(4).filter_map(|chunk| Some(f32::from_le_bytes(chunk.try_into().ok()?)));
        Some(Self { dim, values: values.collect(), failures, truncated, metadata })
    }
}

fn envelope(bytes: &[u8]) -> Option<Envelope> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    serde_json::from_str(header.metadata().as_ref()?.get(ENTRY)?).ok()
}

fn digest(facts: &str, shape: &[usize], numbers: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 sealed features");
    hasher.update(&(facts.len() as u64).to_le_bytes()).update(facts.as_bytes());
    hasher.update(format!("{shape:?}").as_bytes()).update(numbers);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Block, Kept, Store};

    #[test]
    fn blocks_are_sealed_in_order_and_a_damaged_file_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let job = Store::at(folder.path()).job(&Key::of(&[("model", "a")])).unwrap();
        let failure = RowFailure { row: 2, reason: "cut off".to_owned() };
        job.write_block(&Block { first: 2, dim: 1, values: vec![0.0], failures: vec![failure.clone()], truncated: 1 })
            .unwrap();
        assert!(job.seal(&[0..2, 2..3], BTreeMap::new()).is_err());
        job.write_block(&Block { first: 0, dim: 1, values: vec![1.0, 2.0], failures: vec![], truncated: 0 }).unwrap();
        let sealed = job.seal(&[0..2, 2..3], BTreeMap::from([("dim".to_owned(), "1".to_owned())])).unwrap();
        assert_eq!((sealed.values.as_slice(), sealed.failures.as_slice()), (&[1.0, 2.0, 0.0][..], &[failure][..]));
        assert_eq!(job.sealed().unwrap(), Kept::Sound(sealed));
        assert_eq!(job.block(&(0..2)).unwrap(), Kept::Absent);
        let path = job.path().join("features.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(job.sealed().unwrap(), Kept::Unsound(Unsound::Damaged));
    }

    #[test]
    fn no_flipped_bit_or_cut_changes_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.safetensors");
        let key = Key::of(&[("model", "a")]);
        let metadata = BTreeMap::from([("description".to_owned(), "{\"dim\":2}".to_owned())]);
        let failures = vec![RowFailure { row: 1, reason: "cut off".to_owned() }];
        let sealed = Sealed { dim: 2, values: vec![1.0, -2.0, 0.0, 0.0], failures, truncated: 3, metadata };
        sealed.write(&key, &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Sealed::read(&key, &damaged).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(Sealed::read(&key, &whole[..length]), Err(Unsound::Damaged), "{length} bytes");
        }
        let form = br#"\"form\":"#;
        let place = whole.windows(form.len()).position(|window| window == form).unwrap();
        let mut newer = whole;
        newer[place + form.len()] = b'9';
        assert_eq!(Sealed::read(&key, &newer), Err(Unsound::Newer(9)));
    }
}

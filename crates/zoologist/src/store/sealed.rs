//! Sealed features: all rows of a job in one safetensors file, with what made them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::{Error, Key, RowFailure, atomic};

/// The one entry of the file's metadata.
const ENTRY: &str = "zoologist";

/// What that entry says, as JSON.
#[derive(Serialize, Deserialize)]
struct Facts {
    key: String,
    /// Of the rows' bytes.
    blake3: String,
    failures: Vec<RowFailure>,
    #[serde(default)]
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
            blake3: blake3::hash(&bytes).to_hex().to_string(),
            failures: self.failures.clone(),
            truncated: self.truncated,
            metadata: self.metadata.clone(),
        };
        atomic::write(path, |into| {
            // One entry only: the order of several would differ from run to run.
            let metadata = HashMap::from([(ENTRY.to_owned(), serde_json::to_string(&facts)?)]);
            let view =
                TensorView::new(Dtype::F32, vec![self.rows(), self.dim], &bytes).map_err(std::io::Error::other)?;
            let file = safetensors::serialize([("features", view)], Some(metadata)).map_err(std::io::Error::other)?;
            into.write_all(&file)
        })
    }

    /// Reads and verifies a sealed file; `None` if it is damaged or of another job.
    pub(super) fn read(key: &Key, bytes: &[u8]) -> Option<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
        let file = SafeTensors::deserialize(bytes).ok()?;
        let facts: Facts = serde_json::from_str(header.metadata().as_ref()?.get(ENTRY)?).ok()?;
        let tensor = file.tensor("features").ok()?;
        let &[rows, dim] = tensor.shape() else { return None };
        let sound = facts.key == key.as_str()
            && facts.blake3 == blake3::hash(tensor.data()).to_hex().as_str()
            && tensor.dtype() == Dtype::F32
            && rows > 0
            && dim > 0;
        let values = tensor.data().chunks_exact(4).filter_map(|chunk| Some(f32::from_le_bytes(chunk.try_into().ok()?)));
        let Facts { failures, truncated, metadata, .. } = facts;
        sound.then(|| Self { dim, values: values.collect(), failures, truncated, metadata })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::store::{Block, Key, RowFailure, Store};

    #[test]
    fn blocks_are_sealed_in_order_and_a_damaged_file_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let job = Store::at(folder.path()).job(&Key::of(&[("model", "a")])).unwrap();
        let failure = RowFailure { row: 2, reason: "cut off".to_owned() };
        job.write_block(&Block { first: 2, dim: 1, values: vec![0.0], failures: vec![failure.clone()], truncated: 1 })
            .unwrap();
        assert!(job.seal(&[0..2, 2..3], BTreeMap::new()).is_err());
        job.write_block(&Block { first: 0, dim: 1, values: vec![1.0, 2.0], failures: vec![], truncated: 0 }).unwrap();
        let sealed = job.seal(&[0..2, 2..3], BTreeMap::from([("dim".to_owned(), "1".to_owned())])).unwrap();
        assert_eq!((sealed.values.as_slice(), sealed.failures.as_slice()), (&[1.0, 2.0, 0.0][..], &[failure][..]));
        assert_eq!(job.sealed(), Some(sealed));
        assert_eq!(job.block(&(0..2)), None);
        let path = job.path().join("features.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(job.sealed().is_none());
    }
}

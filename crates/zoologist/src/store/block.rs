//! A block: some rows of features in one checksummed file.
//!
//! A header of 64 bytes (magic, version, dimension, first row, rows, length of the JSON, CRC-32C of all else,
//! first 24 digits of the job's key), then the failures and the count of cut texts as JSON, then float32 rows, little-endian. The rows of
//! samples that failed are zeros and are named among the failures.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::Key;
use super::kept::Unsound;

const MAGIC: &[u8; 8] = b"ZOOBLOCK";
const VERSION: u32 = 2;
const HEADER: usize = 64;
const KEY_DIGITS: usize = 24;
/// Where the checksum stands.
const CHECKSUM: usize = 36;

/// Some rows of features, in the order of the job.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Place of the first row in the job.
    pub first: u64,
    /// Numbers per row.
    pub dim: usize,
    /// The numbers, row after row; zeros where a sample failed.
    pub values: Vec<f32>,
    /// The samples that failed.
    pub failures: Vec<RowFailure>,
    /// How many texts were cut to the longest length that the model reads.
    pub truncated: u64,
}

/// What a block says of its rows beside their numbers.
#[derive(Serialize, Deserialize)]
struct Remarks {
    failures: Vec<RowFailure>,
    truncated: u64,
}

/// A sample without features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFailure {
    /// Place of the row in the job.
    pub row: u64,
    /// Why.
    pub reason: String,
}

impl Block {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.dim).unwrap_or_default()
    }

    /// Writes the block's file.
    pub(super) fn write(&self, key: &Key, into: &mut dyn Write) -> std::io::Result<()> {
        let remarks = Remarks { failures: self.failures.clone(), truncated: self.truncated };
        let remarks = serde_json::to_vec(&remarks)?;
        let numbers: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let header = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &(self.dim as u32).to_le_bytes(),
            &self.first.to_le_bytes(),
            &(self.rows() as u64).to_le_bytes(),
            &(remarks.len() as u32).to_le_bytes(),
        ]
        .concat();
        let rest = [key_digits(key), remarks, numbers].concat();
        into.write_all(&header)?;
        into.write_all(&checksum(&header, &rest).to_le_bytes())?;
        into.write_all(&rest)
    }

    /// Reads a block's file; refuses one that is damaged, of a newer form or of another job.
    pub(super) fn read(key: &Key, bytes: &[u8]) -> Result<Self, Unsound> {
        let version = bytes.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk()).ok_or(Unsound::Damaged)?;
        match u32::from_le_bytes(*version) {
            version if version > VERSION => Err(Unsound::Newer(version)),
            VERSION => Self::parse(key, bytes).ok_or(Unsound::Damaged),
            _ => Err(Unsound::Damaged),
        }
    }

    fn parse(key: &Key, bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER)?;
        let number = |at: usize| Some(u32::from_le_bytes(header.get(at..at.checked_add(4)?)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_le_bytes(header.get(at..at.checked_add(8)?)?.try_into().ok()?));
        let sound = checksum(header.get(..CHECKSUM)?, bytes.get(CHECKSUM.checked_add(4)?..)?) == number(CHECKSUM)?;
        if header.get(40..)? != key_digits(key) || !sound {
            return None;
        }
        let (remarks, numbers) = body.split_at_checked(number(32)? as usize)?;
        let values: Vec<f32> =
            numbers.chunks_exact(4).filter_map(|chunk| Some(f32::from_le_bytes(chunk.try_into().ok()?))).collect();
        let dim = number(12)? as usize;
        let expected = usize::try_from(long(24)?).ok()?.checked_mul(dim)?;
        let Remarks { failures, truncated } = serde_json::from_slice(remarks).ok()?;
        let block = Self { first: long(16)?, dim, values, failures, truncated };
        (dim > 0 && block.values.len() == expected && block.is_sound()).then_some(block)
    }

    /// Whether all numbers are finite and all failures are of its own rows: a worker writes it, and workers lie.
    fn is_sound(&self) -> bool {
        let own = |row: u64| row.checked_sub(self.first).is_some_and(|place| place < self.rows() as u64);
        self.values.iter().all(|value| value.is_finite()) && self.failures.iter().all(|failure| own(failure.row))
    }
}

fn checksum(before: &[u8], after: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(before), after)
}

fn key_digits(key: &Key) -> Vec<u8> {
    key.as_str().bytes().take(KEY_DIGITS).collect()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::{Block, Key, RowFailure, Unsound};

    #[test]
    fn a_block_comes_back_and_any_flipped_bit_is_found() {
        let key = Key::of(&[("model", "a")]);
        let failures = vec![RowFailure { row: 8, reason: "cut off".to_owned() }];
        let block = Block { first: 7, dim: 2, values: vec![1.0, 2.0, 0.0, 0.0], failures, truncated: 3 };
        let mut file = vec![];
        block.write(&key, &mut file).unwrap();
        assert_eq!(Block::read(&key, &file), Ok(block));
        assert_eq!(Block::read(&Key::of(&[("model", "b")]), &file), Err(Unsound::Damaged));
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Block::read(&key, &damaged).is_err(), "bit {bit}");
        }
        for length in 0..file.len() {
            assert_eq!(Block::read(&key, &file[..length]), Err(Unsound::Damaged));
        }
        file[8] = 9;
        assert_eq!(Block::read(&key, &file), Err(Unsound::Newer(9)));
    }

    #[test]
    fn a_block_with_a_right_checksum_may_still_lie() {
        let key = Key::of(&[("model", "a")]);
        let read = |value: f32, row: u64| {
            let failures = vec![RowFailure { row, reason: "cut off".to_owned() }];
            let mut file = vec![];
            Block { first: 7, dim: 2, values: vec![1.0, value, 0.0, 0.0], failures, truncated: 0 }
                .write(&key, &mut file)
                .unwrap();
            Block::read(&key, &file).is_ok()
        };
        assert!(read(2.0, 7) && read(2.0, 8));
        for (value, row) in [(f32::NAN, 8), (f32::INFINITY, 8), (2.0, 6), (2.0, 9), (2.0, u64::MAX)] {
            assert!(!read(value, row), "{value} {row}");
        }
    }
}

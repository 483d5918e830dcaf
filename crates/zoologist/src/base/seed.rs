//! The one source of randomness: a number that the user gives, split into named streams.
//!
//! A stream depends on the seed and on its name alone, so no part of the program can disturb the numbers of
//! another, and the bytes are the same on every machine and in every version. The generator is BLAKE3 in its
//! extendable-output mode.

/// The seed of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// An endless stream of random numbers.
pub struct Stream {
    reader: blake3::OutputReader,
    /// What was read of it last, and how much of that was given out: the generator makes 64 bytes at a time.
    block: [u8; BLOCK],
    used: usize,
}

/// Bytes of a block.
const BLOCK: usize = 64;

impl Seed {
    /// The stream of that name, for example `("order", "cat")`.
    ///
    /// ```
    /// use zoologist::base::Seed;
    /// let draw = |seed, name| Seed(seed).stream("order", name).below(1_000_000);
    /// assert_eq!(draw(0, "cat"), draw(0, "cat"));
    /// assert_ne!(draw(0, "cat"), draw(0, "dog"));
    /// assert_ne!(draw(0, "cat"), draw(1, "cat"));
    /// ```
    pub fn stream(self, purpose: &str, name: &str) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 random stream");
        hasher.update(&self.0.to_le_bytes());
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(name.as_bytes());
        Stream { reader: hasher.finalize_xof(), block: [0; BLOCK], used: BLOCK }
    }
}

impl Stream {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        if self.used == BLOCK {
            self.reader.fill(&mut self.block);
            self.used = 0;
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.block[self.used..self.used + 8]);
        self.used += 8;
        u64::from_le_bytes(bytes)
    }

    /// A number in `0..bound`; `bound` must not be 0. Lemire's multiplication: the bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts the items into random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn numbers_follow_one_another_without_a_gap_across_blocks() {
        let mut stream = Seed(3).stream("test", "blocks");
        let found: Vec<u64> = (0..20).map(|_| stream.bits()).collect();
        let mut bytes = [0; 160];
        let mut reader = Seed(3).stream("test", "blocks").reader;
        reader.fill(&mut bytes);
        let expected: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        assert_eq!(found, expected);
    }
}

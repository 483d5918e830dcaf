//! TF-IDF of hashed terms: the baseline that knows nothing of language but which letters stand together.
//!
//! Terms are words, pairs of neighbouring words, and the groups of 3 to 5 letters of each word with its borders. A term's
//! weight is 1 + ln of how often it stands in the text, times 1 + ln((1 + n) / (1 + texts that hold it)); terms that share
//! a place add up, with a sign of their own (Weinberger et al., ICML 2009). The vector has length 1. How rare terms are is
//! counted on the texts that are scored, once; others are judged by that count.

use crate::store::{self, Text, Texts};

/// Numbers of the vector.
const DIM: usize = 512;
/// Places in which texts are counted; a power of 2 and a multiple of [`DIM`].
const COUNTED: usize = 1 << 18;
/// Letters of the shortest and the longest group.
const LETTERS: std::ops::RangeInclusive<usize> = 3..=5;
/// Marks the kind of a term.
const WORD: u8 = b'w';
const GROUP: u8 = b'g';

/// How rare each term is.
pub struct TfIdf {
    weights: Vec<f32>,
}

impl TfIdf {
    /// Numbers of the vector.
    pub const DIM: usize = DIM;

    /// Counts the terms of these texts.
    pub fn fit(texts: &Texts) -> Result<Self, store::Error> {
        let mut holds = vec![0_u32; COUNTED];
        for place in 0..texts.len() {
            let mut found: Vec<usize> = hashes(&texts.read(place)?).into_iter().map(counted).collect();
            found.sort_unstable();
            found.dedup();
            found.into_iter().for_each(|term| holds[term] += 1);
        }
        let n = texts.len() as f64;
        let weight = |&holds: &u32| (1.0 + ((1.0 + n) / (1.0 + f64::from(holds))).ln()) as f32;
        Ok(Self { weights: holds.iter().map(weight).collect() })
    }

    /// The vector of a text.
    pub fn features(&self, text: &Text) -> Vec<f32> {
        let mut terms = hashes(text);
        terms.sort_unstable();
        let mut vector = vec![0.0_f32; DIM];
        for equal in terms.chunk_by(|a, b| a == b) {
            let sign = if equal[0] >> 31 == 0 { 1.0 } else { -1.0 };
            let frequency = 1.0 + (equal.len() as f32).ln();
            vector[counted(equal[0]) % DIM] += sign * frequency * self.weights[counted(equal[0])];
        }
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value /= length);
        }
        vector
    }
}

/// Where a term is counted.
fn counted(hash: u32) -> usize {
    hash as usize % COUNTED
}

/// The hashes of all terms of a text. Those of the second text of a pair are others than the first one's.
fn hashes(text: &Text) -> Vec<u32> {
    let mut found = vec![];
    of_one(&text.first, 0, &mut found);
    if let Some(second) = &text.second {
        of_one(second, 1, &mut found);
    }
    found
}

fn of_one(text: &str, part: u8, found: &mut Vec<u32>) {
    let text = text.to_lowercase();
    let words = || text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut before: Option<&str> = None;
    for word in words() {
        found.push(hash(&[&[WORD, part], word.as_bytes()]));
        if let Some(before) = before {
            found.push(hash(&[&[WORD, part], before.as_bytes(), b" ", word.as_bytes()]));
        }
        groups(word, part, found);
        before = Some(word);
    }
}

/// Groups of letters of a word that stands between two blanks.
fn groups(word: &str, part: u8, found: &mut Vec<u32>) {
    let bordered = format!(" {word} ");
    let mut bounds: Vec<usize> = bordered.char_indices().map(|(place, _)| place).collect();
    bounds.push(bordered.len());
    for letters in LETTERS {
        for ends in bounds.windows(letters + 1) {
            found.push(hash(&[&[GROUP, part], &bordered.as_bytes()[ends[0]..ends[letters]]]));
        }
    }
}

fn hash(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |hash, part| crc32c::crc32c_append(hash, part))
}

/// What the length of a text says: ln(1 + letters) and ln(1 + words), both texts of a pair together.
pub fn lengths(text: &Text) -> Vec<f32> {
    let parts = || std::iter::once(text.first.as_str()).chain(text.second.as_deref());
    let letters: usize = parts().map(|part| part.chars().count()).sum();
    let words: usize = parts().map(|part| part.split_whitespace().count()).sum();
    [letters, words].map(|count| (1.0 + count as f64).ln() as f32).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn fitted(texts: &[&str]) -> (TfIdf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Store::at(folder.path()).write_texts(texts.len()).unwrap();
        texts.iter().enumerate().for_each(|(place, text)| writer.put(place, text, None).unwrap());
        let (path, _) = writer.finish().unwrap();
        (TfIdf::fit(&Texts::open(&path).unwrap()).unwrap(), folder)
    }

    fn cosine(tfidf: &TfIdf, a: &str, b: &str) -> f32 {
        let vector = |text: &str| tfidf.features(&Text { first: text.to_owned(), second: None });
        vector(a).iter().zip(vector(b)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_that_share_rare_words_are_nearer_than_texts_that_share_common_ones() {
        let (tfidf, _folder) = fitted(&["the red zebra", "the blue car", "the green tree", "the small zebra"]);
        let rare = cosine(&tfidf, "the red zebra", "small zebra");
        let common = cosine(&tfidf, "the red zebra", "the blue car");
        assert!(rare > 0.2 && rare > common + 0.1, "{rare} {common}");
        assert!((cosine(&tfidf, "A zebra!", "a  ZEBRA") - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_text_without_a_word_is_zeros_and_the_parts_of_a_pair_are_told_apart() {
        let (tfidf, _folder) = fitted(&["a b"]);
        assert!(tfidf.features(&Text { first: "?!".to_owned(), second: None }).iter().all(|&value| value == 0.0));
        let pair = |first: &str, second: &str| Text { first: first.to_owned(), second: Some(second.to_owned()) };
        assert_ne!(tfidf.features(&pair("cat", "dog")), tfidf.features(&pair("dog", "cat")));
        assert_eq!(lengths(&pair("cat", "a dog")), [9.0_f32.ln(), 4.0_f32.ln()]);
    }
}

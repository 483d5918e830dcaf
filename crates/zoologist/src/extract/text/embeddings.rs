//! Static embeddings: a table with one vector per token or word; a text is the mean of its tokens' vectors.
//!
//! Read are safetensors (WordLlama, model2vec, sentence-transformers' StaticEmbedding), files of words and vectors
//! (GloVe, fastText's `.vec`), and NumPy arrays beside a list of words. There is no network, so nothing depends on a
//! text's neighbours.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use super::BlockFeatures;
use super::pooling::pooled;
use super::tokens::{TokenIds, Tokens};
use crate::base::Values;
use crate::base::path_text::{escape, show};
use crate::data;
use crate::extract::files;
use crate::extract::onnx::{ModelError, permute, rounded};
use crate::extract::order::{Description, Disturbance, LayerSet, NetworkPlan};
use crate::store::Text;
use crate::zoo::{TextSettings, TokenPooling, Vocabulary};

/// What tables are called in files of safetensors.
const TABLES: [&str; 4] = ["embedding.weight", "embeddings", "embedding", "embeddings.weight"];
/// The largest width that a table may have.
const WIDEST: usize = 1 << 16;

/// A table and its tokenizer, shared by all threads.
#[derive(Clone)]
pub struct Embeddings(Arc<Loaded>);

struct Loaded {
    table: Table,
    tokens: Tokens,
    pooling: TokenPooling,
    /// An id that is left out, because the table's makers leave it out.
    left_out: Option<i64>,
}

/// rows × dim numbers.
pub struct Table {
    /// Numbers per row.
    pub dim: usize,
    /// The rows, one behind the other.
    pub values: Vec<f32>,
    /// The words of the rows, where the file holds them.
    pub words: Vec<String>,
    /// The row of each id, where several ids share one (model2vec).
    mapping: Option<Vec<i64>>,
}

impl Embeddings {
    /// Loads a table, and says what it is.
    pub fn load(
        plan: &NetworkPlan,
        settings: &TextSettings,
        disturbed: Option<Disturbance>,
    ) -> Result<(Description, Self), ModelError> {
        if plan.layers == LayerSet::Head {
            return Err(ModelError::Unfit("a table of embeddings has no head: tune it first".to_owned()));
        }
        let mut table = read(&files::checked(&plan.folder, &plan.weights)?)?;
        match disturbed {
            Some(Disturbance::Permuted(seed)) => {
                permute(&mut table.values, 1, seed.stream("permuted weights", "embedding table"));
            }
            Some(Disturbance::Rounded(precision)) => {
                table.values.iter_mut().for_each(|value| *value = rounded(*value, precision));
            }
            None => {}
        }
        let words = std::mem::take(&mut table.words);
        let tokens = Tokens::load(&plan.folder, settings, words, None)?;
        if let (Vocabulary::WordList(file), true) = (&settings.vocabulary, tokens.size() > table.ids() + 1) {
            let reason = format!(
                "{} lists {} words, and the table has {} rows",
                show(&file.path),
                tokens.size() - 1,
                table.ids()
            );
            return Err(ModelError::Unfit(reason));
        }
        let features_from = format!("static embeddings, {} over the tokens", settings.pooling.word());
        let description = Description::of_last(table.dim, features_from, None, Some(0));
        let left_out = if settings.drop_unknown { tokens.unknown() } else { None };
        Ok((description, Self(Arc::new(Loaded { table, tokens, pooling: settings.pooling, left_out }))))
    }

    /// The features of a block of texts.
    pub fn features(&self, texts: &[Text]) -> Result<BlockFeatures, ModelError> {
        let mut block = BlockFeatures { features: vec![], truncated: 0 };
        for text in texts {
            let ids = self.0.tokens.ids(text)?;
            block.truncated += usize::from(ids.truncated);
            block.features.push(self.0.vector(&ids)?);
        }
        Ok(block)
    }
}

impl Loaded {
    /// Words that the table does not hold are left out; a text of nothing else is zeros.
    fn vector(&self, text: &TokenIds) -> Result<Vec<f32>, ModelError> {
        let (mut states, mut count) = (vec![], 0);
        for &id in text.ids.iter().filter(|&&id| Some(id) != self.left_out) {
            match self.table.row(id) {
                Some(row) => states.extend_from_slice(row),
                None if self.tokens.is_unknown(id) => continue,
                None => return Err(beyond(id, &self.tokens.token(id), self.table.ids())),
            }
            count += 1;
        }
        Ok(pooled(self.pooling, &states, count, self.table.dim))
    }
}

/// An id that a table of embeddings has no row for.
pub fn beyond(id: i64, token: &str, rows: usize) -> ModelError {
    ModelError::Unfit(format!(
        "its tokenizer gives the id {id} (`{}`), and its embedding table has {rows} rows: the tokenizer belongs to another model. \
         Put the model's own tokenizer.json beside it",
        escape(token)
    ))
}

impl Table {
    /// A table whose rows are numbered as the ids are.
    pub fn new(dim: usize, values: Vec<f32>) -> Self {
        Self { dim, values, words: vec![], mapping: None }
    }

    /// How many ids it knows.
    pub fn ids(&self) -> usize {
        self.mapping.as_ref().map_or(self.values.len() / self.dim, Vec::len)
    }

    /// The number of an id's row.
    pub fn place(&self, id: i64) -> Option<usize> {
        let row = match &self.mapping {
            Some(mapping) => *mapping.get(usize::try_from(id).ok()?)?,
            None => id,
        };
        usize::try_from(row).ok()
    }

    /// The vector of an id.
    pub fn row(&self, id: i64) -> Option<&[f32]> {
        let start = self.place(id)?.checked_mul(self.dim)?;
        self.values.get(start..start.checked_add(self.dim)?)
    }
}

/// A table whose numbers are all finite.
fn read(path: &Path) -> Result<Table, ModelError> {
    let table = read_unchecked(path)?;
    if table.values.iter().all(|value| value.is_finite()) {
        Ok(table)
    } else {
        Err(ModelError::Unfit(format!("{}: the table holds NaN or infinity", show(path))))
    }
}

/// A table as it stands in its file.
pub fn read_unchecked(path: &Path) -> Result<Table, ModelError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => of_safetensors(path),
        Some("npy") => of_array(path),
        _ => of_words(path),
    }
}

fn of_array(path: &Path) -> Result<Table, ModelError> {
    let features = data::features::read(path).map_err(|error| ModelError::Unfit(error.to_string()))?;
    let values = match features.values() {
        Values::F32(values) => values.clone(),
        Values::F64(values) => values.iter().map(|&value| value as f32).collect(),
    };
    Ok(Table::new(features.dim(), values))
}

fn of_safetensors(path: &Path) -> Result<Table, ModelError> {
    let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let unfit = |problem: String| ModelError::Unfit(format!("{}: {problem}", show(path)));
    let file = SafeTensors::deserialize(&bytes).map_err(|error| unfit(format!("not whole safetensors ({error})")))?;
    data::check_names(&bytes).map_err(|error| unfit(format!("not whole safetensors ({error})")))?;
    let tables: Vec<(&str, TensorView)> = file.iter().filter(|(_, tensor)| tensor.shape().len() == 2).collect();
    let named = TABLES.iter().find_map(|name| tables.iter().find(|(found, _)| found == name));
    let ((Some((name, table)), _) | (None, [(name, table)])) = (named, &tables[..]) else {
        return Err(unfit(format!("holds {} tables, none of them called {}", tables.len(), TABLES.join(" or "))));
    };
    let dim = table.shape()[1];
    let values = numbers(table)
        .ok_or_else(|| unfit(format!("{name} holds {:?}, not numbers that can be read", table.dtype())))?;
    if dim == 0 || dim > WIDEST || values.is_empty() {
        return Err(unfit(format!("{name} has the shape {:?}", table.shape())));
    }
    let mut table = Table::new(dim, values);
    if let Ok(weights) = file.tensor("weights") {
        let weights = numbers(&weights).filter(|_| weights.shape().len() == 1).unwrap_or_default();
        weigh(&mut table, &weights);
    }
    if let Ok(mapping) = file.tensor("mapping") {
        table.mapping = numbers(&mapping).map(|rows| rows.into_iter().map(|row| row as i64).collect());
    }
    Ok(table)
}

/// model2vec keeps the length of each vector apart.
fn weigh(table: &mut Table, weights: &[f32]) {
    for (row, weight) in table.values.chunks_exact_mut(table.dim).zip(weights) {
        row.iter_mut().for_each(|value| *value *= weight);
    }
}

/// The numbers of a tensor of a type that tables are kept in. Integers below 2^24 are exact.
pub fn numbers(tensor: &TensorView) -> Option<Vec<f32>> {
    use safetensors::Dtype;
    let bytes = tensor.data();
    Some(match tensor.dtype() {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|&eight| f64::from_le_bytes(eight) as f32).collect(),
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|&two| data::half(u16::from_le_bytes(two))).collect(),
        Dtype::BF16 => bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&two| f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16))
            .collect(),
        Dtype::I8 => bytes.iter().map(|&byte| f32::from(byte.cast_signed())).collect(),
        Dtype::I32 => bytes.as_chunks::<4>().0.iter().map(|&four| i32::from_le_bytes(four) as f32).collect(),
        Dtype::I64 => bytes.as_chunks::<8>().0.iter().map(|&eight| i64::from_le_bytes(eight) as f32).collect(),
        _ => return None,
    })
}

/// A file of lines with a word and its numbers; fastText puts a line with the two sizes before them.
fn of_words(path: &Path) -> Result<Table, ModelError> {
    let file = std::fs::File::open(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let mut table = Table::new(0, vec![]);
    for (line, number) in BufReader::new(file).lines().zip(1..) {
        let unfit = |problem: &str| ModelError::Unfit(format!("{} line {number}: {problem}", show(path)));
        let line = line.map_err(|_| unfit("is not valid UTF-8, or can't be read"))?;
        let fields: Vec<&str> = line.trim_end().split(' ').collect();
        if number == 1 && fields.len() == 2 && fields.iter().all(|field| field.parse::<u64>().is_ok()) {
            continue;
        }
        if table.dim == 0 {
            table.dim = fields.len() - 1;
            if table.dim == 0 || table.dim > WIDEST {
                return Err(unfit("is not a word and its numbers, with a blank between them"));
            }
        }
        let word = fields.len().checked_sub(table.dim).filter(|&words| words > 0);
        let word = word.ok_or_else(|| unfit(&format!("has fewer than {} numbers", table.dim)))?;
        for field in &fields[word..] {
            let value = field.parse::<f32>().ok();
            table.values.push(value.ok_or_else(|| unfit(&format!("\"{}\" is not a number", escape(field))))?);
        }
        table.words.push(fields[..word].join(" "));
    }
    if table.words.is_empty() {
        return Err(ModelError::Unfit(format!("{}: holds no words", show(path))));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("glove.txt");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn files_of_words_are_read_with_and_without_a_line_of_sizes() {
        for text in ["the 1 2\n. . 3 4\n", "2 2\nthe 1 2\n. . 3 4\n"] {
            let found = table(text).unwrap();
            assert_eq!(
                (found.dim, &found.words[..], &found.values[..]),
                (2, &["the".to_owned(), ". .".to_owned()][..], &[1.0, 2.0, 3.0, 4.0][..])
            );
            assert_eq!(found.row(1), Some(&[3.0, 4.0][..]));
            assert_eq!(found.row(2), None);
        }
    }

    #[test]
    fn a_broken_line_is_named() {
        for (text, expected) in [
            ("a 1 2\nb 1\n", "line 2: has fewer than 2 numbers"),
            ("a 1 2\nb 1 x\n", "line 2: \"x\" is not a number"),
            ("a 1 inf\n", "the table holds NaN or infinity"),
            ("", "holds no words"),
            ("word\n", "line 1: is not a word"),
        ] {
            let Err(error) = table(text) else { panic!("{text:?} was read") };
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}

//! From a text to token ids, by the model's own tokenizer.

use std::collections::BTreeMap;
use std::path::Path;

use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizers::Lowercase;
use tokenizers::pre_tokenizers::whitespace::Whitespace;
use tokenizers::{
    Encoding, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Tokenizer, TruncationParams,
};

use crate::base::path_text::{escape, show};
use crate::extract::files;
use crate::extract::onnx::ModelError;
use crate::store::Text;
use crate::zoo::{TextSettings, TokenPooling, Vocabulary};

/// What stands for words that a list does not hold. It is no word that the tokenizer could find.
const UNKNOWN: &str = "[UNK]";
/// How tokenizers call the token that fills up short texts.
const PADDINGS: [&str; 3] = ["[PAD]", "<pad>", "<|endoftext|>"];
/// How tokenizers call the token of unknown words.
const UNKNOWNS: [&str; 3] = [UNKNOWN, "<unk>", "<UNK>"];
/// What a text of more tokens than that is cut to where the model states no limit: it bounds the memory of one text.
const LONGEST: usize = 8192;

/// A tokenizer, set as the model wants it.
pub struct Tokens {
    tokenizer: Tokenizer,
    special: bool,
    /// Whether tokens are pooled by word.
    by_word: bool,
    /// The id that fills up short texts.
    pub padding: i64,
}

/// A text as token ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenIds {
    /// The ids, special tokens included.
    pub ids: Vec<i64>,
    /// 0 for the first text of a pair and for single texts, 1 for the second.
    pub types: Vec<i64>,
    /// Whether tokens were cut off.
    pub truncated: bool,
    /// The share of each token in the pooled vector, where the tokens' words decide it.
    pub shares: Option<Vec<f32>>,
}

impl TokenIds {
    /// One text of these ids.
    pub fn of(ids: Vec<i64>) -> Self {
        Self { types: vec![0; ids.len()], ids, ..Self::default() }
    }

    /// The first so many tokens.
    #[must_use]
    pub fn cut_to(mut self, length: usize) -> Self {
        self.ids.truncate(length);
        self.types.truncate(length);
        self.shares.iter_mut().for_each(|shares| shares.truncate(length));
        self
    }
}

impl Tokens {
    /// Loads the tokenizer of a model in `folder`; `limit` is the longest sequence that the network can read.
    pub fn load(
        folder: &Path,
        settings: &TextSettings,
        words: Vec<String>,
        limit: Option<usize>,
    ) -> Result<Self, ModelError> {
        let tokenizer = match &settings.vocabulary {
            Vocabulary::Tokenizer(file) => read(&files::checked(folder, &file.path)?)?,
            Vocabulary::WordList(file) => of_words(lines(&files::checked(folder, &file.path)?)?)?,
            Vocabulary::InWeights => of_words(words)?,
        };
        Self::of(tokenizer, settings, limit)
    }

    /// The tokenizer without any limit on the length of a text but the one that bounds memory.
    pub fn load_whole(folder: &Path, settings: &TextSettings, words: Vec<String>) -> Result<Self, ModelError> {
        Self::load(folder, &TextSettings { max_tokens: None, ..settings.clone() }, words, None)
    }

    fn of(mut tokenizer: Tokenizer, settings: &TextSettings, limit: Option<usize>) -> Result<Self, ModelError> {
        let longest = settings.max_tokens.into_iter().chain(limit).min().unwrap_or(LONGEST);
        // A limit that leaves no room beside the special tokens can't be meant.
        let max_length = longest.max(16);
        let truncation = TruncationParams { max_length, ..TruncationParams::default() };
        tokenizer.with_padding(None).with_truncation(Some(truncation)).map_err(|error| unfit(&*error))?;
        let padding = PADDINGS.iter().find_map(|token| tokenizer.token_to_id(token)).unwrap_or(0);
        Ok(Self {
            tokenizer,
            special: settings.special_tokens,
            by_word: settings.pooling == TokenPooling::Words,
            padding: i64::from(padding),
        })
    }

    /// The ids of a text.
    pub fn ids(&self, text: &Text) -> Result<TokenIds, ModelError> {
        let special = self.special;
        if self.by_word {
            return self.ids_by_word(text);
        }
        let encoding = match &text.second {
            None => self.tokenizer.encode_fast(text.first.as_str(), special),
            Some(second) => self.tokenizer.encode_fast((text.first.as_str(), second.as_str()), special),
        };
        Ok(ids(&encoding.map_err(|error| unfit(&*error))?))
    }

    /// The ids of a text that is cut into words first, and each token's share.
    fn ids_by_word(&self, text: &Text) -> Result<TokenIds, ModelError> {
        let first = words(&text.first)?;
        // The fast form does not say which word a token is of.
        let encoding = match &text.second {
            None => self.tokenizer.encode(first, self.special),
            Some(second) => self.tokenizer.encode((first, words(second)?), self.special),
        };
        let encoding = encoding.map_err(|error| unfit(&*error))?;
        let places: Vec<Option<(usize, u32)>> = encoding
            .get_type_ids()
            .iter()
            .zip(encoding.get_word_ids())
            .map(|(&part, word)| Some((part as usize, (*word)?)))
            .collect();
        let mut tokens: BTreeMap<(usize, u32), usize> = BTreeMap::new();
        places.iter().flatten().for_each(|&word| *tokens.entry(word).or_default() += 1);
        let share = |word: &Option<(usize, u32)>| {
            word.map_or(0.0, |word| 1.0 / (tokens.len() * tokens.get(&word).copied().unwrap_or(1)) as f32)
        };
        Ok(TokenIds { shares: Some(places.iter().map(share).collect()), ..ids(&encoding) })
    }

    /// The token of an id.
    pub fn token(&self, id: i64) -> String {
        u32::try_from(id).ok().and_then(|id| self.tokenizer.id_to_token(id)).unwrap_or_default()
    }

    /// Whether an id stands for unknown words.
    pub fn is_unknown(&self, id: i64) -> bool {
        UNKNOWNS.contains(&self.token(id).as_str())
    }

    /// The id of unknown words, if the tokenizer has one.
    pub fn unknown(&self) -> Option<i64> {
        UNKNOWNS.iter().find_map(|token| self.tokenizer.token_to_id(token)).map(i64::from)
    }

    /// The largest id that the tokenizer can give, and its token. What stands for unknown words may be left out, because
    /// tables of words have no row for it.
    pub fn largest(&self, without_unknown: bool) -> (Option<i64>, String) {
        let all = self.tokenizer.get_vocab(true).into_iter();
        let kept = all.filter(|(token, _)| !without_unknown || !UNKNOWNS.contains(&token.as_str()));
        let largest = kept.max_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        largest.map_or((None, String::new()), |(token, id)| (Some(i64::from(id)), token))
    }

    /// How many ids have no row in a table of so many.
    pub fn beyond(&self, rows: usize, without_unknown: bool) -> usize {
        let counts = |(token, id): (String, u32)| {
            id as usize >= rows && !(without_unknown && UNKNOWNS.contains(&token.as_str()))
        };
        self.tokenizer.get_vocab(true).into_iter().filter(|(token, id)| counts((token.clone(), *id))).count()
    }

    /// How many ids the tokenizer can give.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}

fn ids(encoding: &Encoding) -> TokenIds {
    let wide = |ids: &[u32]| ids.iter().map(|&id| i64::from(id)).collect();
    TokenIds {
        ids: wide(encoding.get_ids()),
        types: wide(encoding.get_type_ids()),
        truncated: !encoding.get_overflowing().is_empty(),
        shares: None,
    }
}

/// The words of a text: runs of letters and digits, and runs of other signs.
fn words(text: &str) -> Result<Vec<String>, ModelError> {
    let mut cut = PreTokenizedString::from(text);
    Whitespace {}.pre_tokenize(&mut cut).map_err(|error| unfit(&*error))?;
    let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(splits.into_iter().map(|(word, ..)| word.to_owned()).collect())
}

fn read(path: &Path) -> Result<Tokenizer, ModelError> {
    let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    Tokenizer::from_bytes(bytes).map_err(|error| {
        ModelError::Unfit(format!("{} is no tokenizer that can be read: {}", show(path), short(&*error)))
    })
}

fn lines(path: &Path) -> Result<Vec<String>, ModelError> {
    let text = std::fs::read_to_string(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    Ok(text.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect())
}

/// A tokenizer of whole words: lower case, runs of letters and digits, runs of other signs.
fn of_words(words: Vec<String>) -> Result<Tokenizer, ModelError> {
    let rows = words.len() as u32;
    let mut ids: ahash::AHashMap<String, u32> = ahash::AHashMap::with_capacity(words.len() + 1);
    for (word, row) in words.into_iter().zip(0..) {
        ids.entry(word).or_insert(row);
    }
    ids.entry(UNKNOWN.to_owned()).or_insert(rows);
    let model =
        WordLevel::builder().vocab(ids).unk_token(UNKNOWN.to_owned()).build().map_err(|error| unfit(&*error))?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(Lowercase)).map_err(|error| unfit(&*error))?.with_pre_tokenizer(Some(Whitespace {}));
    Ok(tokenizer)
}

fn unfit(error: &dyn std::error::Error) -> ModelError {
    ModelError::Unfit(format!("its tokenizer failed: {}", short(error)))
}

fn short(error: &dyn std::error::Error) -> String {
    escape(&error.to_string()).chars().take(200).collect()
}

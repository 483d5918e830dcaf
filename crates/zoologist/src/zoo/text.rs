//! How a text encoder wants its texts: which tokenizer, how many tokens, and how token states become one vector.
//!
//! Read from the files that sentence-transformers and transformers write beside the weights. What they leave open is
//! chosen by a stated rule and noted, never silently: `--pooling` overrides it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::Root;
use super::preparation::Fields;
use super::settings::{json, json_list};
use super::{Error, Problem};
use crate::base::path_text::{self, escape};

/// What a text encoder does to a text, apart from its network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextSettings {
    /// How a text becomes token ids.
    pub vocabulary: Vocabulary,
    /// How the states of the tokens become one vector.
    pub pooling: TokenPooling,
    /// Whether the tokenizer adds its special tokens, such as `[CLS]`.
    pub special_tokens: bool,
    /// Whether tokens of unknown words are left out, as model2vec does.
    pub drop_unknown: bool,
    /// Longer sequences are cut to so many tokens, special ones included; `None` where there is no limit.
    pub max_tokens: Option<usize>,
}

/// How a text becomes token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vocabulary {
    /// A `tokenizer.json` of the library `tokenizers`.
    Tokenizer(TextFile),
    /// A list of words, one a line, in the order of the embedding table's rows. Texts are put into lower case and split
    /// into runs of letters and digits and runs of other signs.
    WordList(TextFile),
    /// The words that stand before the vectors in the file of weights itself, as GloVe's files have them; texts are
    /// split as for a word list.
    InWeights,
}

impl Vocabulary {
    /// The file that it is read from, relative to the model's folder, if that is not the file of weights.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Tokenizer(file) | Self::WordList(file) => Some(&file.path),
            Self::InWeights => None,
        }
    }
}

/// A file of the model, relative to its folder, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFile {
    /// Its path.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// How the states of a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenPooling {
    /// The state of the first token.
    Cls,
    /// The mean over all tokens, special ones included.
    Mean,
    /// The largest value of each dimension over all tokens.
    Max,
    /// The state of the last token.
    Last,
    /// The mean over words, each the mean of its tokens; special tokens are left out. Words are runs of letters and digits,
    /// and runs of other signs. What flair and transformer-ranker do.
    Words,
}

/// What was read, and what was assumed, one sentence each.
pub(super) struct Read {
    /// The settings.
    pub settings: TextSettings,
    /// What was assumed.
    pub notes: Vec<String>,
}

/// Files of words beside a table of vectors.
const WORD_LISTS: [&str; 3] = ["words.txt", "vocab.txt", "vocabulary.txt"];
/// Above this a stated longest text means that none was stated.
const NO_LIMIT: u64 = 1 << 20;
/// Families whose positions begin behind the padding token's id, which is 1.
const SHIFTED_POSITIONS: [&str; 4] = ["roberta", "xlm-roberta", "camembert", "mpnet"];

impl TokenPooling {
    /// In words, as the command line and the JSON say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Last => "last",
            Self::Words => "words",
        }
    }
}

/// Whether the folder holds a tokenizer or a list of words.
pub(super) fn is_text(root: &Root, home: &Path) -> Result<bool, Error> {
    let names = ["tokenizer.json"].into_iter().chain(WORD_LISTS);
    for name in names {
        if root.find(&home.join(name))?.is_some() {
            return Ok(true);
        }
    }
    Ok(tokenizer_beside(root, home)?.is_some())
}

/// Reads the settings of an encoder whose weights need a tokenizer: `home` is the folder of the weights' module.
pub(super) fn encoder(root: &Root, config: Fields) -> Result<Read, Error> {
    let tokenizer = Path::new("tokenizer.json");
    let mut notes = vec![];
    let vocabulary = Vocabulary::Tokenizer(file(root, tokenizer)?);
    let stated = pooling(root)?;
    if stated.is_none() {
        notes.push("no 1_Pooling/config.json says how tokens are pooled: the mean is taken; --pooling sets it.".into());
    }
    let pooling = stated.unwrap_or(TokenPooling::Mean);
    let (max_tokens, special_tokens) = (max_tokens(root, config)?, special_tokens(config).at(root)?);
    notes.extend(left_out_modules(root)?);
    let special_tokens = special_tokens.unwrap_or(true);
    let settings = TextSettings { vocabulary, pooling, special_tokens, drop_unknown: false, max_tokens };
    Ok(Read { settings, notes })
}

/// Reads the settings of a table of static embeddings, which stands in `home`; `in_weights` if its words stand there too.
pub(super) fn embeddings(root: &Root, config: Fields, home: &Path, in_weights: bool) -> Result<Read, Error> {
    let tokenizer = home.join("tokenizer.json");
    let vocabulary = if in_weights {
        Vocabulary::InWeights
    } else if root.find(&tokenizer)?.is_some() {
        Vocabulary::Tokenizer(file(root, &tokenizer)?)
    } else if let Some(list) = first_found(root, home, &WORD_LISTS)? {
        Vocabulary::WordList(file(root, &list)?)
    } else if let Some(other) = tokenizer_beside(root, home)? {
        Vocabulary::Tokenizer(file(root, &other)?)
    } else {
        return Err(Problem::NoVocabulary.at(root.folder()));
    };
    let pooling = pooling(root)?.unwrap_or(TokenPooling::Mean);
    let special = special_tokens(config).at(root)?.unwrap_or(false);
    let drop_unknown = config.text("model_type").at(root)? == Some("model2vec");
    let settings = TextSettings { vocabulary, pooling, special_tokens: special, drop_unknown, max_tokens: None };
    Ok(Read { settings, notes: left_out_modules(root)? })
}

/// Turns a problem with `config.json` into an error that names it.
trait At<T> {
    fn at(self, root: &Root) -> Result<T, Error>;
}

impl<T> At<T> for Result<T, Problem> {
    fn at(self, root: &Root) -> Result<T, Error> {
        self.map_err(|problem| problem.at(&root.folder().join("config.json")))
    }
}

/// `"zoologist": {"special_tokens": …}` or `add_special_tokens` of `config.json`.
fn special_tokens(config: Fields) -> Result<Option<bool>, Problem> {
    config.flag("add_special_tokens")
}

fn first_found(root: &Root, home: &Path, names: &[&str]) -> Result<Option<PathBuf>, Error> {
    for name in names {
        let path = home.join(name);
        if root.find(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// WordLlama's tokenizers are called `…_tokenizer_config.json`, but are whole tokenizers.
fn tokenizer_beside(root: &Root, home: &Path) -> Result<Option<PathBuf>, Error> {
    let names = root.names(home)?;
    let belongs = |name: &&PathBuf| {
        let name = name.to_string_lossy();
        name.ends_with("_tokenizer_config.json") || name.ends_with("_tokenizer.json")
    };
    Ok(names.iter().find(belongs).map(|name| home.join(name)))
}

fn file(root: &Root, path: &Path) -> Result<TextFile, Error> {
    Ok(TextFile { path: path.to_path_buf(), sha256: root.sha256(path)? })
}

/// The modules that sentence-transformers runs one after the other: folder and kind.
fn modules(root: &Root) -> Result<Vec<(PathBuf, String)>, Error> {
    let name = Path::new("modules.json");
    let Some(text) = root.text(name)? else { return Ok(vec![]) };
    let list = json_list(&text).map_err(|problem| problem.at(&root.folder().join(name)))?;
    let module = |value: &Value| {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        Some((PathBuf::from(text("path")?), text("type")?.rsplit('.').next()?.to_owned()))
    };
    Ok(list.iter().filter_map(module).collect())
}

/// The folder of static embeddings that `modules.json` names, if it names one.
pub(super) fn static_module(root: &Root) -> Result<Option<PathBuf>, Error> {
    Ok(modules(root)?.into_iter().find(|(_, kind)| kind == "StaticEmbedding").map(|(folder, _)| folder))
}

/// What comes after pooling is not applied, and that is said.
fn left_out_modules(root: &Root) -> Result<Vec<String>, Error> {
    let others = modules(root)?.into_iter();
    let others = others.filter(|(_, kind)| !["Transformer", "Pooling", "StaticEmbedding"].contains(&kind.as_str()));
    let note = |(_, kind): (PathBuf, String)| match kind.as_str() {
        "Normalize" => "features are taken before modules.json's Normalize: their lengths are kept.".to_owned(),
        other => format!("features are taken before modules.json's {}.", escape(other)),
    };
    Ok(others.map(note).collect())
}

/// What `1_Pooling/config.json`, or the folder that `modules.json` names, says.
fn pooling(root: &Root) -> Result<Option<TokenPooling>, Error> {
    let named = modules(root)?.into_iter().find(|(_, kind)| kind == "Pooling").map(|(folder, _)| folder);
    let path = named.unwrap_or_else(|| PathBuf::from("1_Pooling")).join("config.json");
    let Some(text) = root.text(&path)? else { return Ok(None) };
    let read = || {
        let object = json(&text)?;
        pooling_of(Fields(&object))
    };
    read().map(Some).map_err(|problem| problem.at(&root.folder().join(&path)))
}

/// One mode must be true; older files have a flag per mode, newer ones name it.
fn pooling_of(config: Fields) -> Result<TokenPooling, Problem> {
    const FLAGS: [(&str, &str); 7] = [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_lasttoken", "lasttoken"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_pooler_output", "pooler_output"),
    ];
    let mut modes: Vec<String> = vec![];
    if let Some(mode) = config.text("pooling_mode")? {
        modes.push(mode.to_owned());
    }
    for (flag, mode) in FLAGS {
        if config.flag(flag)? == Some(true) {
            modes.push(mode.to_owned());
        }
    }
    match modes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cls"] => Ok(TokenPooling::Cls),
        ["mean"] => Ok(TokenPooling::Mean),
        ["max"] => Ok(TokenPooling::Max),
        ["lasttoken" | "last"] => Ok(TokenPooling::Last),
        [] => Err(Problem::Malformed("names no way of pooling. Set one of cls, mean, max, lasttoken".into())),
        _ => Err(Problem::malformed(format!(
            "pools by {}, which is not done here: cls, mean, max or lasttoken alone is. Choose one with --pooling after \
             setting it in this file",
            modes.join(" and ")
        ))),
    }
}

/// The shortest of the lengths that the files state.
fn max_tokens(root: &Root, config: Fields) -> Result<Option<usize>, Error> {
    let number_in = |file: &str, key: &str| -> Result<Option<u64>, Error> {
        let Some(text) = root.text(Path::new(file))? else { return Ok(None) };
        let object = json(&text).map_err(|problem| problem.at(&root.folder().join(file)))?;
        Ok(Fields(&object).get(key).and_then(Value::as_u64))
    };
    let shift = config.text("model_type").at(root)?.is_some_and(|family| SHIFTED_POSITIONS.contains(&family));
    let positions = config.get("max_position_embeddings").and_then(Value::as_u64);
    let limits = [
        number_in("sentence_bert_config.json", "max_seq_length")?,
        number_in("tokenizer_config.json", "model_max_length")?,
        positions.map(|positions| positions.saturating_sub(if shift { 2 } else { 0 })),
    ];
    Ok(limits.into_iter().flatten().filter(|&limit| limit > 0 && limit < NO_LIMIT).min().map(|limit| limit as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_of_pooling_is_read_from_old_and_new_files() {
        let read = |text: &str| pooling_of(Fields(&json(text).unwrap()));
        assert_eq!(
            read(r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#).unwrap(),
            TokenPooling::Cls
        );
        assert_eq!(read(r#"{"pooling_mode_mean_tokens": true}"#).unwrap(), TokenPooling::Mean);
        assert_eq!(read(r#"{"pooling_mode_lasttoken": true}"#).unwrap(), TokenPooling::Last);
        assert_eq!(read(r#"{"pooling_mode": "max"}"#).unwrap(), TokenPooling::Max);
        let both = read(r#"{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}"#);
        assert!(both.unwrap_err().to_string().contains("mean and max"));
        assert!(read("{}").unwrap_err().to_string().contains("names no way"));
    }
}

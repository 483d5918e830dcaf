//! Turning the text of a file of settings into values, and saying where it is wrong.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Problem;
use super::preparation::Preparation;

/// What the files beside the weights say about a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// How pictures are prepared.
    pub preparation: Preparation,
    /// The value of the graph that holds the features.
    pub features: Option<String>,
    /// The digest that is pinned.
    pub sha256: Option<String>,
}

/// A JSON object. Nesting is limited by the parser.
pub(super) fn json(text: &str) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::Malformed("is not a JSON object".into())),
        Err(error) => Err(Problem::malformed(format!("is not valid JSON: {error}"))),
    }
}

/// A JSON list.
pub(super) fn json_list(text: &str) -> Result<Vec<Value>, Problem> {
    match serde_json::from_str(text) {
        Ok(Value::Array(list)) => Ok(list),
        Ok(_) => Err(Problem::Malformed("is not a JSON list".into())),
        Err(error) => Err(Problem::malformed(format!("is not valid JSON: {error}"))),
    }
}

/// Values from TOML. Nesting is limited by the parser.
pub(super) fn toml<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Problem::malformed(format!("line {line}: {}", error.message().replace('\n', ", ")))
    })
}

/// A pinned digest, in lower case.
pub(super) fn digest(text: &str) -> Result<String, Problem> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wrong = || Problem::malformed(format!("sha256 {text:?} is not 64 hexadecimal digits"));
    digits.then(|| text.to_ascii_lowercase()).ok_or_else(wrong)
}

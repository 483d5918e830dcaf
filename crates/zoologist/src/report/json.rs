//! Any result as JSON: what `--json` prints.

use serde::Serialize;

/// One indented document with a newline at its end. Numbers that are NaN or infinite become `null`.
///
/// ```
/// assert_eq!(zoologist::report::json::to_string(&[0.5]), "[\n  0.5\n]\n");
/// ```
///
/// # Panics
/// If the type can't be JSON: its keys are not text or its own `Serialize` fails. No result type of ours is so.
pub fn to_string<T: Serialize>(result: &T) -> String {
    let mut text = serde_json::to_string_pretty(result).expect("result types have text keys and derived serialisers");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::to_string;
    use crate::report::sample;

    #[test]
    fn a_ranking_is_one_document_that_ends_with_one_newline() {
        let text = to_string(&sample::ranking());
        assert!(text.ends_with("}\n") && !text.ends_with("\n\n"));
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["models"].as_array().unwrap().len(), 8);
        assert_eq!(parsed["models"][0]["score"], serde_json::Value::Null);
        assert_eq!(parsed["models"][0]["scores"][0]["status"], "unbounded");
    }

    #[test]
    fn a_number_that_json_lacks_becomes_null() {
        assert_eq!(to_string(&[f64::NAN, f64::INFINITY]), "[\n  null,\n  null\n]\n");
    }
}

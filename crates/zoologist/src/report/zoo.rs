//! What a zoo holds, and whether its pins hold: as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::base::path_text::{encode, escape, show};
use crate::zoo::{ModelInput, Verdict, Verified, Zoo};

/// The models, one a line, then what was refused and why.
pub fn list(zoo: &Zoo) -> String {
    let mut text = String::new();
    for model in &zoo.models {
        let pin = if model.pinned { "pinned" } else { "not pinned" };
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}  {}  {pin}", escape(&model.name), show(&model.folder.join(&model.weights)));
    }
    for refused in &zoo.refused {
        let _ = writeln!(text, "refused: {}: {}", show(&refused.path), refused.reason);
    }
    text
}

/// The same for machines.
pub fn listed(zoo: &Zoo) -> Value {
    let models: Vec<Value> = zoo
        .models
        .iter()
        .map(|model| {
            let mut entry = json!({
                "name": model.name, "folder": encode(&model.folder), "weights": encode(&model.weights),
                "sha256": model.digest, "pinned": model.pinned, "features": model.features, "notes": model.notes,
            });
            let (name, settings) = match &model.input {
                ModelInput::Pictures(preprocessing) => ("preprocessing", json!(preprocessing)),
                ModelInput::Texts(settings) => ("text", json!(settings)),
            };
            entry[name] = settings;
            entry
        })
        .collect();
    let refused: Vec<Value> =
        zoo.refused.iter().map(|refused| json!({ "path": encode(&refused.path), "reason": refused.reason })).collect();
    json!({ "schema": 1, "path": encode(&zoo.path), "models": models, "refused": refused })
}

/// What the check of the pins found, one model a line.
pub fn verification(found: &[Verified]) -> String {
    let mut text = String::new();
    for model in found {
        let _ = writeln!(text, "{}: {}", escape(&model.name), words(&model.outcome));
    }
    text
}

/// The same for machines.
pub fn verified(found: &[Verified]) -> Value {
    let models: Vec<Value> = found
        .iter()
        .map(|model| json!({ "name": model.name, "path": encode(&model.path), "outcome": name(&model.outcome), "words": words(&model.outcome) }))
        .collect();
    json!({ "schema": 1, "models": models })
}

fn name(outcome: &Verdict) -> &'static str {
    match outcome {
        Verdict::Equal => "equal",
        Verdict::NoPin => "not_pinned",
        Verdict::Differs { .. } => "differs",
        Verdict::Refused(_) => "refused",
    }
}

fn words(outcome: &Verdict) -> String {
    match outcome {
        Verdict::Equal => "equal to its pin".to_owned(),
        Verdict::NoPin => "not pinned; `zoologist zoo add FOLDER` pins it".to_owned(),
        Verdict::Differs { expected, found } => format!("differs: pinned is {expected}, found {found}"),
        Verdict::Refused(reason) => format!("refused: {reason}"),
    }
}

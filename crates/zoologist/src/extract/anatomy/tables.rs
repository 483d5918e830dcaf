//! The anatomy of safetensors: native encoders and tables of static embeddings.

use safetensors::SafeTensors;

use super::Anatomy;
use super::scan::Scan;
use crate::base::path_text::show;
use crate::data;
use crate::extract::files;
use crate::extract::onnx::{ModelError, Names, Role};
use crate::extract::order::NetworkPlan;
use crate::extract::text::{numbers, rows_of};
use crate::zoo::Form;

/// What poolers and heads of encoders are called.
const HEADS: [&str; 9] = [
    "pooler",
    "cls",
    "lm_head",
    "classifier",
    "pre_classifier",
    "qa_outputs",
    "vocab_transform",
    "vocab_layer_norm",
    "vocab_projector",
];

/// Looks at every number of a file of weights.
pub fn anatomy(plan: &NetworkPlan) -> Result<Anatomy, ModelError> {
    let extension = plan.weights.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    if extension.as_deref() != Some("safetensors") {
        return of_words(plan);
    }
    let path = files::checked(&plan.folder, &plan.weights)?;
    let bytes = std::fs::read(&path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
    let broken = |error: String| ModelError::Unfit(format!("{} is no whole safetensors: {error}", show(&plan.weights)));
    let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(error.to_string()))?;
    data::check_names(&bytes).map_err(broken)?;
    let mut names: Vec<&str> = file.names();
    names.sort_unstable_by_key(|name| {
        (name.rsplit_once('.').map_or(*name, |(stem, _)| stem).to_owned(), is_shift(name))
    });
    let mut scan = Scan::default();
    let is_table = plan.form == Form::Static;
    let unused = if is_table {
        Names::default()
    } else {
        names.iter().filter(|name| is_of_a_head(name)).map(|name| (*name).to_owned()).collect()
    };
    for name in names {
        let Ok(tensor) = file.tensor(name) else { continue };
        if let Some(values) = numbers(&tensor) {
            let role = if is_table { Some(Role::Table) } else { role(name, tensor.shape()) };
            scan.take(name, tensor.shape(), role, &values);
        }
    }
    let (parameters, numbers, freshness) = scan.finish();
    Ok(Anatomy { format: "safetensors".to_owned(), parameters, numbers, freshness, unused, ..Anatomy::default() })
}

/// Looks at a file of words and vectors, or of vectors alone.
fn of_words(plan: &NetworkPlan) -> Result<Anatomy, ModelError> {
    let mut scan = Scan::default();
    if let Some(rows) = rows_of(plan)? {
        scan.take("vectors", &[rows.ids(), rows.dim()], Some(Role::Table), rows.values());
    }
    let (parameters, numbers, _) = scan.finish();
    Ok(Anatomy { format: "vectors of words".to_owned(), parameters, numbers, ..Anatomy::default() })
}

/// Whether a tensor belongs to a pooler or a head, which features have no use for.
fn is_of_a_head(name: &str) -> bool {
    name.split('.').take(2).any(|part| HEADS.contains(&part))
}

fn is_shift(name: &str) -> bool {
    name.ends_with("bias") || name.ends_with("beta")
}

/// What a tensor of an encoder is for, by its name.
fn role(name: &str, shape: &[usize]) -> Option<Role> {
    let norm = name.to_ascii_lowercase().contains("norm");
    match shape {
        [_, _] if name.contains("embedding") => Some(Role::Table),
        [_, _] => Some(Role::TurnedMatrix),
        [_] if norm => Some(if is_shift(name) { Role::Shift } else { Role::Scale }),
        [_] if is_shift(name) => Some(Role::Bias),
        _ => None,
    }
}

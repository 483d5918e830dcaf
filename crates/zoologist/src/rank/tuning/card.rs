//! The card of a tuned model: `README.md` with the head that the Hugging Face hub reads.

use std::fmt::Write;

use super::Tuned;
use crate::base::Task;
use crate::base::path_text::escape;
use crate::zoo::{Model, Papers};

/// The text of the card.
pub fn text(tuned: &Tuned, model: &Model, papers: &Papers) -> String {
    let mut card = String::from("---\n");
    if let Some(license) = &papers.license {
        let _ = writeln!(card, "license: {}", quoted(license));
    }
    let _ = writeln!(card, "base_model: {}", quoted(&model.name));
    let _ = writeln!(card, "library_name: zoologist\ntags:\n- transfer-learning\n---\n");
    let _ = writeln!(card, "# {}, tuned by `{}`\n", escape(&tuned.model), tuned.way);
    let noun = match tuned.task {
        Task::Classification => "classes",
        Task::Multilabel => "labels",
        Task::Regression => "numbers",
    };
    let names: Vec<String> = tuned.data.names.iter().take(20).map(|name| escape(name)).collect();
    let more = tuned.data.names.len().saturating_sub(names.len());
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let _ = writeln!(card, "Predicts {} {noun}: {}{more}.\n", tuned.data.names.len(), names.join(", "));
    let figure = |value: Option<f64>| value.map_or("none".to_owned(), |value| format!("{value:.4}"));
    let interval =
        tuned.judgement.interval.map_or(String::new(), |[low, high]| format!(" (95% interval {low:.4} to {high:.4})"));
    let _ = writeln!(
        card,
        "| | |\n|---|---|\n| {} on {} ({} samples) | {}{interval} |",
        tuned.judgement.metric,
        tuned.data.judged_on,
        tuned.data.judged,
        figure(tuned.judgement.value)
    );
    if let Some(chance) = tuned.judgement.chance {
        let _ = writeln!(card, "| always naming the commonest | {chance:.4} |");
    }
    let _ = writeln!(
        card,
        "| on the {} validation samples, which chose | {:.4} |",
        tuned.data.validation, tuned.validation
    );
    let _ = writeln!(card, "| learned from | {} samples |", tuned.data.learned);
    let _ = writeln!(card, "| digest of the samples (BLAKE3) | `{}` |", tuned.data.digest);
    let _ = writeln!(card, "| weights it began as (SHA-256) | `{}` |", model.digest);
    if let Some(layer) = &tuned.details.layer {
        let _ = writeln!(card, "| features read from | {} |", escape(layer));
    }
    if let Some([read, all]) = tuned.details.features {
        let _ = writeln!(card, "| features read | {read} of {all} |");
    }
    if let Some(training) = &tuned.details.training {
        let _ = writeln!(
            card,
            "| steps | {}, the weights of step {} kept |\n| trained parameters | {} |",
            training.steps, training.kept_step, training.trained_parameters
        );
    }
    if let Some(recipe) = &tuned.details.recipe {
        let _ = writeln!(
            card,
            "| recipe | {:?}, learning rate {:e}, batch {}, batch norms {:?} |",
            recipe.optimizer, recipe.learning_rate, recipe.batch, recipe.norms
        );
    }
    let _ = writeln!(card, "| seed | {} |", tuned.seed.0);
    let _ = writeln!(card, "| made by | zoologist {} |\n", env!("CARGO_PKG_VERSION"));
    card.push_str("`zoologist predict FOLDER DATA` runs it; `config.json` names its labels.\n");
    card
}

/// A value of the card's head that nothing in it can break.
fn quoted(text: &str) -> String {
    serde_json::to_string(&escape(text)).unwrap_or_default()
}

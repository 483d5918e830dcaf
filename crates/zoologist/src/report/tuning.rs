//! A tuned model and predictions, as text.

use super::table::{finish, list, new_table, paragraph};
use super::words;
use crate::base::path_text::{escape, show};
use crate::rank::Skipped;
use crate::rank::prediction::Predictions;
use crate::rank::tuning::{Judgement, Tuned};

/// How many skipped samples are named.
const NAMED: usize = 3;
/// How many predictions are shown.
const SHOWN: usize = 20;
/// The longest name of a sample that is shown.
const LONGEST: usize = 60;

/// A tuned model. `width` is that of the terminal, in columns.
pub fn tuned(tuned: &Tuned, width: Option<u16>) -> String {
    let data = &tuned.data;
    let summary = format!(
        "{} by {} on {}: learned from {} samples, {} more chose, {} judged ({}).",
        escape(&tuned.model),
        tuned.way,
        show(&data.path),
        words::count(data.learned),
        words::count(data.validation),
        words::count(data.judged),
        data.judged_on
    );
    let mut lines = vec![figure(&tuned.judgement)];
    if let Some(layer) = &tuned.details.layer {
        lines.push(format!("Features read from: {}.", escape(layer)));
    }
    if let Some([read, all]) = tuned.details.features {
        lines.push(format!("Features read: {} of {}.", words::count(read), words::count(all)));
    }
    if let Some(training) = &tuned.details.training {
        let early = if training.stopped_early { ", ended early: nothing got better" } else { "" };
        lines.push(format!(
            "Trained {} numbers in {} steps{early}; the weights of step {} are kept.",
            words::count(training.trained_parameters),
            words::count(training.steps),
            words::count(training.kept_step)
        ));
    }
    if !tuned.details.teachers.is_empty() {
        let named = tuned.details.teachers.iter().map(|(name, weight)| format!("{} ({weight:.2})", escape(name)));
        lines.push(format!("Teachers: {}.", named.collect::<Vec<_>>().join(", ")));
    }
    if let Some(output) = &tuned.output {
        lines.push(format!("Written to {}: {}.", escape(output), tuned.files.join(", ")));
    }
    let parts = [
        paragraph(&summary, width),
        lines.iter().map(|line| paragraph(line, width)).collect::<String>(),
        skipped(&tuned.skipped, width),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Predictions: the first ones, and how often all are right.
pub fn predictions(found: &Predictions, width: Option<u16>) -> String {
    let mut table = new_table(&["Sample", "Prediction", "Probability\nor numbers"], 2..3);
    for prediction in found.predictions.iter().take(SHOWN) {
        let labels = prediction.labels.iter().map(|label| escape(label)).collect::<Vec<_>>().join(", ");
        let highest = prediction.outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let numbers = if prediction.labels.is_empty() {
            prediction.outputs.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ")
        } else {
            format!("{highest:.3}")
        };
        let name: String = escape(&prediction.sample).chars().take(LONGEST).collect();
        table.add_row([name, labels, numbers]);
    }
    let rest = found.predictions.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!("and {} more: --json gives them all", words::count(rest)) } else { String::new() };
    let head = format!(
        "{} on {}: {} samples.",
        escape(&found.model),
        show(&found.data),
        words::count(found.predictions.len())
    );
    let parts = [
        paragraph(&head, width),
        finish(table, width),
        if more.is_empty() { String::new() } else { paragraph(&more, width) },
        found.judgement.as_ref().map_or(String::new(), |judgement| paragraph(&figure(judgement), width)),
        skipped(&found.skipped, width),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A figure with its interval, in words.
pub fn figure(judgement: &Judgement) -> String {
    let Some(value) = judgement.value else { return "Nothing was judged.".to_owned() };
    let (name, show): (&str, fn(f64) -> String) = match judgement.metric {
        "accuracy" => ("Accuracy", |value| format!("{:.1}%", 100.0 * value)),
        _ => ("Pearson's r", |value| format!("{value:.3}")),
    };
    let interval = judgement
        .interval
        .map_or(String::new(), |[low, high]| format!(", 95% interval {} to {}", show(low), show(high)));
    let chance =
        judgement.chance.map_or(String::new(), |chance| format!("; always naming the commonest: {}", show(chance)));
    format!("{name} {}{interval}{chance}.", show(value))
}

fn skipped(skipped: &[Skipped], width: Option<u16>) -> String {
    let named = skipped.iter().take(NAMED).map(|it| format!("{}: {}", escape(&it.path), escape(&it.reason)));
    let rest = skipped.len().saturating_sub(NAMED);
    let more = (rest > 0).then(|| format!("and {} more: --json names them all", words::count(rest)));
    list(&format!("Skipped ({}):", words::count(skipped.len())), named.chain(more), width)
}

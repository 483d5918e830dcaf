//! Which layer to take, in words.
//!
//! The best layer is the best of several, so luck favours it. The probability that it beats another one is therefore
//! corrected for their number (Bonferroni), and a layer counts as equally good unless it is worse at that corrected level.

use super::LayerRow;
use crate::base::Task;
use crate::base::path_text::escape;
use crate::score::{Evaluation, jackknife};

/// Confidence at which a layer is called worse than the best one, before the correction.
const CONFIDENCE: f64 = 0.95;

/// A row with its probe's evaluation, from which it is compared with others.
pub struct Probed<'a> {
    /// The row.
    pub row: &'a LayerRow,
    /// Its probe; `None` if there is none.
    pub probe: Option<&'a Evaluation>,
}

/// The verdict over all rows: the layers in their order, then all layers together, then the controls.
pub fn verdict(rows: &[Probed], task: Task) -> String {
    let layers: Vec<&Probed> =
        rows.iter().filter(|probed| probed.row.index.is_some() && value(probed).is_some()).collect();
    let Some(best) = layers.iter().copied().reduce(|best, next| if value(next) > value(best) { next } else { best })
    else {
        return "No layer could be probed. See the notes of the table.".to_owned();
    };
    let others = layers.len().saturating_sub(1);
    let mut lines = vec![first_line(best, &layers, others, task)];
    lines.extend(cheaper(best, &layers, others, task));
    lines.extend(all_layers(best, rows, task));
    lines.extend(controls(best, rows, task));
    lines.join("\n")
}

fn value(probed: &Probed) -> Option<f64> {
    probed.row.probe
}

/// The probability that the first is truly better, corrected for so many comparisons; `None` where it is not known.
fn sure(first: &Probed, second: &Probed, comparisons: usize) -> Option<f64> {
    let (a, b) = (first.probe?, second.probe?);
    if a.replicates.is_empty() || a.replicates.len() != b.replicates.len() {
        return None;
    }
    let paired: Vec<f64> = a.replicates.iter().zip(&b.replicates).map(|(a, b)| a - b).collect();
    let probability = jackknife::probability_better(value(first)? - value(second)?, &paired)?;
    Some((1.0 - (1.0 - probability) * comparisons.max(1) as f64).max(0.0))
}

fn first_line(best: &Probed, layers: &[&Probed], others: usize, task: Task) -> String {
    let last = layers[layers.len() - 1];
    let name = escape(&best.row.name);
    let quality = quality(best.row, task);
    if best.row.index == last.row.index {
        return format!("The last layer, {name}, is the best: {quality}.");
    }
    let than = format!("the last layer, {} ({})", escape(&last.row.name), number(last.row.probe, task));
    match sure(best, last, others) {
        Some(sure) if sure >= CONFIDENCE => {
            format!("Take {name}: {quality}. It beats {than}, with probability {}.", percent(sure))
        }
        _ => format!("{name} has the best probe, {quality}, but may be no better than {than}."),
    }
}

/// The earliest layer that can't be told from the best one.
fn cheaper(best: &Probed, layers: &[&Probed], others: usize, task: Task) -> Option<String> {
    let worse = |layer: &Probed| sure(best, layer, others).is_some_and(|sure| sure >= CONFIDENCE);
    let unclear = layers.iter().any(|layer| sure(best, layer, others).is_none() && layer.row.index != best.row.index);
    if unclear {
        return None;
    }
    let first = layers.iter().find(|layer| !worse(layer))?;
    if first.row.index == best.row.index {
        return Some("Every earlier layer is worse, beyond chance.".to_owned());
    }
    let saved = first
        .row
        .cost_share
        .map_or(String::new(), |share| format!(" and saves {:.0}% of the forward pass", 100.0 * (1.0 - share)));
    let (name, value) = (escape(&first.row.name), number(first.row.probe, task));
    Some(format!("{name} ({value}) can't be told from it on this data{saved}."))
}

fn all_layers(best: &Probed, rows: &[Probed], task: Task) -> Option<String> {
    let all = rows.iter().find(|probed| probed.row.index.is_none() && !probed.row.control)?;
    let value = value(all)?;
    let gain = value - best.row.probe?;
    let certainty = sure(all, best, 1)?;
    Some(if gain > 0.0 && certainty >= CONFIDENCE {
        format!(
            "All layers side by side are better still: {} (probability {}).",
            number(Some(value), task),
            percent(certainty)
        )
    } else {
        format!("All layers side by side add nothing that this data can show ({}).", number(Some(value), task))
    })
}

fn controls(best: &Probed, rows: &[Probed], task: Task) -> Option<String> {
    let controls = rows.iter().filter(|probed| probed.row.control && value(probed).is_some());
    let strongest = controls.reduce(|best, next| if value(next) > value(best) { next } else { best })?;
    let (name, reached) = (escape(&strongest.row.name), number(strongest.row.probe, task));
    Some(match sure(best, strongest, 1) {
        Some(sure) if sure >= CONFIDENCE => format!("The best control, {name}, reaches {reached}."),
        _ => {
            format!("The control {name} reaches {reached}: no layer of this model is surely better. Try another model.")
        }
    })
}

fn quality(row: &LayerRow, task: Task) -> String {
    let interval = row
        .interval
        .map_or(String::new(), |[low, high]| format!(" [{}, {}]", number(Some(low), task), number(Some(high), task)));
    format!("{}{interval}", number(row.probe, task))
}

fn number(value: Option<f64>, task: Task) -> String {
    match value {
        Some(value) if task == Task::Classification => format!("{:.1}%", 100.0 * value),
        Some(value) => format!("R² {value:.3}"),
        None => "no value".to_owned(),
    }
}

fn percent(probability: f64) -> String {
    if probability > 0.999 { "above 99.9%".to_owned() } else { format!("{:.1}%", 100.0 * probability) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Score;

    fn row(name: &str, index: Option<usize>, probe: f64, control: bool) -> LayerRow {
        LayerRow {
            name: name.to_owned(),
            index,
            dim: 4,
            probe: Some(probe),
            interval: None,
            logme: None,
            effective_rank: None,
            block_influence: None,
            cost_share: index.map(|index| index as f64 / 2.0),
            control,
            note: None,
        }
    }

    /// Replicates about the value that move together but for `own`.
    fn evaluation(value: f64, own: f64) -> Evaluation {
        let replicate = |shard: usize| value + 0.001 * shard as f64 + own * (shard % 3) as f64;
        Evaluation { score: Score::of("ridge", value), replicates: (0..10).map(replicate).collect() }
    }

    fn judged(rows: &[(LayerRow, Evaluation)]) -> String {
        let rows: Vec<Probed> = rows.iter().map(|(row, probe)| Probed { row, probe: Some(probe) }).collect();
        verdict(&rows, Task::Classification)
    }

    #[test]
    fn a_middle_layer_that_surely_beats_the_last_is_taken() {
        let text = judged(&[
            (row("embeddings", Some(0), 0.5, false), evaluation(0.5, 0.0)),
            (row("block 1", Some(1), 0.9, false), evaluation(0.9, 0.0001)),
            (row("block 2", Some(2), 0.7, false), evaluation(0.7, 0.0002)),
            (row("TF-IDF", None, 0.4, true), evaluation(0.4, 0.0)),
        ]);
        assert!(
            text.starts_with("Take block 1: 90.0%. It beats the last layer, block 2 (70.0%), with probability"),
            "{text}"
        );
        assert!(text.contains("Every earlier layer is worse"), "{text}");
        assert!(text.ends_with("The best control, TF-IDF, reaches 40.0%."), "{text}");
    }

    #[test]
    fn an_earlier_layer_within_chance_is_named_with_what_it_saves() {
        let text = judged(&[
            (row("block 1", Some(1), 0.899, false), evaluation(0.899, 0.01)),
            (row("block 2", Some(2), 0.9, false), evaluation(0.9, 0.0)),
            (row("TF-IDF", None, 0.9, true), evaluation(0.9, 0.01)),
        ]);
        assert!(text.starts_with("The last layer, block 2, is the best: 90.0%."), "{text}");
        assert!(
            text.contains("block 1 (89.9%) can't be told from it on this data and saves 50% of the forward pass."),
            "{text}"
        );
        assert!(text.contains("no layer of this model is surely better"), "{text}");
    }
}

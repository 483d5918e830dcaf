//! What the table means, in two lines, and what to do next.

use super::candidate::{NO_FEATURES, TEXT_LENGTH};
use super::order::Entry;
use super::order::difference;
use crate::base::path_text::escape;
use crate::base::{Targets, Task};
use crate::score::Status;

/// From this gain in accuracy or R² on, it is said that the length of a text predicts its label.
const NOTABLE_LEAK: f64 = 0.05;

/// Which model to use, how sure that is, and by how much it beats the baselines. Two lines.
pub fn verdict(entries: &[Entry], metric: &str, task: Task) -> String {
    let of_kind = |baseline: bool| {
        entries.iter().filter(move |entry| entry.model.baseline == baseline && entry.evaluation.is_some())
    };
    let Some(best) = of_kind(false).next() else {
        return "No model could be scored.\nSee the reasons below.".to_owned();
    };
    let rivals: Vec<&Entry> = of_kind(false).skip(1).collect();
    let first =
        format!("Use {}: {}{}", escape(&best.model.name), headline(best, metric, task), certainty(best, &rivals));
    let Some(baseline) = of_kind(true).next() else {
        return format!("{first}\nThere is no baseline to compare it with.");
    };
    format!("{first}\n{}", against_baseline(best, baseline, metric, task))
}

fn headline(entry: &Entry, metric: &str, task: Task) -> String {
    let unbounded = entry.evaluation.as_ref().is_some_and(|found| found.score.status == Status::Unbounded);
    if unbounded {
        return "its features fit the targets to within rounding.".to_owned();
    }
    let own = entry.model.score.map_or("no value".to_owned(), |score| value(metric, score, task));
    let others = ["ridge", "knn"].into_iter().filter(|name| *name != metric);
    let others: Vec<String> = others
        .filter_map(|name| Some(format!("{} {}", title(name), value(name, score_of(entry, name)?, task))))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
    format!("{} {own}{others}.", title(metric))
}

fn certainty(best: &Entry, rivals: &[&Entry]) -> String {
    let Some(own) = &best.evaluation else { return String::new() };
    let (rivals, stopped): (Vec<&Entry>, Vec<&Entry>) =
        rivals.iter().partition(|rival| rival.model.n_seen == best.model.n_seen);
    let compared: Vec<_> =
        rivals.iter().filter_map(|rival| Some((rival, difference(own, rival.evaluation.as_ref()?)?))).collect();
    let ties: Vec<String> =
        compared.iter().filter(|(_, found)| found.may_be_chance).map(|(rival, _)| escape(&rival.model.name)).collect();
    if !ties.is_empty() {
        return format!(" This data can't tell it from {}: take the cheaper one.", in_words(&ties));
    }
    match compared.first() {
        Some((next, found)) => {
            let sure = found.probability.map_or(String::new(), |probability| {
                format!(" with probability {}", percent_of_certainty(probability))
            });
            format!(" It beats the next, {},{sure}.", escape(&next.model.name))
        }
        None if stopped.is_empty() => " It is the only model.".to_owned(),
        None => format!(" The race ended at {} samples: no other model can reach it.", best.model.n_seen),
    }
}

fn against_baseline(best: &Entry, baseline: &Entry, metric: &str, task: Task) -> String {
    let name = escape(&baseline.model.name);
    let found = best.evaluation.as_ref().zip(baseline.evaluation.as_ref()).and_then(|(a, b)| difference(a, b));
    let Some(found) = found else { return format!("The best baseline is {name}; there is no difference to state.") };
    if found.value <= 0.0 {
        return format!(
            "No model beats the baseline {name}: this zoo is useless for this data, or its preprocessing is wrong."
        );
    }
    if found.may_be_chance {
        return format!("The best baseline, {name}, can't be told from it: this zoo does little for this data.");
    }
    let ridge = score_of(best, "ridge").zip(score_of(baseline, "ridge"));
    let ridge = ridge.filter(|_| metric != "ridge").map_or(String::new(), |(own, other)| {
        format!("; ridge {} against {}", value("ridge", own, task), value("ridge", other, task))
    });
    let unit = if metric == "logme" { " nats per sample" } else { "" };
    format!("It beats the best baseline, {name}, by {:.3}{unit}{ridge}.", found.value)
}

fn ran_on_rten(entry: &Entry) -> bool {
    entry.model.runtime.as_deref().is_some_and(|runtime| runtime.starts_with("rten"))
}

/// What to do next.
pub fn advice(entries: &[Entry], targets: &Targets, n: usize, available: usize) -> Vec<String> {
    let mut advice = vec![];
    if entries.iter().any(ran_on_rten) {
        advice.push(
            "ONNX Runtime was not used: `pip install onnxruntime` runs convolutional networks several times faster."
                .to_owned(),
        );
    }
    if n < available {
        advice.push(format!("{n} of {available} samples were scored; leave out --samples to use all."));
    } else if n > 20_000 {
        advice.push(format!(
            "{n} samples were scored; --samples 20000 orders models about as well in {:.0}% of the time.",
            2e6 / n as f64
        ));
    }
    advice.extend(length_leak(entries, targets));
    let best = entries.iter().find(|entry| !entry.model.baseline && entry.evaluation.is_some());
    if best.and_then(|best| best.evaluation.as_ref()).is_some_and(|found| found.score.status == Status::NoiseFreeLimit)
    {
        advice.push(
            "There are fewer samples than feature dimensions: more labelled samples would make the order surer."
                .to_owned(),
        );
    }
    advice
}

/// A remark where the length of a text alone says much about its label.
fn length_leak(entries: &[Entry], targets: &Targets) -> Option<String> {
    let named = |name: &str| entries.iter().find(|entry| entry.model.baseline && entry.model.name == name);
    let (length, nothing) = (named(TEXT_LENGTH)?, named(NO_FEATURES)?);
    let (reached, without) = (score_of(length, "ridge")?, without_features(targets));
    let sure = !difference(length.evaluation.as_ref()?, nothing.evaluation.as_ref()?)?.may_be_chance;
    (sure && reached - without >= NOTABLE_LEAK).then(|| {
        format!(
            "The length of the text alone reaches ridge {}, against {} without features: make sure that lengths do not \
             give the labels away.",
            value("ridge", reached, targets.task()),
            value("ridge", without, targets.task())
        )
    })
}

/// The ridge score of a constant: the share of the commonest class, or an R² of 0.
fn without_features(targets: &Targets) -> f64 {
    let Targets::Classes(classes) = targets else { return 0.0 };
    classes.counts().into_iter().max().unwrap_or_default() as f64 / targets.len() as f64
}

fn score_of(entry: &Entry, metric: &str) -> Option<f64> {
    entry.model.scores.iter().find(|score| score.metric == metric)?.value
}

fn title(metric: &str) -> &str {
    match metric {
        "logme" => "LogME",
        "knn" => "kNN",
        other => other,
    }
}

fn value(metric: &str, value: f64, task: Task) -> String {
    let accuracy = task == Task::Classification && matches!(metric, "ridge" | "knn");
    if accuracy { format!("{:.1}%", 100.0 * value) } else { format!("{value:.3}") }
}

fn percent_of_certainty(probability: f64) -> String {
    if probability > 0.999 { "above 99.9%".to_owned() } else { format!("{:.1}%", 100.0 * probability) }
}

fn in_words(names: &[String]) -> String {
    match names {
        [only] => only.clone(),
        [first, second] => format!("{first} or {second}"),
        [first, rest @ ..] => format!("{first} and {} others", rest.len()),
        [] => String::new(),
    }
}

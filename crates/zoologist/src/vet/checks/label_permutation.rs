//! `label-permutation`: a head whose outputs stand in another order than the names of its classes.

use super::super::{Check, Confidence, Evidence, Finding, Head, Sample, Severity, Stage, Unmade, Verdict};
use super::{not_run, papers, percent, sample};
use crate::base::{Classes, Targets};
use crate::score::assignment;

pub const CHECK: Check = Check {
    id: "label-permutation",
    stage: Stage::Labels,
    finds: "names of classes that stand in another order than the outputs of the head",
    how: "the best assignment of outputs to names (Hungarian): above the stated one by 20 points and 3 standard errors",
    judge,
};

const LEAST_GAIN: f64 = 0.2;
const ERRORS: f64 = 3.0;
const FEWEST_PER_CLASS: usize = 5;

/// The rows whose label the head has an output for: the label's place among the outputs, and the output that won.
pub struct Answers {
    /// Pairs of label and answer, as places among the outputs.
    pub pairs: Vec<(usize, usize)>,
    /// The outputs that labels name.
    pub outputs: Vec<usize>,
}

/// What the head says of all rows whose labels are names of its outputs.
pub(super) fn answers(evidence: &Evidence) -> Result<Answers, Unmade> {
    let sample = sample(evidence)?;
    if papers(evidence)?.classes.is_empty() {
        return not_run("config.json names no classes (id2label)");
    }
    let head = sample
        .head
        .as_ref()
        .ok_or_else(|| Unmade::NotApplicable("the model has no head that names its classes".to_owned()))?;
    answers_of(evidence, sample, head)
}

/// What a head says of its rows, the first ones of the sample, whose labels are names of its outputs.
pub fn answers_of(evidence: &Evidence, sample: &Sample, head: &Head) -> Result<Answers, Unmade> {
    let Some(Targets::Classes(classes)) = &sample.targets else {
        return not_run("it needs classes");
    };
    let names = &papers(evidence)?.classes;
    if names.is_empty() {
        return not_run("config.json names no classes (id2label)");
    }
    if names.len() != head.classes {
        return not_run(format!("config.json names {} classes, the head has {} outputs", names.len(), head.classes));
    }
    let place = |class: &String| place_of(names, class);
    let places: Vec<Option<usize>> = classes.names().iter().map(place).collect();
    let outputs: Vec<usize> = places.iter().copied().flatten().collect();
    if outputs.len() * 2 < classes.names().len() || outputs.len() < 2 {
        return not_run("the names of your classes are not those of the head");
    }
    Ok(Answers { pairs: pairs(classes, &places, head), outputs })
}

fn pairs(classes: &Classes, places: &[Option<usize>], head: &Head) -> Vec<(usize, usize)> {
    let rows = classes.index().iter().zip(head.probabilities.chunks_exact(head.classes));
    let answer = |row: &[f64]| {
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        best.map_or(0, |(place, _)| place)
    };
    rows.filter_map(|(&class, row)| Some((places[class as usize]?, answer(row)))).collect()
}

/// The place of a name: of an equal one, else of the only one that is the same but for case and what joins its words.
fn place_of(names: &[String], class: &str) -> Option<usize> {
    let plain = |name: &str| {
        name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let alike = |name: &&String| {
        let first = name.split(',').next().unwrap_or(name);
        !plain(class).is_empty() && (plain(name) == plain(class) || plain(first) == plain(class))
    };
    let equal = names.iter().position(|name| name == class);
    let only =
        || (names.iter().filter(alike).count() == 1).then(|| names.iter().position(|name| alike(&name))).flatten();
    equal.or_else(only)
}

/// The names of the classes in the order of the outputs, as the best assignment has them.
pub fn proposed_names(evidence: &Evidence) -> Option<Vec<String>> {
    let Answers { pairs, outputs } = answers(evidence).ok()?;
    let assigned = assignment::best(&confusion(&pairs, &outputs), outputs.len());
    let stated = &papers(evidence).ok()?.classes;
    let mut names = stated.clone();
    for (label, &column) in assigned.iter().enumerate() {
        names[outputs[column]].clone_from(&stated[outputs[label]]);
    }
    Some(names)
}

fn judge(evidence: &Evidence) -> Verdict {
    let Answers { pairs, outputs } = answers(evidence)?;
    let (n, k) = (pairs.len(), outputs.len());
    let fewest = outputs.iter().map(|output| pairs.iter().filter(|(label, _)| label == output).count()).min();
    if k * 5 > n || fewest.is_none_or(|fewest| fewest < FEWEST_PER_CLASS) {
        return not_run(format!("it needs {FEWEST_PER_CLASS} samples of each class that the head names"));
    }
    let weights = confusion(&pairs, &outputs);
    let assigned = assignment::best(&weights, k);
    let place = |output: usize| outputs.iter().position(|known| *known == output);
    let accuracy = |of: &dyn Fn(usize) -> usize| {
        let right =
            pairs.iter().filter(|(label, answer)| place(*label).map(of) == place(*answer) && place(*answer).is_some());
        right.count() as f64 / n as f64
    };
    let (stated, best) = (accuracy(&|label| label), accuracy(&|label| assigned[label]));
    let error = (best * (1.0 - best) / n as f64).sqrt();
    let chance = 1.0 / k as f64;
    let gain = best - stated;
    if gain <= LEAST_GAIN || gain <= ERRORS * error || best <= chance + ERRORS * error {
        return Ok(vec![]);
    }
    let names = &papers(evidence)?.classes;
    let moved = (0..k).filter(|&label| assigned[label] != label);
    let mapping: Vec<String> =
        moved.map(|label| format!("output {} is {}", outputs[assigned[label]], names[outputs[label]])).collect();
    let message = format!(
        "the order of the head's outputs and the names of its classes disagree: accuracy {}, after reordering {}.\n{}",
        percent(stated),
        percent(best),
        mapping.iter().take(8).cloned().collect::<Vec<_>>().join(", ")
    );
    let fix = "correct id2label and label2id in config.json as the mapping says (--write-fixed OUT does)";
    let finding = Finding::new(CHECK.id, Severity::High, message, fix).sure(Confidence::High);
    finding.measured(gain, LEAST_GAIN).seen(mapping).into()
}

/// For each label (row) the share of each output (column) among its answers.
fn confusion(pairs: &[(usize, usize)], outputs: &[usize]) -> Vec<f64> {
    let k = outputs.len();
    let mut counts = vec![0.0; k * k];
    for (label, answer) in pairs {
        let find = |output: &usize| outputs.iter().position(|known| known == output);
        if let (Some(row), Some(column)) = (find(label), find(answer)) {
            counts[row * k + column] += 1.0;
        }
    }
    for row in counts.chunks_exact_mut(k) {
        let all: f64 = row.iter().sum();
        row.iter_mut().for_each(|count| *count /= all.max(1.0));
    }
    counts
}

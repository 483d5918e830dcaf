//! What the table comes to, in words, and what is not to be relied on.

use std::cmp::Ordering;

use super::usable::Dataset;
use super::{Comparison, Figure, Kind, Row};
use crate::base::path_text::escape;
use crate::score::agreement::Draws;

/// From so many data sets on a bootstrap of data sets is taken at its word.
const ENOUGH: usize = 5;

/// Which score orders the models best, and what it and the others are against the baselines. One sentence a line.
pub(super) fn verdict(rows: &[Row], datasets: usize) -> String {
    let mut scores: Vec<&Row> = rows.iter().filter(|row| row.kind == Kind::Score && value(row).is_some()).collect();
    scores.sort_by(|a, b| value(b).partial_cmp(&value(a)).unwrap_or(Ordering::Equal));
    let Some(best) = scores.first() else {
        return "No score has a correlation with the truth; the reasons stand with each data set.".to_owned();
    };
    let of = if scores.len() == 1 { "" } else { "The best score is " };
    let over = if datasets == 1 { "on one data set".to_owned() } else { format!("over {datasets} data sets") };
    let first = format!("{of}{}: {} with the truth {over}.", escape(&best.name), figure(best.mean.weighted_kendall));
    let list = match &best.against_static {
        Some(found) => against(best, found, "the static list (the models' order on the other data sets)"),
        None if datasets == 1 => {
            "One data set gives no static list: a list from other data sets may be as good.".into()
        }
        None => "There is no static list to compare it with.".to_owned(),
    };
    let size = match &best.against_size {
        Some(found) => against(best, found, "the size of the models"),
        None => "Sizes of the models are not given: it may be no better than taking the largest.".to_owned(),
    };
    let others = (scores.len() > 1).then(|| sure(&scores)).flatten();
    [Some(first), Some(list), Some(size), others].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn value(row: &Row) -> Option<f64> {
    row.mean.weighted_kendall.value
}

fn figure(figure: Figure) -> String {
    let value =
        figure.value.map_or_else(|| "no weighted Kendall".to_owned(), |value| format!("weighted Kendall {value:.2}"));
    value + &figure.interval.map_or_else(String::new, |[low, high]| format!(" [{low:.2}, {high:.2}]"))
}

fn against(row: &Row, found: &Comparison, what: &str) -> String {
    let name = escape(&row.name);
    let says = match (direction(found), few(found)) {
        (Ordering::Greater, false) => "beats",
        (Ordering::Less, false) => "is worse than",
        (Ordering::Greater, true) => "looks better on these few data sets than",
        (Ordering::Less, true) => "looks worse on these few data sets than",
        (Ordering::Equal, _) => "can't be told from",
    };
    let interval = found.interval.map_or_else(String::new, |[low, high]| format!(" [{low:+.2}, {high:+.2}]"));
    let sure =
        found.probability.map_or_else(String::new, |share| format!(", better in {:.0}% of resamples", 100.0 * share));
    let on =
        if found.of > 1 { format!(", better on {} of {} data sets", found.better_on, found.of) } else { String::new() };
    format!("{name} {says} {what}: difference {:+.2}{interval}{sure}{on}.", found.difference)
}

/// On which side of 0 the whole interval of the difference is.
fn direction(found: &Comparison) -> Ordering {
    match found.interval {
        Some([low, _]) if low > 0.0 => Ordering::Greater,
        Some([_, high]) if high < 0.0 => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// Whether the interval comes from so few data sets that it is likely to be too narrow.
fn few(found: &Comparison) -> bool {
    (2..ENOUGH).contains(&found.of)
}

/// How many scores beat the static list surely.
fn sure(scores: &[&Row]) -> Option<String> {
    let known: Vec<(&Row, &Comparison)> =
        scores.iter().filter_map(|row| Some((*row, row.against_static.as_ref()?))).collect();
    let beats = |found: &Comparison| direction(found).is_gt() && !few(found);
    let names: Vec<String> = known.iter().filter(|(_, found)| beats(found)).map(|(row, _)| escape(&row.name)).collect();
    let list = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let text = format!("{} of {} scores surely beat the static list{list}.", names.len(), known.len());
    (!known.is_empty()).then_some(text)
}

/// What the reader must know of the intervals.
pub(super) fn cautions(rows: &[Row], datasets: &[Dataset], draws: Draws) -> Vec<String> {
    let skipped: usize = rows.iter().flat_map(|row| &row.datasets).map(|on| on.skipped_draws).sum();
    let tried = draws.count * rows.iter().flat_map(|row| &row.datasets).filter(|on| on.reason.is_none()).count();
    let degenerate = format!("{skipped} of {tried} resamples of models had equal scores or accuracies only: skipped");
    let few = format!("{} data sets are few: intervals of means and comparisons are rough", datasets.len());
    let partial = rows.iter().filter_map(|row| {
        let known = row.datasets.iter().filter(|on| on.figures.weighted_kendall.value.is_some()).count();
        let text = format!(
            "{}: {known} of {} data sets have a value; the mean is over these",
            escape(&row.name),
            datasets.len()
        );
        (known > 0 && known < datasets.len()).then_some(text)
    });
    let few = (2..ENOUGH).contains(&datasets.len()).then_some(few);
    few.into_iter().chain((skipped > 0).then_some(degenerate)).chain(partial).collect()
}

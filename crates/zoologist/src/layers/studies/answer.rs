//! How many layers a task needs, which can go, and whether their order matters: in words, with the intervals behind them.

use super::{Contrast, CurveAgreement, Exported, Studies, Study, StudyRow, find};
use crate::extract::training::Mode;
use crate::score::paired;

/// The smallest depth that is enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Enough {
    /// Its loss is within delta, with confidence.
    Surely(usize),
    /// Its loss may be within delta.
    Perhaps(usize),
}

/// The smallest number of kept blocks whose loss is within `delta`: of all that must be so with confidence, else of those
/// for which it can't be excluded. Never the best: the best of several is luck.
pub fn enough(rows: &[StudyRow], n: usize, mode: Mode, delta: f64) -> Option<Enough> {
    let of_mode = || rows.iter().filter(|row| row.n == n && row.study == Study::Progressive && row.mode == Some(mode));
    let smallest = |is: &dyn Fn(&StudyRow) -> bool| of_mode().filter(|row| is(row)).filter_map(|row| row.kept).min();
    let sure = smallest(&|row| row.interval.is_some_and(|[low, _]| low >= -delta)).map(Enough::Surely);
    sure.or_else(|| smallest(&|row| row.interval.is_some_and(|[_, high]| high >= -delta)).map(Enough::Perhaps))
}

/// The answer, sentence by sentence.
pub fn answer(studies: &Studies) -> Vec<String> {
    let (Some(&largest), rows) = (studies.sizes.last(), &studies.rows) else { return vec![] };
    let mut modes: Vec<Mode> = vec![];
    for mode in rows.iter().filter(|row| row.study == Study::Progressive).filter_map(|row| row.mode) {
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    if let Some(sentence) = at_chance(studies, largest) {
        return vec![sentence];
    }
    let mut lines: Vec<String> = modes.iter().map(|&mode| depth(studies, largest, mode)).collect();
    lines.extend(studies.contrasts.iter().filter(|it| Some(&it.mode) == modes.first()).map(|it| contrast(it, studies)));
    lines.extend(studies.agreement.as_ref().map(curves));
    lines.extend(windows(studies, largest));
    lines.extend(order(studies, largest));
    lines.extend(controls(studies, largest));
    lines.extend(errors(studies, largest));
    lines
}

/// Where the whole network has learned nothing, nothing can be said of its parts.
fn at_chance(studies: &Studies, n: usize) -> Option<String> {
    let whole = find(&studies.rows, n, |row| row.study == Study::Unchanged)?;
    let (mean, chance) = (whole.mean?, studies.chance?);
    (mean <= chance + 2.0 * whole.judged_error?).then(|| {
        format!(
            "With {n} samples even the unchanged network is no better than naming the commonest class ({mean:.3} against \
             {chance:.3}): nothing can be said of its layers. Train longer (--steps), on more samples, or judge by --matthews."
        )
    })
}

fn depth(studies: &Studies, n: usize, mode: Mode) -> String {
    let (all, points) = (studies.blocks.len(), 100.0 * studies.delta);
    let what = match mode {
        Mode::Drop => "With the rest taken out",
        Mode::Normal => "With the rest starting anew",
        Mode::PaperCode => "With the rest starting anew as in the paper's code",
    };
    let row = |kept| find(&studies.rows, n, |row| row.kept == Some(kept) && row.mode == Some(mode));
    let saves = |kept| match row(kept).and_then(|row| row.cost_share) {
        Some(share) if mode == Mode::Drop => format!("; that saves {:.0}% of the forward pass", 100.0 * (1.0 - share)),
        _ => String::new(),
    };
    let loss = |kept| row(kept).map_or(String::new(), difference);
    let tried = |row: &&StudyRow| row.n == n && row.study == Study::Progressive && row.mode == Some(mode);
    if studies.rows.iter().filter(tried).all(|row| row.interval.is_none()) {
        return format!("{what}, nothing can be said with confidence: one seed gives no interval (--seeds 3 or more).");
    }
    match enough(&studies.rows, n, mode, studies.delta) {
        Some(Enough::Surely(0)) => {
            format!("{what}, none of the {all} blocks is needed for {n} samples: {}{}.", loss(0), saves(0))
        }
        Some(Enough::Surely(kept)) => {
            format!(
                "{what}, the first {kept} of {all} blocks are enough for {n} samples: {}{}.",
                loss(kept),
                saves(kept)
            )
        }
        Some(Enough::Perhaps(kept)) => format!(
            "{what}, {kept} of {all} blocks may be enough for {n} samples ({}), but {} can't show that the loss is below \
             {points:.1} points{}.",
            loss(kept),
            seeds(studies),
            saves(kept)
        ),
        None => format!("{what}, every depth that was tried loses more than {points:.1} points with {n} samples."),
    }
}

fn seeds(studies: &Studies) -> String {
    let count = studies.seeds.len();
    if count == 1 { "1 seed".to_owned() } else { format!("{count} seeds") }
}

/// A difference in points with its interval.
fn difference(row: &StudyRow) -> String {
    let interval = |[low, high]: [f64; 2]| format!(" [{:+.1}, {:+.1}]", 100.0 * low, 100.0 * high);
    let value = row.difference.map_or("no value".to_owned(), |value| format!("{:+.1} points", 100.0 * value));
    value + &row.interval.map_or(String::new(), interval)
}

fn contrast(it: &Contrast, studies: &Studies) -> String {
    let [few, many] = it.sizes;
    let interval = it.interval.map_or("one seed".to_owned(), |[low, high]| {
        format!("95% interval {:+.1} to {:+.1}", 100.0 * low, 100.0 * high)
    });
    let verdict = match it.interval {
        Some([low, _]) if low > 0.0 => "they matter less with little data",
        Some([_, high]) if high < 0.0 => "they matter more with little data",
        _ => "no difference between the sizes is shown",
    };
    let which = match it.kept {
        0 => format!("The blocks after the {} bring", studies.before),
        kept => format!("The blocks after the first {kept} bring"),
    };
    let points = 100.0 * it.mean;
    format!("{which} {points:+.1} points more with {many} samples than with {few} ({interval}): {verdict}.")
}

fn curves(it: &CurveAgreement) -> String {
    let interval = it.interval.map_or(String::new(), |[low, high]| format!(", 95% interval {low:.2} to {high:.2}"));
    match it.spearman {
        Some(value) => format!("Probes and training order the depths with a rank correlation of {value:.2}{interval}."),
        None => "Probes or training do not tell the depths apart.".to_owned(),
    }
}

fn windows(studies: &Studies, n: usize) -> Option<String> {
    let costs =
        |row: &&StudyRow| row.study == Study::Localised && row.n == n && row.changed.len() < studies.blocks.len();
    let inside = studies.rows.iter().filter(costs).filter(|row| row.name.ends_with("changed"));
    let worst = inside.min_by(|a, b| a.difference.unwrap_or(0.0).total_cmp(&b.difference.unwrap_or(0.0)))?;
    Some(format!("Of all windows the one whose change costs most: {} ({}).", worst.name, difference(worst)))
}

fn order(studies: &Studies, n: usize) -> Option<String> {
    let of_order: Vec<&StudyRow> =
        studies.rows.iter().filter(|row| row.study == Study::Order && row.n == n && row.difference.is_some()).collect();
    let lost = |start: &str| {
        let rows: Vec<&&StudyRow> = of_order.iter().filter(|row| row.name.starts_with(start)).collect();
        let surely = rows.iter().filter(|row| row.interval.is_some_and(|[_, high]| high < 0.0)).count();
        let mean = rows.iter().filter_map(|row| row.difference).sum::<f64>() / rows.len().max(1) as f64;
        (!rows.is_empty())
            .then(|| format!("{:+.1} points on average, {surely} of {} beyond chance", 100.0 * mean, rows.len()))
    };
    let parts = [("shuffled blocks", lost("shuffle")), ("neighbours exchanged", lost("swap"))];
    let said: Vec<String> = parts.into_iter().filter_map(|(what, lost)| Some(format!("{what}: {}", lost?))).collect();
    (!said.is_empty()).then(|| format!("Order: {}.", said.join("; ")))
}

/// Seeds without which nothing is said of a leak.
const LEAST_FOR_LEAK: usize = 3;

/// The control whose labels are shuffled.
pub const SHUFFLED: &str = "shuffled labels";

fn controls(studies: &Studies, n: usize) -> Vec<String> {
    let as_good = |row: &&StudyRow| {
        row.study == Study::Control && row.n == n && row.interval.is_some_and(|[_, high]| high >= 0.0)
    };
    let mut lines: Vec<String> = studies
        .rows
        .iter()
        .filter(as_good)
        .map(|row| {
            format!("The control `{}` is not surely worse than the whole network: {}.", row.name, difference(row))
        })
        .collect();
    lines.extend(studies.rows.iter().filter(|row| row.name == SHUFFLED).filter_map(|row| leak(row, studies.chance?)));
    lines
}

/// Few labels in random order agree with the true ones a little by chance, one way or the other; over several seeds they
/// must not.
fn leak(row: &StudyRow, chance: f64) -> Option<String> {
    let above: Vec<f64> = row.values.iter().map(|value| Some((*value)? - chance)).collect::<Option<_>>()?;
    let found = paired::mean(&above).filter(|_| above.len() >= LEAST_FOR_LEAK)?;
    (found.interval?[0] > 0.0 && found.mean > 3.0 * row.judged_error?).then(|| {
        let [mean, chance] = [found.mean + chance, chance].map(|value| 100.0 * value);
        format!(
            "Trained on shuffled labels it still reaches {mean:.1}%, above {chance:.1}%: labels leak into the samples."
        )
    })
}

/// What was written and what it saves, in a sentence. It speaks of measured times, and so is no part of the answer.
pub fn exported(it: &Exported) -> String {
    let value = it.value.map_or(String::new(), |value| format!(", which reaches {value:.3} on the judged samples"));
    let saves = match (it.timing, it.cost_share) {
        (Some([whole, short]), _) => {
            format!("; a sample takes {short:.2} ms in place of {whole:.2}, {:.0}% less", 100.0 * (1.0 - short / whole))
        }
        (None, Some(share)) => format!("; it needs {:.0}% of the multiply-adds", 100.0 * share),
        (None, None) => String::new(),
    };
    format!("{}: the first {} blocks, tuned{value}{saves}.", it.folder, it.kept)
}

fn errors(studies: &Studies, n: usize) -> Option<String> {
    let row = find(&studies.rows, n, |row| row.study == Study::Unchanged)?;
    let error = row.judged_error?;
    Some(format!(
        "A single value is known to ±{:.1} points (standard error) from {} judged samples; the intervals are over {}, which share them.",
        100.0 * error,
        studies.judged,
        seeds(studies)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    fn with(kept: usize, difference: f64, interval: [f64; 2]) -> StudyRow {
        StudyRow { difference: Some(difference), interval: Some(interval), ..row(Some(kept), 100, &[0.8, 0.8]) }
    }

    #[test]
    fn enough_is_the_smallest_depth_that_is_so_with_confidence_never_the_best() {
        let sure = with(4, -0.002, [-0.008, 0.004]);
        let rows = [with(0, -0.2, [-0.3, -0.1]), with(2, -0.02, [-0.05, 0.01]), sure, with(5, 0.01, [0.0, 0.02])];
        assert_eq!(enough(&rows, 100, Mode::Normal, 0.01), Some(Enough::Surely(4)));
        assert_eq!(enough(&rows[..2], 100, Mode::Normal, 0.01), Some(Enough::Perhaps(2)));
        assert_eq!(enough(&rows[..1], 100, Mode::Normal, 0.01), None);
        assert_eq!(enough(&rows, 100, Mode::Drop, 0.01), None);
    }

    #[test]
    fn labels_that_leak_are_reported() {
        let shuffled = |values: &[f64]| row(None, 100, values);
        assert!(leak(&shuffled(&[0.8, 0.82, 0.79]), 0.5).unwrap().contains("leak"));
        assert_eq!(leak(&shuffled(&[0.56, 0.44, 0.61]), 0.5), None);
        assert_eq!(leak(&shuffled(&[0.8]), 0.5), None);
    }
}

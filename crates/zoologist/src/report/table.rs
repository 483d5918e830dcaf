//! A result as a table for the terminal.
//!
//! Plain text without colours. With a width, a table that would be too wide first puts each interval under its
//! value and then wraps names and remarks; without one nothing is wrapped (output to a file or a pipe).

use std::ops::Range;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};

use super::rows::{self, Cell, Row};
use super::words::{self, NOTHING, Scale};
use crate::base::{Task, path_text::escape};
use crate::rank::usage::Usage;
use crate::rank::{ModelStatus, Ranking, Skipped, Truth};
use crate::score::{Null, Score};

/// How many skipped samples are named.
const NAMED: usize = 3;

/// The padding of a cell, left and right; [`GAP`] is the space that it makes between columns.
const PADDING: (u16, u16) = (0, 1);
const GAP: usize = 2;

/// Below this width the numbers alone fill a line, and the terminal may wrap as it likes.
const NARROWEST: u16 = 60;

const TIE: &str = "= may be no better than the model below it: the 95% interval of their difference contains 0.";

/// How a model's row is laid out.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// On one line.
    Wide,
    /// On two: the interval under its value, the remarks under the name.
    Stacked,
}

impl Layout {
    /// What stands between a value and its interval.
    fn gap(self) -> &'static str {
        match self {
            Self::Wide => " ",
            Self::Stacked => "\n",
        }
    }
}

/// What a race spared, where there was one.
fn race(ranking: &Ranking) -> Option<String> {
    let passes = ranking.passes;
    let share = |spent: u64, full: u64| 100.0 * spent as f64 / full.max(1) as f64;
    let stopped = ranking.models.iter().filter(|model| model.status == ModelStatus::Eliminated).count();
    (stopped > 0).then(|| {
        format!(
            "A race that ended at {} of {} samples; {stopped} stopped because they can't win. It spent {:.0}% of the multiply-adds of all models on all samples \
             ({:.0}% without the baselines); --budget full spends all.",
            words::count(ranking.models.iter().map(|model| model.n_seen).max().unwrap_or_default()),
            words::count(ranking.data.n),
            share(passes.spent, passes.full),
            share(passes.spent_by_models, passes.full_of_models)
        )
    })
}

/// A ranking: the table, failures, skipped samples, agreement with the truth, the verdict and the advice.
/// `width` is that of the terminal, in columns.
pub fn ranking(ranking: &Ranking, width: Option<u16>) -> String {
    let rows = rows::rows(ranking);
    let tie = rows.iter().any(|row| row.ties_next).then(|| paragraph(TIE, width));
    let race = race(ranking).map(|sentence| paragraph(&sentence, width));
    let failures = rows::failures(ranking);
    let verdict: Vec<String> = ranking.verdict.lines().map(|line| paragraph(&escape(line), width)).collect();
    let advice: Vec<String> = ranking.advice.iter().map(|advice| escape(advice)).collect();
    let parts = [
        [models(ranking, &rows, width)].into_iter().chain(tie).chain(race).collect(),
        list(
            &format!("Failed ({}):", failures.len()),
            failures.iter().map(|(name, reason)| format!("{name}: {reason}")),
            width,
        ),
        skipped(&ranking.skipped, width),
        ranking.truth.as_ref().map(|truth| agreement(truth, width)).unwrap_or_default(),
        ranking.usage.as_ref().map(|found| usage(found, width)).unwrap_or_default(),
        verdict.concat(),
        list("What to do next:", advice.into_iter(), width),
    ];
    parts.into_iter().filter(|part: &String| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The scores of one feature matrix. `width` is that of the terminal, in columns.
pub fn scores(scores: &[Score], task: Task, width: Option<u16>) -> String {
    let with_null = scores.iter().any(|score| score.null.is_some());
    let mut header = vec!["Metric", "Value", "95% interval"];
    header.extend(with_null.then_some("Permuted labels"));
    let numbers = 1..header.len();
    header.extend(["Status", "Note"]);
    let mut table = new_table(&header, numbers);
    for score in scores {
        let scale = Scale::of(&score.metric, task);
        let null = |null: &Null| format!("{} ± {}", scale.write(null.mean), scale.write(null.deviation));
        let mut row = vec![
            escape(words::metric_name(&score.metric)),
            score.value.map_or_else(|| NOTHING.to_owned(), |value| scale.write(value)),
            score.interval.map_or_else(|| NOTHING.to_owned(), |interval| scale.write_interval(interval)),
        ];
        row.extend(with_null.then(|| score.null.as_ref().map_or_else(|| NOTHING.to_owned(), null)));
        let gain = score.gain.map(|gain| format!("gain {gain:.3} nats per sample over using no features"));
        let parts = score.parts.iter().map(|(name, value)| format!("{} {value:.4}", escape(name)));
        let remarks = gain.into_iter().chain(score.note.as_deref().map(escape)).chain(parts).collect::<Vec<_>>();
        row.extend([words::status(score.status).to_owned(), remarks.join("; ")]);
        table.add_row(row);
    }
    finish(table, width)
}

fn models(ranking: &Ranking, rows: &[Row], width: Option<u16>) -> String {
    let table = models_table(ranking, rows, Layout::Wide);
    let fits = width.is_none_or(|width| natural_width(&table) <= usize::from(width));
    finish(if fits { table } else { models_table(ranking, rows, Layout::Stacked) }, width)
}

fn models_table(ranking: &Ranking, rows: &[Row], layout: Layout) -> Table {
    let order = escape(words::metric_name(&ranking.metric)) + layout.gap() + "[95% interval]";
    let mut header = vec!["", "Model", &order];
    header.extend(rows::metrics(ranking).iter().skip(1).map(|metric| words::metric_name(metric)));
    header.extend(["Dim", "Samples\nper s"]);
    let numbers = 3..header.len();
    if layout == Layout::Wide {
        header.push("Remarks");
    }
    let mut table = new_table(&header, numbers);
    keep_width(&mut table, [0, 2]);
    for row in rows {
        table.add_row(cells(row, layout));
    }
    table
}

fn cells(row: &Row, layout: Layout) -> Vec<String> {
    let order =
        |cell: &Cell| cell.interval.iter().fold(cell.value.clone(), |text, interval| text + layout.gap() + interval);
    let place = if row.ties_next { format!("{} =", row.place) } else { row.place.clone() };
    let baseline = row.baseline.then_some("baseline");
    let remarks = baseline.into_iter().chain(row.remarks.iter().map(String::as_str)).collect::<Vec<_>>().join("; ");
    let under_name =
        if layout == Layout::Stacked && !remarks.is_empty() { format!("\n- {remarks}") } else { String::new() };
    let mut cells = vec![place, row.name.clone() + &under_name];
    cells.extend(row.cells.first().map(order));
    cells.extend(row.cells.iter().skip(1).map(|cell| cell.value.clone()));
    cells.extend([row.dim.clone(), row.rate.clone()]);
    cells.extend((layout == Layout::Wide).then_some(remarks));
    cells
}

fn skipped(skipped: &[Skipped], width: Option<u16>) -> String {
    let named =
        skipped.iter().take(NAMED).map(|sample| format!("{}: {}", escape(&sample.path), escape(&sample.reason)));
    let rest = skipped.len().saturating_sub(NAMED);
    let more = (rest > 0).then(|| format!("and {} more: --json names them all", words::count(rest)));
    list(&format!("Skipped ({}):", words::count(skipped.len())), named.chain(more), width)
}

fn agreement(truth: &Truth, width: Option<u16>) -> String {
    let write = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.2}"));
    let title = format!("Agreement with the truth ({}, n = {}):", escape(&truth.kind), words::count(truth.n));
    let lines = truth.agreement.iter().map(|agreement| {
        let name = escape(words::metric_name(&agreement.metric));
        let interval = agreement.interval.map_or(String::new(), |[low, high]| format!(" [{low:.2} to {high:.2}]"));
        let regret =
            agreement.regret.map_or(String::new(), |regret| format!(", its choice loses {:.1} points", 100.0 * regret));
        let all = match agreement.with_baselines {
            Some(all) if agreement.models != Some(all) => format!(", with the baselines {all:.2}"),
            _ => String::new(),
        };
        format!("{name}: tau_w {}{interval}{all}{regret}", write(agreement.models))
    });
    let models = truth
        .models
        .iter()
        .filter_map(|model| Some(format!("{}: {:.1}%", escape(&model.name), 100.0 * model.accuracy?)));
    let missing = truth.not_covered.iter().map(|it| format!("{}: {}", escape(&it.path), escape(&it.reason)));
    let cost = truth.timing.truth_seconds.zip(truth.timing.ratio).map_or(String::new(), |(seconds, ratio)| {
        paragraph(
            &format!(
                "Selecting among these {} took {}, tuning them all {}: {ratio:.0} times as long.",
                words::things(truth.models.len(), "model"),
                words::seconds(truth.timing.selection_seconds),
                words::seconds(seconds)
            ),
            width,
        )
    });
    let tuned = if truth.timing.truth_seconds.is_some() { list("Tuned:", models, width) } else { String::new() };
    [list(&title, lines, width), tuned, list("Without this truth:", missing, width), cost].concat()
}

/// How to use the best model: the advice, the rules with what was measured, and what was run to confirm it.
fn usage(found: &Usage, width: Option<u16>) -> String {
    let rules = found
        .rules
        .iter()
        .map(|rule| format!("{} {}: {}", rule.question, words::answer(rule.holds), escape(&rule.measured)));
    let runs = found.confirmed.iter().map(|run| format!("{}: {}", run.way, words::confirmed(run)));
    [
        paragraph(&format!("How to use {}: {}", escape(&found.model), found.advice), width),
        list("Why:", rules, width),
        list("Confirmed on held-out samples:", runs, width),
    ]
    .concat()
}

/// A title and its items, or nothing where there are no items.
pub(super) fn list(title: &str, items: impl Iterator<Item = String>, width: Option<u16>) -> String {
    let mut table = bare_table();
    table.add_rows(items.map(|item| ["-".to_owned(), item]));
    if table.is_empty() {
        return String::new();
    }
    paragraph(title, width) + &finish(table, width)
}

pub(super) fn paragraph(text: &str, width: Option<u16>) -> String {
    let mut table = bare_table();
    table.add_row([text]);
    finish(table, width)
}

/// A table without lines.
fn bare_table() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).force_no_tty();
    table
}

/// A table with a rule under its header; the columns in `numbers` stand to the right and keep their width.
pub(super) fn new_table(header: &[&str], numbers: Range<usize>) -> Table {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(rule)).force_no_tty().set_header(header.to_vec());
    for number in numbers.clone() {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    keep_width(&mut table, numbers);
    table
}

/// Columns that are never wrapped.
fn keep_width(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// How wide the table is if nothing is wrapped.
fn natural_width(table: &Table) -> usize {
    table.column_max_content_widths().into_iter().map(|width| usize::from(width) + GAP).sum()
}

pub(super) fn finish(mut table: Table, width: Option<u16>) -> String {
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(NARROWEST)),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.column_iter_mut().for_each(|column| {
        column.set_padding(PADDING);
    });
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::score::Status;

    #[test]
    fn a_ranking_is_readable_at_full_width() {
        insta::assert_snapshot!(ranking(&sample::ranking(), None));
    }

    #[test]
    fn a_ranking_is_readable_at_80_columns() {
        insta::assert_snapshot!(ranking(&sample::ranking(), Some(80)));
    }

    #[test]
    fn a_ranking_without_tie_failure_skip_or_advice_says_nothing_of_them() {
        let mut plain = sample::ranking();
        plain.models.retain(|model| !model.ties_next && model.error.is_none());
        plain.skipped.clear();
        plain.advice.clear();
        plain.truth = Some(sample::truth());
        insta::assert_snapshot!(ranking(&plain, None));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [80, 100, 140] {
            let text = ranking(&sample::ranking(), Some(width));
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(usize::from(width)), "{widest:?} > {width}:\n{text}");
        }
    }

    #[test]
    fn a_terminal_of_any_width_gets_every_model() {
        for width in [0, 1, 7, 40, u16::MAX] {
            let text = ranking(&sample::ranking(), Some(width));
            assert_eq!(
                text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count(),
                7,
                "{width}:\n{text}"
            );
        }
    }

    #[test]
    fn a_ranking_of_nothing_is_still_text() {
        let mut nothing = sample::ranking();
        nothing.models.clear();
        assert!(ranking(&nothing, Some(80)).contains("[95% interval]"));
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let text = ranking(&sample::ranking(), None);
        assert!(text.contains("\\u{1b}[31m"));
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    }

    #[test]
    fn three_skipped_samples_need_no_more() {
        let mut three = sample::ranking();
        three.skipped = sample::skipped(3);
        let text = ranking(&three, None);
        assert!(text.contains("Skipped (3):") && !text.contains("--json"));
    }

    #[test]
    fn a_tie_is_marked_in_the_row_that_ties_with_the_next_and_explained() {
        let text = ranking(&sample::ranking(), None);
        assert!(text.contains("\n2 =  efficientnet-lite4"));
        assert_eq!(text.matches("= may be no better").count(), 1);
    }

    #[test]
    fn accuracies_are_percentages_in_classification_alone() {
        let text = ranking(&Ranking { task: Task::Regression, ..sample::ranking() }, None);
        assert!(text.contains(" 0.931 ") && !text.contains("93.1%"));
    }

    #[test]
    fn scores_say_why_there_is_no_value() {
        let too_large =
            Score { note: Some("needs 80 GiB".to_owned()), ..sample::score("sfda", None, Status::TooLarge) };
        let all = [
            sample::score("logme", Some(0.3408), Status::Ok),
            sample::score("knn", Some(0.912), Status::Saturated),
            too_large,
        ];
        insta::assert_snapshot!(scores(&all, Task::Classification, Some(80)));
    }
}

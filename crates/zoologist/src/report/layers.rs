//! What a model's layers are worth: as text, and as one HTML page with the curve.

use askama::Template;

use super::chart::{self, Bar};
use super::studies;
use super::table::{finish, list, new_table, paragraph};
use super::words::{self, NOTHING};
use crate::base::Task;
use crate::base::path_text::{escape, show};
use crate::layers::studies::{Studies, exported};
use crate::layers::{LayerList, LayerRow, LayerStudy};

/// How many skipped samples are named.
const NAMED: usize = 3;

/// The layers of a model, one a line. `width` is that of the terminal, in columns.
pub fn list_of(found: &LayerList, width: Option<u16>) -> String {
    let mut table = new_table(&["", "Layer", "Dim", "Cost share"], 2..4);
    for layer in &found.layers {
        table.add_row([layer.index.to_string(), escape(&layer.name), layer.dim.to_string(), percent(layer.cost_share)]);
    }
    let runtime = found.runtime.as_deref().map_or(String::new(), |runtime| format!(", by {}", escape(runtime)));
    let count = words::things(found.layers.len(), "layer");
    paragraph(&format!("{}: {count}{runtime}", escape(&found.model)), width) + &finish(table, width)
}

/// A study: the table, what was skipped, the verdict. `width` is that of the terminal, in columns.
pub fn study(study: &LayerStudy, width: Option<u16>) -> String {
    let header =
        ["", "Layer", "Probe [95% interval]", "LogME", "Effective\nrank", "Block\ninfluence", "Cost\nshare", "Remarks"];
    let mut table = new_table(&header, 3..7);
    for row in &study.layers {
        table.add_row(cells(row, study.data.task));
    }
    let skipped =
        study.skipped.iter().take(NAMED).map(|(path, reason)| format!("{}: {}", escape(path), escape(reason)));
    let rest = study.skipped.len().saturating_sub(NAMED);
    let more = (rest > 0).then(|| format!("and {} more: --json names them all", words::count(rest)));
    let verdict: Vec<String> = study.verdict.lines().map(|line| paragraph(line, width)).collect();
    let trained = study.studies.as_ref().map_or(String::new(), |found| studies::text(found, width));
    let parts = [
        paragraph(&summary(study), width),
        finish(table, width),
        list(&format!("Skipped ({}):", words::count(study.skipped.len())), skipped.chain(more), width),
        verdict.concat(),
        trained,
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn summary(study: &LayerStudy) -> String {
    let classes = match study.data.task {
        Task::Classification => format!("{} classes", words::count(study.data.classes)),
        Task::Multilabel => words::things(study.data.classes, "label"),
        Task::Regression => "regression".to_owned(),
    };
    format!(
        "{} on {}: {} samples ({}), {classes}; probe: {}; features: {}.",
        escape(&study.model),
        show(&study.data.path),
        words::count(study.data.n),
        study.data.split,
        study.probe,
        escape(&study.features_from)
    )
}

fn cells(row: &LayerRow, task: Task) -> [String; 8] {
    let number = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.decimals$}"))
    };
    let remarks = row.control.then(|| "control".to_owned()).into_iter().chain(row.note.as_deref().map(escape));
    [
        row.index.map_or(String::new(), |index| index.to_string()),
        escape(&row.name),
        probe(row, task),
        number(row.logme, 4),
        number(row.effective_rank, 1),
        number(row.block_influence, 3),
        percent(row.cost_share),
        remarks.collect::<Vec<_>>().join("; "),
    ]
}

fn probe(row: &LayerRow, task: Task) -> String {
    let write = |value: f64| {
        if task == Task::Classification { format!("{:.1}%", 100.0 * value) } else { format!("{value:.3}") }
    };
    let interval = row.interval.map_or(String::new(), |[low, high]| format!(" [{}, {}]", write(low), write(high)));
    row.probe.map_or_else(|| NOTHING.to_owned(), |value| format!("{}{interval}", write(value)))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| NOTHING.to_owned(), |share| format!("{:.0}%", 100.0 * share))
}

#[derive(Template)]
#[template(path = "layers.html")]
struct Page {
    model: String,
    data: String,
    summary: String,
    verdict: Vec<String>,
    curve: String,
    rows: Vec<[String; 8]>,
    studies: Option<StudiesPart>,
    skipped: Vec<(String, String)>,
    colours: [(&'static str, String); 5],
    version: &'static str,
}

/// What the page says of trainings.
struct StudiesPart {
    answer: Vec<String>,
    summary: String,
    curves: Option<String>,
    rows: Vec<[String; 6]>,
    gave_up: Vec<String>,
}

fn studies_part(found: &Studies) -> Result<StudiesPart, askama::Error> {
    Ok(StudiesPart {
        answer: found.answer.iter().cloned().chain(found.export.as_ref().map(exported)).collect(),
        summary: studies::summary(found),
        curves: studies::curves(found).map_err(askama::Error::custom)?,
        rows: found.rows.iter().map(studies::cells).collect(),
        gave_up: found.gave_up.iter().map(|what| escape(what)).collect(),
    })
}

/// A study as one page that holds everything and asks for nothing; equal studies give equal bytes.
///
/// # Errors
/// None that a study can cause: the template and the picture are written to memory.
pub fn page(study: &LayerStudy) -> Result<String, askama::Error> {
    let bars: Vec<Bar> = study.layers.iter().map(|row| bar(row, study.data.task)).collect();
    let title = if study.data.task == Task::Classification { "held-out accuracy" } else { "held-out R²" };
    let page = Page {
        model: escape(&study.model),
        data: show(&study.data.path),
        summary: summary(study),
        verdict: study.verdict.lines().map(str::to_owned).collect(),
        curve: chart::bars(title, 0.0, &bars).map_err(askama::Error::custom)?,
        rows: study.layers.iter().map(|row| cells(row, study.data.task)).collect(),
        studies: study.studies.as_ref().map(studies_part).transpose()?,
        skipped: study.skipped.iter().map(|(path, reason)| (escape(path), escape(reason))).collect(),
        colours: chart::colours(),
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(page.render()? + "\n")
}

fn bar(row: &LayerRow, task: Task) -> Bar {
    let text = match row.probe {
        Some(value) if task == Task::Classification => format!("{:.1}%", 100.0 * value),
        Some(value) => format!("{value:.3}"),
        None => NOTHING.to_owned(),
    };
    Bar { label: row.name.clone(), baseline: row.control, end: row.probe, whisker: row.interval, text }
}

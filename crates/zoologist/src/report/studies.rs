//! The studies that train: as text, and as parts of the page of a model's layers.

use super::chart;
use super::curves::{self, Curve, Point};
use super::table::{finish, list, new_table, paragraph};
use super::words::{self, NOTHING};
use crate::base::path_text::escape;
use crate::layers::studies::{Studies, Study, StudyRow, exported};

/// The heads of the columns.
pub const HEADER: [&str; 6] =
    ["Samples", "Network", "Changed blocks", "Value", "Less unchanged [95% interval]", "Cost\nshare"];

/// The studies: what was run, the table, the answer. `width` is that of the terminal, in columns.
pub fn text(studies: &Studies, width: Option<u16>) -> String {
    let mut table = new_table(&HEADER, 3..6);
    for row in &studies.rows {
        table.add_row(cells(row));
    }
    let written = studies.export.as_ref().map(exported);
    let answer: Vec<String> = studies.answer.iter().chain(&written).map(|line| paragraph(line, width)).collect();
    let impossible = studies.impossible.iter().map(|(name, reason)| format!("{}: {}", escape(name), escape(reason)));
    let parts = [
        paragraph(&summary(studies), width),
        finish(table, width),
        list("Given up:", studies.gave_up.iter().map(|what| escape(what)), width),
        list("Not possible with this network:", impossible, width),
        answer.concat(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// How the runs were made, in a sentence or two.
pub fn summary(studies: &Studies) -> String {
    let training = &studies.training;
    let tokens = training.tokens.map_or(String::new(), |tokens| format!(", texts cut to {tokens} tokens"));
    let frozen = if training.freezes_kept { "; the blocks that are kept stay frozen" } else { "" };
    format!(
        "Trained {} steps of {} samples at {:.0e}{tokens}{frozen}; {}; judged by {} samples: {}. Value: {}, the mean over the seeds.",
        words::count(training.steps),
        training.batch,
        training.learning_rate,
        words::things(studies.seeds.len(), "seed"),
        words::count(studies.judged),
        studies.judged_on,
        studies.metric
    )
}

/// One row of the table.
pub fn cells(row: &StudyRow) -> [String; 6] {
    let mode = row.mode.map_or(String::new(), |mode| mode.to_string());
    let interval = |[low, high]: [f64; 2]| format!(" [{low:+.3}, {high:+.3}]");
    let difference = row.difference.map(|value| format!("{value:+.3}{}", row.interval.map_or(String::new(), interval)));
    [
        words::count(row.n),
        escape(&row.name),
        mode,
        row.mean.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.3}")),
        difference.unwrap_or_default(),
        row.cost_share.map_or_else(|| NOTHING.to_owned(), |share| format!("{:.0}%", 100.0 * share)),
    ]
}

/// The progressive curves of every size and mode, and beside them that of the probes.
pub fn curves(studies: &Studies) -> Result<Option<String>, chart::Fault> {
    let blocks = studies.blocks.len();
    let mut curves: Vec<Curve> = vec![];
    let progressive = studies.rows.iter().filter(|row| row.study == Study::Progressive);
    for row in progressive {
        let name =
            format!("{}, {} samples", row.mode.map_or(String::new(), |mode| mode.to_string()), words::count(row.n));
        let place = curves.iter().position(|curve| curve.name == name).unwrap_or(curves.len());
        if place == curves.len() {
            let whole = studies.rows.iter().find(|it| it.study == Study::Unchanged && it.n == row.n);
            let end = whole.and_then(|whole| point(blocks, whole));
            curves.push(Curve { name, is_probe: false, points: end.into_iter().collect() });
        }
        curves[place].points.extend(row.kept.and_then(|kept| point(kept, row)));
    }
    if let Some(agreement) = &studies.agreement {
        let points = agreement.kept.iter().zip(&agreement.probe);
        let points = points.map(|(&kept, &value)| Point { x: kept as f64, y: value, whisker: None }).collect();
        curves.push(Curve { name: "probe of that layer".to_owned(), is_probe: true, points });
    }
    curves.iter_mut().for_each(|curve| curve.points.sort_by(|a, b| a.x.total_cmp(&b.x)));
    let axes = ["blocks kept", studies.metric];
    if curves.is_empty() { Ok(None) } else { curves::curves(axes, &curves).map(Some) }
}

fn point(kept: usize, row: &StudyRow) -> Option<Point> {
    let mean = row.mean?;
    let whisker =
        row.interval.zip(row.difference).map(|([low, high], middle)| [mean + low - middle, mean + high - middle]);
    Some(Point { x: kept as f64, y: mean, whisker })
}

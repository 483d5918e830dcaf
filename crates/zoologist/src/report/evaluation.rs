//! How scores agree with the truth, as text for the terminal.

use comfy_table::Table;

use super::table::{finish, list, new_table, paragraph};
use super::words::{self, NOTHING};
use crate::base::path_text::escape;
use crate::evaluate::{Figure, Findings, Kind, Row};

/// The means of each score and baseline, the weighted Kendall correlation on each data set, the verdict and the notes.
/// `width` is that of the terminal, in columns.
pub fn evaluation(findings: &Findings, width: Option<u16>) -> String {
    let (models, datasets) = (findings.models, findings.datasets.len());
    let title = format!(
        "{} on {}; intervals: 95%, {} bootstrap draws. Regrets are lost accuracy.",
        words::things(models, "model"),
        words::things(datasets, "data set"),
        words::count(findings.draws)
    );
    let verdict: Vec<String> = findings.verdict.lines().map(|line| paragraph(line, width)).collect();
    let parts = [
        paragraph(&title, width),
        finish(means(&findings.scores), width),
        if datasets > 1 { finish(by_dataset(findings), width) } else { String::new() },
        verdict.concat(),
        list("Without value:", without_value(findings).into_iter(), width),
        list("Notes:", findings.notes.iter().map(|note| escape(note)), width),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn means(rows: &[Row]) -> Table {
    let header = [
        "Score",
        "Weighted Kendall",
        "Kendall",
        "Pearson",
        "Spearman",
        "Regret\ntop 1",
        "Regret\ntop 3",
        "Beats\nstatic",
    ];
    let mut table = new_table(&header, 1..header.len());
    for row in rows {
        let mean = &row.mean;
        let others = [mean.kendall, mean.pearson, mean.spearman].map(|figure| number(figure.value, 2));
        let regrets = [mean.regret_top1, mean.regret_top3].map(|figure| number(figure.value, 3));
        let beats = row
            .against_static
            .map_or_else(|| NOTHING.to_owned(), |found| format!("{} of {}", found.better_on, found.of));
        let cells = [name(row), with_interval(mean.weighted_kendall)].into_iter().chain(others).chain(regrets);
        table.add_row(cells.chain([beats]));
    }
    table
}

fn by_dataset(findings: &Findings) -> Table {
    let names: Vec<String> = findings.scores.iter().map(name).collect();
    let header: Vec<&str> = ["Weighted Kendall on", "n"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut table = new_table(&header, 1..header.len());
    for (place, dataset) in findings.datasets.iter().enumerate() {
        let n = findings.scores.first().map_or(0, |row| row.datasets[place].n);
        let cells = findings.scores.iter().map(|row| number(row.datasets[place].figures.weighted_kendall.value, 2));
        table.add_row([escape(dataset), words::count(n)].into_iter().chain(cells));
    }
    table
}

fn without_value(findings: &Findings) -> Vec<String> {
    let reason = |row: &Row| {
        let found: Vec<String> = row
            .datasets
            .iter()
            .filter_map(|on| Some(format!("{} on {}: {}", name(row), escape(&on.dataset), on.reason.as_ref()?)))
            .collect();
        found
    };
    findings.scores.iter().flat_map(reason).collect()
}

fn name(row: &Row) -> String {
    match row.kind {
        Kind::Score => escape(&row.name),
        Kind::Static => "(static list)".to_owned(),
        Kind::Size => format!("(size: {})", escape(&row.name)),
    }
}

fn with_interval(figure: Figure) -> String {
    let interval = figure.interval.map_or_else(String::new, |[low, high]| format!(" [{low:.2}, {high:.2}]"));
    number(figure.value, 2) + &interval
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::evaluation;
    use crate::base::Seed;
    use crate::data::results::{OfDataset, OfModel, Results};
    use crate::evaluate::findings;
    use crate::score::agreement::Draws;

    fn results() -> Results {
        let accuracies = [[0.91, 0.62], [0.88, 0.57], [0.93, 0.66], [0.79, 0.6]];
        let scores = [[0.4, -1.2], [0.5, -1.2], [0.7, -1.2], [0.1, -1.2]];
        let model = |dataset: usize, model: usize| OfModel {
            model,
            accuracy: Some(accuracies[model][dataset]),
            scores: vec![Some(scores[model][0]), Some(scores[model][1])],
            size: (model != 3 || dataset == 0).then_some(model as f64),
        };
        let dataset = |place: usize, name: &str| OfDataset {
            name: name.to_owned(),
            models: (0..4).map(|number| model(place, number)).collect(),
        };
        Results {
            models: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            scores: vec!["logme".to_owned(), "\u{1b}[31mconstant".to_owned()],
            size: Some("params".to_owned()),
            datasets: vec![dataset(0, "pets"), dataset(1, "cars")],
            notes: vec!["columns: as named".to_owned()],
        }
    }

    #[test]
    fn an_evaluation_is_readable() {
        insta::assert_snapshot!(evaluation(&findings(&results(), Draws { count: 200, seed: Seed(0) }), None));
    }

    #[test]
    fn names_cannot_move_the_cursor_and_a_narrow_terminal_gets_every_score() {
        let text = evaluation(&findings(&results(), Draws { count: 20, seed: Seed(0) }), Some(60));
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        assert!(text.contains("logme") && text.contains("params"), "{text}");
    }
}

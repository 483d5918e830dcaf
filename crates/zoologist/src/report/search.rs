//! Searches of a table, as text for the terminal.

use super::table::{finish, new_table, paragraph};
use super::words::{self, NOTHING};
use crate::base::path_text::{escape, show};
use crate::tabular::{Comparison, Mean, Part};

/// Every part as a table. `width` is that of the terminal, in columns.
pub fn comparison(found: &Comparison, width: Option<u16>) -> String {
    let title = format!(
        "{}: {} rows, {} choices, {} possible; {} per method. Means ± standard errors over the seeds.",
        show(&found.table),
        words::count(found.rows),
        found.choices.len(),
        words::count(usize::try_from(found.possible).unwrap_or(usize::MAX)),
        words::things(found.seeds, "seed")
    );
    let parts = found.parts.iter().map(|part| part_of(part, &found.against, width));
    [paragraph(&title, width)].into_iter().chain(parts).collect::<Vec<_>>().join("\n")
}

fn part_of(part: &Part, against: &str, width: Option<u16>) -> String {
    let title = format!(
        "{} evaluations of {}, judged by {}: the best possible is {:.3}; the one that is best by {} is worth {:.3}.",
        words::count(part.budget),
        escape(&part.search),
        escape(&part.report),
        part.best_possible,
        escape(&part.search),
        part.best_by_search
    );
    let than = format!("Less {against}");
    let header = ["Method", "Best seen", "Most probable", "Better of\nthe two", "Entropy", than.as_str()];
    let mut table = new_table(&header, 1..header.len());
    for row in &part.methods {
        let cell = |mean: Option<Mean>, decimals: usize| {
            mean.map_or_else(|| NOTHING.to_owned(), |mean| format!("{:.decimals$} ± {:.3}", mean.value, mean.error))
        };
        table.add_row([
            row.method.clone(),
            cell(Some(row.best_seen), 2),
            cell(row.most_probable, 2),
            cell(row.checked, 2),
            cell(row.entropy, 2),
            if row.method == against { String::new() } else { cell(Some(row.difference), 3) },
        ]);
    }
    paragraph(&title, width) + &finish(table, width)
}

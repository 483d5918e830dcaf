//! A search of a recipe, as text for the terminal.

use super::table::{finish, new_table, paragraph};
use super::words::{self, NOTHING};
use crate::base::path_text::{escape, show};
use crate::rank::recipes::{Factor, OptionOfFactor, Race, RecipeSearch};

/// What was found, what mattered, and, where it was asked for, the methods against each other. `width` is that of the
/// terminal, in columns.
pub fn search(found: &RecipeSearch, width: Option<u16>) -> String {
    let data = &found.data;
    let summary = format!(
        "{}: {} learned from, {} compared on, {} judge: {}. {} by {} for {:.2} of {:.2} full evaluations.",
        show(&data.path),
        words::count(data.learned),
        words::count(data.validation),
        words::count(data.judged),
        data.judged_on,
        words::things(found.tried.len(), "evaluation"),
        found.method,
        found.spent,
        found.budget
    );
    let answer: Vec<String> = found.answer.iter().map(|line| paragraph(line, width)).collect();
    let race = found.race.as_ref().map(|race| standings(race, width)).unwrap_or_default();
    let parts = [paragraph(&summary, width), answer.concat(), factors(found, width), race];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn factors(found: &RecipeSearch, width: Option<u16>) -> String {
    let header = ["Factor", "Option", "Tried", "Gain, points [95% interval]", "Prior or\nlearned"];
    let mut table = new_table(&header, 2..header.len());
    for (number, factor) in found.mattered.iter().enumerate() {
        for (place, option) in factor.options.iter().enumerate() {
            let prior = if number == 0 { found.prior.get(place).map(|prior| prior.probability) } else { None };
            table.add_row(row(factor, option, prior));
        }
    }
    finish(table, width)
}

fn row(factor: &Factor, option: &OptionOfFactor, prior: Option<f64>) -> [String; 5] {
    let interval = |[low, high]: [f64; 2]| format!(" [{:+.1}, {:+.1}]", 100.0 * low, 100.0 * high);
    let gain =
        option.gain.map(|gain| format!("{:+.1}{}", 100.0 * gain, option.interval.map_or(String::new(), interval)));
    let probability = option.probability.or(prior);
    [
        factor.name.clone(),
        escape(&option.name),
        words::count(option.tried),
        gain.unwrap_or_else(|| NOTHING.to_owned()),
        probability.map_or_else(String::new, |probability| format!("{probability:.2}")),
    ]
}

fn standings(race: &Race, width: Option<u16>) -> String {
    let title = format!(
        "All {} recipes: the best is worth {:.3}, the mean one {:.3}; standard error of one accuracy {:.3}. Regret over {}:",
        words::count(race.recipes),
        race.best,
        race.mean,
        race.error,
        words::things(race.seeds, "seed")
    );
    let header = ["Method", "Prior", "Budget", "Spent", "Regret, points"];
    let mut table = new_table(&header, 2..header.len());
    for it in &race.standings {
        table.add_row([
            it.method.clone(),
            it.prior.to_owned(),
            format!("{:.0}", it.budget),
            format!("{:.2}", it.spent),
            format!("{:.2} ± {:.2}", 100.0 * it.regret, 100.0 * it.error),
        ]);
    }
    paragraph(&title, width) + &finish(table, width)
}

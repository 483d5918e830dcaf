//! Small results as a few lines of text.

use std::fmt::Write;

use crate::base::path_text::{escape, show};
use crate::data::TableColumn;
use crate::extract::text::TokenCounts;
use crate::inspect::{Found, Inspection};
use crate::rank::export::Exported;
use crate::rank::shards::Stored;
use crate::rank::statistics::Written;
use crate::zoo::ModelInput;

/// Names that are listed before the rest is only counted.
const LISTED: usize = 10;
/// Columns of a table that are listed before the rest is only counted.
const COLUMNS: usize = 30;

/// What a path is.
pub fn inspection(inspection: &Inspection) -> String {
    let mut text = format!("{}: ", show(&inspection.path));
    match &inspection.found {
        Found::Dataset { format, n, classes, splits, columns, notes, skipped, .. } => {
            line(&mut text, &format!("a data set ({format}), {n} samples"));
            line(&mut text, &format!("  classes: {}", listed(classes.iter().map(|(name, size)| class(name, *size)))));
            for (split, count) in splits {
                line(&mut text, &format!("  split {split:?}: {count}").to_lowercase());
            }
            columns.iter().take(COLUMNS).for_each(|column| line(&mut text, &format!("  {}", in_words(column))));
            if columns.len() > COLUMNS {
                line(&mut text, &format!("  and {} more columns", columns.len() - COLUMNS));
            }
            notes.iter().for_each(|note| line(&mut text, &format!("  {note}")));
            refusals(&mut text, "skipped", skipped);
        }
        Found::Model { name, sha256, input, description, notes } => {
            line(&mut text, &format!("a model, {}", escape(name)));
            line(&mut text, &format!("  features: {} numbers, from {}", description.dim, description.features_from));
            let cost = description
                .multiply_adds
                .map_or("not counted".to_owned(), |cost| format!("{:.1} million", cost as f64 / 1e6));
            line(&mut text, &format!("  multiply-adds per picture: {cost}"));
            line(
                &mut text,
                &match input {
                    ModelInput::Pictures(preprocessing) => format!("  preprocessing: {preprocessing:?}"),
                    ModelInput::Texts(settings) => format!("  text: {settings:?}"),
                },
            );
            line(&mut text, &format!("  runtime: {}", description.runtime.as_deref().unwrap_or("none")));
            line(&mut text, &format!("  sha256: {sha256}"));
            notes.iter().for_each(|note| line(&mut text, &format!("  {note}")));
        }
        Found::Zoo { models, refused } => {
            line(
                &mut text,
                &format!("a zoo of {} models: {}", models.len(), listed(models.iter().map(|name| escape(name)))),
            );
            refusals(&mut text, "refused", refused);
        }
        Found::Features { n, dim } => line(&mut text, &format!("features, {n} rows of {dim} numbers, all finite")),
        Found::Statistics { n, dim, classes, shards, shard_count, .. } => {
            let what = format!("statistics of {n} rows of {dim} numbers, {classes} classes or targets");
            line(&mut text, &format!("{what}: {} of {shard_count} shards", shards.len()));
        }
        Found::Labels { n, classes, detected, .. } => {
            line(&mut text, &format!("labels, {n} rows"));
            line(&mut text, &format!("  classes: {}", listed(classes.iter().map(|(name, size)| class(name, *size)))));
            line(&mut text, &format!("  {detected}"));
        }
    }
    if let Some(tokens) = &inspection.tokens {
        counted_tokens(&mut text, tokens);
    }
    text
}

/// A column of a table: what it holds, and what it is used as.
fn in_words(column: &TableColumn) -> String {
    let role = column.role.map_or(", not used".to_owned(), |role| format!(", used as {role}"));
    let distinct = if column.role == Some("label") && column.holds != "lists" {
        format!(", {} different values in the first rows", column.distinct)
    } else {
        String::new()
    };
    format!("column {}: {}{distinct}{role}", escape(&column.name), column.holds)
}

/// The statistics that were written, and where.
pub fn statistics(written: &Written) -> String {
    let mut text = String::new();
    let (shards, all) = (written.shards.len(), written.shard_count);
    let rows = if written.n == written.n_total {
        format!("all {} rows", written.n)
    } else {
        format!("{} of {} rows", written.n, written.n_total)
    };
    let what = format!("{}: {rows} of {} numbers, {shards} of {all} shards", show(&written.output), written.dim);
    line(&mut text, &what);
    text
}

/// What was written, and where.
pub fn exported(exported: &Exported) -> String {
    let mut text = String::new();
    let (rows, dim) = (exported.rows.len(), exported.description.dim);
    line(
        &mut text,
        &format!(
            "{}: {rows} rows of {dim} numbers, from {}",
            show(&exported.output),
            exported.description.features_from
        ),
    );
    let skipped: Vec<(String, String)> =
        exported.skipped.iter().map(|skipped| (skipped.path.clone(), skipped.reason.clone())).collect();
    refusals(&mut text, "skipped", &skipped);
    text
}

/// What one of several workers put into the store.
pub fn stored(stored: &Stored) -> String {
    let mut text = String::new();
    let shards: Vec<String> = stored.shards.iter().map(usize::to_string).collect();
    let share =
        format!("{} of {} samples (shards {} of {})", stored.n, stored.n_total, shards.join(", "), stored.shard_count);
    line(&mut text, &format!("{}: {share} in the store", show(&stored.data)));
    for model in &stored.models {
        let how = model.error.as_ref().map_or("done".to_owned(), |error| format!("failed: {}", escape(error)));
        line(&mut text, &format!("  {}: {how}", escape(&model.name)));
    }
    let skipped: Vec<(String, String)> =
        stored.skipped.iter().map(|skipped| (skipped.path.clone(), skipped.reason.clone())).collect();
    refusals(&mut text, "skipped", &skipped);
    text
}

fn counted_tokens(text: &mut String, found: &TokenCounts) {
    let TokenCounts { texts, tokens, least, median, percentile_95, most, unknown, .. } = found;
    line(text, &format!("  tokens: {tokens} of {texts} texts, {unknown} of them unknown words"));
    line(text, &format!("  tokens per text: {least} to {most}, median {median}, 95% have up to {percentile_95}"));
    if let Some(limit) = found.max_tokens {
        line(text, &format!("  longer than the model reads ({limit} tokens): {} texts would be cut", found.truncated));
    }
}

fn line(text: &mut String, words: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{words}");
}

fn class(name: &str, size: Option<usize>) -> String {
    size.map_or_else(|| escape(name), |size| format!("{} ({size})", escape(name)))
}

fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let shown = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn refusals(text: &mut String, word: &str, refusals: &[(String, String)]) {
    for (path, reason) in refusals.iter().take(LISTED) {
        line(text, &format!("  {word}: {}: {}", escape(path), escape(reason)));
    }
    if refusals.len() > LISTED {
        line(text, &format!("  {word}: {} more", refusals.len() - LISTED));
    }
}

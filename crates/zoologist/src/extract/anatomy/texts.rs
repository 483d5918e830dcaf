//! The tokenizer beside the table of token vectors, and what it makes of the user's texts.

use std::collections::BTreeMap;

use super::{Anatomy, TextFacts, Vocabulary};
use crate::base::path_text::escape;
use crate::extract::SampleFiles;
use crate::extract::onnx::ModelError;
use crate::extract::order::NetworkPlan;
use crate::extract::text::{Rows, Tokens, rows_of};
use crate::store::{Text, Texts};
use crate::zoo::{self, TextSettings};

/// Most texts that are looked at: the first of the seeded order.
const MOST_TEXTS: usize = 2048;
/// The deviation that the rows of a table are drawn with.
const INITIAL_DEVIATION: f32 = 0.02;
/// How near a row's length must be to that of a fresh one.
const NEAR: f32 = 0.05;
/// How many tokens are named.
const NAMED: usize = 5;

/// Adds what is known of the vocabulary and of the texts.
pub fn add(
    plan: &NetworkPlan,
    settings: &TextSettings,
    samples: Option<&SampleFiles>,
    anatomy: &mut Anatomy,
) -> Result<(), ModelError> {
    let rows = rows_of(plan)?;
    let words = if plan.form == zoo::Form::Static { crate::extract::text::words_of(plan)? } else { vec![] };
    let tokens = Tokens::load_whole(&plan.folder, settings, words)?;
    let count = rows.as_ref().map(Rows::ids);
    let is_static = plan.form == zoo::Form::Static;
    let (largest, token) = tokens.largest(is_static);
    anatomy.vocabulary = Some(Vocabulary {
        rows: count,
        largest,
        token: escape(&token),
        tokens: tokens.size(),
        beyond: count.map_or(0, |rows| tokens.beyond(rows, is_static)),
        equal_rows: rows.as_ref().map_or(0, Rows::equal),
    });
    if let Some(SampleFiles::Texts { file, .. }) = samples {
        let texts = Texts::open(file).map_err(|error| ModelError::Unfit(error.to_string()))?;
        anatomy.texts =
            Some(Tally { tokens: &tokens, rows: rows.as_ref(), count, limit: settings.max_tokens }.of(&texts)?);
    }
    Ok(())
}

struct Tally<'a> {
    tokens: &'a Tokens,
    rows: Option<&'a Rows>,
    count: Option<usize>,
    limit: Option<usize>,
}

impl Tally<'_> {
    fn of(&self, texts: &Texts) -> Result<TextFacts, ModelError> {
        let mut facts = TextFacts { limit: self.limit, ..TextFacts::default() };
        let mut occurring: BTreeMap<i64, u64> = BTreeMap::new();
        let mut lost = vec![];
        for place in 0..texts.len().min(MOST_TEXTS) {
            let text = texts.read(place).map_err(|error| ModelError::Unfit(error.to_string()))?;
            self.count_text(&text, &mut facts, &mut occurring, &mut lost)?;
        }
        lost.sort_unstable();
        facts.truncated = lost.len();
        facts.median_lost = lost.get(lost.len() / 2).copied().unwrap_or(0);
        facts.occurring = occurring.len();
        self.count_untrained(&occurring, &mut facts);
        Ok(facts)
    }

    fn count_text(
        &self,
        text: &Text,
        facts: &mut TextFacts,
        occurring: &mut BTreeMap<i64, u64>,
        lost: &mut Vec<usize>,
    ) -> Result<(), ModelError> {
        let lower =
            Text { first: text.first.to_lowercase(), second: text.second.as_ref().map(|text| text.to_lowercase()) };
        let (ids, lower) = (self.tokens.ids(text)?.ids, self.tokens.ids(&lower)?.ids);
        let unknown = |ids: &[i64]| ids.iter().filter(|&&id| self.tokens.is_unknown(id)).count() as u64;
        let parts = [Some(&text.first), text.second.as_ref()].into_iter().flatten();
        facts.texts += 1;
        for part in parts {
            facts.bytes += part.len() as u64;
            facts.words += words(part);
        }
        facts.tokens += ids.len() as u64;
        facts.unknown += unknown(&ids);
        facts.unknown_lower += unknown(&lower);
        facts.cased += usize::from(ids != lower);
        facts.beyond += usize::from(ids.iter().any(|&id| !self.has_row(id)));
        lost.extend(self.limit.and_then(|limit| ids.len().checked_sub(limit)).filter(|&lost| lost > 0));
        ids.into_iter().for_each(|id| *occurring.entry(id).or_default() += 1);
        Ok(())
    }

    fn has_row(&self, id: i64) -> bool {
        self.count.is_none_or(|rows| usize::try_from(id).is_ok_and(|id| id < rows)) || self.tokens.is_unknown(id)
    }

    /// Rows that are as long as a fresh one, or the same as another's.
    fn count_untrained(&self, occurring: &BTreeMap<i64, u64>, facts: &mut TextFacts) {
        let Some(rows) = self.rows else { return };
        let expected = INITIAL_DEVIATION * (rows.dim() as f32).sqrt();
        for (&id, &count) in occurring {
            let Some(row) = rows.row(id) else { continue };
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            if (length / expected - 1.0).abs() < NEAR && looks_normal(row) || rows.is_doubled(id) {
                facts.untrained += 1;
                facts.untrained_tokens += count;
                if facts.untrained_examples.len() < NAMED {
                    facts.untrained_examples.push(escape(&self.tokens.token(id)));
                }
            }
        }
    }
}

/// Whether the entries of a row have the mean and the spread of draws with the initial deviation.
fn looks_normal(row: &[f32]) -> bool {
    let count = row.len() as f32;
    let mean = row.iter().sum::<f32>() / count;
    mean.abs() < 4.0 * INITIAL_DEVIATION / count.sqrt()
}

/// Runs of letters and digits; each sign of Chinese and Japanese, which write no blanks, is a word of its own.
fn words(text: &str) -> u64 {
    let (mut count, mut inside) = (0, false);
    for letter in text.chars() {
        let alone = matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
        let part = letter.is_alphanumeric() && !alone;
        count += u64::from(alone || part && !inside);
        inside = part;
    }
    count
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_counted_in_scripts_with_and_without_blanks() {
        assert_eq!([super::words("two words, 3 of them"), super::words("你好 world"), super::words("...")], [5, 3, 0]);
    }
}

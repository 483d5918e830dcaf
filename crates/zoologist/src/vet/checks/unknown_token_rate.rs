//! `unknown-token-rate`: a vocabulary that does not know the user's words, and what their case has to do with it.

use super::super::{Check, Confidence, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, percent, texts};
use crate::extract::anatomy::TextFacts;

pub const CHECK: Check = Check {
    id: "unknown-token-rate",
    stage: Stage::Data,
    finds: "words that the tokenizer does not know, or breaks into crumbs",
    how: "the share of unknown tokens above 5%; more than 3 tokens a word; and both again in small letters",
    judge,
};

const MOST_UNKNOWN: f64 = 0.05;
const MOST_PER_WORD: f64 = 3.0;

fn judge(evidence: &Evidence) -> Verdict {
    let texts = texts(evidence)?;
    if texts.tokens == 0 {
        return not_run("the tokenizer makes no token of these texts");
    }
    let share = |count: u64| count as f64 / texts.tokens as f64;
    let (unknown, per_word) = (share(texts.unknown), texts.tokens as f64 / texts.words.max(1) as f64);
    let fix = "use a tokenizer and a model for this language or notation; put texts into the case that the model was \
               trained with";
    if unknown > MOST_UNKNOWN {
        let message = format!(
            "{} of the tokens are unknown; in small letters {} are.",
            percent(unknown),
            percent(share(texts.unknown_lower))
        );
        let finding = Finding::new(CHECK.id, Severity::Medium, message, fix).measured(unknown, MOST_UNKNOWN);
        return finding.seen(figures(texts, per_word)).into();
    }
    if per_word > MOST_PER_WORD {
        let message = format!("the tokenizer makes {per_word:.1} tokens of a word: it was made for other texts.");
        let finding = Finding::new(CHECK.id, Severity::Medium, message, fix).sure(Confidence::Medium);
        return finding.measured(per_word, MOST_PER_WORD).seen(figures(texts, per_word)).into();
    }
    Ok(vec![])
}

fn figures(texts: &TextFacts, per_word: f64) -> Vec<String> {
    let per_token = texts.bytes as f64 / texts.tokens.max(1) as f64;
    let cased = texts.cased as f64 / texts.texts.max(1) as f64;
    vec![
        format!("{per_word:.2} tokens a word, {per_token:.2} bytes a token"),
        format!("{} of the texts have other tokens in small letters", percent(cased)),
    ]
}

//! `token-id-range`: a tokenizer that gives ids the table of token vectors has no row for.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, not_run, takes};

pub const CHECK: Check = Check {
    id: "token-id-range",
    stage: Stage::Files,
    finds: "token ids that the embedding table has no row for",
    how: "the largest id of the whole vocabulary, added tokens included, against the rows of the table",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    takes(evidence, "texts")?;
    let found = anatomy(evidence)?;
    let Some(vocabulary) = &found.vocabulary else { return not_run("no tokenizer was read") };
    let (Some(rows), Some(largest)) = (vocabulary.rows, vocabulary.largest) else {
        return not_run("the table that the ids pick from can't be told in this graph");
    };
    if vocabulary.beyond > 0 {
        let texts = found.texts.as_ref().filter(|texts| texts.beyond > 0);
        let here = texts.map_or(String::new(), |texts| {
            format!(" {} of {} of your texts contain such ids.", texts.beyond, texts.texts)
        });
        let message = format!(
            "the tokenizer can give the id {largest} (`{}`), and the table has {rows} rows: {} ids have none.{here}",
            vocabulary.token, vocabulary.beyond
        );
        let fix = "use the tokenizer of this checkpoint, or resize the embeddings and train them";
        return Finding::new(CHECK.id, Severity::Fatal, message, fix)
            .measured(largest as f64, rows as f64 - 1.0)
            .into();
    }
    let surplus = i64::try_from(rows).unwrap_or(i64::MAX) - 1 - largest;
    if surplus > 0 {
        let message = format!("the table has {surplus} rows more than the tokenizer has ids: harmless.");
        return Finding::new(CHECK.id, Severity::Info, message, "nothing")
            .measured(largest as f64, rows as f64 - 1.0)
            .into();
    }
    Ok(vec![])
}

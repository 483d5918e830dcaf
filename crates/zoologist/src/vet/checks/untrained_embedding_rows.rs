//! `untrained-embedding-rows`: tokens of the user's texts whose vectors were never trained.

use super::super::{Check, Confidence, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, not_run, percent, texts};

pub const CHECK: Check = Check {
    id: "untrained-embedding-rows",
    stage: Stage::Files,
    finds: "tokens that occur in your texts and whose vectors were never trained",
    how: "rows as long as draws of deviation .02 (within 5%), or equal to another row, among the tokens that occur",
    judge,
};

/// Where most rows look so, it is how this table looks.
const ALL: f64 = 0.5;

fn judge(evidence: &Evidence) -> Verdict {
    let texts = texts(evidence)?;
    if texts.occurring == 0 || anatomy(evidence)?.vocabulary.as_ref().is_none_or(|vocabulary| vocabulary.rows.is_none())
    {
        return not_run("the table that the ids pick from can't be told in this graph");
    }
    let share = texts.untrained as f64 / texts.occurring as f64;
    if texts.untrained == 0 || share > ALL {
        return Ok(vec![]);
    }
    let tokens = texts.untrained_tokens as f64 / texts.tokens.max(1) as f64;
    let message = format!(
        "{} of {} tokens that occur in your texts have vectors that look untrained ({} of all tokens): {}.",
        texts.untrained,
        texts.occurring,
        percent(tokens),
        texts.untrained_examples.join(" ")
    );
    let fix = "train these rows (fine-tune the embeddings), or use the tokenizer that the model was trained with";
    let severity = if tokens > 0.001 { Severity::Medium } else { Severity::Info };
    Finding::new(CHECK.id, severity, message, fix).sure(Confidence::Medium).measured(tokens, 0.001).into()
}

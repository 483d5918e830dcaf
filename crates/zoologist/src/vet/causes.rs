//! Which finding explains which: a root cause keeps its severity, what follows from it is shown as its consequence.

use super::finding::{Finding, Severity};

/// Findings that explain later ones, in the order in which they are looked for.
const EXPLAINS: [(&str, &[&str]); 14] = [
    (
        "untrained-weights",
        &[
            "below-baseline",
            "rank-collapse",
            "constant-features",
            "preprocessing-mismatch",
            "label-permutation",
            "published-gap",
            "resize-sensitivity",
            "pooling-mismatch",
            "untrained-embedding-rows",
            "dead-features",
        ],
    ),
    ("zero-tensors", &["constant-features", "rank-collapse", "dead-features", "below-baseline"]),
    (
        "train-mode-graph",
        &[
            "nondeterminism",
            "batch-dependence",
            "padding-dependence",
            "runtime-disagreement",
            "below-baseline",
            "rank-collapse",
            "preprocessing-mismatch",
            "resize-sensitivity",
            "low-precision-drift",
        ],
    ),
    (
        "nondeterminism",
        &[
            "batch-dependence",
            "padding-dependence",
            "runtime-disagreement",
            "below-baseline",
            "resize-sensitivity",
            "preprocessing-mismatch",
            "low-precision-drift",
        ],
    ),
    ("batch-dependence", &["padding-dependence", "below-baseline", "constant-features", "rank-collapse"]),
    (
        "preprocessing-mismatch",
        &[
            "constant-features",
            "rank-collapse",
            "dead-features",
            "below-baseline",
            "label-permutation",
            "published-gap",
            "resize-sensitivity",
            "f16-headroom",
            "anisotropy",
        ],
    ),
    ("f16-headroom", &["low-precision-drift"]),
    (
        "constant-features",
        &["rank-collapse", "dead-features", "anisotropy", "dominant-dimension", "below-baseline", "pooling-mismatch"],
    ),
    ("rank-collapse", &["anisotropy", "dominant-dimension", "below-baseline", "dead-features", "pooling-mismatch"]),
    ("dead-features", &["rank-collapse", "below-baseline"]),
    ("unknown-token-rate", &["below-baseline"]),
    ("pooling-mismatch", &["below-baseline"]),
    ("untrained-embedding-rows", &["below-baseline"]),
    ("label-permutation", &["published-gap"]),
];

/// Marks what is explained, and puts the findings into order: by severity, and those of one severity as they stand. The
/// cause becomes as severe as the worst that follows from it, and what follows at most `medium`.
pub fn explain(findings: &mut [Finding]) {
    for (cause, effects) in EXPLAINS {
        // What only may be so explains nothing.
        let is_cause = |finding: &Finding| {
            finding.check == cause && finding.severity >= Severity::Medium && finding.caused_by.is_none()
        };
        let Some(place) = findings.iter().position(is_cause) else { continue };
        for other in 0..findings.len() {
            if effects.contains(&findings[other].check) && findings[other].caused_by.is_none() {
                findings[place].severity = findings[place].severity.max(findings[other].severity);
                findings[other].caused_by = Some(cause);
                findings[other].severity = findings[other].severity.min(Severity::Medium);
            }
        }
    }
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.caused_by.is_some()));
}

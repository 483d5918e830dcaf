//! `untrained-weights`: a network that looks freshly initialised. Two kinds of evidence are needed: looking random is
//! none, trained weights do too.

use super::super::{Check, Confidence, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, listed, not_applicable};
use crate::extract::anatomy::{Share, Signs};

pub const CHECK: Check = Check {
    id: "untrained-weights",
    stage: Stage::Files,
    finds: "weights that were never trained",
    how: "norms that do nothing, biases of 0, entries that follow an initialiser's law, singular values within the bulk: two of these",
    judge,
};

/// The share of matrices that must show a sign.
const MOST: f64 = 0.8;

fn judge(evidence: &Evidence) -> Verdict {
    let signs = &anatomy(evidence)?.freshness;
    if signs.laws.all == 0 {
        return not_applicable("there are no weight matrices of 200 numbers or more");
    }
    let seen = kinds(signs);
    // Norms and biases alone may be what a folded or pruned network has left: its matrices must look random too.
    let random = share(signs.laws) >= MOST || signs.bulks.all > 0 && share(signs.bulks) >= MOST;
    if seen.len() >= 2 && random {
        let message = format!(
            "these weights look freshly initialised ({}); scores would be those of a random network.",
            seen.join("; ")
        );
        let fix = "check the checkpoint's path and that loading reported no missing keys; export again after loading";
        let finding = Finding::new(CHECK.id, Severity::High, message, fix).sure(Confidence::High);
        return finding.measured(share(signs.laws).max(share(signs.bulks)), MOST).seen(seen).into();
    }
    // A head or pooler alone: named, and no more.
    if signs.fresh.count > 0 && share(signs.laws) < MOST {
        let message = format!("single tensors look freshly initialised: {}.", listed(&signs.fresh));
        let fix = "if a part that you use is among them, load it; a new head is meant to be trained";
        let finding = Finding::new(CHECK.id, Severity::Info, message, fix).sure(Confidence::Medium);
        return finding.measured(signs.fresh.count as f64, 0.0).into();
    }
    Ok(vec![])
}

/// The kinds of evidence that were seen, in words.
fn kinds(signs: &Signs) -> Vec<String> {
    let mut seen = vec![];
    let mut note = |sign: Share, least: f64, enough: usize, words: &str| {
        if sign.all >= enough && share(sign) >= least {
            seen.push(format!("{} of {} {words}", sign.fresh, sign.all));
        }
    };
    note(signs.norms, 1.0, 1, "norms do nothing");
    note(signs.biases, 1.0, 2, "biases are 0 or uniform");
    note(signs.laws, MOST, 1, "matrices follow the law of an initialiser");
    note(signs.bulks, MOST, 1, "matrices have no singular value outside the bulk of random ones");
    seen
}

fn share(sign: Share) -> f64 {
    sign.fresh as f64 / sign.all.max(1) as f64
}

//! What is wrong or risky about a model: as text, and as one HTML page.

use askama::Template;

use super::chart;
use super::table::{list, paragraph};
use super::words;
use crate::base::path_text::escape;
use crate::vet::{CHECKS, Finding, Severity, Status, Vetting};

/// A vetting: findings, the worst first, then what was not made and why. `width` is that of the terminal, in columns.
pub fn vetting(vetting: &Vetting, width: Option<u16>) -> String {
    let findings: Vec<String> = vetting.findings.iter().map(|found| finding(found, width)).collect();
    let parts = [
        paragraph(&headline(vetting), width),
        findings.join("\n"),
        list("Not applicable:", reasons(vetting, Status::NotApplicable), width),
        list("Not made:", reasons(vetting, Status::NotRun), width),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The registry: each check in two lines.
pub fn checks() -> String {
    let check = |check: &crate::vet::Check| format!("{:<26}{}\n{:<26}{}\n", check.id, check.finds, "", check.how);
    CHECKS.iter().map(check).collect()
}

/// The model, the data, and how many findings of each severity there are.
fn headline(vetting: &Vetting) -> String {
    let count = |severity: Severity| vetting.findings.iter().filter(|found| found.severity == severity).count();
    let counts: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter(|severity| count(**severity) > 0)
        .map(|severity| format!("{} {}", count(*severity), severity.word()))
        .collect();
    let of = |status: Status| vetting.checks.iter().filter(|check| check.status == status).count();
    let data = match (&vetting.data, vetting.n) {
        (Some(data), Some(n)) => format!(" on {} ({} samples)", escape(data), words::count(n)),
        (Some(data), None) => format!(" on {}", escape(data)),
        (None, _) => ", without data".to_owned(),
    };
    let refused = if vetting.refused { " The model was refused: it was not run." } else { "" };
    let found = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
    format!(
        "{}{data}: {found}; {} ok, {} not applicable, {} not made.{refused}",
        escape(&vetting.model),
        words::things(of(Status::Ok), "check"),
        of(Status::NotApplicable),
        of(Status::NotRun)
    )
}

fn finding(found: &Finding, width: Option<u16>) -> String {
    let cause = found.caused_by.map_or(String::new(), |cause| format!(" (probably caused by {cause})"));
    let head = format!("{} {}{cause}", found.severity.word().to_uppercase(), found.check);
    let lines = [paragraph(&head, width), list("", body(found), width)];
    lines.concat()
}

/// Lines of evidence that are shown.
const MOST_EVIDENCE: usize = 4;

fn body(found: &Finding) -> impl Iterator<Item = String> {
    let message = found.message.lines().map(escape).collect::<Vec<_>>();
    // What the message says already is not said again.
    let new = found.evidence.iter().filter(|line| !found.message.contains(line.as_str()));
    let seen = new.take(MOST_EVIDENCE).map(|line| escape(line)).collect::<Vec<_>>();
    let fix = (found.fix != "nothing").then(|| format!("to do: {}", escape(&found.fix)));
    message.into_iter().chain(seen).chain(fix)
}

fn reasons(vetting: &Vetting, status: Status) -> impl Iterator<Item = String> {
    let mut by_reason: Vec<(String, Vec<&str>)> = vec![];
    for check in vetting.checks.iter().filter(|check| check.status == status) {
        let reason = escape(check.reason.as_deref().unwrap_or_default());
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(check.check),
            None => by_reason.push((reason, vec![check.check])),
        }
    }
    by_reason.into_iter().map(|(reason, names)| format!("{}: {reason}", names.join(", ")))
}

#[derive(Template)]
#[template(path = "vet.html")]
struct Page {
    model: String,
    summary: String,
    findings: Vec<Shown>,
    checks: Vec<[String; 3]>,
    colours: [(&'static str, String); 5],
    version: &'static str,
}

/// A finding as the page shows it.
struct Shown {
    severity: &'static str,
    check: &'static str,
    cause: Option<&'static str>,
    message: String,
    evidence: Vec<String>,
    fix: String,
}

/// A vetting as one page that holds everything and asks for nothing; equal vettings give equal bytes.
///
/// # Errors
/// None that a vetting can cause: the template is written to memory.
pub fn page(vetting: &Vetting) -> Result<String, askama::Error> {
    let shown = |found: &Finding| Shown {
        severity: found.severity.word(),
        check: found.check,
        cause: found.caused_by,
        message: escape(&found.message),
        evidence: found.evidence.iter().map(|line| escape(line)).collect(),
        fix: escape(&found.fix),
    };
    let page = Page {
        model: escape(&vetting.model),
        summary: headline(vetting),
        findings: vetting.findings.iter().map(shown).collect(),
        checks: vetting
            .checks
            .iter()
            .map(|check| {
                [
                    check.check.to_owned(),
                    check.status.word().to_owned(),
                    escape(check.reason.as_deref().unwrap_or_default()),
                ]
            })
            .collect(),
        colours: chart::colours(),
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(page.render()? + "\n")
}

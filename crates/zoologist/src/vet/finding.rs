//! What a check says.

use serde::Serialize;

use super::Check;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Seldom matters.
    Low,
    /// Results may be worse.
    Medium,
    /// Results will be wrong.
    High,
    /// Not to be used.
    Fatal,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It was read or measured as such.
    Certain,
    /// Little else explains it.
    High,
    /// Something else may explain it.
    Medium,
}

/// Something that is wrong or risky.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// The number that decided.
    pub measured: Option<f64>,
    /// What it was held against.
    pub threshold: Option<f64>,
    /// What else was seen, one sentence or figure each.
    pub evidence: Vec<String>,
    /// What is wrong, where, and how bad it is on this data.
    pub message: String,
    /// What to do.
    pub fix: String,
    /// The earlier finding that probably explains this one.
    pub caused_by: Option<&'static str>,
}

/// Why a check was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmade {
    /// There is nothing of the kind in this model or data, because of this.
    NotApplicable(String),
    /// What is missing.
    NotRun(String),
}

/// How a check ended: what it found, nothing if all is well, or why it was not made.
pub type Verdict = Result<Vec<Finding>, Unmade>;

/// How a check ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was made, and found nothing.
    Ok,
    /// It was made, and found something.
    Finding,
    /// There is nothing of the kind.
    NotApplicable,
    /// It could not be made.
    NotRun,
}

/// One check of a vetting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VettedCheck {
    /// The check.
    pub check: &'static str,
    /// How it ended.
    pub status: Status,
    /// Why it does not apply, or what is missing.
    pub reason: Option<String>,
    /// What it found; gathered into one list in the end.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// Where a vetting's time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct VettingTiming {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Threads.
    pub threads: usize,
}

/// What `vet` says of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vetting {
    /// Version of this form.
    pub schema: u32,
    /// The model's name, or its path where it can't be used.
    pub model: String,
    /// The data set, if one was given.
    pub data: Option<String>,
    /// How many samples were looked at.
    pub n: Option<usize>,
    /// Whether the model was refused: nothing was run.
    pub refused: bool,
    /// What was found, the worst first, causes before what they explain.
    pub findings: Vec<Finding>,
    /// Every check, in the order in which they are made.
    pub checks: Vec<VettedCheck>,
    /// Where the time went.
    pub timing: VettingTiming,
}

impl Severity {
    /// All, from the mildest.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Fatal];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Fatal => "fatal",
        }
    }
}

impl Status {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Finding => "finding",
            Self::NotApplicable => "not-applicable",
            Self::NotRun => "not-run",
        }
    }
}

impl Finding {
    /// A finding that is certain, without figures.
    pub fn new(check: &'static str, severity: Severity, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            severity,
            confidence: Confidence::Certain,
            measured: None,
            threshold: None,
            evidence: vec![],
            message: message.into(),
            fix: fix.into(),
            caused_by: None,
        }
    }

    /// With the number that decided and what it was held against. A number that JSON can't hold is left out.
    #[must_use]
    pub fn measured(mut self, measured: f64, threshold: f64) -> Self {
        self.measured = Some(measured).filter(|number| number.is_finite());
        self.threshold = Some(threshold);
        self
    }

    /// With what else was seen.
    #[must_use]
    pub fn seen(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// How sure it is.
    #[must_use]
    pub fn sure(self, confidence: Confidence) -> Self {
        Self { confidence, ..self }
    }
}

impl From<Finding> for Verdict {
    fn from(finding: Finding) -> Self {
        Ok(vec![finding])
    }
}

impl VettedCheck {
    /// How a check ended.
    pub fn of(check: &Check, verdict: Verdict) -> Self {
        let (status, reason, findings) = match verdict {
            Ok(findings) if findings.is_empty() => (Status::Ok, None, findings),
            Ok(findings) => (Status::Finding, None, findings),
            Err(Unmade::NotApplicable(reason)) => (Status::NotApplicable, Some(reason), vec![]),
            Err(Unmade::NotRun(reason)) => (Status::NotRun, Some(reason), vec![]),
        };
        Self { check: check.id, status, reason, findings }
    }
}

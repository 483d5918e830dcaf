//! What makes a program guilty: the promise of SECURITY.md, fault by fault.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::Fixture;
use crate::watch::{Seen, watch};

/// The longest that one look may take: the ten seconds of a worker's own clock, and some for a busy machine.
const LONGEST: Duration = Duration::from_secs(15);
/// The most resident memory of one process, in KiB.
const MOST: i64 = 256 << 10;
const LINES: usize = 5;

/// What a run must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is bad: 3 or 5, nothing but a message.
    Refused,
    /// It is odd but valid: 0.
    Accepted,
    /// Some of it is bad: 4, and the bad part is named.
    InPart,
    /// Nobody knows what a random change made of it: any of these, but in order.
    Any,
    /// It is vetted: as above, but with 3 there may be a result that says that the model was refused.
    Vetted,
}

/// A file, or what stands in a file's place.
#[derive(Debug, Clone)]
pub enum Content {
    Bytes(Vec<u8>),
    /// These bytes, and zeros up to this length that take no space on the disk.
    Sparse(Vec<u8>, u64),
    Link(String),
    Pipe,
    Folder,
}

/// An input, the command that looks at it, and what must come of it.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub files: Vec<(String, Content)>,
    pub arguments: Vec<String>,
    /// What a message must name.
    pub subject: String,
    pub verdict: Verdict,
}

impl Case {
    /// One file that is inspected.
    pub fn file(verdict: Verdict, name: &str, file: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            files: vec![(file.to_owned(), Content::Bytes(bytes.into()))],
            arguments: ["inspect", file].map(str::to_owned).to_vec(),
            subject: file.to_owned(),
            verdict,
        }
    }

    pub fn bad(name: &str, file: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self::file(Verdict::Refused, name, file, bytes)
    }

    pub fn good(name: &str, file: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self::file(Verdict::Accepted, name, file, bytes)
    }

    /// The same with another file beside it.
    pub fn beside(mut self, file: &str, content: Content) -> Self {
        self.files.push((file.to_owned(), content));
        self
    }

    /// The same with this in the place of its first file.
    pub fn replaced(mut self, content: Content) -> Self {
        self.files[0].1 = content;
        self
    }

    /// The same with another command.
    pub fn asking(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// The same model, to be vetted.
    pub fn vetted(self) -> Self {
        let verdict = Verdict::Vetted;
        let model = self.subject.clone();
        let case = Self { verdict, name: format!("{}, vetted", self.name), ..self };
        case.asking(&["vet", &model, "--json", "--runtime", "rten", "--timeout", "3", "--memory", "200MiB"])
    }

    /// The faults of the program on this input.
    pub fn faults(&self) -> Vec<String> {
        let fixture = Fixture::empty();
        for (file, content) in &self.files {
            put(&fixture.path(file), content);
        }
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.faults_of(&fixture.command(&arguments), &fixture.path("seen"), LONGEST)
    }

    /// The faults of any program that is said to do what ours does.
    pub fn faults_of(&self, command: &Command, place: &Path, longest: Duration) -> Vec<String> {
        let seen = watch(command, place, longest);
        let found = faults(&seen, self.verdict, &self.subject);
        found.iter().map(|fault| format!("{}: {fault}\n    {}", self.name, told(&seen))).collect()
    }
}

/// Finds no fault with any of these cases.
pub fn try_all(cases: &[Case]) {
    let faults: Vec<String> = cases.iter().flat_map(Case::faults).collect();
    assert!(faults.is_empty(), "{} faults in {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

fn told(seen: &Seen) -> String {
    let text = |text: &str| text.chars().take(300).collect::<String>();
    format!(
        "code {:?}, signal {:?}, {} KiB: {} | {}",
        seen.code,
        seen.signal,
        seen.peak,
        text(&seen.err),
        text(&seen.out)
    )
}

fn faults(seen: &Seen, verdict: Verdict, subject: &str) -> Vec<String> {
    let message = seen.err.find("zoologist: ").map_or("", |start| seen.err[start..].trim_end());
    let told = verdict == Verdict::Vetted && seen.out.contains("\"refused\": true");
    let refused = matches!(seen.code, Some(3 | 5)) && !told;
    let checks = [
        (seen.late, "took too long"),
        (seen.signal.is_some() && !seen.late, "was ended by a signal"),
        (seen.err.contains("panicked") || seen.err.contains("internal fault"), "panicked"),
        (seen.peak > MOST, "took too much memory"),
        (!is_right(seen.code, verdict), "ended with a wrong code"),
        (refused && !seen.out.is_empty(), "refused it and gave a result"),
        (refused && message.is_empty(), "gave no message"),
        (refused && message.lines().count() > LINES, "said too much"),
        (!message.is_empty() && !message.contains(subject), "did not name the file"),
        (
            verdict == Verdict::InPart && !seen.err.contains(subject) && !seen.out.contains(subject),
            "did not name the part",
        ),
        (has_controls(&seen.err) || has_controls(&seen.out), "printed control characters"),
    ];
    checks.into_iter().filter(|(guilty, _)| *guilty).map(|(_, fault)| fault.to_owned()).collect()
}

fn is_right(code: Option<i32>, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Refused => matches!(code, Some(3 | 5)),
        Verdict::Accepted => code == Some(0),
        Verdict::InPart => code == Some(4),
        Verdict::Any | Verdict::Vetted => matches!(code, Some(0 | 3 | 4 | 5)),
    }
}

fn has_controls(text: &str) -> bool {
    text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t'))
}

fn put(path: &Path, content: &Content) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    match content {
        Content::Bytes(bytes) => std::fs::write(path, bytes).unwrap(),
        Content::Sparse(bytes, length) => {
            std::fs::write(path, bytes).unwrap();
            std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(*length).unwrap();
        }
        Content::Link(target) => std::os::unix::fs::symlink(target, path).unwrap(),
        Content::Pipe => nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        Content::Folder => std::fs::create_dir_all(path).unwrap(),
    }
}

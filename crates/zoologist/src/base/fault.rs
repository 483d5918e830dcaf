//! What kind of thing went wrong: the part of an error that decides the exit code.

/// The kind of a failure. The command line maps each kind to one exit code (docs/map.md, "Exit codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A fault of zoologist itself.
    Internal,
    /// The request makes no sense: an unknown name, an impossible combination.
    Usage,
    /// The user's files can't be used as they are.
    Input,
    /// A limit was hit: memory or time.
    Limit,
    /// The machine refused: disk full, permission, lock.
    Environment,
    /// The user asked to stop.
    Interrupted,
}

/// An error that knows its kind.
pub trait Fail: std::error::Error {
    /// The kind of this failure.
    fn fault(&self) -> Fault;
}

impl Fault {
    /// The kind of an I/O error on a file of the user's that is being read: a missing or unreadable file is bad
    /// input, a refusal of the machine is its environment.
    pub fn of_reading(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::OutOfMemory => Self::Environment,
            _ => Self::Input,
        }
    }
}

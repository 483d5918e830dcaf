//! What a file of the store turns out to be when it is read.

/// Why a file of the store is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// Its checksum is wrong, or it is cut off, or it belongs elsewhere.
    #[error("is damaged")]
    Damaged,
    /// It says that a newer zoologist wrote it.
    #[error("was written by a newer zoologist (form {0})")]
    Newer(u32),
}

/// A file that was looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept<T> {
    /// There is none.
    Absent,
    /// There is one, and it is not used.
    Unsound(Unsound),
    /// It is as it was written.
    Sound(T),
}

impl<T> Kept<T> {
    /// What reading the bytes of a file gave.
    pub(super) fn of(bytes: Option<Vec<u8>>, read: impl FnOnce(&[u8]) -> Result<T, Unsound>) -> Self {
        match bytes.map(|bytes| read(&bytes)) {
            None => Self::Absent,
            Some(Err(unsound)) => Self::Unsound(unsound),
            Some(Ok(value)) => Self::Sound(value),
        }
    }

    /// The content, if it is sound.
    pub fn sound(self) -> Option<T> {
        if let Self::Sound(value) = self { Some(value) } else { None }
    }

    /// Why it is not used, if it is there and is not.
    pub fn unsound(&self) -> Option<Unsound> {
        if let Self::Unsound(unsound) = self { Some(*unsound) } else { None }
    }
}

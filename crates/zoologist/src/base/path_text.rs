//! Paths as text, for messages and for JSON, where a path may hold control characters or bytes that are not UTF-8.
//!
//! [`show`] is for people: control characters are escaped, so that a file name can't move the cursor or forge a
//! line. [`encode`] and [`decode`] are for our own files: `%` and every byte that is not part of valid UTF-8 become
//! `%XX`, so any path comes back exactly.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A path as one printable line.
///
/// ```
/// use zoologist::base::path_text::show;
/// assert_eq!(show("cats/a\nb.png".as_ref()), "cats/a\\nb.png");
/// ```
pub fn show(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

/// Text with its control characters escaped, for names that come from the user's files.
pub fn escape(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// A path as text that [`decode`] turns back into the same bytes.
///
/// ```
/// use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};
/// use zoologist::base::path_text::{decode, encode};
/// let path = Path::new(OsStr::from_bytes(b"50%/\xff.png"));
/// assert_eq!(encode(path), "50%25/%FF.png");
/// assert_eq!(decode(&encode(path)), path);
/// ```
pub fn encode(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            // Writing to a String can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The path that [`encode`] wrote. A `%` that no two hexadecimal digits follow stands for itself.
pub fn decode(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let value =
            escaped.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Serde form of a path: `#[serde(with = "path_text")]`.
pub fn serialize<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(path))
}

/// Serde form of a path: `#[serde(with = "path_text")]`.
pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text: std::borrow::Cow<'de, str> = serde::Deserialize::deserialize(deserializer)?;
    Ok(decode(&text))
}

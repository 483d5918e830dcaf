//! Small values as JSON with a checksum.
//!
//! Two documents, one a line: the form and the BLAKE3 of the name and of the second line; then the value. Every byte is
//! covered: the lines have no spare ones, and the value's are hashed.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::kept::Unsound;
use super::{Error, atomic};

const FORM: u32 = 1;

/// The first line.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    form: u32,
    blake3: String,
}

/// Writes a value, whole or not at all. The name says what it is: a file that is put in another's place is found out.
pub fn write<T: Serialize>(path: &Path, name: &str, value: &T) -> Result<(), Error> {
    atomic::write(path, |into| {
        let body = serde_json::to_vec(value)?;
        let seal = serde_json::to_vec(&Seal { form: FORM, blake3: digest(name, &body) })?;
        [&seal[..], &body].into_iter().try_for_each(|line| into.write_all(line).and_then(|()| into.write_all(b"\n")))
    })
}

/// The value in the bytes of such a file.
pub fn read<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Unsound> {
    let mut lines = bytes.splitn(2, |&byte| byte == b'\n');
    let seal = lines.next().unwrap_or_default();
    let body = lines.next().and_then(|rest| rest.strip_suffix(b"\n")).ok_or(Unsound::Damaged)?;
    let seal: Seal = serde_json::from_slice(seal).map_err(|_| Unsound::Damaged)?;
    if seal.form > FORM {
        return Err(Unsound::Newer(seal.form));
    }
    if seal != (Seal { form: FORM, blake3: digest(name, body) }) {
        return Err(Unsound::Damaged);
    }
    serde_json::from_slice(body).map_err(|_| Unsound::Damaged)
}

/// Whether the bytes are such a file, whatever the value.
pub fn verify(name: &str, bytes: &[u8]) -> Result<(), Unsound> {
    read::<IgnoredAny>(name, bytes).map(drop)
}

fn digest(name: &str, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 checked value");
    hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(body);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_under_its_name_and_no_flipped_bit_or_cut_goes_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value.json");
        write(&path, "value", &(1.5, "a\nb")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(read::<(f64, String)>("value", &whole), Ok((1.5, "a\nb".to_owned())));
        assert_eq!(verify("other", &whole), Err(Unsound::Damaged));
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(verify("value", &damaged).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(verify("value", &whole[..length]), Err(Unsound::Damaged));
        }
        let newer = String::from_utf8(whole).unwrap().replacen("\"form\":1", "\"form\":12", 1);
        assert_eq!(verify("value", newer.as_bytes()), Err(Unsound::Newer(12)));
    }
}

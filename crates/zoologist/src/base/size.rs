//! Sizes of files and of memory as people write them.

/// Names of units, and their bytes. A bare number counts bytes; a bare letter is a power of 1024, as in other programs.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("T", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
];

/// The bytes of `20GB`, `1.5 GiB` or `500`; the case of the letters doesn't matter. Otherwise what is wrong.
///
/// ```
/// use zoologist::base::parse_size;
/// assert_eq!(parse_size("1.5 GiB"), Ok(1_610_612_736));
/// assert!(parse_size("twenty").is_err());
/// ```
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: give a number and a unit, for example 20GB or 500MiB");
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_uppercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * *factor as f64;
    if bytes < u64::MAX as f64 { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_understood_or_refused() {
        let sizes = [("0", 0), ("20GB", 20_000_000_000), ("1 kib", 1024), (" 1.5mb ", 1_500_000), ("7B", 7)];
        sizes.iter().for_each(|(text, bytes)| assert_eq!(parse_size(text), Ok(*bytes), "{text}"));
        for text in ["", "GB", "-1", "1.2.3", "1e3", "nan", "10 parsecs", "99999999999TB", "1 GB more"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}

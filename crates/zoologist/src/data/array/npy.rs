//! The .npy of `numpy`: a magic number, a short header that is a Python dictionary, then the values.
//!
//! The header is parsed here and not by `npyz`, whose parser asks for as much memory as the header claims, panics
//! where a shape's product overflows, and needs exponential time for nested brackets.
//! Source: `numpy.lib.format`, versions 1.0 to 3.0.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use super::decode::{ByteOrder, Element, invalid};
use super::located::{Layout, Located};
use super::{Format, Shape, Wanted};
use crate::data::Error;
use crate::data::files::open_regular;

pub(super) const FORMAT: Format = Format { extension: "npy", locate };

/// `numpy` itself writes less than 1 KiB unless an array has many fields.
const LARGEST_HEADER: u64 = 64 << 10;

/// What the beginning of a .npy says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub shape: Vec<usize>,
    element: Element,
    order: ByteOrder,
    column_after_column: bool,
}

fn locate(path: &Path, _: &Wanted) -> Result<Located, Error> {
    let (file, length) = open_regular(path)?;
    let found = layout(&mut BufReader::new(&file), length, length).map_err(Error::reading(path))?;
    Ok(Located { layout: found.0, start: found.1, file: Arc::new(file), packing: None })
}

/// What a stream of `length` bytes holds, and where its values begin. Its shape is compared with `most` bytes first.
pub(super) fn layout(source: &mut dyn Read, length: u64, most: u64) -> io::Result<(Layout, u64)> {
    let (Header { shape, element, order, column_after_column }, start) = Header::read(source)?;
    let layout = Layout { shape: Shape::new(&shape, element, most)?, element, order, column_after_column };
    layout.expect_bytes(length.saturating_sub(start))?;
    Ok((layout, start))
}

impl Header {
    /// Reads the header and leaves the stream at the first value, after so many bytes.
    pub fn read(source: &mut dyn Read) -> io::Result<(Self, u64)> {
        let (before, length) = header_length(source)?;
        if length > LARGEST_HEADER {
            return Err(invalid(format!("has a header of {length} bytes: more than {LARGEST_HEADER} are not read")));
        }
        let mut text = vec![0; length as usize];
        source.read_exact(&mut text)?;
        Ok((Self::parse(&String::from_utf8_lossy(&text))?, before.saturating_add(length)))
    }

    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> io::Result<Self> {
        let unclear = || invalid("has a header that can't be understood. Save it again with numpy.save");
        let kind = after_key(text, "descr").ok_or_else(unclear)?;
        let shape = after_key(text, "shape").and_then(shape).ok_or_else(unclear)?;
        let column_after_column = match after_key(text, "fortran_order") {
            Some(value) if value.starts_with("True") => true,
            Some(value) if value.starts_with("False") => false,
            _ => return Err(unclear()),
        };
        let (element, order) = element(quoted(kind).ok_or_else(records)?)?;
        Ok(Self { shape, element, order, column_after_column })
    }
}

/// Bytes before the header's text, and bytes of the text.
fn header_length(source: &mut dyn Read) -> io::Result<(u64, u64)> {
    let mut start = [0; 8];
    source.read_exact(&mut start)?;
    match start {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => {
            let mut length = [0; 2];
            source.read_exact(&mut length)?;
            Ok((10, u16::from_le_bytes(length).into()))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _] => {
            let mut length = [0; 4];
            source.read_exact(&mut length)?;
            Ok((12, u32::from_le_bytes(length).into()))
        }
        _ => Err(invalid("is not a .npy file. Save it with numpy.save")),
    }
}

/// What stands after `'key':`.
fn after_key<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("'{key}'")).or_else(|| text.split_once(&format!("\"{key}\"")))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    text.strip_prefix(quote)?.split_once(quote).map(|(inside, _)| inside)
}

fn shape(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let sizes = inside.split(',').map(|size| size.trim().trim_end_matches('L')).filter(|size| !size.is_empty());
    sizes.map(|size| size.parse().ok()).collect()
}

fn records() -> io::Error {
    invalid("holds records, not plain values. Save one array of numbers or strings")
}

/// A type such as `<f4`: byte order, kind, size.
fn element(kind: &str) -> io::Result<(Element, ByteOrder)> {
    let (order, kind) = match kind.strip_prefix('>') {
        Some(rest) => (ByteOrder::Big, rest),
        None => (ByteOrder::Little, kind.trim_start_matches(['<', '|', '='])),
    };
    let width = |text: &str| text.parse().ok();
    let element = match kind {
        "b1" => Some(Element::Bool),
        "i1" => Some(Element::I8),
        "i2" => Some(Element::I16),
        "i4" => Some(Element::I32),
        "i8" => Some(Element::I64),
        "u1" => Some(Element::U8),
        "u2" => Some(Element::U16),
        "u4" => Some(Element::U32),
        "u8" => Some(Element::U64),
        "f2" => Some(Element::F16),
        "f4" => Some(Element::F32),
        "f8" => Some(Element::F64),
        "O" => return Err(invalid("holds Python objects, which are never loaded. Save plain numbers or strings")),
        _ => (kind.strip_prefix('U').and_then(width).map(Element::Characters))
            .or_else(|| kind.strip_prefix('S').or(kind.strip_prefix('a')).and_then(width).map(Element::Bytes)),
    };
    let unknown =
        || invalid(format!("holds values of the type {kind:?}, which can't be used. Save numbers or strings"));
    Ok((element.ok_or_else(unknown)?, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_numpy_writes_them_are_understood() {
        let cases = [
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n",
                Element::F32,
                ByteOrder::Little,
                false,
                vec![3, 4],
            ),
            ("{'descr': '>i8', 'fortran_order': True, 'shape': (7,), }\n", Element::I64, ByteOrder::Big, true, vec![7]),
            (
                "{'shape': (2L, 3L), 'fortran_order': False, 'descr': '|S5'}",
                Element::Bytes(5),
                ByteOrder::Little,
                false,
                vec![2, 3],
            ),
            (
                "{\"descr\": \"<U3\", \"fortran_order\": False, \"shape\": ()}",
                Element::Characters(3),
                ByteOrder::Little,
                false,
                vec![],
            ),
        ];
        for (text, element, order, column_after_column, shape) in cases {
            assert_eq!(Header::parse(text).unwrap(), Header { shape, element, order, column_after_column }, "{text}");
        }
    }

    #[test]
    fn headers_that_say_something_else_are_refused_with_the_reason() {
        let cases = [
            ("", "can't be understood"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4), }", "can't be understood"),
            ("{'descr': '<f4', 'fortran_order': 1, 'shape': (3, 4), }", "can't be understood"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "can't be understood"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", "holds Python objects"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}", "holds records"),
            ("{'descr': '<c16', 'fortran_order': False, 'shape': (3,)}", "type \"c16\""),
        ];
        for (text, reason) in cases {
            let error = Header::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}

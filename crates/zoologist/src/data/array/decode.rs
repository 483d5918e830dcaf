//! Numbers and text from the bytes of array files: one decoder for .npy, .npz, .safetensors and IDX.
//!
//! A stated size is compared with the bytes there can be before memory is asked for, and values are decoded in blocks
//! while they are read, so a file needs no second copy of itself.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::borrow::Cow;
use std::io::{self, Read};

use crate::base::{Interned, Values};

/// Deflate can't shrink anything further than 1032 : 1 (zlib's technical notes).
pub(in crate::data) const LARGEST_DEFLATE_RATIO: u64 = 1032;
/// Bytes decoded at a time; a multiple of every number's size.
const BLOCK: usize = 1 << 16;

/// The longest text, and all different texts together, in bytes.
const LONGEST_TEXT: usize = 1 << 20;
const MOST_TEXT: usize = 64 << 20;

pub(super) const MORE_VALUES: &str = "is damaged: it holds more values than its header says";

/// The type of a value in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Element {
    /// One byte, 0 or 1.
    Bool,
    /// Signed integers.
    I8,
    I16,
    I32,
    I64,
    /// Unsigned integers.
    U8,
    U16,
    U32,
    U64,
    /// IEEE half precision.
    F16,
    /// The upper half of a single-precision number.
    BF16,
    F32,
    F64,
    /// Text of that many UTF-32 characters, filled up with zeros.
    Characters(usize),
    /// Text of that many bytes, filled up with zeros.
    Bytes(usize),
}

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum ByteOrder {
    /// The least significant one.
    Little,
    /// The most significant one.
    Big,
}

/// The values of an array, in file order.
#[derive(Debug)]
pub(in crate::data) enum Cells {
    /// Half and single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Integers and truth values.
    Integers(Vec<i64>),
    /// Text.
    Text(Interned),
}

/// An error about a file's content; [`crate::data::Error::reading`] adds the file's name.
pub(in crate::data) fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.into())
}

impl Element {
    /// How many bytes a value takes.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::Characters(characters) => characters.saturating_mul(4),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// How many values an array of this shape has, if `most` bytes can hold them.
pub(in crate::data) fn checked_count(shape: &[usize], element: Element, most: u64) -> io::Result<usize> {
    let count = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let bytes = count.and_then(|count| count.checked_mul(element.size()));
    match (count, bytes) {
        (Some(0), _) | (_, Some(0)) => Err(invalid("is empty: it holds no values")),
        (Some(count), Some(bytes)) if bytes as u64 <= most => Ok(count),
        _ => Err(invalid(format!(
            "is cut off or damaged: its header promises more values ({shape:?}) than the file can hold"
        ))),
    }
}

/// The next `count` values.
pub(in crate::data) fn cells(
    source: &mut dyn Read,
    element: Element,
    order: ByteOrder,
    count: usize,
) -> io::Result<Cells> {
    Ok(match element {
        Element::F16 => Cells::F32(read_numbers(source, count, order, |bytes| half(u16::from_le_bytes(bytes)))?),
        Element::BF16 => Cells::F32(read_numbers(source, count, order, bfloat)?),
        Element::F32 => Cells::F32(read_numbers(source, count, order, f32::from_le_bytes)?),
        Element::F64 => Cells::F64(read_numbers(source, count, order, f64::from_le_bytes)?),
        Element::Characters(_) | Element::Bytes(_) => Cells::Text(texts(source, count, order, element)?),
        integer => Cells::Integers(integers(source, count, order, integer)?),
    })
}

/// The next `count` bytes.
pub(in crate::data) fn bytes(source: &mut dyn Read, count: usize) -> io::Result<Vec<u8>> {
    read_numbers(source, count, ByteOrder::Little, |[byte]: [u8; 1]| byte)
}

/// Refuses bytes that nothing accounts for. In an archive this also verifies the checksum.
pub(in crate::data) fn expect_end(source: &mut dyn Read) -> io::Result<()> {
    match source.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(invalid(MORE_VALUES)),
    }
}

fn integers(source: &mut dyn Read, count: usize, order: ByteOrder, element: Element) -> io::Result<Vec<i64>> {
    match element {
        Element::Bool => read_numbers(source, count, order, |[byte]| i64::from(byte != 0)),
        Element::I8 => read_numbers(source, count, order, |bytes| i8::from_le_bytes(bytes).into()),
        Element::I16 => read_numbers(source, count, order, |bytes| i16::from_le_bytes(bytes).into()),
        Element::I32 => read_numbers(source, count, order, |bytes| i32::from_le_bytes(bytes).into()),
        Element::U8 => read_numbers(source, count, order, |bytes| u8::from_le_bytes(bytes).into()),
        Element::U16 => read_numbers(source, count, order, |bytes| u16::from_le_bytes(bytes).into()),
        Element::U32 => read_numbers(source, count, order, |bytes| u32::from_le_bytes(bytes).into()),
        Element::U64 => unsigned(read_numbers(source, count, order, u64::from_le_bytes)?),
        _ => read_numbers(source, count, order, i64::from_le_bytes),
    }
}

fn unsigned(values: Vec<u64>) -> io::Result<Vec<i64>> {
    let convert = |value| i64::try_from(value).map_err(|_| invalid(format!("holds an integer above 2^63: {value}")));
    values.into_iter().map(convert).collect()
}

fn read_numbers<const N: usize, T>(
    source: &mut dyn Read,
    count: usize,
    order: ByteOrder,
    from_little: impl Fn([u8; N]) -> T,
) -> io::Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut block = vec![0; BLOCK];
    while values.len() < count {
        let missing = count.saturating_sub(values.len()).saturating_mul(N);
        let part = block.get_mut(..missing.min(BLOCK)).unwrap_or_default();
        source.read_exact(part)?;
        convert(&mut values, part, order, &from_little);
    }
    Ok(values)
}

/// Adds the numbers that these bytes are.
fn convert<const N: usize, T>(values: &mut Vec<T>, bytes: &[u8], order: ByteOrder, from_little: impl Fn([u8; N]) -> T) {
    let (items, _) = bytes.as_chunks::<N>();
    let turned = |item: &[u8; N]| {
        let mut item = *item;
        item.reverse();
        from_little(item)
    };
    match order {
        ByteOrder::Little => values.extend(items.iter().map(|item| from_little(*item))),
        ByteOrder::Big => values.extend(items.iter().map(turned)),
    }
}

/// Adds the numbers that these bytes are to features: half precision becomes single, integers become double
/// precision. Text has no numbers: it adds nothing.
pub(in crate::data) fn add_numbers(values: &mut Values, bytes: &[u8], element: Element, order: ByteOrder) {
    match values {
        Values::F32(values) => match element {
            Element::F16 => convert(values, bytes, order, |bytes| half(u16::from_le_bytes(bytes))),
            Element::BF16 => convert(values, bytes, order, bfloat),
            Element::F32 => convert(values, bytes, order, f32::from_le_bytes),
            _ => {}
        },
        Values::F64(values) => match element {
            Element::F64 => convert(values, bytes, order, f64::from_le_bytes),
            Element::Bool => convert(values, bytes, order, |[byte]| f64::from(u8::from(byte != 0))),
            Element::I8 => convert(values, bytes, order, |bytes| i8::from_le_bytes(bytes).into()),
            Element::I16 => convert(values, bytes, order, |bytes| i16::from_le_bytes(bytes).into()),
            Element::I32 => convert(values, bytes, order, |bytes| i32::from_le_bytes(bytes).into()),
            Element::I64 => convert(values, bytes, order, |bytes| i64::from_le_bytes(bytes) as f64),
            Element::U8 => convert(values, bytes, order, |bytes| u8::from_le_bytes(bytes).into()),
            Element::U16 => convert(values, bytes, order, |bytes| u16::from_le_bytes(bytes).into()),
            Element::U32 => convert(values, bytes, order, |bytes| u32::from_le_bytes(bytes).into()),
            Element::U64 => convert(values, bytes, order, |bytes| u64::from_le_bytes(bytes) as f64),
            _ => {}
        },
    }
}

/// All numbers as features have them. Text has no numbers.
pub(in crate::data) fn numbers(cells: Cells) -> Values {
    match cells {
        Cells::F32(values) => Values::F32(values),
        Cells::F64(values) => Values::F64(values),
        Cells::Integers(values) => Values::F64(values.into_iter().map(|value| value as f64).collect()),
        Cells::Text(_) => Values::F64(Vec::new()),
    }
}

fn bfloat([low, high]: [u8; 2]) -> f32 {
    f32::from_le_bytes([0, 0, low, high])
}

/// IEEE 754 half precision: 1 bit sign, 5 bits exponent, 10 bits fraction.
pub(crate) fn half(bits: u16) -> f32 {
    let fraction = f32::from(bits & 0x3ff);
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1024.0 + fraction) * 2.0_f32.powi(i32::from(exponent).saturating_sub(25)),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

fn texts(source: &mut dyn Read, count: usize, order: ByteOrder, element: Element) -> io::Result<Interned> {
    if element.size() > LONGEST_TEXT {
        return Err(invalid(format!("holds texts of {} bytes: more than {LONGEST_TEXT} are not read", element.size())));
    }
    let mut item = vec![0; element.size()];
    let (mut texts, mut different) = (Interned::default(), 0_usize);
    for row in 0..count {
        source.read_exact(&mut item)?;
        let text = match element {
            Element::Characters(_) => from_utf32(&item, order).map(Cow::Owned),
            _ => std::str::from_utf8(&item).ok().map(Cow::Borrowed),
        };
        let text = text.ok_or_else(|| invalid(format!("row {row} (counted from 0) is not valid text")))?;
        let (text, known) = (text.trim_end_matches('\0'), texts.names().len());
        texts.push(text);
        different = different.saturating_add(if texts.names().len() > known { text.len() } else { 0 });
        if different > MOST_TEXT {
            return Err(invalid(format!("holds more than {} MiB of different texts", MOST_TEXT >> 20)));
        }
    }
    Ok(texts)
}

fn from_utf32(bytes: &[u8], order: ByteOrder) -> Option<String> {
    let (characters, _) = bytes.as_chunks::<4>();
    let code = |bytes: &[u8; 4]| match order {
        ByteOrder::Little => u32::from_le_bytes(*bytes),
        ByteOrder::Big => u32::from_be_bytes(*bytes),
    };
    characters.iter().map(|bytes| char::from_u32(code(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn half_precision_is_exact_at_its_corners() {
        let cases = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, expected) in cases {
            assert_eq!(half(bits).to_bits(), f32::to_bits(expected), "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}

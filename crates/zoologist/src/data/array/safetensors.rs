//! Hugging Face's .safetensors: the length of a header, the header in JSON, then the values.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::decode::{ByteOrder, Element, invalid};
use super::located::{Layout, Located};
use super::{Entry, Format, Shape, Wanted};
use crate::data::Error;
use crate::data::files::open_regular;

pub(super) const FORMAT: Format = Format { extension: "safetensors", locate };

/// Bytes before the header: its length.
const PREFIX: u64 = 8;
/// Enough for tens of thousands of tensors. While it is parsed, a header takes many times its size.
const LARGEST_HEADER: u64 = 4 << 20;

struct Tensors {
    file: File,
    metadata: Metadata,
    /// Where the values begin.
    start: u64,
}

fn locate(path: &Path, wanted: &Wanted) -> Result<Located, Error> {
    let (file, length) = open_regular(path)?;
    let tensors = Tensors::open(file, length).map_err(Error::reading(path))?;
    let entries = tensors.entries();
    let name = wanted.pick(path, &entries)?;
    tensors.locate(name).map_err(Error::reading(path))
}

impl Tensors {
    fn open(file: File, length: u64) -> io::Result<Self> {
        let mut source = BufReader::new(&file);
        let mut prefix = [0; PREFIX as usize];
        source.read_exact(&mut prefix)?;
        let header = u64::from_le_bytes(prefix);
        let start = PREFIX.checked_add(header).filter(|&start| start <= length);
        let start = start.ok_or_else(|| invalid("is not a .safetensors file: its header is longer than the file"))?;
        if header > LARGEST_HEADER {
            return Err(invalid(format!("has a header of {header} bytes: more than {LARGEST_HEADER} are not read")));
        }
        let mut text = Vec::new();
        source.take(header).read_to_end(&mut text)?;
        let damaged = |error| invalid(format!("is not a .safetensors file: its header is damaged ({error})"));
        let Names = serde_json::from_slice(&text).map_err(damaged)?;
        let metadata: Metadata = serde_json::from_slice(&text).map_err(damaged)?;
        if start.checked_add(metadata.data_len() as u64) != Some(length) {
            return Err(invalid("is cut off or damaged: its header describes a file of another length"));
        }
        Ok(Self { file, metadata, start })
    }

    fn entries(&self) -> Vec<Entry> {
        let names = self.metadata.offset_keys();
        let shape = |name: &String| self.metadata.info(name).map(|info| info.shape.clone());
        names.into_iter().map(|name| Entry { shape: shape(&name), name }).collect()
    }

    fn locate(self, name: &str) -> io::Result<Located> {
        let Some(TensorInfo { dtype, shape, data_offsets: (begin, end) }) = self.metadata.info(name) else {
            return Err(invalid(format!("has no tensor {name}")));
        };
        if !matches!(shape.len(), 1 | 2) {
            return Err(invalid(format!(
                "its tensor {name} has the shape {shape:?}: one or two dimensions are needed"
            )));
        }
        let (element, there) = (element(*dtype)?, end.saturating_sub(*begin) as u64);
        let shape = Shape::new(shape, element, there)?;
        let layout = Layout { shape, element, order: ByteOrder::Little, column_after_column: false };
        layout.expect_bytes(there)?;
        let start = self.start.saturating_add(*begin as u64);
        Ok(Located { file: Arc::new(self.file), start, layout, packing: None })
    }
}

/// The names of a header, none of them twice. The format forbids that, but the crate takes the last.
struct Names;

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
            if let Some(name) = names.replace(name) {
                return Err(A::Error::custom(format!("the name {name:?} stands there twice")));
            }
        }
        Ok(self)
    }
}

/// Refuses a whole file with a name that stands twice in its header.
pub(crate) fn check_names(file: &[u8]) -> Result<(), String> {
    let header = file.split_first_chunk().and_then(|(length, rest)| {
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        rest.get(..length)
    });
    let Names = serde_json::from_slice(header.unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(())
}

fn element(kind: Dtype) -> io::Result<Element> {
    Ok(match kind {
        Dtype::BOOL => Element::Bool,
        Dtype::I8 => Element::I8,
        Dtype::I16 => Element::I16,
        Dtype::I32 => Element::I32,
        Dtype::I64 => Element::I64,
        Dtype::U8 => Element::U8,
        Dtype::U16 => Element::U16,
        Dtype::U32 => Element::U32,
        Dtype::U64 => Element::U64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::BF16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => return Err(invalid(format!("holds values of the type {other:?}, which can't be used"))),
    })
}

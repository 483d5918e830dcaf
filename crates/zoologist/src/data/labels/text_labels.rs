//! Labels in a text file, one a line.

use super::Format;
use super::detect::Raw;
use crate::data::text_lines;

pub(super) const FORMAT: Format = Format { extension: "txt", read: |path| text_lines::read(path).map(Raw::Texts) };

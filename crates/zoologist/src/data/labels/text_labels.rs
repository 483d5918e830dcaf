//! Labels in a text file, one a line.

use std::path::Path;

use super::detect::Raw;
use super::{Error, Format};
use crate::base::Interned;
use crate::data::text_lines;

pub(super) const FORMAT: Format = Format { extension: "txt", read };

fn read(path: &Path) -> Result<Raw, Error> {
    let mut labels = Interned::default();
    text_lines::each(path, |line| labels.push(line))?;
    Ok(Raw::Texts(labels))
}

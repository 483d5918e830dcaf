//! The bytes of an IDX file (MNIST and its family), gzip or not.
//!
//! Two zero bytes, one byte for the type of a value, one for the number of dimensions, one big-endian `u32` for each
//! dimension, then the values, the last dimension fastest.
//! Source: "The MNIST database of handwritten digits", section "File formats".

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::array::decode::{self, ByteOrder, Cells, Element, invalid};
use super::files::open_regular;
use super::{Error, RawPicture};

/// More pictures than this are not unpacked into memory.
const LARGEST: usize = 4 << 30;
/// More pictures than this, or labels, are not listed: each takes many bytes, and next to none in a packed file.
const MOST_PICTURES: usize = 1 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b];

/// What the beginning of an IDX file says.
#[derive(Debug)]
struct Header {
    element: Element,
    shape: Vec<usize>,
    count: usize,
}

/// The size of the pictures of a file.
#[derive(Debug, Clone, Copy)]
struct Frame {
    count: usize,
    width: u32,
    height: u32,
    channels: u8,
}

/// The pictures of one IDX file, unpacked.
#[derive(Debug)]
pub(super) struct Pictures {
    frame: Frame,
    bytes: Vec<u8>,
}

/// A reader of the unpacked bytes, and how many there can be at most.
struct Content {
    reader: Box<dyn Read>,
    most: u64,
}

impl Pictures {
    /// The picture at that place, from 0, if there is one.
    pub fn picture(&self, row: u32) -> Option<RawPicture> {
        let Frame { width, height, channels, .. } = self.frame;
        let size = self.frame.size();
        let begin = (row as usize).saturating_mul(size);
        let bytes = self.bytes.get(begin..begin.saturating_add(size))?.to_vec();
        Some(RawPicture::Pixels { width, height, channels, bytes })
    }
}

impl Frame {
    fn size(self) -> usize {
        (self.width as usize).saturating_mul(self.height as usize).saturating_mul(usize::from(self.channels))
    }
}

/// How many pictures a file says it holds; a file that is plainly too short for them is refused.
pub(super) fn count(path: &Path) -> Result<usize, Error> {
    let mut content = open(path)?;
    let frame = Header::read(&mut content).and_then(|header| header.frame());
    Ok(frame.map_err(Error::reading(path))?.count)
}

/// All pictures of a file.
pub(super) fn pictures(path: &Path) -> Result<Pictures, Error> {
    let mut content = open(path)?;
    read_pictures(&mut content).map_err(Error::reading(path))
}

/// All labels of a file.
pub(super) fn labels(path: &Path) -> Result<Vec<i64>, Error> {
    let mut content = open(path)?;
    read_labels(&mut content).map_err(Error::reading(path))
}

fn read_pictures(content: &mut Content) -> io::Result<Pictures> {
    let header = Header::read(content)?;
    let frame = header.frame()?;
    if header.count > LARGEST {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let bytes = decode::bytes(&mut content.reader, header.count)?;
    decode::expect_end(&mut content.reader)?;
    Ok(Pictures { frame, bytes })
}

fn read_labels(content: &mut Content) -> io::Result<Vec<i64>> {
    let header = Header::read(content)?;
    check_count(header.count)?;
    let (1, Cells::Integers(labels)) =
        (header.shape.len(), decode::cells(&mut content.reader, header.element, ByteOrder::Big, header.count)?)
    else {
        return Err(invalid("holds no labels: one dimension of integers is needed"));
    };
    decode::expect_end(&mut content.reader)?;
    Ok(labels)
}

fn open(path: &Path) -> Result<Content, Error> {
    let (file, length) = open_regular(path)?;
    let mut file = BufReader::new(file);
    let packed = file.fill_buf().map_err(Error::reading(path))?.starts_with(GZIP);
    Ok(if packed {
        let most = length.saturating_mul(decode::LARGEST_DEFLATE_RATIO);
        Content { reader: Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file))), most }
    } else {
        Content { reader: Box::new(file), most: length }
    })
}

fn check_count(count: usize) -> io::Result<()> {
    let problem = || invalid(format!("holds {count} pictures or labels: more than {MOST_PICTURES} are not read"));
    if count <= MOST_PICTURES { Ok(()) } else { Err(problem()) }
}

impl Header {
    fn read(content: &mut Content) -> io::Result<Self> {
        let mut start = [0; 4];
        content.reader.read_exact(&mut start)?;
        let [0, 0, kind, dimensions] = start else {
            return Err(invalid("is not an IDX file: it does not begin with two zero bytes"));
        };
        let element = element(kind)?;
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let mut size = [0; 4];
            content.reader.read_exact(&mut size)?;
            shape.push(u32::from_be_bytes(size) as usize);
        }
        let header = 4_u64.saturating_mul(u64::from(dimensions).saturating_add(1));
        let count = decode::checked_count(&shape, element, content.most.saturating_sub(header))?;
        Ok(Self { element, shape, count })
    }

    fn frame(&self) -> io::Result<Frame> {
        if self.element != Element::U8 {
            return Err(invalid(format!(
                "holds pictures of {:?} values: only U8 (unsigned bytes) can be read",
                self.element
            )));
        }
        let (count, height, width, channels) = match self.shape[..] {
            [count, height, width] => (count, height, width, 1),
            [count, height, width, 3] => (count, height, width, 3),
            _ => return Err(invalid("holds no pictures: count x height x width (x 3) unsigned bytes are needed")),
        };
        check_count(count)?;
        // The dimensions were read from 32 bits each.
        Ok(Frame { count, width: width as u32, height: height as u32, channels })
    }
}

fn element(kind: u8) -> io::Result<Element> {
    Ok(match kind {
        0x08 => Element::U8,
        0x09 => Element::I8,
        0x0B => Element::I16,
        0x0C => Element::I32,
        0x0D => Element::F32,
        0x0E => Element::F64,
        _ => return Err(invalid(format!("is not an IDX file: there is no value type {kind:#04x}"))),
    })
}

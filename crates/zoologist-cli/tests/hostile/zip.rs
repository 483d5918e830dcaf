//! ZIP archives, written field by field so that any of them can lie.

use std::io::Write;

use flate2::Crc;
use flate2::write::DeflateEncoder;

/// One file of an archive, with what its headers say of it.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub method: u16,
    pub flags: u16,
    pub crc: u32,
    pub size: u32,
    pub packed: Vec<u8>,
    /// Where the central directory says that it stands, if that is a lie.
    pub place: Option<u32>,
}

impl Entry {
    /// As it is.
    pub fn stored(name: &str, bytes: &[u8]) -> Self {
        let (crc, size) = (crc(bytes), bytes.len() as u32);
        Self { name: name.to_owned(), method: 0, flags: 0, crc, size, packed: bytes.to_vec(), place: None }
    }

    /// Deflated.
    pub fn deflated(name: &str, bytes: &[u8]) -> Self {
        Self { method: 8, packed: deflated(bytes), ..Self::stored(name, bytes) }
    }

    fn fields(&self) -> Vec<u8> {
        let two = |number: u16| number.to_le_bytes();
        let four = |number: u32| number.to_le_bytes();
        let (packed, name) = (self.packed.len() as u32, self.name.len() as u16);
        let head = [two(20), two(self.flags), two(self.method), two(0), two(33)].concat();
        [
            head,
            four(self.crc).to_vec(),
            four(packed).to_vec(),
            four(self.size).to_vec(),
            two(name).to_vec(),
            two(0).to_vec(),
        ]
        .concat()
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(vec![], flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The archive of these files.
pub fn archive(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (vec![], vec![]);
    for entry in entries {
        let place = entry.place.unwrap_or(bytes.len() as u32);
        let directory_fields = [&[0; 6][..], &[0; 4], &place.to_le_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\0", &entry.fields()[..], &directory_fields, entry.name.as_bytes()].concat());
        if entry.place.is_none() {
            bytes.extend([b"PK\x03\x04", &entry.fields()[..], entry.name.as_bytes(), &entry.packed].concat());
        }
    }
    let (count, start) = (entries.len() as u16, bytes.len() as u32);
    let numbers =
        [[0, 0, count, count].map(u16::to_le_bytes).concat(), (directory.len() as u32).to_le_bytes().to_vec()];
    [bytes, directory, b"PK\x05\x06".to_vec(), numbers.concat(), start.to_le_bytes().to_vec(), vec![0, 0]].concat()
}

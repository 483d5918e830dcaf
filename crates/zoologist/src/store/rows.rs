//! Rows of features that stay in the store until they are asked for: what is in memory does not grow with their number.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::{Error, JobFolder, refused};

/// Bytes that are read at once.
const AT_ONCE: usize = 1 << 20;

/// n × d features in the store.
#[derive(Debug)]
pub struct StoredRows {
    pub(super) dim: usize,
    pub(super) count: usize,
    pub(super) place: Place,
}

/// Where the rows are.
#[derive(Debug)]
pub(super) enum Place {
    /// In one file, from this byte on.
    Sealed { file: File, path: PathBuf, start: u64 },
    /// In the blocks of these ranges.
    Blocks { folder: JobFolder, ranges: Vec<Range<usize>> },
}

impl StoredRows {
    /// Numbers per row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Hands out these rows, whose places must rise, one after the other.
    pub fn visit(&self, places: &[usize], mut take: impl FnMut(&[f32])) -> Result<(), Error> {
        let mut rest = places;
        while let Some(&first) = rest.first() {
            let span = self.span(first)?;
            let (here, later) = rest.split_at(rest.partition_point(|&place| place < span.end));
            let Some(&last) = here.last() else { return Err(self.missing()) };
            let values = self.read(span.start..last + 1)?;
            for place in here {
                let start = (place - span.start) * self.dim;
                take(values.get(start..start + self.dim).ok_or_else(|| self.missing())?);
            }
            rest = later;
        }
        Ok(())
    }

    /// The rows that are read together with this one.
    fn span(&self, first: usize) -> Result<Range<usize>, Error> {
        let span = match &self.place {
            Place::Sealed { .. } => {
                let rows = (AT_ONCE / (4 * self.dim)).max(1);
                (first < self.count).then(|| first..self.count.min(first + rows))
            }
            Place::Blocks { ranges, .. } => ranges
                .get(ranges.partition_point(|range| range.end <= first))
                .filter(|range| range.contains(&first))
                .cloned(),
        };
        span.ok_or_else(|| self.missing())
    }

    /// Some rows that were found by [`Self::span`]: the beginning of it, or more.
    fn read(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        match &self.place {
            Place::Sealed { file, path, start } => {
                let mut bytes = vec![0; rows.len() * self.dim * 4];
                let at = start + (rows.start * self.dim * 4) as u64;
                file.read_exact_at(&mut bytes, at).map_err(refused("read", path))?;
                Ok(bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect())
            }
            Place::Blocks { folder, ranges } => {
                let place = ranges.partition_point(|range| range.start < rows.start);
                Ok(folder.sound_block(ranges.get(place).ok_or_else(|| self.missing())?)?.values)
            }
        }
    }

    fn missing(&self) -> Error {
        let path = match &self.place {
            Place::Sealed { path, .. } => path.clone(),
            Place::Blocks { folder, .. } => folder.path().to_owned(),
        };
        Error::Damaged { path, what: "rows of features are missing" }
    }
}

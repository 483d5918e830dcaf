//! The rows of a feature matrix, wherever they are, gathered into the statistics of their shards.
//!
//! One pass in file order serves all shards at once, in memory for one set of statistics per shard. Where only the total
//! is wanted and any row can be read by its place, a few shards are gathered at a time and merged at once: then it is
//! the memory of those few. Both give the same bits, because the rows of a shard are blocked by their places in it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Error, Progress};
use crate::base::path_text::show;
use crate::base::{Features, Values};
use crate::data::rows::{self, RowReader};
use crate::stats::{Builder, Moments, Precision, Responses, ScratchPool, pilot_rows};

/// What a pass over the rows is called where progress is shown.
pub const PASS: &str = "statistics";
/// Bytes read at once.
const BLOCK_BYTES: usize = 16 << 20;
/// Bytes of statistics above which shards are gathered a few at a time where that serves.
const FEW_BYTES: usize = 64 << 20;

/// Rows in a file, or in memory.
pub enum Matrix {
    /// Read in blocks as they are needed.
    File(Box<RowReader>, PathBuf),
    /// All there.
    Memory(Features),
}

/// Beyond this, fourth powers of features overflow.
const LARGEST: f64 = 1e70;

/// Refuses numbers that can't be squared twice. `place` is that of a row of the block in the data.
fn require_moderate(block: &Features, path: &Path, place: impl Fn(usize) -> usize) -> Result<(), Error> {
    let Values::F64(values) = block.values() else { return Ok(()) };
    match values.iter().position(|value| value.abs() > LARGEST) {
        None => Ok(()),
        Some(found) => {
            let (row, column) = (place(found / block.dim()), found % block.dim());
            Err(Error::Huge { path: show(path), row, column })
        }
    }
}

/// Which rows go into which shard.
pub struct Layout<'a> {
    /// The number of each row's shard.
    pub shard_of_row: &'a [u8],
    /// How many shards there are.
    pub count: usize,
}

impl Matrix {
    /// The features in a file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self::File(Box::new(rows::open(path)?), path.to_owned()))
    }

    /// Reads all rows into memory, because they will be needed again.
    pub fn hold(&mut self) -> Result<(), Error> {
        if let Self::File(reader, path) = self {
            let count = reader.rows();
            reader.rewind();
            if let Some(whole) = reader.next_block(count)? {
                require_moderate(&whole, path, |row| row)?;
                *self = Self::Memory(whole);
            }
        }
        Ok(())
    }

    /// All rows, in memory.
    pub fn into_memory(mut self) -> Result<Features, Error> {
        self.hold()?;
        match self {
            Self::Memory(features) => Ok(features),
            Self::File(reader, _) => Ok(reader.no_rows()),
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::File(reader, _) => reader.rows(),
            Self::Memory(features) => features.rows(),
        }
    }

    /// Dimensions.
    pub fn dim(&self) -> usize {
        match self {
            Self::File(reader, _) => reader.dim(),
            Self::Memory(features) => features.dim(),
        }
    }

    fn seekable(&self) -> bool {
        match self {
            Self::File(reader, _) => reader.seekable(),
            Self::Memory(_) => true,
        }
    }

    /// How its rows are to be multiplied, by a pilot that is the same for everyone who reads the file.
    pub fn precision(&mut self) -> Result<Precision, Error> {
        let (count, dim) = (self.rows(), self.dim());
        let Some(pilot) = pilot_rows(count, dim) else { return Ok(Precision::Double) };
        let places: Vec<usize> = (0..pilot).map(|place| place * count / pilot).collect();
        let rows = match self {
            Self::Memory(features) => features.select(&places),
            Self::File(reader, _) if reader.precision() == rows::Precision::Double => return Ok(Precision::Double),
            Self::File(reader, _) if reader.seekable() => {
                let mut rows = reader.no_rows();
                reader.read(&places, &mut rows)?;
                rows
            }
            Self::File(reader, _) => {
                reader.rewind();
                let rows = reader.next_block(pilot)?;
                reader.rewind();
                rows.unwrap_or_else(|| reader.no_rows())
            }
        };
        Ok(Precision::of_pilot(&rows))
    }

    /// The statistics of some shards, in their order.
    pub fn shards(
        &mut self,
        wanted: &[usize],
        layout: &Layout,
        responses: &Responses,
        precision: &Precision,
        progress: &dyn Progress,
    ) -> Result<Vec<Moments>, Error> {
        self.shards_with(wanted, layout, responses, precision, &ScratchPool::default(), progress)
    }

    fn shards_with(
        &mut self,
        wanted: &[usize],
        layout: &Layout,
        responses: &Responses,
        precision: &Precision,
        pool: &ScratchPool,
        progress: &dyn Progress,
    ) -> Result<Vec<Moments>, Error> {
        let dim = self.dim();
        let mut builders: Vec<Option<Builder>> = (0..layout.count).map(|_| None).collect();
        wanted.iter().for_each(|&shard| builders[shard] = Some(Builder::new(dim, responses, precision)));
        let all = wanted.len() == layout.count;
        let take = |block: &Features, places: &mut dyn Iterator<Item = usize>| {
            let mut of_shard: Vec<Vec<(usize, usize)>> = vec![vec![]; layout.count];
            places
                .enumerate()
                .for_each(|(row, place)| of_shard[usize::from(layout.shard_of_row[place])].push((row, place)));
            let pairs = builders.par_iter_mut().zip(&of_shard);
            pairs.for_each(|(builder, rows)| {
                if let Some(builder) = builder {
                    pool.with(|scratch| builder.add(block, rows, scratch));
                }
            });
        };
        if all || !self.seekable() {
            self.stream(take, progress)?;
        } else {
            let places = (0..self.rows()).filter(|&row| wanted.contains(&usize::from(layout.shard_of_row[row])));
            self.gather(&places.collect::<Vec<_>>(), take, progress)?;
        }
        let builders: Vec<Builder> = builders.into_iter().flatten().collect();
        Ok(builders.into_par_iter().map(|builder| pool.with(|scratch| builder.finish(scratch))).collect())
    }

    /// The statistics of all rows, merged in the order of the shards.
    pub fn total(
        &mut self,
        layout: &Layout,
        responses: &Responses,
        precision: &Precision,
        progress: &dyn Progress,
    ) -> Result<Moments, Error> {
        let width = responses.targets().names().len() * responses.count();
        let bytes = layout.count * self.dim() * (self.dim() + width) * size_of::<f64>();
        let few = if bytes > FEW_BYTES && self.seekable() { rayon::current_num_threads() } else { layout.count };
        let shards: Vec<usize> = (0..layout.count).collect();
        let pool = ScratchPool::default();
        let mut total: Option<Moments> = None;
        for wave in shards.chunks(few.max(1)) {
            for part in self.shards_with(wave, layout, responses, precision, &pool, progress)? {
                match &mut total {
                    Some(total) => {
                        total.merge(&part);
                        pool.give_back(part);
                    }
                    None => total = Some(part),
                }
            }
        }
        total.ok_or(Error::NoRows)
    }

    /// Every row in file order, in blocks.
    fn stream(
        &mut self,
        mut take: impl FnMut(&Features, &mut dyn Iterator<Item = usize>),
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        match self {
            Self::Memory(features) => {
                take(features, &mut (0..features.rows()));
                progress.advance(PASS, features.rows());
            }
            Self::File(reader, path) => {
                reader.rewind();
                let most = (BLOCK_BYTES / reader.row_bytes()).max(1);
                let mut block = reader.no_rows();
                let mut first = 0;
                loop {
                    let count = reader.next_into(most, &mut block)?;
                    if count == 0 {
                        break;
                    }
                    require_moderate(&block, path, |row| first + row)?;
                    take(&block, &mut (first..first + count));
                    first += count;
                    progress.advance(PASS, count);
                }
            }
        }
        Ok(())
    }

    /// Some rows, by their places, rising.
    fn gather(
        &mut self,
        places: &[usize],
        mut take: impl FnMut(&Features, &mut dyn Iterator<Item = usize>),
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let row_bytes = match self {
            Self::File(reader, _) => reader.row_bytes(),
            Self::Memory(features) => features.dim() * if matches!(features.values(), Values::F32(_)) { 4 } else { 8 },
        };
        let mut block = Features::new(self.dim(), Values::F32(vec![]));
        for places in places.chunks((BLOCK_BYTES / row_bytes).max(1)) {
            match self {
                Self::File(reader, path) => {
                    reader.read(places, &mut block)?;
                    require_moderate(&block, path, |row| places[row])?;
                    take(&block, &mut places.iter().copied());
                }
                Self::Memory(features) => take(&features.select(places), &mut places.iter().copied()),
            }
            progress.advance(PASS, places.len());
        }
        Ok(())
    }
}

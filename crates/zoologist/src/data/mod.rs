//! The user's data: pictures with labels, or features with labels, in the forms that people already have.
//!
//! Nothing here decodes a picture or runs a model. [`open`] says which samples there are and what is to be
//! predicted for each; [`PictureReader`] hands out their bytes; [`rows::open`], [`features::read`] and [`labels::read`] read
//! arrays that were computed elsewhere; [`Partition`] is the one seeded order that everything else cuts into shards.
//!
//! Data sets are not trusted. Only regular files are opened, only beneath the data set's folder, and no size that a
//! file states is believed before it has been compared with the bytes there are.

mod array;
mod csv_file;
mod csv_lines;
mod dataset;
mod error;
pub mod features;
mod files;
mod formats;
mod idx_file;
pub mod labels;
mod parquet;
mod partition;
mod picture;
pub mod results;
pub mod rows;
mod strata;
mod table;
mod text_lines;
pub mod tried;
mod walk;

pub(crate) use array::decode::half;
pub(crate) use array::safetensors::check_names;
pub use dataset::{Dataset, Inputs, PictureSource, Split};
pub use error::Error;
pub use formats::{open, open_unlabelled};
pub use partition::{Partition, shard_count};
pub use picture::{PictureReader, RawPicture, content_digests};
pub use table::{TableColumn, TableOptions, TextRows, columns as table_columns, is_dataset as is_table_of_samples};

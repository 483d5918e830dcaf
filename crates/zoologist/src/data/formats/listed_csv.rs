//! A folder with `labels.csv` or `metadata.csv`: the columns `file_name` and `label`, and `split` where there is one.

use std::path::Path;

use csv::StringRecord;

use super::Format;
use super::listed::{Columns, Row, dataset};
use crate::data::{Dataset, Error, csv_file};

const LABELS_CSV: &str = "labels.csv";
const METADATA_CSV: &str = "metadata.csv";

pub(super) const LABELS: Format =
    Format { recognises: |path| path.join(LABELS_CSV).exists(), open: |path| open(path, LABELS_CSV) };
pub(super) const METADATA: Format =
    Format { recognises: |path| path.join(METADATA_CSV).exists(), open: |path| open(path, METADATA_CSV) };

fn open(path: &Path, table: &'static str) -> Result<Dataset, Error> {
    dataset(path, table, rows(&path.join(table))?)
}

fn rows(table: &Path) -> Result<Vec<Row>, Error> {
    let mut reader = csv_file::open(table)?;
    let header = csv_file::next(table, &mut reader)?.unwrap_or_default();
    let columns = Columns::find(table, 1, header.iter())?;
    let mut rows = Vec::new();
    while let Some(cells) = csv_file::next(table, &mut reader)? {
        rows.push(row(&columns, &cells));
    }
    Ok(rows)
}

fn row(columns: &Columns, cells: &StringRecord) -> Row {
    let cell = |column: usize| cells.get(column).unwrap_or_default().to_owned();
    Row {
        line: csv_file::line(cells),
        file: cell(columns.file),
        label: cell(columns.label),
        split: columns.split.map(cell),
    }
}

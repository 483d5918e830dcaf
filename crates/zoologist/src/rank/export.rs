//! `extract`: the features that one model gives for the user's pictures or texts, as a file for other tools.

use std::path::{Path, PathBuf};

use npyz::WriterBuilder;
use serde::Serialize;

use super::features::{self, Wanted};
use super::{Error, Progress, Skipped, candidate, samples};
use crate::base::{Fault, path_text};
use crate::data::TableOptions;
use crate::extract::launch::Machinery;
use crate::extract::{Description, Extractor, LayerSet};
use crate::store::{self, StoredRows};
use crate::zoo::{self, Access, TokenPooling};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The model.
    pub model: PathBuf,
    /// The data set.
    pub data: PathBuf,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// How the states of a text's tokens are pooled, if not as the model says.
    pub pooling: Option<TokenPooling>,
    /// Which layers.
    pub layers: LayerSet,
    /// The .npy file to write.
    pub output: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exported {
    /// Version of this form.
    pub schema: u32,
    /// The model's name.
    pub model: String,
    /// Where the features are.
    #[serde(with = "path_text")]
    pub output: PathBuf,
    /// What the features are.
    #[serde(flatten)]
    pub description: Description,
    /// The sample of each row.
    pub rows: Vec<String>,
    /// The samples that could not be used.
    pub skipped: Vec<Skipped>,
}

/// Writes one row of features per sample that can be read, in the order of the data set, as a .npy file.
pub fn features(
    request: &Request,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Exported, Error> {
    let model = zoo::model(&request.model, access)?;
    let job = samples::as_they_stand(&request.data, &request.table, &machinery.store)?;
    let extractor = Extractor::Network(candidate::plan(&model, request.layers, request.pooling));
    if let Err(reasons) = extractor.takes(job.dataset.inputs.noun()) {
        return Err(Error::NoModel { path: model.name, reasons, fault: Fault::Input });
    }
    let wanted = Wanted { name: &model.name, extractor: &extractor, job: &job, rows: job.len(), compute: true };
    let found = features::extract(wanted, machinery, progress).map_err(|failure| failure.of(&model.name))?;
    let name = |row: usize| job.dataset.inputs.describe(row);
    let failed = |row: &usize| found.failures.iter().any(|failure| failure.row == *row as u64);
    let rows: Vec<usize> = (0..job.len()).filter(|row| !failed(row)).collect();
    write(&request.output, &found.rows, &rows)?;
    Ok(Exported {
        schema: 1,
        model: model.name,
        output: request.output.clone(),
        description: found.description,
        rows: rows.into_iter().map(name).collect(),
        skipped: found
            .failures
            .iter()
            .map(|failure| Skipped { path: name(failure.row as usize), reason: failure.reason.clone() })
            .collect(),
    })
}

/// Writes the rows at these places, one after the other.
fn write(path: &Path, rows: &StoredRows, places: &[usize]) -> Result<(), Error> {
    let shape = [places.len() as u64, rows.dim() as u64];
    let written = store::write_whole(path, |into| {
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(into).begin_nd()?;
        let mut written = Ok(());
        let visited = rows.visit(places, |row| {
            if written.is_ok() {
                written = writer.extend(row.iter().copied());
            }
        });
        written.and(visited.map_err(std::io::Error::other))?;
        writer.finish()
    });
    Ok(written?)
}

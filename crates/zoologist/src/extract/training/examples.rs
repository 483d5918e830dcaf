//! The worker's side of a training: samples, read and prepared batch by batch.

use super::{Batch, TrainingOrder};
use crate::data::{PictureReader, PictureSource};
use crate::extract::SampleFiles;
use crate::extract::network::prepared;
use crate::extract::onnx::ModelError;
use crate::extract::sample_files::decoded;
use crate::extract::text::{TokenIds, Tokens, shares_of};
use crate::store::Texts;
use crate::zoo::preprocessing::Preprocessing;
use crate::zoo::{ModelInput, TextSettings};

/// Samples that can be asked for in any order, from several threads.
pub trait Examples: Sync {
    /// Some samples; pictures are mirrored where `mirrored` says so, entry by entry.
    fn batch(&self, rows: &[usize], mirrored: &[bool]) -> Result<Batch, ModelError>;
}

/// The samples of an order.
pub enum Prepared<'a> {
    /// Pictures.
    Pictures(PictureReader, &'a [PictureSource], &'a Preprocessing),
    /// Texts.
    Texts(Texts, Box<Tokens>, &'a TextSettings),
}

/// Opens the samples of an order; `positions` is the longest sequence that a text network reads.
pub fn prepare(order: &TrainingOrder, positions: Option<usize>) -> Result<Prepared<'_>, ModelError> {
    match (&order.samples, &order.plan.input) {
        (samples @ SampleFiles::Pictures { .. }, ModelInput::Pictures(how)) => prepare_pictures(samples, how),
        (SampleFiles::Texts { file, .. }, ModelInput::Texts(settings)) => {
            let texts = Texts::open(file).map_err(|error| ModelError::Unfit(error.to_string()))?;
            let tokens = Tokens::load(&order.plan.folder, settings, vec![], positions)?;
            Ok(Prepared::Texts(texts, Box::new(tokens), settings))
        }
        (_, input) => Err(ModelError::Unfit(format!("it takes {}, and the samples are others", input.noun()))),
    }
}

/// Opens pictures that are prepared in one way.
pub fn prepare_pictures<'a>(samples: &'a SampleFiles, how: &'a Preprocessing) -> Result<Prepared<'a>, ModelError> {
    match samples {
        SampleFiles::Pictures { root, pictures } => Ok(Prepared::Pictures(PictureReader::new(root), pictures, how)),
        SampleFiles::Texts { .. } => Err(ModelError::Unfit("it takes pictures, and the samples are texts".to_owned())),
    }
}

impl Prepared<'_> {
    /// Why a sample can't be used; `None` if it can.
    pub fn fault(&self, row: usize) -> Option<String> {
        match self {
            Self::Pictures(..) => self.picture(row, false).err(),
            Self::Texts(..) => self.text(row).err().map(|error| error.to_string()),
        }
    }

    /// Tokens that 95% of some texts do not exceed; `None` for pictures.
    pub fn usual_tokens(&self, rows: &[usize]) -> Option<usize> {
        let lengths = rows.iter().map(|&row| self.text(row).ok().map(|ids| ids.ids.len()));
        let mut lengths = lengths.collect::<Option<Vec<usize>>>()?;
        lengths.sort_unstable();
        let place = (lengths.len() * 95).div_ceil(100).saturating_sub(1);
        lengths.get(place).copied()
    }

    fn picture(&self, row: usize, mirrored: bool) -> Result<([usize; 2], Vec<f32>), String> {
        let Self::Pictures(reader, sources, how) = self else { return Err("it is a text".to_owned()) };
        let picture = decoded(reader, &sources[row])?;
        let prepared = prepared(&picture, how).map_err(|error| error.to_string())?;
        let (size, mut values) = ([prepared.size.height as usize, prepared.size.width as usize], prepared.values);
        if mirrored {
            values.chunks_exact_mut(size[1]).for_each(<[f32]>::reverse);
        }
        Ok((size, values))
    }

    fn text(&self, row: usize) -> Result<TokenIds, ModelError> {
        let Self::Texts(texts, tokens, _) = self else { return Err(ModelError::Unfit("it is a picture".to_owned())) };
        let text = texts.read(row).map_err(|error| ModelError::Unfit(error.to_string()))?;
        let ids = tokens.ids(&text)?;
        Ok(if ids.ids.is_empty() { TokenIds::of(vec![tokens.padding]) } else { ids })
    }
}

impl Examples for Prepared<'_> {
    fn batch(&self, rows: &[usize], mirrored: &[bool]) -> Result<Batch, ModelError> {
        if let Self::Texts(_, _, settings) = self {
            let tokens = rows.iter().map(|&row| self.text(row)).collect::<Result<Vec<_>, ModelError>>()?;
            let shares = tokens.iter().map(|ids| shares_of(ids, settings.pooling)).collect::<Option<Vec<_>>>();
            let unfit =
                || ModelError::Unfit("its pooling (max) can't be trained through; use --pooling mean".to_owned());
            return Ok(Batch::Texts { tokens, shares: shares.ok_or_else(unfit)? });
        }
        let (mut size, mut all) = (None, vec![]);
        for (&row, &mirrored) in rows.iter().zip(mirrored) {
            let (found, values) = self.picture(row, mirrored).map_err(ModelError::Unfit)?;
            if *size.get_or_insert(found) != found {
                let reason = "its preprocessing leaves pictures of several sizes, and batches need one: set --size";
                return Err(ModelError::Unfit(reason.to_owned()));
            }
            all.extend(values);
        }
        Ok(Batch::Pictures { size: size.unwrap_or([0; 2]), values: all })
    }
}

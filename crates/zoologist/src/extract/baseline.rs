//! Features that nobody trained: what a model must beat to be worth anything.

use super::order::Description;
use super::picture::{PictureError, Rgb};
use super::{perceptual, preprocess};
use crate::zoo::preprocessing::{ChannelOrder, Filter, Layout, Preprocessing, Resize, Size};

/// Pixels along each edge of the small picture.
const EDGE: u32 = 16;
/// Bins per colour channel.
const BINS: usize = 8;

/// The pixels of the picture squashed to 16 × 16: 768 numbers from 0 to 1.
pub fn pixels(picture: &Rgb) -> Result<Vec<f32>, PictureError> {
    let how = squashed(EDGE);
    let mut values = vec![];
    preprocess::tensor(&preprocess::resized(picture, &how)?, &how, &mut values);
    Ok(values)
}

/// The whole picture in a square, with values from 0 to 1.
fn squashed(edge: u32) -> Preprocessing {
    Preprocessing {
        resize: Resize::Exact(Size { height: edge, width: edge }),
        filter: Filter::Bilinear,
        crop: None,
        scale: 1.0 / 255.0,
        offset: 0.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        channel_order: ChannelOrder::Rgb,
        layout: Layout::Nchw,
    }
}

/// How often each of 8 × 8 × 8 colours occurs: 512 square roots of shares, so that rare colours count too.
pub fn colour_histogram(picture: &Rgb) -> Vec<f32> {
    let mut counts = vec![0_u32; BINS.pow(3)];
    let bin = |value: u8| usize::from(value) * BINS / 256;
    for &[red, green, blue] in picture.pixels().as_chunks::<3>().0 {
        counts[(bin(red) * BINS + bin(green)) * BINS + bin(blue)] += 1;
    }
    let total = f64::from(picture.width()) * f64::from(picture.height());
    counts.into_iter().map(|count| (f64::from(count) / total).sqrt() as f32).collect()
}

/// The edge of the grey picture beside a perceptual hash.
const GREY_EDGE: u32 = 8;

/// Whether the picture has a perceptual hash, the hash in four parts of 16 bits, 8 × 8 grey values from 0 to 1, whether
/// EXIF turned it, its height and its width.
pub fn perceptual_hash(picture: &Rgb, turned: bool) -> Result<Vec<f32>, PictureError> {
    let hash = perceptual::hash(picture.width(), picture.height(), picture.pixels());
    let parts = hash.unwrap_or(0).to_le_bytes();
    let parts = parts.as_chunks::<2>().0.iter().map(|&part| f32::from(u16::from_le_bytes(part)));
    let mut values: Vec<f32> = std::iter::once(f32::from(u8::from(hash.is_some()))).chain(parts).collect();
    let small = preprocess::resized(picture, &squashed(GREY_EDGE))?;
    let grey = |pixel: &[u8; 3]| pixel.iter().map(|&value| f32::from(value)).sum::<f32>() / 765.0;
    values.extend(small.pixels().as_chunks::<3>().0.iter().map(grey));
    values.extend([f32::from(u8::from(turned)), picture.height() as f32, picture.width() as f32]);
    Ok(values)
}

/// What the worker says of [`perceptual_hash`].
pub fn perceptual_hash_description() -> Description {
    described(8 + (GREY_EDGE * GREY_EDGE) as usize, "a perceptual hash, grey values, size".to_owned())
}

/// What the worker says of [`pixels`].
pub fn pixels_description() -> Description {
    described((EDGE * EDGE * 3) as usize, format!("the picture's own {EDGE} × {EDGE} pixels"))
}

/// What the worker says of [`colour_histogram`].
pub fn colour_histogram_description() -> Description {
    described(BINS.pow(3), format!("shares of {} colours", BINS.pow(3)))
}

fn described(dim: usize, features_from: String) -> Description {
    Description::of_last(dim, features_from, None, Some(0))
}

//! A picture file as 8-bit RGB, as Pillow's `ImageOps.exif_transpose(Image.open(file)).convert("RGB")` gives it.
//!
//! Models were trained on what Pillow decoded, so its rules hold even where they surprise: alpha is dropped and not
//! blended, and 16-bit grey is cut at 255 and not scaled. Lossless formats agree exactly but for CMYK TIFF and 16-bit
//! BMP (one level); JPEG differs by .2 levels in the mean.
//!
//! The bytes are not trusted: sizes are checked before anything of that size is made, text inside the file is never
//! unpacked, and every fault is an error.

mod extent;

use std::borrow::Cow;
use std::error::Error;
use std::io::{Cursor, ErrorKind};

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::base::path_text::escape;
use crate::base::{Fail, Fault};

/// The largest picture that is decoded, in pixels: where Pillow warns of a decompression bomb (`MAX_IMAGE_PIXELS`).
pub const LARGEST_PICTURE: u64 = 89_478_485;

/// The longest edge of a picture that is decoded, in pixels: resampling takes memory in proportion to it.
pub const LONGEST_EDGE: u64 = 1 << 20;

/// The most bytes that a decoder may hold, its result included.
const MOST_MEMORY: u64 = 512 << 20;

const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff];

/// A picture of at least one pixel: height × width × 3 values, row after row, red before green before blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// Why a file can't be used as a picture. The caller says which file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The first bytes are those of no format that is read.
    #[error("not a picture of a known format: JPEG, PNG, WebP, BMP, GIF and TIFF are read")]
    UnknownFormat,
    /// The file ends before the picture does.
    #[error("cut off after {0} bytes: fetch the file again")]
    CutOff(usize),
    /// The bytes break the rules of their format.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A rare kind of a known format.
    #[error("a kind of picture that can't be read ({0}): save it as PNG")]
    Unsupported(String),
    /// Too many pixels to decode or to resize to.
    #[error(
        "{width} x {height} pixels: more than {LARGEST_PICTURE}, or than {LONGEST_EDGE} along one edge, is refused"
    )]
    TooLarge {
        /// Pixels from left to right.
        width: u64,
        /// Pixels from top to bottom.
        height: u64,
    },
    /// The decoder asked for more memory than it may have.
    #[error("decoding it takes more than {} MiB of memory", MOST_MEMORY >> 20)]
    Memory,
    /// There is nothing to see.
    #[error("no pixels: the picture is empty, or the model asks for an empty one")]
    Empty,
}

impl Fail for PictureError {
    fn fault(&self) -> Fault {
        match self {
            Self::TooLarge { .. } | Self::Memory => Fault::Limit,
            _ => Fault::Input,
        }
    }
}

impl Rgb {
    /// A picture of these pixels, if there are some and as many as its size says.
    pub(super) fn new(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let expected = u64::from(width) * u64::from(height) * 3;
        (expected > 0 && pixels.len() as u64 == expected).then_some(Self { width, height, pixels })
    }

    /// A grey picture (of an IDX file) as RGB: each value thrice. `None` if `grey` is not height × width values, or
    /// if there are none.
    pub fn from_grey(width: u32, height: u32, grey: &[u8]) -> Option<Self> {
        Self::new(width, height, grey.iter().flat_map(|&value| [value; 3]).collect())
    }

    /// Pixels from left to right, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// height × width × 3 values.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

/// Decodes a picture file: the first frame of an animation, turned upright by its EXIF orientation.
///
/// Some damaged files make a decoder panic (image-webp 0.2.4 does, on rare Huffman codes). That is caught here, but the
/// program's panic hook still sees it.
pub fn decode(bytes: &[u8]) -> Result<Rgb, PictureError> {
    let given_up = |_| Err(PictureError::Damaged("its decoder gave up".to_owned()));
    std::panic::catch_unwind(|| decode_guarded(bytes)).unwrap_or_else(given_up)
}

/// Whether EXIF data ask for the picture to be turned or mirrored. Of bytes that are no picture, no.
pub fn is_turned(bytes: &[u8]) -> bool {
    let format = image::guess_format(bytes).ok().filter(|format| FORMATS.contains(format));
    let orientation =
        |format| Some(reader(format, bytes).into_decoder().ok()?.orientation().ok()? != Orientation::NoTransforms);
    std::panic::catch_unwind(|| format.and_then(orientation)).ok().flatten() == Some(true)
}

fn decode_guarded(bytes: &[u8]) -> Result<Rgb, PictureError> {
    let format = image::guess_format(bytes).ok().filter(|format| FORMATS.contains(format));
    let format = format.ok_or(PictureError::UnknownFormat)?;
    let extent = match format {
        ImageFormat::Jpeg => extent::of_jpeg(bytes).map(Cow::Borrowed),
        ImageFormat::WebP => extent::of_webp(bytes).map(Cow::Borrowed),
        ImageFormat::Png => Some(extent::of_png(bytes)),
        _ => Some(Cow::Borrowed(bytes)),
    };
    let extent = extent.ok_or(PictureError::CutOff(bytes.len()))?;
    let described = |error| described(&error, bytes.len());
    let mut decoder = reader(format, &extent).into_decoder().map_err(described)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into())?;
    if decoder.total_bytes() > MOST_MEMORY {
        return Err(PictureError::Memory);
    }
    let kind = decoder.color_type();
    // Broken EXIF does not spoil the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut samples = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut samples).map_err(described)?;
    upright(width, height, to_rgb(samples, kind)?, orientation)
}

fn reader(format: ImageFormat, bytes: &[u8]) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    reader
}

/// Checks a size, before anything of that size is made.
pub(super) fn check_size(width: u64, height: u64) -> Result<(), PictureError> {
    let pixels = width.saturating_mul(height);
    if pixels > LARGEST_PICTURE || width.max(height) > LONGEST_EDGE {
        return Err(PictureError::TooLarge { width, height });
    }
    Ok(())
}

/// Decoded samples as RGB by Pillow's rules: of 16 bits the upper 8 count, but grey of 16 bits is cut at 255.
fn to_rgb(samples: Vec<u8>, kind: ColorType) -> Result<Vec<u8>, PictureError> {
    let wide = || samples.as_chunks::<2>().0.iter().map(|&pair| u16::from_ne_bytes(pair));
    let high_bytes = || wide().map(|value| (value >> 8) as u8).collect::<Vec<_>>();
    Ok(match kind {
        ColorType::Rgb8 => samples,
        ColorType::Rgba8 => without_alpha(&samples),
        ColorType::L8 => samples.iter().flat_map(|&grey| [grey; 3]).collect(),
        ColorType::La8 => grey_of_pairs(&samples),
        ColorType::L16 => wide().flat_map(|grey| [grey.min(255) as u8; 3]).collect(),
        ColorType::La16 => grey_of_pairs(&high_bytes()),
        ColorType::Rgb16 => high_bytes(),
        ColorType::Rgba16 => without_alpha(&high_bytes()),
        other => return Err(PictureError::Unsupported(format!("{other:?}"))),
    })
}

fn without_alpha(rgba: &[u8]) -> Vec<u8> {
    rgba.as_chunks::<4>().0.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect()
}

fn grey_of_pairs(grey_alpha: &[u8]) -> Vec<u8> {
    grey_alpha.as_chunks::<2>().0.iter().flat_map(|&[grey, _]| [grey; 3]).collect()
}

fn upright(width: u32, height: u32, pixels: Vec<u8>, orientation: Orientation) -> Result<Rgb, PictureError> {
    if orientation == Orientation::NoTransforms {
        return Rgb::new(width, height, pixels).ok_or(PictureError::Empty);
    }
    let mut picture = DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, pixels).ok_or(PictureError::Empty)?);
    picture.apply_orientation(orientation);
    let turned = picture.into_rgb8();
    Rgb::new(turned.width(), turned.height(), turned.into_raw()).ok_or(PictureError::Empty)
}

/// A decoder's error in our words. Text that comes from the file is escaped and kept short.
fn described(error: &ImageError, length: usize) -> PictureError {
    if met_the_end(error) {
        return PictureError::CutOff(length);
    }
    let reason: String = escape(&error.to_string()).chars().take(160).collect();
    match error {
        ImageError::Unsupported(_) => PictureError::Unsupported(reason),
        ImageError::Limits(_) => PictureError::Memory,
        _ => PictureError::Damaged(reason),
    }
}

/// Whether reading past the last byte is at the bottom of this error.
fn met_the_end(error: &ImageError) -> bool {
    let is_end = |io: &std::io::Error| io.kind() == ErrorKind::UnexpectedEof;
    match error {
        ImageError::IoError(io) => is_end(io),
        _ => std::iter::successors(error.source(), |&cause| cause.source())
            .any(|cause| cause.downcast_ref().is_some_and(is_end)),
    }
}

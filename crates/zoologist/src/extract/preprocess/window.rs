//! Along one axis: which pixels of the resized picture the crop keeps, and where they lie in the original.

use crate::extract::picture::Rgb;
use crate::zoo::preprocessing::{CropRounding, Preprocessing, Resize};

/// What is seen of one axis. All but `original` is counted in pixels of the resized picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Length of the axis in the original picture.
    original: u32,
    /// Length of the axis after resizing the whole picture.
    pub resized: u64,
    /// How many pixels of it the crop leaves out before the first that it keeps.
    pub first: u64,
    /// How many it keeps.
    pub kept: u64,
    /// How many black pixels stand before those.
    pub margin: u64,
    /// The length of the result.
    pub whole: u64,
}

/// The windows across (left to right) and down.
pub(super) fn of(picture: &Rgb, how: &Preprocessing) -> [Window; 2] {
    let original = [picture.width(), picture.height()];
    let resized = resized_lengths(original, how.resize);
    let crop = how.crop.map(|crop| ([crop.size.width, crop.size.height], crop.rounding));
    [0, 1].map(|axis| Window::new(original[axis], resized[axis], crop.map(|(size, rounding)| (size[axis], rounding))))
}

/// Width and height after resizing the whole picture.
fn resized_lengths(original: [u32; 2], resize: Resize) -> [u64; 2] {
    match resize {
        Resize::Keep => original.map(u64::from),
        Resize::Exact(size) => [size.width.into(), size.height.into()],
        Resize::ShortestEdge(edge) => {
            let short = u64::from(original[0].min(original[1]));
            original.map(|length| u64::from(edge) * u64::from(length) / short)
        }
    }
}

impl Window {
    fn new(original: u32, resized: u64, crop: Option<(u32, CropRounding)>) -> Self {
        let uncropped = Self { original, resized, first: 0, kept: resized, margin: 0, whole: resized };
        let Some((size, rounding)) = crop else { return uncropped };
        let whole = u64::from(size);
        match resized.checked_sub(whole) {
            Some(excess) => Self { first: half_of_excess(excess, rounding), kept: whole, whole, ..uncropped },
            None => Self { margin: half_of_lack(whole - resized, rounding), whole, ..uncropped },
        }
    }

    /// Start and length of the kept part in pixels of the original.
    pub(super) fn in_original(self) -> (f64, f64) {
        let scale = f64::from(self.original) / self.resized as f64;
        let start = self.first as f64 * scale;
        (start, (self.kept as f64 * scale).min(f64::from(self.original) - start))
    }
}

/// How much of the excess is cut off before the picture.
fn half_of_excess(excess: u64, rounding: CropRounding) -> u64 {
    match rounding {
        CropRounding::Down => excess / 2,
        CropRounding::HalfEven => excess / 2 + u64::from(excess % 4 == 3),
    }
}

/// How much of the lack is filled before the picture. Hugging Face rounds the (negative) offset down, which gives the
/// larger half; torchvision's `center_crop` pads the smaller half first.
fn half_of_lack(lack: u64, rounding: CropRounding) -> u64 {
    match rounding {
        CropRounding::Down => lack.div_ceil(2),
        CropRounding::HalfEven => lack / 2,
    }
}

//! Along one axis: which pixels of the resized picture the crop keeps, and where they lie in the original.

use super::super::picture::{PictureError, Rgb, check_size};
use crate::zoo::preprocessing::{CropRounding, Preprocessing, Resize};

/// What is seen of one axis. All but `original` is counted in pixels of the resized picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Length of the axis in the original picture.
    pub original: u32,
    /// Length of the axis after resizing the whole picture.
    pub resized: u32,
    /// How many pixels of it the crop leaves out before the first that it keeps.
    pub first: u32,
    /// How many it keeps.
    pub kept: u32,
    /// How many black pixels stand before those.
    pub margin: u32,
    /// The length of the result.
    pub whole: u32,
}

/// The windows across (left to right) and down, if the result has pixels and is within the pixel budget.
pub(super) fn of(picture: &Rgb, how: &Preprocessing) -> Result<[Window; 2], PictureError> {
    let original = [picture.width(), picture.height()];
    let resized = resized_lengths(original, how.resize)?;
    let crop = how.crop.map(|crop| ([crop.size.width, crop.size.height], crop.rounding));
    let window = |axis: usize| Window::new(original[axis], resized[axis], crop.map(|(size, how)| (size[axis], how)));
    let [across, down] = [window(0), window(1)];
    if across.kept == 0 || down.kept == 0 {
        return Err(PictureError::Empty);
    }
    check_size(across.whole.into(), down.whole.into())?;
    Ok([across, down])
}

/// Width and height after resizing the whole picture.
fn resized_lengths(original: [u32; 2], resize: Resize) -> Result<[u32; 2], PictureError> {
    let edge = match resize {
        Resize::Keep => return Ok(original),
        Resize::Exact(size) => return Ok([size.width, size.height]),
        Resize::ShortestEdge(edge) => u64::from(edge),
    };
    let short = u64::from(original[0].min(original[1]));
    let [width, height] = original.map(|length| edge * u64::from(length) / short);
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(width), Ok(height)) => Ok([width, height]),
        _ => Err(PictureError::TooLarge { width, height }),
    }
}

impl Window {
    fn new(original: u32, resized: u32, crop: Option<(u32, CropRounding)>) -> Self {
        let uncropped = Self { original, resized, first: 0, kept: resized, margin: 0, whole: resized };
        let Some((whole, rounding)) = crop else { return uncropped };
        match resized.checked_sub(whole) {
            Some(excess) => Self { first: half_of_excess(excess, rounding), kept: whole, whole, ..uncropped },
            None => Self { margin: half_of_lack(whole - resized, rounding), whole, ..uncropped },
        }
    }

    /// Pixels of the original per pixel of the resized picture.
    pub(super) fn scale(self) -> f64 {
        f64::from(self.original) / f64::from(self.resized)
    }

    /// Start and length of the kept part in pixels of the original.
    pub(super) fn in_original(self) -> (f64, f64) {
        let start = f64::from(self.first) * self.scale();
        (start, (f64::from(self.kept) * self.scale()).min(f64::from(self.original) - start))
    }
}

/// How much of the excess is cut off before the picture.
fn half_of_excess(excess: u32, rounding: CropRounding) -> u32 {
    match rounding {
        CropRounding::Down => excess / 2,
        CropRounding::HalfEven => excess / 2 + u32::from(excess % 4 == 3),
    }
}

/// How much of the lack is filled before the picture. Hugging Face rounds the (negative) offset down, which gives the
/// larger half; torchvision's `center_crop` pads the smaller half first.
fn half_of_lack(lack: u32, rounding: CropRounding) -> u32 {
    match rounding {
        CropRounding::Down => lack.div_ceil(2),
        CropRounding::HalfEven => lack / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_rounded_as_the_training_code_rounds_them() {
        // resized length, crop, (first, margin) of Hugging Face, (first, margin) of torchvision
        let cases = [
            (256, 224, (16, 0), (16, 0)),
            (257, 224, (16, 0), (16, 0)),
            (259, 224, (17, 0), (18, 0)),
            (261, 224, (18, 0), (18, 0)),
            (224, 224, (0, 0), (0, 0)),
            (223, 224, (0, 1), (0, 0)),
            (221, 224, (0, 2), (0, 1)),
            (220, 224, (0, 2), (0, 2)),
        ];
        for (resized, crop, down, half_even) in cases {
            let place = |rounding| {
                let window = Window::new(500, resized, Some((crop, rounding)));
                assert_eq!((window.kept, window.whole), (crop.min(resized), crop));
                (window.first, window.margin)
            };
            assert_eq!(place(CropRounding::Down), down, "{resized} to {crop}, Hugging Face");
            assert_eq!(place(CropRounding::HalfEven), half_even, "{resized} to {crop}, torchvision");
        }
    }

    #[test]
    fn the_longer_edge_is_cut_to_a_whole_number() {
        let cases = [([500, 375], 256, [341, 256]), ([1, 3], 5, [5, 15]), ([333, 1000], 1, [1, 3])];
        for (original, edge, expected) in cases {
            assert_eq!(resized_lengths(original, Resize::ShortestEdge(edge)), Ok(expected));
        }
    }
}

//! Carries out a [`Preprocessing`]: a picture becomes the numbers that a network takes in.
//!
//! Resizing follows Pillow (filters widened when shrinking, 8-bit result), so a model sees what it was trained on.
//! Only the part that the centre crop keeps is computed; its pixels are those of resizing all and cropping then.

mod window;

use fast_image_resize::images::{CroppedImageMut, Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::picture::{PictureError, Rgb, check_size};
use crate::zoo::preprocessing::{ChannelOrder, Filter, Layout, Preprocessing, Resize, Size};
use window::Window;

/// The height and width of the network's input, if they are the same for every picture.
pub fn input_size(how: &Preprocessing) -> Option<Size> {
    match (how.crop, how.resize) {
        (Some(crop), _) => Some(crop.size),
        (None, Resize::Exact(size)) => Some(size),
        (None, Resize::Keep | Resize::ShortestEdge(_)) => None,
    }
}

/// The picture resized and cropped: what Pillow would give, but for rounding.
pub fn resized(picture: &Rgb, how: &Preprocessing) -> Result<Rgb, PictureError> {
    let [across, down] = window::of(picture, how);
    check_size(across.whole, down.whole)?;
    let mut whole = Image::new(across.whole as u32, down.whole as u32, PixelType::U8x3);
    fill(picture, [across, down], how.filter, &mut whole).map_err(|_| PictureError::Empty)?;
    Rgb::new(whole.width(), whole.height(), whole.into_vec()).ok_or(PictureError::Empty)
}

/// Resamples the part of the picture that is kept to its place on the black `whole`. It fails if one of the two has
/// no pixels.
fn fill(
    picture: &Rgb,
    [across, down]: [Window; 2],
    filter: Filter,
    whole: &mut Image,
) -> Result<(), Box<dyn std::error::Error>> {
    let source = ImageRef::new(picture.width(), picture.height(), picture.pixels(), PixelType::U8x3)?;
    let (left, width) = across.in_original();
    let (top, height) = down.in_original();
    let options = ResizeOptions::new().resize_alg(algorithm(filter)).crop(left, top, width, height);
    let [[left, width], [top, height]] = [across, down].map(|axis| [axis.margin as u32, axis.kept as u32]);
    let mut place = CroppedImageMut::new(whole, left, top, width, height)?;
    Ok(Resizer::new().resize(&source, &mut place, &options)?)
}

fn algorithm(filter: Filter) -> ResizeAlg {
    match filter {
        Filter::Nearest => ResizeAlg::Nearest,
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
    }
}

/// Appends the tensor of a picture that is already [`resized`]: 3 × height × width numbers in the order that `how`
/// names, each `(value * scale + offset - mean) / std` in single precision.
pub fn tensor(picture: &Rgb, how: &Preprocessing, into: &mut Vec<f32>) {
    let colours = match how.channel_order {
        ChannelOrder::Rgb => [0, 1, 2],
        ChannelOrder::Bgr => [2, 1, 0],
    };
    let number = [0, 1, 2].map(|channel| numbers(how, channel));
    let pixels = picture.pixels().as_chunks::<3>().0;
    match how.layout {
        Layout::Nchw => {
            for (colour, number) in colours.into_iter().zip(&number) {
                into.extend(pixels.iter().map(|pixel| number[usize::from(pixel[colour])]));
            }
        }
        Layout::Nhwc => {
            let at = |pixel: &[u8; 3], channel: usize| number[channel][usize::from(pixel[colours[channel]])];
            into.extend(pixels.iter().flat_map(|pixel| [at(pixel, 0), at(pixel, 1), at(pixel, 2)]));
        }
    }
}

/// What each of the 256 values becomes in a channel.
fn numbers(how: &Preprocessing, channel: usize) -> [f32; 256] {
    std::array::from_fn(|value| (value as f32 * how.scale + how.offset - how.mean[channel]) / how.std[channel])
}

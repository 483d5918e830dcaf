//! Carries out a [`Preprocessing`]: a picture becomes the numbers that a network takes in.
//!
//! Resizing follows Pillow (filters widened when shrinking, 8-bit result), so a model sees what it was trained on.
//! Only the part that the centre crop keeps is computed; its pixels are those of resizing all and cropping then, but
//! for rounding.

mod convolution;
mod nearest;
mod window;

use fast_image_resize::{FilterType, ResizeAlg};

use super::picture::{PictureError, Rgb};
use crate::zoo::preprocessing::{ChannelOrder, Filter, Layout, Preprocessing, Resize, Size};

/// The height and width of the network's input, if they are the same for every picture.
pub fn input_size(how: &Preprocessing) -> Option<Size> {
    match (how.crop, how.resize) {
        (Some(crop), _) => Some(crop.size),
        (None, Resize::Exact(size)) => Some(size),
        (None, Resize::Keep | Resize::ShortestEdge(_)) => None,
    }
}

/// The picture resized and cropped: what Pillow would give, but for rounding by one level in each direction.
pub fn resized(picture: &Rgb, how: &Preprocessing) -> Result<Rgb, PictureError> {
    let windows = window::of(picture, how)?;
    match how.filter {
        Filter::Nearest => nearest::resample(picture, windows),
        Filter::Bilinear => convolution::resample(picture, windows, ResizeAlg::Convolution(FilterType::Bilinear)),
        Filter::BilinearWithoutAntialias => {
            convolution::resample(picture, windows, ResizeAlg::Interpolation(FilterType::Bilinear))
        }
        Filter::Bicubic => convolution::resample(picture, windows, ResizeAlg::Convolution(FilterType::CatmullRom)),
        Filter::Lanczos => convolution::resample(picture, windows, ResizeAlg::Convolution(FilterType::Lanczos3)),
    }
    .ok_or(PictureError::Empty)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::zoo::preprocessing::{Crop, CropRounding};

    fn how(resize: Resize, crop: Option<Size>, filter: Filter) -> Preprocessing {
        Preprocessing {
            resize,
            filter,
            crop: crop.map(|size| Crop { size, rounding: CropRounding::Down }),
            scale: 1.0 / 255.0,
            offset: 0.0,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            channel_order: ChannelOrder::Rgb,
            layout: Layout::Nchw,
        }
    }

    fn noise(width: u32, height: u32) -> Rgb {
        let mut stream = crate::base::Seed(0).stream("pixels", "noise");
        let grey: Vec<u8> = (0..width * height).map(|_| stream.bits() as u8).collect();
        Rgb::from_grey(width, height, &grey).expect("the size is that of the values")
    }

    fn cut_out(whole: &Rgb, left: u32, top: u32, size: Size) -> Vec<u8> {
        let line = whole.width() as usize * 3;
        let rows = whole.pixels().chunks_exact(line).skip(top as usize).take(size.height as usize);
        rows.flat_map(|row| &row[left as usize * 3..][..size.width as usize * 3]).copied().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn resizing_only_what_is_kept_equals_resizing_all_and_cropping(
            (width, height, edge, filter) in (1_u32..90, 1_u32..90, 1_u32..60, 0_usize..4),
            (crop_width, crop_height) in (1_u32..60, 1_u32..60),
        ) {
            let filter = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos][filter];
            let picture = noise(width, height);
            let resize = Resize::ShortestEdge(edge);
            let whole = resized(&picture, &how(resize, None, filter)).expect("small enough");
            let size = Size { height: crop_height.min(whole.height()), width: crop_width.min(whole.width()) };
            let part = resized(&picture, &how(resize, Some(size), filter)).expect("small enough");

            let (left, top) = ((whole.width() - size.width) / 2, (whole.height() - size.height) / 2);
            let expected = cut_out(&whole, left, top, size);
            // Each of the two passes may round to the neighbouring level.
            let worst = part.pixels().iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
            prop_assert!(worst <= Some(2), "{worst:?} levels");
        }
    }

    #[test]
    fn a_crop_larger_than_the_picture_is_surrounded_by_black() {
        let white = Rgb::from_grey(2, 1, &[255; 2]).expect("two pixels");
        for filter in [Filter::Nearest, Filter::Bilinear] {
            let framed =
                resized(&white, &how(Resize::Keep, Some(Size { height: 3, width: 5 }), filter)).expect("small");
            let bright = framed.pixels().as_chunks::<3>().0.iter().map(|pixel| *pixel == [255; 3]);
            assert_eq!(bright.collect::<Vec<_>>(), (0..15).map(|at| at == 7 || at == 8).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_thread_of_a_picture_is_resized_with_a_crop_and_refused_without() {
        let thread = noise(1, 100_000);
        let size = Size { height: 224, width: 224 };
        for filter in [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
            let cropped = resized(&thread, &how(Resize::ShortestEdge(256), Some(size), filter)).expect("a small part");
            assert_eq!((cropped.width(), cropped.height()), (224, 224));
            let whole = resized(&thread, &how(Resize::ShortestEdge(256), None, filter));
            assert_eq!(whole, Err(PictureError::TooLarge { width: 256, height: 25_600_000 }));
        }
    }

    #[test]
    fn a_model_that_asks_for_no_pixels_is_refused() {
        let none = Size { height: 0, width: 4 };
        for (resize, crop) in [(Resize::ShortestEdge(0), None), (Resize::Exact(none), None), (Resize::Keep, Some(none))]
        {
            assert_eq!(resized(&noise(3, 3), &how(resize, crop, Filter::Bicubic)), Err(PictureError::Empty));
        }
    }

    #[test]
    fn the_tensor_follows_the_formula_the_channel_order_and_the_layout() {
        let picture = Rgb::new(2, 1, vec![10, 20, 30, 200, 210, 220]).expect("two pixels");
        let orders = [
            (Layout::Nchw, ChannelOrder::Rgb, [10, 200, 20, 210, 30, 220], [0, 0, 1, 1, 2, 2]),
            (Layout::Nchw, ChannelOrder::Bgr, [30, 220, 20, 210, 10, 200], [0, 0, 1, 1, 2, 2]),
            (Layout::Nhwc, ChannelOrder::Rgb, [10, 20, 30, 200, 210, 220], [0, 1, 2, 0, 1, 2]),
            (Layout::Nhwc, ChannelOrder::Bgr, [30, 20, 10, 220, 210, 200], [0, 1, 2, 0, 1, 2]),
        ];
        for (layout, channel_order, values, channels) in orders {
            let how = Preprocessing { channel_order, layout, ..how(Resize::Keep, None, Filter::Bilinear) };
            let mut numbers = vec![7.0];
            tensor(&picture, &how, &mut numbers);
            assert_eq!((numbers.len(), numbers[0]), (7, 7.0));
            for ((number, value), channel) in numbers[1..].iter().zip(values).zip(channels) {
                let (mean, std) = ([0.485, 0.456, 0.406][channel], [0.229, 0.224, 0.225][channel]);
                let expected = (f64::from(value) / 255.0 - mean) / std;
                assert!((f64::from(*number) - expected).abs() < 1e-6, "{number} is not {expected}");
            }
        }
    }

    #[test]
    fn the_input_size_is_known_unless_it_depends_on_the_picture() {
        let (small, large) = (Size { height: 3, width: 4 }, Size { height: 5, width: 6 });
        let cases = [
            (Resize::Exact(large), None, Some(large)),
            (Resize::Exact(large), Some(small), Some(small)),
            (Resize::ShortestEdge(9), Some(small), Some(small)),
            (Resize::ShortestEdge(9), None, None),
            (Resize::Keep, None, None),
        ];
        for (resize, crop, expected) in cases {
            assert_eq!(input_size(&how(resize, crop, Filter::Nearest)), expected);
        }
    }
}

//! What a model wants done to a picture before it sees it: one value type, read from the model's own files.
//!
//! The steps, in order: resize, crop, scale to numbers, normalise, lay out. It is only described here; `extract`
//! carries it out. There is no default for all models: a model that does not say is refused.

use serde::{Deserialize, Serialize};

/// Everything that turns an RGB picture into a network's input tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// How the picture is brought to size.
    pub resize: Resize,
    /// The resampling filter, widened when shrinking (antialiased) as Pillow does.
    pub filter: Filter,
    /// Centre crop after resizing, if any. Where it is larger than the picture, black surrounds the picture.
    pub crop: Option<Crop>,
    /// Multiplies a pixel value of 0..=255, usually 1/255.
    pub scale: f32,
    /// Added after scaling, usually 0.
    pub offset: f32,
    /// Subtracted per channel, in the order of `channel_order`.
    pub mean: [f32; 3],
    /// Divides per channel, in the order of `channel_order`.
    pub std: [f32; 3],
    /// The order of the channels in the tensor.
    pub channel_order: ChannelOrder,
    /// The order of the tensor's axes.
    pub layout: Layout,
}

impl Preprocessing {
    /// The same for pictures of another edge: the crop becomes that square, and resizing keeps its proportion to it.
    #[must_use]
    pub fn resized(&self, edge: u32) -> Self {
        let square = Size { height: edge, width: edge };
        let scaled =
            |length: u32, before: u32| (f64::from(length) * f64::from(edge) / f64::from(before.max(1))).round() as u32;
        let rounding = self.crop.map_or(CropRounding::Down, |crop| crop.rounding);
        let crop = Some(Crop { size: square, rounding });
        match (self.resize, self.crop) {
            (Resize::ShortestEdge(short), Some(old)) => {
                let resize = Resize::ShortestEdge(scaled(short, old.size.height.min(old.size.width)));
                Self { resize, crop, ..self.clone() }
            }
            (Resize::Exact(size), Some(old)) => {
                let height = scaled(size.height, old.size.height);
                let width = scaled(size.width, old.size.width);
                Self { resize: Resize::Exact(Size { height, width }), crop, ..self.clone() }
            }
            (Resize::Exact(_), None) => Self { resize: Resize::Exact(square), ..self.clone() },
            (Resize::Keep, _) | (Resize::ShortestEdge(_), None) => {
                Self { resize: Resize::ShortestEdge(edge), crop, ..self.clone() }
            }
        }
    }
}

/// How a picture is brought to size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Not at all.
    Keep,
    /// The shorter edge gets this many pixels, the longer `int(edge * long / short)`: proportions are kept.
    ShortestEdge(u32),
    /// Squashed to exactly this size.
    Exact(Size),
}

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels from top to bottom.
    pub height: u32,
    /// Pixels from left to right.
    pub width: u32,
}

/// A centre crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crop {
    /// The size that remains.
    pub size: Size,
    /// What happens to half a pixel.
    pub rounding: CropRounding,
}

/// How the offset `(edge - crop) / 2` of a centre crop is rounded when the difference is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CropRounding {
    /// Downwards, as Hugging Face's image processors do.
    Down,
    /// To the even neighbour, as torchvision and timm do (`int(round(x))` in Python).
    HalfEven,
}

/// The resampling filters that models are trained with: those of Pillow, and a common other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Nearest neighbour.
    Nearest,
    /// Triangle filter, support 1.
    Bilinear,
    /// Between the four neighbours of a point, however much the picture shrinks: what OpenCV and PyTorch's
    /// `interpolate` do unless told otherwise.
    #[serde(rename = "bilinear_without_antialias")]
    BilinearWithoutAntialias,
    /// Cubic convolution with a = -0.5, support 2.
    Bicubic,
    /// Windowed sinc, support 3.
    Lanczos,
}

/// The order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red (OpenCV's order).
    Bgr,
}

/// The order of the tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Batch, channel, height, width (PyTorch).
    Nchw,
    /// Batch, height, width, channel (TensorFlow).
    Nhwc,
}

//! Ways of preparing pictures that have a name, for `zoologist zoo add FILE.onnx --preprocess NAME`.
//!
//! Each is the recipe of a training tradition, for pictures of 224 × 224; another size scales the resize along.
//! Half a pixel of a crop goes to the even neighbour, because all of these traditions crop with torchvision.

use super::preprocessing::{ChannelOrder, Crop, CropRounding, Filter, Layout, Preprocessing, Resize, Size};

/// Mean of ImageNet's pixels, in 0..1 (torchvision, timm).
pub(super) const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's pixels.
pub(super) const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
/// Mean and standard deviation that map 0..1 to -1..1.
pub(super) const HALF: [f32; 3] = [0.5; 3];
/// Mean of the pixels that OpenAI's CLIP was trained on.
pub(super) const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of the pixels that OpenAI's CLIP was trained on.
pub(super) const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
/// Maps bytes to 0..1.
pub(super) const UNIT_SCALE: f32 = 1.0 / 255.0;

/// A named way of preparing pictures.
#[derive(Debug)]
pub struct Preset {
    /// What the user writes.
    pub name: &'static str,
    /// One line for the help text.
    pub description: &'static str,
    geometry: Geometry,
    filter: Filter,
    scale: f32,
    mean: [f32; 3],
    std: [f32; 3],
}

#[derive(Debug, Clone, Copy)]
enum Geometry {
    /// Shorter edge to 8/7 of the size (256 for 224), then the centre.
    Surrounded,
    /// Shorter edge to the size, then the centre.
    Centre,
    /// Both edges to the size.
    Squash,
    Keep,
}

/// All presets.
pub static PRESETS: [Preset; 7] = [
    Preset {
        name: "imagenet",
        description: "torchvision: shorter edge 256 bilinear, centre 224, ImageNet mean and deviation",
        geometry: Geometry::Surrounded,
        filter: Filter::Bilinear,
        scale: UNIT_SCALE,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
    },
    Preset {
        name: "imagenet-bicubic",
        description: "timm: shorter edge 256 bicubic, centre 224, ImageNet mean and deviation",
        geometry: Geometry::Surrounded,
        filter: Filter::Bicubic,
        scale: UNIT_SCALE,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
    },
    Preset {
        name: "half",
        description: "ViT and Inception: squashed to 224 × 224 bilinear, values from -1 to 1",
        geometry: Geometry::Squash,
        filter: Filter::Bilinear,
        scale: UNIT_SCALE,
        mean: HALF,
        std: HALF,
    },
    Preset {
        name: "clip",
        description: "OpenAI CLIP: shorter edge 224 bicubic, centre 224, CLIP mean and deviation",
        geometry: Geometry::Centre,
        filter: Filter::Bicubic,
        scale: UNIT_SCALE,
        mean: CLIP_MEAN,
        std: CLIP_STD,
    },
    Preset {
        name: "unit",
        description: "squashed to 224 × 224 bilinear, values from 0 to 1",
        geometry: Geometry::Squash,
        filter: Filter::Bilinear,
        scale: UNIT_SCALE,
        mean: [0.0; 3],
        std: [1.0; 3],
    },
    Preset {
        name: "bytes",
        description: "squashed to 224 × 224 bilinear, values from 0 to 255 (the graph normalises)",
        geometry: Geometry::Squash,
        filter: Filter::Bilinear,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    },
    Preset {
        name: "none",
        description: "pictures at their own size, ImageNet mean and deviation (the graph takes any size)",
        geometry: Geometry::Keep,
        filter: Filter::Bilinear,
        scale: UNIT_SCALE,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
    },
];

/// The edge of the pictures that most models take.
const USUAL_EDGE: u32 = 224;

/// The names of all presets, in order.
pub(super) fn names(between: &str) -> String {
    PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(between)
}

impl Preset {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Whether pictures get a size of their own, so that one can be asked for.
    pub fn resizes(&self) -> bool {
        !matches!(self.geometry, Geometry::Keep)
    }

    /// The steps, for pictures of `edge` × `edge` pixels, 224 if not given.
    pub fn preprocessing(&self, edge: Option<u32>) -> Preprocessing {
        let edge = edge.unwrap_or(USUAL_EDGE);
        let square = Size { height: edge, width: edge };
        let centre = Some(Crop { size: square, rounding: CropRounding::HalfEven });
        let (resize, crop) = match self.geometry {
            Geometry::Surrounded => (Resize::ShortestEdge((u64::from(edge) * 8 / 7) as u32), centre),
            Geometry::Centre => (Resize::ShortestEdge(edge), centre),
            Geometry::Squash => (Resize::Exact(square), None),
            Geometry::Keep => (Resize::Keep, None),
        };
        Preprocessing {
            resize,
            filter: self.filter,
            crop,
            scale: self.scale,
            offset: 0.0,
            mean: self.mean,
            std: self.std,
            channel_order: ChannelOrder::Rgb,
            layout: Layout::Nchw,
        }
    }
}

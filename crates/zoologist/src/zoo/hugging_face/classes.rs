//! The image processor classes of Hugging Face: what each takes for granted where its file is silent.
//!
//! The defaults are those of the slow classes of transformers 4.57, which wrote most of the files in use. A class is
//! known by its name without `ImageProcessor`, `FeatureExtractor`, `Fast` or `Pil`, or by the `model_type` of the
//! models that use it (transformers' `IMAGE_PROCESSOR_MAPPING_NAMES`).

use serde_json::{Value, json};

use crate::zoo::preset::{CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD};

/// One class.
#[derive(Debug)]
pub(super) struct Class {
    stem: &'static str,
    model_types: &'static [&'static str],
    size: Resized,
    /// The edge of the centre crop, if the class crops unless told otherwise.
    crop: Option<u32>,
    /// Pillow's number.
    resample: u8,
    statistics: Statistics,
    /// How it reads its keys.
    pub manner: Manner,
}

#[derive(Debug)]
enum Resized {
    /// To a square; so does a lone number.
    Square(u32),
    /// By the shorter edge; so does a lone number.
    Shorter(u32),
}

#[derive(Debug)]
enum Statistics {
    Half,
    Imagenet,
    Clip,
}

/// How a class reads its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// As they stand.
    Plain,
    /// Crops below 384 pixels, by `crop_pct`; squashes from there on.
    ConvNext,
    /// Resizes to 256/224 of `size`.
    Levit,
    /// Resizes to `size` / `crop_pct`.
    PoolFormer,
    /// Divides by the deviation twice if `include_top` is set.
    EfficientNet,
    /// `do_flip_channel_order`, and never normalises.
    FlipsChannels,
}

const NEAREST: u8 = 0;
const BILINEAR: u8 = 2;
const BICUBIC: u8 = 3;

/// Models whose files name no class, or were written before files did.
const VIT_MODELS: &[&str] =
    &["vit", "vit_mae", "vit_msn", "swin", "swinv2", "ijepa", "dinat", "nat", "swiftformer", "mgp-str"];
const CONVNEXT_MODELS: &[&str] = &["convnext", "convnextv2", "resnet", "regnet", "van", "cvt"];

static CLASSES: [Class; 17] = {
    use Manner::{ConvNext, EfficientNet, FlipsChannels, Levit, Plain, PoolFormer};
    use Resized::{Shorter, Square};
    use Statistics::{Clip, Half, Imagenet};
    [
        class("ViT", VIT_MODELS, Square(224), None, BILINEAR, Half, Plain),
        class("DeiT", &["deit"], Square(256), Some(224), BICUBIC, Half, Plain),
        class("Beit", &["beit", "data2vec-vision"], Square(256), Some(224), BICUBIC, Half, Plain),
        class("CLIP", &["clip", "clip_vision_model"], Shorter(224), Some(224), BICUBIC, Clip, Plain),
        class("ChineseCLIP", &["chinese_clip"], Shorter(224), Some(224), BICUBIC, Clip, Plain),
        class("Bit", &["bit", "dinov2", "focalnet", "hiera"], Shorter(224), Some(224), BICUBIC, Clip, Plain),
        class("Siglip", &["siglip", "siglip_vision_model"], Square(224), None, BICUBIC, Half, Plain),
        class("Blip", &["blip"], Square(384), None, BICUBIC, Clip, Plain),
        class("Pvt", &["pvt", "pvt_v2"], Square(224), None, BILINEAR, Imagenet, Plain),
        class("DINOv3ViT", &["dinov3_vit"], Square(224), None, BILINEAR, Imagenet, Plain),
        class("MobileNetV1", &["mobilenet_v1"], Shorter(256), Some(224), BILINEAR, Half, Plain),
        class("MobileNetV2", &["mobilenet_v2"], Shorter(256), Some(224), BILINEAR, Half, Plain),
        class("MobileViT", &["mobilevit", "mobilevitv2"], Shorter(224), Some(256), BILINEAR, Half, FlipsChannels),
        class("EfficientNet", &["efficientnet"], Square(346), None, NEAREST, Half, EfficientNet),
        class("ConvNext", CONVNEXT_MODELS, Shorter(384), None, BILINEAR, Half, ConvNext),
        class("Levit", &["levit"], Shorter(224), Some(224), BICUBIC, Imagenet, Levit),
        class("PoolFormer", &["poolformer"], Shorter(224), Some(224), BICUBIC, Imagenet, PoolFormer),
    ]
};

const fn class(
    stem: &'static str,
    model_types: &'static [&'static str],
    size: Resized,
    crop: Option<u32>,
    resample: u8,
    statistics: Statistics,
    manner: Manner,
) -> Class {
    Class { stem, model_types, size, crop, resample, statistics, manner }
}

impl Class {
    /// The class of that name; if there is no name, the class of that type of model.
    pub fn find(name: Option<&str>, model_type: Option<&str>) -> Option<&'static Self> {
        match (name, model_type) {
            (Some(name), _) => CLASSES.iter().find(|class| class.stem == stem(name)),
            (None, Some(model)) => CLASSES.iter().find(|class| class.model_types.contains(&model)),
            (None, None) => None,
        }
    }

    /// The name of the class.
    pub fn name(&self) -> String {
        format!("{}ImageProcessor", self.stem)
    }

    /// Whether a lone number as `size` means both edges.
    pub fn squashes(&self) -> bool {
        matches!(self.size, Resized::Square(_))
    }

    /// What the class takes for a key that the file lacks, in the form of the file.
    pub fn value(&self, key: &str) -> Option<Value> {
        match key {
            "size" => Some(match self.size {
                Resized::Square(edge) => json!({"height": edge, "width": edge}),
                Resized::Shorter(edge) => json!({"shortest_edge": edge}),
            }),
            "do_center_crop" => Some(json!(self.crop.is_some())),
            "crop_size" => self.crop.map(Value::from),
            "crop_pct" => (self.manner == Manner::PoolFormer).then(|| json!(0.9)),
            "resample" => Some(json!(self.resample)),
            "image_mean" => Some(json!(self.statistics.mean_and_deviation().0)),
            "image_std" => Some(json!(self.statistics.mean_and_deviation().1)),
            _ => None,
        }
    }
}

impl Statistics {
    fn mean_and_deviation(&self) -> ([f32; 3], [f32; 3]) {
        match self {
            Self::Half => (HALF, HALF),
            Self::Imagenet => (IMAGENET_MEAN, IMAGENET_STD),
            Self::Clip => (CLIP_MEAN, CLIP_STD),
        }
    }
}

fn stem(name: &str) -> &str {
    let name = name.strip_suffix("Fast").or(name.strip_suffix("Pil")).unwrap_or(name);
    name.strip_suffix("ImageProcessor").or(name.strip_suffix("FeatureExtractor")).unwrap_or(name)
}

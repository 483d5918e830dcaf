//! The sidecar `<name>.toml` beside `<name>.onnx`: how its pictures are prepared, in words that a person can edit.
//!
//! `zoologist zoo add` writes it with every step spelled out; the keys mirror
//! [`Preprocessing`](super::preprocessing::Preprocessing). A key that is not known is an error that names it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::preparation::Preparation;
use super::preprocessing::{ChannelOrder, Crop, CropRounding, Filter, Layout, Preprocessing, Resize, Size};
use super::settings::{Settings, digest, toml};
use super::{Addition, Problem};
use crate::base::path_text::show;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sha256: Option<String>,
    features: Option<String>,
    preprocessing: Steps,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    resize: toml::Value,
    filter: Filter,
    crop: Option<WrittenSize>,
    #[serde(default = "floor")]
    crop_rounding: CropRounding,
    scale: f32,
    #[serde(default)]
    offset: f32,
    mean: [f32; 3],
    std: [f32; 3],
    #[serde(default = "rgb")]
    channel_order: ChannelOrder,
    #[serde(default = "nchw")]
    layout: Layout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSize {
    height: u32,
    width: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEdge {
    shortest_edge: u32,
}

fn floor() -> CropRounding {
    CropRounding::Down
}

fn rgb() -> ChannelOrder {
    ChannelOrder::Rgb
}

fn nchw() -> Layout {
    Layout::Nchw
}

/// Where the sidecar of an ONNX file stands.
pub(super) fn beside(weights: &Path) -> PathBuf {
    weights.with_extension("toml")
}

/// Reads a sidecar.
pub(super) fn read(text: &str) -> Result<Settings, Problem> {
    let Written { sha256, features, preprocessing: steps } = toml(text)?;
    let preprocessing = Preprocessing {
        resize: resize(steps.resize)?,
        filter: steps.filter,
        crop: steps.crop.map(|size| Crop { size: size.into(), rounding: steps.crop_rounding }),
        scale: steps.scale,
        offset: steps.offset,
        mean: steps.mean,
        std: steps.std,
        channel_order: steps.channel_order,
        layout: steps.layout,
    };
    let preparation = Preparation { preprocessing, notes: Vec::new() }.checked()?;
    Ok(Settings { preparation, features, sha256: sha256.as_deref().map(digest).transpose()? })
}

fn resize(value: toml::Value) -> Result<Resize, Problem> {
    if value.as_str() == Some("keep") {
        return Ok(Resize::Keep);
    }
    let edge = value.clone().try_into().map(|WrittenEdge { shortest_edge }| Resize::ShortestEdge(shortest_edge));
    edge.or_else(|_| value.try_into().map(|size: WrittenSize| Resize::Exact(size.into()))).map_err(|_| {
        Problem::Malformed(
            "resize must be { shortest_edge = N }, { height = N, width = N } or \"keep\", in whole pixels".into(),
        )
    })
}

impl From<WrittenSize> for Size {
    fn from(size: WrittenSize) -> Self {
        Self { height: size.height, width: size.width }
    }
}

/// The text of a sidecar for `file`, an ONNX file of that digest.
pub(super) fn text(file: &Path, addition: &Addition, sha256: &str) -> String {
    let Addition { preset, edge, features, .. } = addition;
    let steps = preset.preprocessing(*edge);
    let name = show(Path::new(file.file_name().unwrap_or_default()));
    let features = features.map_or_else(
        || "# features = \"name of the value\"".to_owned(),
        |name| format!("features = {}", toml::Value::from(name)),
    );
    format!(
        r#"# How zoologist prepares pictures for {name}, written by `zoologist zoo add`.
# From the preset {preset}: {description}.
# Compare it with the code that the model was trained with: wrong steps make a good model look bad.

# The model is refused if its file is no longer this one.
sha256 = "{sha256}"

# The value of the graph that holds the features, if it is not to be searched for.
{features}

[preprocessing]
# Size: {{ shortest_edge = N }} keeps proportions, {{ height = N, width = N }} squashes, "keep" changes nothing.
resize = {resize}
# "nearest", "bilinear", "bicubic" or "lanczos", antialiased as in Pillow.
filter = "{filter}"
# The centre that is cut out then. Half a pixel goes "down" (Hugging Face) or to "half_even" (torchvision, timm).
{crop}
# Then, per channel in channel_order: (value * scale + offset - mean) / std, with values of 0 to 255.
scale = {scale:?}
offset = {offset:?}
mean = {mean:?}
std = {std:?}
# "RGB" or "BGR".
channel_order = "{channel_order}"
# "NCHW" (PyTorch) or "NHWC" (TensorFlow).
layout = "{layout}"
"#,
        preset = preset.name,
        description = preset.description,
        resize = written_resize(steps.resize),
        filter = written_filter(steps.filter),
        crop = written_crop(steps.crop),
        scale = steps.scale,
        offset = steps.offset,
        mean = steps.mean,
        std = steps.std,
        channel_order = match steps.channel_order {
            ChannelOrder::Rgb => "RGB",
            ChannelOrder::Bgr => "BGR",
        },
        layout = match steps.layout {
            Layout::Nchw => "NCHW",
            Layout::Nhwc => "NHWC",
        },
    )
}

fn written_resize(resize: Resize) -> String {
    match resize {
        Resize::Keep => "\"keep\"".into(),
        Resize::ShortestEdge(edge) => format!("{{ shortest_edge = {edge} }}"),
        Resize::Exact(size) => written_size(size),
    }
}

fn written_size(size: Size) -> String {
    format!("{{ height = {}, width = {} }}", size.height, size.width)
}

fn written_filter(filter: Filter) -> &'static str {
    match filter {
        Filter::Nearest => "nearest",
        Filter::Bilinear => "bilinear",
        Filter::BilinearWithoutAntialias => "bilinear_without_antialias",
        Filter::Bicubic => "bicubic",
        Filter::Lanczos => "lanczos",
    }
}

fn written_crop(crop: Option<Crop>) -> String {
    let Some(Crop { size, rounding }) = crop else {
        return "# crop = { height = 224, width = 224 }\n# crop_rounding = \"half_even\"".into();
    };
    let rounding = match rounding {
        CropRounding::Down => "down",
        CropRounding::HalfEven => "half_even",
    };
    format!("crop = {}\ncrop_rounding = \"{rounding}\"", written_size(size))
}

#[cfg(test)]
mod tests {
    use super::super::{PRESETS, Preset};
    use super::*;

    const SMALLEST: &str = "[preprocessing]\nresize = \"keep\"\nfilter = \"nearest\"\nscale = 1\nmean = [1, 2, 3]\n\
        std = [1.0, 1.0, 1.0]\n";

    fn addition(preset: &'static Preset, edge: Option<u32>) -> Addition<'static> {
        Addition { preset, edge, features: Some("a \"quoted\" name"), force: false }
    }

    #[test]
    fn every_preset_comes_back_as_it_was_written() {
        for preset in &PRESETS {
            for edge in [None, Some(299)] {
                let written = text(Path::new("a/net.onnx"), &addition(preset, edge), &"0a".repeat(32));
                let found = read(&written).unwrap();
                assert_eq!(found.preparation.preprocessing, preset.preprocessing(edge), "{written}");
                assert_eq!(found.features.as_deref(), Some("a \"quoted\" name"));
                assert_eq!(found.sha256, Some("0a".repeat(32)));
            }
        }
    }

    #[test]
    fn the_sidecar_of_a_preset_reads_well() {
        let features = Addition { features: None, ..addition(Preset::named("imagenet").unwrap(), None) };
        insta::assert_snapshot!(text(Path::new("a/net.onnx"), &features, "5e…"));
    }

    #[test]
    fn what_may_be_left_out_has_the_usual_value() {
        let found = read(SMALLEST).unwrap();
        let steps = found.preparation.preprocessing;
        assert_eq!((steps.resize, steps.crop, steps.offset), (Resize::Keep, None, 0.0));
        assert_eq!((steps.channel_order, steps.layout, steps.mean), (ChannelOrder::Rgb, Layout::Nchw, [1.0, 2.0, 3.0]));
        assert_eq!((found.features, found.sha256), (None, None));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let with = |old: &str, new: &str| SMALLEST.replace(old, new);
        let cases = [
            (with("filter", "fliter"), "line 3: unknown field `fliter`"),
            (with("\"nearest\"", "\"box\""), "line 3: unknown variant `box`, expected one of `nearest`, `bilinear`"),
            (with("scale = 1\n", ""), "line 1: missing field `scale`"),
            (with("\"keep\"", "{ longest_edge = 3 }"), "resize must be { shortest_edge = N }, { height"),
            (with("\"keep\"", "{ shortest_edge = -3 }"), "resize must be"),
            (with("\"keep\"", "{ shortest_edge = 0 }"), "an edge of 0 pixels is impossible"),
            (with("mean = [1, 2, 3]", "mean = [1, 2]"), "line 5: "),
            (with("scale = 1", "scale = nan"), "a scale, mean or deviation is not a finite number"),
            (with("[prep", "sha256 = \"12\"\n[prep"), "sha256 \"12\" is not 64 hexadecimal digits"),
            ("not toml".into(), "line 1: "),
            ("resize = [".to_owned() + &"[".repeat(100_000), "line 1: "),
        ];
        for (text, expected) in cases {
            let message = read(&text).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}

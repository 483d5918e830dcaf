//! How timm says that pictures are to be prepared: `pretrained_cfg` in `config.json`, or, in old files, the same keys
//! at the top.
//!
//! Source: `resolve_data_config` and `transforms_imagenet_eval` of timm 1.0. The shorter edge becomes
//! `floor(size / crop_pct)`, then the centre is cut out; `squash` resizes both edges so. timm crops with torchvision,
//! which rounds half a pixel to the even neighbour.

use serde_json::Value;

use super::Problem;
use super::preparation::{Fields, Preparation, enlarged, pixels, wrong};
use super::preprocessing::{ChannelOrder, Crop, CropRounding, Filter, Layout, Preprocessing, Resize, Size};
use super::preset::{IMAGENET_MEAN, IMAGENET_STD, UNIT_SCALE};

/// timm's `DEFAULT_CROP_PCT`.
const USUAL_SHARE: f64 = 0.875;

/// The object that holds timm's settings, if there is one in this `config.json` (or `preprocessor_config.json`).
pub(super) fn settings(config: Fields) -> Option<Fields> {
    let old = || (config.get("architecture").is_some() && config.get("input_size").is_some()).then_some(config);
    config.object("pretrained_cfg").or_else(old)
}

/// Reads timm's settings.
pub(super) fn read(settings: Fields) -> Result<Preparation, Problem> {
    let mut notes = Vec::new();
    let size = input_size(settings)?;
    let share = settings.number("crop_pct")?.unwrap_or_else(|| {
        notes.push(format!("crop_pct is missing: {USUAL_SHARE}, as timm does."));
        USUAL_SHARE
    });
    let resize = resize(settings, size, share)?;
    notes.push(format!("timm's crop_pct {share}: {}, centre crop {}.", in_words(resize), size_in_words(size)));
    let preprocessing = Preprocessing {
        resize,
        filter: filter(settings, &mut notes)?,
        crop: Some(Crop { size, rounding: CropRounding::HalfEven }),
        scale: UNIT_SCALE,
        offset: 0.0,
        mean: statistic(settings, "mean", IMAGENET_MEAN, &mut notes)?,
        std: statistic(settings, "std", IMAGENET_STD, &mut notes)?,
        channel_order: ChannelOrder::Rgb,
        layout: Layout::Nchw,
    };
    Preparation { preprocessing, notes }.checked()
}

/// `[channels, height, width]`.
fn input_size(settings: Fields) -> Result<Size, Problem> {
    let value = settings.get("input_size").ok_or_else(|| Problem::Malformed("input_size is missing".into()))?;
    let numbers: Option<Vec<u32>> = value.as_array().and_then(|list| list.iter().map(pixels).collect());
    match numbers.as_deref() {
        Some(&[3, height, width]) => Ok(Size { height, width }),
        Some(&[channels, _, _]) => Err(Problem::Malformed(format!("takes {channels} channels: pictures have 3"))),
        _ => Err(wrong("input_size", "[3, height, width]", value)),
    }
}

fn resize(settings: Fields, size: Size, share: f64) -> Result<Resize, Problem> {
    let edges = Size { height: enlarged(size.height, share), width: enlarged(size.width, share) };
    match settings.text("crop_mode")?.unwrap_or("center") {
        "squash" => Ok(Resize::Exact(edges)),
        "center" if edges.height == edges.width => Ok(Resize::ShortestEdge(edges.height)),
        "center" => Err(Problem::Unrepeatable("crop_mode is \"center\" and the input is not square".into())),
        other => Err(Problem::Unrepeatable(format!("crop_mode is {:?}", crate::base::path_text::escape(other)))),
    }
}

fn filter(settings: Fields, notes: &mut Vec<String>) -> Result<Filter, Problem> {
    match settings.text("interpolation")? {
        Some("nearest") => Ok(Filter::Nearest),
        Some("bilinear") => Ok(Filter::Bilinear),
        Some("bicubic") => Ok(Filter::Bicubic),
        Some("lanczos") => Ok(Filter::Lanczos),
        Some("random") => {
            notes.push("interpolation is random, as in training: bilinear is used.".into());
            Ok(Filter::Bilinear)
        }
        None | Some("") => {
            notes.push("interpolation is missing: bicubic, as timm does.".into());
            Ok(Filter::Bicubic)
        }
        Some(other) => Err(wrong("interpolation", "nearest, bilinear, bicubic or lanczos", &Value::from(other))),
    }
}

fn statistic(settings: Fields, name: &str, imagenet: [f32; 3], notes: &mut Vec<String>) -> Result<[f32; 3], Problem> {
    Ok(settings.channels(name)?.unwrap_or_else(|| {
        notes.push(format!("{name} is missing: ImageNet's, as timm does."));
        imagenet
    }))
}

fn in_words(resize: Resize) -> String {
    match resize {
        Resize::Keep => "not resized".into(),
        Resize::ShortestEdge(edge) => format!("shorter edge {edge}"),
        Resize::Exact(size) => format!("squashed to {}", size_in_words(size)),
    }
}

fn size_in_words(size: Size) -> String {
    if size.height == size.width { size.height.to_string() } else { format!("{} × {}", size.height, size.width) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prepared(config: &Value) -> Result<Preparation, String> {
        let config = Fields(config.as_object().unwrap());
        read(settings(config).unwrap()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn crop_pct_and_crop_mode_decide_the_resize() {
        let cases = [
            (224, 0.875, "center", Resize::ShortestEdge(256)),
            (224, 0.95, "center", Resize::ShortestEdge(235)),
            (288, 1.0, "center", Resize::ShortestEdge(288)),
            (384, 1.0, "squash", Resize::Exact(Size { height: 384, width: 384 })),
            (240, 0.9, "squash", Resize::Exact(Size { height: 266, width: 266 })),
        ];
        for (edge, share, mode, expected) in cases {
            let config = json!({"pretrained_cfg": {"input_size": [3, edge, edge], "crop_pct": share, "crop_mode": mode,
                "interpolation": "bilinear", "mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3]}});
            let Preparation { preprocessing, .. } = prepared(&config).unwrap();
            assert_eq!(preprocessing.resize, expected, "{config}");
            let size = Size { height: edge, width: edge };
            assert_eq!(preprocessing.crop, Some(Crop { size, rounding: CropRounding::HalfEven }));
            assert_eq!((preprocessing.mean, preprocessing.std), ([0.5, 0.4, 0.3], [0.1, 0.2, 0.3]));
            assert_eq!((preprocessing.scale, preprocessing.filter), (UNIT_SCALE, Filter::Bilinear));
        }
    }

    #[test]
    fn the_old_flat_file_is_read_and_every_assumption_is_said() {
        let found = prepared(&json!({"architecture": "resnet50", "input_size": [3, 224, 224]})).unwrap();
        let Preprocessing { mean, std, filter, .. } = found.preprocessing;
        assert_eq!((mean, std, filter), (IMAGENET_MEAN, IMAGENET_STD, Filter::Bicubic));
        assert_eq!(
            found.notes,
            [
                "crop_pct is missing: 0.875, as timm does.",
                "timm's crop_pct 0.875: shorter edge 256, centre crop 224.",
                "interpolation is missing: bicubic, as timm does.",
                "mean is missing: ImageNet's, as timm does.",
                "std is missing: ImageNet's, as timm does.",
            ]
        );
    }

    #[test]
    fn what_cannot_be_repeated_is_refused_by_name() {
        let cases = [
            (json!({}), "input_size is missing"),
            (json!({"input_size": [1, 28, 28]}), "takes 1 channels: pictures have 3"),
            (json!({"input_size": 224}), "input_size is 224, not [3, height, width]"),
            (json!({"input_size": [3, 224, 224], "crop_mode": "border"}), "crop_mode is \"border\": pictures would be"),
            (json!({"input_size": [3, 224, 192]}), "crop_mode is \"center\" and the input is not square"),
            (json!({"input_size": [3, 224, 224], "interpolation": "hamming"}), "interpolation is \"hamming\", not"),
            (json!({"input_size": [3, 224, 224], "crop_pct": 0}), "an edge of 4294967295 pixels is impossible"),
            (json!({"input_size": [3, 224, 224], "std": [1, 0, 1]}), "a scale or deviation is 0"),
            (json!({"input_size": [3, 224, 224], "mean": "x"}), "mean is \"x\", not a list of 3 numbers"),
        ];
        for (settings, expected) in cases {
            let message = prepared(&json!({ "pretrained_cfg": settings })).unwrap_err();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}

use super::*;
use crate::zoo::preset::{CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD};
use proptest::prelude::*;

fn prepared(settings: &Value, model_type: Option<&str>) -> Result<Preparation, String> {
    read(Fields(settings.as_object().unwrap()), model_type).map_err(|problem| problem.to_string())
}

fn exactly(edge: u32) -> Resize {
    Resize::Exact(square(edge))
}

fn cropped(edge: u32) -> Crop {
    Crop { size: square(edge), rounding: CropRounding::Down }
}

/// All keys but the geometry.
fn complete(geometry: &Value) -> Value {
    let mut settings = json!({"do_resize": true, "resample": 3, "do_rescale": true, "rescale_factor": 0.003_921_568_627_450_98,
        "do_normalize": true, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]});
    settings.as_object_mut().unwrap().extend(geometry.as_object().unwrap().clone());
    settings
}

#[test]
fn size_crop_size_and_class_decide_the_geometry() {
    let shorter = Resize::ShortestEdge;
    let cases = [
        (
            json!({"size": {"shortest_edge": 256}, "do_center_crop": true, "crop_size": 224}),
            shorter(256),
            Some(cropped(224)),
        ),
        (json!({"size": {"height": 160, "width": 160}, "do_center_crop": false, "crop_size": 9}), exactly(160), None),
        (json!({"size": [96, 96]}), exactly(96), None),
        (json!({"size": 224, "image_processor_type": "ViTImageProcessor"}), exactly(224), None),
        (json!({"size": 192, "feature_extractor_type": "ViTFeatureExtractor"}), exactly(192), None),
        (
            json!({"size": 256, "image_processor_type": "DeiTImageProcessorFast", "crop_size": 240}),
            exactly(256),
            Some(cropped(240)),
        ),
        (json!({"size": 224, "image_processor_type": "CLIPImageProcessor"}), shorter(224), Some(cropped(224))),
        (
            json!({"size": 224, "do_center_crop": false, "feature_extractor_type": "BeitFeatureExtractor"}),
            exactly(224),
            None,
        ),
        (
            json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224},
            "image_processor_type": "BitImageProcessor"}),
            shorter(256),
            Some(cropped(224)),
        ),
        (
            json!({"size": 224, "crop_pct": 0.875, "image_processor_type": "ConvNextImageProcessor"}),
            shorter(256),
            Some(cropped(224)),
        ),
        (
            json!({"size": 224, "crop_pct": 0.95, "image_processor_type": "ConvNextFeatureExtractor"}),
            shorter(235),
            Some(cropped(224)),
        ),
        (json!({"size": {"shortest_edge": 384}, "image_processor_type": "ConvNextImageProcessor"}), exactly(384), None),
        (json!({"size": 224, "image_processor_type": "LevitImageProcessor"}), shorter(256), Some(cropped(224))),
        (
            json!({"size": 224, "crop_pct": 0.9, "image_processor_type": "PoolFormerImageProcessor"}),
            shorter(248),
            Some(cropped(224)),
        ),
        (
            json!({"size": {"height": 512, "width": 512}, "image_processor_type": "SiglipImageProcessor"}),
            exactly(512),
            None,
        ),
        (json!({"do_resize": false, "image_processor_type": "ViTImageProcessor"}), Resize::Keep, None),
        (
            json!({"size": {"height": 64, "width": 48}, "image_processor_type": "Unheard"}),
            Resize::Exact(Size { height: 64, width: 48 }),
            None,
        ),
    ];
    for (geometry, resize, crop) in cases {
        let found = prepared(&complete(&geometry), None).unwrap().preprocessing;
        assert_eq!((found.resize, found.crop), (resize, crop), "{geometry}");
        assert_eq!((found.mean, found.std, found.scale), (IMAGENET_MEAN, IMAGENET_STD, UNIT_SCALE), "{geometry}");
    }
}

#[test]
fn the_class_supplies_what_is_missing() {
    let shorter = Resize::ShortestEdge;
    let cases = [
        ("ViT", exactly(224), None, Filter::Bilinear, HALF, HALF),
        ("DeiT", exactly(256), Some(cropped(224)), Filter::Bicubic, HALF, HALF),
        ("Beit", exactly(256), Some(cropped(224)), Filter::Bicubic, HALF, HALF),
        ("CLIP", shorter(224), Some(cropped(224)), Filter::Bicubic, CLIP_MEAN, CLIP_STD),
        ("Bit", shorter(224), Some(cropped(224)), Filter::Bicubic, CLIP_MEAN, CLIP_STD),
        ("Siglip", exactly(224), None, Filter::Bicubic, HALF, HALF),
        ("Blip", exactly(384), None, Filter::Bicubic, CLIP_MEAN, CLIP_STD),
        ("Pvt", exactly(224), None, Filter::Bilinear, IMAGENET_MEAN, IMAGENET_STD),
        ("DINOv3ViT", exactly(224), None, Filter::Bilinear, IMAGENET_MEAN, IMAGENET_STD),
        ("MobileNetV1", shorter(256), Some(cropped(224)), Filter::Bilinear, HALF, HALF),
        ("MobileNetV2", shorter(256), Some(cropped(224)), Filter::Bilinear, HALF, HALF),
        ("MobileViT", shorter(224), Some(cropped(256)), Filter::Bilinear, [0.0; 3], [1.0; 3]),
        ("EfficientNet", exactly(346), None, Filter::Nearest, HALF, [0.25; 3]),
        ("ConvNext", exactly(384), None, Filter::Bilinear, HALF, HALF),
        ("Levit", shorter(256), Some(cropped(224)), Filter::Bicubic, IMAGENET_MEAN, IMAGENET_STD),
        ("PoolFormer", shorter(248), Some(cropped(224)), Filter::Bicubic, IMAGENET_MEAN, IMAGENET_STD),
    ];
    for (stem, resize, crop, filter, mean, std) in cases {
        let found = prepared(&json!({"image_processor_type": format!("{stem}ImageProcessor")}), None).unwrap();
        let steps = found.preprocessing;
        assert_eq!((steps.resize, steps.crop, steps.filter), (resize, crop, filter), "{stem}");
        assert_eq!((steps.mean, steps.std), (mean, std), "{stem}");
        assert!(found.notes.iter().any(|note| note.starts_with("size is missing: {")), "{stem}: {:?}", found.notes);
    }
}

#[test]
fn a_file_without_a_class_takes_that_of_its_type_of_model() {
    let settings = complete(&json!({"size": 224}));
    let resize = |model_type| prepared(&settings, Some(model_type)).map(|found| found.preprocessing.resize);
    assert_eq!(resize("swin"), Ok(exactly(224)));
    assert_eq!(resize("resnet"), Ok(Resize::ShortestEdge(256)));
    assert!(resize("unheard").unwrap_err().starts_with("size 224 may mean both edges or the shorter one"));
}

#[test]
fn values_are_scaled_shifted_and_normalised_as_the_flags_say() {
    let cases = [
        (json!({}), (1.0 / 255.0, 0.0, HALF, HALF)),
        (json!({"do_rescale": false}), (1.0, 0.0, HALF, HALF)),
        (json!({"do_normalize": false}), (1.0 / 255.0, 0.0, [0.0; 3], [1.0; 3])),
        (json!({"rescale_factor": 0.5, "offset": true}), (0.5, -1.0, HALF, HALF)),
        (json!({"image_mean": 0.25, "image_std": [2]}), (1.0 / 255.0, 0.0, [0.25; 3], [2.0; 3])),
    ];
    for (keys, expected) in cases {
        let mut settings = json!({"image_processor_type": "ViTImageProcessor"});
        settings.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let found = prepared(&settings, None).unwrap().preprocessing;
        assert_eq!((found.scale, found.offset, found.mean, found.std), expected, "{keys}");
    }
}

#[test]
fn efficientnet_divides_twice_and_shifts_if_told_to() {
    let settings = json!({"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 600, "width": 600},
        "resample": 0, "rescale_factor": 0.007_843_137_254_901_96, "rescale_offset": true, "do_normalize": false,
        "include_top": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 0.125]});
    let found = prepared(&settings, None).unwrap().preprocessing;
    assert_eq!((found.scale, found.offset), (1.0 / 127.5, -1.0));
    assert_eq!((found.mean, found.std), ([0.0; 3], [0.5, 0.25, 0.125]));
}

#[test]
fn mobilevit_flips_the_channels_unless_told_not_to() {
    let order = |flips: bool| {
        let settings = json!({"image_processor_type": "MobileViTImageProcessor", "do_flip_channel_order": flips});
        prepared(&settings, None).unwrap().preprocessing.channel_order
    };
    assert_eq!((order(true), order(false)), (ChannelOrder::Bgr, ChannelOrder::Rgb));
}

#[test]
fn a_file_with_a_channel_order_is_taken_literally() {
    let settings = complete(&json!({"image_processor_type": "ConvNextImageProcessor", "channel_order": "BGR",
        "layout": "NHWC", "crop_rounding": "half_even", "size": {"shortest_edge": 256}, "do_center_crop": true,
        "crop_size": {"height": 224, "width": 192}}));
    let found = prepared(&settings, None).unwrap();
    let crop = Crop { size: Size { height: 224, width: 192 }, rounding: CropRounding::HalfEven };
    assert_eq!((found.preprocessing.resize, found.preprocessing.crop), (Resize::ShortestEdge(256), Some(crop)));
    assert_eq!((found.preprocessing.channel_order, found.preprocessing.layout), (ChannelOrder::Bgr, Layout::Nhwc));
    assert_eq!(found.notes, [""; 0]);
}

#[test]
fn what_was_assumed_is_said() {
    let cases = [
        (
            json!({"image_processor_type": "MarsImageProcessor", "size": {"height": 9, "width": 9}}),
            "The image processor MarsImageProcessor is not known here: its keys are read as they stand.",
        ),
        (
            json!({"image_processor_type": "ConvNextImageProcessor", "size": 224}),
            "crop_pct 0.875: shorter edge 256, centre crop 224.",
        ),
        (
            json!({"image_processor_type": "ConvNextImageProcessor", "size": 384}),
            "ConvNextImageProcessor squashes to 384 × 384 without a crop.",
        ),
        (
            json!({"image_processor_type": "LevitImageProcessor", "size": 224}),
            "LevitImageProcessor resizes to a shorter edge of 256.",
        ),
    ];
    for (geometry, note) in cases {
        assert!(prepared(&complete(&geometry), None).unwrap().notes.contains(&note.to_owned()), "{geometry}");
    }
    let found =
        prepared(&json!({"image_processor_type": "PvtImageProcessor", "size": 224, "resample": 3}), None).unwrap();
    assert_eq!(found.notes[0], "image_mean is missing: [0.485, 0.456, 0.406], as PvtImageProcessor does.");
}

#[test]
fn what_cannot_be_repeated_or_is_wrong_is_refused_by_name() {
    let square = json!({"height": 224, "width": 224});
    let cases = [
        (json!({}), "size is missing. Add it"),
        (json!({"size": {"longest_edge": 224}}), "size has a longest_edge: {\"longest_edge\":224}"),
        (json!({"size": {"shortest_edge": 800, "longest_edge": 1333}}), "size has a longest_edge"),
        (json!({"size": "large"}), "size is \"large\", not a number of pixels, {\"height\""),
        (json!({"size": {"height": -1, "width": 224}}), "size is {\"height\":-1,\"width\":224}, not a number"),
        (json!({"size": 224}), "size 224 may mean both edges or the shorter one"),
        (json!({"size": {"shortest_edge": 0}}), "an edge of 0 pixels is impossible"),
        (json!({"size": {"shortest_edge": 4_000_000_000_u32}}), "an edge of 4000000000 pixels is impossible"),
        (json!({"size": square, "do_pad": true}), "do_pad is true: pictures would be prepared wrongly"),
        (json!({"size": square, "size_divisor": 32}), "size_divisor is 32: pictures would"),
        (json!({"size": square, "do_flip_channel_order": true}), "do_flip_channel_order is true: pictures would"),
        (json!({"size": square, "do_resize": "yes"}), "do_resize is \"yes\", not true or false"),
        (json!({"size": square, "do_center_crop": true}), "crop_size is missing. Add it"),
        (json!({"size": square, "do_center_crop": true, "crop_size": []}), "crop_size is [], not a number of pixels"),
        (json!({"size": square, "resample": 4}), "resample is 4, Pillow's box or Hamming filter"),
        (json!({"size": square, "resample": 9}), "resample is 9, not 0 (nearest)"),
        (json!({"size": square, "image_mean": [1, 2]}), "image_mean is [1,2], not a list of 3 numbers"),
        (json!({"size": square, "image_std": [1, 1, 0]}), "a scale or deviation is 0"),
        (json!({"size": square, "rescale_factor": 1e99}), "a scale, mean or deviation is not a finite number"),
        (json!({"size": square, "channel_order": "GRB"}), "channel_order is \"GRB\", not \"RGB\" or \"BGR\""),
        (json!({"size": square, "layout": "HWC"}), "layout is \"HWC\", not \"NCHW\" or \"NHWC\""),
        (
            json!({"size": square, "crop_rounding": "up", "do_center_crop": true, "crop_size": 2}),
            "crop_rounding is \"up\"",
        ),
    ];
    for (geometry, expected) in cases {
        let message = prepared(&complete(&geometry), None).unwrap_err();
        assert!(message.starts_with(expected), "{geometry}: {message}");
    }
}

proptest! {
    #[test]
    fn no_value_of_any_key_makes_the_reader_panic(
        key in prop::sample::select(vec!["size", "crop_size", "crop_pct", "resample", "image_mean", "rescale_factor"]),
        number in prop::num::f64::ANY,
        class in prop::sample::select(vec!["ViT", "ConvNext", "Levit", "PoolFormer", "EfficientNet", "Odd"]),
    ) {
        let settings = json!({"image_processor_type": class, key: number, "do_center_crop": true});
        if let Ok(found) = prepared(&settings, None) {
            prop_assert!(found.preprocessing.std.iter().all(|deviation| *deviation != 0.0));
        }
    }
}

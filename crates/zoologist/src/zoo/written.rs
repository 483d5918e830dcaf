//! How pictures are prepared, as the text of a `preprocessor_config.json` that says it in full.

use serde_json::{Map, Value, json};

use super::preprocessing::{ChannelOrder, CropRounding, Filter, Layout, Preprocessing, Resize};

/// The keys of a `preprocessor_config.json`; `None` where they can't say it.
pub fn preprocessor_config(how: &Preprocessing) -> Option<Value> {
    let resample = match how.filter {
        Filter::Nearest => 0,
        Filter::Lanczos => 1,
        Filter::Bilinear => 2,
        Filter::Bicubic => 3,
        Filter::BilinearWithoutAntialias => return None,
    };
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    match how.resize {
        Resize::Keep => put("do_resize", json!(false)),
        Resize::ShortestEdge(edge) => put("size", json!({ "shortest_edge": edge })),
        Resize::Exact(size) => put("size", json!({ "height": size.height, "width": size.width })),
    };
    if how.resize != Resize::Keep {
        put("do_resize", json!(true));
    }
    put("resample", json!(resample));
    put("do_center_crop", json!(how.crop.is_some()));
    if let Some(crop) = how.crop {
        put("crop_size", json!({ "height": crop.size.height, "width": crop.size.width }));
        put("crop_rounding", json!(if crop.rounding == CropRounding::Down { "down" } else { "half_even" }));
    }
    if how.offset != 0.0 {
        return None;
    }
    put("do_rescale", json!(true));
    put("rescale_factor", json!(how.scale));
    put("do_normalize", json!(true));
    put("image_mean", json!(how.mean));
    put("image_std", json!(how.std));
    put("channel_order", json!(if how.channel_order == ChannelOrder::Rgb { "RGB" } else { "BGR" }));
    put("layout", json!(if how.layout == Layout::Nchw { "NCHW" } else { "NHWC" }));
    Some(Value::Object(keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::preparation::Fields;
    use crate::zoo::preprocessing::{Crop, Size};
    use crate::zoo::{PRESETS, hugging_face};

    #[test]
    fn what_is_written_is_read_back() {
        for preset in &PRESETS {
            let plain = preset.preprocessing(None);
            let square = Size { height: 96, width: 96 };
            let cropped =
                Preprocessing { crop: Some(Crop { size: square, rounding: CropRounding::HalfEven }), ..plain.clone() };
            for how in [plain.clone(), cropped, plain.resized(160)] {
                let Some(written) = preprocessor_config(&how) else { continue };
                let read = hugging_face::read(Fields(written.as_object().unwrap()), None);
                assert_eq!(read.map_err(|problem| problem.to_string()).unwrap().preprocessing, how, "{written}");
            }
        }
    }

    #[test]
    fn another_size_keeps_the_proportion_of_the_crop() {
        let of = |resize, crop: Option<u32>| {
            let crop = crop.map(|edge| Crop { size: Size { height: edge, width: edge }, rounding: CropRounding::Down });
            Preprocessing { resize, crop, ..PRESETS[0].preprocessing(None) }.resized(128)
        };
        let edge = |how: &Preprocessing| how.crop.map(|crop| crop.size.height);
        let found = of(Resize::ShortestEdge(256), Some(224));
        assert_eq!((found.resize, edge(&found)), (Resize::ShortestEdge(146), Some(128)));
        let found = of(Resize::Exact(Size { height: 160, width: 160 }), None);
        assert_eq!((found.resize, edge(&found)), (Resize::Exact(Size { height: 128, width: 128 }), None));
    }
}

//! How Hugging Face says that pictures are to be prepared: `preprocessor_config.json`.
//!
//! The keys decide; the class named in `image_processor_type` only supplies what is missing, and a few classes read
//! their keys in a way of their own ([`Manner`]). Source: the slow image processors of transformers 4.57 (the code
//! that wrote most files; its defaults), and 5.23, where all classes honour all keys. Both floor the crop's offset.
//!
//! Keys of our own: `channel_order` (`"RGB"`, `"BGR"`), `layout` (`"NCHW"`, `"NHWC"`), `crop_rounding`
//! (`"down"`, `"half_even"`).
//! A file with a `channel_order` was written for zoologist: it is taken literally, whatever class it names.

mod classes;

use serde_json::{Value, json};

use classes::{Class, Manner};

use super::Problem;
use super::preparation::{Fields, Preparation, enlarged, pixels, square, wrong};
use super::preprocessing::{ChannelOrder, Crop, CropRounding, Filter, Layout, Preprocessing, Resize, Size};
use super::preset::UNIT_SCALE;

/// Keys that ask for steps that are not described here, unless they are false or 0.
const UNKNOWN_STEPS: [&str; 20] = [
    "do_pad",
    "do_thumbnail",
    "do_align_long_axis",
    "do_image_splitting",
    "do_split_image",
    "do_affine_transform",
    "do_grayscale",
    "do_color_quantize",
    "do_pan_and_scan",
    "keep_aspect_ratio",
    "crop_to_patches",
    "ensure_multiple_of",
    "image_grid_pinpoints",
    "max_image_size",
    "max_num_patches",
    "min_pixels",
    "max_pixels",
    "resize_short",
    "size_divisor",
    "use_square_size",
];
/// Below this edge ConvNeXt's class crops; from it on it squashes.
const CONVNEXT_SQUASHES_FROM: u32 = 384;
/// The share of the picture that ConvNeXt's class keeps unless `crop_pct` says otherwise.
const CONVNEXT_SHARE: f64 = 224.0 / 256.0;
/// LeViT's class resizes this much larger than `size` says.
const LEVIT_SHARE: f64 = 256.0 / 224.0;

/// Reads a `preprocessor_config.json`; `model_type` is that of the model's `config.json`, which names the class where
/// this file doesn't.
pub(super) fn read(settings: Fields, model_type: Option<&str>) -> Result<Preparation, Problem> {
    let literal = settings.get("channel_order").is_some();
    let named = settings.text("image_processor_type")?.or(settings.text("feature_extractor_type")?);
    let class = if literal { None } else { Class::find(named, model_type) };
    let mut reader = Reader { settings, class, notes: Vec::new() };
    reader.introduce(named.filter(|_| !literal));
    reader.refuse_unknown_steps()?;
    let preprocessing = reader.preprocessing()?;
    Preparation { preprocessing, notes: reader.notes }.checked()
}

struct Reader<'a> {
    settings: Fields<'a>,
    class: Option<&'static Class>,
    notes: Vec<String>,
}

impl Reader<'_> {
    fn introduce(&mut self, named: Option<&str>) {
        if let (None, Some(name)) = (self.class, named) {
            let name = crate::base::path_text::escape(name);
            self.notes.push(format!("The image processor {name} is not known here: its keys are read as they stand."));
        }
    }

    fn refuse_unknown_steps(&self) -> Result<(), Problem> {
        let flips = self.manner() == Manner::FlipsChannels;
        let steps = UNKNOWN_STEPS.iter().chain((!flips).then_some(&"do_flip_channel_order"));
        for step in steps {
            if let Some(value) = self.settings.get(step).filter(|value| is_set(value)) {
                return Err(Problem::Unrepeatable(format!("{step} is {}", shortened(value))));
            }
        }
        Ok(())
    }

    fn manner(&self) -> Manner {
        self.class.map_or(Manner::Plain, |class| class.manner)
    }

    fn preprocessing(&mut self) -> Result<Preprocessing, Problem> {
        let (resize, crop) = self.geometry()?;
        let (mean, std) = self.normalisation()?;
        let (scale, offset) = self.rescaling()?;
        let filter = if resize == Resize::Keep { Filter::Bilinear } else { self.filter()? };
        let (channel_order, layout) = (self.channel_order()?, self.layout()?);
        Ok(Preprocessing { resize, filter, crop, scale, offset, mean, std, channel_order, layout })
    }

    /// A value of the file; else the class's, which is noted; else it is missing.
    fn value(&mut self, name: &str) -> Result<Value, Problem> {
        if let Some(value) = self.settings.get(name) {
            return Ok(value.clone());
        }
        let missing = || Problem::Malformed(format!("{name} is missing. Add it"));
        let value = self.class.and_then(|class| class.value(name)).ok_or_else(missing)?;
        self.notes.push(format!("{name} is missing: {}, as {} does.", in_words(&value), self.class_name()));
        Ok(value)
    }

    fn class_name(&self) -> String {
        self.class.map_or("this file".into(), Class::name)
    }

    /// A flag of the file, else the class's, else `usual`. That flags are missing is too common to be noted.
    fn flag(&self, name: &str, usual: bool) -> Result<bool, Problem> {
        let default = self.class.and_then(|class| class.value(name)).and_then(|value| value.as_bool());
        Ok(self.settings.flag(name)?.or(default).unwrap_or(usual))
    }

    fn geometry(&mut self) -> Result<(Resize, Option<Crop>), Problem> {
        let crops = self.flag("do_center_crop", false)?;
        if !self.flag("do_resize", true)? {
            return Ok((Resize::Keep, if crops { Some(self.crop()?) } else { None }));
        }
        if !crops && self.settings.get("crop_size").is_some() && self.settings.get("do_center_crop").is_none() {
            self.notes.push("crop_size is given, but do_center_crop is not: nothing is cropped.".into());
        }
        let resize = self.size()?;
        match (self.manner(), resize) {
            (Manner::ConvNext, Resize::ShortestEdge(edge)) if !crops => self.convnext(edge),
            (manner, resize) => {
                let resize = self.enlarged(manner, resize)?;
                Ok((resize, if crops { Some(self.crop()?) } else { None }))
            }
        }
    }

    /// `size` as written: a number, `[height, width]`, or an object.
    fn size(&mut self) -> Result<Resize, Problem> {
        let value = self.value("size")?;
        if let Some(edge) = pixels(&value) {
            return self.lone_edge(edge);
        }
        let Some(object) = value.as_object().map(Fields) else {
            return exact(&value).map(Resize::Exact).ok_or_else(|| wrong("size", SIZES, &value));
        };
        if object.get("longest_edge").is_some() {
            return Err(Problem::Unrepeatable(format!("size has a longest_edge: {}", shortened(&value))));
        }
        let shortest = object.get("shortest_edge").and_then(pixels).map(Resize::ShortestEdge);
        shortest.or_else(|| exact(&value).map(Resize::Exact)).ok_or_else(|| wrong("size", SIZES, &value))
    }

    /// What a lone number means is up to the class.
    fn lone_edge(&self, edge: u32) -> Result<Resize, Problem> {
        let class = self.class.ok_or_else(|| {
            Problem::Malformed(format!(
                "size {edge} may mean both edges or the shorter one: write {{\"height\": {edge}, \"width\": {edge}}} or \
                 {{\"shortest_edge\": {edge}}}"
            ))
        })?;
        Ok(if class.squashes() { Resize::Exact(square(edge)) } else { Resize::ShortestEdge(edge) })
    }

    /// ConvNeXt's class: small pictures are resized larger and cropped, large ones are squashed.
    fn convnext(&mut self, edge: u32) -> Result<(Resize, Option<Crop>), Problem> {
        if edge >= CONVNEXT_SQUASHES_FROM {
            self.notes.push(format!("{} squashes to {edge} × {edge} without a crop.", self.class_name()));
            return Ok((Resize::Exact(square(edge)), None));
        }
        let share = self.settings.number("crop_pct")?.unwrap_or(CONVNEXT_SHARE);
        let resized = enlarged(edge, share);
        self.notes.push(format!("crop_pct {share}: shorter edge {resized}, centre crop {edge}."));
        let crop = Crop { size: square(edge), rounding: self.crop_rounding()? };
        Ok((Resize::ShortestEdge(resized), Some(crop)))
    }

    /// LeViT's and PoolFormer's classes resize larger than `size` says.
    fn enlarged(&mut self, manner: Manner, resize: Resize) -> Result<Resize, Problem> {
        let larger = match (manner, resize) {
            (Manner::Levit, Resize::ShortestEdge(edge)) => (LEVIT_SHARE * f64::from(edge)) as u32,
            (Manner::PoolFormer, Resize::ShortestEdge(edge)) => enlarged(edge, self.poolformer_share()?),
            (Manner::PoolFormer, Resize::Exact(size)) if size.height == size.width => {
                enlarged(size.height, self.poolformer_share()?)
            }
            (Manner::PoolFormer, Resize::Exact(_)) => {
                return Err(Problem::Unrepeatable("size is not square and there is a crop_pct".into()));
            }
            _ => return Ok(resize),
        };
        self.notes.push(format!("{} resizes to a shorter edge of {larger}.", self.class_name()));
        Ok(Resize::ShortestEdge(larger))
    }

    fn poolformer_share(&mut self) -> Result<f64, Problem> {
        let value = self.value("crop_pct")?;
        value.as_f64().ok_or_else(|| wrong("crop_pct", "a number", &value))
    }

    fn crop(&mut self) -> Result<Crop, Problem> {
        let value = self.value("crop_size")?;
        let size = pixels(&value).map(square).or_else(|| exact(&value));
        let size = size.ok_or_else(|| wrong("crop_size", "a number of pixels or {\"height\", \"width\"}", &value))?;
        Ok(Crop { size, rounding: self.crop_rounding()? })
    }

    fn crop_rounding(&self) -> Result<CropRounding, Problem> {
        self.choice("crop_rounding", &[("down", CropRounding::Down), ("half_even", CropRounding::HalfEven)])
    }

    /// Pillow's number of the filter.
    fn filter(&mut self) -> Result<Filter, Problem> {
        let value = self.value("resample")?;
        match value.as_u64() {
            Some(0) => Ok(Filter::Nearest),
            Some(1) => Ok(Filter::Lanczos),
            Some(2) => Ok(Filter::Bilinear),
            Some(3) => Ok(Filter::Bicubic),
            Some(4 | 5) => Err(Problem::Unrepeatable(format!("resample is {value}, Pillow's box or Hamming filter"))),
            _ => Err(wrong("resample", "0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)", &value)),
        }
    }

    /// Scale and offset of the pixel values.
    fn rescaling(&mut self) -> Result<(f32, f32), Problem> {
        if !self.flag("do_rescale", true)? {
            return Ok((1.0, 0.0));
        }
        let scale = self.settings.number("rescale_factor")?.map_or(UNIT_SCALE, |factor| factor as f32);
        let shifted = self.flag("rescale_offset", false)? || self.flag("offset", false)?;
        Ok((scale, if shifted { -1.0 } else { 0.0 }))
    }

    /// Mean and deviation.
    fn normalisation(&mut self) -> Result<([f32; 3], [f32; 3]), Problem> {
        let normalises = self.manner() != Manner::FlipsChannels && self.flag("do_normalize", true)?;
        let twice = self.manner() == Manner::EfficientNet && self.flag("include_top", true)?;
        let mean = if normalises { self.channels("image_mean")? } else { [0.0; 3] };
        let std = if normalises || twice { self.channels("image_std")? } else { [1.0; 3] };
        if normalises && twice {
            self.notes.push("include_top: divided by image_std twice, as EfficientNetImageProcessor does.".into());
            return Ok((mean, std.map(|deviation| deviation * deviation)));
        }
        Ok((mean, std))
    }

    fn channels(&mut self, name: &str) -> Result<[f32; 3], Problem> {
        let value = json!({ name: self.value(name)? });
        let found = value.as_object().map(Fields).and_then(|fields| fields.channels(name).transpose());
        found.unwrap_or_else(|| Err(Problem::Malformed(format!("{name} is missing. Add it"))))
    }

    fn channel_order(&mut self) -> Result<ChannelOrder, Problem> {
        if self.manner() == Manner::FlipsChannels && self.flag("do_flip_channel_order", true)? {
            self.notes.push("Channels are flipped to BGR, and not normalised, as MobileViTImageProcessor does.".into());
            return Ok(ChannelOrder::Bgr);
        }
        self.choice("channel_order", &[("RGB", ChannelOrder::Rgb), ("BGR", ChannelOrder::Bgr)])
    }

    fn layout(&self) -> Result<Layout, Problem> {
        self.choice("layout", &[("NCHW", Layout::Nchw), ("NHWC", Layout::Nhwc)])
    }

    /// One of two values by name; the first if the key is missing.
    fn choice<T: Copy>(&self, name: &str, [first, second]: &[(&str, T); 2]) -> Result<T, Problem> {
        match self.settings.text(name)? {
            None => Ok(first.1),
            Some(text) if text == first.0 => Ok(first.1),
            Some(text) if text == second.0 => Ok(second.1),
            Some(text) => Err(wrong(name, &format!("{:?} or {:?}", first.0, second.0), &Value::from(text))),
        }
    }
}

const SIZES: &str = "a number of pixels, {\"height\", \"width\"} or {\"shortest_edge\"}";

/// `[height, width]` or `{"height": …, "width": …}`.
fn exact(value: &Value) -> Option<Size> {
    let (height, width) = match value {
        Value::Array(list) => match &list[..] {
            [height, width] => (height, width),
            _ => return None,
        },
        other => (other.get("height")?, other.get("width")?),
    };
    Some(Size { height: pixels(height)?, width: pixels(width)? })
}

/// Whether a step is asked for: neither false nor 0 nor 1 (a divisor of 1 does nothing).
fn is_set(value: &Value) -> bool {
    !matches!(value, Value::Bool(false)) && !matches!(value.as_f64(), Some(0.0 | 1.0))
}

/// A default; the numbers in its lists are of single precision.
fn in_words(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            format!("{:?}", list.iter().filter_map(Value::as_f64).map(|n| n as f32).collect::<Vec<_>>())
        }
        other => other.to_string(),
    }
}

fn shortened(value: &Value) -> String {
    crate::base::path_text::escape(&value.to_string()).chars().take(60).collect()
}

#[cfg(test)]
mod tests;

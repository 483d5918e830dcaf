//! Stub.
#![allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod preprocessing;
use crate::base::{Fail, Fault};
use std::path::{Path, PathBuf};
/// a
#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    pub folder: PathBuf,
    pub weights: PathBuf,
    pub preprocessing: preprocessing::Preprocessing,
    pub features: Option<String>,
    pub digest: String,
    pub notes: Vec<String>,
}
/// a
#[derive(Debug)]
pub struct Refused {
    pub path: PathBuf,
    pub reason: String,
    pub fault: Fault,
}
/// a
#[derive(Debug)]
pub struct Zoo {
    pub path: PathBuf,
    pub models: Vec<Model>,
    pub refused: Vec<Refused>,
}
/// a
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Error;
impl Fail for Error {
    fn fault(&self) -> Fault {
        Fault::Input
    }
}
/// a
pub fn open(path: &Path) -> Result<Zoo, Error> {
    let mut models = vec![];
    for e in std::fs::read_dir(path).unwrap() {
        models.push(model(&e.unwrap().path())?);
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Zoo { path: path.to_owned(), models, refused: vec![] })
}
/// a
pub fn model(path: &Path) -> Result<Model, Error> {
    use preprocessing::*;
    let v: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path.join("preprocessor_config.json")).unwrap()).unwrap();
    let n = |v: &serde_json::Value| -> [f32; 3] { std::array::from_fn(|i| v[i].as_f64().unwrap() as f32) };
    let resize = if let Some(e) = v["size"]["shortest_edge"].as_u64() {
        Resize::ShortestEdge(e as u32)
    } else {
        Resize::Exact(Size {
            height: v["size"]["height"].as_u64().unwrap() as u32,
            width: v["size"]["width"].as_u64().unwrap() as u32,
        })
    };
    let crop = v["crop_size"]["height"]
        .as_u64()
        .filter(|_| v["do_center_crop"].as_bool().unwrap_or(false))
        .map(|h| Crop { size: Size { height: h as u32, width: h as u32 }, rounding: CropRounding::Down });
    let filter = match v["resample"].as_u64().unwrap() {
        0 => Filter::Nearest,
        1 => Filter::Lanczos,
        2 => Filter::Bilinear,
        _ => Filter::Bicubic,
    };
    let preprocessing = Preprocessing {
        resize,
        filter,
        crop,
        scale: 1.0 / 255.0,
        offset: 0.0,
        mean: n(&v["image_mean"]),
        std: n(&v["image_std"]),
        channel_order: ChannelOrder::Rgb,
        layout: Layout::Nchw,
    };
    let d = blake3::hash(&std::fs::read(path.join("onnx/model.onnx")).unwrap()).to_hex().to_string();
    Ok(Model {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        folder: path.to_owned(),
        weights: "onnx/model.onnx".into(),
        preprocessing,
        features: None,
        digest: d,
        notes: vec![],
    })
}
/// a
pub fn looks_like_model(path: &Path) -> bool {
    path.join("onnx").is_dir()
}
/// a
pub fn looks_like_zoo(_path: &Path) -> bool {
    false
}

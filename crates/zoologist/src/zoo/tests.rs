use super::preprocessing::Resize;
use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

const HF: &str = r#"{"image_processor_type": "ViTImageProcessor", "size": 32, "resample": 2,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#;
const TIMM: &str = r#"{"architecture": "resnet18", "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.95,
    "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;
/// What `printf weights | sha256sum` prints.
const WEIGHTS_DIGEST: &str = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";
/// What `printf damaged | sha256sum` prints.
const DAMAGED_DIGEST: &str = "41f0c27c00e8018f7715b5f50f67b5b54c229c1b843a014152785d9005f58fde";

/// No names of the hub: no cache and no network.
fn nowhere() -> Access<'static> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    Access { cache: None, remote: None, say: &|_| {}, stop: &NEVER }
}

fn open(path: &Path) -> Result<Zoo, Error> {
    super::open(path, &nowhere())
}

fn model(path: &Path) -> Result<Model, Error> {
    super::model(path, &nowhere())
}

/// How a model for pictures prepares them.
fn pictures(model: &Model) -> &Preprocessing {
    let ModelInput::Pictures(preprocessing) = &model.input else { panic!("{} takes texts", model.name) };
    preprocessing
}

fn verify(path: &Path) -> Result<Vec<Verified>, Error> {
    super::verify(path, &nowhere())
}

/// A folder with these files; a name that ends in `/` is a folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn addition(preset: &str) -> Addition<'static> {
    Addition { preset: Preset::named(preset).unwrap(), edge: None, features: None, force: false }
}

/// A message without the folder's own path.
fn without(folder: &TempDir, message: &str) -> String {
    message.replace(&*folder.path().to_string_lossy(), "DIR")
}

/// The names of what is refused, and why.
fn reasons<'a>(folder: &TempDir, zoo: &'a Zoo) -> Vec<(&'a str, String)> {
    let name = |path: &'a Path| path.file_name().unwrap().to_str().unwrap();
    zoo.refused.iter().map(|refused| (name(&refused.path), without(folder, &refused.reason))).collect()
}

#[test]
fn a_zoo_of_folders_and_bare_files_is_read_in_the_order_of_names() {
    let zoo = folder(&[
        ("b/onnx/model.onnx", "weights"),
        ("b/onnx/model_quantized.onnx", "other"),
        ("b/preprocessor_config.json", HF),
        ("c/model.onnx", "weights"),
        ("c/config.json", TIMM),
        ("a.onnx", "weights"),
        ("README.md", ""),
        (".hidden/model.onnx", ""),
        ("pictures/cat.png", ""),
    ]);
    add_file(&zoo.path().join("a.onnx"), &addition("unit")).unwrap();
    let found = open(zoo.path()).unwrap();
    assert_eq!(found.refused, []);
    let names: Vec<_> = found.models.iter().map(|model| (&*model.name, model.weights.to_str().unwrap())).collect();
    assert_eq!(names, [("a", "a.onnx"), ("b", "onnx/model.onnx"), ("c", "model.onnx")]);
    assert!(found.models.iter().all(|model| model.digest == WEIGHTS_DIGEST));
    assert_eq!(pictures(&found.models[2]).resize, Resize::ShortestEdge(235));
}

#[test]
fn one_model_is_a_zoo_of_one() {
    let zoo = folder(&[("b/net.onnx", "weights"), ("b/preprocessor_config.json", HF), ("a.onnx", "weights")]);
    add_file(&zoo.path().join("a.onnx"), &addition("imagenet")).unwrap();
    for (path, name) in [("b", "b"), ("a.onnx", "a")] {
        let found = open(&zoo.path().join(path)).unwrap();
        assert_eq!(found.models, [model(&zoo.path().join(path)).unwrap()]);
        assert_eq!(found.models[0].name, name);
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_the_remedy_and_the_rest_stays() {
    let several = "which file holds the model: a.onnx, b.onnx? Name one of them model.onnx";
    let pickle = "is a pickle, which is never loaded, because loading a pickle can run code. Export the model to ONNX \
        with tools/export.py; it reads safetensors, so save the weights in that form first, where you trust them";
    let presets = "imagenet|imagenet-bicubic|half|clip|unit|bytes|none";
    let zoo = folder(&[
        ("good/model.onnx", "weights"),
        ("good/preprocessor_config.json", HF),
        ("bare.onnx", "weights"),
        ("broken/model.onnx", "weights"),
        ("broken/preprocessor_config.json", "{"),
        ("empty/config.json", "{}"),
        ("keras/net.h5", ""),
        ("pickle.pt", ""),
        ("pickled/pytorch_model.bin", ""),
        ("silent/model.onnx", "weights"),
        ("several/a.onnx", ""),
        ("several/b.onnx", ""),
        ("tensors/model.safetensors", ""),
        ("tensors_of_timm/model.safetensors", ""),
        ("tensors_of_timm/config.json", &TIMM.replace("resnet18", "convnext_tiny")),
        ("text/onnx/model.onnx", "weights"),
        ("text/tokenizer.json", "{}"),
        ("pointer/model.onnx", "version https://git-lfs.github.com/spec/v1\n"),
        ("pointer/preprocessor_config.json", HF),
    ]);
    let expected = [
        (
            "bare.onnx",
            format!(
                "does not say how pictures are to be prepared. Run `zoologist zoo add DIR/bare.onnx \
            --preprocess {presets}`"
            ),
        ),
        (
            "broken",
            "preprocessor_config.json: is not valid JSON: EOF while parsing an object at line 1 column 1".into(),
        ),
        ("empty", "holds no weights: looked for onnx/model.onnx and model.onnx".into()),
        (
            "keras",
            "net.h5 holds weights of Keras or TensorFlow: this build runs ONNX. Convert them with tf2onnx".into(),
        ),
        ("pickle.pt", pickle.into()),
        ("pickled", format!("pytorch_model.bin {pickle}")),
        ("pointer", "model.onnx: is a placeholder of Git LFS, not the weights. Fetch them with `git lfs pull`".into()),
        ("several", several.into()),
        (
            "silent",
            format!(
                "does not say how pictures are to be prepared: add a preprocessor_config.json, or run \
            `zoologist zoo add DIR/silent/model.onnx --preprocess {presets}`"
            ),
        ),
        (
            "tensors",
            "only safetensors weights, of a family that is not read natively; export it to ONNX with `python tools/export.py \
            transformers DIR/tensors -o OUT`"
                .into(),
        ),
        (
            "tensors_of_timm",
            "only safetensors weights, of a family that is not read natively; export it to ONNX with `python tools/export.py \
            timm DIR/tensors_of_timm -o OUT`"
                .into(),
        ),
    ];
    let found = open(zoo.path()).unwrap();
    let names: Vec<&str> = found.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["good", "text"]);
    assert!(found.refused.iter().all(|refused| refused.fault == Fault::Input));
    assert_eq!(reasons(&zoo, &found), expected);
}

#[test]
fn nothing_that_looks_like_a_model_is_an_error() {
    let zoo = folder(&[("pictures/cat.png", "")]);
    let message = open(zoo.path()).unwrap_err().to_string();
    assert_eq!(
        without(&zoo, &message),
        "DIR: no model found here. Run `zoologist zoo add FILE.onnx --preprocess imagenet` for a bare ONNX file, or make \
         a model folder with tools/export.py."
    );
    let problem = open(&zoo.path().join("absent")).unwrap_err().problem.to_string();
    assert_eq!(problem, "there is no such file or folder. Check the spelling of the path");
}

#[test]
fn a_changed_file_is_refused_until_it_is_pinned_anew() {
    let zoo = folder(&[("a.onnx", "weights"), ("b/model.onnx", "weights"), ("b/preprocessor_config.json", HF)]);
    let (bare, in_folder) = (zoo.path().join("a.onnx"), zoo.path().join("b"));
    let outcomes = || verify(zoo.path()).unwrap().into_iter().map(|found| found.outcome).collect::<Vec<_>>();
    add_file(&bare, &addition("half")).unwrap();
    assert_eq!(outcomes(), [Verdict::Equal, Verdict::NoPin]);
    let sums = pin(&in_folder, false).unwrap();
    assert_eq!(fs::read_to_string(sums).unwrap(), format!("{WEIGHTS_DIGEST}  model.onnx\n"));
    assert_eq!(outcomes(), [Verdict::Equal, Verdict::Equal]);

    fs::write(&bare, "damaged").unwrap();
    fs::write(in_folder.join("model.onnx"), "damaged").unwrap();
    let differs = Verdict::Differs { expected: WEIGHTS_DIGEST.into(), found: DAMAGED_DIGEST.into() };
    assert_eq!(outcomes(), [differs.clone(), differs]);
    let found = open(zoo.path()).unwrap();
    let cases = [("a.onnx", "DIR/a.onnx --preprocess … --force"), ("model.onnx", "DIR/b --force")];
    for ((file, renewal), (_, reason)) in cases.into_iter().zip(reasons(&zoo, &found)) {
        let expected = format!(
            "sha256 of {file} is {DAMAGED_DIGEST}, pinned is {WEIGHTS_DIGEST}: the file was changed or is damaged. Fetch \
             it again, or, if the change is meant, run `zoologist zoo add {renewal}` to pin it anew"
        );
        assert_eq!(reason, expected);
    }

    assert_eq!(add_file(&bare, &addition("half")).unwrap_err().fault(), Fault::Usage);
    add_file(&bare, &Addition { force: true, ..addition("half") }).unwrap();
    pin(&in_folder, true).unwrap();
    assert_eq!(outcomes(), [Verdict::Equal, Verdict::Equal]);
}

#[test]
fn external_data_belongs_to_the_model_and_to_its_digest() {
    let zoo = folder(&[
        ("a/model.onnx", "weights"),
        ("a/model.onnx_data", "more"),
        ("a/model.data", "most"),
        ("a/model_fp16.onnx", "other"),
        ("a/model_fp16.onnx_data", "other"),
        ("a/preprocessor_config.json", HF),
    ]);
    let path = zoo.path().join("a");
    let before = model(&path).unwrap();
    assert_eq!(before.external, [Path::new("model.data"), Path::new("model.onnx_data")]);
    let sums = fs::read_to_string(pin(&path, false).unwrap()).unwrap();
    assert_eq!(before.digest, files::sha256_of_text(&sums));
    assert!(model(&path).unwrap().pinned);
    fs::write(path.join("model.data"), "changed").unwrap();
    assert!(model(&path).unwrap_err().to_string().contains("sha256 of model.data is "));
}

#[test]
fn only_regular_files_beneath_the_folder_are_opened() {
    let outside = folder(&[("model.onnx", "weights"), ("settings.json", HF)]);
    let zoo = folder(&[("link/preprocessor_config.json", HF), ("settings/model.onnx", "weights")]);
    symlink(outside.path().join("model.onnx"), zoo.path().join("link/model.onnx")).unwrap();
    symlink(outside.path().join("settings.json"), zoo.path().join("settings/preprocessor_config.json")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(zoo.path().join("pipe.onnx")).status().unwrap();
    assert!(made.success());
    let outside = "leads out of the model's folder. Copy the file into the folder: no other place is read";
    let expected = [
        ("link", format!("model.onnx: {outside}")),
        ("pipe.onnx", "is not a regular file".into()),
        ("settings", format!("preprocessor_config.json: {outside}")),
    ];
    assert_eq!(reasons(&zoo, &open(zoo.path()).unwrap()), expected);
}

#[test]
fn a_snapshot_of_the_cache_may_link_to_its_own_blobs_only() {
    let cache = folder(&[
        ("models--org--net/blobs/12ab", "weights"),
        ("models--org--net/snapshots/c0ffee/preprocessor_config.json", HF),
        ("models--org--other/blobs/34cd", "weights"),
    ]);
    let snapshot = cache.path().join("models--org--net/snapshots/c0ffee");
    symlink("../../blobs/12ab", snapshot.join("model.onnx")).unwrap();
    assert_eq!(model(&snapshot).unwrap().digest, WEIGHTS_DIGEST);
    fs::remove_file(snapshot.join("model.onnx")).unwrap();
    symlink("../../../models--org--other/blobs/34cd", snapshot.join("model.onnx")).unwrap();
    assert!(model(&snapshot).unwrap_err().to_string().contains("leads out of the model's folder"));
}

#[test]
fn the_store_that_a_cache_shares_may_be_linked_to_if_it_is_marked() {
    let cache = folder(&[
        ("blobs/12/12ab", "weights"),
        ("models--org--net/blobs/34cd", ""),
        ("models--org--net/snapshots/c0ffee/preprocessor_config.json", HF),
    ]);
    let repository = cache.path().join("models--org--net");
    fs::remove_file(repository.join("blobs/34cd")).unwrap();
    symlink("../../blobs/12/12ab", repository.join("blobs/34cd")).unwrap();
    let snapshot = repository.join("snapshots/c0ffee");
    symlink("../../blobs/34cd", snapshot.join("model.onnx")).unwrap();
    assert!(model(&snapshot).unwrap_err().to_string().contains("leads out of the model's folder"));
    fs::write(cache.path().join("blobs/.huggingface-shared-blobs"), "1").unwrap();
    assert_eq!(model(&snapshot).unwrap().digest, WEIGHTS_DIGEST);
}

#[test]
fn a_zoo_file_lists_names_and_pins_models() {
    let list = format!(
        "[[model]]\npath = 'b'\nname = 'first'\nsha256 = '{}'\n[[model]]\npath = 'b'\nname = 'second'\nsha256 = '{}'\n\
         [[model]]\npath = 'b'\nname = 'first'\n[[model]]\nhub = 'no/such-model'\n",
        WEIGHTS_DIGEST.to_uppercase(),
        "0".repeat(64)
    );
    let zoo = folder(&[("zoo.toml", &list), ("b/model.onnx", "weights"), ("b/preprocessor_config.json", HF)]);
    for path in [zoo.path().to_path_buf(), zoo.path().join("zoo.toml")] {
        let found = open(&path).unwrap();
        let [first] = &found.models[..] else { panic!("{found:?}") };
        assert!(first.name == "first" && first.pinned);
        let reasons: Vec<_> = found.refused.iter().map(|refused| without(&zoo, &refused.reason)).collect();
        assert!(reasons[0].ends_with("Fetch it again, or, if the change is meant, correct sha256 in zoo.toml"));
        assert_eq!(reasons[1], "has the same name, first, as DIR/b. Rename one of them");
        assert_eq!(reasons[2], "there is no place for the Hugging Face cache. Set HF_HUB_CACHE or HOME");
    }
}

#[test]
fn a_wrong_zoo_file_says_where() {
    let cases = [
        ("[[model]]\nname = 'x'\n", "model 1 needs either a path or a hub"),
        ("[[model]]\npath = 'x'\nhub = 'x'\n", "model 1 needs either a path or a hub"),
        ("[[model]]\npath = 'x'\ncolour = 'red'\n", "line 3: unknown field `colour`"),
        ("[[model]]\npath = 'x'\nsha256 = 'z'\n", "sha256 \"z\" is not 64 hexadecimal digits"),
        ("models = []\n", "line 1: unknown field `models`"),
        ("", "no model found here"),
    ];
    for (text, expected) in cases {
        let zoo = folder(&[("zoo.toml", text)]);
        let problem = open(zoo.path()).unwrap_err().problem.to_string();
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_folder_and_a_file_of_one_name_are_told_apart() {
    let zoo = folder(&[("a.onnx", "weights"), ("a/model.onnx", "weights"), ("a/preprocessor_config.json", HF)]);
    add_file(&zoo.path().join("a.onnx"), &addition("clip")).unwrap();
    let found = open(zoo.path()).unwrap();
    assert_eq!(found.models[0].weights, Path::new("model.onnx"));
    assert_eq!(without(&zoo, &found.refused[0].reason), "has the same name, a, as DIR/a. Rename one of them");
}

#[test]
fn the_sidecar_in_a_folder_overrides_what_cannot_be_repeated() {
    let padded = HF.replace("\"size\"", "\"do_pad\": true, \"size\"");
    let zoo = folder(&[("a/onnx/model.onnx", "weights"), ("a/preprocessor_config.json", &padded)]);
    let (path, weights) = (zoo.path().join("a"), zoo.path().join("a/onnx/model.onnx"));
    assert_eq!(
        without(&zoo, &model(&path).unwrap_err().to_string()),
        "DIR/a/preprocessor_config.json: do_pad is true: pictures would be prepared wrongly. Export the model with \
         tools/export.py, or write the steps as a sidecar with `zoologist zoo add FILE.onnx --preprocess …`."
    );
    let chosen = Addition { features: Some("pooled"), edge: Some(64), ..addition("half") };
    assert_eq!(add_file(&weights, &chosen).unwrap(), zoo.path().join("a/onnx/model.toml"));
    let found = model(&path).unwrap();
    assert_eq!(
        (pictures(&found).clone(), found.features.as_deref()),
        (chosen.preset.preprocessing(Some(64)), Some("pooled"))
    );
}

#[test]
fn config_json_may_name_the_features_and_the_logits() {
    let config = r#"{"zoologist": {"features": "pooled", "logits": "tuned_logits"}, "model_type": "swin"}"#;
    let bare = HF.replace(r#""image_processor_type": "ViTImageProcessor","#, "");
    let zoo = folder(&[("model.onnx", "weights"), ("config.json", config), ("preprocessor_config.json", &bare)]);
    let found = model(zoo.path()).unwrap();
    assert_eq!((found.features.as_deref(), found.head.as_deref()), (Some("pooled"), Some("tuned_logits")));
    assert!(matches!(pictures(&found).resize, Resize::Exact(_)));
}

#[test]
fn what_transformers_5_saves_for_pictures_and_text_together_is_read() {
    let both = format!(r#"{{"image_processor": {HF}, "processor_class": "CLIPProcessor"}}"#);
    let zoo = folder(&[("model.onnx", "weights"), ("processor_config.json", &both), ("tokenizer.json", "{}")]);
    assert!(matches!(pictures(&model(zoo.path()).unwrap()).resize, Resize::Exact(_)));
}

#[test]
fn a_size_that_makes_no_sense_is_refused_before_anything_is_written() {
    let zoo = folder(&[("a.onnx", "weights")]);
    let file = zoo.path().join("a.onnx");
    let cases =
        [("none", 64, "the preset none feeds pictures as they are. Drop --size"), ("unit", 0, "an edge of 0 pixels")];
    for (preset, edge, expected) in cases {
        let problem = add_file(&file, &Addition { edge: Some(edge), ..addition(preset) }).unwrap_err().problem;
        assert!(problem.to_string().starts_with(expected), "{problem}");
    }
    assert!(!zoo.path().join("a.toml").exists());
}

#[test]
fn settings_that_are_far_too_large_or_nested_are_refused() {
    let nested = "[".repeat(1_000_000);
    for (text, expected) in
        [(" ".repeat((4 << 20) + 1), "is larger than 4 MiB"), (nested, "is not valid JSON: recursion")]
    {
        let zoo = folder(&[("model.onnx", "weights"), ("preprocessor_config.json", &text)]);
        let problem = model(zoo.path()).unwrap_err().problem.to_string();
        assert!(problem.starts_with(expected), "{problem}");
    }
}

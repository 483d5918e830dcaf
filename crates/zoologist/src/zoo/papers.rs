//! What a model's folder says about the model beside how its inputs are prepared: names of its classes, licence,
//! published figures; and which files of weights there are.
//!
//! Nothing here is needed to run a model, so nothing here is an error: what can't be read is as good as absent.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::files::{self, Root};
use super::hub::{self, Access};
use super::settings::json;
use super::weights::Kind;
use super::{Error, Form, Model};

/// How files of PyTorch begin that are called `.bin`.
const PICKLED: [&str; 4] = ["pytorch_model", "adapter_model", "training_args", "optimizer"];
/// Folders within folders that are looked through, and files that are looked at.
const DEEPEST: usize = 3;
const MOST_FILES: usize = 10_000;
/// The most that is read of a card's head.
const LONGEST_HEAD: usize = 64 << 10;
/// The most classes that are named.
const MOST_CLASSES: usize = 100_000;
/// How the files of variants are called.
const VARIANTS: [(&str, &str); 6] =
    [("int8", "int8"), ("quantized", "int8"), ("uint8", "int8"), ("q8", "int8"), ("fp16", "f16"), ("float16", "f16")];

/// What a model's folder says about the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Papers {
    /// The folder.
    pub folder: PathBuf,
    /// Pickles in it, relative to it.
    pub pickles: Vec<PathBuf>,
    /// Whether there are weights that are no pickles.
    pub has_other_weights: bool,
    /// The names of the classes of its head, in order; empty if it names none.
    pub classes: Vec<String>,
    /// What its outputs are, as `problem_type` says it, for example `regression`.
    pub problem: Option<String>,
    /// Its licence, as it states it.
    pub license: Option<String>,
    /// Whether there is a card, `README.md`.
    pub has_card: bool,
    /// Figures that the card publishes.
    pub published: Vec<Published>,
    /// Whether `modules.json` puts a dense layer behind the pooling.
    pub has_dense: bool,
    /// The same network in other precisions.
    pub variants: Vec<Variant>,
}

/// A figure of a card.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The metric, for example `accuracy`.
    pub metric: String,
    /// Its value; a percentage is turned into a share.
    pub value: f64,
    /// The data set, as the card names it.
    pub dataset: String,
}

/// A file that holds the same network in another precision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The file, relative to the folder.
    pub file: PathBuf,
    /// The precision, in a word.
    pub precision: &'static str,
}

/// The papers of what stands at a path: a folder, a file, or a name of the hub.
pub fn papers(path: &Path, access: &Access) -> Result<Papers, Error> {
    let path = match hub::named(path) {
        Some(name) => hub::snapshot(access, &name).map_err(hub::nor_a_path)?,
        None => path.to_path_buf(),
    };
    std::fs::metadata(&path).map_err(Error::reading(&path))?;
    if path.is_dir() {
        return Ok(of_folder(&path));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = PathBuf::from(path.file_name().unwrap_or_default());
    let is_pickle = Kind::of(&path) == Kind::Pickle && is_pickle(&path);
    Ok(Papers {
        folder: folder.to_path_buf(),
        pickles: if is_pickle { vec![name] } else { vec![] },
        has_other_weights: !is_pickle,
        ..Papers::default()
    })
}

/// The same network in another precision, as a model of its own.
pub fn variant(model: &Model, variant: &Variant) -> Result<Model, Error> {
    let root = Root::new(&model.folder)?;
    let digest = root.sha256(&variant.file)?;
    Ok(Model { weights: variant.file.clone(), digest, form: Form::Onnx, pinned: false, ..model.clone() })
}

fn of_folder(folder: &Path) -> Papers {
    let mut papers = Papers { folder: folder.to_path_buf(), ..Papers::default() };
    let Ok(root) = Root::new(folder) else { return papers };
    let names = weight_files(&root);
    papers.has_other_weights =
        names.iter().any(|name| matches!(Kind::of(name), Kind::Onnx | Kind::Safetensors | Kind::Words | Kind::Array));
    let pickle = |name: &&PathBuf| Kind::of(name) == Kind::Pickle && is_pickle(&folder.join(name));
    papers.pickles = names.iter().filter(pickle).cloned().collect();
    papers.variants = names.iter().filter_map(|name| variant_named(name)).collect();
    if let Ok(Some(text)) = root.text(Path::new("config.json"))
        && let Ok(config) = json(&text)
    {
        papers.classes = classes(&config);
        let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
        (papers.problem, papers.license) = (text("problem_type"), text("license"));
    }
    if let Ok(Some(text)) = root.text(Path::new("modules.json")) {
        let modules: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
        let kind = |module: &Value| module.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        papers.has_dense = modules.iter().any(|module| kind(module).ends_with("Dense"));
    }
    if let Ok(Some(text)) = root.text(Path::new("README.md")) {
        papers.has_card = true;
        let head = head(&text);
        papers.license = papers.license.or_else(|| value_of(head, "license"));
        papers.published = published(head);
    }
    papers
}

/// Files of weights in the folder and in the folders within it, in the order of their names.
fn weight_files(root: &Root) -> Vec<PathBuf> {
    let (mut found, mut level) = (vec![], vec![PathBuf::new()]);
    for _ in 0..=DEEPEST {
        let inside = |folder: &PathBuf| {
            let names = root.names(folder).unwrap_or_default();
            names.into_iter().map(|name| folder.join(name)).collect::<Vec<_>>()
        };
        let all: Vec<PathBuf> = level.iter().flat_map(inside).take(MOST_FILES).collect();
        let is_folder =
            |name: &PathBuf| std::fs::symlink_metadata(root.folder().join(name)).is_ok_and(|found| found.is_dir());
        level = all.iter().filter(|name| is_folder(name)).cloned().collect();
        found.extend(all);
    }
    found.retain(|name| Kind::of(name) != Kind::Other && root.find(name).is_ok_and(|found| found.is_some()));
    found
}

/// Whether a file begins as a pickle or as an archive of PyTorch does; `.bin` may be anything.
fn is_pickle(path: &Path) -> bool {
    // Opening a pipe would wait for ever.
    if !std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if files::extension(path) != "bin" || PICKLED.iter().any(|start| name.starts_with(start)) {
        return true;
    }
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start[0] == 0x80 && start[1] <= 5 || start == *b"PK\x03\x04")
}

fn variant_named(name: &Path) -> Option<Variant> {
    let stem = name.file_stem()?.to_string_lossy().to_ascii_lowercase();
    let (_, precision) = VARIANTS.iter().find(|(part, _)| stem.split(['_', '-', '.']).any(|word| word == *part))?;
    (Kind::of(name) == Kind::Onnx).then(|| Variant { file: name.to_owned(), precision })
}

/// `id2label`, if it names the classes 0, 1, … without a gap.
fn classes(config: &Map<String, Value>) -> Vec<String> {
    let Some(names) = config.get("id2label").and_then(Value::as_object) else { return vec![] };
    if names.len() > MOST_CLASSES {
        return vec![];
    }
    let name = |id: usize| names.get(&id.to_string()).and_then(Value::as_str).map(str::to_owned);
    (0..names.len()).map(name).collect::<Option<_>>().unwrap_or_default()
}

/// The lines between the two lines of dashes at the beginning of a card.
fn head(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return "" };
    let end = rest.find("\n---").unwrap_or(0);
    rest.get(..end.min(LONGEST_HEAD)).unwrap_or_default()
}

/// The text after `key:` in the first line that begins so, whatever stands before it.
fn value_of(head: &str, key: &str) -> Option<String> {
    head.lines().find_map(|line| field(line, key))
}

fn field(line: &str, key: &str) -> Option<String> {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    let value = line.strip_prefix(key)?.trim_start().strip_prefix(':')?.trim();
    let value = value.trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// The figures of a `model-index`. Its lines are read one by one: a figure is a `type` or `name` of a metric with a
/// `value`, and belongs to the data set that was named last.
fn published(head: &str) -> Vec<Published> {
    let lines = head.lines().skip_while(|line| !line.starts_with("model-index"));
    let (mut found, mut dataset, mut metric, mut part) = (vec![], String::new(), String::new(), "");
    for line in lines.skip(1).take_while(|line| line.starts_with([' ', '-'])) {
        for name in ["task", "dataset", "metrics"] {
            if line.trim_start().trim_start_matches("- ").trim_end() == format!("{name}:") {
                part = name;
            }
        }
        let text = |key: &str| field(line, key);
        match part {
            "dataset" => dataset = text("name").or_else(|| text("type")).unwrap_or(dataset),
            "metrics" => {
                metric = text("type").map_or(metric, |metric| metric.to_ascii_lowercase());
                let value = text("value").and_then(|value| value.trim_end_matches('%').parse::<f64>().ok());
                let share = value.map(|value| if value > 1.0 { value / 100.0 } else { value });
                found.extend(share.map(|value| Published { metric: metric.clone(), value, dataset: dataset.clone() }));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "---\nlicense: mit\nmodel-index:\n- name: a\n  results:\n  - task:\n      type: image-classification\n    \
        dataset:\n      name: Flowers\n      type: imagefolder\n    metrics:\n    - type: accuracy\n      value: 93.5\n\
        \x20     name: Accuracy\n---\n# A card\n";

    #[test]
    fn licence_and_figures_are_read_from_the_head_of_a_card() {
        let head = head(CARD);
        assert_eq!(value_of(head, "license"), Some("mit".to_owned()));
        let figures = published(head);
        assert_eq!((figures.len(), figures[0].metric.as_str(), figures[0].value), (1, "accuracy", 0.935));
    }

    #[test]
    fn pickles_variants_and_classes_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        std::fs::create_dir(folder.path().join("onnx")).unwrap();
        put("onnx/model.onnx", b"x");
        put("onnx/model_int8.onnx", b"x");
        put("pytorch_model.bin", &[0x80, 2, b'.', 0]);
        put("other.bin", b"numbers");
        put("config.json", br#"{"id2label": {"1": "dog", "0": "cat"}}"#);
        let found = of_folder(folder.path());
        assert_eq!(found.pickles, [PathBuf::from("pytorch_model.bin")]);
        assert_eq!(found.classes, ["cat", "dog"]);
        assert_eq!(found.variants.len(), 1);
        assert!(found.has_other_weights);
    }
}

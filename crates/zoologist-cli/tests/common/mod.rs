//! A fixture: a folder with a data set, a zoo and a cache of its own, and the program run in it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

pub mod onnx;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

pub struct Fixture {
    folder: TempDir,
}

/// What a run printed and how it ended.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Fixture {
    /// A folder without anything.
    pub fn empty() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// Three classes of noisy coloured pictures, and a zoo of two networks.
    pub fn new() -> Self {
        let fixture = Self::empty();
        fixture.pictures("data", &[("blue", [40, 60, 200]), ("green", [50, 180, 60]), ("red", [190, 50, 40])], 20);
        fixture.network("zoo", "classifier");
        fixture.network("zoo", "other");
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder per class, with pictures whose colour varies about the class's.
    pub fn pictures(&self, name: &str, classes: &[(&str, [u8; 3])], count: u32) {
        for (place, (class, colour)) in classes.iter().enumerate() {
            let folder = self.path(name).join(class);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                let mut state = 1 + number * 977 + place as u32 * 131_071;
                let picture = RgbImage::from_fn(40, 36, |_, _| {
                    Rgb(colour.map(|value| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let noise = (state >> 24).cast_signed() - 128;
                        (i32::from(value) + noise * 3 / 4).clamp(0, 255) as u8
                    }))
                });
                picture.save(folder.join(format!("{number:03}.png"))).unwrap();
            }
        }
    }

    /// A model folder with one of the small networks of tests/data.
    pub fn network(&self, zoo: &str, name: &str) {
        self.network_as(zoo, name, name);
    }

    pub fn network_as(&self, zoo: &str, name: &str, folder: &str) {
        let folder = self.path(zoo).join(folder);
        fs::create_dir_all(folder.join("onnx")).unwrap();
        let source = data().join("models").join(format!("{name}.onnx"));
        fs::copy(&source, folder.join("onnx/model.onnx")).unwrap();
        let external = source.with_extension("onnx.data");
        if external.exists() {
            fs::copy(&external, folder.join("onnx").join(external.file_name().unwrap())).unwrap();
        }
        preprocessing(&folder, if name == "channels_last" { "NHWC" } else { "NCHW" });
    }

    /// A model folder with this network.
    pub fn network_of(&self, zoo: &str, name: &str, network: &[u8]) {
        let folder = self.path(zoo).join(name);
        fs::create_dir_all(folder.join("onnx")).unwrap();
        fs::write(folder.join("onnx/model.onnx"), network).unwrap();
        preprocessing(&folder, "NCHW");
    }

    /// Runs the program, and kills it and its workers after so many milliseconds.
    pub fn kill_after(&self, arguments: &[&str], milliseconds: u64) {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        let below = children(child.id());
        signal("KILL", &[vec![child.id()], below].concat());
        child.wait().unwrap();
    }

    /// The program with its arguments, in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zoologist"));
        command.current_dir(self.folder.path()).args(arguments);
        command
            .env("ZOOLOGIST_CACHE", self.path("cache"))
            .env("HF_HUB_CACHE", self.path("hub"))
            .env("HF_HUB_OFFLINE", "1")
            .env_remove("ZOOLOGIST_ONNXRUNTIME")
            .env_remove("ORT_DYLIB_PATH");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// `rank data --zoo zoo` with the built-in runtime, and more arguments.
    pub fn rank(&self, more: &[&str]) -> Run {
        self.run(&[&["rank", "data", "--zoo", "zoo", "--runtime", "rten"], more].concat())
    }
}

impl Run {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Nothing to look at but that it ended well.
    pub fn well(&self) {
        assert_eq!(self.code, 0, "{}", self.err);
    }

    /// The JSON document, after checking the exit code.
    pub fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The message of a failure, after checking that nothing else was printed.
    pub fn message(&self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        assert_eq!(self.out, "", "nothing goes to standard output");
        let start = self.err.find("zoologist: ").unwrap_or_else(|| panic!("no message: {}", self.err));
        let message = self.err[start..].trim_end().to_owned();
        assert!(message.lines().count() <= 5, "{message}");
        assert!(!message.contains("panicked"), "{message}");
        message
    }
}

/// How the small networks want their pictures.
fn preprocessing(folder: &Path, layout: &str) {
    let preprocessing = serde_json::json!({
        "do_resize": true, "size": {"height": 32, "width": 32}, "resample": 2, "do_center_crop": false,
        "do_rescale": true, "rescale_factor": 1.0 / 255.0, "do_normalize": true,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "channel_order": "RGB",
        "layout": layout,
    });
    fs::write(folder.join("preprocessor_config.json"), preprocessing.to_string()).unwrap();
}

pub fn data() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))
}

/// The children of a process, whichever of its threads started them, by `/proc`.
pub fn children(parent: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// Sends a signal to some processes; one that has ended meanwhile is gone.
pub fn signal(name: &str, processes: &[u32]) {
    for id in processes {
        let done = Command::new("kill").args([format!("-{name}"), id.to_string()]).stderr(Stdio::null()).status();
        assert!(done.unwrap().success() || !Path::new(&format!("/proc/{id}")).exists(), "{name} {id}");
    }
}

/// Waits until something holds, for a minute at most.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The document without every `timing`.
pub fn without_timing(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("timing");
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

/// The models of a ranking by name.
pub fn model<'a>(ranking: &'a Value, name: &str) -> &'a Value {
    let models = ranking["models"].as_array().unwrap();
    models.iter().find(|model| model["name"] == name).unwrap_or_else(|| panic!("no {name} in {ranking:#}"))
}

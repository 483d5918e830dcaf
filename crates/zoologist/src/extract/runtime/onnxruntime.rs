//! ONNX Runtime, used when its library is found: several times faster than `rten` on convolutional networks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ort::environment::Environment;
use ort::session::{Session as OrtSession, SessionInputValue};
use ort::value::{Tensor as OrtTensor, TensorElementType, TensorRef};

use super::{Input, NetworkBytes, Runtime, Session, Tensor, graph};
use crate::extract::onnx::ModelError;

/// The oldest version whose interface we use, as its middle number.
const OLDEST: u32 = 24;

/// ONNX Runtime, loaded from a shared library.
pub struct OnnxRuntime {
    environment: Environment,
    version: String,
}

struct OnnxSession {
    session: OrtSession,
    inputs: Vec<OnnxInput>,
    outputs: Vec<String>,
}

/// An input of the graph.
struct OnnxInput {
    name: String,
    /// Whether it takes integers of 32 bits.
    narrow: bool,
}

impl OnnxRuntime {
    /// Loads the library.
    pub fn load(library: &Path) -> Result<Self, ModelError> {
        let builder = ort::init_from(library).map_err(refusal)?;
        let environment = builder.with_name("zoologist").with_telemetry(false).build().map_err(refusal)?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        let branch =
            ort::info().split("git-branch=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("unknown");
        let version = version_in_name(library).unwrap_or_else(|| branch.trim_start_matches("rel-").to_owned());
        Ok(Self { environment, version })
    }
}

impl Runtime for OnnxRuntime {
    fn name(&self) -> String {
        format!("onnxruntime {}", self.version)
    }

    fn load(
        &self,
        network: &NetworkBytes,
        inputs: &[&str],
        outputs: &[&str],
        sessions: usize,
    ) -> Result<Vec<Box<dyn Session>>, ModelError> {
        let model = graph(network, "onnxruntime")?;
        let session = |_| {
            let mut builder = OrtSession::builder(&self.environment)
                .map_err(refusal)?
                .with_intra_threads(1)
                .map_err(refusal)?
                .with_inter_threads(1)
                .map_err(refusal)?;
            for (name, bytes) in &model.external {
                builder =
                    builder.with_external_initializer_file_in_memory(name, bytes.clone().into()).map_err(refusal)?;
            }
            let session = builder.commit_from_memory(&model.model).map_err(refusal)?;
            let narrow = |name: &str| {
                let found = session.inputs().iter().find(|input| input.name() == name);
                found.and_then(|input| input.dtype().tensor_type()) == Some(TensorElementType::Int32)
            };
            let inputs = inputs.iter().map(|&name| OnnxInput { name: name.to_owned(), narrow: narrow(name) }).collect();
            let outputs = outputs.iter().map(|&name| name.to_owned()).collect();
            Ok(Box::new(OnnxSession { session, inputs, outputs }) as Box<dyn Session>)
        };
        (0..sessions).map(session).collect()
    }
}

impl Session for OnnxSession {
    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, ModelError> {
        let values = self.inputs.iter().zip(inputs).map(|(named, input)| {
            let value = value(input, named.narrow)?;
            Ok((named.name.as_str(), value))
        });
        let found = self.session.run(values.collect::<Result<Vec<_>, ModelError>>()?).map_err(refusal)?;
        let tensor = |name: &String| {
            let value = found.get(name.as_str()).ok_or_else(|| refusal(format!("there is no output `{name}`")))?;
            let (shape, values) = value.try_extract_tensor::<f32>().map_err(refusal)?;
            Ok(Tensor { shape: shape.iter().map(|&length| length as usize).collect(), values: values.to_vec() })
        };
        self.outputs.iter().map(tensor).collect()
    }
}

fn value<'a>(input: &Input<'a>, narrow: bool) -> Result<SessionInputValue<'a>, ModelError> {
    Ok(match *input {
        Input::Floats(tensor) => {
            TensorRef::from_array_view((&tensor.shape[..], &tensor.values[..])).map_err(refusal)?.into()
        }
        Input::Integers { shape, values } if narrow => {
            let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
            OrtTensor::from_array((shape, values)).map_err(refusal)?.into()
        }
        Input::Integers { shape, values } => TensorRef::from_array_view((shape, values)).map_err(refusal)?.into(),
    })
}

fn refusal(error: impl std::fmt::Display) -> ModelError {
    ModelError::Runtime { runtime: "onnxruntime", reason: error.to_string() }
}

/// Looks for the library: where `ZOOLOGIST_ONNXRUNTIME` or `ORT_DYLIB_PATH` point to, else in the package
/// `onnxruntime` of the Python environment that is active. Versions below 1.24 are passed over.
pub fn find_library() -> Option<PathBuf> {
    let named = ["ZOOLOGIST_ONNXRUNTIME", "ORT_DYLIB_PATH"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let mut named = named.filter(|path| !path.as_os_str().is_empty()).peekable();
    if named.peek().is_some() {
        return named.find(|path| path.is_file());
    }
    library_in(&active_site_packages()?.join("onnxruntime/capi"))
}

/// The folder of packages of the Python that the user's shell would run.
fn active_site_packages() -> Option<PathBuf> {
    let program = "import sysconfig; print(sysconfig.get_path('platlib'))";
    let output =
        Command::new("python3").args(["-I", "-c", program]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| PathBuf::from(text.trim()))
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_library(path)).collect();
    found.sort();
    found.pop()
}

fn is_library(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mac = path.extension().is_some_and(|extension| extension == "dylib");
    let known = name.starts_with("libonnxruntime.so")
        || name.starts_with("libonnxruntime.") && mac
        || name == "onnxruntime.dll";
    let middle = version_in_name(path).and_then(|version| version.split('.').nth(1)?.parse::<u32>().ok());
    known && path.is_file() && middle.is_none_or(|middle| middle >= OLDEST)
}

/// The version in `libonnxruntime.so.1.32.0` or `libonnxruntime.1.32.0.dylib`.
fn version_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let numbers: Vec<&str> = name.split('.').filter(|part| part.parse::<u32>().is_ok()).collect();
    (numbers.len() == 3).then(|| numbers.join("."))
}

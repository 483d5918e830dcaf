//! What the commands work with: threads, the store, the runtime, worker processes.

use std::num::NonZero;
use std::sync::Arc;

use zoologist::extract::launch::{Launcher, Machinery};
use zoologist::extract::runtime::find_library;
use zoologist::extract::{OnnxRunner, RuntimeChoice};
use zoologist::store::Store;
use zoologist::zoo::Access;

use crate::end::{Failure, Result};
use crate::interrupt::{self, STOP};
use crate::limits::LimitOptions;
use crate::options::{Global, RuntimeName};

/// Everything that features are computed with.
pub fn machinery(global: &Global, runtime: RuntimeName, limits: &LimitOptions, store: Store) -> Result<Machinery> {
    let program = std::env::current_exe().map_err(Failure::internal)?;
    interrupt::listen();
    Ok(Machinery {
        store,
        launcher: Launcher { program, stop: &STOP, limits: limits.limits() },
        runtime: Arc::new(choose(runtime)?),
        threads: threads(global),
        jobs: 1,
    })
}

/// How names of the hub are resolved; `say` tells the user what is being fetched.
pub fn access<'a>(global: &Global, say: &'a (dyn Fn(&str) + Sync)) -> Access<'a> {
    Access::from_environment(global.offline, say, &STOP)
}

/// Threads to use: as asked, else `RAYON_NUM_THREADS`, else all cores.
pub fn threads(global: &Global) -> usize {
    let asked = global.threads.map(usize::from);
    let variable = || std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok().filter(|&count: &usize| count > 0);
    asked.or_else(variable).unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

/// Lets the scores use as many threads as the user allows.
pub fn limit_threads(global: &Global) -> Result<()> {
    rayon::ThreadPoolBuilder::new().num_threads(threads(global)).build_global().map_err(Failure::internal)
}

fn choose(runtime: RuntimeName) -> Result<OnnxRunner> {
    let found = || find_library().map(RuntimeChoice::OnnxRuntime);
    Ok(match runtime {
        RuntimeName::Rten => decided(RuntimeChoice::Rten),
        RuntimeName::Auto => OnnxRunner::new(Box::new(move || found().unwrap_or(RuntimeChoice::Rten))),
        RuntimeName::Onnxruntime => decided(found().ok_or_else(|| {
            Failure::usage(
                "no ONNX Runtime 1.24 or newer was found. `pip install onnxruntime` in the active Python environment, \
                 or set ZOOLOGIST_ONNXRUNTIME to its library",
            )
        })?),
    })
}

fn decided(choice: RuntimeChoice) -> OnnxRunner {
    OnnxRunner::new(Box::new(|| choice))
}

//! What this build is and what it found, for `poolnd.show_config()`.

use poolnd::Level;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{kept, threads};

/// Version, target, instruction sets and threads of this build on this machine.
#[pyfunction]
pub(crate) fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    let found: Vec<_> = Level::available().into_iter().map(Level::name).collect();
    let (threads, threads_from) = threads::count_and_origin();
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("instruction_sets", found)?;
    info.set_item("instruction_set", Level::best().name())?;
    info.set_item("threads", threads)?;
    info.set_item("threads_from", threads_from)?;
    info.set_item("kept_mib", kept::mib())?;
    info.set_item("cores", std::thread::available_parallelism().map_or(1, usize::from))?;
    info.set_item("target", target())?;
    info.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    Ok(info)
}

/// Architecture, system and C library, as in `x86_64-linux-gnu`.
fn target() -> String {
    let libc = match () {
        () if cfg!(target_env = "gnu") => "-gnu",
        () if cfg!(target_env = "musl") => "-musl",
        () if cfg!(target_env = "msvc") => "-msvc",
        () => "",
    };
    format!("{}-{}{libc}", std::env::consts::ARCH, std::env::consts::OS)
}

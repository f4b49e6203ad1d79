//! `poolnd._core`: the Python door of the `poolnd` crate.
//!
//! A call goes: [`args`] reads sizes, [`array`] borrows the input and makes the output,
//! [`dtype`] turns the array's dtype into a type, and a function of the core does the work without
//! holding the interpreter. [`torch`] holds the rules that are PyTorch's and not pooling's.

#![deny(unsafe_code)]

use pyo3::prelude::*;

mod args;
#[allow(unsafe_code)]
mod array;
mod config;
mod dtype;
mod error;
mod grad;
#[allow(unsafe_code)]
#[cfg_attr(not(target_os = "linux"), path = "kept_elsewhere.rs")]
mod kept;
mod pool;
mod run;
#[allow(unsafe_code)]
mod threads;
mod torch;

/// Pooling operators on NumPy arrays; the public names are in `poolnd.nn`.
///
/// Nothing in it relies on the global interpreter lock: all state is in atomics, locks and cells that
/// are written once.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    threads::read_environment(module.py())?;
    kept::read_environment(module.py())?;
    module.add("PoolError", error::pool_error_type(module.py())?)?;
    module.add_function(wrap_pyfunction!(pool::max_pool, module)?)?;
    module.add_function(wrap_pyfunction!(pool::avg_pool, module)?)?;
    module.add_function(wrap_pyfunction!(pool::adaptive_max_pool, module)?)?;
    module.add_function(wrap_pyfunction!(pool::adaptive_avg_pool, module)?)?;
    module.add_function(wrap_pyfunction!(pool::lp_pool, module)?)?;
    module.add_function(wrap_pyfunction!(grad::fractional_max_pool, module)?)?;
    module.add_function(wrap_pyfunction!(grad::max_unpool, module)?)?;
    module.add_function(wrap_pyfunction!(grad::max_unpool_backward, module)?)?;
    module.add_function(wrap_pyfunction!(grad::max_backward, module)?)?;
    module.add_function(wrap_pyfunction!(grad::avg_backward, module)?)?;
    module.add_function(wrap_pyfunction!(grad::adaptive_avg_backward, module)?)?;
    module.add_function(wrap_pyfunction!(threads::set_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(threads::get_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(config::build_info, module)?)?;
    Ok(())
}

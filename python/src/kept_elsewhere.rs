//! The memory of large results where no system call marks pages as free to take: NumPy's.

use pyo3::prelude::*;

pub(crate) fn read_environment(_py: Python<'_>) -> PyResult<()> {
    Ok(())
}

pub(crate) fn mib() -> usize {
    0
}

pub(crate) fn has(_size: usize) -> bool {
    false
}

pub(crate) fn with_kept<T>(_py: Python<'_>, make: impl FnOnce() -> T) -> T {
    make()
}

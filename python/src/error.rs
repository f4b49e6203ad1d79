//! Errors on their way to Python.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

/// `poolnd.PoolError`, a ValueError and a RuntimeError: code written for either catches it.
pub(crate) fn pool_error_type(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let create = || -> PyResult<Py<PyType>> {
        let bases = (py.get_type::<PyValueError>(), py.get_type::<PyRuntimeError>());
        let names = PyDict::new(py);
        names.set_item("__module__", "poolnd")?;
        names.set_item(
            "__doc__",
            "A refused call: the message names the argument, its value and the rule.",
        )?;
        let class = py.get_type::<PyType>().call1(("PoolError", bases, names))?;
        Ok(class.cast_into::<PyType>()?.unbind())
    };
    Ok(TYPE.get_or_try_init(py, create)?.bind(py).clone())
}

/// A `PoolError` whose message starts with the operator's name.
pub(crate) fn refuse(py: Python<'_>, op: &str, rule: impl std::fmt::Display) -> PyErr {
    match pool_error_type(py) {
        Ok(class) => PyErr::from_type(class, format!("{op}: {rule}")),
        Err(error) => error,
    }
}

//! The threads of the Python package.
//!
//! How many threads large calls use is state of the process, and so is what `kept.rs` keeps.

use std::ffi::CString;
use std::ops::RangeInclusive;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use poolnd::{Execution, Team};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;

use crate::args::Op;

/// The most threads that may be asked for.
const MOST_THREADS: usize = 1024;

/// The number of threads that was asked for; 0 if none was, and it is still to be counted.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// Where that number comes from: a place in [`ORIGINS`].
static ORIGIN: AtomicU8 = AtomicU8::new(0);

/// In the words of `show_config`.
const ORIGINS: [&str; 3] = ["one per core", "POOLND_NUM_THREADS", "set_num_threads"];

/// The team of the process that last needed one.
static OWNER: AtomicPtr<Owner> = AtomicPtr::new(ptr::null_mut());

/// A process and its team. Threads do not survive a fork, and a lock that some thread held then is
/// never released in the child: so a child leaves all of this to its parent and makes its own.
struct Owner {
    process: u32,
    team: Mutex<Option<Arc<Team>>>,
}

/// Runs `work` with the package's threads.
pub(crate) fn with_execution<R>(work: impl FnOnce(&Execution<'_>) -> R) -> R {
    match team() {
        Some(team) => work(&Execution::with(&team)),
        None => work(&Execution::single_threaded()),
    }
}

/// The team of this process, started when first needed; None for one thread.
fn team() -> Option<Arc<Team>> {
    let wanted = number_of_threads();
    if wanted < 2 {
        return None;
    }
    let mut team = owner().team.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(team) = team.as_ref().filter(|team| team.threads() == wanted) {
        return Some(Arc::clone(team));
    }
    // A call that is still helped by another team keeps that alive until it is done. One that the
    // system refused threads is kept by its call alone: the next one may get them.
    let started = Arc::new(Team::new(wanted));
    *team = (started.threads() == wanted).then(|| Arc::clone(&started));
    Some(started)
}

/// What belongs to this process.
fn owner() -> &'static Owner {
    let process = std::process::id();
    let mut known = OWNER.load(Ordering::Acquire);
    loop {
        // SAFETY: null, or made by `Box::leak` below and never freed.
        if let Some(owner) = unsafe { known.as_ref() }.filter(|owner| owner.process == process) {
            return owner;
        }
        let own = Box::leak(Box::new(Owner { process, team: Mutex::new(None) }));
        match OWNER.compare_exchange(known, own, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return own,
            // Another thread was first; what is lost is a few bytes, once.
            Err(other) => known = other,
        }
    }
}

/// The number set, or that of `POOLND_NUM_THREADS`, or one per core.
fn number_of_threads() -> usize {
    match WANTED.load(Ordering::Relaxed) {
        0 => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let counted = WANTED.compare_exchange(0, cores, Ordering::Relaxed, Ordering::Relaxed);
            // Another thread may have set a number meanwhile.
            counted.map_or_else(|set| set, |_| cores)
        }
        wanted => wanted,
    }
}

/// Reads `POOLND_NUM_THREADS`; what is no number of threads is named in a warning and left aside.
pub(crate) fn read_environment(py: Python<'_>) -> PyResult<()> {
    let otherwise = || "one thread per core is used".to_owned();
    let number = number_in_environment(py, "POOLND_NUM_THREADS", 1..=MOST_THREADS, otherwise)?;
    if let Some(number) = number {
        WANTED.store(number, Ordering::Relaxed);
        ORIGIN.store(1, Ordering::Relaxed);
    }
    Ok(())
}

/// The number that the variable `name` holds, if it is set and not empty. Of one that is not in the
/// `range`, a warning says that it is not, and what happens `otherwise`.
pub(crate) fn number_in_environment(
    py: Python<'_>,
    name: &str,
    range: RangeInclusive<usize>,
    otherwise: impl FnOnce() -> String,
) -> PyResult<Option<usize>> {
    let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let number = value.to_str().and_then(|value| value.trim().parse().ok());
    if let Some(number) = number.filter(|number| range.contains(number)) {
        return Ok(Some(number));
    }
    let (least, most, otherwise) = (range.start(), range.end(), otherwise());
    let message = CString::new(format!(
        "{name} must be an integer from {least} to {most}, but is {value:?}: {otherwise}"
    ))?;
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &message, 1)?;
    Ok(None)
}

/// Sets how many threads large calls use; results do not depend on it.
#[pyfunction]
pub(crate) fn set_num_threads(n: &Bound<'_, PyAny>) -> PyResult<()> {
    let (py, op) = (n.py(), Op { name: "set_num_threads", ndim: 1 });
    let n = op.integer("n", n, "int")?;
    let wanted = usize::try_from(n).ok().filter(|wanted| (1..=MOST_THREADS).contains(wanted));
    let Some(wanted) = wanted else {
        let rule = format_args!("n must be from 1 to {MOST_THREADS}, but got n={n}");
        return Err(op.refuse(py, rule));
    };
    ORIGIN.store(2, Ordering::Relaxed);
    if WANTED.swap(wanted, Ordering::Relaxed) != wanted {
        // The threads of another number end now, not with the next large call.
        drop(owner().team.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
    Ok(())
}

/// How many threads large calls use.
#[pyfunction]
pub(crate) fn get_num_threads() -> usize {
    number_of_threads()
}

/// That number, and where it comes from.
pub(crate) fn count_and_origin() -> (usize, &'static str) {
    (number_of_threads(), ORIGINS[usize::from(ORIGIN.load(Ordering::Relaxed))])
}

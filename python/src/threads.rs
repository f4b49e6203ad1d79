//! The thread pool of the Python package, and what the build is.

use std::sync::{Arc, Mutex, PoisonError};

use poolnd::{Execution, Level};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::args::Op;

/// Calls that move fewer bytes than this stay on their thread and never look at the pool.
const SMALL_CALL_BYTES: usize = 512 << 10;

struct Threads {
    wanted: usize,
    /// The pool and the process that it was started in: threads do not survive a fork.
    pool: Option<(u32, Arc<ThreadPool>)>,
}

static THREADS: Mutex<Threads> = Mutex::new(Threads { wanted: 0, pool: None });

/// Runs `work` with the package's threads if it moves enough bytes, else on this thread.
pub(crate) fn with_execution<R>(bytes: usize, work: impl FnOnce(&Execution<'_>) -> R) -> R {
    if bytes < SMALL_CALL_BYTES {
        return work(&Execution::single_threaded());
    }
    match pool() {
        Some(pool) => work(&Execution::on(&pool)),
        None => work(&Execution::single_threaded()),
    }
}

/// The pool, started when first needed; None for one thread, or if none can be started.
fn pool() -> Option<Arc<ThreadPool>> {
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, pool)) = &threads.pool {
        if *owner == process {
            return Some(Arc::clone(pool));
        }
        // A forked child: the pool's threads stayed with the parent, waiting for them would hang.
        std::mem::forget(threads.pool.take());
    }
    let wanted = threads.count();
    if wanted < 2 {
        return None;
    }
    let named = |index| format!("poolnd-{index}");
    let pool = ThreadPoolBuilder::new().num_threads(wanted).thread_name(named).build().ok()?;
    let pool = Arc::new(pool);
    threads.pool = Some((process, Arc::clone(&pool)));
    Some(pool)
}

impl Threads {
    /// The number set, or that of `POOLND_NUM_THREADS`, or one per core.
    fn count(&mut self) -> usize {
        if self.wanted == 0 {
            let asked =
                std::env::var("POOLND_NUM_THREADS").ok().and_then(|n| n.trim().parse().ok());
            let cores = || std::thread::available_parallelism().map_or(1, usize::from);
            self.wanted = asked.filter(|&n| n > 0).unwrap_or_else(cores);
        }
        self.wanted
    }
}

/// Sets how many threads large calls use; results do not depend on it.
#[pyfunction]
pub(crate) fn set_num_threads(n: &Bound<'_, PyAny>) -> PyResult<()> {
    const MOST: i64 = 1024;
    let (py, op) = (n.py(), Op { name: "set_num_threads", ndim: 1 });
    let n = op.integer("n", n, "int")?;
    if !(1..=MOST).contains(&n) {
        let rule = format_args!("n must be from 1 to {MOST}, but got n={n}");
        return Err(op.refuse(py, rule));
    }
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    if threads.wanted != n as usize {
        threads.wanted = n as usize;
        if let Some((owner, pool)) = threads.pool.take()
            && owner != std::process::id()
        {
            std::mem::forget(pool);
        }
    }
    Ok(())
}

/// How many threads large calls use.
#[pyfunction]
pub(crate) fn get_num_threads() -> usize {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner).count()
}

/// Version, target and instruction sets of this build, for `poolnd.show_config()`.
#[pyfunction]
pub(crate) fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    let found: Vec<_> = Level::available().into_iter().map(Level::name).collect();
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("instruction_sets", found)?;
    info.set_item("instruction_set", Level::best().name())?;
    info.set_item("threads", get_num_threads())?;
    info.set_item("target", format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))?;
    info.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    Ok(info)
}

//! How work is split over threads, and when it is not.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::simd::last_level_cache;
#[cfg(feature = "rayon")]
use crate::team::share;
use crate::{Level, Team};

/// Tasks per thread: enough to even out what each costs, few enough to hide their set-up.
const TASKS_PER_THREAD: usize = 4;

/// Where and how a call runs: the instruction set and the threads.
///
/// The default is the best instruction set and, with the `rayon` feature, the current rayon
/// pool. Results have the same bits whatever is chosen here.
///
/// ```
/// use poolnd::{Execution, Level};
///
/// let here = Execution::single_threaded();
/// // The same without instructions that only some processors have.
/// let plain = here.level(Level::Baseline);
/// # let _ = plain;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Execution<'p> {
    level: Level,
    threads: Threads<'p>,
    /// Bytes of a call from which on its results are streamed.
    streamed_from: usize,
}

#[derive(Debug, Clone, Copy)]
enum Threads<'p> {
    One,
    Team(&'p Team),
    #[cfg(feature = "rayon")]
    Current,
    #[cfg(feature = "rayon")]
    Pool(&'p rayon::ThreadPool),
}

impl Default for Execution<'_> {
    fn default() -> Self {
        #[cfg(feature = "rayon")]
        let threads = Threads::Current;
        #[cfg(not(feature = "rayon"))]
        let threads = Threads::One;
        Self { level: Level::best(), threads, streamed_from: streamed_from() }
    }
}

impl<'p> Execution<'p> {
    /// A call that moves fewer bytes of input and output than this, and has no more to do than that
    /// takes, stays on its thread: to wake another one would cost more than the work.
    pub const MIN_PARALLEL_BYTES: usize = 256 << 10;

    /// Everything on the calling thread.
    #[must_use]
    pub fn single_threaded() -> Self {
        Self { threads: Threads::One, ..Self::default() }
    }

    /// The calling thread and the helpers of `team`.
    #[must_use]
    pub fn with(team: &'p Team) -> Self {
        Self { threads: Threads::Team(team), ..Self::default() }
    }

    /// The calling thread and the threads of `pool`, less one.
    #[cfg(feature = "rayon")]
    #[must_use]
    pub fn on(pool: &'p rayon::ThreadPool) -> Self {
        Self { threads: Threads::Pool(pool), ..Self::default() }
    }

    /// The same threads with another instruction set, if this processor has it.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        let level = if level.is_supported() { level } else { self.level };
        Self { level, ..self }
    }

    /// The same, but results of calls that move at least `bytes` bytes of input and output are written
    /// past the caches. Without this it is three quarters of the last-level cache: what is larger
    /// would not be found there by whoever reads it next, and a cache would first read what is
    /// overwritten. `usize::MAX` is for results that are read at once, in the order they are written.
    #[must_use]
    pub fn streamed_from(self, bytes: usize) -> Self {
        Self { streamed_from: bytes, ..self }
    }

    /// Whether results of a call that moves `bytes` bytes are to be streamed.
    pub(crate) fn streams(&self, bytes: usize) -> bool {
        bytes >= self.streamed_from
    }

    /// The same instruction set on the calling thread alone.
    pub(crate) fn one_thread(&self) -> Self {
        Self { threads: Threads::One, ..*self }
    }

    /// The instruction set that kernels are to use.
    pub(crate) fn chosen_level(&self) -> Level {
        self.level
    }

    fn threads(&self) -> usize {
        match self.threads {
            Threads::One => 1,
            Threads::Team(team) => team.threads(),
            #[cfg(feature = "rayon")]
            Threads::Current => rayon::current_num_threads(),
            #[cfg(feature = "rayon")]
            Threads::Pool(pool) => pool.current_num_threads(),
        }
    }

    /// How many threads share work that takes as long as to move `bytes` bytes.
    pub(crate) fn threads_for(&self, bytes: usize) -> usize {
        if bytes >= Self::MIN_PARALLEL_BYTES { self.threads() } else { 1 }
    }

    /// How many tasks to cut work into that takes as long as to move `bytes` bytes; 1 when it should
    /// stay on its thread.
    pub(crate) fn tasks(&self, bytes: usize) -> usize {
        match self.threads_for(bytes) {
            1 => 1,
            threads => threads * TASKS_PER_THREAD,
        }
    }

    /// Calls `task` for every number below `tasks`, on the calling thread and its helpers.
    pub(crate) fn run(&self, tasks: usize, task: impl Fn(usize) + Sync) {
        let threads = self.threads().min(tasks);
        if threads < 2 {
            return (0..tasks).for_each(task);
        }
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= tasks {
                    break;
                }
                task(index);
            }
        };
        match self.threads {
            Threads::One => work(),
            Threads::Team(team) => team.share(&work),
            #[cfg(feature = "rayon")]
            Threads::Current | Threads::Pool(_) => share(&work, |shift| {
                for shift in std::iter::repeat_n(shift, threads - 1) {
                    match self.threads {
                        Threads::Pool(pool) => pool.spawn(move || shift.help()),
                        _ => rayon::spawn(move || shift.help()),
                    }
                }
            }),
        }
    }
}

/// Three quarters of the last-level cache, if that is known. Looked up once.
fn streamed_from() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| last_level_cache().map_or(usize::MAX, |bytes| bytes / 4 * 3))
}

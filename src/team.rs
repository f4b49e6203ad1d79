//! Threads that help a call.
//!
//! A call never waits for a helper that has not begun: whoever comes too late finds the work closed.
//! It waits awake for those that have, for they are at their last task; and helpers stay awake for a
//! while after a call. To be woken takes a thread longer than many calls take.

use std::any::Any;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a helper looks out for the next call before it goes to sleep.
const AWAKE: Duration = Duration::from_micros(200);

/// Looks at something that another thread will change, between two looks at the clock or after which
/// others may have the core.
const LOOKS: usize = 64;

/// Threads of their own for large calls: [`Execution::with`](crate::Execution::with).
///
/// They look out for the next call for 200 microseconds before they sleep, so that calls which
/// follow one another need not wake them. They end when this is dropped.
///
/// ```
/// use poolnd::{Execution, Team};
///
/// let team = Team::new(4);
/// let execution = Execution::with(&team);
/// # let _ = execution;
/// ```
#[derive(Debug)]
pub struct Team {
    board: Arc<Board>,
    helpers: usize,
}

/// Where work is posted for helpers.
#[derive(Debug, Default)]
struct Board {
    /// How often something was posted.
    posts: AtomicUsize,
    last: Mutex<Post>,
    posted: Condvar,
}

#[derive(Debug, Default)]
struct Post {
    /// None before the first, and when there will be none any more.
    shift: Option<Arc<Shift>>,
    sleeping: usize,
}

impl Team {
    /// As many helpers as with the calling thread are `threads`, or as many of them as the system
    /// starts.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let board = Arc::new(Board::default());
        let start = |index: &usize| {
            let (board, (begun, begins)) = (Arc::clone(&board), channel());
            let thread = std::thread::Builder::new().name(format!("poolnd-{index}"));
            let help = move || {
                // Nobody listens only if that thread ended, and then there is no work.
                let _ = begun.send(());
                board.help();
            };
            // The next one takes memory only when this one has all of its own.
            has_room() && thread.spawn(help).is_ok() && begins.recv().is_ok()
        };
        let helpers = (1..threads).take_while(start).count();
        Self { board, helpers }
    }

    /// The helpers and the calling thread.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.helpers + 1
    }

    /// Runs `work` on the calling thread while the helpers do the same.
    pub(crate) fn share(&self, work: &(dyn Fn() + Sync)) {
        share(work, |shift| self.board.post(Some(shift)));
    }
}

/// Whether there is memory for a thread: its stack, and more. A C library may end the process if what a
/// thread keeps for itself cannot be had once it runs.
fn has_room() -> bool {
    const BYTES: usize = 4 << 20;
    let mut room = Vec::<u8>::new();
    let is_there = room.try_reserve_exact(BYTES).is_ok();
    // Memory that nothing is done with might not be asked for.
    black_box(&room);
    is_there
}

impl Drop for Team {
    fn drop(&mut self) {
        self.board.post(None);
    }
}

impl Board {
    fn last(&self) -> MutexGuard<'_, Post> {
        // Nothing that holds it can panic.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts work, or that there will be none any more.
    fn post(&self, shift: Option<Arc<Shift>>) {
        let mut last = self.last();
        last.shift = shift;
        self.posts.fetch_add(1, Ordering::Release);
        if last.sleeping > 0 {
            self.posted.notify_all();
        }
    }

    /// What a helper does.
    fn help(&self) {
        let mut seen = 0;
        loop {
            self.look_out(seen);
            let mut last = self.last();
            while self.posts.load(Ordering::Acquire) == seen {
                last.sleeping += 1;
                last = self.posted.wait(last).unwrap_or_else(PoisonError::into_inner);
                last.sleeping -= 1;
            }
            seen = self.posts.load(Ordering::Acquire);
            let shift = last.shift.clone();
            drop(last);
            match shift {
                Some(shift) => shift.help(),
                None => return,
            }
        }
    }

    /// Waits awake, but not for long, for more than `seen` posts.
    fn look_out(&self, seen: usize) {
        let end = Instant::now() + AWAKE;
        loop {
            for _ in 0..LOOKS {
                if self.posts.load(Ordering::Acquire) != seen {
                    return;
                }
                std::hint::spin_loop();
            }
            if Instant::now() >= end {
                return;
            }
        }
    }
}

/// The work of one call, for as long as that lasts.
#[derive(Debug)]
pub(crate) struct Shift {
    /// Valid while [`Self::inside`] has no [`CLOSED`].
    work: *const (dyn Fn() + Sync),
    /// The helpers at work.
    inside: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Set in [`Shift::inside`] when nobody may begin any more.
const CLOSED: usize = 1 << (usize::BITS - 1);

// SAFETY: the work may be called from all threads at once; how long, `help` and `close` agree on.
#[allow(unsafe_code)]
unsafe impl Send for Shift {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Shift {}

impl Shift {
    /// Does the work, unless the call is over.
    pub(crate) fn help(&self) {
        let enter = |inside| (inside & CLOSED == 0).then_some(inside + 1);
        if self.inside.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_err() {
            return;
        }
        let work = || {
            // SAFETY: the call waits for all who are inside before the work goes out of scope.
            #[allow(unsafe_code)]
            let work = unsafe { &*self.work };
            work();
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        self.inside.fetch_sub(1, Ordering::Release);
    }

    /// Lets nobody begin any more, and waits for those that have.
    fn close(&self) {
        self.inside.fetch_or(CLOSED, Ordering::Relaxed);
        let mut looks = 0usize;
        while self.inside.load(Ordering::Acquire) != CLOSED {
            looks += 1;
            match looks.is_multiple_of(LOOKS * LOOKS) {
                true => std::thread::yield_now(),
                false => std::hint::spin_loop(),
            }
        }
    }
}

/// Runs `work` on this thread, while all do that `call` hands the shift to.
pub(crate) fn share(work: &(dyn Fn() + Sync), call: impl FnOnce(Arc<Shift>)) {
    /// Closes the shift also when the work panics.
    struct Close<'s>(&'s Shift);
    impl Drop for Close<'_> {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    // SAFETY: only the lifetime is changed. Nobody looks at the work after the shift is closed,
    // which it is before this function returns or unwinds.
    #[allow(unsafe_code)]
    let work_of_any_time: *const (dyn Fn() + Sync) =
        unsafe { std::mem::transmute::<&(dyn Fn() + Sync), &'static (dyn Fn() + Sync)>(work) };
    let inside = AtomicUsize::new(0);
    let shift = Arc::new(Shift { work: work_of_any_time, inside, panic: Mutex::new(None) });
    let close = Close(&shift);
    call(Arc::clone(&shift));
    work();
    drop(close);
    if let Some(panic) = shift.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of work that are handed out one by one.
    fn pieces(team: &Team, n: usize) -> usize {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        team.share(&|| {
            while next.fetch_add(1, Ordering::Relaxed) < n {
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        done.into_inner()
    }

    #[test]
    fn every_piece_is_done_once() {
        let team = Team::new(4);
        assert_eq!(team.threads(), 4);
        for n in 0..2000 {
            assert_eq!(pieces(&team, n % 37), n % 37);
            if n % 500 == 0 {
                std::thread::sleep(AWAKE * 3);
            }
        }
    }

    #[test]
    fn several_threads_share_a_team() {
        let team = Team::new(3);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|n| assert_eq!(pieces(&team, n % 19), n % 19)));
            }
        });
    }

    #[test]
    fn a_panic_of_a_helper_reaches_the_caller() {
        let team = Team::new(2);
        let caller = std::thread::current().id();
        let panicked = (0..1000).any(|_| {
            let work = || {
                assert_eq!(std::thread::current().id(), caller, "a helper's");
                std::thread::sleep(Duration::from_millis(1));
            };
            catch_unwind(AssertUnwindSafe(|| team.share(&work))).is_err()
        });
        assert!(panicked);
        assert_eq!(pieces(&team, 10), 10);
    }

    #[test]
    fn the_caller_may_panic_while_others_help() {
        let team = Team::new(2);
        let caller = std::thread::current().id();
        let helped = AtomicUsize::new(0);
        for _ in 0..20 {
            let work = || {
                std::thread::sleep(Duration::from_micros(300));
                assert_ne!(std::thread::current().id(), caller, "the caller's");
                helped.fetch_add(1, Ordering::Relaxed);
            };
            assert!(catch_unwind(AssertUnwindSafe(|| team.share(&work))).is_err());
        }
        assert_eq!(pieces(&team, 10), 10);
    }

    #[test]
    fn one_thread_needs_no_helper() {
        for threads in [0, 1] {
            let team = Team::new(threads);
            assert_eq!(team.threads(), 1);
            assert_eq!(pieces(&team, 5), 5);
        }
    }
}

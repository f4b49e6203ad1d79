//! Results that would not stay in the caches: collected in scratch that does, and written past them in
//! whole lines, so that none is read before it is overwritten.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::simd::{CACHE_LINE_BYTES, Level, copy_past, let_others_see};
use crate::view::Shared;

/// Results that are collected: with what they are computed from, most of a first-level cache.
const STAGED_BYTES: usize = 8 << 10;

/// Cuts `range`, each number of which has `bytes` bytes of results, into pieces that are collected
/// before they are written; one piece, if nothing `streams`.
pub(super) fn pieces(
    streams: bool,
    range: Range<usize>,
    bytes: usize,
) -> impl Iterator<Item = Range<usize>> {
    let most = if streams { (STAGED_BYTES / bytes.max(1)).max(1) } else { range.len().max(1) };
    let (end, first) = (range.end, range.step_by(most));
    first.map(move |first| first..end.min(first.saturating_add(most)))
}

/// Results that follow one another: where the first is, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) at: isize,
    pub(crate) len: usize,
}

/// Where a task collects results, if it streams them.
pub(crate) struct Streamed<T> {
    level: Level,
    streams: bool,
    staged: Vec<MaybeUninit<T>>,
}

impl<T: Copy> Streamed<T> {
    pub(crate) fn new(level: Level, streams: bool) -> Self {
        Self { level, streams, staged: Vec::new() }
    }

    /// Calls `fill` with a handle to some results, which are written past the caches if they follow
    /// one another in a `run`.
    ///
    /// # Safety
    /// They are elements of `out` that nothing else holds, and all that `fill` writes, with nothing
    /// left out.
    pub(crate) unsafe fn fill(
        &mut self,
        out: Shared<T>,
        run: Option<Run>,
        fill: impl FnOnce(Shared<T>),
    ) {
        let run = run.filter(|_| self.streams);
        let before = run.map_or(0, |run| self.make_room(out, run));
        // One call, as a kernel may be inlined where it is called.
        fill(match run {
            Some(run) => Shared::over(&mut self.staged[before..]).starting_at(run.at),
            None => out,
        });
        if let Some(Run { at, len }) = run {
            // SAFETY: the caller's promise.
            let dst = unsafe { out.run(at, len) };
            copy_past(self.level, &self.staged[before..before + len], dst);
        }
    }

    /// Makes room for results, from the element on that is given: lines of the scratch begin with the
    /// elements that those of the results begin with.
    fn make_room(&mut self, out: Shared<T>, Run { at, len }: Run) -> usize {
        let lanes = const { CACHE_LINE_BYTES / size_of::<T>() };
        if self.staged.len() < len + 2 * lanes {
            self.staged.resize_with(len + 2 * lanes, MaybeUninit::zeroed);
        }
        // SAFETY: the results' first element, if there is one, is one of `out`.
        let dst = unsafe { out.run(at, 0) };
        let line = |first: *const MaybeUninit<T>| first.align_offset(CACHE_LINE_BYTES) % lanes;
        (line(self.staged.as_ptr()) + lanes - line(dst.as_ptr())) % lanes
    }
}

impl<T> Drop for Streamed<T> {
    /// Whoever is told of the results after this is to see them.
    fn drop(&mut self) {
        if self.streams {
            let_others_see();
        }
    }
}

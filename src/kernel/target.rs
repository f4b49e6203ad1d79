//! Where results go: one array, or maxima and their positions.

use std::mem::MaybeUninit;

use super::lanes;
use super::streamed::{Run, Streamed};
use crate::Level;
use crate::view::Shared;

/// Output arrays that a kernel writes the same positions of.
pub(crate) trait Target: Copy + Send + Sync {
    /// Scratch memory in the same form.
    type Store: Default;
    /// Where a task collects results, if it streams them.
    type Streamed;

    /// A handle to at least `len` elements of scratch.
    fn over(store: &mut Self::Store, len: usize) -> Self;

    /// Copies `[n, lanes]` interleaved scratch elements, from element `first` on, to `at`, with the
    /// strides of both.
    ///
    /// # Safety
    /// The destinations are elements of this target that nothing else holds, and the scratch
    /// elements are initialised.
    unsafe fn scatter(
        self,
        store: &Self::Store,
        first: usize,
        at: isize,
        strides: [isize; 2],
        shape: [usize; 2],
    );

    /// [`Self::Streamed`] for a task that does so, or does not.
    fn streamed(level: Level, streams: bool) -> Self::Streamed;

    /// Calls `fill` with a handle to the results of `run`, and streams what it writes.
    ///
    /// # Safety
    /// They are elements of this target that nothing else holds, and all that `fill` writes, with
    /// nothing left out.
    unsafe fn fill(self, streamed: &mut Self::Streamed, run: Option<Run>, fill: impl FnOnce(Self));
}

impl<T: Copy + Send + Sync> Target for Shared<T> {
    type Store = Vec<MaybeUninit<T>>;
    type Streamed = Streamed<T>;

    fn over(store: &mut Self::Store, len: usize) -> Self {
        if store.len() < len {
            store.resize_with(len, MaybeUninit::uninit);
        }
        Self::over(store)
    }

    unsafe fn scatter(
        self,
        store: &Self::Store,
        first: usize,
        at: isize,
        strides: [isize; 2],
        shape: [usize; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe { lanes::scatter(&store[first..], self, at, strides, shape) }
    }

    fn streamed(level: Level, streams: bool) -> Streamed<T> {
        Streamed::new(level, streams)
    }

    unsafe fn fill(self, streamed: &mut Streamed<T>, run: Option<Run>, fill: impl FnOnce(Self)) {
        // SAFETY: the caller's promise.
        unsafe { streamed.fill(self, run, fill) }
    }
}

impl<T: Copy + Send + Sync> Target for (Shared<T>, Shared<i64>) {
    type Store = (Vec<MaybeUninit<T>>, Vec<MaybeUninit<i64>>);
    type Streamed = (Streamed<T>, Streamed<i64>);

    fn over(store: &mut Self::Store, len: usize) -> Self {
        (Target::over(&mut store.0, len), Target::over(&mut store.1, len))
    }

    unsafe fn scatter(
        self,
        store: &Self::Store,
        first: usize,
        at: isize,
        strides: [isize; 2],
        shape: [usize; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            self.0.scatter(&store.0, first, at, strides, shape);
            self.1.scatter(&store.1, first, at, strides, shape);
        }
    }

    fn streamed(level: Level, streams: bool) -> Self::Streamed {
        (Streamed::new(level, streams), Streamed::new(level, streams))
    }

    unsafe fn fill(self, streamed: &mut Self::Streamed, run: Option<Run>, fill: impl FnOnce(Self)) {
        let (values, positions) = streamed;
        // SAFETY: the caller's promise.
        unsafe {
            values.fill(self.0, run, |to| positions.fill(self.1, run, |from| fill((to, from))));
        }
    }
}

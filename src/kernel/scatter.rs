//! Elements put at positions of a plane, and taken from there.

use std::mem::MaybeUninit;

use super::clear::{clear, clear_all, touch};
use super::disjoint::{Disjoint, Put};
use super::planes::Block;
use super::pointed::{Pointed, Runs};
use super::reordered::reordered;
use super::streamed::{Run, Streamed};
use super::tile::{in_tiles, write_tile};
use crate::geometry::Dims;
use crate::simd::{Work, dispatch, load_tile, store_tile};
use crate::view::Shared;
use crate::{Execution, Level, PoolError, View, ViewMut};

/// What becomes of the elements that are put at the same position.
pub(crate) trait Meet<T>: Copy + Send + Sync {
    /// What they are joined in.
    type Sum: Copy + Send + Sync;
    /// No element.
    const NONE: Self::Sum;
    /// Whether there are results that [`Self::onto`] does not join.
    const ROUNDS: bool;

    /// With one more element.
    fn join(self, sum: Self::Sum, element: T) -> Self::Sum;
    /// The result of all.
    fn finish(self, sum: Self::Sum) -> T;
    /// The results of elements and of one more, where results can be joined as exactly as elements;
    /// `there` is zero if there is none yet.
    fn onto(self, there: T, element: T) -> Option<T>;

    /// Two sums as one.
    fn joined(self, earlier: Self::Sum, later: Self::Sum) -> Self::Sum;
    /// The sums of single elements.
    ///
    /// # Safety
    /// The level is one that all kernels are compiled for.
    unsafe fn load_tile<const L: usize>(self, elements: [T; L]) -> [Self::Sum; L];
    /// [`Self::finish`] for a tile.
    ///
    /// # Safety
    /// As for [`Self::load_tile`].
    unsafe fn finish_tile<const L: usize>(self, sums: [Self::Sum; L]) -> [T; L];
}

/// Elements of a plane, in C order, and their positions in another one.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a, T> {
    pub(crate) elements: &'a [T],
    pub(crate) positions: &'a [i64],
    pub(crate) out: Shared<T>,
    /// The first element of the other plane in `out`.
    pub(crate) at: isize,
}

/// Elements that are loaded before they are joined, and how many fewer are worth a call.
const LOADED: usize = 1024;
const FEW: usize = 16;

/// Planes that are collected before they are streamed: a part of a second-level cache.
const STAGED_BYTES: usize = 256 << 10;

/// Puts every source element at its position in a plane, and zero elsewhere.
///
/// A position of -1 is skipped where `skips` says so; any other outside the plane is an error, and
/// nothing is read or written there.
pub(crate) fn scatter<T: Copy + Default + Send + Sync, M: Meet<T>>(
    execution: &Execution<'_>,
    axes: &[usize],
    source: &View<'_, T>,
    indices: &View<'_, i64>,
    mut target: ViewMut<'_, T>,
    skips: bool,
    meet: M,
) -> Result<(), PoolError> {
    let (mut elements, mut positions) = (Vec::new(), Vec::new());
    let copied = reordered(execution, axes, source, target.strides(), &mut elements)?;
    let source = copied.as_ref().unwrap_or(source);
    let copied = reordered(execution, axes, indices, target.strides(), &mut positions)?;
    let indices = copied.as_ref().unwrap_or(indices);
    // Blocks need not stay in a cache where single elements are all that is read of them.
    let kept = if M::ROUNDS { size_of::<T>() + size_of::<M::Sum>() } else { 0 };
    let plane = (target.shape(), target.strides());
    let positions = (indices.shape(), indices.strides());
    let pointed = Pointed::new(axes, plane, positions, source.strides(), [size_of::<T>(), kept])?;
    let pointed = pointed.cut_for(execution);
    let lengths = |shape: &[usize]| axes.iter().map(|&axis| shape[axis]).collect::<Dims<_>>();
    let level = execution.chosen_level();
    let suggested = match pointed.is_in_order() && level.is_for_all() {
        true => Disjoint::new(&lengths(target.shape()), &lengths(indices.shape())),
        false => None,
    };
    // Lanes of other blocks lie between those of a block.
    let is_clear = target.is_zeroed() || pointed.planes.are_cut();
    if is_clear && !target.is_zeroed() {
        clear_all(execution, &mut target);
    }
    let pointed = &pointed;
    let scatter = Scatter { pointed, source, indices, out: target.shared(), skips, meet };
    let streams = pointed.volume.saturating_mul(size_of::<T>()) <= STAGED_BYTES
        && execution.streams(pointed.moved);
    // Neighbouring planes are alike: where elements met once, later planes are summed at once, and
    // windows that were not those of a plane are not those of the next.
    let start = || {
        let streamed = Streamed::new(level, streams);
        (Vec::new(), Vec::new(), false, suggested.as_ref(), streamed)
    };
    pointed.planes.each(execution, pointed.bytes, start, |state, block| {
        let (sums, loaded, meets, windows, streamed) = state;
        let mut is_clear = is_clear;
        if let Some(suggested) = *windows {
            if scatter.put(level, suggested, block, streamed) {
                return Ok(());
            }
            (*windows, is_clear) = (None, false);
        }
        if !*meets {
            *meets = scatter.write(block, is_clear)?;
        }
        if *meets {
            match Pointed::wraps(block) {
                true => scatter.join::<true>(level, block, [sums, loaded])?,
                false => scatter.join::<false>(level, block, [sums, loaded])?,
            }
            scatter.finish(level, block, sums);
        }
        Ok(())
    })
}

struct Scatter<'a, T, M> {
    pointed: &'a Pointed,
    source: &'a View<'a, T>,
    indices: &'a View<'a, i64>,
    out: Shared<T>,
    skips: bool,
    meet: M,
}

impl<T: Copy + Default + Send + Sync, M: Meet<T>> Scatter<'_, T, M> {
    /// Neighbouring elements of the source.
    #[inline(always)]
    fn elements(&self, at: isize, len: usize) -> &[T] {
        let at = self.source.origin().wrapping_add_signed(at);
        &self.source.data()[at..at + len]
    }

    /// Writes the plane of a block row by row; gives whether its windows are those.
    fn put(
        &self,
        level: Level,
        windows: &Disjoint,
        block: Block<3>,
        streamed: &mut Streamed<T>,
    ) -> bool {
        let Self { pointed, indices, out, meet, .. } = *self;
        let [at, from, beside] = block.at;
        let Some(&(len, _)) = pointed.walk.first() else { return false };
        let first = indices.origin().wrapping_add_signed(from);
        let (elements, positions) = (self.elements(beside, len), &indices.data()[first..][..len]);
        let mut done = false;
        let run = Run { at, len: pointed.volume };
        let put = |out| {
            let plane = Plane { elements, positions, out, at };
            dispatch(level, Put { windows, meet, plane, done: &mut done });
        };
        // SAFETY: a plane of this task's own, of which all is written: by this if its windows are
        // those, and anew if they are not.
        unsafe { streamed.fill(out, Some(run), put) };
        done
    }

    /// Writes elements straight to the block's planes, which may be clear already. Returns whether
    /// elements have met there that must be joined instead.
    fn write(&self, block: Block<3>, is_clear: bool) -> Result<bool, PoolError> {
        let Self { pointed, out, .. } = *self;
        if block.lanes == 1 && pointed.is_in_order() {
            return self.write_in_order(block, is_clear);
        }
        if !is_clear || !pointed.planes.are_cut() {
            for runs in pointed.runs(block) {
                for (at, _) in runs.each() {
                    // SAFETY: the block's elements of the target, which belong to this task.
                    let elements = unsafe { out.run(at, runs.len) };
                    if is_clear { touch(elements) } else { clear(elements) }
                }
            }
        }
        match Pointed::wraps(block) {
            true => self.write_runs::<true>(block),
            false => self.write_runs::<false>(block),
        }
    }

    /// Writes the elements of a block that is clear.
    fn write_runs<const WRAPS: bool>(&self, block: Block<3>) -> Result<bool, PoolError> {
        let Self { pointed, indices, out, skips, .. } = *self;
        let mut meets = false;
        pointed.each::<WRAPS>(block, indices, |run, from| {
            let elements = self.elements(from, run.len());
            let mut met = false;
            pointed.placed::<WRAPS>(run, skips, block, |i, at| {
                // SAFETY: an element of the block, as `placed` has checked.
                let slot = unsafe { &mut out.run(at, 1)[0] };
                // SAFETY: cleared before.
                met |= unsafe { self.put_onto(slot, elements[i]) };
            })?;
            meets |= met;
            Ok(())
        })?;
        Ok(meets)
    }

    /// The same for one plane of neighbours: small ones are so many that what others need takes longer.
    #[inline(always)]
    fn write_in_order(&self, block: Block<3>, is_clear: bool) -> Result<bool, PoolError> {
        let Self { pointed, indices, out, skips, .. } = *self;
        let [at, from, beside] = block.at;
        let len = pointed.walk.first().map_or(1, |&(len, _)| len);
        let elements = self.elements(beside, len);
        let positions = &indices.data()[indices.origin().wrapping_add_signed(from)..][..len];
        // SAFETY: a plane of this task's own.
        let plane = unsafe { out.run(at, pointed.volume) };
        if is_clear {
            touch(plane)
        } else {
            clear(plane)
        }
        let mut meets = false;
        pointed.checked::<false>(positions, [0, 1], skips, |i, _, element| {
            // SAFETY: cleared above, or before.
            meets |= unsafe { self.put_onto(&mut plane[element], elements[i]) };
        })?;
        Ok(meets)
    }

    /// Joins an element with what is there; gives whether it cannot be, and is lost.
    ///
    /// # Safety
    /// There is something.
    #[inline(always)]
    unsafe fn put_onto(&self, slot: &mut MaybeUninit<T>, element: T) -> bool {
        // SAFETY: the caller's promise.
        let joined = self.meet.onto(unsafe { slot.assume_init_read() }, element);
        slot.write(joined.unwrap_or_default());
        joined.is_none()
    }

    /// Joins elements in `sums`, which holds none and grows to the block.
    fn join<const WRAPS: bool>(
        &self,
        level: Level,
        block: Block<3>,
        [sums, loaded]: [&mut Vec<M::Sum>; 2],
    ) -> Result<(), PoolError> {
        let Self { pointed, indices, skips, meet, .. } = *self;
        if sums.len() < pointed.volume * block.lanes {
            sums.resize(pointed.volume * block.lanes, M::NONE);
        }
        let sums = &mut sums[..pointed.volume * block.lanes];
        pointed.each::<WRAPS>(block, indices, |run, from| {
            let (elements, lanes) = (self.elements(from, run.len()), block.lanes);
            if !level.is_for_all() || run.len() < FEW {
                return pointed.checked::<WRAPS>(run, [0, lanes], skips, |i, lane, element| {
                    let sum = &mut sums[element * lanes + lane];
                    *sum = meet.join(*sum, elements[i]);
                });
            }
            for (i, (run, elements)) in run.chunks(LOADED).zip(elements.chunks(LOADED)).enumerate()
            {
                loaded.resize(run.len(), M::NONE);
                dispatch(level, Load { meet, elements, loaded });
                let loaded = &loaded[..run.len()];
                if lanes == 1 {
                    pointed.checked::<WRAPS>(run, [0, 1], skips, |i, _, element| {
                        sums[element] = meet.joined(sums[element], loaded[i]);
                    })?;
                    continue;
                }
                let first = if WRAPS { i * LOADED % lanes } else { i * LOADED };
                pointed.checked::<WRAPS>(run, [first, lanes], skips, |i, lane, element| {
                    let sum = &mut sums[element * lanes + lane];
                    *sum = meet.joined(*sum, loaded[i]);
                })?;
            }
            Ok(())
        })
    }

    /// Writes the results of `sums`, and clears them.
    fn finish(&self, level: Level, block: Block<3>, sums: &mut [M::Sum]) {
        let (meet, out) = (self.meet, self.out);
        let mut rest = &mut sums[..self.pointed.volume * block.lanes];
        for runs in self.pointed.runs(block) {
            let (sums, after) = rest.split_at_mut(runs.runs * runs.len);
            rest = after;
            if level.is_for_all() {
                dispatch(level, Finish::<_, _, true> { meet, sums, runs, out });
            } else {
                dispatch(level, Finish::<_, _, false> { meet, sums, runs, out });
            }
        }
    }
}

/// Loads elements as sums of one.
struct Load<'a, T, M: Meet<T>> {
    meet: M,
    elements: &'a [T],
    loaded: &'a mut [M::Sum],
}

impl<T: Copy, M: Meet<T>> Work for Load<'_, T, M> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { meet, elements, loaded } = self;
        let n = elements.len().min(loaded.len());
        in_tiles!(one, size_of::<T>(), n, n, true, |at, L| {
            // SAFETY: both have as many elements, and the level is one that all kernels are
            // compiled for.
            unsafe {
                let sums = meet.load_tile::<L>(load_tile(elements, at));
                store_tile(loaded, at, sums);
            }
        });
    }
}

/// Turns sums into elements, `TILES` of them at a time or one by one.
struct Finish<'a, T, M: Meet<T>, const TILES: bool> {
    meet: M,
    sums: &'a mut [M::Sum],
    runs: Runs,
    out: Shared<T>,
}

impl<T: Copy, M: Meet<T>, const TILES: bool> Work for Finish<'_, T, M, TILES> {
    const FOR_ALL: bool = !TILES;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { meet, sums, runs, out } = self;
        for (at, first) in runs.each() {
            let n = runs.len;
            // SAFETY: elements of a block, whose task this is.
            let elements = unsafe { out.run(at, n) };
            let sums = &mut sums[first..first + n];
            if TILES {
                in_tiles!(one, size_of::<T>(), n, n, true, |at, L| {
                    // SAFETY: there are as many sums, and the level is one that all kernels are
                    // compiled for.
                    let results: [T; L] = unsafe { meet.finish_tile(load_tile(sums, at)) };
                    write_tile(&mut elements[at..], results);
                });
            } else {
                for (element, sum) in elements.iter_mut().zip(&*sums) {
                    element.write(meet.finish(*sum));
                }
            }
            sums.fill(M::NONE);
        }
    }
}

/// Takes the element at every position from the planes of `source`.
pub(crate) fn gather<T: Copy + Send + Sync>(
    execution: &Execution<'_>,
    axes: &[usize],
    source: &View<'_, T>,
    indices: &View<'_, i64>,
    mut target: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    let mut ordered = Vec::new();
    let copied = reordered(execution, axes, indices, source.strides(), &mut ordered)?;
    let indices = copied.as_ref().unwrap_or(indices);
    let plane = (source.shape(), source.strides());
    let positions = (indices.shape(), indices.strides());
    let pointed = Pointed::new(axes, plane, positions, target.strides(), [size_of::<T>(), 0])?;
    let pointed = pointed.cut_for(execution);
    let out = target.shared();
    pointed.planes.each(
        execution,
        pointed.bytes,
        || (),
        |(), block| match Pointed::wraps(block) {
            true => take::<_, true>(&pointed, block, source, indices, out),
            false => take::<_, false>(&pointed, block, source, indices, out),
        },
    )
}

/// Takes the elements of a block.
fn take<T: Copy, const WRAPS: bool>(
    pointed: &Pointed,
    block: Block<3>,
    source: &View<'_, T>,
    indices: &View<'_, i64>,
    out: Shared<T>,
) -> Result<(), PoolError> {
    let (data, origin) = (source.data(), source.origin());
    pointed.each::<WRAPS>(block, indices, |run, to| {
        // SAFETY: every element of the target is in one run, of a block whose task this is.
        let elements = unsafe { out.run(to, run.len()) };
        pointed.placed::<WRAPS>(run, false, block, |i, at| {
            elements[i].write(data[origin.wrapping_add_signed(at)]);
        })
    })
}

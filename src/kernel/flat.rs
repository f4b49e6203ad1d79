//! Windows that keep the shape of a plane: planes that follow one another are one long row.
//!
//! Where the stride is one and the padding makes up for the window, a tap lies equally far from
//! every output, so rows of any length fill vectors. What a tap would find beyond the edge of a
//! plane, in the row or the plane next to it, is masked: a table says for every position of the
//! plane which taps lie inside.

use std::iter::repeat_n;

use smallvec::SmallVec;

use super::fold::Fold;
use super::planes::{Axes, merged, offsets, volume};
use super::scales::{Scales, repeated};
use super::streamed::{Run, Streamed};
use super::tile::{VECTOR_BYTES, Vectors, are_numbers, load_partials, onto, traced, with_lanes};
use crate::reduce::{Divisor, Reduce};
use crate::simd::{Work, dispatch, load_tile, store_tile, turn_by_turn};
use crate::view::{Shared, masked};
use crate::window::{Axis, Rule};
use crate::{Execution, Geometry, Level, View};

/// Outputs that are computed together: their line and tables stay in a first-level cache.
const CHUNK: usize = 1024;

/// Longer rows fill vectors by themselves.
const LONGEST_ROW: usize = 64;

/// Elements, and planes, that are worth tables, if there is another way for them that needs none.
const MANY: usize = 4096;
const MANY_PLANES: usize = 16;

/// Planes of more elements would have tables that leave the cache.
const LARGEST_PLANE: usize = 4096;

/// Longer windows share work along a line; these are reduced tap by tap everywhere.
pub(super) const LONGEST_WINDOW: usize = 6;

/// Set for the taps that lie inside the plane.
type Mask = u16;

/// A tap of all windows, relative to the output's position.
#[derive(Debug, Clone, Copy)]
struct Tap {
    offset: isize,
    bit: Mask,
}

/// The taps along some pooled axes, and for every position on those the taps inside.
struct Taps {
    taps: SmallVec<[Tap; 9]>,
    inside: Vec<Mask>,
}

impl Taps {
    /// The taps along `axes`, the innermost of which has neighbours `step` positions apart; none
    /// if those are more than a mask has bits for.
    fn along(axes: &[(usize, Axis)], mut step: usize) -> Option<Self> {
        let tap = Tap { offset: 0, bit: 1 };
        let mut all = Self { taps: SmallVec::from_slice(&[tap]), inside: vec![1] };
        for (_, axis) in axes.iter().rev() {
            all = all.within(axis, step)?;
            step *= axis.len();
        }
        Some(all)
    }

    /// The same taps around every tap of one more axis, which steps by `step` positions.
    fn within(&self, axis: &Axis, step: usize) -> Option<Self> {
        let Rule::Sliding { kernel, dilation, .. } = axis.rule else { return None };
        let inner = self.taps.len();
        if inner * kernel > Mask::BITS as usize {
            return None;
        }
        let mut taps = SmallVec::new();
        for j in 0..kernel {
            let along = axis.start(0) + (j * dilation) as isize;
            for tap in &self.taps {
                let offset = along * step as isize + tap.offset;
                taps.push(Tap { offset, bit: 1 << taps.len() });
            }
        }
        let mut inside = Vec::with_capacity(axis.len() * self.inside.len());
        for o in 0..axis.len() {
            let kept = axis.taps(o);
            let skipped = (kept.first as isize - axis.start(o)).unsigned_abs() / dilation;
            // A factor that repeats the inner mask once for every tap that is kept.
            let repeat = (0..kept.count).fold(0, |bits, j| bits | 1 << ((skipped + j) * inner));
            inside.extend(self.inside.iter().map(|mask: &Mask| mask * repeat));
        }
        Some(Self { taps, inside })
    }

    /// Whether they are the output's position and one on either side of it.
    fn are_three(&self) -> bool {
        matches!(self.taps[..], [_, Tap { offset: 0, .. }, _])
    }

    /// How far the taps reach before and after the output.
    fn reach(&self) -> [usize; 2] {
        let offsets = || self.taps.iter().map(|tap| tap.offset);
        let before = offsets().min().unwrap_or(0).min(0).unsigned_abs();
        [before, offsets().max().unwrap_or(0).max(0).unsigned_abs()]
    }
}

/// A problem whose planes are one long row.
pub(crate) struct Flat<S> {
    /// The places of rows of planes.
    outer: Axes<2>,
    /// Elements of such a row, and of a plane.
    run: usize,
    plane: usize,
    rows: Taps,
    columns: Taps,
    scales: Scales<S>,
}

impl<S: Copy> Flat<S> {
    /// The problem in this form, if it has it and gains by it.
    pub(crate) fn new<T, R: Reduce<T, Scale = S>>(
        reduce: R,
        geometry: &Geometry,
        divisor: Divisor,
        strides: [&[isize]; 2],
    ) -> Option<Self> {
        let pooled = geometry.pooled();
        let flat = const { is_for::<T, R>() } && pooled.iter().all(|(_, axis)| keeps_length(axis));
        if !flat {
            return None;
        }
        let (_, columns) = pooled.last()?;
        let mut plane = 1;
        for (axis, windows) in pooled.iter().rev() {
            let step = plane as isize;
            let apart = windows.len() > 1 && strides.iter().any(|strides| strides[*axis] != step);
            plane *= windows.len();
            if apart || plane > LARGEST_PLANE {
                return None;
            }
        }
        let mut outer = merged(geometry.input_shape(), strides, |axis| !geometry.is_pooled(axis));
        let planes = match outer.last() {
            Some(&(planes, steps)) if steps == [plane as isize; 2] => planes,
            _ => 1,
        };
        if planes > 1 {
            outer.pop();
        }
        // A few small planes are done before the tables are made.
        if columns.len() > LONGEST_ROW || planes * plane < CHUNK {
            return None;
        }
        let (columns, rows) = pooled.split_last()?;
        let width = columns.1.len();
        let mut rows = Taps::along(rows, width)?;
        rows.inside = rows.inside.iter().flat_map(|&mask| repeat_n(mask, width)).collect();
        let columns = Taps::along(std::slice::from_ref(columns), 1)?;
        let scales = Scales::new(reduce, pooled, divisor)?;
        let run = planes * plane;
        let mut flat = Self { outer, run, plane, rows, columns, scales };
        flat.repeat();
        Some(flat)
    }

    /// Makes the tables long enough that no chunk has to turn back.
    fn repeat(&mut self) {
        let len = self.plane + self.line_len();
        repeated(&mut self.rows.inside, len);
        repeated(&mut self.columns.inside, len);
        self.scales.repeat(len);
    }

    /// Elements of a line: a chunk, what its taps reach, and what vectors may write too much.
    fn line_len(&self) -> usize {
        let [before, after] = self.columns.reach();
        before + CHUNK + after + 4 * VECTOR_BYTES
    }

    /// Pools `input` into `out`.
    pub(crate) fn pool<T: Copy + Send + Sync + Default, R: Reduce<T, Scale = S>>(
        &self,
        execution: &Execution<'_>,
        fold: Fold<R>,
        input: &View<'_, T>,
        out: Shared<T>,
    ) where
        S: Send + Sync,
    {
        let chunks = self.run.div_ceil(CHUNK);
        let grains = volume(&self.outer) * chunks;
        let bytes = 2 * volume(&self.outer) * self.run * size_of::<T>();
        let threes = self.rows.are_three() && self.columns.are_three();
        let (tasks, streams) = (execution.tasks(bytes).min(grains), execution.streams(bytes));
        execution.run(tasks, |task| {
            let mut line = vec![fold.reduce.identity(); self.line_len()];
            let mut staged = Vec::new();
            let mut streamed = Streamed::new(fold.level, streams);
            for grain in task * grains / tasks..(task + 1) * grains / tasks {
                let [at, out_at] = offsets(&self.outer, grain / chunks);
                // Of equal length, so that each fills vectors.
                let chunk = |chunk: usize| chunk * self.run / chunks;
                let first = chunk(grain % chunks);
                let count = chunk(grain % chunks + 1) - first;
                let at = input.origin() as isize + at + first as isize;
                let (src, start) = self.readable(input.data(), at, count, &mut staged);
                let run = Run { at: out_at + first as isize, len: count };
                let (line, reduce) = (&mut line, fold.reduce);
                let pool = |out: Shared<T>| {
                    // SAFETY: every chunk has outputs of its own.
                    let dst = unsafe { out.run(run.at, count) };
                    let flat = self;
                    macro_rules! flat {
                        ($TAPS:literal) => {
                            FoldFlat::<T, R, $TAPS> { reduce, flat, src, start, first, line, dst }
                        };
                    }
                    match const { is_for::<T, R>() } {
                        true if R::FREQUENT && threes => dispatch(fold.level, flat!(3)),
                        true => dispatch(fold.level, flat!(0)),
                        false => unreachable!("not flat"),
                    }
                };
                // SAFETY: as above, and all of them are written.
                unsafe { streamed.fill(out, Some(run), pool) };
            }
        });
    }

    /// A slice with everything that vectors of the chunk at `at` may read, and the position of
    /// `at` in it; from `staged` if the array ends too soon.
    fn readable<'a, T: Copy + Default>(
        &self,
        data: &'a [T],
        at: isize,
        count: usize,
        staged: &'a mut Vec<T>,
    ) -> (&'a [T], usize) {
        let ([up, down], [left, right]) = (self.rows.reach(), self.columns.reach());
        let before = up + left;
        let len = before + count + right + down + 2 * VECTOR_BYTES;
        let first = at - before as isize;
        let inside = |position: isize| position.clamp(0, data.len() as isize).unsigned_abs();
        let (from, to) = (inside(first), inside(first + len as isize));
        if to - from == len {
            return (&data[from..to], before);
        }
        staged.clear();
        staged.resize(len, T::default());
        let skipped = (from as isize - first).unsigned_abs();
        staged[skipped..skipped + to - from].copy_from_slice(&data[from..to]);
        (staged, before)
    }
}

/// Whether there is a kernel for elements and their reduction: windows have too few elements for wide
/// sums of bytes.
const fn is_for<T, R: Reduce<T>>() -> bool {
    R::COMMON && !(size_of::<T>() == 1 && size_of::<R::Partial>() > 2)
}

/// Whether rows leave so many lanes of their vectors empty that planes as one row are faster than
/// rows by themselves, where lanes are masked by instructions.
pub(super) fn leaves_lanes<T, R: Reduce<T>>(level: Level, geometry: &Geometry) -> bool {
    let Some((_, columns)) = geometry.pooled().last() else { return false };
    let (columns, lanes) = (columns.len(), const { VECTOR_BYTES / size_of::<R::Partial>() });
    let elements = geometry.input_shape().iter().copied().fold(1, usize::saturating_mul);
    let plane =
        geometry.pooled().iter().fold(1, |n: usize, (_, axis)| n.saturating_mul(axis.len()));
    if elements < MANY || elements < MANY_PLANES.saturating_mul(plane) {
        return false;
    }
    let threes = geometry.pooled().iter().all(|(_, axis)| axis.max_count() == 3);
    // Measured over rows of 7 to 35 columns, under windows of 3 x 3, of which all taps are known here,
    // and 5 x 5. A row takes some time beside that of its vectors, which is more of that of a short one.
    let short = columns <= lanes;
    let sizes = const { (size_of::<T>(), size_of::<R::Partial>()) };
    let sixteenths = match (sizes, threes, short) {
        ((1, 1), ..) => 6,
        ((1, _), true, true) => 15,
        ((1, _), true, false) => 10,
        ((1, _), false, true) => 12,
        ((2, 2), true, _) | ((2, _), true, false) => 11,
        ((2, _), true, true) => 14,
        ((2, _), false, true) => 9,
        ((1 | 2, _), false, false) => 8,
        (_, true, true) => 16,
        (_, true, false) | (_, false, true) => 14,
        (_, false, false) => 9,
    };
    level.masks_lanes() && 16 * columns <= sixteenths * columns.next_multiple_of(lanes)
}

/// Whether an axis has as many outputs as elements, in short windows: those are reduced tap by tap
/// in every memory layout, and longer ones share work that masks would undo.
fn keeps_length(axis: &Axis) -> bool {
    match axis.rule {
        Rule::Sliding { kernel, stride: 1, dilation, .. } => {
            kernel <= LONGEST_WINDOW && dilation <= CHUNK && axis.outputs() == axis.len()
        }
        _ => false,
    }
}

/// Runs `$body` for each of the taps, and whether it is surely inside: the three that are known, or all.
macro_rules! each_tap {
    ($threes:ident, $taps:ident, |$tap:ident, $inside:ident| $body:block) => {
        if let Some([one, two, three]) = $threes {
            each_tap!(@one one, false, |$tap, $inside| $body);
            each_tap!(@one two, true, |$tap, $inside| $body);
            each_tap!(@one three, false, |$tap, $inside| $body);
        } else {
            for tap in $taps {
                if const { Self::IN_TURNS } {
                    turn_by_turn();
                }
                each_tap!(@one tap, false, |$tap, $inside| $body);
            }
        }
    };
    (@one $one:ident, $always:literal, |$tap:ident, $inside:ident| $body:block) => {{
        let ($tap, $inside) = ($one, $always);
        $body
    }};
}

/// Reduces the windows of a chunk: along the rows into the line, and along the columns from there.
///
/// With `TAPS` of 3, windows have that many along either axis, the middle one of which is where the
/// output is and so never outside; with 0, any number.
struct FoldFlat<'a, T, R: Reduce<T>, const TAPS: usize> {
    reduce: R,
    flat: &'a Flat<R::Scale>,
    src: &'a [T],
    /// Position in `src` of the chunk's first output, whose position in the run is `first`.
    start: usize,
    first: usize,
    line: &'a mut [R::Partial],
    dst: &'a mut [std::mem::MaybeUninit<T>],
}

impl<T: Copy + Default, R: Reduce<T>, const TAPS: usize> Work for FoldFlat<'_, T, R, TAPS> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        with_lanes!(size_of::<R::Partial>(), |L| self.pool::<{ 2 * L }>());
    }
}

impl<T: Copy + Default, R: Reduce<T>, const TAPS: usize> FoldFlat<'_, T, R, TAPS> {
    /// Reduces the windows, first as if all elements were numbers, if that takes less time.
    #[inline(always)]
    fn pool<const L: usize>(&mut self) {
        if !R::PREFERS_NUMBERS || !self.fold::<L, true>() {
            self.fold::<L, false>();
            self.slide::<L, false>();
        } else {
            self.slide::<L, true>();
        }
    }

    /// Whether the compiler would make vectors of taps, whose order does not matter to it: of integers as
    /// wide as masks are made for one by one. Others it takes a few at a time.
    const IN_TURNS: bool = !R::FREQUENT && size_of::<R::Partial>() >= 4;

    /// The taps, if their number is known: copied, as from memory they would be loaded for every vector.
    #[inline(always)]
    fn threes(taps: &[Tap]) -> Option<[Tap; 3]> {
        (TAPS == 3).then(|| [taps[0], taps[1], taps[2]])
    }

    /// Reduces the rows of windows into the line; gives whether that was right: not if `NUMBERS` was
    /// said of others.
    #[inline(always)]
    fn fold<const L: usize, const NUMBERS: bool>(&mut self) -> bool {
        let Self { reduce, flat, src, start, first, ref mut line, ref dst } = *self;
        let ([before, after], [up, down]) = (flat.columns.reach(), flat.rows.reach());
        let phase = (first % flat.plane + flat.plane - before % flat.plane) % flat.plane;
        let inside = &flat.rows.inside[phase..];
        let reach = (before + dst.len() + after).next_multiple_of(L);
        let fits = start >= before + up && start - before + reach + down <= src.len();
        assert!(fits && reach <= inside.len().min(line.len()), "taps of vectors can be read");
        let mut met = Vectors([reduce.identity(); L]);
        let taps = &flat.rows.taps[..];
        let threes = Self::threes(taps);
        for at in (0..reach).step_by(L) {
            turn_by_turn();
            let masks = &inside[at..at + L];
            let mut acc = [reduce.identity(); L];
            let mut trace = acc;
            each_tap!(threes, taps, |tap, inside| {
                let at = (start - before + at).wrapping_add_signed(tap.offset);
                // SAFETY: looked at above.
                let mut row = unsafe { load_partials::<T, R, L>(reduce, src, at) };
                trace = traced::<T, R, L, NUMBERS>(reduce, trace, &row);
                if !inside {
                    row = masked(&row, reduce.identity(), masks, tap.bit);
                }
                onto::<T, R, L, NUMBERS>(reduce, &mut acc, &row);
            });
            // SAFETY: looked at above.
            unsafe { store_tile(line, at, acc) };
            met.0 = traced::<T, R, L, NUMBERS>(reduce, met.0, &trace);
        }
        !NUMBERS || are_numbers(reduce, &met.0)
    }

    /// Reduces windows along the line to results.
    #[inline(always)]
    fn slide<const L: usize, const NUMBERS: bool>(&mut self) {
        let Self { reduce, flat, first, ref line, ref mut dst, .. } = *self;
        let [before, after] = flat.columns.reach();
        let (phase, count) = (first % flat.plane, dst.len());
        let inside = &flat.columns.inside[phase..];
        let fits = before + count + after <= line.len() && count <= inside.len();
        assert!(fits && count >= L, "the line holds a chunk, which fills vectors");
        let taps = &flat.columns.taps[..];
        let (threes, (scales, apart)) = (Self::threes(taps), flat.scales.table());
        let mut at = 0;
        loop {
            turn_by_turn();
            let masks = &inside[at..at + L];
            let mut acc = [reduce.identity(); L];
            each_tap!(threes, taps, |tap, inside| {
                let at = (before + at).wrapping_add_signed(tap.offset);
                // SAFETY: looked at above.
                let mut row = unsafe { load_tile(line, at) };
                if !inside {
                    row = masked(&row, reduce.identity(), masks, tap.bit);
                }
                onto::<T, R, L, NUMBERS>(reduce, &mut acc, &row);
            });
            // Copied: the compiler could not know that results are not written over them.
            let scales = &scales[(phase + at) * apart..][..L];
            let mut scale = [scales[0]; L];
            scale.copy_from_slice(scales);
            let results = reduce.finish_tile(acc, scale);
            for (dst, result) in dst[at..at + L].iter_mut().zip(results) {
                dst.write(result);
            }
            if at + L >= count {
                return;
            }
            // The last vector repeats results of the one before.
            at = (at + L).min(count - L);
        }
    }
}

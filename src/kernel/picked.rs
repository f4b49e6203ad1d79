//! Maxima of windows that start at places listed one by one along every axis of a plane, whose columns
//! are neighbours in memory: rows are folded, reduced along all windows, and what is listed is picked.

use smallvec::SmallVec;

use super::ahead::AHEAD;
use super::planes::{offsets, volume};
use super::rows::Rows;
use super::tile::{VECTOR_BYTES, fold_neighbours, onto, with_lanes};
use crate::Level;
use crate::element::{Element, Ordered};
use crate::reduce::{Maximum, Reduce};
use crate::simd::{Pick, Work, prefetch, store_tile, turn_by_turn};
use crate::view::Shared;

/// Columns up to which windows are reduced tap by tap.
const SHORT: usize = 8;

/// A plane's windows; slices have an entry per pooled axis, the last one is that of the columns.
pub(crate) struct Picked<'a, T: Element> {
    pub(crate) src: &'a [T],
    /// The plane's first element, in `src` and in `out`.
    pub(crate) at: usize,
    pub(crate) out_at: isize,
    pub(crate) lengths: &'a [usize],
    pub(crate) strides: &'a [isize],
    pub(crate) kernel: &'a [usize],
    pub(crate) placed: &'a [isize],
    /// Where windows start: so that they end inside the axis.
    pub(crate) starts: &'a [Vec<usize>],
    pub(crate) out: Shared<T>,
    /// Folded rows, and what they are along their windows.
    pub(crate) lines: &'a mut [Vec<T::Ordered>; 2],
    pub(crate) level: Level,
}

/// Whether rows of so many elements fill a vector.
pub(crate) fn suits<T: Element>(columns: usize) -> bool {
    T::FREQUENT && columns >= VECTOR_BYTES / size_of::<T>()
}

impl<T: Element> Work for Picked<'_, T> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let [columns, kernel] = [self.lengths, self.kernel].map(|of| of[of.len() - 1]);
        let room = columns + kernel + 2 * VECTOR_BYTES;
        self.lines.iter_mut().for_each(|line| line.resize(room, T::Ordered::LOWEST));
        with_lanes!(size_of::<T>(), |L| {
            let prefers = const { <Maximum as Reduce<T>>::PREFERS_NUMBERS };
            if !prefers || !self.plane::<L, true>(columns, kernel) {
                self.plane::<L, false>(columns, kernel);
            }
        });
    }
}

impl<T: Element> Picked<'_, T> {
    /// Pools the plane; gives whether that was right: not if `NUMBERS` was said of others.
    #[inline(always)]
    fn plane<const L: usize, const NUMBERS: bool>(
        &mut self,
        columns: usize,
        kernel: usize,
    ) -> bool {
        let last = self.starts.len() - 1;
        let rows = self.starts[..last].iter().zip(self.placed);
        let rows: SmallVec<[_; 3]> = rows.map(|(starts, &step)| (starts.len(), [step])).collect();
        let mut further: SmallVec<[isize; 8]> = SmallVec::from_slice(&[0]);
        for axis in 0..self.kernel.len().saturating_sub(2) {
            let inner = std::mem::take(&mut further);
            let taps = (0..self.kernel[axis] as isize).map(|tap| tap * self.strides[axis]);
            further = taps.flat_map(|tap| inner.iter().map(move |at| at + tap)).collect();
        }
        let starts = &self.starts[last];
        let picks = self.picks::<L>();
        let mut met = [T::Ordered::LOWEST; L];
        for row in 0..volume(&rows) {
            self.fold::<L, NUMBERS>(self.first_row(row), &further, columns, &mut met);
            let [line, level] = &mut self.lines;
            let found = along::<T, L, NUMBERS>([line, level], columns, kernel);
            let at = self.out_at + offsets(&rows, row)[0];
            // SAFETY: the rows of the plane, which is one task's.
            let dst = unsafe { self.out.run(at, starts.len()) };
            if const { !Pick::is_for::<T>() } || picks.is_empty() {
                for (dst, &start) in dst.iter_mut().zip(starts) {
                    dst.write(T::from_ordered(found[start]));
                }
                continue;
            }
            for (o, pick) in &picks {
                // SAFETY: lines have room for vectors behind their columns.
                let picked: [T::Ordered; L] = unsafe { pick.of(found) };
                let dst = &mut dst[*o..][..L];
                for l in 0..L {
                    dst[l].write(T::from_ordered(picked[l]));
                }
            }
        }
        let met = std::hint::black_box(met);
        met.iter().all(|&trace| Reduce::<T>::are_numbers(Maximum, trace))
    }

    /// Vectors of a row's results, the last of which may repeat some of the one before; none if they
    /// cannot be picked at once.
    fn picks<const L: usize>(&self) -> SmallVec<[(usize, Pick); 4]> {
        let starts = &self.starts[self.starts.len() - 1];
        if const { !Pick::is_for::<T>() } || starts.len() < L {
            return SmallVec::new();
        }
        let firsts = (0..starts.len()).step_by(L).map(|o| o.min(starts.len() - L));
        let picks = firsts.map(|o| Some((o, Pick::new::<T>(self.level, &starts[o..o + L])?)));
        picks.collect::<Option<_>>().unwrap_or_default()
    }

    /// Where the rows of an output row's windows begin, at the first tap of all axes but the last.
    #[inline(always)]
    fn first_row(&self, row: usize) -> usize {
        let (mut at, mut rest) = (self.at, row);
        for axis in (0..self.starts.len() - 1).rev() {
            let starts = &self.starts[axis];
            let mut i = rest;
            if axis > 0 {
                (rest, i) = (rest / starts.len(), rest % starts.len());
            }
            at = at.wrapping_add_signed(starts[i] as isize * self.strides[axis]);
        }
        at
    }

    /// Folds the rows of windows into the first line. The first of them is at `at`, those along the
    /// last axis but one are neighbours, and `further` are the offsets of the taps along axes before.
    #[inline(always)]
    fn fold<const L: usize, const NUMBERS: bool>(
        &mut self,
        at: usize,
        further: &[isize],
        columns: usize,
        met: &mut [T::Ordered; L],
    ) {
        let (taps, step) = match self.kernel.len().checked_sub(2) {
            Some(axis) => (self.kernel[axis], self.strides[axis]),
            None => (1, 0),
        };
        for &offset in further {
            let first = at.wrapping_add_signed(offset);
            let last = first.wrapping_add_signed((taps - 1) as isize * step);
            let room = self.src.len().saturating_sub(first.max(last));
            assert!(room >= columns && columns >= L, "rows lie in the array");
        }
        let line = &mut self.lines[0][..];
        assert!(line.len() >= columns, "a line holds a row");
        let rows = Rows::<T, _, NUMBERS> { reduce: Maximum, src: self.src, step, taps };
        let (mut column, mut trace) = (0, *met);
        loop {
            turn_by_turn();
            prefetch(self.src, at + column + AHEAD / size_of::<T>());
            // SAFETY: looked at above.
            let mut acc: [T::Ordered; L] = unsafe { rows.one(at + column, taps, &mut trace) };
            for &offset in &further[1..] {
                let at = at.wrapping_add_signed(offset) + column;
                // SAFETY: as above.
                let more = unsafe { rows.one(at, taps, &mut trace) };
                onto::<T, _, L, NUMBERS>(Maximum, &mut acc, &more);
            }
            // SAFETY: as above.
            unsafe { store_tile(line, column, acc) };
            if column + L >= columns {
                *met = trace;
                return;
            }
            column = (column + L).min(columns - L);
        }
    }
}

/// The maxima of `kernel` neighbours of a line of `columns`, at every place: in one of the `lines`, of
/// which the first is reduced.
#[inline(always)]
fn along<T: Element, const L: usize, const NUMBERS: bool>(
    lines: [&mut Vec<T::Ordered>; 2],
    columns: usize,
    kernel: usize,
) -> &[T::Ordered] {
    let [mut from, mut to] = lines.map(|line| &mut line[..]);
    let side = if kernel <= SHORT { kernel } else { kernel.isqrt() };
    let several = kernel / side;
    let mut covered = 1;
    for (taps, step) in [(side, 1), (several, side), (2, kernel - several * side)] {
        if taps > 1 && step > 0 {
            covered += (taps - 1) * step;
            let len = columns + 1 - covered;
            fold_neighbours::<T, _, L, NUMBERS>(Maximum, from, to, [taps, step], len);
            (from, to) = (to, from);
        }
    }
    from
}

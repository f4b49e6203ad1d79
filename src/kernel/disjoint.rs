//! Elements put at positions in windows of two columns that tile a plane: every row of the plane is
//! written once, from the elements whose positions lie in it.

use smallvec::SmallVec;

use super::ahead::ask_ahead;
use super::planes::{Axes, offsets, volume};
use super::scatter::{Meet, Plane};
use super::tile::{with_lanes, write_tile};
use crate::simd::{Work, load_tile, turn_by_turn};

/// Rows of a window at most: higher ones are rare, and would only cost memory.
const MOST_ROWS: usize = 64;

/// Windows, as lengths of the plane and of its outputs suggest them: positions tell whether they are.
#[derive(Debug)]
pub(super) struct Disjoint {
    /// Outputs along all axes but the last, and elements between their windows.
    outer: Axes<1>,
    /// How far the rows of a window lie from its first element.
    rows: SmallVec<[i32; 4]>,
    /// Outputs along the last axis.
    columns: usize,
}

impl Disjoint {
    /// Windows for `outputs` that tile a `plane`, if they have two columns.
    pub(super) fn new(plane: &[usize], outputs: &[usize]) -> Option<Self> {
        let tiles = |(&len, &outputs): (&usize, &usize)| len.checked_rem(outputs) == Some(0);
        let last = plane.len().checked_sub(1)?;
        if !plane.iter().zip(outputs).all(tiles) || plane[last] != 2 * outputs[last] {
            return None;
        }
        let mut step = plane[last];
        let (mut outer, mut rows) = (Axes::new(), SmallVec::<[usize; 4]>::from_slice(&[0]));
        for axis in (0..last).rev() {
            let size = plane[axis] / outputs[axis];
            if size.saturating_mul(rows.len()) > MOST_ROWS {
                return None;
            }
            outer.insert(0, (outputs[axis], [(size * step) as isize]));
            rows = (0..size).flat_map(|i| rows.iter().map(move |row| row + i * step)).collect();
            step *= plane[axis];
        }
        let rows = rows.into_iter().map(i32::try_from).collect::<Result<_, _>>().ok()?;
        Some(Self { outer, rows, columns: outputs[last] })
    }
}

/// Puts the elements of one plane, in C order, at their positions in another one.
pub(super) struct Put<'a, T, M> {
    pub(super) windows: &'a Disjoint,
    pub(super) meet: M,
    pub(super) plane: Plane<'a, T>,
    /// Becomes false if a position lies in no window, or in that of another element; what is
    /// written is wrong then.
    pub(super) done: &'a mut bool,
}

impl<T: Copy + Default, M: Meet<T>> Work for Put<'_, T, M> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let (outer, n) = (&self.windows.outer, self.windows.columns);
        let rows = volume(outer);
        let Plane { elements, positions, .. } = self.plane;
        *self.done = elements.len() == rows * n && positions.len() == rows * n;
        for row in 0..rows {
            if !*self.done {
                return;
            }
            let start = offsets(outer, row)[0];
            let done = with_lanes!(size_of::<T>(), |L| match n {
                L.. => self.row::<L, { 2 * L }>(row, start),
                _ if n >= L / 2 => self.row::<{ L / 2 }, L>(row, start),
                _ if n >= L / 4 => self.row::<{ L / 4 }, { L / 2 }>(row, start),
                _ => self.row::<{ L / 8 }, { L / 4 }>(row, start),
            });
            *self.done &= done;
        }
    }
}

impl<T: Copy + Default, M: Meet<T>> Put<'_, T, M> {
    /// Puts a row of elements into windows that begin at `start`, `L` at a time: as many as the row
    /// has room for. Gives whether they belong there.
    #[inline(always)]
    fn row<const L: usize, const TWICE: usize>(&self, row: usize, start: isize) -> bool {
        let n = self.windows.columns;
        let (from, mut done) = (row * n, true);
        let mut column = 0;
        while column + L <= n {
            turn_by_turn();
            // SAFETY: the row has as many, and so have the arrays, as `run` looks at.
            done &= unsafe { self.tile::<L, TWICE>(from, start, column) };
            column += L;
        }
        if column < n && n >= L {
            // SAFETY: as above.
            done &= unsafe { self.tile::<L, TWICE>(from, start, n - L) };
            column = n;
        }
        for column in column..n {
            // SAFETY: as above.
            done &= unsafe { self.tile::<1, 2>(from, start, column) };
        }
        done
    }

    /// Puts `L` elements from `column` of a row on, which is at `from`, into windows that begin at
    /// `start`; gives whether they belong there.
    ///
    /// # Safety
    /// The row has these columns.
    #[inline(always)]
    unsafe fn tile<const L: usize, const TWICE: usize>(
        &self,
        from: usize,
        start: isize,
        column: usize,
    ) -> bool {
        let Self { windows, meet, plane: Plane { elements, positions, out, at }, .. } = *self;
        ask_ahead::<i64, L>(positions, from + column);
        ask_ahead::<T, L>(elements, from + column);
        // SAFETY: the caller's promise.
        let tile: [T; L] = unsafe { load_tile(elements, from + column) };
        // SAFETY: as above.
        let positions: [i64; L] = unsafe { load_tile(positions, from + column) };
        // SAFETY: the level is one that all kernels are compiled for.
        let values = unsafe { meet.finish_tile(meet.load_tile(tile)) };
        let start = start + 2 * column as isize;
        let (mut inside, mut missed) = ([0i32; L], [0i32; L]);
        for l in 0..L {
            let distance = positions[l].wrapping_sub(start as i64 + 2 * l as i64);
            inside[l] = distance as i32;
            missed[l] = i32::from(i64::from(inside[l]) != distance);
        }
        let mut hits = [0i32; L];
        for &row in &windows.rows {
            let mut pairs = [T::default(); TWICE];
            for l in 0..L {
                let [first, second] = [inside[l] == row, inside[l] == row + 1];
                pairs[2 * l] = if first { values[l] } else { T::default() };
                pairs[2 * l + 1] = if second { values[l] } else { T::default() };
                hits[l] |= i32::from(first | second);
            }
            // SAFETY: the plane belongs to one task.
            let dst = unsafe { out.run(at + start + row as isize, TWICE) };
            ask_ahead::<_, TWICE>(dst, 0);
            write_tile(dst, pairs);
        }
        let mut all = true;
        for l in 0..L {
            all &= hits[l] > missed[l];
        }
        all
    }
}

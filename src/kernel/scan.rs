//! Folding the rows of long windows in two scans: see [`Scan`](super::plan::Scan).
//!
//! Rows are read from their first element to their last, one after the other: memory that is far apart
//! often falls into the same sets of a cache.

use std::ops::Range;

use super::ScanRows;
use super::tile::{VECTOR_BYTES, combined, in_tiles, load_partials, with_lanes};
use crate::reduce::Reduce;
use crate::simd::{Work, in_one, load_and_store, load_tile, store_tile, turn_by_turn};

/// Runs `$body` for the tiles of a row, each with its constant width `$L`, where in a row of the line it
/// is, and its elements as partial results; adds to the trace of what was met.
macro_rules! tiles_of_row {
    ($self:ident, $V:expr, $row:expr, $room:expr, |$i:ident, $L:ident, $tile:ident| $body:expr) => {{
        // A sum waits for the one before it: there are two at a time.
        if const { R::FREQUENT && !R::IDEMPOTENT && $V > 16 } {
            tiles_of_row!(@two $self, $V, $row, $room, |$i, $L, $tile| $body);
        } else {
            tiles_of_row!(@one $self, $V, $row, $room, |$i, $L, $tile| $body);
        }
    }};
    (@$widths:ident $self:ident, $V:expr, $row:expr, $room:expr,
     |$i:ident, $L:ident, $tile:ident| $body:expr) => {
        with_lanes!(size_of::<R::Partial>(), |LANES| {
            let (reduce, scan, src) = ($self.reduce, $self.scan, $self.src);
            // In one vector and one element, which a loop can carry.
            let (mut met, mut last) = ([reduce.identity(); LANES], [reduce.identity()]);
            for column in 0..scan.columns {
                let (at, shift) = (scan.at($row, column), column * scan.len);
                in_tiles!($widths, size_of::<R::Partial>(), scan.len, $room, R::IDEMPOTENT, |i, $L| {
                    turn_by_turn();
                    // SAFETY: there is room in all rows.
                    let $tile: [R::Partial; $L] = unsafe { load_partials::<T, R, $L>(reduce, src, at + i) };
                    if NUMBERS && $L == 1 {
                        last[0] = reduce.traced(last[0], $tile[0]);
                    } else if NUMBERS {
                        for l in 0..$L {
                            met[l] = reduce.traced(met[l], $tile[l]);
                        }
                        if const { $V >= VECTOR_BYTES } {
                            // SAFETY: the level's vectors have as many bytes.
                            met = unsafe { in_one(met) };
                        }
                    }
                    let $i = shift + i;
                    $body;
                });
            }
            if NUMBERS {
                for l in 0..LANES {
                    $self.met[l] = reduce.traced($self.met[l], met[l]);
                }
                $self.met[0] = reduce.traced($self.met[0], last[0]);
            }
        })
    };
}

/// [`load_tile`] of what is stored again.
///
/// # Safety
/// They are elements of the line.
#[inline(always)]
unsafe fn loaded<const V: usize, P: Copy, const L: usize>(line: &[P], at: usize) -> [P; L] {
    // SAFETY: the caller's promise.
    let tile = unsafe { load_tile(line, at) };
    if const { V < VECTOR_BYTES } {
        // The compiler would store under a mask what is larger, which takes some processors long.
        load_and_store();
    }
    tile
}

/// Folds rows of elements into one row of partial results per window.
///
/// A block's scan from its end leaves in the line what every window has of that block; the scan
/// of the next block from its start adds the rest.
pub(crate) struct ScanFold<'a, T, R: Reduce<T>, const NUMBERS: bool> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) scan: ScanRows,
    pub(crate) line: &'a mut [R::Partial],
    /// Room for a row: what the scan of a block from its start has.
    pub(crate) prefix: &'a mut [R::Partial],
    /// With `NUMBERS`, a vector that takes the trace of all elements. Looking at the trace in here
    /// would make the compiler sum the halves of that look apart from the first element on.
    pub(crate) met: &'a mut [R::Partial],
}

impl<T: Copy, R: Reduce<T>, const NUMBERS: bool> Work for ScanFold<'_, T, R, NUMBERS> {
    const FOR_ALL: bool = !NUMBERS;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let scan = self.scan;
        let room = self.room();
        let mut first = 0;
        while first < scan.count {
            let (windows, boundary) = scan.sharing(first);
            self.before::<V>(&windows, boundary, room);
            self.after::<V>(&windows, boundary, room);
            first = windows.end;
        }
        if scan.after > 0 {
            for window in 0..scan.count {
                let to = scan.to(window) + scan.columns * scan.len;
                self.line[to..to + scan.after].fill(self.reduce.identity());
            }
        }
    }
}

impl<T: Copy, R: Reduce<T>, const NUMBERS: bool> ScanFold<'_, T, R, NUMBERS> {
    /// Elements of a column that may be read of every row, and written for every window: as many as
    /// there are, or, of a single column, more.
    #[inline(always)]
    fn room(&self) -> usize {
        let scan = self.scan;
        let elements = scan.columns * scan.len;
        assert!(scan.line + elements <= scan.pitch && scan.count * scan.pitch <= self.line.len());
        assert!(scan.pitch <= self.prefix.len() && scan.columns > 0);
        let (first, end) = (scan.start(0), scan.end(scan.count - 1));
        if first >= end {
            return scan.len;
        }
        let ends = |row: usize| [0, scan.columns - 1].map(|column| scan.at(row, column));
        let mut reach = [ends(first), ends(end - 1)].concat();
        reach.sort_unstable();
        let room = self.src.len().saturating_sub(reach[3]);
        assert!(room >= scan.len, "rows lie in the array");
        match scan.columns {
            1 => room.min(scan.pitch - scan.line),
            _ => scan.len,
        }
    }

    /// Gives `windows` their rows before `boundary`, last to first.
    #[inline(always)]
    fn before<const V: usize>(&mut self, windows: &Range<usize>, boundary: usize, room: usize) {
        let (scan, elements) = (self.scan, self.elements());
        let (mut row, mut from) = (boundary, scan.to(windows.end - 1));
        self.line[from..from + elements].fill(self.reduce.identity());
        for window in windows.clone().rev() {
            let to = scan.to(window);
            if row <= scan.start(window) && to != from {
                self.line.copy_within(from..from + elements, to);
            }
            while row > scan.start(window) {
                row -= 1;
                self.onto::<V>(row, from, to, room);
                from = to;
            }
            from = to;
        }
    }

    /// Gives `windows` their rows from `boundary` on.
    #[inline(always)]
    fn after<const V: usize>(&mut self, windows: &Range<usize>, boundary: usize, room: usize) {
        let (scan, elements) = (self.scan, self.elements());
        self.prefix[..elements].fill(self.reduce.identity());
        let mut row = boundary;
        for window in windows.clone() {
            let (to, end) = (scan.to(window), scan.end(window));
            while row + 1 < end {
                self.next::<V, false>(row, to, room);
                row += 1;
            }
            if row < end {
                self.next::<V, true>(row, to, room);
                row += 1;
            } else if row > boundary {
                self.join(to);
            }
        }
    }

    /// Makes row `to` of the line what row `from` of it has, after a row of the input.
    #[inline(always)]
    fn onto<const V: usize>(&mut self, row: usize, from: usize, to: usize, room: usize) {
        let Self { reduce, ref mut line, .. } = *self;
        // SAFETY: there is room in all rows.
        tiles_of_row!(self, V, row, room, |i, L, tile| unsafe {
            let acc = loaded::<V, _, L>(line, from + i);
            store_tile(line, to + i, combined::<T, R, L, NUMBERS>(reduce, tile, acc));
        });
    }

    /// Adds a row of the input to what the scan has, and with `LAST` that to row `to` of the line.
    #[inline(always)]
    fn next<const V: usize, const LAST: bool>(&mut self, row: usize, to: usize, room: usize) {
        let Self { reduce, ref mut line, ref mut prefix, .. } = *self;
        // SAFETY: as above.
        tiles_of_row!(self, V, row, room, |i, L, tile| unsafe {
            let acc = loaded::<V, _, L>(prefix, i);
            let acc = combined::<T, R, L, NUMBERS>(reduce, acc, tile);
            store_tile(prefix, i, acc);
            if LAST {
                let folded = loaded::<V, _, L>(line, to + i);
                store_tile(line, to + i, combined::<T, R, L, NUMBERS>(reduce, folded, acc));
            }
        });
    }

    /// Adds what the scan has to row `to` of the line.
    #[inline(always)]
    fn join(&mut self, to: usize) {
        let elements = self.elements();
        for (folded, &acc) in self.line[to..to + elements].iter_mut().zip(&*self.prefix) {
            *folded = self.reduce.combine(*folded, acc);
        }
    }

    #[inline(always)]
    fn elements(&self) -> usize {
        self.scan.columns * self.scan.len
    }
}

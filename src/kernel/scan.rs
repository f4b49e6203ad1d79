//! Folding the rows of long windows in two scans: see [`Scan`](super::plan::Scan).
//!
//! Rows are read from their first element to their last, one after the other: memory that is far apart
//! often falls into the same sets of a cache.

use std::ops::Range;

use super::ScanRows;
use super::tile::{VECTOR_BYTES, combined, in_tiles, load_traced, loaded, with_lanes};
use crate::reduce::Reduce;
use crate::simd::{Work, in_one, load_tile, store_tile, turn_by_turn};

/// Runs `$body` for the tiles of a row, each with its constant width `$L`, where in the input and in a row
/// of the line it is, and a trace of what is met in it, which it adds to that of all.
macro_rules! tiles_of_row {
    ($self:ident, $V:expr, $row:expr, $strip:expr,
     |$at:ident, $i:ident, $L:ident, $trace:ident| $body:expr) => {{
        // A sum waits for the one before it: there are two at a time.
        if const { R::FREQUENT && !R::IDEMPOTENT && $V > 16 } {
            tiles_of_row!(@two $self, $V, $row, $strip, |$at, $i, $L, $trace| $body);
        } else {
            tiles_of_row!(@one $self, $V, $row, $strip, |$at, $i, $L, $trace| $body);
        }
    }};
    (@$widths:ident $self:ident, $V:expr, $row:expr, $strip:expr,
     |$at:ident, $i:ident, $L:ident, $trace:ident| $body:expr) => {
        with_lanes!(size_of::<R::Partial>(), |LANES| {
            let (reduce, scan) = ($self.reduce, $self.scan);
            // In one vector and one element, which a loop can carry.
            let (mut met, mut last) = ([reduce.identity(); LANES], [reduce.identity()]);
            for column in $strip.columns.clone() {
                let at = scan.at($row, column) + $strip.first;
                let shift = column * scan.len + $strip.first;
                in_tiles!($widths, size_of::<R::Partial>(), $strip.len, $strip.room, R::IDEMPOTENT, |i, $L| {
                    turn_by_turn();
                    let ($at, $i, mut $trace) = (at + i, shift + i, [reduce.identity(); $L]);
                    $body;
                    if NUMBERS && $L == 1 {
                        last[0] = reduce.traced(last[0], $trace[0]);
                    } else if NUMBERS {
                        for l in 0..$L {
                            met[l] = reduce.traced(met[l], $trace[l]);
                        }
                        if const { $V >= VECTOR_BYTES } {
                            // SAFETY: the level's vectors have as many bytes.
                            met = unsafe { in_one::<$V, _, LANES>(met) };
                        }
                    }
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

/// Rows that are scanned at a time where every window has one more: what the scan has stays in registers
/// meanwhile.
const ROWS: usize = 4;

/// Whether so many are scanned at a time: not for what few ask for, nor again for what are no numbers.
const fn are_many<T, R: Reduce<T>, const V: usize, const NUMBERS: bool>() -> bool {
    R::FREQUENT && NUMBERS == R::PREFERS_NUMBERS && V > 16
}

/// Bytes of a strip's partial results: three or four rows of them, and one of elements, stay in a
/// first-level cache from one row to the next.
const STRIP_BYTES: usize = 8 << 10;

/// Some neighbouring columns of all rows, or neighbouring elements of their only one.
struct Strip {
    columns: Range<usize>,
    /// The first element of each, and how many.
    first: usize,
    len: usize,
    /// How many may be read of every row, and written for every window.
    room: usize,
}

impl Strip {
    /// Where they are in a row of the line.
    #[inline(always)]
    fn elements(&self, scan: &ScanRows) -> Range<usize> {
        let start = self.columns.start * scan.len + self.first;
        start..start + self.columns.len() * self.len
    }
}

/// The strips of rows whose columns have `room`.
#[inline(always)]
fn strips<P>(scan: &ScanRows, room: usize) -> impl Iterator<Item = Strip> {
    let (columns, len, most) = (scan.columns, scan.len, const { STRIP_BYTES / size_of::<P>() });
    let vectors = const { 2 * VECTOR_BYTES / size_of::<P>() };
    // Of as many columns or, if there is but one, vectors each.
    let (n, unit) = if columns == 1 { (len, vectors) } else { (columns, 1) };
    let count = (columns * len).div_ceil(most).clamp(1, n.max(1));
    let step = n.div_ceil(count).next_multiple_of(unit).max(1);
    (0..n).step_by(step).map(move |first| {
        let (end, all) = ((first + step).min(n), first + step >= n);
        match columns {
            1 => {
                let len = end - first;
                Strip { columns: 0..1, first, len, room: if all { room - first } else { len } }
            }
            _ => Strip { columns: first..end, first: 0, len, room: len },
        }
    })
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
    /// Room for two rows: what the scan of a block from its start has, and has next. A tile that repeats
    /// some of the one before must not find what that has left.
    pub(crate) prefix: &'a mut [R::Partial],
    /// Where the first of them starts.
    pub(crate) now: usize,
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
        for strip in strips::<R::Partial>(&scan, room) {
            let mut first = 0;
            while first < scan.count {
                let (windows, boundary) = scan.sharing(first);
                self.before::<V>(&windows, boundary, &strip);
                self.after::<V>(&windows, boundary, &strip);
                first = windows.end;
            }
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
        assert!(2 * scan.pitch <= self.prefix.len() && self.now == 0, "room for two rows");
        let (first, end) = (scan.start(0), scan.end(scan.count - 1));
        if first >= end {
            return scan.len;
        }
        let last = scan.columns.saturating_sub(1);
        let corners = [(first, 0), (first, last), (end - 1, 0), (end - 1, last)];
        let reach =
            corners.into_iter().fold(0, |most, (row, column)| most.max(scan.at(row, column)));
        let room = self.src.len().saturating_sub(reach);
        assert!(room >= scan.len, "rows lie in the array");
        match scan.columns {
            1 => room.min(scan.pitch - scan.line),
            _ => scan.len,
        }
    }

    /// Gives `windows` their rows before `boundary`, last to first.
    #[inline(always)]
    fn before<const V: usize>(&mut self, windows: &Range<usize>, boundary: usize, strip: &Strip) {
        let (scan, elements) = (self.scan, strip.elements(&self.scan));
        let (mut row, mut from) = (boundary, scan.to(windows.end - 1));
        let shifted = |to: usize| to + elements.start..to + elements.end;
        self.line[shifted(from)].fill(self.reduce.identity());
        let mut window = windows.end;
        while window > windows.start {
            window -= 1;
            let to = scan.to(window);
            if row <= scan.start(window) && to != from {
                self.line.copy_within(shifted(from), to + elements.start);
            }
            while row > scan.start(window) {
                let one_each = const { are_many::<T, R, V, NUMBERS>() }
                    && window + 1 >= windows.start + ROWS
                    && (0..ROWS).all(|i| scan.start(window - i) + i + 1 == row);
                if one_each {
                    self.onto::<V, ROWS>(row, from, to, strip);
                    window -= ROWS - 1;
                    row -= ROWS;
                } else {
                    self.onto::<V, 1>(row, from, to, strip);
                    row -= 1;
                }
                from = scan.to(window);
            }
            from = scan.to(window);
        }
    }

    /// Gives `windows` their rows from `boundary` on.
    #[inline(always)]
    fn after<const V: usize>(&mut self, windows: &Range<usize>, boundary: usize, strip: &Strip) {
        let scan = self.scan;
        self.prefix[self.now..][strip.elements(&scan)].fill(self.reduce.identity());
        let (mut row, mut window) = (boundary, windows.start);
        while window < windows.end {
            let (to, end) = (scan.to(window), scan.end(window));
            let one_each = const { are_many::<T, R, V, NUMBERS>() }
                && window + ROWS <= windows.end
                && (0..ROWS).all(|i| scan.end(window + i) == row + i + 1);
            if one_each {
                self.next::<V, ROWS, true>(row, to, strip);
                row += ROWS;
                window += ROWS;
                continue;
            }
            while row + 1 < end {
                self.next::<V, 1, false>(row, to, strip);
                row += 1;
            }
            if row < end {
                self.next::<V, 1, true>(row, to, strip);
                row += 1;
            } else if row > boundary {
                self.join(to, strip);
            }
            window += 1;
        }
    }

    /// Makes row `to` of the line what row `from` of it has, after the row before `row` of the input, and
    /// each of the `N - 1` before it what the one after it has, after one more.
    #[inline(always)]
    fn onto<const V: usize, const N: usize>(
        &mut self,
        row: usize,
        from: usize,
        to: usize,
        strip: &Strip,
    ) {
        let Self { reduce, ref mut line, src, scan, .. } = *self;
        // SAFETY: there is room in all rows.
        tiles_of_row!(self, V, row - 1, strip, |at, i, L, trace| unsafe {
            let mut acc = loaded::<V, _, L>(line, from + i);
            for n in 0..N {
                let at = at.wrapping_add_signed(-(n as isize) * scan.step);
                let tile = load_traced::<T, R, L, NUMBERS>(reduce, src, at, &mut trace);
                acc = combined::<T, R, L, NUMBERS>(reduce, tile, acc);
                store_tile(line, to + i - n * scan.pitch, acc);
            }
        });
    }

    /// Adds `N` rows of the input to what the scan has, and with `LAST`, after each, that to a row of the
    /// line, from row `to` on.
    #[inline(always)]
    fn next<const V: usize, const N: usize, const LAST: bool>(
        &mut self,
        row: usize,
        to: usize,
        strip: &Strip,
    ) {
        let Self { reduce, ref mut line, ref mut prefix, src, scan, now, .. } = *self;
        let next = scan.pitch - now;
        // SAFETY: as above.
        tiles_of_row!(self, V, row, strip, |at, i, L, trace| unsafe {
            let mut acc: [R::Partial; L] = load_tile(prefix, now + i);
            for n in 0..N {
                let at = at.wrapping_add_signed(n as isize * scan.step);
                let tile = load_traced::<T, R, L, NUMBERS>(reduce, src, at, &mut trace);
                acc = combined::<T, R, L, NUMBERS>(reduce, acc, tile);
                if LAST {
                    let to = to + i + n * scan.pitch;
                    let folded = loaded::<V, _, L>(line, to);
                    store_tile(line, to, combined::<T, R, L, NUMBERS>(reduce, folded, acc));
                }
            }
            store_tile(prefix, next + i, acc);
        });
        self.now = next;
    }

    /// Adds what the scan has to row `to` of the line.
    #[inline(always)]
    fn join(&mut self, to: usize, strip: &Strip) {
        let elements = strip.elements(&self.scan);
        let folded = &mut self.line[to..][elements.clone()];
        for (folded, &acc) in folded.iter_mut().zip(&self.prefix[self.now..][elements]) {
            *folded = self.reduce.combine(*folded, acc);
        }
    }
}

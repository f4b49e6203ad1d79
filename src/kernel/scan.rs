//! Folding the rows of long windows in two scans: see [`Scan`](super::plan::Scan).

use std::ops::Range;

use smallvec::SmallVec;

use super::ScanRows;
use super::tile::{combined, in_tiles, load_traced};
use crate::reduce::Reduce;
use crate::simd::{Work, load_and_store, load_tile, prefetch_next, store_tile};

/// Folds rows of elements into one row of partial results per window.
///
/// A block's scan from its end leaves in the line what every window has of that block; the scan
/// of the next block from its start adds the rest.
pub(crate) struct ScanFold<'a, T, R: Reduce<T>, const NUMBERS: bool> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) scan: ScanRows,
    pub(crate) line: &'a mut [R::Partial],
    /// With `NUMBERS`, a vector that takes the trace of all elements. Looking at the trace in here
    /// would make the compiler sum the halves of that look apart from the first element on.
    pub(crate) met: &'a mut [R::Partial],
}

impl<T: Copy, R: Reduce<T>, const NUMBERS: bool> Work for ScanFold<'_, T, R, NUMBERS> {
    const FOR_ALL: bool = !NUMBERS;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let (scan, room) = (self.scan, self.room());
        let mut groups: SmallVec<[(Range<usize>, usize); 2]> = SmallVec::new();
        while groups.last().is_none_or(|(windows, _)| windows.end < scan.count) {
            groups.push(scan.sharing(groups.last().map_or(0, |(windows, _)| windows.end)));
        }
        macro_rules! tiles {
            ($widths:ident) => {
                in_tiles!($widths, size_of::<R::Partial>(), scan.len, room, true, |at, L| {
                    let mut met = [self.reduce.identity(); L];
                    for &(ref windows, boundary) in &groups {
                        self.before::<L>(windows, boundary, at, &mut met);
                        self.after::<V, L>(windows, boundary, at, &mut met);
                    }
                    if NUMBERS {
                        for l in 0..L {
                            self.met[l] = self.reduce.traced(self.met[l], met[l]);
                        }
                    }
                })
            };
        }
        // A sum waits for the one before it: there are two at a time.
        if const { R::FREQUENT && !R::IDEMPOTENT && V > 16 } {
            tiles!(two);
        } else {
            tiles!(one);
        }
        if scan.after > 0 {
            for window in 0..scan.count {
                let to = scan.line + window * scan.pitch + scan.len;
                self.line[to..to + scan.after].fill(self.reduce.identity());
            }
        }
    }
}

impl<T: Copy, R: Reduce<T>, const NUMBERS: bool> ScanFold<'_, T, R, NUMBERS> {
    /// Columns that may be read of every row, and written for every window: as many as there are,
    /// or more.
    #[inline(always)]
    fn room(&self) -> usize {
        let scan = self.scan;
        assert!(scan.line + scan.len <= scan.pitch && scan.count * scan.pitch <= self.line.len());
        let (first, end) = (scan.start(0), scan.end(scan.count - 1));
        if first >= end {
            return scan.len;
        }
        let mut reach = [first, end - 1].map(|row| scan.row(row));
        reach.sort_unstable();
        let room = self.src.len().saturating_sub(reach[1]);
        assert!(room >= scan.len, "rows lie in the array");
        room.min(scan.pitch - scan.line)
    }

    /// Gives `windows` their rows before `boundary`, last to first.
    #[inline(always)]
    fn before<const L: usize>(
        &mut self,
        windows: &Range<usize>,
        boundary: usize,
        at: usize,
        met: &mut [R::Partial; L],
    ) {
        let Self { reduce, scan, .. } = *self;
        let mut acc = [reduce.identity(); L];
        let (mut window, mut row) = (windows.end, boundary);
        while window > windows.start {
            window -= 1;
            while row > scan.start(window) {
                row -= 1;
                let tile = self.load(scan.row(row) + at, met);
                acc = combined::<T, R, L, NUMBERS>(reduce, tile, acc);
            }
            // Nothing is there if no row is left.
            let (mut from, mut to) = (scan.row(row).wrapping_add(at), scan.to(window) + at);
            self.store(to, acc);
            // The others have one row more each, but for those that start in the padding.
            let one_by_one = scan.stride == 1 && scan.starts_at(window, row);
            let rest = if one_by_one { (window - windows.start).min(row) } else { 0 };
            for _ in 0..rest / 4 {
                let d = self.load(from.wrapping_add_signed(-scan.step), met);
                let c = self.load(from.wrapping_add_signed(-2 * scan.step), met);
                let b = self.load(from.wrapping_add_signed(-3 * scan.step), met);
                from = from.wrapping_add_signed(-4 * scan.step);
                let a = self.load(from, met);
                let d = combined::<T, R, L, NUMBERS>(reduce, d, acc);
                let c = combined::<T, R, L, NUMBERS>(reduce, c, d);
                let b = combined::<T, R, L, NUMBERS>(reduce, b, c);
                acc = combined::<T, R, L, NUMBERS>(reduce, a, b);
                self.store(to - scan.pitch, d);
                self.store(to - 2 * scan.pitch, c);
                self.store(to - 3 * scan.pitch, b);
                to -= 4 * scan.pitch;
                self.store(to, acc);
            }
            (window, row) = (window - rest / 4 * 4, row - rest / 4 * 4);
        }
    }

    /// Gives `windows` their rows from `boundary` on.
    #[inline(always)]
    fn after<const V: usize, const L: usize>(
        &mut self,
        windows: &Range<usize>,
        boundary: usize,
        at: usize,
        met: &mut [R::Partial; L],
    ) {
        let Self { reduce, scan, .. } = *self;
        let mut acc = [reduce.identity(); L];
        let (mut window, mut row) = (windows.start, boundary);
        while window < windows.end {
            while row < scan.end(window) {
                let tile = self.load(scan.row(row) + at, met);
                acc = combined::<T, R, L, NUMBERS>(reduce, acc, tile);
                row += 1;
            }
            let (mut from, mut to) = (scan.row(row).wrapping_add(at), scan.to(window) + at);
            self.add::<V, L>(to, acc);
            window += 1;
            // The others have one row more each, but for those that end in the padding.
            let rest = (windows.end - window).min(scan.rows - row);
            let rest = if scan.stride == 1 && row > boundary { rest } else { 0 };
            for _ in 0..rest / 4 {
                let a = self.load(from, met);
                let b = self.load(from.wrapping_add_signed(scan.step), met);
                let c = self.load(from.wrapping_add_signed(2 * scan.step), met);
                let d = self.load(from.wrapping_add_signed(3 * scan.step), met);
                from = from.wrapping_add_signed(4 * scan.step);
                let a = combined::<T, R, L, NUMBERS>(reduce, acc, a);
                let b = combined::<T, R, L, NUMBERS>(reduce, a, b);
                let c = combined::<T, R, L, NUMBERS>(reduce, b, c);
                acc = combined::<T, R, L, NUMBERS>(reduce, c, d);
                self.add::<V, L>(to + scan.pitch, a);
                self.add::<V, L>(to + 2 * scan.pitch, b);
                self.add::<V, L>(to + 3 * scan.pitch, c);
                to += 4 * scan.pitch;
                self.add::<V, L>(to, acc);
            }
            (window, row) = (window + rest / 4 * 4, row + rest / 4 * 4);
        }
    }

    /// `L` elements of a row from position `at` on, of those that [`room`](Self::room) counts.
    #[inline(always)]
    fn load<const L: usize>(&self, at: usize, met: &mut [R::Partial; L]) -> [R::Partial; L] {
        // Rows are pages apart, where nothing but this asks for the next tile in time.
        prefetch_next(self.src, at.wrapping_add(L));
        // SAFETY: there is room in all rows of these windows.
        unsafe { load_traced::<T, R, L, NUMBERS>(self.reduce, self.src, at, met) }
    }

    /// Makes `tile` what a window has from element `to` of the line on.
    #[inline(always)]
    fn store<const L: usize>(&mut self, to: usize, tile: [R::Partial; L]) {
        // SAFETY: there is room for all windows.
        unsafe { store_tile(self.line, to, tile) };
    }

    /// Adds `tile` to what a window has from element `to` of the line on.
    #[inline(always)]
    fn add<const V: usize, const L: usize>(&mut self, to: usize, tile: [R::Partial; L]) {
        // SAFETY: as above.
        let folded: [R::Partial; L] = unsafe { load_tile(self.line, to) };
        if const { V < 64 } {
            // The compiler would store under a mask what is larger, which takes some processors long.
            load_and_store();
        }
        self.store(to, combined::<T, R, L, NUMBERS>(self.reduce, folded, tile));
    }
}

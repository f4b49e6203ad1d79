//! Folding the rows of long windows in two scans: see [`Scan`](super::plan::Scan).

use super::ScanRows;
use super::tile::in_tiles;
use crate::reduce::Reduce;
use crate::simd::{Work, prefetch};

/// Folds rows of elements into one row of partial results per window.
///
/// A block's scan from its end leaves in the line what every window has of that block; the scan
/// of the next block from its start adds the rest.
pub(crate) struct ScanFold<'a, T, R: Reduce<T>> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) scan: &'a ScanRows,
    pub(crate) line: &'a mut [R::Partial],
}

impl<T: Copy, R: Reduce<T>> Work for ScanFold<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, src, scan, line } = self;
        let lowest = if scan.step < 0 { 0 } else { scan.rows - 1 };
        let last = scan.src.wrapping_add_signed(lowest as isize * scan.step);
        let slack = scan.pitch.saturating_sub(scan.line);
        let room = src.len().saturating_sub(last).min(slack);
        in_tiles!(pairs, size_of::<R::Partial>(), scan.len, room, true, |at, L| {
            let tile = |row: usize| {
                let start = scan.src.wrapping_add_signed(row as isize * scan.step) + at;
                // Rows are pages apart, where nothing but this asks for the next tile in time.
                prefetch(src, start + L);
                &src[start..][..L]
            };
            let mut windows = 0..0;
            while windows.end < scan.count {
                let (group, boundary) = scan.sharing(windows.end);
                windows = group;
                let mut acc = [reduce.identity(); L];
                let mut row = boundary;
                for window in windows.clone().rev() {
                    let start = scan.start(window);
                    while row > start {
                        row -= 1;
                        let tile = tile(row);
                        for l in 0..L {
                            acc[l] = reduce.combine(reduce.load(tile[l]), acc[l]);
                        }
                    }
                    let to = scan.line + window * scan.pitch + at;
                    line[to..to + L].copy_from_slice(&acc);
                }
                let mut acc = [reduce.identity(); L];
                let mut row = boundary;
                for window in windows.clone() {
                    let end = scan.end(window);
                    if end <= boundary {
                        continue;
                    }
                    while row < end {
                        let tile = tile(row);
                        for l in 0..L {
                            acc[l] = reduce.combine(acc[l], reduce.load(tile[l]));
                        }
                        row += 1;
                    }
                    let to = scan.line + window * scan.pitch + at;
                    let line = &mut line[to..to + L];
                    for l in 0..L {
                        line[l] = reduce.combine(line[l], acc[l]);
                    }
                }
            }
        });
        if scan.after > 0 {
            for window in 0..scan.count {
                let to = scan.line + window * scan.pitch + scan.len;
                line[to..to + scan.after].fill(reduce.identity());
            }
        }
    }
}

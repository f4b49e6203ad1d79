//! A band: neighbouring output rows that one kernel call folds, and one slides along.
//!
//! Rows of small planes take less time than a call, so a band holds as many as fit in the line.

use smallvec::SmallVec;

use super::streamed::Run;

/// Rows that are folded at a time: more would leave the cache's associativity behind.
pub(crate) const ROWS_AT_ONCE: usize = 16;

/// One row of a window, relative to the window's first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowTap {
    /// Elements of the input array between them.
    pub(crate) offset: isize,
    /// Distance in the plane from the unclipped window's first row.
    pub(crate) distance: usize,
}

/// Rows of the input that are folded into a row of the line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowFold {
    /// Where in the line, and how many elements behind it are to be the identity: vectors may have
    /// written over the padding.
    pub(crate) line: usize,
    pub(crate) after: usize,
    /// Position in the input that the taps are relative to.
    pub(crate) src: usize,
    /// The taps, in [`Band::taps`].
    pub(crate) first: usize,
    pub(crate) end: usize,
    /// The largest offset of a tap.
    pub(crate) reach: isize,
    /// Whether to fold onto what is there, or in its place.
    pub(crate) onto: bool,
}

impl RowFold {
    /// Whether both have the same taps.
    #[inline(always)]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.first, self.end, self.onto) == (other.first, other.end, other.onto)
    }
}

/// One output row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutputRow {
    /// Where its folded row starts: in the line, or in the input if that needs no folding.
    pub(crate) line: usize,
    /// Offset of the first output.
    pub(crate) out: isize,
    /// Outputs from there on that the same band writes, in this order and without gaps: until
    /// then, a vector may write more than it should.
    pub(crate) room: usize,
    /// Flat position in the plane of column 0 of the window's first row.
    pub(crate) index: i64,
    /// Rows that the divisor counts.
    pub(crate) count: i64,
    /// Position in the plane of the first row after the padding.
    pub(crate) first: usize,
    /// Whether its windows have no row.
    pub(crate) empty: bool,
}

/// Output rows and the rows that are folded for them.
#[derive(Debug, Default)]
pub(crate) struct Band {
    pub(crate) taps: SmallVec<[RowTap; 4]>,
    pub(crate) folds: SmallVec<[RowFold; 2]>,
    pub(crate) rows: SmallVec<[OutputRow; 2]>,
    /// How far the input and output of this band lie from where they were when it was listed:
    /// planes that follow one another have the same bands.
    pub(crate) src_base: isize,
    pub(crate) out_base: isize,
    /// The axes whose taps were listed last: most rows have the same.
    last: SmallVec<[AxisTaps; 2]>,
    listed: usize,
    reach: isize,
}

/// The taps of one row axis: how many, their stride in memory, in the plane, and the distance of
/// the first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AxisTaps {
    pub(crate) count: usize,
    pub(crate) step: isize,
    pub(crate) plane_step: usize,
    pub(crate) skipped: usize,
}

/// [`Band::src_base`] for rows in the input, and [`Band::out_base`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bases {
    pub(crate) line: isize,
    pub(crate) out: isize,
}

impl Bases {
    #[inline(always)]
    pub(crate) fn shift(self, row: &OutputRow) -> OutputRow {
        let line = row.line.wrapping_add_signed(self.line);
        OutputRow { line, out: row.out + self.out, ..*row }
    }
}

impl Band {
    /// What positions of rows count from; `in_place` rows are in the input.
    pub(crate) fn bases(&self, in_place: bool) -> Bases {
        Bases { line: if in_place { self.src_base } else { 0 }, out: self.out_base }
    }

    pub(crate) fn clear(&mut self) {
        (self.src_base, self.out_base) = (0, 0);
        self.folds.clear();
        self.rows.clear();
    }

    /// Folds the rows that `axes` name (outermost first), from position `src` on, into the line, `after`
    /// of which behind them are padding.
    pub(crate) fn fold(&mut self, [line, after]: [usize; 2], src: usize, axes: &[AxisTaps]) {
        self.list(axes);
        let (mut first, reach) = (self.listed, self.reach);
        while self.taps.len() - first > ROWS_AT_ONCE {
            let (end, onto) = (first + ROWS_AT_ONCE, first > self.listed);
            // The padding is left to the last part.
            self.folds.push(RowFold { line, after: 0, src, first, end, reach, onto });
            first = end;
        }
        let (end, onto) = (self.taps.len(), first > self.listed);
        self.folds.push(RowFold { line, after, src, first, end, reach, onto });
    }

    /// Makes the last part of the table the taps of `axes`.
    fn list(&mut self, axes: &[AxisTaps]) {
        let alike = |(a, b): (&AxisTaps, &AxisTaps)| {
            // Rows that are one row of memory have one step there, and others in the plane.
            (a.count == b.count)
                & (a.skipped == b.skipped)
                & (a.step == b.step)
                & (a.plane_step == b.plane_step)
        };
        if !self.taps.is_empty() && self.last.iter().zip(axes).all(alike) {
            return;
        }
        self.last.clear();
        self.last.extend_from_slice(axes);
        // Folds of this band may refer to the taps before; those of earlier bands are done.
        if self.folds.is_empty() {
            self.taps.clear();
        }
        self.listed = self.taps.len();
        self.taps.push(RowTap { offset: 0, distance: 0 });
        for axis in axes {
            let outer = self.taps.len();
            for i in self.listed..outer {
                let tap = self.taps[i];
                for j in 0..axis.count {
                    let offset = tap.offset + j as isize * axis.step;
                    let distance = tap.distance + axis.skipped + j * axis.plane_step;
                    self.taps.push(RowTap { offset, distance });
                }
            }
            // The next axis extends these; those without it are done with.
            self.taps.drain(self.listed..outer);
        }
        let offsets = self.taps[self.listed..].iter().map(|tap| tap.offset);
        self.reach = offsets.max().unwrap_or(0);
    }

    /// Notes for every row how far its vectors may write, `outputs` of a row being without gaps.
    pub(crate) fn find_room(&mut self, outputs: usize) {
        let mut next: Option<(isize, usize)> = None;
        for row in self.rows.iter_mut().rev() {
            let end = row.out + outputs as isize;
            let beyond = next.filter(|(out, _)| *out == end).map_or(0, |(_, room)| room);
            row.room = outputs + beyond;
            next = Some((row.out, row.room));
        }
    }
    /// All results, if they follow one another; those of each row begin `first` elements after it.
    pub(crate) fn run(&self, first: isize) -> Option<Run> {
        let (upper, lower) = (self.rows.first()?, self.rows.last()?);
        let (at, len) = (upper.out, upper.room);
        let follow = len > 0 && lower.out + lower.room as isize == at + len as isize;
        follow.then_some(Run { at: at + self.out_base + first, len })
    }
}

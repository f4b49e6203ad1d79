//! Sliding along folded rows: which stretch of a row each output reduces.

use std::ops::Range;

use smallvec::SmallVec;

use super::band::OutputRow;
use super::chunk::Chunk;
use super::doubled;
use crate::reduce::Divisor;
use crate::window::{Axis, Rule, Taps};

/// Windows of this many neighbouring columns that share no work are reduced in parts.
pub(crate) const LONG: usize = 64;

/// Independent partial results that keep the adders busy, and errors small, in a long window.
pub(crate) const PARTS: usize = 16;

/// Where the taps of a window are, from where it starts.
pub(crate) type WindowTaps = SmallVec<[usize; 16]>;

/// Neighbouring outputs whose windows are alike: equal taps, and a common divisor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// First output along the axis.
    pub(crate) output: usize,
    pub(crate) outputs: usize,
    /// Column of the line that the first output's first tap is.
    pub(crate) start: usize,
    /// Column of the plane that it is; negative in the left padding.
    pub(crate) column: isize,
    pub(crate) taps: usize,
    /// Columns between taps.
    pub(crate) step: usize,
    /// Columns that the divisor counts.
    pub(crate) count: i64,
    /// Whether to reduce in [`PARTS`].
    pub(crate) in_parts: bool,
}

impl Stretch {
    /// Its outputs along the axis.
    pub(crate) fn range(&self) -> Range<usize> {
        self.output..self.output + self.outputs
    }
}

/// Outputs along folded rows, the same for every row of a band.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slide<'a> {
    pub(crate) axis: &'a Axis,
    pub(crate) chunk: &'a Chunk,
    pub(crate) stretches: &'a [Stretch],
    /// All outputs as one stretch, with [`Stretch::count`] of each, if stretches differ in nothing else, or
    /// the stretches, and none.
    pub(crate) alike: &'a [Stretch],
    pub(crate) counts: &'a [i64],
    pub(crate) lanes: usize,
    /// Columns between the windows of a stretch.
    pub(crate) stride: usize,
    /// Whether folded rows follow one another as windows do.
    pub(crate) rows_in_one: bool,
    /// Elements between columns in the input, and between outputs.
    pub(crate) in_stride: isize,
    pub(crate) out_stride: isize,
    pub(crate) divisor: Divisor,
    pub(crate) levels: Levels,
    /// Whether windows are reduced across columns, with room for that where levels would be.
    pub(crate) across: bool,
    /// Where the line has room for levels, of how many rows at a time, and for each of them.
    pub(crate) levels_at: usize,
    pub(crate) level_rows: usize,
    pub(crate) level_len: usize,
    pub(crate) pitch: usize,
    /// Whether there are no lanes but the outputs: not even in blocks, of which one may be a single
    /// lane.
    pub(crate) no_lanes: bool,
    /// Whether rows are in the input.
    pub(crate) in_place: bool,
    /// Whether all elements of the rows are surely numbers.
    pub(crate) numbers: bool,
    /// Set if some windows of the problem have no element: the elements of a plane.
    pub(crate) empty: Option<usize>,
}

/// How a stretch is walked: `n` results side by side in each of `runs` runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    /// Element of the row that result 0 of run 0 starts at.
    pub(crate) start: usize,
    pub(crate) n: usize,
    pub(crate) runs: usize,
    /// Elements of the row between runs.
    pub(crate) run_step: usize,
    /// Output elements between runs.
    pub(crate) out_step: isize,
    /// Offset of result 0 of run 0 from the row's first output.
    pub(crate) out: isize,
}

/// How far the windows of neighbouring results lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apart {
    One,
    Two,
    Four,
    /// As far as the stride says.
    Any,
    /// Results side by side are lanes: every output is a run of its own.
    Lanes,
}

impl Slide<'_> {
    /// How results fill vectors. `flat` says whether lanes of neighbouring columns may be one run,
    /// `narrow` whether elements are so small that picking single ones costs more than computing
    /// three times too many.
    pub(crate) fn apart(&self, flat: bool, narrow: bool) -> Apart {
        let contiguous = self.out_stride == self.lanes as isize;
        match self.stride {
            1 if contiguous && (flat || self.lanes == 1) => Apart::One,
            _ if !contiguous || self.lanes > 1 => Apart::Lanes,
            2 => Apart::Two,
            4 if narrow => Apart::Four,
            _ => Apart::Any,
        }
    }

    /// Whether results are of few lanes, and follow one another.
    pub(crate) fn is_thin(&self, most: usize) -> bool {
        self.lanes <= most && self.out_stride == self.lanes as isize
    }

    /// The runs of a stretch.
    #[inline(always)]
    pub(crate) fn runs(&self, stretch: &Stretch, apart: Apart) -> Runs {
        let lanes = self.lanes;
        let start = stretch.start * lanes;
        let out = stretch.output as isize * self.out_stride;
        if apart == Apart::Lanes {
            let (run_step, out_step) = (self.stride * lanes, self.out_stride);
            return Runs { start, n: lanes, runs: stretch.outputs, run_step, out_step, out };
        }
        Runs { start, n: stretch.outputs * lanes, runs: 1, run_step: 0, out_step: 0, out }
    }

    /// Where what windows are put together from is, from where they start, if that is levels: those
    /// begin where the first of the `rows` does.
    pub(crate) fn level_taps(&self, rows: &[OutputRow]) -> WindowTaps {
        let mut taps = WindowTaps::new();
        let (Some(first), 1..) = (rows.first(), self.levels.count) else { return taps };
        let step = self.levels.step * self.lanes;
        for group in self.levels.groups() {
            let base = match group.level {
                0 => 0,
                level => self.levels_at + (level as usize - 1) * self.level_len - first.line,
            };
            let long = self.levels.radix.pow(group.level);
            taps.extend((0..group.count).map(|i| base + (group.tap + i * long) * step));
        }
        taps
    }

    /// Results that a row may write from `out` on.
    #[inline(always)]
    pub(crate) fn room(&self, row: &OutputRow, out: isize) -> usize {
        let first = self.chunk.outputs.start as isize * self.out_stride;
        row.room.saturating_sub((out - first).unsigned_abs())
    }

    /// What results of a row are divided by if their divisor counts so many columns.
    #[inline(always)]
    pub(crate) fn divisor(&self, columns: i64, row: &OutputRow) -> i64 {
        self.divisor.of(columns.saturating_mul(row.count))
    }
}

/// Where the taps of windows of so many columns are, `step` elements apart. Not part of the kernels that
/// ask for it, of which there are hundreds.
pub(crate) fn single_taps(columns: usize, step: usize) -> WindowTaps {
    (0..columns).map(|tap| tap.wrapping_mul(step)).collect()
}

/// The stretches of a chunk, in the order of the outputs.
///
/// In which order a window's elements are combined depends on the window alone, never on the
/// lanes or on how the outputs are cut, so that every memory layout gives the same bits.
pub(crate) fn stretches(
    axis: &Axis,
    chunk: &Chunk,
    divisor: Divisor,
    into: &mut SmallVec<[Stretch; 1]>,
) {
    into.clear();
    let one_by_one = one_by_one(axis) || !chunk.padded;
    let whole = if one_by_one { 0..0 } else { axis.whole_windows() };
    let mut rest = chunk.outputs.clone();
    while let Some(o) = rest.next() {
        let taps = axis.taps(o);
        let count = axis.counted(o, divisor);
        let (column, taps, step) = match axis.rule {
            Rule::Sliding { kernel, dilation, .. } if !one_by_one => {
                (axis.start(o), kernel, dilation)
            }
            _ => (taps.first as isize, taps.count, taps.step),
        };
        match into.last_mut() {
            Some(last) if !one_by_one && last.count == count => last.outputs += 1,
            _ => into.push(Stretch {
                output: o,
                outputs: 1,
                start: (column - chunk.first_column).unsigned_abs(),
                column,
                taps,
                step,
                count,
                in_parts: one_by_one && in_parts(&Taps { first: 0, count: taps, step }),
            }),
        }
        if let (true, Some(last)) = (whole.contains(&o), into.last_mut()) {
            last.outputs += whole.end.min(rest.end) - rest.start;
            rest.start = whole.end.min(rest.end);
        }
    }
}

/// All outputs as one stretch if several differ only in what is counted, which `counts` becomes, and
/// windows are `stride` columns apart throughout; `counts` is empty if not.
pub(crate) fn all_in_one(
    stretches: &[Stretch],
    stride: usize,
    counts: &mut Vec<i64>,
) -> Option<Stretch> {
    counts.clear();
    let goes_on = |pair: &[Stretch]| {
        let [one, next] = pair else { return false };
        let alike = (one.taps, one.step, one.in_parts) == (next.taps, next.step, false);
        alike && one.start + one.outputs * stride == next.start
    };
    let first = stretches.first().filter(|_| stretches.len() > 1)?;
    if !stretches.windows(2).all(goes_on) {
        return None;
    }
    counts.extend(stretches.iter().flat_map(|one| std::iter::repeat_n(one.count, one.outputs)));
    Some(Stretch { outputs: counts.len(), ..*first })
}

/// Whether a window that is clipped by itself is reduced in [`PARTS`].
pub(super) fn in_parts(taps: &Taps) -> bool {
    taps.count >= LONG && taps.step == 1
}

/// Whether windows are clipped to the axis one by one: those that share too little work.
pub(super) fn one_by_one(axis: &Axis) -> bool {
    match axis.rule {
        Rule::Sliding { kernel, stride, dilation, .. } => {
            kernel >= LONG && dilation == 1 && (stride > 4 || axis.outputs() == 1)
        }
        Rule::Adaptive | Rule::Listed(_) => true,
    }
}

/// Taps that are `step` apart, counted in windows of a level.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    /// Level 0 are the columns; a window of level `l` is `radix^l` taps long.
    pub(crate) level: u32,
    /// The first tap of the window that it covers.
    pub(crate) tap: usize,
    pub(crate) count: usize,
}

/// Long windows are put together from shorter ones that their neighbours use too: a level is the
/// reduction of `radix` neighbours of the level below.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    pub(crate) count: u32,
    pub(crate) radix: usize,
    /// Columns between taps.
    pub(crate) step: usize,
    pub(super) kernel: usize,
    overlap: bool,
}

impl Levels {
    /// Levels at most, so that a window has no more than four groups.
    const MOST: u32 = 3;

    /// The largest radix: with the most levels of it, a level is longer than usual windows are.
    const LARGEST: usize = 8;

    /// Levels of pairs at most, and what those beyond a vector take longer than others.
    const MOST_OF_PAIRS: u32 = 6;
    const BEYOND: usize = 6;

    /// Windows too short for levels.
    pub(super) const SHORT: usize = 8;

    /// No levels: windows are reduced tap by tap.
    pub(crate) const NONE: Self = Self { count: 0, radix: 1, step: 1, kernel: 0, overlap: false };

    /// The cheapest levels, by loads and stores per output; windows may `overlap` where meeting an
    /// element twice changes nothing. One level may be made of no more neighbours than that by doublings.
    pub(crate) fn new(axis: &Axis, overlap: bool, most_doubled: Option<usize>) -> Self {
        let Rule::Sliding { kernel, stride, dilation: step, .. } = axis.rule else {
            return Self::NONE;
        };
        // A single window has no neighbour to share them with.
        if one_by_one(axis) || kernel < Self::SHORT || axis.outputs() == 1 {
            return Self::NONE;
        }
        let of = |count, radix| Self { count, radix, step, kernel, overlap };
        let doubled = most_doubled.map(|most| doubled::taps(kernel, most));
        let taps_of =
            |levels: &Self| levels.groups().iter().map(|group| group.count).sum::<usize>();
        if !overlap {
            // Sums are of pairs, and pairs of those: each of a vector's takes a load, or none.
            let least = doubled.filter(|_| stride == 1).map_or(0, usize::ilog2);
            let most = doubled.map_or(0, usize::ilog2);
            let some = (least..=Self::MOST_OF_PAIRS).filter(|&count| 1 << count <= kernel);
            let cost = |levels: &Self| {
                let beyond = levels.count.saturating_sub(most) as usize;
                let doublings = levels.count as usize * 2 + beyond * Self::BEYOND;
                taps_of(levels) + stride.saturating_mul(doublings)
            };
            return some.map(|count| of(count, 2)).min_by_key(cost).unwrap_or(Self::NONE);
        }
        let doubled = doubled.filter(|_| step == 1);
        let some = (1..=Self::MOST)
            .flat_map(|count| (2..=Self::LARGEST).map(move |radix| of(count, radix)))
            .filter(|levels| levels.radix.pow(levels.count) <= kernel);
        let some = some.chain(doubled.map(|radix| of(1, radix)));
        let cost = |levels: &Self| {
            let taps = taps_of(levels);
            if levels.count == 1 && Some(levels.radix) == doubled {
                return taps + stride.saturating_mul(2 + levels.radix.ilog2() as usize);
            }
            // A maximum takes about as long as a load, and there are fewer of them than loads.
            taps + stride.saturating_mul(levels.count as usize * (levels.radix + 1))
        };
        std::iter::once(of(0, 1)).chain(some).min_by_key(cost).unwrap_or(Self::NONE)
    }

    /// Tiles that columns of lanes are kept in while windows are slid across them: those of a window, or,
    /// for every level of pairs, as many as a power of two.
    pub(super) fn room_across(&self) -> usize {
        match self.overlap {
            true => self.kernel,
            false => self.count as usize * self.kernel.next_power_of_two(),
        }
    }

    /// How a window is put together, from its first tap to its last.
    pub(crate) fn groups(&self) -> SmallVec<[Group; 4]> {
        let mut groups = SmallVec::new();
        let (mut tap, mut level) = (0, self.count);
        loop {
            let long = self.radix.pow(level);
            let count = (self.kernel - tap) / long;
            if count > 0 {
                groups.push(Group { level, tap, count });
            }
            tap += count * long;
            if tap == self.kernel {
                return groups;
            }
            if self.overlap {
                groups.push(Group { level, tap: self.kernel - long, count: 1 });
                return groups;
            }
            level -= 1;
        }
    }
}

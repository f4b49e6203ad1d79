//! The normal form of a pooling problem: free axes, pooled axes, and the lanes.
//!
//! *Lanes* are neighbouring results that are computed alike and so fill vectors. Where a free axis
//! has neighbours in memory (NHWC), it is the lanes. Where the last pooled axis has, and is long
//! (NCHW), the outputs along it are, and there is one lane per column. Small planes are too short
//! for that: there a block of planes becomes the lanes, gathered into scratch and scattered back.

use smallvec::SmallVec;

use super::across::DOUBLINGS;
use super::argcolumns;
use super::band::ROWS_AT_ONCE;
use super::choice::{choose_lanes, has_lanes, lie_apart, line_bytes, share_nothing};
use super::chunk::{Chunk, chunks_of, holds_padding};
use super::columns::{SIDE, overlap};
use super::line::{Levels, in_parts, one_by_one};
use super::tile::VECTOR_BYTES;
use super::tiled::MOST_ADDED;
use crate::geometry::{Dims, Geometry};
use crate::reduce::Divisor;
use crate::window::{Axis, Rule, Taps};

/// Folded rows should leave room in a 32 KiB first-level cache for the rows they are folded from.
pub(super) const LINE_BYTES: usize = 16 << 10;

/// Folded rows of a two-scan, which reads every input row twice: well inside a second-level cache; or as
/// many as half of one holds where columns have lanes, which are the more neighbours for it.
const SCAN_BYTES: [usize; 2] = [256 << 10, 512 << 10];

/// Rows whose levels are computed together: those, and the levels, in a first-level cache.
const LEVEL_BYTES: usize = 4 << 10;

/// Lanes of at least this many bytes are worth two scans.
const WIDE_LANES_BYTES: usize = 256;

/// Rows of pairs of at least this many bytes are worth more than one call for all of them.
const LONG_PAIRS_BYTES: usize = 192;

/// An axis that is not pooled, with its strides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Free {
    pub(crate) len: usize,
    pub(crate) input: isize,
    pub(crate) output: isize,
}

/// A pooled axis with its strides: in memory, and in the flat order of the plane.
#[derive(Debug, Clone)]
pub(crate) struct Pooled<'g> {
    pub(crate) axis: &'g Axis,
    pub(crate) input: isize,
    pub(crate) output: isize,
    pub(crate) plane: usize,
    pub(crate) output_plane: usize,
    /// For a row axis, the rows of every output: looked up once per output row.
    pub(crate) rows: Vec<OutputRows>,
}

/// The taps of one output on a row axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutputRows {
    pub(crate) taps: Taps,
    /// Distance in the plane from the unclipped window's start to the first tap.
    pub(crate) skipped: usize,
    /// Position in the plane of the unclipped window's start.
    pub(crate) index: i64,
    /// What the divisor counts.
    pub(crate) count: i64,
    /// Position in the plane of the first tap after the left padding.
    pub(crate) first: usize,
}

impl Pooled<'_> {
    /// One column of one window.
    fn single() -> Self {
        Self {
            axis: Axis::single(),
            input: 0,
            output: 0,
            plane: 1,
            output_plane: 1,
            rows: Vec::new(),
        }
    }

    fn output_rows(&self, divisor: Divisor) -> Vec<OutputRows> {
        let rows = |o| {
            let (taps, start) = (self.axis.taps(o), self.axis.start(o));
            OutputRows {
                taps,
                skipped: (taps.first as isize - start).unsigned_abs().saturating_mul(self.plane),
                index: (start as i64).saturating_mul(self.plane as i64),
                count: self.axis.counted(o, divisor),
                first: self.axis.first_after_padding(o).saturating_mul(self.plane),
            }
        };
        (0..self.axis.outputs()).map(rows).collect()
    }
}

/// What a kernel is like, for the plan to suit it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// Bytes of an element in memory, and in a line.
    pub(crate) element: usize,
    pub(crate) line_element: usize,
    /// Elements of a line that the widest last tile may write too much.
    pub(crate) vector: usize,
    /// Whether it can slide along rows of the input as they are.
    pub(crate) in_place: bool,
    /// Whether meeting an element twice changes nothing.
    pub(crate) overlap: bool,
    /// The most neighbours that it can reduce by doublings, or, if meeting an element twice changes
    /// something, that it always does.
    pub(crate) doubled: Option<usize>,
    /// Whether it can fold the rows of long windows in two scans.
    pub(crate) scans: bool,
    /// Whether it can reduce windows straight from the input, without a line.
    pub(crate) direct: bool,
    /// Whether it can do so if windows of lanes are small.
    pub(crate) windows: bool,
    /// Whether so many ask for it that it can do so also if windows of lanes overlap a little, and
    /// slide across columns of lanes.
    pub(crate) frequent: bool,
    /// Whether it can slide along rows of the input as they are, if windows lie apart.
    pub(crate) turns: bool,
    /// The same, if windows are so long that they are reduced in parts.
    pub(crate) parts: bool,
}

/// Long windows of neighbouring rows, folded in two scans: every window is the end of one block of
/// `kernel` rows and the start of the next, so running reductions of the blocks from either side
/// give all windows (van Herk, A fast algorithm for local minimum and maximum filters, 1992; Gil
/// and Werman, Computing 2-D min, median and max filters, 1993). Blocks are counted from the first
/// window on, so that the order of summation depends on the window alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    /// Output rows that are folded together: one block, which makes the line as wide as can be.
    rows: usize,
}

impl Scan {
    /// Windows from number `first` on whose blocks no other windows meet in, no more than `most`.
    pub(crate) fn windows(&self, first: usize, most: usize) -> usize {
        let windows = |first: usize| {
            let start = first * self.stride;
            (start.next_multiple_of(self.kernel) - start) / self.stride + 1
        };
        let mut count = windows(first);
        while count + windows(first + count) <= most {
            count += windows(first + count);
        }
        count.min(most)
    }

    /// Whether a window of `kernel` rows costs more than three passes over the rows between two, and
    /// no kernel adds that many one by one: sums are the same bits in every layout.
    fn new(rows: &[Pooled<'_>], overlap: bool) -> Option<Self> {
        let [row] = rows else { return None };
        let few = |stride: usize| stride.saturating_mul(4).saturating_add(2);
        let added = if overlap { 0 } else { MOST_ADDED };
        match row.axis.rule {
            Rule::Sliding { kernel, stride, dilation: 1, .. }
                if kernel > few(stride).max(added) && row.axis.outputs() > 1 =>
            {
                let rows = kernel.min(row.axis.len()) / stride;
                let rows = rows.clamp(1, row.axis.outputs());
                Some(Self { kernel, stride, rows })
            }
            _ => None,
        }
    }
}

/// A pooling problem in normal form.
#[derive(Debug)]
pub(crate) struct Plan<'g> {
    pub(crate) free: Dims<Free>,
    pub(crate) rows: SmallVec<[Pooled<'g>; 2]>,
    pub(crate) columns: Pooled<'g>,
    pub(crate) lanes: Free,
    /// Lanes that are swept together.
    pub(crate) lane_block: usize,
    /// Blocks of that many lanes, of which the last may have fewer, or more where no line holds them.
    pub(crate) lane_blocks: usize,
    /// Whether blocks of lanes are gathered into scratch and scattered from it.
    pub(crate) gathered: bool,
    pub(crate) chunks: SmallVec<[Chunk; 1]>,
    /// Elements of the line between folded rows, and rows that are folded together.
    pub(crate) pitch: usize,
    pub(crate) band: usize,
    /// Rows whose levels are computed together.
    pub(crate) level_rows: usize,
    /// Columns between windows, and whether folded rows follow one another in the line at the same
    /// distance, so that they are one row.
    pub(crate) stride: usize,
    pub(crate) rows_in_one: bool,
    /// Elements of the line that a last vector may write too much.
    slack: usize,
    /// Whether rows are slid along where they are, because nothing has to be folded.
    pub(crate) in_place: bool,
    /// Whether windows share nothing, or little, and are reduced straight from the input.
    pub(crate) direct: bool,
    /// How rows of long windows are folded.
    pub(crate) scan: Option<Scan>,
    /// How long windows are put together along a row.
    pub(crate) levels: Levels,
    /// Whether they are reduced across columns of lanes instead.
    pub(crate) across: bool,
    pub(crate) divisor: Divisor,
    /// Whether some window has no element: one that is dilated past both ends of an axis.
    pub(crate) has_empty: bool,
    /// Elements of a plane.
    pub(crate) volume: usize,
}

impl<'g> Plan<'g> {
    pub(crate) fn new(
        geometry: &'g Geometry,
        divisor: Divisor,
        input: &[isize],
        output: &[isize],
        traits: Traits,
    ) -> Self {
        let mut rows = pooled_axes(geometry, input, output);
        let mut free = free_axes(geometry, input, output);
        // One column that every output copies: if nothing is pooled, or if the only windows are long
        // and have lanes, and are then cheaper in two scans. Sums are in the order of columns.
        let no_columns = match &rows[..] {
            [] => true,
            [_] => {
                let long = traits.scans && traits.overlap && Scan::new(&rows, true).is_some();
                long && has_lanes(&free, WIDE_LANES_BYTES / traits.line_element)
            }
            _ => false,
        };
        let columns = if no_columns { None } else { rows.pop() }.unwrap_or_else(Pooled::single);
        for row in &mut rows {
            row.rows = row.output_rows(divisor);
        }
        let pooled = geometry.pooled();
        let volume = saturating_product(pooled.iter().map(|(_, axis)| axis.len()));
        let outputs = saturating_product(pooled.iter().map(|(_, axis)| axis.outputs()));
        let has_empty = pooled.iter().any(|(_, axis)| has_empty(axis));
        let scan = Scan::new(&rows, traits.overlap).filter(|_| traits.scans);
        let scan_bytes = SCAN_BYTES[usize::from(has_lanes(&free, 2))];
        let line_bytes = match scan {
            Some(_) => scan_bytes,
            None => line_bytes(&free, columns.axis, traits.line_element),
        };
        let row_bytes = scan.map_or(line_bytes, |scan| scan_bytes / scan.rows);
        let rows_at_once: usize = rows.iter().map(|row| row.axis.max_count()).product();
        let windows = traits.windows && argcolumns::is_for(columns.axis, rows_at_once);
        let traits = Traits { windows, ..traits };
        let (lanes, lane_block, gathered) =
            choose_lanes(&mut free, &columns, row_bytes, [volume, outputs], divisor, traits);
        let whole = match lanes.len {
            1 => {
                traits.direct
                    && has_pairs(columns.axis)
                    && columns.axis.len() * traits.element >= LONG_PAIRS_BYTES
                    && (columns.input, columns.output) == (1, 1)
            }
            _ => {
                let own = !gathered
                    && (traits.direct && share_nothing(columns.axis)
                        || traits.frequent && overlap(columns.axis, rows_at_once));
                lane_block * traits.element >= VECTOR_BYTES && !has_empty && (own || windows)
            }
        };
        let direct = whole
            && rows_at_once <= ROWS_AT_ONCE
            && rows.iter().all(|row| row.rows.iter().all(|row| row.taps.count > 0))
            && scan.is_none();
        // Lanes are cut for the line's sake alone: parts of columns are not next to one another. Those of
        // one column, which is all there is if nothing is pooled, may be other tasks'.
        let is_column = rows.is_empty() && columns.axis.len() == 1;
        let lane_block = if direct && !gathered && !is_column { lanes.len } else { lane_block };
        let lane_blocks = match direct && gathered {
            true => (lanes.len / lane_block).max(1),
            false => lanes.len.div_ceil(lane_block),
        };
        let column_bytes = traits.line_element * lane_block;
        let capacity = if direct { usize::MAX } else { row_bytes / column_bytes };
        let chunks = chunks_of(columns.axis, capacity.max(1));
        let levels = match holds_padding(columns.axis) {
            true => {
                let doubled =
                    traits.doubled.filter(|_| !traits.overlap || (lanes.len, lane_block) == (1, 1));
                Levels::new(columns.axis, traits.overlap, doubled)
            }
            false => Levels::NONE,
        };
        let stride = window_stride(columns.axis);
        let across = traits.frequent
            && levels.count > 0
            && (traits.overlap || DOUBLINGS.contains(&levels.count))
            && (levels.step, stride) == (1, 1)
            && column_bytes >= VECTOR_BYTES;
        let contiguous = columns.input == if lanes.len == 1 { 1 } else { lane_block as isize };
        let converted = lanes.len == 1
            && (traits.parts && all_in_parts(columns.axis)
                || traits.turns && columns.output == 1 && lie_apart(columns.axis, traits.element));
        let in_place = (traits.in_place || converted)
            && !direct
            && levels.count == 0
            && (contiguous && lanes.len == lane_block || gathered)
            && rows.iter().all(|row| row.rows.iter().all(|row| row.taps.count == 1))
            && chunks.iter().all(|chunk| chunk.padding() == [0, 0]);
        let longest = chunks.iter().map(|chunk| chunk.columns).max().unwrap_or(0);
        let rows_in_one = !in_place
            && (lane_block, levels.count, scan.is_none()) == (1, 0, true)
            && matches!(&chunks[..], [chunk] if chunk.padding()[0] == 0)
            && (longest..=capacity).contains(&stride.saturating_mul(columns.axis.outputs()));
        let pitch = match rows_in_one {
            true => stride * columns.axis.outputs(),
            false if scan.is_some() => {
                let tile = traits.vector;
                let reach = |chunk: &Chunk| {
                    let [before, _] = chunk.padding();
                    let tiles = (chunk.inside.len() * lane_block).next_multiple_of(tile);
                    (before * lane_block + tiles).max(chunk.columns * lane_block)
                };
                // Rows, as the line, start where vectors do.
                chunks.iter().map(reach).max().unwrap_or(1).max(1).next_multiple_of(tile)
            }
            false => longest * lane_block + traits.vector,
        };
        let planes: usize = free.iter().map(|axis| axis.len).product();
        let rows_of_all = saturating_product(rows.iter().map(|row| row.axis.outputs()))
            .saturating_mul(if gathered { 1 } else { planes });
        let rows_in = |bytes: usize| (bytes / (pitch * traits.line_element)).max(1);
        let band = rows_in(line_bytes).min(rows_of_all.max(1));
        Self {
            free,
            rows,
            columns,
            lanes,
            lane_block,
            lane_blocks,
            gathered,
            chunks,
            pitch,
            stride,
            rows_in_one,
            slack: traits.vector,
            band,
            level_rows: rows_in(LEVEL_BYTES).min(band),
            in_place,
            direct,
            scan,
            levels,
            across,
            divisor,
            has_empty,
            volume,
        }
    }

    /// Elements of the line: folded rows, levels, and what vectors may read past them.
    pub(crate) fn line_len(&self) -> usize {
        if self.in_place {
            0
        } else if self.direct {
            // Columns that windows have in common, of the most lanes that a block has.
            let kept = if self.columns.axis.max_count() > 1 { SIDE - 1 } else { 0 };
            kept * (self.lanes.len.min(2 * self.lane_block) + self.slack)
        } else {
            let scans = if self.scan.is_some() { 2 * self.pitch } else { 0 };
            let levels = match self.across {
                true => self.levels.room_across() * self.slack,
                false => self.level_len() * self.levels.count as usize,
            };
            self.levels_at() + levels + self.pitch + scans
        }
    }

    /// Where levels start in the line.
    pub(crate) fn levels_at(&self) -> usize {
        self.pitch * self.band + self.slack
    }

    /// Elements of each level of some rows.
    pub(crate) fn level_len(&self) -> usize {
        self.pitch * self.level_rows + self.slack
    }

    /// Whether the rows of a block are followed by those of the next, all laid out alike.
    pub(crate) fn runs_on(&self) -> bool {
        !self.gathered
            && self.scan.is_none()
            && self.chunks.len() == 1
            && self.lanes.len == self.lane_block
    }

    /// Blocks of lanes over all free axes.
    pub(crate) fn blocks(&self) -> usize {
        let free: usize = self.free.iter().map(|axis| axis.len).product();
        free * self.lane_blocks
    }

    /// Output rows of a plane.
    pub(crate) fn output_rows(&self) -> usize {
        self.rows.iter().map(|row| row.axis.outputs()).product()
    }
}

/// Columns between neighbouring windows; a single one could have any.
pub(super) fn window_stride(axis: &Axis) -> usize {
    match axis.rule {
        Rule::Sliding { .. } if axis.outputs() == 1 => axis.len().max(1),
        Rule::Sliding { stride, .. } => stride,
        _ => 1,
    }
}

/// Whether all windows on an axis are reduced in parts.
fn all_in_parts(axis: &Axis) -> bool {
    one_by_one(axis) && (0..axis.outputs()).all(|o| in_parts(&axis.taps(o)))
}

/// Whether windows are pairs that lie side by side on an axis, none of them clipped.
fn has_pairs(axis: &Axis) -> bool {
    let rule = Rule::Sliding { kernel: 2, stride: 2, before: 0, after: 0, dilation: 1 };
    axis.rule == rule && axis.whole_windows() == (0..axis.outputs())
}

/// Whether a window has no element, which takes an empty axis, padding as wide as the window,
/// dilation or a list.
fn has_empty(axis: &Axis) -> bool {
    let covered = match axis.rule {
        Rule::Sliding { kernel, dilation: 1, before, after, .. } => before.max(after) < kernel,
        Rule::Adaptive => true,
        _ => false,
    };
    (!covered || axis.is_empty()) && (0..axis.outputs()).any(|o| axis.taps(o).count == 0)
}

fn saturating_product(factors: impl Iterator<Item = usize>) -> usize {
    factors.fold(1, usize::saturating_mul)
}

fn pooled_axes<'g>(
    geometry: &'g Geometry,
    input: &[isize],
    output: &[isize],
) -> SmallVec<[Pooled<'g>; 2]> {
    let (mut plane, mut output_plane) = (1usize, 1usize);
    let mut pooled: SmallVec<[Pooled<'g>; 2]> = SmallVec::new();
    for (axis, windows) in geometry.pooled().iter().rev() {
        pooled.push(Pooled {
            axis: windows,
            input: input[*axis],
            output: output[*axis],
            plane,
            output_plane,
            rows: Vec::new(),
        });
        plane = plane.saturating_mul(windows.len());
        output_plane = output_plane.saturating_mul(windows.outputs());
    }
    pooled.reverse();
    pooled
}

/// The axes that are not pooled, outermost first, those merged that step like one.
fn free_axes(geometry: &Geometry, input: &[isize], output: &[isize]) -> Dims<Free> {
    let mut axes: Dims<Free> = geometry
        .input_shape()
        .iter()
        .enumerate()
        .filter(|&(axis, &len)| len != 1 && !geometry.is_pooled(axis))
        .map(|(axis, &len)| Free { len, input: input[axis], output: output[axis] })
        .collect();
    axes.sort_by_key(|axis| {
        std::cmp::Reverse((axis.output.unsigned_abs(), axis.input.unsigned_abs()))
    });
    let mut merged: Dims<Free> = Dims::new();
    for axis in axes {
        match merged.last_mut() {
            Some(outer)
                if outer.input == axis.input * axis.len as isize
                    && outer.output == axis.output * axis.len as isize =>
            {
                *outer = Free { len: outer.len * axis.len, ..axis };
            }
            _ => merged.push(axis),
        }
    }
    merged
}

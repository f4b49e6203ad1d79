//! Where the output rows of a plan are, and the bands that they are listed in: the part of a
//! [`sweep`](super::sweep) that is the same for all dtypes and operations.

use smallvec::SmallVec;

use super::ScanRows;
use super::band::{AxisTaps, Band, OutputRow};
use super::chunk::Chunk;
use super::plan::Plan;

/// Output rows that are listed for planes to have in common.
const MOST_LISTED: usize = 1024;

/// A plan, and where in its input the first element is.
#[derive(Clone, Copy)]
pub(super) struct Listing<'a, 'g> {
    pub(super) plan: &'a Plan<'g>,
    pub(super) origin: usize,
}

/// Where the planes of a block are: in the arrays, or in scratch.
pub(super) struct Place {
    pub(super) lanes: usize,
    /// Strides of the pooled axes, columns last.
    pub(super) input: SmallVec<[isize; 3]>,
    pub(super) output: SmallVec<[isize; 3]>,
}

/// Bands that are the same for planes that follow one another.
pub(super) struct Period {
    pub(super) rows: usize,
    pub(super) bands: usize,
}

/// A row of outputs on its way through the blocks.
pub(super) struct Cursor {
    pub(super) block: usize,
    /// Offsets of the block's first element.
    pub(super) at: usize,
    pub(super) out: isize,
    /// Output position on each row axis.
    pub(super) row: SmallVec<[usize; 2]>,
}

impl Listing<'_, '_> {
    /// Where the planes of a block are in the arrays.
    pub(super) fn in_arrays(&self, block: usize) -> Place {
        let input = self.plan.pooled().map(|axis| axis.input).collect();
        let output = self.plan.pooled().map(|axis| axis.output).collect();
        Place { lanes: self.lanes(block), input, output }
    }

    /// Where they are in scratch, gathered; also how many outputs they have together.
    pub(super) fn in_scratch(&self, block: usize) -> (Place, usize) {
        let lanes = self.lanes(block);
        let staged = |plane: usize| (plane * lanes) as isize;
        let input = self.plan.pooled().map(|axis| staged(axis.plane)).collect();
        let output = self.plan.pooled().map(|axis| staged(axis.output_plane)).collect();
        let outputs = self.plan.pooled().map(|axis| axis.axis.outputs()).product();
        (Place { lanes, input, output }, outputs)
    }

    /// Lanes of a block: the last one has all that are left.
    fn lanes(&self, block: usize) -> usize {
        let plan = self.plan;
        let block = block % plan.lane_blocks;
        let rest = plan.lanes.len - block * plan.lane_block;
        if block + 1 == plan.lane_blocks { rest } else { plan.lane_block }
    }

    /// Offsets of a block's first element in the input and the output.
    pub(super) fn locate(&self, block: usize) -> (usize, isize) {
        let plan = self.plan;
        let first_lane = block % plan.lane_blocks * plan.lane_block;
        let mut rest = block / plan.lane_blocks;
        let mut at = first_lane as isize * plan.lanes.input;
        let mut out_at = first_lane as isize * plan.lanes.output;
        for axis in plan.free.iter().rev() {
            let index = (rest % axis.len) as isize;
            rest /= axis.len;
            at += index * axis.input;
            out_at += index * axis.output;
        }
        (self.origin.wrapping_add_signed(at), out_at)
    }

    /// The first output row of a block that is wanted.
    pub(super) fn cursor(&self, block: usize, row: usize) -> Cursor {
        let (at, out) = self.locate(block);
        let mut rest = row;
        let mut position: SmallVec<[usize; 2]> = SmallVec::new();
        for pooled in self.plan.rows.iter().rev() {
            position.push(rest % pooled.rows.len());
            rest /= pooled.rows.len();
        }
        position.reverse();
        Cursor { block, at, out, row: position }
    }

    /// The next row, in the next block after the last.
    fn advance(&self, cursor: &mut Cursor) {
        for (position, pooled) in cursor.row.iter_mut().zip(&self.plan.rows).rev() {
            *position += 1;
            if *position < pooled.rows.len() {
                return;
            }
            *position = 0;
        }
        self.skip(cursor, 1);
    }

    /// The same row, `blocks` further on.
    pub(super) fn skip(&self, cursor: &mut Cursor, blocks: usize) {
        cursor.block += blocks;
        (cursor.at, cursor.out) = self.locate(cursor.block);
    }

    /// How many rows, in how many bands, repeat from the cursor on, if that is worth while.
    pub(super) fn period(&self, cursor: &Cursor, count: usize) -> Option<Period> {
        let (plan, rows) = (self.plan, self.plan.output_rows());
        // Listing a row takes longer than pooling it.
        let planes = (plan.band / rows).min(count / rows / 8).max(1);
        let period = Period { rows: planes * rows, bands: (planes * rows).div_ceil(plan.band) };
        let repeats = plan.runs_on()
            && plan.free.len() == 1
            && period.rows <= MOST_LISTED
            && count >= 2 * period.rows
            && cursor.row.iter().all(|&row| row == 0);
        repeats.then_some(period)
    }

    /// Lists the next `count` output rows and the rows to fold for them, and moves the cursor on.
    pub(super) fn list(
        &self,
        place: &Place,
        cursor: &mut Cursor,
        chunk: &Chunk,
        count: usize,
        band: &mut Band,
    ) -> Option<ScanRows> {
        let (plan, lanes) = (self.plan, place.lanes);
        let stride = place.input[plan.rows.len()];
        let columns = chunk.inside.len();
        let [before, after] = chunk.padding();
        let inside = chunk.inside.start as isize * stride;
        band.clear();
        let scan = self.scan_rows(place, cursor, chunk, count);
        let parts = match plan.in_place || columns == 0 || scan.is_some() {
            true => 0,
            // Single lanes that lie apart are copied next to one another first.
            false if are_neighbours(stride, lanes, columns) || lanes == 1 || plan.direct => 1,
            false => columns,
        };
        let mut axes = SmallVec::new();
        for i in 0..count {
            let to = i * plan.pitch;
            let at = self.output_row(place, cursor, to, inside, band, &mut axes);
            for column in 0..parts {
                let at = at.wrapping_add_signed(column as isize * stride);
                // What follows other columns is the next one.
                let after = if column + 1 == parts { after * lanes } else { 0 };
                band.fold([to + (before + column) * lanes, after], at, &axes);
            }
            self.advance(cursor);
        }
        let contiguous_out = place.output[plan.rows.len()] == lanes as isize;
        band.find_room(if contiguous_out { chunk.outputs.len() * lanes } else { 0 });
        let scan = scan?;
        Some(ScanRows { src: scan.src.wrapping_add_signed(inside), ..scan })
    }

    /// Adds the next output row to the band. Gives the position of its windows' first row, from
    /// column `inside` on, and its rows along each row axis.
    fn output_row(
        &self,
        place: &Place,
        cursor: &Cursor,
        line: usize,
        inside: isize,
        band: &mut Band,
        axes: &mut SmallVec<[AxisTaps; 2]>,
    ) -> usize {
        let mut at = cursor.at.wrapping_add_signed(inside);
        let (mut out, mut index, mut count) = (cursor.out, 0, 1i64);
        let (mut first, mut empty) = (0usize, false);
        axes.clear();
        for (i, (pooled, &o)) in self.plan.rows.iter().zip(&cursor.row).enumerate() {
            let window = &pooled.rows[o];
            let (taps, stride) = (&window.taps, place.input[i]);
            at = at.wrapping_add_signed(taps.first as isize * stride);
            out += o as isize * place.output[i];
            index += window.index;
            count = count.saturating_mul(window.count);
            first = window.first.saturating_add(first);
            empty |= taps.count == 0;
            axes.push(AxisTaps {
                count: taps.count,
                // A single tap may name any step: none is taken.
                step: (taps.step as isize).wrapping_mul(stride),
                plane_step: taps.step.wrapping_mul(pooled.plane),
                skipped: window.skipped,
            });
        }
        let line = if self.plan.in_place { at } else { line };
        band.rows.push(OutputRow { line, out, room: 0, index, count, first, empty });
        at
    }

    /// The next `count` rows for a kernel that scans, if the windows are long.
    fn scan_rows(
        &self,
        place: &Place,
        cursor: &Cursor,
        chunk: &Chunk,
        count: usize,
    ) -> Option<ScanRows> {
        let (scan, row) = (self.plan.scan?, self.plan.rows.first()?);
        let [before, after] = chunk.padding();
        Some(ScanRows {
            kernel: scan.kernel,
            stride: scan.stride,
            src: cursor.at,
            step: place.input[0],
            rows: row.axis.len(),
            origin: row.axis.start(0),
            first: cursor.row[0],
            count,
            line: before * place.lanes,
            pitch: self.plan.pitch,
            columns: 1,
            apart: 0,
            len: chunk.inside.len() * place.lanes,
            after: after * place.lanes,
        })
    }
}

/// Whether a row's columns are neighbours in memory, lanes and all.
pub(super) fn are_neighbours(stride: isize, lanes: usize, columns: usize) -> bool {
    stride == lanes as isize || columns == 1
}

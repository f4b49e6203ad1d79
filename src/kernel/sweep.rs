//! Walking the outputs of a plan, band by band.

use std::ops::Range;

use smallvec::SmallVec;

use super::band::{AxisTaps, Band, OutputRow};
use super::chunk::Chunk;
use super::line::{Slide, Stretch, counts, stretches};
use super::plan::Plan;
use super::{Kernel, Rows, ScanRows, Target, staged};
use crate::geometry::Geometry;
use crate::reduce::Divisor;
use crate::{Execution, View};

/// Output rows that are listed for planes to have in common.
const MOST_LISTED: usize = 1024;

/// What could be moved while a line is slid along to one result.
const RESULT_BYTES: usize = 32;

/// Pools `input` into `out`, whose elements have the strides `output` (in elements).
pub(crate) fn pool<T: Copy + Send + Sync + Default, K: Kernel<T>>(
    execution: &Execution<'_>,
    kernel: K,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    out: K::Out,
    output: &[isize],
) {
    let elements: usize = geometry.output_shape().iter().product();
    if elements == 0 {
        return;
    }
    let plan = Plan::new(geometry, divisor, input.strides(), output, kernel.traits());
    let volume: usize = geometry.input_shape().iter().product();
    let rows = plan.output_rows();
    // Gathered planes are swept as a whole.
    let grain = if plan.gathered { plan.chunks.len() * rows } else { 1 };
    let grains = plan.blocks() * plan.chunks.len() * rows / grain;
    let size = size_of::<T>();
    let result = if plan.direct { size } else { size.max(RESULT_BYTES) };
    let bytes = volume.saturating_mul(size).saturating_add(elements.saturating_mul(result));
    let tasks = execution.tasks(bytes).min(grains);
    let streams = execution.streams((volume + elements).saturating_mul(size));
    let level = execution.chosen_level();
    execution.run(tasks, |task| {
        let (data, origin) = (input.data(), input.origin());
        let range = task * grains / tasks * grain..(task + 1) * grains / tasks * grain;
        let sweep = Sweep { kernel, plan: &plan, data, origin, out };
        sweep.run(range, K::Out::streamed(level, streams));
    });
}

/// What all tasks of a call share.
struct Sweep<'a, 'g, T, K: Kernel<T>> {
    kernel: K,
    plan: &'a Plan<'g>,
    data: &'a [T],
    origin: usize,
    out: K::Out,
}

/// Where the planes of a block are: in the arrays, or in scratch.
struct Place {
    lanes: usize,
    /// Strides of the pooled axes, columns last.
    input: SmallVec<[isize; 3]>,
    output: SmallVec<[isize; 3]>,
}

/// Bands that are the same for planes that follow one another.
struct Period {
    rows: usize,
    bands: usize,
}

/// What a task keeps between its bands.
struct Scratch<T, K: Kernel<T>> {
    line: K::Line,
    bands: SmallVec<[Band; 1]>,
    stretches: SmallVec<[Stretch; 1]>,
    counts: Vec<i64>,
    /// The chunk and the lanes that line and stretches are laid out for.
    laid_out: Option<(usize, usize)>,
    planes: Vec<T>,
    results: <K::Out as Target>::Store,
    streamed: <K::Out as Target>::Streamed,
}

/// A row of outputs on its way through the blocks.
struct Cursor {
    block: usize,
    /// Offsets of the block's first element.
    at: usize,
    out: isize,
    /// Output position on each row axis.
    row: SmallVec<[usize; 2]>,
}

impl<T: Copy + Default, K: Kernel<T>> Sweep<'_, '_, T, K> {
    /// Sweeps a range of output rows, counted over rows, chunks and blocks, rows innermost.
    fn run(self, range: Range<usize>, streamed: <K::Out as Target>::Streamed) {
        let plan = self.plan;
        let mut scratch = Scratch::<T, K> {
            line: self.kernel.line(plan.line_len()),
            bands: SmallVec::new(),
            stretches: SmallVec::new(),
            counts: Vec::new(),
            laid_out: None,
            planes: Vec::new(),
            results: Default::default(),
            streamed,
        };
        let rows = plan.output_rows();
        let mut at = range.start;
        while at < range.end {
            let piece = at / rows;
            let end = if plan.runs_on() { range.end } else { range.end.min((piece + 1) * rows) };
            let (block, chunk) = (piece / plan.chunks.len(), piece % plan.chunks.len());
            let first = at - piece * rows;
            match plan.gathered {
                true => self.gathered(block, chunk, first..first + end - at, &mut scratch),
                false => {
                    let (place, out) = (self.in_arrays(block), self.out);
                    let mut cursor = self.cursor(block, first);
                    self.rows(self.data, &place, &mut cursor, chunk, end - at, out, &mut scratch);
                }
            }
            at = end;
        }
    }

    fn in_arrays(&self, block: usize) -> Place {
        let input = self.plan.pooled().map(|axis| axis.input).collect();
        let output = self.plan.pooled().map(|axis| axis.output).collect();
        Place { lanes: self.lanes(block), input, output }
    }

    /// Lanes of a block: the last one may have fewer.
    fn lanes(&self, block: usize) -> usize {
        let plan = self.plan;
        let first = block % plan.lanes.len.div_ceil(plan.lane_block) * plan.lane_block;
        plan.lane_block.min(plan.lanes.len - first)
    }

    /// Offsets of a block's first element in the input and the output.
    fn locate(&self, block: usize) -> (usize, isize) {
        let plan = self.plan;
        let lane_blocks = plan.lanes.len.div_ceil(plan.lane_block);
        let first_lane = (block % lane_blocks) * plan.lane_block;
        let mut rest = block / lane_blocks;
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

    fn cursor(&self, block: usize, row: usize) -> Cursor {
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
    fn skip(&self, cursor: &mut Cursor, blocks: usize) {
        cursor.block += blocks;
        (cursor.at, cursor.out) = self.locate(cursor.block);
    }

    /// Rows of a block that is gathered into scratch, and whose results are scattered from it.
    fn gathered(
        &self,
        block: usize,
        chunk: usize,
        rows: Range<usize>,
        scratch: &mut Scratch<T, K>,
    ) {
        let (at, out_at) = self.locate(block);
        let lanes = self.lanes(block);
        if chunk == 0 {
            self.plan.gather(self.data, at, lanes, &mut scratch.planes);
        }
        let outputs: usize = self.plan.pooled().map(|axis| axis.axis.outputs()).product();
        let out = K::Out::over(&mut scratch.results, outputs * lanes);
        let staged = |plane: usize| (plane * lanes) as isize;
        let input = self.plan.pooled().map(|axis| staged(axis.plane)).collect();
        let output = self.plan.pooled().map(|axis| staged(axis.output_plane)).collect();
        let place = Place { lanes, input, output };
        let mut cursor = Cursor { at: 0, out: 0, ..self.cursor(block, rows.start) };
        let planes = std::mem::take(&mut scratch.planes);
        self.rows(&planes, &place, &mut cursor, chunk, rows.len(), out, scratch);
        scratch.planes = planes;
        if chunk + 1 == self.plan.chunks.len() {
            // SAFETY: the block is this task's own, and all of its rows have been written.
            unsafe { self.plan.scatter(&scratch.results, self.out, out_at, lanes, outputs) };
        }
    }

    /// `count` output rows of one chunk of columns from the cursor on, in bands of equal height.
    fn rows(
        &self,
        src: &[T],
        place: &Place,
        cursor: &mut Cursor,
        chunk: usize,
        count: usize,
        out: K::Out,
        scratch: &mut Scratch<T, K>,
    ) {
        let plan = self.plan;
        self.lay_out(chunk, place.lanes, scratch);
        let chunk = &plan.chunks[chunk];
        let Scratch { line, bands, stretches, counts, streamed, .. } = scratch;
        let slide = Slide {
            axis: plan.columns.axis,
            chunk,
            stretches,
            counts,
            lanes: place.lanes,
            stride: plan.stride,
            rows_in_one: plan.rows_in_one,
            in_stride: place.input[plan.rows.len()],
            out_stride: place.output[plan.rows.len()],
            divisor: plan.divisor,
            levels: plan.levels,
            across: plan.across,
            levels_at: plan.levels_at(),
            level_rows: plan.level_rows,
            level_len: plan.level_len(),
            pitch: plan.pitch,
            no_lanes: plan.lanes.len == 1,
            in_place: plan.in_place,
            numbers: false,
            empty: plan.has_empty.then_some(plan.volume),
        };
        let first = chunk.outputs.start as isize * slide.out_stride;
        let mut pool = |band: &Band, scan: Option<ScanRows>, line: &mut K::Line| {
            let pool = |out| self.pool_band(src, place, &slide, band, scan, line, out);
            let run = band.run(first).filter(|_| !plan.gathered);
            // SAFETY: the sweep hands every output position to one task only, which writes all of a
            // band's.
            unsafe { out.fill(streamed, run, pool) };
        };
        let mut rest = count;
        if let Some(period) = self.period(cursor, count) {
            // Planes that follow one another have the same bands, listed once.
            let free = plan.free.first().map_or([0, 0], |free| [free.input, free.output]);
            bands.resize_with(period.bands, Band::default);
            for (i, band) in bands.iter_mut().enumerate() {
                let rows = period.rows * (i + 1) / period.bands - period.rows * i / period.bands;
                self.list(place, cursor, chunk, rows, band);
            }
            let periods = count / period.rows;
            let planes = (period.rows / plan.output_rows()) as isize;
            for i in 0..periods as isize {
                for band in bands.iter_mut() {
                    band.src_base = i * planes * free[0];
                    band.out_base = i * planes * free[1];
                    pool(band, None, line);
                }
            }
            rest -= periods * period.rows;
            self.skip(cursor, (periods - 1) * planes.unsigned_abs());
        }
        bands.resize_with(1, Band::default);
        while rest > 0 {
            let rows = match plan.scan {
                Some(scan) => scan.windows(cursor.row[0], plan.band.min(rest)),
                None => rest.div_ceil(rest.div_ceil(plan.band)),
            };
            let scan = self.list(place, cursor, chunk, rows, &mut bands[0]);
            pool(&bands[0], scan, line);
            rest -= rows;
        }
    }

    /// How many rows, in how many bands, repeat from the cursor on, if that is worth while.
    fn period(&self, cursor: &Cursor, count: usize) -> Option<Period> {
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

    /// Prepares the line and the stretches for a chunk, unless they are prepared.
    fn lay_out(&self, chunk: usize, lanes: usize, scratch: &mut Scratch<T, K>) {
        if scratch.laid_out == Some((chunk, lanes)) {
            return;
        }
        let plan = self.plan;
        if scratch.laid_out.is_some() {
            self.kernel.clear(&mut scratch.line);
        }
        let (axis, chunk_of) = (plan.columns.axis, &plan.chunks[chunk]);
        stretches(axis, chunk_of, plan.divisor, &mut scratch.stretches);
        counts(&scratch.stretches, plan.divisor, plan.stride, &mut scratch.counts);
        scratch.laid_out = Some((chunk, lanes));
    }

    /// Lists the next `count` output rows and the rows to fold for them, and moves the cursor on.
    fn list(
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

    /// Folds the rows of a band into the line, and slides along them.
    fn pool_band(
        &self,
        src: &[T],
        place: &Place,
        slide: &Slide<'_>,
        band: &Band,
        scan: Option<ScanRows>,
        line: &mut K::Line,
        out: K::Out,
    ) {
        if self.plan.direct {
            return self.kernel.direct(src, band, slide, line, out);
        }
        let numbers = !self.plan.in_place && self.fold(src, place, slide.chunk, band, scan, line);
        let from = if self.plan.in_place { Rows::Input(src) } else { Rows::Line(line) };
        self.kernel.slide(from, band, &Slide { numbers, ..*slide }, out);
    }

    /// Folds the rows of a band into the line; gives whether all elements are surely numbers.
    fn fold(
        &self,
        src: &[T],
        place: &Place,
        chunk: &Chunk,
        band: &Band,
        scan: Option<ScanRows>,
        line: &mut K::Line,
    ) -> bool {
        let (lanes, columns) = (place.lanes, chunk.inside.len());
        let stride = place.input[self.plan.rows.len()];
        match (are_neighbours(stride, lanes, columns), scan) {
            (true, Some(scan)) => return self.kernel.scan(line, src, &scan),
            (true, None) => self.kernel.fold(line, src, band, columns * lanes),
            (false, Some(scan)) if lanes > 1 => {
                let scan = ScanRows { columns, apart: stride, len: lanes, ..scan };
                return self.kernel.scan(line, src, &scan);
            }
            (false, None) if lanes > 1 => self.kernel.fold(line, src, band, lanes),
            (false, Some(scan)) => return staged::scan(self.kernel, src, scan, stride, line),
            (false, None) => staged::fold(self.kernel, src, band, columns, stride, line),
        }
        false
    }

    /// Adds the next output row to the band. Gives the position of its windows' first row, from
    /// column `inside` on, and its rows along each row axis.
    #[inline(always)]
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
fn are_neighbours(stride: isize, lanes: usize, columns: usize) -> bool {
    stride == lanes as isize || columns == 1
}

//! Walking the outputs of a plan, band by band.

use std::ops::Range;

use smallvec::SmallVec;

use super::band::Band;
use super::chunk::Chunk;
use super::line::{Slide, Stretch, all_in_one, stretches};
use super::listing::{Cursor, Listing, Place, are_neighbours};
use super::plan::Plan;
use super::{Kernel, Rows, ScanRows, Target, staged};
use crate::geometry::Geometry;
use crate::reduce::Divisor;
use crate::{Execution, View};

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
    let traits = kernel.traits();
    let plan = Plan::new(geometry, divisor, input.strides(), output, traits);
    let volume: usize = geometry.input_shape().iter().product();
    let rows = plan.output_rows();
    // Gathered planes are swept as a whole.
    let grain = if plan.gathered { plan.chunks.len() * rows } else { 1 };
    let grains = plan.blocks() * plan.chunks.len() * rows / grain;
    let size = size_of::<T>();
    let direct = plan.direct && !traits.windows;
    let result = if direct { size } else { size.max(RESULT_BYTES) };
    let bytes = volume.saturating_mul(size).saturating_add(elements.saturating_mul(result));
    let tasks = execution.tasks(bytes).min(grains);
    let streams = execution.streams((volume + elements).saturating_mul(size));
    let level = execution.chosen_level();
    execution.run(tasks, |task| {
        let range = task * grains / tasks * grain..(task + 1) * grains / tasks * grain;
        let listing = Listing { plan: &plan, origin: input.origin() };
        let sweep = Sweep { kernel, listing, data: input.data(), out };
        sweep.run(range, K::Out::streamed(level, streams));
    });
}

/// What all tasks of a call share.
struct Sweep<'a, 'g, T, K: Kernel<T>> {
    kernel: K,
    listing: Listing<'a, 'g>,
    data: &'a [T],
    out: K::Out,
}

/// What a task keeps between its bands.
struct Scratch<T, K: Kernel<T>> {
    line: K::Line,
    bands: SmallVec<[Band; 1]>,
    stretches: SmallVec<[Stretch; 1]>,
    all_in_one: Option<Stretch>,
    counts: Vec<i64>,
    /// The chunk and the lanes that line and stretches are laid out for.
    laid_out: Option<(usize, usize)>,
    planes: Vec<T>,
    results: <K::Out as Target>::Store,
    streamed: <K::Out as Target>::Streamed,
}

impl<T: Copy + Default, K: Kernel<T>> Sweep<'_, '_, T, K> {
    /// Sweeps a range of output rows, counted over rows, chunks and blocks, rows innermost.
    fn run(self, range: Range<usize>, streamed: <K::Out as Target>::Streamed) {
        let plan = self.listing.plan;
        let mut scratch = Scratch::<T, K> {
            line: self.kernel.line(plan.line_len()),
            bands: SmallVec::new(),
            stretches: SmallVec::new(),
            all_in_one: None,
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
                    let (place, out) = (self.listing.in_arrays(block), self.out);
                    let mut cursor = self.listing.cursor(block, first);
                    self.rows(self.data, &place, &mut cursor, chunk, end - at, out, &mut scratch);
                }
            }
            at = end;
        }
    }

    /// Rows of a block that is gathered into scratch, and whose results are scattered from it.
    fn gathered(
        &self,
        block: usize,
        chunk: usize,
        rows: Range<usize>,
        scratch: &mut Scratch<T, K>,
    ) {
        let Self { listing, data, out, .. } = *self;
        let plan = listing.plan;
        let (at, out_at) = listing.locate(block);
        let (place, outputs) = listing.in_scratch(block);
        let lanes = place.lanes;
        let mut planes = std::mem::take(&mut scratch.planes);
        if chunk == 0 {
            plan.gather(data, at, lanes, &mut planes);
        }
        let results = K::Out::over(&mut scratch.results, outputs * lanes);
        let mut cursor = Cursor { at: 0, out: 0, ..listing.cursor(block, rows.start) };
        self.rows(&planes, &place, &mut cursor, chunk, rows.len(), results, scratch);
        scratch.planes = planes;
        if chunk + 1 == plan.chunks.len() {
            // SAFETY: the block is this task's own, and all of its rows have been written.
            unsafe { plan.scatter(&scratch.results, out, out_at, lanes, outputs) };
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
        let plan = self.listing.plan;
        self.lay_out(chunk, place.lanes, scratch);
        let chunk = &plan.chunks[chunk];
        let Scratch { line, bands, stretches, all_in_one, counts, streamed, .. } = scratch;
        let slide = Slide {
            axis: plan.columns.axis,
            chunk,
            stretches,
            alike: all_in_one.as_ref().map_or(&stretches[..], std::slice::from_ref),
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
        if let Some(period) = self.listing.period(cursor, count) {
            // Planes that follow one another have the same bands, listed once.
            let free = plan.free.first().map_or([0, 0], |free| [free.input, free.output]);
            bands.resize_with(period.bands, Band::default);
            for (i, band) in bands.iter_mut().enumerate() {
                let rows = period.rows * (i + 1) / period.bands - period.rows * i / period.bands;
                self.listing.list(place, cursor, chunk, rows, band);
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
            self.listing.skip(cursor, (periods - 1) * planes.unsigned_abs());
        }
        bands.resize_with(1, Band::default);
        while rest > 0 {
            let rows = match plan.scan {
                Some(scan) => scan.windows(cursor.row[0], plan.band.min(rest)),
                None => rest.div_ceil(rest.div_ceil(plan.band)),
            };
            let scan = self.listing.list(place, cursor, chunk, rows, &mut bands[0]);
            pool(&bands[0], scan, line);
            rest -= rows;
        }
    }

    /// Prepares the line and the stretches for a chunk, unless they are prepared.
    fn lay_out(&self, chunk: usize, lanes: usize, scratch: &mut Scratch<T, K>) {
        if scratch.laid_out == Some((chunk, lanes)) {
            return;
        }
        let plan = self.listing.plan;
        if scratch.laid_out.is_some() {
            self.kernel.clear(&mut scratch.line);
        }
        let (axis, chunk_of) = (plan.columns.axis, &plan.chunks[chunk]);
        stretches(axis, chunk_of, plan.divisor, &mut scratch.stretches);
        scratch.all_in_one = all_in_one(&scratch.stretches, plan.stride, &mut scratch.counts);
        scratch.laid_out = Some((chunk, lanes));
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
        let plan = self.listing.plan;
        if plan.direct {
            return self.kernel.direct(src, band, slide, line, out);
        }
        let numbers = !plan.in_place && self.fold(src, place, slide.chunk, band, scan, line);
        let from = if plan.in_place { Rows::Input(src) } else { Rows::Line(line) };
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
        let stride = place.input[self.listing.plan.rows.len()];
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
}

//! Walking the outputs of a plan: fold the rows of each window into a line, slide along it.

use smallvec::SmallVec;

use super::line::{Empty, Line, RowTaps};
use super::plan::{Chunk, OutputRows, Plan, Pooled};
use super::{Kernel, Target, lanes};
use crate::geometry::Geometry;
use crate::reduce::Divisor;
use crate::{Execution, View};

/// Rows that are folded at a time: more would leave the cache's associativity behind.
const ROWS_AT_ONCE: usize = 16;

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
    let sizes = [size_of::<T>(), K::ROW_BYTES];
    let plan = Plan::new(geometry, divisor, input.strides(), output, sizes);
    let volume: usize = geometry.input_shape().iter().product();
    let wanted = execution.tasks((volume + elements).saturating_mul(size_of::<T>()));
    let pieces = plan.blocks() * plan.chunks.len();
    let rows = plan.output_rows();
    let bands = if plan.gathered { 1 } else { wanted.div_ceil(pieces).min(rows) };
    let units = pieces * bands;
    let tasks = wanted.min(units);
    execution.run(tasks, |task| {
        let (data, origin) = (input.data(), input.origin());
        let units = task * units / tasks..(task + 1) * units / tasks;
        Sweep { kernel, plan: &plan, data, origin, out, bands, units }.run();
    });
}

/// A range of the units that a problem is cut into: block of lanes, chunk of columns, band of
/// output rows.
struct Sweep<'a, 'g, T, K: Kernel<T>> {
    kernel: K,
    plan: &'a Plan<'g>,
    data: &'a [T],
    origin: usize,
    out: K::Out,
    bands: usize,
    units: std::ops::Range<usize>,
}

/// One block of planes and where it is: in the arrays, or in scratch.
struct Block<'a, T, O> {
    src: &'a [T],
    at: usize,
    out: O,
    out_at: isize,
    lanes: usize,
    /// Strides of the pooled axes, columns last.
    input: SmallVec<[isize; 3]>,
    output: SmallVec<[isize; 3]>,
}

/// What a task keeps between its units.
struct Scratch<T, K: Kernel<T>> {
    line: K::Line,
    row: Vec<T>,
    planes: Vec<T>,
    results: <K::Out as Target>::Store,
}

impl<T: Copy + Default, K: Kernel<T>> Sweep<'_, '_, T, K> {
    fn run(self) {
        let longest = self.plan.chunks.iter().map(|chunk| chunk.columns).max().unwrap_or(0);
        let mut scratch = Scratch::<T, K> {
            line: self.kernel.line(longest * self.plan.lane_block),
            row: Vec::new(),
            planes: Vec::new(),
            results: Default::default(),
        };
        let (chunks, rows) = (self.plan.chunks.len(), self.plan.output_rows());
        for unit in self.units.clone() {
            let (piece, band) = (unit / self.bands, unit % self.bands);
            let (block, chunk) = (piece / chunks, &self.plan.chunks[piece % chunks]);
            let rows = band * rows / self.bands..(band + 1) * rows / self.bands;
            self.unit(block, chunk, rows, &mut scratch);
        }
    }

    fn unit(
        &self,
        block: usize,
        chunk: &Chunk,
        rows: std::ops::Range<usize>,
        scratch: &mut Scratch<T, K>,
    ) {
        let plan = self.plan;
        let (at, out_at, lanes) = self.locate(block);
        if !plan.gathered {
            let input = self.pooled().map(|axis| axis.input).collect();
            let output = self.pooled().map(|axis| axis.output).collect();
            let block = Block { src: self.data, at, out: self.out, out_at, lanes, input, output };
            self.rows(&block, chunk, rows, &mut scratch.line, &mut scratch.row);
            return;
        }
        self.gather(at, lanes, &mut scratch.planes);
        let outputs: usize = self.pooled().map(|axis| axis.axis.outputs()).product();
        let out = K::Out::over(&mut scratch.results, outputs * lanes);
        let staged = |plane: usize| (plane * lanes) as isize;
        let input = self.pooled().map(|axis| staged(axis.plane)).collect();
        let output = self.pooled().map(|axis| staged(axis.output_plane)).collect();
        let block = Block { src: &scratch.planes, at: 0, out, out_at: 0, lanes, input, output };
        self.rows(&block, chunk, rows, &mut scratch.line, &mut scratch.row);
        self.scatter(out_at, lanes, outputs, &scratch.results);
    }

    fn pooled(&self) -> impl DoubleEndedIterator<Item = &Pooled<'_>> {
        self.plan.rows.iter().chain([&self.plan.columns])
    }

    /// Offsets of a block's first element in the input and the output, and its lanes.
    fn locate(&self, block: usize) -> (usize, isize, usize) {
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
        let lanes = plan.lane_block.min(plan.lanes.len - first_lane);
        (self.origin.wrapping_add_signed(at), out_at, lanes)
    }

    /// Copies the planes of a block into scratch, lanes innermost.
    fn gather(&self, at: usize, lanes: usize, planes: &mut Vec<T>) {
        let plan = self.plan;
        let volume: usize = self.pooled().map(|axis| axis.axis.len()).product();
        planes.resize(volume * lanes, T::default());
        let shape = || self.pooled().map(|axis| (axis.axis.len(), axis.input));
        let run = contiguous_run(shape());
        for (i, planes) in planes.chunks_exact_mut(run.len.max(1) * lanes).enumerate() {
            let at = at.wrapping_add_signed(offset(i * run.len, shape()));
            let strides = [run.stride, plan.lanes.input];
            lanes::gather(self.data, at, strides, [run.len, lanes], planes);
        }
    }

    /// Copies the results of a block from scratch to the output.
    fn scatter(
        &self,
        out_at: isize,
        lanes: usize,
        outputs: usize,
        results: &<K::Out as Target>::Store,
    ) {
        let shape = || self.pooled().map(|axis| (axis.axis.outputs(), axis.output));
        let run = contiguous_run(shape());
        let strides = [run.stride, self.plan.lanes.output];
        for first in (0..outputs).step_by(run.len) {
            let at = out_at + offset(first, shape());
            // SAFETY: the block's planes are this unit's own, and `rows` has written every result.
            unsafe { self.out.scatter(results, first * lanes, at, strides, [run.len, lanes]) };
        }
    }

    /// All outputs of some rows and one chunk of columns.
    fn rows(
        &self,
        block: &Block<'_, T, K::Out>,
        chunk: &Chunk,
        rows: std::ops::Range<usize>,
        line: &mut K::Line,
        row_scratch: &mut Vec<T>,
    ) {
        let lanes = block.lanes;
        self.kernel.clear(line, 0, chunk.columns * lanes);
        for row in rows {
            let mut window = RowWindow::new(self.plan, block, row);
            let out_at = block.out_at + window.out_at;
            if window.is_empty() {
                self.kernel.clear(line, 0, chunk.columns * lanes);
            } else {
                let mut onto = false;
                while let Some((at, taps)) = window.next_rows() {
                    self.fold(block, chunk, line, row_scratch, at, taps, onto);
                    onto = true;
                }
            }
            for run in &chunk.runs {
                let divisor = match self.plan.divisor {
                    Divisor::Fixed(divisor) => divisor,
                    _ => run.count.saturating_mul(window.count),
                };
                let job = Line {
                    axis: self.plan.columns.axis,
                    lanes,
                    first_column: chunk.first_column,
                    padded: chunk.padded,
                    outputs: run.outputs.clone(),
                    divisor,
                    index: window.index,
                    out_at,
                    out_stride: block.output[self.plan.rows.len()],
                    empty: self.plan.has_empty.then_some(Empty {
                        rows: window.is_empty(),
                        first: window.first(),
                        volume: self.plan.volume,
                    }),
                };
                self.kernel.slide(line, &job, block.out);
            }
        }
    }

    /// Folds some rows of a window, `at` elements from the block's start, into the line.
    fn fold(
        &self,
        block: &Block<'_, T, K::Out>,
        chunk: &Chunk,
        line: &mut K::Line,
        row_scratch: &mut Vec<T>,
        at: isize,
        taps: RowSteps,
        onto: bool,
    ) {
        let (lanes, columns) = (block.lanes, chunk.inside.len());
        let stride = block.input[self.plan.rows.len()];
        let inside = chunk.inside.start as isize;
        let at = block.at.wrapping_add_signed(at + inside * stride);
        let to = (inside - chunk.first_column).unsigned_abs() * lanes;
        if columns == 0 {
            return;
        }
        if stride == lanes as isize && taps.step >= 0 {
            let rows = taps.rows();
            self.kernel.fold_rows(line, to, &block.src[at..], rows, columns * lanes, onto);
        } else if lanes > 1 && taps.step >= 0 {
            for column in 0..columns {
                let src = &block.src[at.wrapping_add_signed(column as isize * stride)..];
                self.kernel.fold_rows(line, to + column * lanes, src, taps.rows(), lanes, onto);
            }
        } else {
            row_scratch.resize(columns * lanes, T::default());
            for (j, row) in taps.each().enumerate() {
                let at = at.wrapping_add_signed(j as isize * taps.step);
                lanes::gather(block.src, at, [stride, 1], [columns, lanes], row_scratch);
                let onto = onto || j > 0;
                self.kernel.fold_rows(line, to, row_scratch, row, columns * lanes, onto);
            }
        }
    }
}

/// [`RowTaps`] whose step may be negative.
#[derive(Debug, Clone, Copy)]
struct RowSteps {
    step: isize,
    count: usize,
    distance: usize,
    distance_step: usize,
}

impl RowSteps {
    fn rows(self) -> RowTaps {
        let Self { step, count, distance, distance_step } = self;
        RowTaps { step: step.unsigned_abs(), count, distance, distance_step }
    }

    /// The rows one by one.
    fn each(self) -> impl Iterator<Item = RowTaps> {
        (0..self.count).map(move |j| {
            let distance = self.distance + j * self.distance_step;
            RowTaps { step: 0, count: 1, distance, distance_step: 0 }
        })
    }
}

/// The rows that one output row reads, and where its outputs go.
struct RowWindow<'a, 'g> {
    /// Per row axis, outermost first: its taps and its stride.
    axes: SmallVec<[(&'a OutputRows, &'a Pooled<'g>, isize); 2]>,
    /// Visits to the outer row axes' taps, as one counter.
    visited: usize,
    /// Rows of the innermost row axis that this visit has passed.
    passed: usize,
    out_at: isize,
    index: i64,
    count: i64,
}

impl<'a, 'g> RowWindow<'a, 'g> {
    fn new<T, O>(plan: &'a Plan<'g>, block: &Block<'_, T, O>, row: usize) -> Self {
        let mut window =
            Self { axes: SmallVec::new(), visited: 0, passed: 0, out_at: 0, index: 0, count: 1 };
        let mut rest = row;
        for (i, pooled) in plan.rows.iter().enumerate() {
            let inner: usize = plan.rows[i + 1..].iter().map(|inner| inner.rows.len()).product();
            let o = if inner == 1 { rest } else { rest / inner };
            rest -= o * inner;
            let rows = &pooled.rows[o];
            window.out_at += o as isize * block.output[i];
            window.index += rows.index;
            window.count = window.count.saturating_mul(rows.count);
            window.axes.push((rows, pooled, block.input[i]));
        }
        window
    }

    fn is_empty(&self) -> bool {
        self.axes.iter().any(|(rows, ..)| rows.taps.count == 0)
    }

    /// Position in the plane of the first rows after the padding.
    fn first(&self) -> usize {
        self.axes.iter().fold(0, |first, (rows, ..)| first.saturating_add(rows.first))
    }

    /// The next rows to fold: their offset, and how they follow one another.
    fn next_rows(&mut self) -> Option<(isize, RowSteps)> {
        let Some(((inner, pooled, stride), outer)) = self.axes.split_last() else {
            let single = RowSteps { step: 0, count: 1, distance: 0, distance_step: 0 };
            self.visited += 1;
            return (self.visited == 1).then_some((0, single));
        };
        let taps = inner.taps;
        let mut at = (taps.first + self.passed * taps.step) as isize * stride;
        let mut distance = inner.skipped + self.passed * taps.step * pooled.plane;
        let mut rest = self.visited;
        for (rows, pooled, stride) in outer.iter().rev() {
            let (tap, step) = (rest % rows.taps.count, rows.taps.step);
            rest /= rows.taps.count;
            at += (rows.taps.first + tap * step) as isize * stride;
            distance += rows.skipped + tap * step * pooled.plane;
        }
        if rest > 0 {
            return None;
        }
        let count = (taps.count - self.passed).min(ROWS_AT_ONCE);
        self.passed += count;
        if self.passed == taps.count {
            self.passed = 0;
            self.visited += 1;
        }
        // A single tap may name any step: none is taken.
        let step = (taps.step as isize).wrapping_mul(*stride);
        let distance_step = taps.step.saturating_mul(pooled.plane);
        Some((at, RowSteps { step, count, distance, distance_step }))
    }
}

/// The innermost axes of `(len, stride)` that step like one.
struct ContiguousRun {
    len: usize,
    stride: isize,
}

fn contiguous_run(axes: impl DoubleEndedIterator<Item = (usize, isize)>) -> ContiguousRun {
    let mut run = ContiguousRun { len: 1, stride: 0 };
    for (len, stride) in axes.rev() {
        if run.len == 1 {
            run = ContiguousRun { len, stride };
        } else if len != 1 {
            if stride != run.stride * run.len as isize {
                break;
            }
            run.len *= len;
        }
    }
    run
}

/// Offset of the element at a flat position of the axes `(len, stride)`.
fn offset(position: usize, axes: impl DoubleEndedIterator<Item = (usize, isize)>) -> isize {
    let mut rest = position;
    axes.rev().fold(0, |at, (len, stride)| {
        let index = (rest % len) as isize;
        rest /= len;
        at + index * stride
    })
}

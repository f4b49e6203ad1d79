//! Loop shapes: how windows of any operation are visited, in which order, with which lanes.
//!
//! [`plan`] brings a strided array and its windows into one normal form, [`sweep`] walks the
//! outputs of that form in bands of rows, folding the rows of each window into one row and sliding
//! along it. What is done to the elements is a [`Kernel`]: [`fold::Fold`] for reductions,
//! [`argmax::ArgMax`] for maxima with positions.

#[allow(unsafe_code)]
mod across;
mod ahead;
mod aligned;
#[allow(unsafe_code)]
mod apart;
#[allow(unsafe_code)]
mod argcolumns;
#[allow(unsafe_code)]
pub(crate) mod argmax;
#[allow(unsafe_code)]
pub(crate) mod argwalk;
mod band;
mod choice;
mod chunk;
#[allow(unsafe_code)]
mod clear;
#[allow(unsafe_code)]
mod columns;
#[allow(unsafe_code)]
mod direct;
#[allow(unsafe_code)]
mod disjoint;
#[allow(unsafe_code)]
mod doubled;
#[allow(unsafe_code)]
mod few;
#[allow(unsafe_code)]
mod flat;
pub(crate) mod fold;
#[allow(unsafe_code)]
mod gathered;
#[allow(unsafe_code)]
mod global;
mod grid;
#[allow(unsafe_code)]
mod groups;
#[allow(unsafe_code)]
mod lanes;
mod line;
mod listing;
#[allow(unsafe_code)]
mod pairs;
#[allow(unsafe_code)]
mod pairwise;
#[allow(unsafe_code)]
mod parts;
#[allow(unsafe_code)]
pub(crate) mod picked;
mod plan;
pub(crate) mod planes;
mod pointed;
mod reordered;
#[allow(unsafe_code)]
mod rows;
#[allow(unsafe_code)]
pub(crate) mod running;
mod scales;
#[allow(unsafe_code)]
mod scan;
#[allow(unsafe_code)]
pub(crate) mod scatter;
#[allow(unsafe_code)]
mod slide;
#[allow(unsafe_code)]
mod small;
pub(crate) mod spread;
#[allow(unsafe_code)]
mod spread_gathered;
#[allow(unsafe_code)]
mod spread_lanes;
#[allow(unsafe_code)]
mod spread_rows;
mod staged;
#[allow(unsafe_code)]
pub(crate) mod streamed;
#[allow(unsafe_code)]
mod sweep;
#[allow(unsafe_code)]
mod target;
#[allow(unsafe_code)]
mod threes;
#[allow(unsafe_code)]
mod tile;
#[allow(unsafe_code)]
mod tiled;
#[allow(unsafe_code)]
mod walk;
pub(crate) mod way;
#[allow(unsafe_code)]
mod whole;

use std::ops::Range;

use band::Band;
use line::Slide;
use plan::Traits;
pub(crate) use sweep::pool;
use target::Target;

/// The element side of a sweep. Positions and lengths count elements.
pub(crate) trait Kernel<T>: Copy + Send + Sync {
    /// Room for folded rows.
    type Line;
    /// Where results go.
    type Out: Target;
    /// What the kernel is like.
    fn traits(&self) -> Traits;

    /// A line of `len` elements, all the identity.
    fn line(&self, len: usize) -> Self::Line;
    /// Makes all elements the identity again.
    fn clear(&self, line: &mut Self::Line);
    /// Folds rows of `len` elements into the line.
    fn fold(&self, line: &mut Self::Line, src: &[T], band: &Band, len: usize);
    /// Folds the rows of neighbouring windows that share most of them; gives whether all elements
    /// are surely numbers.
    fn scan(&self, line: &mut Self::Line, src: &[T], scan: &ScanRows) -> bool;
    /// Reduces windows along folded rows to outputs.
    fn slide(&self, from: Rows<'_, T, Self::Line>, band: &Band, slide: &Slide<'_>, out: Self::Out);
    /// Reduces windows straight from the input: pairs of columns that share nothing, or lanes, whose
    /// columns that windows share are `kept` meanwhile.
    fn direct(
        &self,
        src: &[T],
        band: &Band,
        slide: &Slide<'_>,
        kept: &mut Self::Line,
        out: Self::Out,
    );
}

/// Where the rows to slide along are.
pub(crate) enum Rows<'a, T, L> {
    /// Folded, in the line.
    Line(&'a mut L),
    /// In the input, where nothing has to be folded.
    Input(&'a [T]),
}

/// Output rows whose windows are folded in two scans over the input rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScanRows {
    /// Rows of a window, and between windows.
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    /// Position in the input of row 0 of the axis, the distance of its rows, and their number.
    pub(crate) src: usize,
    pub(crate) step: isize,
    pub(crate) rows: usize,
    /// Row of the axis where window 0 starts; negative in the padding.
    pub(crate) origin: isize,
    /// Windows to fold: into rows of the line `pitch` elements apart, from `line` on.
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) line: usize,
    pub(crate) pitch: usize,
    /// Columns of a row, and how far they lie apart; elements of each, and identities behind them.
    pub(crate) columns: usize,
    pub(crate) apart: isize,
    pub(crate) len: usize,
    pub(crate) after: usize,
}

impl ScanRows {
    /// Windows from number `first` on that reach into the same block from the one before it, and
    /// the row that the blocks meet at, both clipped.
    #[inline(always)]
    fn sharing(&self, first: usize) -> (Range<usize>, usize) {
        let start = |window: usize| (self.first + window) * self.stride;
        let boundary = start(first).next_multiple_of(self.kernel);
        let windows = (boundary - start(first)) / self.stride + 1;
        let row = self.origin + boundary as isize;
        (first..self.count.min(first + windows), row.clamp(0, self.rows as isize).unsigned_abs())
    }

    /// Position of a column of a row in the input.
    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> usize {
        let offset = row as isize * self.step + column as isize * self.apart;
        self.src.wrapping_add_signed(offset)
    }

    /// Where a window is in the line.
    #[inline(always)]
    fn to(&self, window: usize) -> usize {
        self.line + window * self.pitch
    }

    /// First row of a window inside the axis.
    #[inline(always)]
    fn start(&self, window: usize) -> usize {
        let start = self.origin + ((self.first + window) * self.stride) as isize;
        start.clamp(0, self.rows as isize).unsigned_abs()
    }

    /// One past the last row of a window inside the axis.
    #[inline(always)]
    fn end(&self, window: usize) -> usize {
        let end = self.origin + ((self.first + window) * self.stride + self.kernel) as isize;
        end.clamp(0, self.rows as isize).unsigned_abs()
    }
}

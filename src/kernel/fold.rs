//! Folding: the rows of a window become one row of a line, which [`slide`](super::slide) reduces to
//! outputs; pairs of columns go straight to the output.

use std::mem::MaybeUninit;

use super::band::{Band, OutputRow, RowTap};
use super::line::{Apart, Slide, Stretch};
use super::plan::Traits;
use super::scan::ScanFold;
use super::slide::{FoldInParts, FoldLevels, FoldRuns};
use super::tile::{VECTOR_BYTES, in_tiles};
use super::{Kernel, Rows, ScanRows, Target};
use crate::Level;
use crate::reduce::Reduce;
use crate::simd::{Work, dispatch, prefetch};
use crate::view::{Shared, even_and_odd, same_type};

/// Bytes that reading runs ahead of folding.
const AHEAD: usize = 3072;

/// Reduces windows with `R`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold<R> {
    pub(crate) reduce: R,
    pub(crate) level: Level,
}

impl<T: Copy + Send + Sync + 'static, R: Reduce<T>> Kernel<T> for Fold<R> {
    type Line = Vec<R::Partial>;
    type Out = Shared<T>;

    fn traits(&self) -> Traits {
        Traits {
            element: size_of::<T>(),
            line_element: size_of::<R::Partial>(),
            vector: 2 * VECTOR_BYTES / size_of::<R::Partial>(),
            in_place: R::LOADS_AS_IS && same_type::<T, R::Partial>(&[]).is_some(),
            overlap: R::IDEMPOTENT,
            scans: true,
            in_pairs: true,
        }
    }

    fn line(&self, len: usize) -> Self::Line {
        vec![self.reduce.identity(); len]
    }

    fn clear(&self, line: &mut Self::Line) {
        line.fill(self.reduce.identity());
    }

    fn fold(&self, line: &mut Self::Line, src: &[T], band: &Band, len: usize, after: usize) {
        dispatch(self.level, FoldRows { reduce: self.reduce, src, band, line, len, after });
    }

    fn scan(&self, line: &mut Self::Line, src: &[T], scan: &ScanRows) {
        dispatch(self.level, ScanFold { reduce: self.reduce, src, scan, line });
    }

    fn slide(&self, from: Rows<'_, T, Self::Line>, band: &Band, slide: &Slide<'_>, out: Self::Out) {
        let line = match from {
            Rows::Line(line) => {
                if slide.levels.count > 0 {
                    return self.slide_levels(line, band, slide, out);
                }
                &line[..]
            }
            Rows::Input(src) => same_type(src).unwrap_or_default(),
        };
        match single_outputs(band, slide) {
            Some(outputs) => {
                let slide = Slide { stretches: &[outputs], stride: slide.pitch, ..*slide };
                self.slide_along(line, band, &band.rows[..1], &slide, out);
            }
            None => self.slide_along(line, band, &band.rows, slide, out),
        }
    }

    fn pairs(&self, src: &[T], band: &Band, slide: &Slide<'_>, out: Self::Out) {
        dispatch(self.level, FoldPairs { reduce: self.reduce, src, band, slide, out });
    }
}

/// Rows of one output each as a single row of outputs, a pitch apart.
fn single_outputs(band: &Band, slide: &Slide<'_>) -> Option<Stretch> {
    let ([stretch], [first, .., last]) = (slide.stretches, &band.rows[..]) else { return None };
    let n = band.rows.len();
    let alike = stretch.outputs == 1
        && slide.lanes == 1
        && !stretch.in_parts
        && !slide.in_place
        && first.room == n
        && last.out - first.out == n as isize - 1
        && band.rows.iter().all(|row| row.count == first.count);
    alike.then_some(Stretch { outputs: n, ..*stretch })
}

impl<R> Fold<R> {
    /// Slides along rows of partial results, as wide as the strides allow.
    fn slide_along<T: Copy + Send + Sync>(
        &self,
        line: &[R::Partial],
        band: &Band,
        rows: &[OutputRow],
        slide: &Slide<'_>,
        out: Shared<T>,
    ) where
        R: Reduce<T>,
    {
        let &Self { reduce, level } = self;
        let apart = slide.apart(true, size_of::<T>() < 4);
        let bases = band.bases(slide.in_place);
        if !slide.stretches.iter().all(|stretch| stretch.in_parts) {
            match apart {
                Apart::One | Apart::Lanes => {
                    let runs = FoldRuns::<T, R, 1> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
                Apart::Two => {
                    let runs = FoldRuns::<T, R, 2> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
                Apart::Four => {
                    let runs = FoldRuns::<T, R, 4> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
                Apart::Any => {
                    let runs = FoldRuns::<T, R, 0> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
            }
        }
        // Last, because vectors of the others may have written over these results.
        if slide.stretches.iter().any(|stretch| stretch.in_parts) {
            dispatch(level, FoldInParts { reduce, line, rows, bases, slide, out });
        }
    }

    /// Slides along rows one by one, each with its levels, which take each other's place.
    fn slide_levels<T: Copy + Send + Sync>(
        &self,
        line: &mut [R::Partial],
        band: &Band,
        slide: &Slide<'_>,
        out: Shared<T>,
    ) where
        R: Reduce<T>,
    {
        for row in &band.rows {
            let (folded, levels) = line.split_at_mut(slide.levels_at);
            let folded = &folded[row.line..row.line + slide.pitch];
            dispatch(self.level, FoldLevels { reduce: self.reduce, folded, levels, slide });
            self.slide_along(line, band, std::slice::from_ref(row), slide, out);
        }
    }
}

impl<T: Copy + Send + Sync> Target for Shared<T> {
    type Store = Vec<MaybeUninit<T>>;

    fn over(store: &mut Self::Store, len: usize) -> Self {
        if store.len() < len {
            store.resize_with(len, MaybeUninit::uninit);
        }
        Self::over(store)
    }

    unsafe fn scatter(
        self,
        store: &Self::Store,
        first: usize,
        at: isize,
        strides: [isize; 2],
        shape: [usize; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe { super::lanes::scatter(&store[first..], self, at, strides, shape) }
    }
}

/// Folds `N` neighbours of every row onto `acc`, those of a row without offset being at `at`.
#[inline(always)]
fn fold_rows<T: Copy, R: Reduce<T>, const N: usize>(
    reduce: R,
    mut acc: [R::Partial; N],
    src: &[T],
    at: usize,
    taps: &[RowTap],
    reach: isize,
) -> [R::Partial; N] {
    for line in (0..N * size_of::<T>()).step_by(64) {
        let ahead = (line + AHEAD) / size_of::<T>();
        prefetch(src, at.wrapping_add_signed(reach).wrapping_add(ahead));
    }
    for tap in taps {
        let tap = &src[at.wrapping_add_signed(tap.offset)..][..N];
        for l in 0..N {
            acc[l] = reduce.combine(acc[l], reduce.load(tap[l]));
        }
    }
    acc
}

/// The same from the first row on.
#[inline(always)]
fn first_rows<T: Copy, R: Reduce<T>, const N: usize>(
    reduce: R,
    src: &[T],
    at: usize,
    taps: &[RowTap],
    reach: isize,
) -> [R::Partial; N] {
    let first = &src[at.wrapping_add_signed(taps[0].offset)..][..N];
    let mut acc = [reduce.load(first[0]); N];
    for l in 0..N {
        acc[l] = reduce.load(first[l]);
    }
    fold_rows(reduce, acc, src, at, &taps[1..], reach)
}

/// Folds rows of elements into rows of partial results.
struct FoldRows<'a, T, R: Reduce<T>> {
    reduce: R,
    src: &'a [T],
    band: &'a Band,
    line: &'a mut [R::Partial],
    len: usize,
    after: usize,
}

impl<T: Copy, R: Reduce<T>> Work for FoldRows<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, src, band, line, len, after } = self;
        for fold in &band.folds {
            let taps = &band.taps[fold.first..fold.end];
            let row = &mut line[fold.line..];
            let src_at = fold.src.wrapping_add_signed(band.src_base);
            let last = src_at.wrapping_add_signed(fold.reach);
            let room = src.len().saturating_sub(last).min(row.len());
            if taps.is_empty() {
                row[..len].fill(reduce.identity());
                continue;
            }
            in_tiles!(two, size_of::<R::Partial>(), len, room, !fold.onto, |at, L| {
                let row = &mut row[at..at + L];
                let mut acc = [reduce.identity(); L];
                if fold.onto {
                    acc.copy_from_slice(row);
                }
                row.copy_from_slice(&fold_rows(reduce, acc, src, src_at + at, taps, fold.reach));
            });
            // Vectors may have written over the padding.
            row[len..len + after].fill(reduce.identity());
        }
    }
}

/// Reduces windows of two columns that follow one another without overlap or gap, straight from the
/// input: nothing is used twice, so nothing is kept in a line.
struct FoldPairs<'a, T, R: Reduce<T>> {
    reduce: R,
    src: &'a [T],
    band: &'a Band,
    slide: &'a Slide<'a>,
    out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>> Work for FoldPairs<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, src, band, slide, out } = self;
        let stretch = &slide.stretches[0];
        let n = stretch.outputs;
        for (fold, row) in band.folds.iter().zip(&band.rows) {
            let scale = reduce.scale(slide.divisor(stretch, row));
            let taps = &band.taps[fold.first..fold.end];
            let start = fold.src.wrapping_add_signed(band.src_base);
            let readable = src.len().saturating_sub(start.wrapping_add_signed(fold.reach)) / 2;
            let at = band.out_base + row.out + stretch.output as isize;
            let room = slide.room(row, stretch.output as isize).max(n);
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let dst = unsafe { out.run(at, room) };
            in_tiles!(one, size_of::<R::Partial>(), n, room.min(readable), true, |at, L| {
                let first = start.wrapping_add(2 * at);
                let dst = &mut dst[at..at + L];
                let columns = first_rows(reduce, src, first, taps, fold.reach);
                let (even, odd) = even_and_odd::<_, { 2 * L }, L>(&columns);
                for l in 0..L {
                    dst[l].write(reduce.finish(reduce.combine(even[l], odd[l]), scale));
                }
            });
        }
    }
}

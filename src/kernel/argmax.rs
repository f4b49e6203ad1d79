//! Maxima with their positions.
//!
//! A result is a pair: the value, and how far in the plane its element lies from the first
//! element of the unclipped window. Folding rows meets elements in order, so a later one wins
//! only if it is larger or NaN. Sliding along a row meets them out of order (a left column's
//! lower row comes before a right column's upper row), so there the smaller position wins a tie,
//! and of several NaN the larger one: in the end the first maximum in row-major order, or the
//! last NaN, which is PyTorch's rule.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::argcolumns::BestOfColumns;
use super::band::{Band, OutputRow};
use super::line::{Apart, Runs, Slide, Stretch};
use super::plan::Traits;
use super::tile::{VECTOR_BYTES, in_tiles};
use super::{Kernel, Rows, ScanRows};
use crate::Level;
use crate::element::{Element, Ordered, Position};
use crate::simd::{Work, dispatch};
use crate::view::{Shared, even_and_odd};

/// Maxima with positions kept in lanes of `P`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArgMax<P> {
    pub(crate) positions: PhantomData<P>,
    pub(crate) level: Level,
}

/// Whether distances in windows are usually of `P`: others are of windows so far apart in memory that
/// hardly anybody has them.
const fn are_usual<T, P>() -> bool {
    size_of::<P>() <= size_of::<u32>() || size_of::<P>() <= size_of::<T>()
}

/// Whether small windows of lanes have a kernel.
const fn is_direct<T: Element, P>() -> bool {
    T::FREQUENT && are_usual::<T, P>()
}

/// Folded rows: values, and positions beside them.
pub(crate) struct PairLine<V, P> {
    values: Vec<V>,
    positions: Vec<P>,
}

impl<T: Element, P: Position> Kernel<T> for ArgMax<P> {
    type Line = PairLine<T::Ordered, P>;
    type Out = (Shared<T>, Shared<i64>);

    fn traits(&self) -> Traits {
        Traits {
            element: size_of::<T>(),
            line_element: size_of::<T>() + size_of::<P>(),
            vector: VECTOR_BYTES / size_of::<P>(),
            in_place: false,
            overlap: true,
            doubled: None,
            scans: false,
            direct: false,
            windows: const { is_direct::<T, P>() } && self.level.is_for_all(),
            frequent: false,
            turns: false,
            parts: false,
        }
    }

    fn line(&self, len: usize) -> Self::Line {
        PairLine { values: vec![T::Ordered::LOWEST; len], positions: vec![P::NONE; len] }
    }

    fn clear(&self, line: &mut Self::Line) {
        line.values.fill(T::Ordered::LOWEST);
        line.positions.fill(P::NONE);
    }

    fn fold(&self, line: &mut Self::Line, src: &[T], band: &Band, len: usize) {
        dispatch(self.level, FoldRows { src, band, line, len });
    }

    fn scan(&self, _line: &mut Self::Line, _src: &[T], _scan: &ScanRows) -> bool {
        unreachable!("the traits say that this kernel does not scan");
    }

    fn direct(
        &self,
        src: &[T],
        band: &Band,
        slide: &Slide<'_>,
        _kept: &mut Self::Line,
        out: Self::Out,
    ) {
        match const { is_direct::<T, P>() } {
            true => {
                let positions = self.positions;
                dispatch(self.level, BestOfColumns { src, band, slide, out, positions });
            }
            false => unreachable!("the traits say that this kernel needs lines"),
        }
    }

    fn slide(&self, from: Rows<'_, T, Self::Line>, band: &Band, slide: &Slide<'_>, out: Self::Out) {
        let Rows::Line(line) = from else { return };
        let apart = slide.apart(false, false);
        let level = self.level;
        match apart {
            Apart::One | Apart::Lanes => {
                dispatch(level, BestOfRuns::<T, P, 1> { line, band, slide, apart, out });
            }
            Apart::Two => {
                dispatch(level, BestOfRuns::<T, P, 2> { line, band, slide, apart, out });
            }
            Apart::Four | Apart::Any => {
                dispatch(level, BestOfRuns::<T, P, 0> { line, band, slide, apart, out });
            }
        }
        if let Some(volume) = slide.empty {
            band.rows.iter().for_each(|row| place_empty(band, row, slide, volume, out.1));
        }
    }
}

/// Windows without elements get the position that PyTorch gives them, the first tap after the left
/// padding of every axis, if the plane has it, else -1.
fn place_empty(
    band: &Band,
    row: &OutputRow,
    slide: &Slide<'_>,
    volume: usize,
    indices: Shared<i64>,
) {
    for stretch in slide.stretches {
        for o in stretch.output..stretch.output + stretch.outputs {
            if row.empty || slide.axis.taps(o).count == 0 {
                let first = row.first.saturating_add(slide.axis.first_after_padding(o));
                let index = if first < volume { first as i64 } else { -1 };
                let at = band.out_base + row.out + o as isize * slide.out_stride;
                // SAFETY: the sweep hands every output position to one task only.
                unsafe { indices.run(at, slide.lanes) }.fill(MaybeUninit::new(index));
            }
        }
    }
}

/// Folds rows of elements, which come in the order of their positions.
struct FoldRows<'a, T: Element, P> {
    src: &'a [T],
    band: &'a Band,
    line: &'a mut PairLine<T::Ordered, P>,
    len: usize,
}

impl<T: Element, P: Position> Work for FoldRows<'_, T, P> {
    const LONGEST: bool = are_usual::<T, P>();

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { src, band, line, len } = self;
        for fold in &band.folds {
            let (taps, after) = (&band.taps[fold.first..fold.end], fold.after);
            let values = &mut line.values[fold.line..];
            let positions = &mut line.positions[fold.line..];
            let src_at = fold.src.wrapping_add_signed(band.src_base);
            let last = src_at.wrapping_add_signed(fold.reach);
            let room = src.len().saturating_sub(last).min(values.len());
            if taps.is_empty() {
                values[..len + after].fill(T::Ordered::LOWEST);
                positions[..len + after].fill(P::NONE);
                continue;
            }
            in_tiles!(one, size_of::<P>(), len, room, !fold.onto, |at, L| {
                let tile = |offset: isize| &src[src_at.wrapping_add_signed(offset) + at..][..L];
                let (values, positions) = (&mut values[at..at + L], &mut positions[at..at + L]);
                let (mut best, mut from) = ([T::Ordered::LOWEST; L], [P::NONE; L]);
                if fold.onto {
                    best.copy_from_slice(values);
                    from.copy_from_slice(positions);
                } else {
                    let first = tile(taps[0].offset);
                    for l in 0..L {
                        best[l] = first[l].to_ordered();
                    }
                    from = [P::from_distance(taps[0].distance); L];
                }
                for tap in &taps[usize::from(!fold.onto)..] {
                    let distance = P::from_distance(tap.distance);
                    let tap = tile(tap.offset);
                    for l in 0..L {
                        let value = tap[l].to_ordered();
                        let wins = value.exceeds(best[l]) | value.is_nan();
                        best[l] = if wins { value } else { best[l] };
                        from[l] = if wins { distance } else { from[l] };
                    }
                }
                values.copy_from_slice(&best);
                positions.copy_from_slice(&from);
            });
            values[len..len + after].fill(T::Ordered::LOWEST);
            positions[len..len + after].fill(P::NONE);
        }
    }
}

/// Finds the best of every window along folded rows.
struct BestOfRuns<'a, T: Element, P, const S: usize> {
    line: &'a PairLine<T::Ordered, P>,
    band: &'a Band,
    slide: &'a Slide<'a>,
    apart: Apart,
    out: (Shared<T>, Shared<i64>),
}

impl<T: Element, P: Position, const S: usize> Work for BestOfRuns<'_, T, P, S> {
    const LONGEST: bool = are_usual::<T, P>();

    #[inline(always)]
    fn run<const V: usize>(self) {
        for row in &self.band.rows {
            for stretch in self.slide.stretches {
                let runs = self.slide.runs(stretch, self.apart);
                if stretch.taps == 0 {
                    self.nothing(row, runs);
                } else {
                    self.stretch(row, stretch, runs);
                }
            }
        }
    }
}

impl<T: Element, P: Position, const S: usize> BestOfRuns<'_, T, P, S> {
    #[inline(always)]
    fn stretch(&self, row: &OutputRow, stretch: &Stretch, runs: Runs) {
        let Self { slide, out, .. } = *self;
        let stride = if S == 0 { slide.stride } else { S };
        let (lanes, step) = (slide.lanes, stretch.step.wrapping_mul(slide.lanes));
        // A run has several columns of one lane, or the lanes of one column.
        let advance = if self.apart == Apart::Lanes { 0 } else { stride as i64 };
        for r in 0..runs.runs {
            let start = row.line + runs.start + r * runs.run_step;
            let (values, positions) = (&self.line.values[start..], &self.line.positions[start..]);
            let to = runs.out + r as isize * runs.out_step;
            let columns = stretch.column as i64 + r as i64 * slide.stride as i64;
            let index = row.index + columns;
            let room = slide.room(row, to).max(runs.n);
            let at = self.band.out_base + row.out + to;
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let (maxima, indices) = unsafe { (out.0.run(at, room), out.1.run(at, room)) };
            let last = (stretch.taps - 1) * step;
            let room = room.min(values.len().saturating_sub(last) / stride);
            in_tiles!(one, size_of::<P>(), runs.n, room, true, |at, L| {
                let window = Window { at: at * stride, taps: stretch.taps, step, stride, lanes };
                let (best, from): ([T::Ordered; L], [P; L]);
                if const { S == 2 && L > 1 } {
                    let window = Window { stride: 1, ..window };
                    let all = best_tile::<_, _, { 2 * L }>(values, positions, window);
                    (best, from) = (even_and_odd(&all.0).0, even_and_odd(&all.1).0);
                } else {
                    (best, from) = best_tile::<_, _, L>(values, positions, window);
                }
                let first = index + at as i64 * advance;
                let (maxima, indices) = (&mut maxima[at..at + L], &mut indices[at..at + L]);
                for l in 0..L {
                    maxima[l].write(T::from_ordered(best[l]));
                    let distance = from[l].to_index();
                    // Where no element was found, the distance may be the smallest integer.
                    let found = (first + l as i64 * advance).wrapping_add(distance);
                    indices[l].write(if distance < 0 { -1 } else { found });
                }
            });
        }
    }

    /// Windows without elements.
    #[inline(always)]
    fn nothing(&self, row: &OutputRow, runs: Runs) {
        for r in 0..runs.runs {
            let at = self.band.out_base + row.out + runs.out + r as isize * runs.out_step;
            // SAFETY: the sweep hands every output position to one task only.
            let (maxima, indices) =
                unsafe { (self.out.0.run(at, runs.n), self.out.1.run(at, runs.n)) };
            maxima.fill(MaybeUninit::new(T::from_ordered(T::Ordered::LOWEST)));
            indices.fill(MaybeUninit::new(-1));
        }
    }
}

/// Where the windows of a tile lie in a row.
#[derive(Debug, Clone, Copy)]
struct Window {
    at: usize,
    taps: usize,
    /// Elements between taps, and between results.
    step: usize,
    stride: usize,
    lanes: usize,
}

/// The best of `L` windows, and how far from their first columns.
#[inline(always)]
fn best_tile<V: Ordered, P: Position, const L: usize>(
    values: &[V],
    positions: &[P],
    window: Window,
) -> ([V; L], [P; L]) {
    let Window { at, taps, step, stride, lanes } = window;
    // Whole vectors of strided elements, but for single results at the line's end.
    let reach = if L == 1 { 1 } else { L * stride };
    let (mut best, mut from) = ([V::LOWEST; L], [P::NONE; L]);
    let (value, position) = (&values[at..][..reach], &positions[at..][..reach]);
    for l in 0..L {
        best[l] = value[l * stride];
        from[l] = position[l * stride];
    }
    for j in 1..taps {
        let start = at + j * step;
        let (value, position) = (&values[start..][..reach], &positions[start..][..reach]);
        let distance = P::from_distance(j * step / lanes);
        for l in 0..L {
            let (v, p) = (value[l * stride], position[l * stride].plus(distance));
            let wins = later_wins(best[l], from[l], v, p);
            best[l] = if wins { v } else { best[l] };
            from[l] = from[l].or_if(wins, p);
        }
    }
    (best, from)
}

/// Whether an element of a later column replaces the best so far.
#[inline(always)]
fn later_wins<V: Ordered, P: Position>(best: V, from: P, value: V, position: P) -> bool {
    let earlier_tie = value.equals(best) & (position < from);
    let last_nan = value.is_nan() & !(best.is_nan() & (position < from));
    value.exceeds(best) | earlier_tie | last_nan
}

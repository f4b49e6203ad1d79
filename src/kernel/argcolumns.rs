//! Maxima with positions under small windows whose lanes fill vectors: straight from the input, so
//! that elements are met in the order of their positions.

use super::band::{Band, OutputRow, RowTap};
use super::columns::{ask_for_column, column, look};
use super::line::Slide;
use super::tile::{in_tiles, write_tile};
use crate::element::{Element, Ordered, Position};
use crate::simd::{Work, first_level_is_large, load_tile};
use crate::view::Shared;
use crate::window::{Axis, Rule};

/// Whether windows of that many rows are reduced so along an axis: those that have so little in common
/// that reducing the rows first, for all of them, takes as long.
pub(super) fn is_for(axis: &Axis, rows: usize) -> bool {
    /// What it takes to compare elements out of order.
    const OUT_OF_ORDER: usize = 4;
    let kernel = axis.max_count();
    let new = match axis.rule {
        Rule::Sliding { stride, .. } => stride.min(kernel),
        Rule::Adaptive => kernel,
        Rule::Listed(_) => return false,
    };
    rows * kernel < rows * new + OUT_OF_ORDER * kernel
}

/// Whether planes of so many elements are best gathered to be lanes first: small ones, the more so the more
/// elements a vector has, under windows that have at most half of their columns in common with the next.
pub(super) fn gathers(axis: &Axis, volume: usize, element: usize) -> bool {
    const SMALL: usize = 12800;
    let apart = match axis.rule {
        Rule::Sliding { kernel, stride, .. } => 2 * stride >= kernel.min(axis.len()),
        _ => true,
    };
    apart && volume.saturating_mul(element * element) <= SMALL
}

/// Finds the best of every window, all of which have elements.
pub(super) struct BestOfColumns<'a, T, P> {
    pub(super) src: &'a [T],
    pub(super) band: &'a Band,
    pub(super) slide: &'a Slide<'a>,
    pub(super) out: (Shared<T>, Shared<i64>),
    pub(super) positions: std::marker::PhantomData<P>,
}

impl<T: Element, P: Position> Work for BestOfColumns<'_, T, P> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { src, band, slide, .. } = self;
        let into_first = first_level_is_large();
        for (fold, output) in band.folds.iter().zip(&band.rows) {
            let taps = &band.taps[fold.first..fold.end];
            let at = fold.src.wrapping_add_signed(band.src_base);
            look(src, slide, at, taps);
            for stretch in slide.stretches {
                for o in stretch.range() {
                    self.window(taps, at, output, o, into_first);
                }
            }
        }
    }
}

impl<T: Element, P: Position> BestOfColumns<'_, T, P> {
    /// The results of all lanes of window `o` of a row of windows, which cover these rows.
    #[inline(always)]
    fn window(&self, taps: &[RowTap], at: usize, row: &OutputRow, o: usize, into_first: bool) {
        let Self { src, band, slide, out: (maxima, indices), .. } = *self;
        let (columns, lanes) = (slide.axis.taps(o), slide.lanes);
        let step = columns.step as isize * slide.in_stride;
        let first = column(slide, at, columns.first as isize);
        let to = band.out_base + row.out + o as isize * slide.out_stride;
        // SAFETY: the sweep hands every output position to one task only.
        let (maxima, indices) = unsafe { (maxima.run(to, lanes), indices.run(to, lanes)) };
        let index = row.index + columns.first as i64;
        in_tiles!(one, size_of::<P>(), lanes, lanes, true, |at, L| {
            let (mut best, mut from) = ([T::Ordered::LOWEST; L], [P::NONE; L]);
            for (k, row) in taps.iter().enumerate() {
                let mut tap = first.wrapping_add_signed(row.offset) + at;
                for j in 0..columns.count {
                    ask_for_column::<T, L>(src, tap, into_first);
                    // SAFETY: looked at before.
                    let tile: [T; L] = unsafe { load_tile(src, tap) };
                    let distance = P::from_distance(row.distance + j * columns.step);
                    let is_first = k + j == 0;
                    for l in 0..L {
                        let value = tile[l].to_ordered();
                        let wins = value.exceeds(best[l]) | value.is_nan() | is_first;
                        best[l] = if wins { value } else { best[l] };
                        from[l] = from[l].or_if(wins, distance);
                    }
                    tap = tap.wrapping_add_signed(step);
                }
            }
            let mut results = [T::from_ordered(best[0]); L];
            let mut found = [0i64; L];
            for l in 0..L {
                results[l] = T::from_ordered(best[l]);
                found[l] = index + from[l].to_index();
            }
            write_tile(&mut maxima[at..], results);
            write_tile(&mut indices[at..], found);
        });
    }
}

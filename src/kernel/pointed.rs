//! Planes that positions point into, and the arrays that are walked beside them.

use super::ahead::AHEAD;
use super::planes::{Axes, Block, Planes, merged, offsets, rows, volume};
use crate::geometry::count;
use crate::simd::prefetch;
use crate::{Execution, PoolError, View};

/// Positions that a cache line holds.
const LINE: usize = 8;

/// Fewer lanes than these are so short a run that its start takes longer than the run; more take
/// longer where they are counted.
const MANY: usize = 16;

/// What could be moved while one position is looked at, its own bytes with it.
const POSITION_BYTES: usize = 32;

/// A plane that positions point into, and the arrays that are walked beside it.
pub(super) struct Pointed {
    pub(super) planes: Planes<3>,
    /// The axes of the plane itself.
    pub(super) plane: Axes<1>,
    /// The axes of the positions' plane, in the positions and in the other array.
    pub(super) walk: Axes<2>,
    pub(super) volume: usize,
    /// Bytes that are moved, and what could be moved meanwhile.
    pub(super) moved: usize,
    pub(super) bytes: usize,
}

/// An array's shape and strides.
pub(super) type Layout<'a> = (&'a [usize], &'a [isize]);

impl Pointed {
    /// Of elements of `element` bytes, for each of which a block keeps as many as `kept` in a cache.
    pub(super) fn new(
        axes: &[usize],
        (plane, plane_strides): Layout<'_>,
        (positions, index_strides): Layout<'_>,
        strides: &[isize],
        [element, kept]: [usize; 2],
    ) -> Result<Self, PoolError> {
        let pooled = |axis: usize| axes.contains(&axis);
        let own: Axes<1> = merged(plane, [plane_strides], pooled);
        let volume = volume(&own);
        let all = [plane_strides, index_strides, strides];
        let walk = merged(positions, [index_strides, strides], pooled);
        Ok(Self {
            planes: Planes::new(axes, plane, all, volume.saturating_mul(kept)),
            plane: own,
            walk,
            volume,
            moved: count(plane)? * element + count(positions)? * (element + size_of::<i64>()),
            bytes: count(plane)? * element + count(positions)? * (element + POSITION_BYTES),
        })
    }

    /// In smaller blocks if threads would have none otherwise.
    pub(super) fn cut_for(mut self, execution: &Execution<'_>) -> Self {
        self.planes = self.planes.cut_for(execution, self.bytes);
        self
    }

    /// Whether elements of both planes follow one another.
    pub(super) fn is_in_order(&self) -> bool {
        matches!((&self.plane[..], &self.walk[..]), ([(_, [1])], [(_, [1, 1])]))
    }

    /// Whether a block has so few lanes that a run goes on from the last lane to the next first one.
    #[inline(always)]
    pub(super) fn wraps(block: Block<3>) -> bool {
        (2..MANY).contains(&block.lanes)
    }

    /// Calls `visit` with runs of positions of a block, from its first lane on, and the offset of
    /// their neighbours in the other array.
    #[inline(always)]
    pub(super) fn each<'i, const WRAPS: bool>(
        &self,
        block: Block<3>,
        indices: &View<'i, i64>,
        mut visit: impl FnMut(&'i [i64], isize) -> Result<(), PoolError>,
    ) -> Result<(), PoolError> {
        let (lanes, [_, from, beside]) = (block.lanes, block.at);
        for ([from, beside], len, steps) in rows(&self.walk, [from, beside]) {
            let contiguous = (WRAPS || lanes == 1) && steps == [lanes as isize; 2];
            let (runs, len) = if contiguous { (1, len * lanes) } else { (len, lanes) };
            for i in 0..runs as isize {
                let at = indices.origin().wrapping_add_signed(from + i * steps[0]);
                visit(&indices.data()[at..at + len], beside + i * steps[1])?;
            }
        }
        Ok(())
    }

    /// Calls `visit` with the number of every position in a run, its lane, and the element it points
    /// to. Of `lanes`, the run starts in the `first`.
    ///
    /// A position outside the plane is an error, and -1 is one unless it `skips`.
    #[inline(always)]
    pub(super) fn checked<const WRAPS: bool>(
        &self,
        run: &[i64],
        [first, lanes]: [usize; 2],
        skips: bool,
        mut visit: impl FnMut(usize, usize, usize),
    ) -> Result<(), PoolError> {
        let volume = self.volume;
        let lane_step = usize::from(lanes > 1);
        let mut lane = first;
        for (line, indices) in run.chunks(LINE).enumerate() {
            prefetch(run, line * LINE + AHEAD / size_of::<i64>());
            for (i, &index) in indices.iter().enumerate() {
                let i = line * LINE + i;
                if !WRAPS {
                    lane = first + i * lane_step;
                }
                if (index as u64) < volume as u64 {
                    visit(i, lane, index as usize);
                } else if !(skips && index == -1) {
                    return Err(PoolError::IndexOutside { index, volume });
                }
                if WRAPS {
                    lane = if lane + 1 < lanes { lane + 1 } else { 0 };
                }
            }
        }
        Ok(())
    }

    /// [`Self::checked`] with the offset of the element in a block's planes.
    #[inline(always)]
    pub(super) fn placed<const WRAPS: bool>(
        &self,
        run: &[i64],
        skips: bool,
        block: Block<3>,
        mut visit: impl FnMut(usize, isize),
    ) -> Result<(), PoolError> {
        let (lanes, at) = ([0, block.lanes], block.at[0]);
        match self.plane[..] {
            [] | [_] => {
                let step = self.plane.first().map_or(1, |&(_, [step])| step);
                self.checked::<WRAPS>(run, lanes, skips, |i, lane, element| {
                    visit(i, at + lane as isize + element as isize * step);
                })
            }
            _ => self.checked::<WRAPS>(run, lanes, skips, |i, lane, element| {
                visit(i, at + lane as isize + offsets(&self.plane, element)[0]);
            }),
        }
    }

    /// A block's planes in order, as runs of neighbours.
    #[inline(always)]
    pub(super) fn runs(&self, block: Block<3>) -> impl Iterator<Item = Runs> {
        let lanes = block.lanes;
        rows(&self.plane, [block.at[0]]).map(move |([at], len, [step])| {
            if step == lanes as isize {
                Runs { at, runs: 1, step: 0, len: len * lanes }
            } else {
                Runs { at, runs: len, step, len: lanes }
            }
        })
    }
}

/// `runs` stretches of `len` neighbours, `step` apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs {
    pub(super) at: isize,
    pub(super) runs: usize,
    pub(super) step: isize,
    pub(super) len: usize,
}

impl Runs {
    /// Offset and place among all elements of every stretch.
    #[inline(always)]
    pub(super) fn each(self) -> impl Iterator<Item = (isize, usize)> {
        (0..self.runs).map(move |run| (self.at + run as isize * self.step, run * self.len))
    }
}

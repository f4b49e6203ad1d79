//! Chunks: outputs along the last pooled axis whose input columns fit in a line.

use std::ops::Range;

use smallvec::SmallVec;

use super::plan::window_stride;
use crate::window::{Axis, Rule};

/// Outputs of a chunk, whose stretches are listed while it is swept.
const CHUNK_OUTPUTS: usize = 4096;

/// Outputs whose input columns fit in a line.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) outputs: Range<usize>,
    /// The column that element 0 of the line is; negative in the left padding.
    pub(crate) first_column: isize,
    /// Columns in the line, padding included.
    pub(crate) columns: usize,
    /// Those of them that lie inside the axis.
    pub(crate) inside: Range<usize>,
    /// Whether the line holds columns outside the axis.
    pub(crate) padded: bool,
}

impl Chunk {
    /// Columns of padding in the line, before and after those inside the axis.
    pub(crate) fn padding(&self) -> [usize; 2] {
        let skipped = (self.inside.start as isize - self.first_column).max(0).unsigned_abs();
        let before = skipped.min(self.columns);
        [before, self.columns - before - self.inside.len()]
    }
}

/// Cuts the outputs so that each stretch reads at most `capacity` columns, or is one output.
pub(super) fn chunks_of(axis: &Axis, capacity: usize) -> SmallVec<[Chunk; 1]> {
    let chunks = cut(axis, capacity, CHUNK_OUTPUTS);
    match chunks.len() {
        0 | 1 => chunks,
        // Once more, in chunks of the same width.
        n => cut(axis, capacity, axis.outputs().div_ceil(n)),
    }
}

/// The same with at most `most` outputs each.
fn cut(axis: &Axis, capacity: usize, most: usize) -> SmallVec<[Chunk; 1]> {
    let padded = holds_padding(axis);
    let mut chunks = SmallVec::new();
    let mut from = 0;
    while from < axis.outputs() {
        let mut reach = span(axis, padded, from);
        let mut to = from + 1;
        // Padded windows follow one another, clipped ones may also be empty or step back.
        let whole = reach.join(span(axis, padded, axis.outputs() - 1));
        if padded && whole.len() <= capacity && axis.outputs() <= most {
            (reach, to) = (whole, axis.outputs());
        }
        // Windows of one size, as far apart as their stride: one by one they would take longer to
        // count than to pool.
        if padded && to < axis.outputs() {
            let room = capacity.saturating_sub(reach.len()) / window_stride(axis);
            to = axis.outputs().min(from + most.min(room.saturating_add(1)));
            reach = reach.join(span(axis, padded, to - 1));
        }
        while !padded && to < axis.outputs() && to - from < most {
            let wider = reach.join(span(axis, padded, to));
            if wider.len() > capacity {
                break;
            }
            reach = wider;
            to += 1;
        }
        let clip = |column: isize| column.clamp(0, axis.len() as isize) as usize;
        chunks.push(Chunk {
            outputs: from..to,
            first_column: reach.first,
            columns: reach.len(),
            inside: clip(reach.first)..clip(reach.end),
            padded,
        });
        from = to;
    }
    chunks
}

/// Whether the padding of an axis is small enough to keep in the line as identities. Windows
/// longer than the axis, or dilated past it, are clipped tap by tap instead.
pub(super) fn holds_padding(axis: &Axis) -> bool {
    match axis.rule {
        Rule::Sliding { kernel, dilation, .. } => {
            (kernel - 1).saturating_mul(dilation) < axis.len().saturating_mul(2) + 64
        }
        Rule::Adaptive | Rule::Listed(_) => false,
    }
}

/// A stretch of columns; some may lie outside the axis.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: isize,
    end: isize,
}

impl Span {
    fn len(self) -> usize {
        (self.end - self.first).unsigned_abs()
    }

    /// The stretch that covers both.
    fn join(self, other: Self) -> Self {
        match (self.len(), other.len()) {
            (_, 0) => self,
            (0, _) => other,
            _ => Self { first: self.first.min(other.first), end: self.end.max(other.end) },
        }
    }
}

/// The columns that output `o` reads from the line.
fn span(axis: &Axis, padded: bool, o: usize) -> Span {
    if padded {
        let first = axis.start(o);
        return Span { first, end: first + axis.max_reach() as isize + 1 };
    }
    let taps = axis.taps(o);
    let end = if taps.count == 0 { taps.first } else { taps.end() };
    Span { first: taps.first as isize, end: end as isize }
}

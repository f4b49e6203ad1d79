//! Which results are computed together: the lanes of a [`plan`](super::plan), and whether planes are
//! gathered to be lanes.

use super::argcolumns;
use super::band::ROWS_AT_ONCE;
use super::line::{LONG, Levels};
use super::plan::{Free, LINE_BYTES, Pooled, Traits};
use super::tile::VECTOR_BYTES;
use crate::geometry::Dims;
use crate::reduce::Divisor;
use crate::window::{Axis, Rule};

/// Scratch for a block of gathered planes, input and output: well inside a second-level cache, or
/// about as much where single results take longer than elements that are fetched twice.
const GATHER_BYTES: [usize; 2] = [256 << 10, 1 << 20];

/// Rows of at least this many bytes for every column of a window of up to three columns, or of
/// more, or of this many for any window, are swept as they are: a row takes as long as a vector,
/// however little it has of one, and the longer the longer the window.
const LONG_ROW_BYTES: [usize; 3] = [24, 24, 168];

/// Lanes of a block of gathered planes: bytes of whole vectors, or several of a narrow one. More
/// than one where the block stays in a first-level cache, as a band takes long to list.
const GATHER_LANE_BYTES: usize = 64;
const MOST_LANE_BYTES: usize = 512;
const GATHER_BLOCK_BYTES: usize = 24 << 10;

/// Elements per result above which results that no vector holds are not worth gathering planes for;
/// those with positions take longer.
const FEW: [usize; 2] = [24, 96];

/// How many windows long enough for levels a line should hold where that makes lanes narrow, or else.
const MANY_WINDOWS: usize = 4;
const FEW_WINDOWS: usize = 2;

/// A line of many lanes: a part of a second-level cache, smaller if there are levels beside it.
const WIDE_LINE_BYTES: [usize; 2] = [256 << 10, 96 << 10];

/// Wide lanes are cut so that at least this many columns fit in a line.
const MIN_COLUMNS: usize = 16;

/// Whether some free axis of at least that length has neighbours in memory.
pub(super) fn has_lanes(free: &[Free], least: usize) -> bool {
    free.iter().any(|axis| is_lanes(axis) && axis.len >= least)
}

/// What a line of folded rows should have of bytes, for columns of lanes of its elements: more than
/// others where that keeps the lanes together, so that neighbouring columns are read from end to end.
pub(super) fn line_bytes(free: &[Free], columns: &Axis, element: usize) -> usize {
    match free.iter().find(|axis| is_lanes(axis)) {
        Some(lanes) if columns.len() > 1 => {
            let few = lanes.len.saturating_mul(columns.len().min(MIN_COLUMNS));
            let most = WIDE_LINE_BYTES[usize::from(has_levels(columns))];
            few.saturating_mul(element).clamp(LINE_BYTES, most)
        }
        _ => LINE_BYTES,
    }
}

fn is_lanes(axis: &Free) -> bool {
    axis.input == 1 && axis.output == 1
}

/// Whether windows lie apart on an axis, or side by side.
pub(super) fn share_nothing(axis: &Axis) -> bool {
    match axis.rule {
        Rule::Sliding { kernel, stride, dilation: 1, .. } => kernel <= stride.min(ROWS_AT_ONCE),
        _ => false,
    }
}

/// Whether windows are so long, and so close to one another, that they may be put together from levels.
fn has_levels(axis: &Axis) -> bool {
    match axis.rule {
        Rule::Sliding { kernel, stride, .. } => {
            kernel >= Levels::SHORT && kernel.saturating_mul(2) >= stride.saturating_mul(3)
        }
        _ => false,
    }
}

/// Lanes to sweep together, so that a row of `room` elements holds enough columns: long windows are
/// cheap where many of them share most of their columns. Blocks are whole vectors, each of as many as others.
fn lane_block(lanes: usize, axis: &Axis, room: usize, vector: usize) -> usize {
    let wide = lanes.min((room / MIN_COLUMNS.min(axis.len().max(1))).max(1));
    let Rule::Sliding { stride, .. } = axis.rule else { return wide };
    if !has_levels(axis) {
        return wide;
    }
    let reach = axis.max_reach() + 1;
    let all = (axis.outputs().saturating_sub(1)).saturating_mul(stride).saturating_add(reach);
    let columns = |windows: usize| all.min(reach.saturating_mul(windows));
    // Whole columns are neighbours in memory; parts of them are read one by one.
    if lanes.saturating_mul(columns(FEW_WINDOWS)) <= room {
        return lanes;
    }
    let most = (room / columns(MANY_WINDOWS) / vector * vector).max(vector);
    wide.min(lanes.div_ceil(lanes.div_ceil(most)).next_multiple_of(vector))
}

/// Takes the lanes out of the free axes; also how many to sweep together, and whether to gather.
pub(super) fn choose_lanes(
    free: &mut Dims<Free>,
    columns: &Pooled<'_>,
    row_bytes: usize,
    [volume, outputs]: [usize; 2],
    divisor: Divisor,
    Traits { element, line_element, vector, direct, windows, turns, .. }: Traits,
) -> (Free, usize, bool) {
    if let Some(at) = free.iter().position(is_lanes) {
        let lanes = free.remove(at);
        let block = lane_block(lanes.len, columns.axis, row_bytes / line_element, vector / 2);
        return (lanes, block, false);
    }
    let strided = match columns.axis.rule {
        Rule::Sliding { stride: 1 | 2, .. } => true,
        Rule::Sliding { stride: 4, .. } => direct && element < 4,
        _ => false,
    };
    // Little gains by lanes where results are few beside the elements that would be gathered, and rows
    // fill vectors.
    let alone = !strided
        && (turns
            && are_turned(columns.axis, element, divisor)
            && columns.axis.len() * element >= VECTOR_BYTES
            || volume >= FEW[usize::from(!direct)].saturating_mul(outputs));
    let taps = columns.axis.max_count();
    let [short, longer, most] = LONG_ROW_BYTES;
    let needed = most.min(taps.saturating_mul(if taps > 3 { longer } else { short }));
    // Lanes that do not fill a vector take as long as if they did.
    let planes = free.iter().map(|axis| axis.len).max().unwrap_or(1);
    let filled = planes.saturating_mul(element).clamp(GATHER_LANE_BYTES / 4, GATHER_LANE_BYTES);
    let long = match direct {
        true => columns.axis.len() * element * GATHER_LANE_BYTES >= needed * filled,
        false => 2 * columns.axis.outputs() >= vector,
    };
    let long = long && strided;
    let small = windows && argcolumns::gathers(columns.axis, volume, element);
    let own_lanes = columns.input == 1 && (long || alone) && !small;
    let elements = volume.saturating_add(outputs);
    let block = (GATHER_LANE_BYTES / element).max(1);
    let plane_bytes = elements.saturating_mul(element);
    let most = GATHER_BYTES[usize::from(!strided)];
    if !own_lanes && plane_bytes.saturating_mul(block) <= most {
        let longest = (0..free.len()).max_by_key(|&at| free[at].len);
        if let Some(at) = longest.filter(|&at| free[at].len >= 4) {
            let lanes = free.remove(at);
            let bytes = (GATHER_BLOCK_BYTES / elements.max(1)).clamp(1, MOST_LANE_BYTES);
            let block = bytes.next_multiple_of(GATHER_LANE_BYTES) / element;
            return (lanes, lanes.len.min(block.max(1)), true);
        }
    }
    (Free { len: 1, input: 0, output: 0 }, 1, false)
}

/// Whether windows of neighbours lie so far apart on an axis that squares of them are turned, none
/// of them clipped.
pub(super) fn lie_apart(axis: &Axis, element: usize) -> bool {
    are_apart(axis, element) && axis.whole_windows() == (0..axis.outputs())
}

fn are_apart(axis: &Axis, element: usize) -> bool {
    let apart = match axis.rule {
        Rule::Sliding { kernel, stride, dilation: 1, .. } => {
            kernel < LONG && stride > 2 && !(stride == 4 && element < 4)
        }
        _ => false,
    };
    apart && axis.outputs() > 1
}

/// Whether they are turned where padding is in the line too: clipped windows are divided as whole ones are.
fn are_turned(axis: &Axis, element: usize, divisor: Divisor) -> bool {
    let (whole, outputs) = (axis.whole_windows(), axis.outputs());
    let count = |o| axis.counted(o, divisor);
    // All that are clipped, and one that is not.
    let mut some = (0..outputs.min(whole.start + 1)).chain(whole.end..outputs);
    are_apart(axis, element) && some.all(|o| count(o) == count(0))
}

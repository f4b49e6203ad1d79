//! One window over each of many planes: as many planes as squares of them have, more and fewer, that follow
//! one another in memory or lie apart, whose rows fill vectors or do not.

use poolnd::{Divisor, Window};

use crate::dtype::{Dtype, Number, numbers, test_each};
use crate::layout::Layout;
use crate::problem::Problem;
use crate::two_apart::{averages_of, maxima_of};

const PLANES: [[usize; 2]; 3] = [[1, 3], [3, 11], [1, 64]];
const SIZES: [[usize; 2]; 9] =
    [[7, 7], [1, 8], [9, 4], [8, 17], [14, 14], [2, 16], [3, 33], [12, 40], [5, 63]];

fn problems() -> impl Iterator<Item = Problem> {
    PLANES.into_iter().flat_map(|planes| SIZES.map(|size| (planes, size))).enumerate().map(
        |(i, ([batch, channels], [rows, columns]))| {
            let divisor = [Divisor::PaddedWindow, Divisor::Fixed(-3)][i % 2];
            let windows = [2, 3].map(|axis| (axis, Window::adaptive(1))).to_vec();
            Problem { shape: vec![batch, channels, rows, columns], windows, divisor }
        },
    )
}

fn outputs() -> [Layout; 3] {
    [[1, 1, 1, 1], [1, 2, 1, 1], [2, 1, 3, 1]].map(Layout::with_gaps)
}

/// Arrays without gaps, with gaps between channels, between batches, and backwards.
fn inputs() -> [Layout; 4] {
    let steps = [[1, 1, 1, 1], [1, 2, 1, 1], [2, 1, 1, 1], [-1, -1, 1, 1]];
    steps.map(|steps| Layout::contiguous(4).stepping(steps))
}

fn maxima<T: Dtype>() {
    for input in inputs() {
        maxima_of::<T>(problems(), &input, outputs);
    }
}

fn averages<T: Number>() {
    for input in inputs() {
        averages_of::<T>(problems(), &input, outputs);
    }
}

numbers!(test_each maxima [bool]);
numbers!(test_each averages []);

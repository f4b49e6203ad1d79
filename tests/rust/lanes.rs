//! Windows over arrays whose channels are last: lanes of every number around those of vectors, windows
//! that share columns or do not, clipped at any edge, and windows longer than lines are wide.

use poolnd::{Divisor, Sliding, Window};

use crate::dtype::{Dtype, Number, numbers, test_each};
use crate::layout::Layout;
use crate::problem::Problem;
use crate::two_apart::{averages_of, maxima_of};

/// Lanes, and sizes of rows and columns.
const LANES: [usize; 4] = [17, 48, 65, 129];
const SIZES: [[usize; 2]; 4] = [[7, 9], [4, 6], [11, 5], [5, 3]];

/// The problem of windows along rows and columns, or columns alone.
fn problem(lanes: usize, [rows, columns]: [usize; 2], window: [&Sliding; 2], i: usize) -> Problem {
    let windows = (1..3).filter(|&axis| axis == 2 || !i.is_multiple_of(5));
    let divisor = [Divisor::PaddedWindow, Divisor::Window, Divisor::Fixed(-3)][i % 3];
    Problem {
        shape: vec![lanes, rows, columns],
        windows: windows.map(|axis| (axis, (*window[axis - 1]).into())).collect(),
        divisor,
    }
}

/// Small windows: those with kernels of their own, and others.
fn small() -> impl Iterator<Item = Problem> {
    let windows = [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (3, 3), (4, 2), (5, 1)];
    let lanes = LANES.into_iter().flat_map(move |lanes| windows.map(|window| (lanes, window)));
    lanes.enumerate().flat_map(|(i, (lanes, (kernel, stride)))| {
        (0..4).filter_map(move |side| {
            let mut window = Window::sliding(kernel).stride(stride).ceil_mode(i % 4 == 0);
            // Or so wide that some windows have no column.
            window.padding = [[0, 0], [1, 1], [0, 1], [4, 3]][side];
            let mut rows = window;
            rows.padding = if side == 3 { [0, 0] } else { window.padding };
            let size = SIZES[(i + side) % SIZES.len()];
            (kernel as usize <= size[0].min(size[1]))
                .then(|| problem(lanes, size, [&rows, &window], i))
        })
    })
}

/// Long windows, of which a line of all lanes holds less than one.
fn long() -> impl Iterator<Item = Problem> {
    let lanes = [70, 520].into_iter().flat_map(|lanes| [9, 31].map(|k| (lanes, k)));
    lanes.enumerate().map(|(i, (lanes, kernel))| {
        let window = Window::sliding(kernel).stride(1 + i as i64 % 2).padding(kernel / 2 - 1);
        let size = if lanes < 200 { [19, 40] } else { [1, 90] };
        let mut problem = problem(lanes, size, [&window; 2], if lanes < 200 { i } else { 0 });
        problem.divisor = Divisor::Window;
        problem
    })
}

/// Square windows of neighbours, in rows of few columns and of so many that they are cut into strips.
fn squares() -> impl Iterator<Item = Problem> {
    let kernels = [3, 5, 6, 7, 13];
    let lanes = [3, 17, 65].into_iter().flat_map(move |lanes| kernels.map(|k| (lanes, k)));
    lanes.enumerate().flat_map(|(i, (lanes, kernel))| {
        (0..3).map(move |side| {
            let [mut rows, mut columns] = [Window::sliding(kernel).stride(1); 2];
            columns.padding = [[0, 0], [kernel / 2, kernel / 2], [kernel - 1, 1]][side];
            rows.padding = [columns.padding, [1, kernel - 1], [0, 0]][side];
            let wide = if lanes > 3 || kernel > 5 { 80 } else { 400 };
            let size = [13 + (i + side) % 2, if side == 1 { wide } else { 14 }];
            // Never every fifth, which has windows along columns alone.
            problem(lanes, size, [&rows, &columns], 5 * i + 1)
        })
    })
}

/// Windows of many elements that share none, over lanes of a kibibyte and more in some dtypes: all lanes of
/// a column before the next.
fn large() -> impl Iterator<Item = Problem> {
    let windows = [(5, 0), (6, 2)].into_iter().flat_map(|window| [300, 1030].map(|n| (n, window)));
    windows.enumerate().map(|(i, (lanes, (kernel, padding)))| {
        let window = Window::sliding(kernel).stride(kernel).padding(padding);
        problem(lanes, [11, 12], [&window; 2], i + 1)
    })
}

/// Windows so long that they are reduced in parts, over fewer lanes than a vector has and over more, and
/// single lanes whose windows are all different.
fn in_parts() -> impl Iterator<Item = Problem> {
    let lanes = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 67];
    let sizes = [(64, 1), (170, 2), (333, 5), (90, 70)];
    let problems = lanes.into_iter().flat_map(move |lanes| sizes.map(|size| (lanes, size)));
    problems.enumerate().map(|(i, (lanes, (columns, outputs)))| {
        let rows = Window::adaptive(if i % 2 == 0 { 2 } else { 3 });
        let windows = vec![(1, rows), (2, Window::adaptive(outputs))];
        Problem { shape: vec![lanes, 3, columns], windows, divisor: Divisor::Window }
    })
}

/// Lanes next to one another, in rows with gaps or without; or apart.
fn outputs() -> [Layout; 3] {
    let last = || Layout::contiguous(3).moved(0, 2);
    [last(), last().stepping([1, 1, 2]), last().stepping([2, 1, 1])]
}

fn maxima<T: Dtype>() {
    maxima_of::<T>(
        small().chain(long()).chain(squares()).chain(large()).chain(in_parts()),
        &Layout::contiguous(3).moved(0, 2),
        outputs,
    );
}

fn averages<T: Number>() {
    averages_of::<T>(
        small().chain(long()).chain(squares()).chain(large()).chain(in_parts()),
        &Layout::contiguous(3).moved(0, 2),
        outputs,
    );
}

numbers!(test_each maxima [bool]);
numbers!(test_each averages []);

//! Gradients of averages whose windows PyTorch's rules cannot make.

use std::mem::MaybeUninit;

use poolnd::{Divisor, Execution, Geometry, Taps, View, ViewMut, Window, average_backward_into};

/// Adds every output's gradient over `divisor` to the elements of its window, by the book.
fn by_the_book(geometry: &Geometry, grad: &[f64], divisor: f64) -> Vec<f64> {
    let [(_, rows), (_, columns)] = geometry.pooled() else { panic!("two axes") };
    let mut sums = vec![0.0; rows.len() * columns.len()];
    for (o, gradient) in grad.iter().enumerate() {
        let (row, column) = (rows.taps(o / columns.outputs()), columns.taps(o % columns.outputs()));
        for i in 0..row.count {
            for j in 0..column.count {
                let at =
                    (row.first + i * row.step) * columns.len() + column.first + j * column.step;
                sums[at] += gradient / divisor;
            }
        }
    }
    sums
}

fn check(shape: [usize; 2], windows: [Window; 2]) {
    let [rows, columns] = windows;
    let geometry = Geometry::new(&shape, &[(0, rows), (1, columns)]).unwrap();
    let outputs = geometry.output_shape();
    let grad: Vec<f64> = (1..=outputs.iter().product()).map(|i: usize| 3.0 * i as f64).collect();
    let mut result = vec![MaybeUninit::new(f64::NAN); shape[0] * shape[1]];
    let out = ViewMut::new(&mut result, &shape).unwrap();
    let (execution, grads) = (Execution::default(), View::new(&grad, outputs).unwrap());
    average_backward_into(&execution, &geometry, Divisor::Fixed(3), &grads, out).unwrap();
    // SAFETY: it was initialised from the start.
    let result: Vec<f64> = result.iter().map(|value| unsafe { value.assume_init() }).collect();
    assert_eq!(result, by_the_book(&geometry, &grad, 3.0));
}

fn listed() -> Window {
    let taps = [(5, 2, 1), (0, 4, 2), (4, 2, 2), (5, 2, 1), (1, 2, 3)];
    Window::Listed(taps.map(|(first, count, step)| Taps { first, count, step }).to_vec())
}

/// A window may lie in the padding as a whole, even the only one.
#[test]
fn window_without_elements() {
    let outside = || Window::from(Window::sliding(3).stride(5).padding(3));
    check([128, 1], [Window::sliding(1).into(), outside()]);
    check([1, 128], [outside(), Window::sliding(1).into()]);
    check([1, 1], [outside(), outside()]);
    let mut second = Window::sliding(4).stride(3).ceil_mode(true);
    second.padding = [6, 0];
    check([1, 4], [second.into(), Window::adaptive(1)]);
}

/// An axis may be empty, and its only window padding.
#[test]
fn no_elements() {
    let around = || Window::from(Window::sliding(2).padding(1));
    check([0, 3], [around(), Window::sliding(3).into()]);
    check([3, 0], [Window::sliding(3).into(), around()]);
    check([0, 0], [around(), around()]);
}

/// The windows that read an element need not be evenly spaced.
#[test]
fn listed_windows() {
    check([7, 7], [listed(), listed()]);
    check([7, 3], [listed(), Window::sliding(2).stride(1).into()]);
    check([3, 7], [Window::sliding(2).stride(1).into(), listed()]);
}

/// Windows longer than an axis are clipped one by one, also where they are neighbours: a given divisor
/// is that of all.
#[test]
fn neighbours_that_are_clipped_one_by_one() {
    let long = |kernel: i64| Window::from(Window::sliding(kernel).padding(1));
    for (shape, kernel) in [([5, 2], 7), ([40, 24], 41), ([6, 130], 7)] {
        let pairs = Window::sliding(2).stride(2).padding(1);
        check(shape, [long(kernel), pairs.into()]);
        check([shape[1], shape[0]], [pairs.into(), long(kernel)]);
    }
}

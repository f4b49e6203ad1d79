//! Windows of a million elements and more: sums stay exact, positions do not wrap around.

use poolnd::{Divisor, View, Window, average, max_with_indices};

use crate::dtype::{Kind, Number, numbers, random, test_each};
use crate::problem::Problem;
use crate::reference;

/// One window over everything: a row, a plane, and a row of a few channels in NHWC order.
fn whole_arrays<T: Number>() {
    for (shape, pooled) in [(&[1 << 20][..], 0..1), (&[1024, 1024], 0..2), (&[1 << 18, 4], 0..1)] {
        let windows = pooled.map(|axis| (axis, Window::adaptive(1))).collect();
        let problem = Problem { shape: shape.to_vec(), windows, divisor: Divisor::Window };
        let element = |at| T::sample(Kind::Fractions, random(1, at));
        let elements: Vec<T> = (0..1 << 20).map(element).collect();
        let (view, geometry) = (View::new(&elements, shape).unwrap(), problem.geometry());
        let averages = average(&view, &geometry, problem.divisor).unwrap();
        let (maxima, indices) = max_with_indices(&view, &geometry).unwrap();
        for (o, seen) in reference::windows(&problem, &elements).iter().enumerate() {
            let (value, expected) = (averages.data()[o], reference::average(seen, problem.divisor));
            assert!(value.is_close(expected), "{shape:?}: {value:?}, should be {expected:?}");
            assert_eq!((maxima.data()[o], indices.data()[o]), reference::max(seen), "{shape:?}");
        }
    }
}

numbers!(test_each whole_arrays []);

#[test]
fn sums_that_need_the_widest_accumulator() {
    let n = (1 << 24) + 1;
    let geometry = Problem {
        shape: vec![n],
        windows: vec![(0, Window::adaptive(1))],
        divisor: Divisor::Window,
    }
    .geometry();
    let bytes = vec![u8::MAX; n];
    let view = View::new(&bytes, &[n]).unwrap();
    assert_eq!(average(&view, &geometry, Divisor::Window).unwrap().data(), [u8::MAX]);
    let bytes = vec![i8::MIN; n];
    let view = View::new(&bytes, &[n]).unwrap();
    assert_eq!(average(&view, &geometry, Divisor::Window).unwrap().data(), [i8::MIN]);
}

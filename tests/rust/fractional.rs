//! Fractional maxima: windows that start at places of their own in every plane.

use std::mem::MaybeUninit;

use half::f16;
use poolnd::{Divisor, Taps, View, ViewMut, Window, fractional_max_into};

use crate::dtype::{Dtype, Kind, random};
use crate::executions::executions;
use crate::layout::{Array, Layout};
use crate::problem::Problem;
use crate::reference;

const SEED: u64 = 1;
const PLANES: usize = 2;

/// Planes of `shape` under windows of `kernel` elements, of which there are `outputs`.
struct Case<'a> {
    shape: &'a [usize],
    kernel: &'a [usize],
    outputs: &'a [usize],
}

impl Case<'_> {
    fn starts(&self, plane: usize, axis: usize) -> Vec<usize> {
        let places = self.shape[axis] + 1 - self.kernel[axis];
        let at = |o| random(SEED, plane * 1000 + axis * 100 + o) as usize % places;
        let mut starts: Vec<usize> = (0..self.outputs[axis]).map(at).collect();
        // One plane's in order, so that neighbours lie close together, the other's not.
        if plane == 0 {
            starts.sort_unstable();
        }
        starts
    }

    fn expected<T: Dtype>(&self, plane: usize, elements: &[T]) -> Vec<T> {
        let listed = |axis: usize| {
            let count = self.kernel[axis];
            let starts = self.starts(plane, axis).into_iter();
            Window::Listed(starts.map(|first| Taps { first, count, step: 1 }).collect())
        };
        let windows = (0..self.shape.len()).map(|axis| (axis, listed(axis))).collect();
        let problem = Problem { windows, shape: self.shape.to_vec(), divisor: Divisor::Window };
        reference::windows(&problem, elements).iter().map(|seen| reference::max(seen).0).collect()
    }

    fn check<T: Dtype>(&self, kind: Kind) {
        let volume: usize = self.shape.iter().product();
        let elements: Vec<T> =
            (0..PLANES * volume).map(|at| T::sample(kind, random(SEED, at))).collect();
        let planes = elements.chunks(volume).enumerate();
        let expected: Vec<T> =
            planes.flat_map(|(plane, elements)| self.expected(plane, elements)).collect();
        // A plane as axis 1, so that "channels last" puts planes side by side.
        let with_planes = |lengths: &[usize]| [&[1, PLANES], lengths].concat();
        let (shape, outputs) = (with_planes(self.shape), with_planes(self.outputs));
        let axes: Vec<usize> = (2..shape.len()).collect();
        for layout in [Layout::contiguous(shape.len()), Layout::channels_last(shape.len())] {
            let input = Array::of(&shape, &layout, &elements);
            for execution in executions() {
                let mut results = vec![MaybeUninit::new(T::default()); expected.len()];
                let out = ViewMut::new(&mut results, &outputs).unwrap();
                let starts = |plane, axis| self.starts(plane, axis);
                let view: View<'_, T> = input.view();
                fractional_max_into(&execution, &axes, self.kernel, starts, &view, out, None)
                    .unwrap();
                for (result, &expected) in results.iter().zip(&expected) {
                    // SAFETY: initialised from the start.
                    let result = unsafe { result.assume_init() };
                    assert!(result.same(expected), "{result:?}, not {expected:?}, {execution:?}");
                }
            }
        }
    }
}

fn check<T: Dtype>() {
    for kind in [Kind::Ties, Kind::Specials, Kind::Fractions] {
        for columns in [15, 16, 17, 64, 65, 100] {
            for kernel in [1, 2, 3, 8, 9, 12, 15] {
                let (shape, outputs) = (&[7, columns][..], &[5, 11][..]);
                Case { shape, kernel: &[3, kernel], outputs }.check::<T>(kind);
            }
            Case { shape: &[columns], kernel: &[4], outputs: &[9] }.check::<T>(kind);
            Case { shape: &[3, 4, columns], kernel: &[2, 3, 2], outputs: &[2, 3, 40] }
                .check::<T>(kind);
        }
    }
}

#[test]
fn windows_of_their_own_in_every_plane() {
    check::<f32>();
    check::<f64>();
    check::<f16>();
    check::<u8>();
    check::<i32>();
}

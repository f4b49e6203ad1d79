//! Elements, positions and planes, each in a memory order of its own.

use half::f16;
use poolnd::{max_backward_into, unpool_backward_into, unpool_into};

use crate::dtype::{Kind, Number, random};
use crate::executions::executions;
use crate::layout::{Array, Layout};

const SEED: u64 = 5;

/// Images, channels, windows and elements of each along rows and columns.
type Shape = [usize; 6];

/// Element `at` of an array of images, channels, rows and columns.
fn flat([_, channels, rows, columns]: [usize; 4], [n, c, i, j]: [usize; 4]) -> usize {
    ((n * channels + c) * rows + i) * columns + j
}

fn check<T: Number>([images, channels, high, wide, tall, broad]: Shape) {
    let outputs = [images, channels, high, wide];
    let inputs = [images, channels, high * tall, wide * broad];
    let len: usize = outputs.iter().product();
    let elements: Vec<T> = (0..len).map(|o| T::sample(Kind::Ties, random(SEED, o))).collect();
    let larger: Vec<T> =
        (0..len * tall * broad).map(|at| T::sample(Kind::Ties, random(SEED, at + len))).collect();
    let mut positions = vec![0; len];
    let mut put = vec![T::default(); larger.len()];
    let mut taken = elements.clone();
    for n in 0..images {
        for c in 0..channels {
            for (i, j) in (0..high).flat_map(|i| (0..wide).map(move |j| (i, j))) {
                let o = flat(outputs, [n, c, i, j]);
                let pick = random(SEED, o) as usize;
                let (row, column) = (i * tall + pick % tall, j * broad + pick / tall % broad);
                positions[o] = (row * wide * broad + column) as i64;
                let at = flat(inputs, [n, c, row, column]);
                (put[at], taken[o]) = (elements[o], larger[at]);
            }
        }
    }
    let orders = [Layout::contiguous(4), Layout::channels_last(4)];
    for combination in 0..8 {
        let order = |which: usize| &orders[combination >> which & 1];
        let small = Array::of(&outputs, order(0), &elements);
        let indices = Array::of(&outputs, order(1), &positions);
        let large = Array::of(&inputs, order(2), &larger);
        for execution in executions() {
            let fill = |_| T::sample(Kind::Ties, 3);
            let mut out = Array::new(&inputs, order(2), fill);
            unpool_into(&execution, &[2, 3], &small.view(), &indices.view(), out.view_mut())
                .unwrap();
            assert!(out.elements() == put, "unpooled, {combination}");
            let mut out = Array::new(&inputs, order(2), fill);
            max_backward_into(&execution, &[2, 3], &small.view(), &indices.view(), out.view_mut())
                .unwrap();
            assert!(out.elements() == put, "gradient of maxima, {combination}");
            let mut out = Array::new(&outputs, order(0), fill);
            let (large, indices) = (large.view(), indices.view());
            unpool_backward_into(&execution, &[2, 3], &large, &indices, out.view_mut()).unwrap();
            assert!(out.elements() == taken, "gradient of unpooling, {combination}");
        }
    }
}

#[test]
fn every_combination() {
    for shape in [
        [2, 5, 3, 4, 2, 2],
        [1, 3, 7, 9, 4, 3],
        [3, 40, 2, 2, 2, 3],
        [1, 2, 1, 30, 1, 3],
        [2, 17, 1, 1, 2, 2],
        [1, 300, 9, 9, 2, 2],
        [2, 1, 3, 3, 2, 2],
        [0, 4, 2, 2, 2, 2],
    ] {
        check::<f32>(shape);
        check::<f16>(shape);
        check::<u8>(shape);
        check::<f64>(shape);
    }
}

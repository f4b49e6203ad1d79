//! Elements put at positions: unpooling, and gradients of maxima.

use std::mem::MaybeUninit;

use half::{bf16, f16};
use poolnd::{Execution, View, ViewMut, max_backward_into, unpool_into};

use crate::dtype::{Dtype, Kind, Number, random};
use crate::executions::executions;

const SEED: u64 = 1;
const PLANES: usize = 3;

/// A position in each of the windows of `size` that tile a plane of `outputs`, row-major.
fn positions(outputs: &[usize], size: &[usize]) -> Vec<i64> {
    let volume: usize = outputs.iter().product();
    let position = |o: usize| {
        let (mut rest, mut step, mut at) = (o, 1, 0);
        for (axis, (&outputs, &size)) in outputs.iter().zip(size).enumerate().rev() {
            let inside = random(SEED, o * 8 + axis) as usize % size;
            at += (rest % outputs * size + inside) * step;
            rest /= outputs;
            step *= outputs * size;
        }
        at as i64
    };
    (0..volume).map(position).collect()
}

/// What `put` writes to planes of `shape`, at every level; the planes are given in C order.
fn at_every_level<T: Dtype>(
    shape: &[usize],
    put: impl Fn(&Execution<'_>, ViewMut<'_, T>),
    check: impl Fn(&[T]),
) {
    for execution in executions() {
        let nothing = T::sample(Kind::Fractions, 1);
        let mut memory = vec![MaybeUninit::new(nothing); shape.iter().product()];
        let out = ViewMut::new(&mut memory, shape).unwrap();
        put(&execution, out);
        // SAFETY: initialised from the start.
        check(&memory.iter().map(|element| unsafe { element.assume_init() }).collect::<Vec<T>>());
    }
}

struct Case {
    shape: Vec<usize>,
    outputs: Vec<usize>,
    positions: Vec<i64>,
    /// The axis of the planes.
    free: usize,
}

impl Case {
    /// Windows of `size` that tile a plane, `odd` of whose positions are elsewhere.
    fn tiling(outputs: &[usize], size: &[usize], odd: usize) -> Self {
        let lengths: Vec<_> =
            outputs.iter().zip(size).map(|(outputs, size)| outputs * size).collect();
        Self::new(&lengths, outputs, &positions(outputs, size), odd)
    }

    /// Windows of three, two apart, of which the first begins `lead` before the plane.
    fn overlapping(plane: [usize; 2], outputs: [usize; 2], lead: usize, odd: usize) -> Self {
        let place = |axis: usize, window: usize, o: usize| {
            let (first, end) = ((2 * window).max(lead), (2 * window + 3).min(plane[axis] + lead));
            first - lead + random(SEED, o * 8 + axis) as usize % (end - first)
        };
        let [high, wide] = outputs;
        let position = |o: usize| place(0, o / wide, o) * plane[1] + place(1, o % wide, o);
        let positions: Vec<_> = (0..high * wide).map(|o| position(o) as i64).collect();
        Self::new(&plane, &outputs, &positions, odd)
    }

    fn new(lengths: &[usize], outputs: &[usize], positions: &[i64], odd: usize) -> Self {
        let plane: usize = lengths.iter().product();
        let mut positions = positions.repeat(PLANES);
        let (most, last) = (positions.len(), PLANES.min(odd + 1));
        for i in 0..odd {
            // In one plane, so that others are as they were.
            positions[random(SEED, i) as usize % (most / last)] =
                (random(SEED, i + 9) as usize % plane) as i64;
        }
        let of_planes = |lengths: &[usize]| [&[PLANES], lengths].concat();
        Self { shape: of_planes(lengths), outputs: of_planes(outputs), positions, free: 0 }
    }

    /// The same positions in other planes, as many as `lanes`, that are the last axis.
    fn channels_last(&self, lanes: usize) -> Self {
        let outputs = self.positions.len() / PLANES;
        let position = |o: usize| self.positions[o % lanes % PLANES * outputs + o / lanes];
        let of_lanes = |shape: &[usize]| [&shape[1..], &[lanes]].concat();
        Self {
            shape: of_lanes(&self.shape),
            outputs: of_lanes(&self.outputs),
            positions: (0..outputs * lanes).map(position).collect(),
            free: self.shape.len() - 1,
        }
    }

    /// The number of every position, and of the element it points to.
    fn each(&self) -> impl Iterator<Item = (usize, usize)> {
        let planes = self.shape[self.free];
        let plane: usize = self.shape.iter().product::<usize>() / planes;
        let outputs = self.positions.len() / planes;
        self.positions.iter().enumerate().map(move |(o, &position)| match self.free {
            0 => (o, o / outputs * plane + position as usize),
            _ => (o, position as usize * planes + o % planes),
        })
    }

    fn axes(&self) -> Vec<usize> {
        (0..self.shape.len()).filter(|&axis| axis != self.free).collect()
    }

    fn unpool<T: Dtype>(&self) {
        let elements: Vec<T> =
            (0..self.positions.len()).map(|o| T::sample(Kind::Specials, random(SEED, o))).collect();
        let mut expected = vec![T::default(); self.shape.iter().product()];
        self.each().for_each(|(o, at)| expected[at] = elements[o]);
        let input = View::new(&elements, &self.outputs).unwrap();
        let indices = View::new(&self.positions, &self.outputs).unwrap();
        at_every_level(
            &self.shape,
            |execution, out| {
                unpool_into(execution, &self.axes(), &input, &indices, out).unwrap();
            },
            |result: &[T]| {
                assert!(result.iter().zip(&expected).all(|(a, b)| a.bits() == b.bits()));
            },
        );
    }

    /// Gradients of a `kind`, and what `sum` makes of those that meet.
    fn backward<T: Number>(&self, kind: Kind, sum: impl Fn(&[T]) -> T) {
        let gradients: Vec<T> =
            (0..self.positions.len()).map(|o| T::sample(kind, random(SEED, o))).collect();
        let mut met = vec![Vec::new(); self.shape.iter().product()];
        self.each().for_each(|(o, at)| met[at].push(gradients[o]));
        let expected: Vec<T> = met.iter().map(|met| sum(met)).collect();
        let input = View::new(&gradients, &self.outputs).unwrap();
        let indices = View::new(&self.positions, &self.outputs).unwrap();
        at_every_level(
            &self.shape,
            |execution, out| {
                max_backward_into(execution, &self.axes(), &input, &indices, out).unwrap();
            },
            |result: &[T]| {
                assert!(result.iter().zip(&expected).all(|(a, &b)| a.same(b)));
            },
        );
    }

    /// Sums that are exact in every dtype.
    fn exact_backward<T: Number>(&self) {
        self.backward::<T>(Kind::Ties, |met| T::mean(met, 1));
    }

    fn check(&self) {
        self.unpool::<f32>();
        self.unpool::<f64>();
        self.unpool::<f16>();
        self.unpool::<u8>();
        self.exact_backward::<f32>();
        self.exact_backward::<f64>();
        self.exact_backward::<f16>();
        self.exact_backward::<bf16>();
        self.exact_backward::<u16>();
        self.exact_backward::<i8>();
        self.backward::<f32>(Kind::Fractions, |met| met.iter().fold(0.0, |sum, x| sum + x));
    }
}

/// Windows that tile the plane, and positions that only nearly lie in them.
#[test]
fn tiles() {
    for columns in [1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 64, 70, 128] {
        for odd in [0, 1, 2, 40] {
            for rows in [1, 2, 3] {
                Case::tiling(&[4, columns], &[rows, 2], odd).check();
            }
            Case::tiling(&[columns], &[2], odd).check();
            Case::tiling(&[4, columns], &[2, 3], odd).check();
            Case::tiling(&[2, 3, columns], &[2, 2, 2], odd).check();
        }
    }
}

/// Windows that overlap, within the plane and past each of its edges.
#[test]
fn overlapping_windows() {
    for columns in [3, 4, 16, 17, 33, 34, 35, 36, 64, 65, 66, 67, 70, 95, 129] {
        for (rows, odd) in [(3, 0), (4, 1), (5, 0), (8, 0), (9, 1), (9, 60), (12, 2)] {
            // Inside, with an element before the plane, and with the last window past its end.
            let inside = [rows, columns].map(|len| (len - 1) / 2);
            let padded = inside.map(|outputs| outputs + 1);
            let past = [rows, columns].map(|len| len / 2);
            Case::overlapping([rows, columns], inside, 0, odd).check();
            Case::overlapping([rows, columns], padded, 1, odd).check();
            Case::overlapping([rows, columns], past, 0, odd).check();
            Case::overlapping([rows, columns], [padded[0], inside[1]], 0, odd).check();
        }
    }
}

/// Lanes of one position, fewer and more of them than a run goes on for.
#[test]
fn channels_last() {
    for lanes in [2, 3, 5, 8, 15, 16, 17] {
        for (rows, columns) in [(2, 3), (3, 5), (9, 70), (26, 35)] {
            Case::tiling(&[rows, columns], &[2, 2], 0).channels_last(lanes).check();
            let outputs = [rows, columns].map(|len| len / 2);
            Case::overlapping([rows, columns], outputs, 0, 5).channels_last(lanes).check();
        }
    }
}

/// An element without a position is left out, and one with a wrong position is an error.
#[test]
fn positions_that_are_none() {
    let mut case = Case::tiling(&[3, 40], &[2, 2], 0);
    let gradients = vec![1.0f32; case.positions.len()];
    case.positions[100] = -1;
    let input = View::new(&gradients, &case.outputs).unwrap();
    let indices = View::new(&case.positions, &case.outputs).unwrap();
    at_every_level(
        &case.shape,
        |execution, out| {
            max_backward_into(execution, &case.axes(), &input, &indices, out).unwrap();
        },
        |result: &[f32]| assert_eq!(result.iter().sum::<f32>(), gradients.len() as f32 - 1.0),
    );
    for wrong in [-1, -2, 480, i64::MAX, i64::MIN, 1 << 32, -(1 << 32)] {
        let mut positions = case.positions.clone();
        positions[100] = wrong;
        let indices = View::new(&positions, &case.outputs).unwrap();
        at_every_level(
            &case.shape,
            |execution, out| {
                unpool_into(execution, &case.axes(), &input, &indices, out).unwrap_err();
            },
            |_: &[f32]| {},
        );
    }
}

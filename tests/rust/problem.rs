//! Pooling problems: a shape, windows on some of its axes, a divisor.

use poolnd::{Divisor, Geometry, Taps, Window};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::reference;

/// Element visits of the reference that a problem may cost.
const MOST_VISITS: i64 = 100_000;

/// Lengths around the widths of vectors and tiles.
const LENGTHS: [usize; 15] = [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130, 257];

#[derive(Debug, Clone)]
pub struct Problem {
    pub shape: Vec<usize>,
    /// Pooled axes in any order, each with its windows.
    pub windows: Vec<(usize, Window)>,
    pub divisor: Divisor,
}

impl Problem {
    pub fn geometry(&self) -> Geometry {
        Geometry::new(&self.shape, &self.windows).unwrap()
    }

    /// The windows of an axis, if it is pooled.
    pub fn window(&self, axis: usize) -> Option<&Window> {
        self.windows.iter().find(|(pooled, _)| *pooled == axis).map(|(_, window)| window)
    }

    pub fn output_shape(&self) -> Vec<usize> {
        let output = |(axis, &len): (usize, &usize)| match self.window(axis) {
            Some(window) => reference::outputs(window, len) as usize,
            None => len,
        };
        self.shape.iter().enumerate().map(output).collect()
    }

    /// An upper bound of the reference's element visits.
    fn visits(&self) -> i64 {
        let outputs: usize = self.output_shape().iter().product();
        let taps = self.windows.iter().map(|(_, window)| match window {
            Window::Sliding(sliding) => sliding.kernel_size,
            Window::Adaptive { output_size } => 260 / (1 + *output_size as i64) + 2,
            Window::Listed(_) => 8,
        });
        taps.product::<i64>().saturating_mul(outputs as i64)
    }
}

/// Every kind of problem that the kernels treat in a way of its own.
pub fn problems() -> impl Strategy<Value = Problem> {
    let shapes = prop_oneof![3 => one_long_axis(), 2 => small_planes(), 1 => few_elements()];
    prop_oneof![3 => shapes.prop_flat_map(on_shape), 1 => squares()]
        .prop_filter("too slow", |problem| problem.visits() <= MOST_VISITS)
}

/// Planes under square windows, as most networks have them; some so wide that they are
/// cut into strips.
fn squares() -> impl Strategy<Value = Problem> {
    let columns = prop_oneof![5 => 1usize..=40, 4 => select(&LENGTHS), 1 => Just(1100)];
    let sides = (1usize..=4, 1usize..=36, columns);
    let sliding = (
        select(vec![2i64, 3, 3, 4, 5, 7, 9, 13, 31]),
        1i64..=2,
        [0i64..=3, 0i64..=3],
        any::<bool>(),
    );
    (sides, sliding, divisors()).prop_map(|((planes, rows, columns), sizes, divisor)| {
        let (kernel_size, stride, padding, ceil_mode) = sizes;
        let mut sliding = Window::sliding(kernel_size).stride(stride).ceil_mode(ceil_mode);
        sliding.padding = padding.map(|padding| padding.min(kernel_size - 1));
        let long = |len: usize| len.max(kernel_size as usize);
        let shape = vec![planes, long(rows), long(columns)];
        Problem { shape, windows: vec![(1, sliding.into()), (2, sliding.into())], divisor }
    })
}

/// A shape and the axes to pool.
type Shape = (Vec<usize>, Vec<usize>);

/// One axis as long as several vectors, up to three short ones; any of them pooled.
fn one_long_axis() -> impl Strategy<Value = Shape> {
    (prop::collection::vec(1usize..=6, 0..=4), select(&LENGTHS), any::<prop::sample::Index>())
        .prop_flat_map(|(mut shape, long, at)| {
            shape.insert(at.index(shape.len() + 1), long);
            (Just(shape.clone()), axes_of(&shape, 1))
        })
}

/// (N, C, spatial...) with many channels and one to three spatial axes, or (N, spatial..., C).
fn small_planes() -> impl Strategy<Value = Shape> {
    let spatial = prop::collection::vec(1usize..=9, 1..=3);
    let channels = prop_oneof![select(&LENGTHS), 3usize..=8];
    (1usize..=2, channels, spatial, any::<bool>()).prop_map(|(n, c, spatial, channels_last)| {
        let axes = (0..spatial.len()).map(|axis| axis + 2 - usize::from(channels_last)).collect();
        let shape = if channels_last {
            [&[n], &spatial[..], &[c]].concat()
        } else {
            [&[n, c], &spatial[..]].concat()
        };
        (shape, axes)
    })
}

/// Up to five axes of which up to four are pooled, some perhaps without elements.
fn few_elements() -> impl Strategy<Value = Shape> {
    let length = prop_oneof![8 => 1usize..=4, 1 => Just(0)];
    prop::collection::vec(length, 1..=5)
        .prop_flat_map(|shape| (Just(shape.clone()), axes_of(&shape, 0)))
}

/// At least `fewest` and at most four axes of a shape, in any order.
fn axes_of(shape: &[usize], fewest: usize) -> impl Strategy<Value = Vec<usize>> + use<> {
    let axes: Vec<_> = (0..shape.len()).collect();
    subsequence(axes, fewest..=shape.len().min(4)).prop_shuffle()
}

fn on_shape((shape, axes): Shape) -> impl Strategy<Value = Problem> {
    let windows: Vec<_> = axes.iter().map(|&axis| (Just(axis), window(shape[axis]))).collect();
    (Just(shape), windows, divisors()).prop_map(|(shape, windows, divisor)| Problem {
        shape,
        windows,
        divisor,
    })
}

fn divisors() -> impl Strategy<Value = Divisor> {
    prop_oneof![
        Just(Divisor::PaddedWindow),
        Just(Divisor::Window),
        select(vec![1, 3, 7, -2, 1 << 40]).prop_map(Divisor::Fixed),
    ]
}

/// Windows that fit on an axis of `len` elements.
fn window(len: usize) -> BoxedStrategy<Window> {
    prop_oneof![
        8 => sliding(len),
        2 => (0..=len + 2).prop_map(Window::adaptive),
        1 => prop::collection::vec(taps(len), 0..=6).prop_map(Window::Listed),
    ]
    .boxed()
}

fn sliding(len: usize) -> impl Strategy<Value = Window> {
    let kernel_size = match len {
        64.. => prop_oneof![4 => 1i64..=5, 1 => Just(70), 1 => Just(200)].boxed(),
        _ => (1i64..=5).boxed(),
    };
    let stride = prop_oneof![4 => 1i64..=5, 1 => 6i64..=100];
    let dilation = prop_oneof![3 => Just(1i64), 2 => 2i64..=4, 1 => Just(50)];
    // Also more than half of the kernel, also different before and after.
    let padding = prop_oneof![
        Just([0, 0]),
        (1i64..=3).prop_map(|padding| [padding; 2]),
        [0i64..=6, 0i64..=6],
    ];
    (kernel_size, stride, padding, dilation, any::<bool>()).prop_map(move |sizes| {
        let (kernel_size, stride, padding, dilation, ceil_mode) = sizes;
        let mut sliding =
            Window::sliding(kernel_size).stride(stride).dilation(dilation).ceil_mode(ceil_mode);
        sliding.padding = padding;
        // Smaller until it fits; where the axis is empty, only padding helps.
        while reference::outputs(&sliding.into(), len) < 1 {
            if sliding.dilation > 1 {
                sliding.dilation /= 2;
            } else if sliding.kernel_size > 1 {
                sliding.kernel_size -= 1;
            } else {
                sliding.padding[0] += 1;
            }
        }
        sliding.into()
    })
}

/// The taps of a listed window on an axis of `len` elements.
fn taps(len: usize) -> impl Strategy<Value = Taps> {
    (0..=len, 0usize..=8, 1usize..=3).prop_map(move |(first, count, step)| {
        match count.min((len - first).div_ceil(step)) {
            0 => Taps { first: 0, count: 0, step },
            count => Taps { first, count, step },
        }
    })
}

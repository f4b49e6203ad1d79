//! Sizes that nobody means: every call ends at once, in a result or an error.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use poolnd::{
    Divisor, Geometry, Mean, PoolError, Sliding, Taps, View, Window, average, max, max_with_indices,
};

/// Far more than a call on a handful of elements takes, and far less than 2^31 steps would.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Outputs that a test can wait for.
const MOST_OUTPUTS: usize = 10_000;

const SIZES: [i64; 14] = [
    i64::MIN,
    -(1 << 62),
    -1,
    0,
    1,
    2,
    3,
    1 << 31,
    (1 << 32) + 1,
    1 << 61,
    (1 << 62) - 1,
    1 << 62,
    i64::MAX - 1,
    i64::MAX,
];

/// Pools `data` in every way and checks that the calls agree about it.
fn pool<T: Mean + PartialEq + Debug>(
    data: &[T],
    shape: &[usize],
    windows: &[(usize, Window)],
) -> Result<(), PoolError> {
    let geometry = Geometry::new(shape, windows)?;
    if geometry.output_shape().iter().product::<usize>() > MOST_OUTPUTS {
        return Ok(());
    }
    let view = View::new(data, shape)?;
    let maxima = max(&view, &geometry)?;
    let (values, indices) = max_with_indices(&view, &geometry)?;
    assert_eq!(maxima, values);
    let volume: usize = geometry.pooled().iter().map(|(_, axis)| axis.len()).product();
    assert!(indices.data().iter().all(|index| (-1..volume as i64).contains(index)));
    for divisor in [Divisor::PaddedWindow, Divisor::Window, Divisor::Fixed(i64::MIN)] {
        average(&view, &geometry, divisor)?;
    }
    Ok(())
}

/// The same windows on the last axis of a row, on both axes of a plane, and of several whose columns
/// are interleaved.
fn try_window(window: &Window) {
    let (data, lanes) = ([7; 25], [7.0f32; 200]);
    let started = Instant::now();
    for len in [0, 1, 2, 5] {
        // An error is a good answer.
        let _ = pool(&data[..len], &[len], &[(0, window.clone())]);
        let both = [(0, window.clone()), (1, window.clone())];
        let _ = pool(&data[..len * 5], &[5, len], &both);
        let _ = pool(&lanes[..len * 40], &[5, len, 8], &both);
    }
    assert!(started.elapsed() < AT_ONCE, "{window:?} took {:?}", started.elapsed());
}

#[test]
fn sliding_windows() {
    let each = || SIZES.into_iter();
    for kernel_size in each() {
        for (stride, dilation) in each().flat_map(|stride| each().map(move |d| (stride, d))) {
            for padding in each().flat_map(|p| [[p, p], [p, 0], [0, p]]) {
                let ceil_mode = (stride ^ padding[0]) & 1 == 0;
                try_window(&Window::Sliding(Sliding {
                    kernel_size,
                    stride,
                    padding,
                    dilation,
                    ceil_mode,
                }));
            }
        }
    }
}

#[test]
fn adaptive_windows() {
    for output_size in SIZES.into_iter().filter_map(|size| usize::try_from(size).ok()) {
        try_window(&Window::adaptive(output_size));
    }
    try_window(&Window::adaptive(usize::MAX));
}

#[test]
fn listed_windows() {
    let sizes = || SIZES.into_iter().map(|size| size as usize);
    for (first, count) in sizes().flat_map(|first| sizes().map(move |count| (first, count))) {
        for step in sizes() {
            try_window(&Window::Listed(vec![Taps { first, count, step }]));
        }
    }
}

#[test]
fn axes() {
    for axis in SIZES.into_iter().map(|size| size as usize).filter(|&axis| axis > 0) {
        let geometry = Geometry::new(&[4], &[(axis, Window::sliding(1).into())]);
        assert_eq!(geometry.unwrap_err(), PoolError::BadAxis { axis, ndim: 1 });
    }
}

#[test]
fn lengths() {
    for len in SIZES.into_iter().map(|size| size as usize) {
        let _ = View::new(&[0; 4], &[len, len]);
        for window in [Window::sliding(3).into(), Window::adaptive(2)] {
            let _ = Geometry::new(&[len, 0, len], &[(0, window)]);
        }
    }
}

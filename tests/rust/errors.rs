//! Every variant of `PoolError`, by a call that deserves it.

use std::mem::MaybeUninit;

use poolnd::{
    Divisor, Execution, Geometry, PoolError, Sliding, Taps, View, ViewMut, Window, average,
    average_into, contiguous_strides, max, max_into, max_with_indices, max_with_indices_into,
    power_average_into, unpool_into,
};

/// Checks that a call was refused, in words that name the argument and its value.
fn assert_refused<R>(result: Result<R, PoolError>, expected: PoolError, words: &[&str]) {
    let Err(error) = result else { panic!("not refused: {expected}") };
    assert_eq!(error, expected);
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{message:?} should contain {word:?}");
    }
}

fn pooled(len: usize, window: impl Into<Window>) -> Result<Geometry, PoolError> {
    Geometry::new(&[len], &[(0, window.into())])
}

#[test]
fn sizes_that_must_be_positive() {
    for value in [0, -1, i64::MIN] {
        let k3 = Window::sliding(3);
        let cases = [
            (Window::sliding(value).stride(1), "kernel size", "kernel_size"),
            (k3.dilation(value), "dilation", "dilation"),
            (k3.stride(value), "stride", "stride"),
        ];
        for (window, what, argument) in cases {
            if window.stride == 0 {
                continue;
            }
            let expected = PoolError::NotPositive { what, argument, value };
            let words =
                [&format!("{what} should be greater than zero"), &format!("{argument}={value}")];
            assert_refused(pooled(8, window), expected.clone(), &words.map(String::as_str));
            assert_eq!(window.check_pytorch(), Err(expected));
        }
    }
}

#[test]
fn a_stride_of_zero() {
    let words = ["stride should not be zero", "stride=0"];
    assert_refused(pooled(8, Window::sliding(3).stride(0)), PoolError::ZeroStride, &words);
    assert_refused(pooled(8, Window::sliding(0)), PoolError::ZeroStride, &words);
}

#[test]
fn negative_padding() {
    for padding in [[-1, 0], [0, -1], [i64::MIN, 0]] {
        let window = Sliding { padding, ..Window::sliding(3) };
        let padding = padding[0].min(padding[1]);
        let words = ["pad must be non-negative", &format!("padding={padding}")];
        assert_refused(pooled(8, window), PoolError::NegativePadding { padding }, &words);
    }
}

#[test]
fn padding_that_only_pytorch_refuses() {
    let window = Window::sliding(3).padding(2).dilation(2);
    let expected = PoolError::WidePadding { padding: 2, kernel_size: 3, dilation: 2 };
    let words = ["pad should be at most half", "padding=2", "kernel_size=3", "dilation=2"];
    assert_refused(window.check_pytorch(), expected, &words);
    assert!(pooled(8, window).is_ok());
    assert_eq!(Window::sliding(3).padding(1).check_pytorch(), Ok(()));
}

#[test]
fn no_room_for_a_window() {
    let expected = PoolError::OutputTooSmall {
        len: 4,
        kernel_size: 3,
        padding: 2,
        dilation: 4,
        output_size: -2,
    };
    let words =
        ["Output size is too small", "kernel_size=3", "padding=2", "dilation=4", "length 4"];
    assert_refused(
        pooled(4, Window::sliding(3).stride(1).padding(1).dilation(4)),
        expected,
        &words,
    );
    assert!(matches!(pooled(0, Window::sliding(1)), Err(PoolError::OutputTooSmall { .. })));
}

#[test]
fn listed_windows_that_leave_the_axis() {
    let listed = |first, count, step| Window::Listed(vec![Taps { first, count, step }]);
    assert!(pooled(8, listed(2, 3, 2)).is_ok());
    for taps in [(2, 3, 3), (8, 1, 1), (0, usize::MAX, 1), (usize::MAX, 1, 1)] {
        let taps = Taps { first: taps.0, count: taps.1, step: taps.2 };
        let expected = PoolError::TapsOutside { len: 8, taps };
        let words = ["outside an axis of length 8", &format!("count: {}", taps.count)];
        assert_refused(pooled(8, Window::Listed(vec![taps])), expected, &words);
    }
    let what = "step of listed taps";
    let expected = PoolError::NotPositive { what, argument: "step", value: 0 };
    assert_refused(pooled(8, listed(2, 3, 0)), expected, &["greater than zero", "step=0"]);
}

#[test]
fn a_window_wider_than_an_index() {
    let huge = i64::MAX / 2;
    let wide = Window::sliding(huge).dilation(huge).stride(1).ceil_mode(true);
    assert!(pooled(8, wide).is_err());
    let padding = Window::sliding(3).padding(i64::MAX);
    let expected = PoolError::WindowTooLarge { argument: "padding", value: i64::MAX };
    let words = ["padding=9223372036854775807 overflows", "signed 64-bit integer"];
    assert_refused(pooled(8, padding), expected, &words);
    let starts_inside = Window::sliding(i64::MAX).stride(i64::MAX).ceil_mode(true);
    let argument = "kernel_size or dilation";
    let expected = PoolError::WindowTooLarge { argument, value: i64::MAX };
    assert_refused(pooled(8, starts_inside), expected, &["kernel_size", "9223372036854775807"]);
}

#[test]
fn axes_that_are_not_there_or_named_twice() {
    let window = || Window::sliding(1).into();
    let words = ["axis 2", "2 dimensions"];
    let expected = PoolError::BadAxis { axis: 2, ndim: 2 };
    assert_refused(Geometry::new(&[3, 3], &[(2, window())]), expected, &words);
    let twice = Geometry::new(&[3, 3], &[(1, window()), (1, window())]);
    let expected = PoolError::BadAxis { axis: 1, ndim: 2 };
    assert_refused(twice, expected.clone(), &["axis 1", "repeated"]);
    let around = Geometry::new(&[3, 3], &[(1, window()), (0, window()), (1, window())]);
    assert_refused(around, expected, &["axis 1", "repeated"]);
}

#[test]
fn an_output_beyond_memory() {
    for size in [1 << 62, usize::MAX] {
        let expected = PoolError::TooLarge { shape: vec![size] };
        let words = ["integer multiplication overflow", &format!("[{size}]")];
        assert_refused(pooled(3, Window::adaptive(size)), expected, &words);
    }
    // It could be addressed, but no machine has so much memory.
    let (data, n) = ([0f64; 3], 1 << 58);
    let view = View::new(&data, &[3]).unwrap();
    let geometry = pooled(3, Window::adaptive(n)).unwrap();
    let expected = PoolError::TooLarge { shape: vec![n] };
    assert_refused(max(&view, &geometry), expected.clone(), &["too many elements"]);
    assert_refused(max_with_indices(&view, &geometry), expected.clone(), &[]);
    assert_refused(average(&view, &geometry, Divisor::Window), expected, &[]);
}

#[test]
fn arrays_that_do_not_have_the_geometry() {
    let geometry = pooled(4, Window::sliding(2)).unwrap();
    let (data, execution) = ([0u8; 4], Execution::default());
    let (good, flat) = (View::new(&data, &[4]).unwrap(), View::new(&data, &[2, 2]).unwrap());
    let mismatch = |what, got: &[usize], expected: &[usize]| PoolError::ShapeMismatch {
        what,
        got: got.to_vec(),
        expected: expected.to_vec(),
    };

    let input = mismatch("input", &[2, 2], &[4]);
    assert_refused(max(&flat, &geometry), input.clone(), &["input", "[2, 2]", "[4]"]);
    assert_refused(average(&flat, &geometry, Divisor::Window), input.clone(), &[]);
    assert_refused(max_with_indices(&flat, &geometry), input, &[]);

    let (mut three, mut two) = ([MaybeUninit::uninit(); 3], [MaybeUninit::uninit(); 2]);
    let mut positions = [MaybeUninit::uninit(); 3];
    let output = mismatch("output", &[3], &[2]);
    let out = ViewMut::new(&mut three, &[3]).unwrap();
    assert_refused(max_into(&execution, &geometry, &good, out), output.clone(), &["[3]", "[2]"]);
    let out = ViewMut::new(&mut three, &[3]).unwrap();
    let refused = average_into(&execution, &geometry, Divisor::Window, &good, out);
    assert_refused(refused, output, &["output"]);
    let out = ViewMut::new(&mut two, &[2]).unwrap();
    let indices = ViewMut::new(&mut positions, &[3]).unwrap();
    let refused = max_with_indices_into(&execution, &geometry, &good, out, indices);
    assert_refused(refused, mismatch("indices", &[3], &[2]), &["indices"]);
}

#[test]
fn values_and_indices_in_different_orders() {
    let windows = [(0, Window::sliding(1).into())];
    let geometry = Geometry::new(&[2, 2], &windows).unwrap();
    let (mut values, mut indices, data) = ([0u8; 4], [0i64; 4], [0u8; 4]);
    let (input, c_order) = (View::new(&data, &[2, 2]).unwrap(), contiguous_strides(&[2, 2]));
    // SAFETY: both have the four elements of their shape.
    let (values, indices) = unsafe {
        let values = ViewMut::from_raw_parts(values.as_mut_ptr(), &[2, 2], &c_order);
        let indices = ViewMut::from_raw_parts(indices.as_mut_ptr(), &[2, 2], &[1, 2]);
        (values.unwrap(), indices.unwrap())
    };
    let execution = Execution::default();
    assert!(max_with_indices_into(&execution, &geometry, &input, values, indices).is_err());
}

#[test]
fn memory_that_a_view_cannot_have() {
    let expected = PoolError::OutOfBounds { shape: vec![3], strides: vec![1], len: 2 };
    assert_refused(View::new(&[0u8; 2], &[3]), expected, &["[3]", "2 elements"]);
    let mut memory = [0u8; 2];
    // SAFETY: nothing is read or written through the view.
    let shared = unsafe { ViewMut::from_raw_parts(memory.as_mut_ptr(), &[2], &[0]) };
    let expected = PoolError::Overlap { shape: vec![2], strides: vec![0] };
    assert_refused(shared, expected, &["[0]", "[2]", "share memory"]);
}

#[test]
fn a_divisor_of_zero() {
    let geometry = pooled(4, Window::sliding(2)).unwrap();
    let data = [0f32; 4];
    let averaged = average(&View::new(&data, &[4]).unwrap(), &geometry, Divisor::Fixed(0));
    let words = ["divisor must be not zero", "divisor_override=0"];
    assert_refused(averaged, PoolError::ZeroDivisor, &words);
}

#[test]
fn a_power_without_a_root() {
    let geometry = pooled(4, Window::sliding(2)).unwrap();
    let input = View::new(&[0f32; 4], &[4]).unwrap();
    for norm_type in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY] {
        let mut memory = [MaybeUninit::uninit(); 2];
        let output = ViewMut::new(&mut memory, &[2]).unwrap();
        let execution = Execution::default();
        let refused = power_average_into(&execution, &geometry, norm_type, 2.0, &input, output);
        let expected = PoolError::NormType { norm_type: norm_type.to_string() };
        assert_refused(
            refused,
            expected,
            &["finite and not zero", &format!("norm_type={norm_type}")],
        );
    }
}

#[test]
fn a_position_that_the_plane_does_not_have() {
    let input = View::new(&[1u8; 2], &[1, 2]).unwrap();
    for index in [-1, 6, i64::MIN, i64::MAX] {
        let indices = [0, index];
        let indices = View::new(&indices, &[1, 2]).unwrap();
        let mut memory = [MaybeUninit::uninit(); 6];
        let output = ViewMut::new(&mut memory, &[1, 6]).unwrap();
        let refused = unpool_into(&Execution::default(), &[1], &input, &indices, output);
        let expected = PoolError::IndexOutside { index, volume: 6 };
        let words = ["Found an invalid max index", &format!("{index}"), "from 0 to 5"];
        assert_refused(refused, expected, &words);
    }
}

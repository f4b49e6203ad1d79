//! Windows of any sizes on axes of any length, against the same formulas in i128.

use poolnd::{Geometry, Sliding, Taps, Window};
use proptest::prelude::*;
use proptest::sample::select;

use super::case::Source;

pub fn check(bytes: &[u8]) {
    let window = prop_oneof![6 => sliding(), 2 => adaptive(), 1 => listed()];
    let mut source = Source::new(bytes);
    let rest = (prop::collection::vec(0usize..6, 1..=4), any::<u64>());
    let Some((order, seed)) = source.draw(&rest) else { return };
    let axis = (length(), window);
    let Some(axes): Option<Vec<_>> = order.iter().map(|_| source.draw(&axis)).collect() else {
        return;
    };
    for (len, window) in &axes {
        check_axis(*len, window, seed);
    }
    let shape: Vec<usize> = axes.iter().map(|(len, _)| *len).collect();
    let windows: Vec<_> =
        order.into_iter().zip(axes).map(|(axis, (_, window))| (axis, window)).collect();
    let repeated = windows.iter().enumerate().any(|(i, (axis, _))| {
        *axis >= shape.len() || windows[..i].iter().any(|(other, _)| other == axis)
    });
    match Geometry::new(&shape, &windows) {
        Ok(geometry) => {
            assert!(!repeated);
            let elements = geometry.output_shape().iter().filter(|&&len| len > 0);
            let bytes = elements.fold(16i128, |bytes, &len| bytes.saturating_mul(len as i128));
            assert!(bytes <= isize::MAX as i128, "{windows:?} on {shape:?}");
            assert!(geometry.pooled().is_sorted_by_key(|(axis, _)| *axis));
        }
        // The message is made of the values, whatever they are.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_axis(len: usize, window: &Window, seed: u64) {
    let Ok(axis) = window.resolve(len) else {
        let refused = |w: &Sliding| !is_plain(w) || expected_outputs(w, len) < 1;
        let huge = |w: &Sliding| {
            w.padding.iter().any(|&p| p > 1 << 60) || extent(w) > 1 << 60 || len > 1 << 60
        };
        let fine = matches!(window, Window::Sliding(w) if !refused(w) && !huge(w));
        assert!(!fine, "refused: {window:?} on {len}");
        return;
    };
    let outputs = axis.outputs();
    if let Window::Sliding(w) = window {
        assert!(is_plain(w), "not refused: {window:?}");
        assert_eq!(outputs as i128, expected_outputs(w, len), "{window:?} on {len}");
    }
    if outputs == 0 {
        return;
    }
    let some = |i: u64| (seed.rotate_left(i as u32 * 8) as usize) % outputs;
    for o in [0, 1, outputs / 2, outputs.saturating_sub(2), outputs - 1, some(1), some(2)] {
        // Where there is one output, there is no second.
        if o >= outputs {
            continue;
        }
        let taps = axis.taps(o);
        let (first, count) = expected_taps(window, len, outputs, o);
        assert_eq!(taps.count as i128, count, "output {o} of {window:?} on {len}");
        if count > 0 {
            assert_eq!(taps.first as i128, first, "output {o} of {window:?} on {len}");
            assert!(taps.end() <= len);
        }
        assert!(taps.count <= axis.max_count());
        assert!(axis.padded_count(o) >= taps.count);
    }
}

fn is_plain(w: &Sliding) -> bool {
    w.kernel_size > 0 && w.stride > 0 && w.dilation > 0 && w.padding.iter().all(|&p| p >= 0)
}

fn extent(w: &Sliding) -> i128 {
    (w.kernel_size as i128 - 1) * w.dilation as i128 + 1
}

fn expected_outputs(w: &Sliding, len: usize) -> i128 {
    let (stride, before) = (w.stride as i128, w.padding[0] as i128);
    let slack = len as i128 + before + w.padding[1] as i128 - extent(w);
    if !w.ceil_mode {
        return slack.div_euclid(stride) + 1;
    }
    let outputs = (slack + stride - 1).div_euclid(stride) + 1;
    outputs - i128::from((outputs - 1) * stride >= len as i128 + before)
}

/// The first tap inside the axis, and how many there are.
fn expected_taps(window: &Window, len: usize, outputs: usize, o: usize) -> (i128, i128) {
    let (len, n, o) = (len as i128, outputs as i128, o as i128);
    match window {
        Window::Sliding(w) => {
            let (step, start) = (w.dilation as i128, o * w.stride as i128 - w.padding[0] as i128);
            // Taps start + j*step that are at least 0, and below the end.
            let skipped = (-start).max(0).unsigned_abs().div_ceil(step as u128) as i128;
            let before_end = (len - start).max(0).unsigned_abs().div_ceil(step as u128) as i128;
            let count = before_end.min(w.kernel_size as i128) - skipped;
            (start + skipped * step, count.max(0))
        }
        Window::Adaptive { .. } => {
            let (first, end) = (o * len / n, ((o + 1) * len + n - 1) / n);
            (first, end - first)
        }
        Window::Listed(windows) => {
            (windows[o as usize].first as i128, windows[o as usize].count as i128)
        }
    }
}

fn size() -> impl Strategy<Value = i64> {
    let hostile = vec![
        i64::MIN,
        -1,
        0,
        1,
        1 << 31,
        (1 << 32) + 1,
        (1 << 61) - 1,
        (1 << 62) - 1,
        1 << 62,
        i64::MAX,
    ];
    prop_oneof![8 => 1i64..=9, 2 => select(hostile), 1 => 0i64..=300, 1 => any::<i64>()]
}

fn length() -> impl Strategy<Value = usize> {
    // No array is longer than this.
    let most = isize::MAX as usize;
    let hostile = vec![0, 1 << 31, 1 << 62, most];
    prop_oneof![8 => 0usize..=300, 1 => select(hostile), 1 => 0..=most]
}

fn sliding() -> impl Strategy<Value = Window> {
    let padding =
        prop_oneof![3 => Just([0, 0]), 2 => (0i64..9).prop_map(|p| [p, p]), 1 => [size(), size()]];
    (size(), size(), padding, size(), any::<bool>()).prop_map(
        |(kernel_size, stride, padding, dilation, ceil_mode)| {
            Window::Sliding(Sliding { kernel_size, stride, padding, dilation, ceil_mode })
        },
    )
}

fn adaptive() -> impl Strategy<Value = Window> {
    length().prop_map(Window::adaptive)
}

fn listed() -> impl Strategy<Value = Window> {
    let taps = (length(), length(), length());
    let taps = taps.prop_map(|(first, count, step)| Taps { first, count, step });
    prop::collection::vec(taps, 0..=4).prop_map(Window::Listed)
}

//! What pooling means, in loops that a reader believes.

use poolnd::{Divisor, Window};

use crate::dtype::{Dtype, Number};
use crate::problem::Problem;

/// Output positions along an axis of `len` elements; negative or 0 if no window fits.
pub fn outputs(window: &Window, len: usize) -> i64 {
    match window {
        Window::Adaptive { output_size } => *output_size as i64,
        Window::Listed(windows) => windows.len() as i64,
        Window::Sliding(w) => {
            let len = len as i64;
            let slack = len + w.padding[0] + w.padding[1] - (w.dilation * (w.kernel_size - 1) + 1);
            if !w.ceil_mode {
                return slack.div_euclid(w.stride) + 1;
            }
            let outputs = (slack + w.stride - 1).div_euclid(w.stride) + 1;
            // The last window has to start inside the axis or its left padding.
            let starts_outside = (outputs - 1) * w.stride >= len + w.padding[0];
            outputs - i64::from(starts_outside)
        }
    }
}

/// Where output `o` taps an axis of `len` elements, the padding included.
fn taps(window: &Window, len: usize, o: i64) -> Vec<i64> {
    match window {
        Window::Sliding(w) => {
            let start = o * w.stride - w.padding[0];
            (0..w.kernel_size).map(|j| start + j * w.dilation).collect()
        }
        Window::Adaptive { output_size } => {
            let (len, n) = (len as f64, *output_size as f64);
            let start = (o as f64 * len / n).floor() as i64;
            let end = ((o + 1) as f64 * len / n).ceil() as i64;
            (start..end).collect()
        }
        Window::Listed(windows) => {
            let listed = windows[o as usize];
            (0..listed.count).map(|j| (listed.first + j * listed.step) as i64).collect()
        }
    }
}

/// The padding after the axis that `count_include_pad` counts.
fn padding_after(window: &Window) -> i64 {
    match window {
        Window::Sliding(w) => w.padding[1],
        _ => 0,
    }
}

/// The first tap after the padding before the axis, or where it would be if the window went on.
fn first_after_padding(window: &Window, taps: &[i64]) -> i64 {
    let mut first = taps.first().copied().unwrap_or(0);
    while first < 0
        && let Window::Sliding(w) = window
    {
        // A single tap has no distance to a next one.
        first += if w.kernel_size == 1 { 1 } else { w.dilation };
    }
    first
}

/// What one output sees of the array.
pub struct Seen<T> {
    /// The elements of its window in row-major order, with their flat positions among the pooled
    /// axes.
    pub elements: Vec<(T, i64)>,
    /// Taps inside the array or its padding.
    pub padded: i64,
    /// The index of a window without elements.
    otherwise: i64,
}

/// What every output sees, in C order of the output; `data` has the elements in C order.
pub fn windows<T: Dtype>(problem: &Problem, data: &[T]) -> Vec<Seen<T>> {
    let shape = problem.output_shape();
    let outputs: usize = shape.iter().product();
    (0..outputs).map(|output| seen(problem, data, &unravel(output, &shape))).collect()
}

fn seen<T: Dtype>(problem: &Problem, data: &[T], output: &[usize]) -> Seen<T> {
    // Places in `data` and positions in the plane, of all windows' taps up to some axis.
    let mut places = vec![(0usize, 0i64)];
    let (mut padded, mut otherwise, mut volume) = (1, 0, 1);
    for (axis, &len) in problem.shape.iter().enumerate() {
        let (at, o) = (|at: usize, tap: i64| at * len + tap as usize, output[axis] as i64);
        let Some(window) = problem.window(axis) else {
            places = places.into_iter().map(|(place, flat)| (at(place, o), flat)).collect();
            continue;
        };
        let (taps, n) = (taps(window, len, o), len as i64);
        let inside = |&&tap: &&i64| 0 <= tap && tap < n;
        places = places
            .iter()
            .flat_map(|&(place, flat)| {
                taps.iter().filter(inside).map(move |&tap| (at(place, tap), flat * n + tap))
            })
            .collect();
        padded *= taps.iter().filter(|&&tap| tap < n + padding_after(window)).count() as i64;
        otherwise = otherwise * n + first_after_padding(window, &taps);
        volume *= n;
    }
    let elements = places.into_iter().map(|(place, flat)| (data[place], flat)).collect();
    Seen { elements, padded, otherwise: if otherwise < volume { otherwise } else { -1 } }
}

/// The first of the largest elements, or the last NaN, and its position.
pub fn max<T: Dtype>(seen: &Seen<T>) -> (T, i64) {
    let Some(&(mut best, mut from)) = seen.elements.first() else {
        return (T::LOWEST, seen.otherwise);
    };
    for &(element, position) in &seen.elements[1..] {
        if element.exceeds(best) || element.is_nan() {
            (best, from) = (element, position);
        }
    }
    (best, from)
}

/// The sum of the elements over what the divisor counts.
pub fn average<T: Number>(seen: &Seen<T>, divisor: Divisor) -> T {
    let elements: Vec<T> = seen.elements.iter().map(|&(element, _)| element).collect();
    let divisor = match divisor {
        Divisor::PaddedWindow => seen.padded,
        Divisor::Window => elements.len() as i64,
        Divisor::Fixed(divisor) => divisor,
    };
    T::mean(&elements, divisor)
}

/// The index of the element at a position in C order.
fn unravel(position: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = position;
    let mut index = vec![0; shape.len()];
    for (i, &len) in index.iter_mut().zip(shape).rev() {
        *i = rest % len;
        rest /= len;
    }
    index
}

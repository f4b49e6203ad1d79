//! Gradients of maxima and of averages.

use poolnd::{Accumulator, Divisor, PoolError, average_backward_into, max_backward_into};
use proptest::prelude::*;
use proptest::sample::select;

use super::case::{Case, Source, written};
use crate::dtype::{Kind, random};
use crate::executions::executions;
use crate::layout::Array;
use super::number::{Float, for_float, is_between};
use super::planes::{Planes, places, planes, volume};
use crate::reference;

pub fn check(bytes: &[u8]) {
    let indices = vec![-1, -2, i64::MIN, i64::MAX, 1 << 32, 0];
    let odd = prop::option::weighted(0.2, (any::<usize>(), select(indices)));
    let mut source = Source::new(bytes);
    let Some(of_maxima) = source.draw(&any::<bool>()) else { return };
    if of_maxima {
        let (Some(planes), Some(odd)) = (source.draw(&planes()), source.draw(&odd)) else { return };
        let case = OfMaxima { dtype: planes.dtype, planes, odd };
        for_float!(check_maxima, case);
    } else {
        let Some(mut case) = Case::any(&mut source) else { return };
        if case.kind == Kind::Specials {
            case.kind = Kind::Ties;
        }
        for_float!(check_averages, case);
    }
}

#[derive(Debug)]
struct OfMaxima {
    planes: Planes,
    dtype: usize,
    /// An index to put somewhere, and where.
    odd: Option<(usize, i64)>,
}

/// Every gradient is added at its index; -1 is nowhere.
fn check_maxima<T: Float>(case: &OfMaxima) {
    let Planes { axes, shape, other, layouts, kind, seed, .. } = &case.planes;
    let grad = Array::new(shape, &layouts[0], |at| T::sample(*kind, random(*seed, at)));
    let (gradients, volume) = (grad.elements(), volume(axes, other) as i64);
    let index = |at| (random(!seed, at) >> 1) as i64 % (volume + 1) - 1;
    let mut indices: Vec<i64> = (0..gradients.len()).map(index).collect();
    if let Some((at, index)) = case.odd
        && !indices.is_empty()
    {
        let at = at % indices.len();
        indices[at] = index;
    }
    let valid = indices.iter().all(|index| (-1..volume).contains(index));
    let mut sums = std::collections::HashMap::new();
    for (i, (plane, _)) in places(axes, shape).into_iter().enumerate() {
        let (sum, size) = sums.entry((plane, indices[i])).or_insert((0.0, 0.0));
        let gradient: f64 = gradients[i].into();
        *sum += gradient;
        *size += gradient.abs();
    }
    let array = Array::of(shape, &layouts[1].without_repeats(), &indices);
    for execution in executions() {
        let mut result = Ok(());
        let back = written::<T>(other, &layouts[2].without_repeats(), |output| {
            result = max_backward_into(&execution, axes, &grad.view(), &array.view(), output);
        });
        if !valid {
            assert!(matches!(result, Err(PoolError::IndexOutside { .. })), "{result:?}: {case:?}");
            continue;
        }
        result.as_ref().unwrap();
        for ((plane, position), &value) in places(axes, other).into_iter().zip(&back) {
            let (sum, size) = sums.get(&(plane, position as i64)).copied().unwrap_or_default();
            let error = size * T::SUM_ERROR * indices.len() as f64;
            let close = is_between(value, sum - error, sum + error);
            assert!(close, "{plane}, {position}: {value:?}, should be {sum:?}: {case:?}");
        }
    }
}

/// Every gradient, divided, is added to all elements of its window.
fn check_averages<T: Float>(case: &Case)
where
    f64: Accumulator<T>,
{
    let problem = &case.problem;
    let (geometry, outputs) = (problem.geometry(), problem.output_shape());
    let grad = Array::new(&outputs, &case.output, |at| T::sample(case.kind, random(case.seed, at)));
    // The elements of an array are their places in it, so windows list places.
    let count: usize = problem.shape.iter().product();
    let at: Vec<f64> = (0..count).map(|place| place as f64).collect();
    let windows = reference::windows(problem, &at);
    let (mut sums, mut sizes, mut most) = (vec![0.0; count], vec![0.0; count], 0usize);
    let mut met = vec![0usize; count];
    for (window, gradient) in windows.iter().zip(grad.elements()) {
        let gradient: f64 = gradient.into();
        let divisor = match problem.divisor {
            Divisor::PaddedWindow => window.padded,
            Divisor::Window => window.elements.len() as i64,
            Divisor::Fixed(divisor) => divisor,
        };
        for &(place, _) in &window.elements {
            let share = gradient / divisor as f64;
            sums[place as usize] += share;
            sizes[place as usize] += share.abs();
            met[place as usize] += 1;
            most = most.max(met[place as usize]);
        }
    }
    for execution in executions() {
        let back = written::<T>(&problem.shape, &case.input.without_repeats(), |output| {
            let grad = grad.view();
            average_backward_into(&execution, &geometry, problem.divisor, &grad, output).unwrap();
        });
        for (place, &value) in back.iter().enumerate() {
            // Summed in f64 whatever the dtype; a reciprocal for a division is one more rounding.
            let error = sizes[place] * 4e-16 * (most + 4) as f64;
            let (low, high) = (sums[place] - error, sums[place] + error);
            let close = is_between(value, low, high);
            assert!(close, "{place}: {value:?}, should be {:?}: {case:?}", sums[place]);
        }
    }
}

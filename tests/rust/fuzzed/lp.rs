//! Power averages.

use poolnd::{Accumulator, PoolError, Window, power_average_into};
use proptest::prelude::*;
use proptest::sample::select;

use super::case::{Case, Source};
use crate::dtype::Kind;
use crate::executions::executions;
use super::number::{Float, for_float, is_between};
use crate::problem::{Problem, problems};
use crate::reference;

/// Relative error of a sum of a few thousand f64, its powers and its root.
const ERROR: f64 = 1e-11;

#[derive(Debug)]
struct Powers {
    case: Case,
    dtype: usize,
    norm_type: f64,
    kernel_volume: f64,
}

pub fn check(bytes: &[u8]) {
    let norms = vec![1.0, 2.0, 2.0, 3.0, 0.5, -1.0, 7.25, 0.0, f64::INFINITY, f64::NEG_INFINITY];
    let mut source = Source::new(bytes);
    let Some((norm_type, volume)) = source.draw(&(select(norms), 1u32..=64)) else { return };
    let Some(mut case) = Case::of(&mut source, &problems().prop_map(unpadded)) else { return };
    // Sums in which elements cancel have no relative error; squares never cancel.
    if norm_type != 2.0 {
        case.kind = Kind::Fractions;
    }
    let powers = Powers { dtype: case.dtype, case, norm_type, kernel_volume: volume.into() };
    for_float!(check_dtype, powers);
}

/// Power averages know no padding.
fn unpadded(mut problem: Problem) -> Problem {
    for (axis, window) in &mut problem.windows {
        if let Window::Sliding(sliding) = window {
            let bare = poolnd::Sliding { padding: [0, 0], ..*sliding };
            let fits = reference::outputs(&bare.into(), problem.shape[*axis]) > 0;
            *window = if fits { bare.into() } else { Window::adaptive(1) };
        }
    }
    problem
}

fn check_dtype<T: Float>(powers: &Powers)
where
    f64: Accumulator<T>,
{
    let &Powers { ref case, norm_type, kernel_volume, .. } = powers;
    let (geometry, input) = (case.problem.geometry(), case.input::<T>());
    let windows = reference::windows(&case.problem, &input.elements());
    for execution in executions() {
        let mut result = Ok(());
        let norms = case.pooled(|output| {
            let input = input.view();
            result =
                power_average_into(&execution, &geometry, norm_type, kernel_volume, &input, output);
        });
        if norm_type == 0.0 || norm_type.is_infinite() {
            assert!(matches!(result, Err(PoolError::NormType { .. })), "{result:?}");
            continue;
        }
        result.unwrap();
        for (o, window) in windows.iter().enumerate() {
            let elements = window.elements.iter().map(|&(element, _)| element.into());
            let sum: f64 = elements.map(|x: f64| x.powf(norm_type)).sum();
            let norm = ((sum + 0.0) / window.elements.len() as f64 * kernel_volume)
                .powf(norm_type.recip());
            let (value, error) = (norms[o], norm * ERROR);
            // Infinity less infinity is no bound.
            let (low, high) =
                if norm.is_finite() { (norm - error, norm + error) } else { (norm, norm) };
            let close = is_between(value, low, high);
            assert!(close, "output {o}: {value:?}, should be {norm:?}: {powers:?}");
        }
    }
}

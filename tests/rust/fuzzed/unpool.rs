//! Unpooling and its gradient.

use poolnd::{PoolError, unpool_backward_into, unpool_into};
use proptest::prelude::*;
use proptest::sample::select;

use super::case::{Source, written};
use crate::dtype::{Dtype, random};
use crate::executions::executions;
use crate::layout::Array;
use super::number::for_dtype;
use super::planes::{Planes, places, planes, volume};

#[derive(Debug)]
struct Unpooling {
    planes: Planes,
    dtype: usize,
    /// An index to put somewhere that may be outside of the plane, and where.
    odd: Option<(usize, i64)>,
}

pub fn check(bytes: &[u8]) {
    let indices = vec![-1, i64::MIN, i64::MAX, 1 << 32, 40, 5, 0];
    let odd = prop::option::weighted(0.2, (any::<usize>(), select(indices)));
    let mut source = Source::new(bytes);
    let (Some(planes), Some(odd)) = (source.draw(&planes()), source.draw(&odd)) else { return };
    let case = Unpooling { dtype: planes.dtype, planes, odd };
    for_dtype!(check_dtype[bool], case);
}

fn check_dtype<T: Dtype>(case: &Unpooling) {
    let Planes { axes, shape, other, layouts, kind, seed, .. } = &case.planes;
    let element = |at| T::sample(*kind, random(*seed, at));
    let input = Array::new(shape, &layouts[0], element);
    let (count, volume) = (input.elements().len(), volume(axes, other) as i64);
    let mut indices: Vec<i64> =
        (0..count).map(|at| (random(!seed, at) >> 1) as i64 % volume.max(1)).collect();
    if let Some((at, index)) = case.odd
        && count > 0
    {
        indices[at % count] = index;
    }
    let valid = indices.iter().all(|index| (0..volume).contains(index));
    // Every element at its position; zero elsewhere.
    let from = places(axes, shape);
    let to = places(axes, other);
    let array = Array::of(shape, &layouts[1].without_repeats(), &indices);
    let wide = Array::new(other, &layouts[0], element);
    let (elements, gradients) = (input.elements(), wide.elements());
    for execution in executions() {
        let mut result = Ok(());
        let unpooled = written(other, &layouts[2].without_repeats(), |output| {
            result = unpool_into(&execution, axes, &input.view(), &array.view(), output);
        });
        let mut back = Ok(());
        let gradient = written(shape, &layouts[2].without_repeats(), |output| {
            back = unpool_backward_into(&execution, axes, &wide.view(), &array.view(), output);
        });
        if !valid {
            assert!(matches!(result, Err(PoolError::IndexOutside { .. })), "{result:?}: {case:?}");
            assert!(matches!(back, Err(PoolError::IndexOutside { .. })), "{back:?}: {case:?}");
            continue;
        }
        result.unwrap();
        back.unwrap();
        let mut last = std::collections::HashMap::new();
        for (i, &(plane, _)) in from.iter().enumerate() {
            last.insert((plane, indices[i] as usize), elements[i]);
        }
        for (at, place) in to.iter().enumerate() {
            let expected = last.get(place).copied().unwrap_or_default();
            assert!(unpooled[at].same(expected), "{at}: {:?}: {case:?}", unpooled[at]);
        }
        let whole: std::collections::HashMap<_, _> =
            to.iter().copied().zip(gradients.iter().copied()).collect();
        for (i, &(plane, _)) in from.iter().enumerate() {
            let expected = whole[&(plane, indices[i] as usize)];
            assert!(gradient[i].same(expected), "{i}: {:?}: {case:?}", gradient[i]);
        }
    }
}

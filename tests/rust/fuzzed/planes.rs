//! Arrays of planes: free axes, and pooled ones whose lengths an operator changes.

use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::dtype::Kind;
use crate::layout::{Layout, layouts};

/// An array, and the shape of another one with the same planes.
#[derive(Debug, Clone)]
pub struct Planes {
    /// The pooled axes in ascending order.
    pub axes: Vec<usize>,
    pub shape: Vec<usize>,
    /// `shape` with other lengths along the pooled axes.
    pub other: Vec<usize>,
    pub layouts: [Layout; 3],
    pub kind: Kind,
    pub seed: u64,
    pub dtype: usize,
}

/// Up to four axes of which one to three are pooled, some long, a few empty.
pub fn planes() -> impl Strategy<Value = Planes> {
    let length = || prop_oneof![12 => 1usize..=6, 2 => 7usize..=80, 1 => Just(0)];
    prop::collection::vec((length(), length()), 1..=4)
        .prop_filter("too slow", |axes| {
            axes.iter().map(|&(a, b)| a.max(b) + 1).product::<usize>() <= 20_000
        })
        .prop_flat_map(move |axes| {
            let ndim = axes.len();
            let pooled = subsequence((0..ndim).collect::<Vec<_>>(), 1..=ndim.min(3));
            let layouts = [layouts(ndim), layouts(ndim), layouts(ndim)];
            let kinds = prop_oneof![Just(Kind::Ties), Just(Kind::Fractions)];
            (Just(axes), pooled, layouts, kinds, any::<u64>(), 0usize..64)
        })
        .prop_map(|(lengths, axes, layouts, kind, seed, dtype)| {
            let shape = lengths.iter().map(|&(len, _)| len).collect();
            let other = lengths.iter().enumerate();
            let other = other.map(|(axis, &(len, other))| match axes.contains(&axis) {
                true => other,
                false => len,
            });
            let other = other.collect();
            Planes { axes, shape, other, layouts, kind, seed, dtype }
        })
}

/// For every element of `shape` in C order: the number of its plane, and its position there.
pub fn places(axes: &[usize], shape: &[usize]) -> Vec<(usize, usize)> {
    shape.iter().enumerate().fold(vec![(0, 0)], |outer, (axis, &len)| {
        let pooled = axes.contains(&axis);
        let along = |&(plane, position): &(usize, usize)| {
            (0..len).map(move |i| match pooled {
                true => (plane, position * len + i),
                false => (plane * len + i, position),
            })
        };
        outer.iter().flat_map(along).collect()
    })
}

/// Elements of one plane of `shape`.
pub fn volume(axes: &[usize], shape: &[usize]) -> usize {
    axes.iter().map(|&axis| shape[axis]).product()
}

/// The planes of an array that is given in C order, each in C order.
pub fn split<T: Copy>(axes: &[usize], shape: &[usize], elements: &[T]) -> Vec<Vec<T>> {
    let free = (0..shape.len()).filter(|axis| !axes.contains(axis));
    let mut planes = vec![Vec::new(); free.map(|axis| shape[axis]).product()];
    for ((plane, position), &element) in places(axes, shape).into_iter().zip(elements) {
        assert_eq!(position, planes[plane].len());
        planes[plane].push(element);
    }
    planes
}

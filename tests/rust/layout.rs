//! Where the elements of a test array lie in memory.

use poolnd::{View, ViewMut};
use proptest::prelude::*;
use proptest::sample::select;

use crate::dtype::Dtype;

/// The order of an array's axes in memory, and how each steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Outermost first.
    order: Vec<usize>,
    /// 1: dense; 2, 3, ...: with gaps; negative: backwards; 0: every index the same elements.
    steps: Vec<isize>,
}

/// Any layout of `ndim` axes; only the input of a call may have steps of 0.
pub fn layouts(ndim: usize) -> impl Strategy<Value = Layout> {
    let order = (0..ndim).collect::<Vec<_>>();
    let dense = Just(vec![1; ndim]);
    let strided = prop::collection::vec(select(vec![1, 1, 1, 2, 3, -1, -2, 0]), ndim);
    let order = prop_oneof![Just(order.clone()), Just(order).prop_shuffle()];
    let steps = prop_oneof![dense, strided];
    (order, steps).prop_map(|(order, steps)| Layout { order, steps })
}

impl Layout {
    /// C order, without gaps.
    pub fn contiguous(ndim: usize) -> Self {
        Self { order: (0..ndim).collect(), steps: vec![1; ndim] }
    }

    /// C order, each axis with steps of its own.
    pub fn with_gaps<const N: usize>(steps: [isize; N]) -> Self {
        Self { order: (0..N).collect(), steps: steps.to_vec() }
    }

    /// Axis 1 innermost, without gaps: NHWC memory for an array that is indexed as NCHW.
    pub fn channels_last(ndim: usize) -> Self {
        let order = (0..ndim).filter(|&axis| axis != 1).chain([1]).collect();
        Self { order, steps: vec![1; ndim] }
    }

    /// The same layout with the axis that was number `from` in memory as number `to`.
    pub fn moved(mut self, from: usize, to: usize) -> Self {
        let axis = self.order.remove(from);
        self.order.insert(to, axis);
        self
    }

    /// The same order with each axis in steps of its own.
    pub fn stepping<const N: usize>(self, steps: [isize; N]) -> Self {
        Self { steps: steps.to_vec(), ..self }
    }

    /// The same layout with memory of its own for every element.
    pub fn without_repeats(&self) -> Self {
        let steps = self.steps.iter().map(|&step| if step == 0 { 1 } else { step }).collect();
        Self { order: self.order.clone(), steps }
    }
}

/// An array in memory that it shares with gaps.
pub struct Array<T> {
    shape: Vec<usize>,
    strides: Vec<isize>,
    origin: usize,
    memory: Vec<T>,
}

impl<T: Dtype> Array<T> {
    /// An array whose memory, gaps included, is `fill(i)`.
    pub fn new(shape: &[usize], layout: &Layout, fill: impl Fn(usize) -> T) -> Self {
        let (mut strides, mut origin, mut span) = (vec![0; shape.len()], 0, 1usize);
        for &axis in layout.order.iter().rev() {
            let (len, step) = (shape[axis].max(1), layout.steps[axis]);
            strides[axis] = step * span as isize;
            if step < 0 {
                origin += (len - 1) * strides[axis].unsigned_abs();
            }
            span *= (len * step.unsigned_abs()).max(1);
        }
        // A gap on either side as well.
        let memory = (0..span + 2).map(fill).collect();
        Self { shape: shape.to_vec(), strides, origin: origin + 1, memory }
    }

    /// An array of elements that are given in C order.
    pub fn of(shape: &[usize], layout: &Layout, elements: &[T]) -> Self {
        let mut array = Self::new(shape, layout, |_| T::default());
        for (at, &element) in array.positions().into_iter().zip(elements) {
            array.memory[at] = element;
        }
        array
    }

    /// The elements in C order.
    pub fn elements(&self) -> Vec<T> {
        self.positions().into_iter().map(|at| self.memory[at]).collect()
    }

    pub fn view(&self) -> View<'_, T> {
        View::with_strides(&self.memory, self.origin, &self.shape, &self.strides).unwrap()
    }

    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        let first = self.memory.as_mut_ptr().wrapping_add(self.origin);
        // SAFETY: all elements lie in `memory`, which is borrowed as long as the view.
        unsafe { ViewMut::from_raw_parts(first, &self.shape, &self.strides) }.unwrap()
    }

    /// Checks that memory which is no element of the array is as `fill` left it.
    pub fn assert_gaps(&self, fill: impl Fn(usize) -> T) {
        let mut is_gap = vec![true; self.memory.len()];
        self.positions().into_iter().for_each(|at| is_gap[at] = false);
        for at in (0..is_gap.len()).filter(|&at| is_gap[at]) {
            assert_eq!(self.memory[at].bits(), fill(at).bits(), "memory outside of the array");
        }
    }

    /// Where in memory the elements are, in C order.
    fn positions(&self) -> Vec<usize> {
        let axes = self.shape.iter().zip(&self.strides);
        axes.fold(vec![self.origin], |outer, (&len, &stride)| {
            let along =
                |&at: &usize| (0..len as isize).map(move |i| at.wrapping_add_signed(i * stride));
            outer.iter().flat_map(along).collect()
        })
    }
}

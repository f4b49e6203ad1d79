//! The operators, one family a file.

use std::mem::MaybeUninit;

use crate::geometry::count;
use crate::{Geometry, PoolError, View, ViewMut};

pub(crate) mod average;
pub(crate) mod fractional;
pub(crate) mod max;
pub(crate) mod power;
pub(crate) mod unpool;

/// An owned result: its shape, and its elements in C order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

impl<T> Tensor<T> {
    /// Elements per axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in C order.
    #[must_use]
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The elements in C order, without the shape.
    #[must_use]
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    /// The array as the input of another call.
    ///
    /// # Errors
    /// Never: the elements are as many as the shape says.
    pub fn view(&self) -> Result<View<'_, T>, PoolError> {
        View::new(&self.data, &self.shape)
    }

    /// The array that `fill`, which must write every element, makes.
    ///
    /// # Safety
    /// `fill` returns `Ok` only after it has written every element of the view.
    unsafe fn written(
        shape: &[usize],
        fill: impl FnOnce(ViewMut<'_, T>) -> Result<(), PoolError>,
    ) -> Result<Self, PoolError> {
        let elements = count(shape)?;
        let mut data: Vec<MaybeUninit<T>> = Vec::new();
        let refused = |_| PoolError::TooLarge { shape: shape.to_vec() };
        data.try_reserve_exact(elements).map_err(refused)?;
        data.resize_with(elements, MaybeUninit::uninit);
        fill(ViewMut::new(&mut data, shape)?)?;
        let mut data = std::mem::ManuallyDrop::new(data);
        let (pointer, len, capacity) = (data.as_mut_ptr(), data.len(), data.capacity());
        // SAFETY: the same allocation, now initialised by `fill`; MaybeUninit<T> has T's layout.
        let data = unsafe { Vec::from_raw_parts(pointer.cast(), len, capacity) };
        Ok(Self { shape: shape.to_vec(), data })
    }
}

/// Checks that the arrays have the shapes of the geometry.
fn check_shapes<T, U>(
    geometry: &Geometry,
    input: &View<'_, T>,
    output: &ViewMut<'_, U>,
) -> Result<(), PoolError> {
    check_shape("input", input.shape(), geometry.input_shape())?;
    check_shape("output", output.shape(), geometry.output_shape())
}

fn check_shape(what: &'static str, got: &[usize], expected: &[usize]) -> Result<(), PoolError> {
    if got == expected {
        return Ok(());
    }
    let (got, expected) = (got.to_vec(), expected.to_vec());
    Err(PoolError::ShapeMismatch { what, got, expected })
}

/// Checks that `axes` are axes of both shapes, in ascending order, and that the others agree.
fn check_planes(axes: &[usize], planes: &[usize], output: &[usize]) -> Result<(), PoolError> {
    let ascending = axes.windows(2).all(|pair| pair[0] < pair[1]);
    if let Some(&axis) = axes.last().filter(|&&axis| !ascending || axis >= planes.len()) {
        return Err(PoolError::BadAxis { axis, ndim: planes.len() });
    }
    let mut expected = planes.to_vec();
    for &axis in axes {
        expected[axis] = output.get(axis).copied().unwrap_or(0);
    }
    check_shape("output", output, &expected)
}

//! Views of [`ndarray`]'s arrays, and results as such arrays.
//!
//! A [`View`] is a slice with strides, and a slice promises that nothing writes to *any* element in
//! it. An array view makes that promise only for its own elements: the columns between those of
//! `x.slice(s![.., ..;2])` may be lent to a writer at the same time. So a view without gaps is
//! taken as it is, whatever the order or the direction of its axes, and a part of an array
//! together with the array that it is a part of ([`View::of_part`]).

use ndarray::{Array, ArrayD, ArrayView, Axis, Dimension, IxDyn};

use crate::{PoolError, Tensor, View};

/// An array view without gaps, of any number of dimensions; axes may be in any order, reversed or
/// broadcast.
///
/// ```
/// use ndarray::Array;
/// use poolnd::{Geometry, View, Window, max};
///
/// let x = Array::from_shape_fn((4, 4), |(row, column)| (4 * row + column) as i32);
/// let columns = x.view().reversed_axes();
/// let geometry = Geometry::new(columns.shape(), &[(0, Window::sliding(4).into())])?;
/// let rows = max(&View::try_from(columns)?, &geometry)?.into_ndarray();
/// assert_eq!(rows, ndarray::array![[3, 7, 11, 15]].into_dyn());
/// # Ok::<(), poolnd::PoolError>(())
/// ```
///
/// # Errors
/// [`PoolError::Gaps`] when other elements lie between those of the view; see [`View::of_part`].
impl<'a, T, D: Dimension> TryFrom<ArrayView<'a, T, D>> for View<'a, T> {
    type Error = PoolError;

    fn try_from(array: ArrayView<'a, T, D>) -> Result<Self, PoolError> {
        let (shape, strides) = (array.shape().to_vec(), array.strides().to_vec());
        if array.is_empty() {
            return View::with_strides(&[], 0, &shape, &strides);
        }
        let gaps = || PoolError::Gaps { shape: shape.clone(), strides: strides.clone() };
        let data = once_each(array).to_slice_memory_order().ok_or_else(gaps)?;
        // Where a stride is negative, the first element is not the lowest in memory.
        let axes = shape.iter().zip(&strides).filter(|&(_, &stride)| stride < 0);
        let origin = axes.map(|(&len, stride)| (len - 1) * stride.unsigned_abs()).sum();
        View::with_strides(data, origin, &shape, &strides)
    }
}

/// A whole array, as [`ArrayView`].
impl<'a, T, D: Dimension> TryFrom<&'a Array<T, D>> for View<'a, T> {
    type Error = PoolError;

    fn try_from(array: &'a Array<T, D>) -> Result<Self, PoolError> {
        array.view().try_into()
    }
}

impl<'a, T> View<'a, T> {
    /// A part of `whole`, read where it lies: cropped, stepped over, transposed, reversed,
    /// broadcast.
    ///
    /// ```
    /// use ndarray::{Array, s};
    /// use poolnd::{Geometry, View, Window, max};
    ///
    /// let image = Array::from_shape_fn((10, 10), |(row, column)| (10 * row + column) as u8);
    /// let crop = image.slice(s![2..6, 4..8]);
    /// let windows = [(0, Window::sliding(2).into()), (1, Window::sliding(2).into())];
    /// let geometry = Geometry::new(crop.shape(), &windows)?;
    /// let y = max(&View::of_part(image.view(), &crop)?, &geometry)?.into_ndarray();
    /// assert_eq!(y, ndarray::array![[35, 37], [55, 57]].into_dyn());
    /// # Ok::<(), poolnd::PoolError>(())
    /// ```
    ///
    /// # Errors
    /// When `whole` has gaps, or `part` reaches outside of it.
    pub fn of_part<D: Dimension, E: Dimension>(
        whole: ArrayView<'a, T, D>,
        part: &ArrayView<'_, T, E>,
    ) -> Result<Self, PoolError> {
        let data = View::try_from(whole)?.data();
        let (shape, strides) = (part.shape(), part.strides());
        // An address below that of `data` gives an origin that no array has.
        let bytes = part.as_ptr().addr().wrapping_sub(data.as_ptr().addr());
        let origin = match size_of::<T>() {
            size if size > 0 && bytes.is_multiple_of(size) => bytes / size,
            _ => usize::MAX,
        };
        View::with_strides(data, if part.is_empty() { 0 } else { origin }, shape, strides)
    }
}

impl<T> Tensor<T> {
    /// The result as an array of ndarray's, in C order; nothing is copied.
    #[must_use]
    pub fn into_ndarray(self) -> ArrayD<T> {
        let shape = IxDyn(self.shape());
        ArrayD::from_shape_vec(shape, self.into_data())
            .unwrap_or_else(|_| unreachable!("a tensor has as many elements as its shape says"))
    }
}

impl<T> From<Tensor<T>> for ArrayD<T> {
    fn from(tensor: Tensor<T>) -> Self {
        tensor.into_ndarray()
    }
}

/// The array without the repetition of its broadcast axes.
fn once_each<T, D: Dimension>(mut array: ArrayView<'_, T, D>) -> ArrayView<'_, T, D> {
    for axis in 0..array.ndim() {
        if array.strides()[axis] == 0 {
            array.collapse_axis(Axis(axis), 0);
        }
    }
    array
}

//! The shape side of a pooling call: which axes are pooled by which windows, and what comes out.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::{Axis, PoolError, Window};

/// A shape or an index of an array; most arrays have at most six dimensions.
pub(crate) type Dims<T> = SmallVec<[T; 6]>;

/// Windows resolved against the shape of an array: the input and output shapes and, per pooled
/// axis, the taps of every output.
///
/// ```
/// use poolnd::{Geometry, Window};
///
/// let windows = [(2, Window::sliding(3).stride(2).padding(1).into()), (3, Window::adaptive(7))];
/// let geometry = Geometry::new(&[1, 64, 112, 112], &windows)?;
/// assert_eq!(geometry.output_shape(), [1, 64, 56, 7]);
/// # Ok::<(), poolnd::PoolError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Geometry {
    input: Dims<usize>,
    output: Dims<usize>,
    pooled: SmallVec<[(usize, Axis); 3]>,
}

impl Geometry {
    /// Resolves `windows`, pairs of an axis and its rule, against `shape`.
    ///
    /// The pairs may come in any order; elements are visited in the order of the axes.
    ///
    /// # Errors
    /// An axis out of range or named twice, a window that [`Window::resolve`] refuses, or an
    /// output that could not be addressed.
    pub fn new(shape: &[usize], windows: &[(usize, Window)]) -> Result<Self, PoolError> {
        let mut pooled: SmallVec<[(usize, Axis); 3]> = SmallVec::new();
        let mut output = Dims::from_slice(shape);
        let mut ascending = true;
        for (axis, window) in windows {
            ascending &= pooled.last().is_none_or(|(last, _)| last < axis);
            let seen = !ascending && pooled.iter().any(|(seen, _)| seen == axis);
            let Some(&len) = shape.get(*axis).filter(|_| !seen) else {
                return Err(PoolError::BadAxis { axis: *axis, ndim: shape.len() });
            };
            let resolved = window.resolve(len)?;
            output[*axis] = resolved.outputs();
            pooled.push((*axis, resolved));
        }
        if !ascending {
            pooled.sort_by_key(|(axis, _)| *axis);
        }
        check_positions(&pooled)?;
        count(&output)?;
        Ok(Self { input: Dims::from_slice(shape), output, pooled })
    }

    /// The geometry of the gradient: from the output's shape back to the input's.
    pub(crate) fn transposed(&self) -> Self {
        let pooled = self.pooled.iter().map(|(axis, windows)| (*axis, windows.transposed()));
        Self { input: self.output.clone(), output: self.input.clone(), pooled: pooled.collect() }
    }

    /// The same windows without axes along which every element is its own window: to what reduces
    /// them those are free axes, and it has more ways for fewer pooled ones.
    pub(crate) fn simplified(&self) -> Cow<'_, Self> {
        if !self.pooled.iter().any(|(_, axis)| axis.is_identity()) {
            return Cow::Borrowed(self);
        }
        let Self { input, output, pooled } = self.clone();
        let pooled = pooled.into_iter().filter(|(_, axis)| !axis.is_identity()).collect();
        Cow::Owned(Self { input, output, pooled })
    }

    /// Shape of the array to pool.
    #[must_use]
    pub fn input_shape(&self) -> &[usize] {
        &self.input
    }

    /// Shape of the result.
    #[must_use]
    pub fn output_shape(&self) -> &[usize] {
        &self.output
    }

    /// The pooled axes in ascending order, with their windows.
    #[must_use]
    pub fn pooled(&self) -> &[(usize, Axis)] {
        &self.pooled
    }

    /// Whether an axis is pooled.
    pub(crate) fn is_pooled(&self, axis: usize) -> bool {
        self.pooled.iter().any(|(pooled, _)| *pooled == axis)
    }

    /// The most elements any one output reduces.
    #[must_use]
    pub fn max_window(&self) -> u64 {
        let counts = self.pooled.iter().map(|(_, axis)| axis.max_count() as u64);
        counts.fold(1, u64::saturating_mul)
    }
}

/// Checks that every position in the padded plane, and twice that, is a number.
fn check_positions(pooled: &[(usize, Axis)]) -> Result<(), PoolError> {
    let (mut plane, mut reach) = (1usize, 0usize);
    for (_, axis) in pooled.iter().rev() {
        let extent = axis.max_extent();
        reach = reach.saturating_add(extent.saturating_mul(plane));
        if reach > isize::MAX as usize / 2 && extent > axis.len() {
            let (argument, value) = ("kernel_size, dilation or padding", extent as i64);
            return Err(PoolError::WindowTooLarge { argument, value });
        }
        plane = plane.saturating_mul(axis.len().max(1));
    }
    Ok(())
}

/// Number of elements of a shape.
///
/// # Errors
/// When the bytes of the widest dtype could not be addressed, zero-length axes left aside.
pub(crate) fn count(shape: &[usize]) -> Result<usize, PoolError> {
    const MOST: usize = isize::MAX as usize / 16;
    let (mut elements, mut empty) = (1usize, false);
    for &n in shape {
        match elements.checked_mul(n) {
            Some(0) => empty = true,
            Some(product) if product <= MOST => elements = product,
            _ => return Err(PoolError::TooLarge { shape: shape.to_vec() }),
        }
    }
    Ok(if empty { 0 } else { elements })
}

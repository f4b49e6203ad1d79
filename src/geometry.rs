//! The shape side of a pooling call: which axes are pooled by which windows, and what comes out.

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
        for (axis, window) in windows {
            if *axis >= shape.len() || pooled.iter().any(|(seen, _)| seen == axis) {
                return Err(PoolError::BadAxis { axis: *axis, ndim: shape.len() });
            }
            pooled.push((*axis, window.resolve(shape[*axis])?));
        }
        pooled.sort_by_key(|(axis, _)| *axis);
        check_positions(&pooled)?;
        let mut output = Dims::from_slice(shape);
        for (axis, resolved) in &pooled {
            output[*axis] = resolved.outputs();
        }
        count(&output)?;
        Ok(Self { input: Dims::from_slice(shape), output, pooled })
    }

    /// The geometry of the gradient: from the output's shape back to the input's.
    pub(crate) fn transposed(&self) -> Self {
        let pooled = self.pooled.iter().map(|(axis, windows)| (*axis, windows.transposed()));
        Self { input: self.output.clone(), output: self.input.clone(), pooled: pooled.collect() }
    }

    /// The same windows on `planes` contiguous planes: shape `[planes, pooled axes...]`.
    pub(crate) fn planes(&self, planes: usize) -> Self {
        let pooled = self.pooled.iter().enumerate();
        let lengths = |len: fn(&Axis) -> usize| {
            let axes = self.pooled.iter().map(|(_, axis)| len(axis));
            std::iter::once(planes).chain(axes).collect()
        };
        Self {
            input: lengths(Axis::len),
            output: lengths(Axis::outputs),
            pooled: pooled.map(|(i, (_, axis))| (i + 1, axis.clone())).collect(),
        }
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
    let bounded = shape.iter().filter(|&&n| n > 0).try_fold(1usize, |product, &n| {
        product.checked_mul(n).filter(|&elements| elements <= isize::MAX as usize / 16)
    });
    match bounded {
        Some(elements) if !shape.contains(&0) => Ok(elements),
        Some(_) => Ok(0),
        None => Err(PoolError::TooLarge { shape: shape.to_vec() }),
    }
}

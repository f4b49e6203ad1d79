//! Borrowed N-D arrays with signed strides, counted in elements.
//!
//! A [`View`] is a slice that covers every element of the array plus the position of element
//! `[0, 0, ...]` in it, so reading is ordinary bounds-checked slicing. A [`ViewMut`] is checked at
//! construction to give every element memory of its own; kernels on several threads write
//! through a [`Shared`] copy of it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::PoolError;
use crate::geometry::{Dims, count};

/// A read-only N-D array.
#[derive(Debug, Clone)]
pub struct View<'a, T> {
    data: &'a [T],
    origin: usize,
    shape: Dims<usize>,
    strides: Dims<isize>,
}

impl<'a, T> View<'a, T> {
    /// The array of `shape` whose elements follow one another in C order in `data`.
    ///
    /// # Errors
    /// When `data` has fewer elements than the shape.
    pub fn new(data: &'a [T], shape: &[usize]) -> Result<Self, PoolError> {
        Self::with_strides(data, 0, shape, &contiguous_strides(shape))
    }

    /// The array whose element `[i, j, ...]` is `data[origin + i*strides[0] + j*strides[1] ...]`.
    ///
    /// Strides may be negative, zero, or let elements overlap.
    ///
    /// # Errors
    /// When an element lies outside `data`.
    pub fn with_strides(
        data: &'a [T],
        origin: usize,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<Self, PoolError> {
        check_bounds(data.len(), origin, shape, strides)?;
        Ok(Self {
            data,
            origin,
            shape: Dims::from_slice(shape),
            strides: Dims::from_slice(strides),
        })
    }

    /// The array whose first element is at `first`, with strides in elements.
    ///
    /// # Safety
    /// - Every element that shape and strides reach, and all memory between the lowest and the
    ///   highest of them, lies in one allocation that is readable, initialised and not written
    ///   during `'a`.
    /// - `first` is aligned for `T`.
    ///
    /// # Errors
    /// When the shape has too many elements to address.
    pub unsafe fn from_raw_parts(
        first: *const T,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<Self, PoolError> {
        let (low, high) = extent(shape, strides)?;
        let data = match high - low {
            0 => &[],
            // SAFETY: low..high covers exactly the memory the caller vouches for.
            elements => unsafe {
                std::slice::from_raw_parts(first.offset(low), elements.unsigned_abs())
            },
        };
        Self::with_strides(data, low.unsigned_abs(), shape, strides)
    }

    /// Elements per axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Distance of neighbours per axis, in elements.
    #[must_use]
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The memory behind the view.
    #[must_use]
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// Position of element `[0, 0, ...]` in [`Self::data`].
    #[must_use]
    pub fn origin(&self) -> usize {
        self.origin
    }
}

/// A writable N-D array whose elements need not be initialised.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    first: *mut MaybeUninit<T>,
    shape: Dims<usize>,
    strides: Dims<isize>,
    memory: PhantomData<&'a mut [MaybeUninit<T>]>,
}

// SAFETY: a ViewMut is an exclusive borrow of elements, like a mutable slice.
unsafe impl<T: Send> Send for ViewMut<'_, T> {}

impl<'a, T> ViewMut<'a, T> {
    /// The array of `shape` that fills `data` in C order.
    ///
    /// # Errors
    /// When `data` has fewer elements than the shape.
    pub fn new(data: &'a mut [MaybeUninit<T>], shape: &[usize]) -> Result<Self, PoolError> {
        let strides = contiguous_strides(shape);
        check_bounds(data.len(), 0, shape, &strides)?;
        Ok(Self {
            first: data.as_mut_ptr(),
            shape: Dims::from_slice(shape),
            strides,
            memory: PhantomData,
        })
    }

    /// The array whose first element is at `first`, with strides in elements.
    ///
    /// # Safety
    /// Every element lies in one allocation, is aligned, and nothing else reads or writes it
    /// during `'a`.
    ///
    /// # Errors
    /// When elements share memory, or are too many to address.
    pub unsafe fn from_raw_parts(
        first: *mut T,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<Self, PoolError> {
        extent(shape, strides)?;
        if overlaps(shape, strides) {
            let (shape, strides) = (shape.to_vec(), strides.to_vec());
            return Err(PoolError::Overlap { shape, strides });
        }
        Ok(Self {
            first: first.cast(),
            shape: Dims::from_slice(shape),
            strides: Dims::from_slice(strides),
            memory: PhantomData,
        })
    }

    /// Elements per axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Distance of neighbours per axis, in elements.
    #[must_use]
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// A handle that several threads may write through.
    pub(crate) fn shared(&mut self) -> Shared<T> {
        Shared(self.first)
    }
}

/// Output memory that kernels on several threads write to, each its own part.
#[derive(Debug)]
pub(crate) struct Shared<T>(*mut MaybeUninit<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

// SAFETY: a handle only gives access through `run`, whose caller promises disjoint parts.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Scratch memory behind the same kind of handle.
    pub(crate) fn over(scratch: &mut [MaybeUninit<T>]) -> Self {
        Self(scratch.as_mut_ptr())
    }

    /// `len` neighbours from `offset` on, counted from element `[0, 0, ...]`.
    ///
    /// # Safety
    /// They are elements of the memory behind this handle, which outlives `'a`, and no other
    /// live slice holds them.
    #[inline(always)]
    pub(crate) unsafe fn run<'a>(self, offset: isize, len: usize) -> &'a mut [MaybeUninit<T>] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.offset(offset), len) }
    }
}

/// Strides of an array whose elements follow one another in C order.
#[must_use]
pub fn contiguous_strides(shape: &[usize]) -> SmallVecStrides {
    let mut strides = Dims::from_elem(0, shape.len());
    let mut step = 1usize;
    for (stride, &n) in strides.iter_mut().zip(shape).rev() {
        *stride = step as isize;
        step = step.wrapping_mul(n.max(1));
    }
    strides
}

/// Strides of up to six axes without an allocation.
pub type SmallVecStrides = smallvec::SmallVec<[isize; 6]>;

/// The lowest element offset and one past the highest, relative to element `[0, 0, ...]`.
fn extent(shape: &[usize], strides: &[isize]) -> Result<(isize, isize), PoolError> {
    if count(shape)? == 0 {
        return Ok((0, 0));
    }
    let (mut low, mut high) = (0isize, 0isize);
    let too_large = || PoolError::TooLarge { shape: shape.to_vec() };
    for (&n, &stride) in shape.iter().zip(strides) {
        let reach = stride.checked_mul(n as isize - 1);
        let bound = if stride < 0 { &mut low } else { &mut high };
        *bound = reach.and_then(|reach| bound.checked_add(reach)).ok_or_else(too_large)?;
    }
    let end = high.checked_add(1).filter(|end| end.checked_sub(low).is_some());
    Ok((low, end.ok_or_else(too_large)?))
}

fn check_bounds(
    len: usize,
    origin: usize,
    shape: &[usize],
    strides: &[isize],
) -> Result<(), PoolError> {
    let (low, high) = extent(shape, strides)?;
    let inside = shape.len() == strides.len()
        && (high - low == 0
            || (low.unsigned_abs() <= origin && high as usize <= len.saturating_sub(origin)));
    if inside {
        return Ok(());
    }
    let (shape, strides) = (shape.to_vec(), strides.to_vec());
    Err(PoolError::OutOfBounds { shape, strides, len })
}

/// Whether two elements might share memory: each stride must step over all smaller ones.
fn overlaps(shape: &[usize], strides: &[isize]) -> bool {
    let mut axes: Dims<(usize, usize)> = shape
        .iter()
        .zip(strides)
        .filter(|&(&n, _)| n > 1)
        .map(|(&n, &stride)| (stride.unsigned_abs(), n))
        .collect();
    axes.sort_unstable();
    let mut covered = 1usize;
    !shape.contains(&0)
        && axes.iter().any(|&(stride, n)| {
            let crossed = stride < covered;
            covered += stride.saturating_mul(n - 1);
            crossed
        })
}

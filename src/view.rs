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
///
/// ```
/// use poolnd::{Geometry, View, Window, max};
///
/// // Every second column of a 3 x 4 array, the last one first.
/// let data: Vec<u8> = (0..12).collect();
/// let view = View::with_strides(&data, 3, &[3, 2], &[4, -2])?;
/// let geometry = Geometry::new(view.shape(), &[(0, Window::sliding(3).into())])?;
/// assert_eq!(max(&view, &geometry)?.data(), [11, 9]);
/// # Ok::<(), poolnd::PoolError>(())
/// ```
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
        if shape.len() != strides.len() {
            return Err(out_of_bounds((high - low).unsigned_abs(), shape, strides));
        }
        let data = match high - low {
            0 => &[],
            // SAFETY: low..high covers exactly the memory the caller vouches for.
            elements => unsafe {
                std::slice::from_raw_parts(first.offset(low), elements.unsigned_abs())
            },
        };
        Ok(Self {
            data,
            origin: low.unsigned_abs(),
            shape: Dims::from_slice(shape),
            strides: Dims::from_slice(strides),
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
///
/// ```
/// use std::mem::MaybeUninit;
///
/// use poolnd::{Execution, Geometry, View, ViewMut, Window, max_into};
///
/// let geometry = Geometry::new(&[6], &[(0, Window::sliding(2).into())])?;
/// let input = View::new(&[1, 5, 2, 4, 3, 3], &[6])?;
/// let mut memory = [MaybeUninit::uninit(); 3];
/// let output = ViewMut::new(&mut memory, geometry.output_shape())?;
/// max_into(&Execution::default(), &geometry, &input, output)?;
/// // SAFETY: the call went well, so every element is written.
/// assert_eq!(memory.map(|element| unsafe { element.assume_init() }), [5, 4, 3]);
/// # Ok::<(), poolnd::PoolError>(())
/// ```
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    first: *mut MaybeUninit<T>,
    shape: Dims<usize>,
    strides: Dims<isize>,
    is_zeroed: bool,
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
            is_zeroed: false,
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
            is_zeroed: false,
            memory: PhantomData,
        })
    }

    /// The same array, whose elements are zero already: memory that the system has just given, say.
    /// What puts elements in few places then need not clear the others.
    ///
    /// # Safety
    /// All bytes of all elements are initialised, and zero.
    #[must_use]
    pub unsafe fn assume_zeroed(self) -> Self {
        Self { is_zeroed: true, ..self }
    }

    /// Whether all elements are zero.
    pub(crate) fn is_zeroed(&self) -> bool {
        self.is_zeroed
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

/// An array of ndarray's to be written, of any number of dimensions and with any strides.
///
/// ```
/// use ndarray::{Array, s};
/// use poolnd::{Execution, Geometry, View, Window, max_into};
///
/// let x = Array::from_shape_fn((4, 4), |(row, column)| (4 * row + column) as i32);
/// let windows = [(0, Window::sliding(2).into()), (1, Window::sliding(2).into())];
/// let geometry = Geometry::new(x.shape(), &windows)?;
/// let mut page = Array::zeros((4, 5));
/// let corner = page.slice_mut(s![1..3, 2..4]);
/// max_into(&Execution::default(), &geometry, &View::try_from(&x)?, corner.try_into()?)?;
/// assert_eq!(page.slice(s![1..3, 1..]), ndarray::array![[0, 5, 7, 0], [0, 13, 15, 0]]);
/// # Ok::<(), poolnd::PoolError>(())
/// ```
///
/// # Errors
/// When the elements are too many to address.
#[cfg(feature = "ndarray")]
impl<'a, T, D: ndarray::Dimension> TryFrom<ndarray::ArrayViewMut<'a, T, D>> for ViewMut<'a, T> {
    type Error = PoolError;

    fn try_from(mut array: ndarray::ArrayViewMut<'a, T, D>) -> Result<Self, PoolError> {
        let first = array.as_mut_ptr();
        // SAFETY: for `'a` the elements of the array are borrowed by it and nothing else, and
        // strides other than its own are not used to find them.
        unsafe { Self::from_raw_parts(first, array.shape(), array.strides()) }
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

    /// The same memory, whose first element is found at `offset`.
    pub(crate) fn starting_at(self, offset: isize) -> Self {
        Self(self.0.wrapping_offset(offset.wrapping_neg()))
    }

    /// Where the element is that lies `offset` from element `[0, 0, ...]`.
    #[inline(always)]
    pub(crate) fn pointer(self, offset: isize) -> *mut MaybeUninit<T> {
        self.0.wrapping_offset(offset)
    }

    /// `len` neighbours from `offset` on, counted from element `[0, 0, ...]`.
    ///
    /// # Safety
    /// They are elements of the memory behind this handle, which outlives `'a`, and no other
    /// live slice holds them.
    #[inline(always)]
    pub(crate) unsafe fn run<'a>(self, offset: isize, len: usize) -> &'a mut [MaybeUninit<T>] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(offset), len) }
    }
}

/// The same slice, if `T` is `U`: for generic code that need not convert what it does not change.
pub(crate) fn same_type<T: 'static, U: 'static>(slice: &[T]) -> Option<&[U]> {
    let same = std::any::TypeId::of::<T>() == std::any::TypeId::of::<U>();
    // SAFETY: the types are the same.
    same.then(|| unsafe { std::slice::from_raw_parts(slice.as_ptr().cast(), slice.len()) })
}

/// Elements 0, 2, 4, ... of an array twice as long, and elements 1, 3, 5, ...
///
/// Read as words of two elements each, whose halves are taken: that every instruction set does
/// with whole vectors, where the compiler would pick single elements.
#[inline(always)]
pub(crate) fn even_and_odd<T: Copy, const N: usize, const L: usize>(
    elements: &[T; N],
) -> ([T; L], [T; L]) {
    assert!(N == 2 * L, "twice as long");
    let mut even = MaybeUninit::<[T; L]>::uninit();
    let mut odd = MaybeUninit::<[T; L]>::uninit();
    macro_rules! split {
        ($word:ty, $half:ty) => {{
            let words = elements.as_ptr().cast::<$word>();
            let (even, odd) = (even.as_mut_ptr().cast::<$half>(), odd.as_mut_ptr().cast::<$half>());
            for l in 0..L {
                // SAFETY: elements 2l and 2l + 1 are the two halves of word l, and a half has the
                // size of an element, whose bits are copied.
                unsafe {
                    let word = words.add(l).read_unaligned();
                    let word = if cfg!(target_endian = "big") { word.swap_bytes() } else { word };
                    even.add(l).write_unaligned(word as $half);
                    odd.add(l).write_unaligned((word >> <$half>::BITS) as $half);
                }
            }
        }};
    }
    match size_of::<T>() {
        1 => split!(u16, u8),
        2 if cfg!(target_endian = "little") => split!(u32, u16),
        4 if cfg!(target_endian = "little") => split!(u64, u32),
        _ => {
            let (even, odd) = (even.as_mut_ptr().cast::<T>(), odd.as_mut_ptr().cast::<T>());
            for l in 0..L {
                // SAFETY: both have L elements.
                unsafe {
                    even.add(l).write(elements[2 * l]);
                    odd.add(l).write(elements[2 * l + 1]);
                }
            }
        }
    }
    // SAFETY: all L elements of both were written.
    unsafe { (even.assume_init(), odd.assume_init()) }
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
    reach(shape, strides).ok_or_else(|| PoolError::TooLarge { shape: shape.to_vec() })
}

/// [`extent`] of an array that has elements; None if it is not a number.
#[inline]
fn reach(shape: &[usize], strides: &[isize]) -> Option<(isize, isize)> {
    let (mut low, mut high) = (0isize, 0isize);
    for (&n, &stride) in shape.iter().zip(strides) {
        let reach = stride.checked_mul(n as isize - 1)?;
        let bound = if stride < 0 { &mut low } else { &mut high };
        *bound = bound.checked_add(reach)?;
    }
    let end = high.checked_add(1)?;
    end.checked_sub(low).map(|_| (low, end))
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
    if inside { Ok(()) } else { Err(out_of_bounds(len, shape, strides)) }
}

fn out_of_bounds(len: usize, shape: &[usize], strides: &[isize]) -> PoolError {
    let (shape, strides) = (shape.to_vec(), strides.to_vec());
    PoolError::OutOfBounds { shape, strides, len }
}

/// Whether two elements might share memory: each stride must step over all smaller ones.
fn overlaps(shape: &[usize], strides: &[isize]) -> bool {
    let axes = shape.iter().zip(strides).filter(|&(&n, _)| n > 1);
    // Nearly always the axes are in order already, the innermost last.
    if !crosses(axes.clone().rev().map(|(&n, &stride)| (stride.unsigned_abs(), n))) {
        return false;
    }
    let mut axes: Dims<(usize, usize)> =
        axes.map(|(&n, &stride)| (stride.unsigned_abs(), n)).collect();
    axes.sort_unstable();
    !shape.contains(&0) && crosses(axes.into_iter())
}

/// Whether a stride, of pairs of a stride and a length, steps over less than the pairs before it
/// cover.
fn crosses(mut axes: impl Iterator<Item = (usize, usize)>) -> bool {
    let mut covered = 1usize;
    axes.any(|(stride, n)| {
        let crossed = stride < covered;
        covered = covered.saturating_add(stride.saturating_mul(n - 1));
        crossed
    })
}

/// `values` where `bit` is set in the masks, and `other` where it is not.
///
/// Without branches, which the compiler would keep instead of filling vectors.
#[inline(always)]
pub(crate) fn masked<P: Copy, const L: usize>(
    values: &[P; L],
    other: P,
    masks: &[u16],
    bit: u16,
) -> [P; L] {
    let masks = &masks[..L];
    let mut kept = *values;
    macro_rules! select {
        ($word:ty) => {{
            // SAFETY: a word has the size of a value, whose bits are copied.
            let other = unsafe { std::mem::transmute_copy::<P, $word>(&other) };
            let words = kept.as_mut_ptr().cast::<$word>();
            for l in 0..L {
                let keep = <$word>::from(masks[l] & bit != 0).wrapping_neg();
                // SAFETY: word l is value l, of which either all bits are kept or none.
                unsafe {
                    let word = words.add(l);
                    word.write_unaligned(word.read_unaligned() & keep | other & !keep);
                }
            }
        }};
    }
    match size_of::<P>() {
        1 => select!(u8),
        2 => select!(u16),
        4 => select!(u32),
        8 => select!(u64),
        _ => {
            for l in 0..L {
                kept[l] = if masks[l] & bit == 0 { other } else { kept[l] };
            }
        }
    }
    kept
}

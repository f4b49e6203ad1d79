//! Lines of partial results that start where a vector does: an access that lies across two cache lines takes
//! twice as long as another, and a store several times as long.

use std::ops::{Deref, DerefMut};

use super::tile::VECTOR_BYTES;

/// Elements from a multiple of [`VECTOR_BYTES`] on.
#[derive(Debug)]
pub(crate) struct Aligned<P> {
    elements: Vec<P>,
    first: usize,
    len: usize,
}

impl<P: Copy> Aligned<P> {
    /// `len` elements.
    pub(super) fn new(element: P, len: usize) -> Self {
        let spare = VECTOR_BYTES / size_of::<P>().max(1);
        let elements = vec![element; len + spare];
        let first = elements.as_ptr().align_offset(VECTOR_BYTES).min(spare);
        Self { elements, first, len }
    }
}

impl<P> Deref for Aligned<P> {
    type Target = [P];

    #[inline(always)]
    fn deref(&self) -> &[P] {
        &self.elements[self.first..][..self.len]
    }
}

impl<P> DerefMut for Aligned<P> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [P] {
        &mut self.elements[self.first..][..self.len]
    }
}

//! Loop shapes: how windows of any operation are visited, in which order, with which lanes.
//!
//! [`plan`] brings a strided array and its windows into one normal form, [`sweep`] walks the
//! outputs of that form, folding the rows of each window into one row and sliding along it.
//! What is done to the elements is a [`Kernel`]: [`fold::Fold`] for reductions,
//! [`argmax::ArgMax`] for maxima with positions.

pub(crate) mod argmax;
pub(crate) mod fold;
mod lanes;
mod line;
mod plan;
pub(crate) mod planes;
mod sweep;
mod tile;

use line::{Line, RowTaps};
pub(crate) use sweep::pool;

/// The element side of a sweep. `at` and `len` count elements of the line.
pub(crate) trait Kernel<T>: Copy + Send + Sync {
    /// Room for one folded row.
    type Line;
    /// Where results go.
    type Out: Target;
    /// Bytes of the line per element.
    const ROW_BYTES: usize;

    /// A line of `len` elements, all the identity.
    fn line(&self, len: usize) -> Self::Line;
    /// Makes `len` elements the identity again.
    fn clear(&self, line: &mut Self::Line, at: usize, len: usize);
    /// Folds rows of `len` elements into the line, onto what is there or in its place.
    fn fold_rows(
        &self,
        line: &mut Self::Line,
        at: usize,
        src: &[T],
        taps: RowTaps,
        len: usize,
        onto: bool,
    );
    /// Reduces stretches of the line to outputs.
    fn slide(&self, line: &mut Self::Line, job: &Line<'_>, out: Self::Out);
}

/// Output arrays that a kernel writes the same positions of.
pub(crate) trait Target: Copy + Send + Sync {
    /// Scratch memory in the same form.
    type Store: Default;

    /// A handle to at least `len` elements of scratch.
    fn over(store: &mut Self::Store, len: usize) -> Self;

    /// Copies `[n, lanes]` interleaved scratch elements, from element `first` on, to `at`, with the
    /// strides of both.
    ///
    /// # Safety
    /// The destinations are elements of this target that nothing else holds, and the scratch
    /// elements are initialised.
    unsafe fn scatter(
        self,
        store: &Self::Store,
        first: usize,
        at: isize,
        strides: [isize; 2],
        shape: [usize; 2],
    );
}

//! Plane by plane: operators that follow positions instead of windows.
//!
//! Arrays that agree in their free axes are walked together, one plane (all pooled axes) of each
//! at a time, each plane as contiguous scratch.

use std::sync::Mutex;

use crate::geometry::{Dims, count};
use crate::view::Shared;
use crate::{Execution, PoolError, View, ViewMut};

/// How an array's axes divide into planes.
pub(crate) struct Planes {
    /// Length and stride of the free axes.
    free: Dims<(usize, isize)>,
    /// Length and stride of the pooled axes.
    plane: Dims<(usize, isize)>,
}

impl Planes {
    /// `axes` are the pooled ones.
    pub(crate) fn new(axes: &[usize], shape: &[usize], strides: &[isize]) -> Self {
        let (mut free, mut plane) = (Dims::new(), Dims::new());
        for (axis, (&len, &stride)) in shape.iter().zip(strides).enumerate() {
            let to = if axes.contains(&axis) { &mut plane } else { &mut free };
            to.push((len, stride));
        }
        Self { free, plane }
    }

    /// Number of planes.
    pub(crate) fn len(&self) -> usize {
        self.free.iter().map(|(len, _)| len).product()
    }

    /// Elements of a plane.
    pub(crate) fn volume(&self) -> usize {
        self.plane.iter().map(|(len, _)| len).product()
    }

    /// Offset of a plane's first element.
    fn offset(&self, plane: usize) -> isize {
        let mut rest = plane;
        self.free.iter().rev().fold(0, |at, &(len, stride)| {
            let index = rest % len;
            rest /= len;
            at + index as isize * stride
        })
    }

    /// Calls `visit` with the offset of every row (the last axis) of a plane and its length and
    /// stride.
    fn rows(&self, plane: usize, mut visit: impl FnMut(isize, usize, isize)) {
        let Some((&(len, stride), outer)) = self.plane.split_last() else {
            return visit(self.offset(plane), 1, 1);
        };
        let rows: usize = outer.iter().map(|(len, _)| len).product();
        for row in 0..rows {
            let mut rest = row;
            let at = outer.iter().rev().fold(self.offset(plane), |at, &(len, stride)| {
                let index = rest % len;
                rest /= len;
                at + index as isize * stride
            });
            visit(at, len, stride);
        }
    }

    /// Copies a plane into scratch, in C order.
    pub(crate) fn read<T: Copy>(&self, plane: usize, view: &View<'_, T>, scratch: &mut Vec<T>) {
        scratch.clear();
        self.rows(plane, |at, len, stride| {
            let at = view.origin().wrapping_add_signed(at);
            if stride == 1 {
                scratch.extend_from_slice(&view.data()[at..at + len]);
            } else {
                let element = |i: usize| view.data()[at.wrapping_add_signed(i as isize * stride)];
                scratch.extend((0..len).map(element));
            }
        });
    }

    /// Writes a plane from elements in C order.
    ///
    /// # Safety
    /// `out` is the memory behind the array that these planes are of, and nothing else holds
    /// elements of this plane.
    pub(crate) unsafe fn write<T>(
        &self,
        plane: usize,
        out: Shared<T>,
        mut elements: impl Iterator<Item = T>,
    ) {
        self.rows(plane, |at, len, stride| {
            if stride == 1 {
                // SAFETY: the caller's promise.
                let row = unsafe { out.run(at, len) };
                row.iter_mut().zip(&mut elements).for_each(|(to, element)| {
                    to.write(element);
                });
            } else {
                for (i, element) in (0..len).zip(&mut elements) {
                    // SAFETY: the caller's promise.
                    unsafe { out.run(at + i as isize * stride, 1)[0].write(element) };
                }
            }
        });
    }
}

/// Puts every source element at its position in a plane of `A`, and writes the planes.
///
/// A position of -1 is skipped where `skips` says so; any other outside the plane is an error,
/// found before anything is read or written there.
pub(crate) fn scatter<T: Copy + Send + Sync, A: Copy + Send + Sync>(
    execution: &Execution<'_>,
    axes: &[usize],
    source: &View<'_, T>,
    indices: &View<'_, i64>,
    mut target: ViewMut<'_, T>,
    skips: bool,
    zero: A,
    put: impl Fn(A, T) -> A + Sync,
    finish: impl Fn(A) -> T + Sync,
) -> Result<(), PoolError> {
    let from = Planes::new(axes, source.shape(), source.strides());
    let at = Planes::new(axes, indices.shape(), indices.strides());
    let to = Planes::new(axes, target.shape(), target.strides());
    let out = target.shared();
    each_plane(execution, &to, count(source.shape())? * size_of::<T>(), |planes| {
        let (mut elements, mut positions) = (Vec::new(), Vec::new());
        let mut plane = Vec::new();
        for i in planes {
            from.read(i, source, &mut elements);
            at.read(i, indices, &mut positions);
            plane.clear();
            plane.resize(to.volume(), zero);
            for (&element, &index) in elements.iter().zip(&positions) {
                if let Some(slot) = usize::try_from(index).ok().and_then(|i| plane.get_mut(i)) {
                    *slot = put(*slot, element);
                } else if !(skips && index == -1) {
                    return Err(PoolError::IndexOutside { index, volume: to.volume() });
                }
            }
            // SAFETY: every plane is visited once.
            unsafe { to.write(i, out, plane.iter().map(|&sum| finish(sum))) };
        }
        Ok(())
    })
}

/// Takes the element at every position from the planes of `source`.
pub(crate) fn gather<T: Copy + Send + Sync + Default>(
    execution: &Execution<'_>,
    axes: &[usize],
    source: &View<'_, T>,
    indices: &View<'_, i64>,
    mut target: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    let from = Planes::new(axes, source.shape(), source.strides());
    let at = Planes::new(axes, indices.shape(), indices.strides());
    let to = Planes::new(axes, target.shape(), target.strides());
    let out = target.shared();
    each_plane(execution, &to, count(source.shape())? * size_of::<T>(), |planes| {
        let (mut plane, mut positions) = (Vec::new(), Vec::new());
        let mut elements = Vec::new();
        for i in planes {
            from.read(i, source, &mut plane);
            at.read(i, indices, &mut positions);
            elements.clear();
            for &index in &positions {
                let found = usize::try_from(index).ok().and_then(|i| plane.get(i));
                let outside = PoolError::IndexOutside { index, volume: plane.len() };
                elements.push(*found.ok_or(outside)?);
            }
            // SAFETY: every plane is visited once.
            unsafe { to.write(i, out, elements.iter().copied()) };
        }
        Ok(())
    })
}

/// Calls `work` with ranges of planes that together are all of them; the first error is returned.
pub(crate) fn each_plane(
    execution: &Execution<'_>,
    planes: &Planes,
    bytes: usize,
    work: impl Fn(std::ops::Range<usize>) -> Result<(), PoolError> + Sync,
) -> Result<(), PoolError> {
    let (n, bytes) = (planes.len(), bytes + planes.len() * planes.volume());
    let tasks = execution.tasks(bytes).min(n.max(1));
    let failed = Mutex::new(None);
    execution.run(tasks, |task| {
        if let Err(error) = work(task * n / tasks..(task + 1) * n / tasks) {
            failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failed.map_or(Ok(()), Err)
}

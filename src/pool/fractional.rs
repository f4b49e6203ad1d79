//! Fractional max pooling: windows at random places, other ones for every plane.

use super::{check_planes, check_shape};
use crate::element::Element;
use crate::kernel::planes::{Planes, each_plane};
use crate::pool::max::{max_into, max_with_indices_into};
use crate::view::Shared;
use crate::{Execution, Geometry, PoolError, View, ViewMut, Window};

/// The windows of one plane: `windows(plane, i)` are those of the `i`-th pooled axis.
///
/// Planes are counted in C order of the free axes.
///
/// # Errors
/// Shapes that do not match, or windows that reach outside their axis.
pub fn fractional_max_into<T: Element>(
    execution: &Execution<'_>,
    axes: &[usize],
    windows: impl Fn(usize, usize) -> Window + Sync,
    input: &View<'_, T>,
    mut values: ViewMut<'_, T>,
    mut indices: Option<ViewMut<'_, i64>>,
) -> Result<(), PoolError> {
    check_planes(axes, input.shape(), values.shape())?;
    if let Some(indices) = &indices {
        check_shape("indices", indices.shape(), values.shape())?;
    }
    let from = Planes::new(axes, input.shape(), input.strides());
    let to = Planes::new(axes, values.shape(), values.strides());
    let at = indices.as_ref().map(|view| Planes::new(axes, view.shape(), view.strides()));
    let (out, positions) = (values.shared(), indices.as_mut().map(ViewMut::shared));
    let (input_plane, output_plane) = (pick(axes, input.shape()), pick(axes, values.shape()));
    let bytes = from.len() * from.volume() * size_of::<T>();
    each_plane(execution, &to, bytes, |planes| {
        let mut source = Vec::new();
        let mut best = vec![T::default(); to.volume()];
        let mut found = vec![0i64; to.volume()];
        for plane in planes {
            let rules: Vec<_> = (0..axes.len()).map(|i| (i, windows(plane, i))).collect();
            let geometry = Geometry::new(&input_plane, &rules)?;
            check_shape("output", &output_plane, geometry.output_shape())?;
            from.read(plane, input, &mut source);
            let view = View::new(&source, &input_plane)?;
            let single = execution.one_thread();
            let values = view_of(&mut best, &output_plane)?;
            match (&at, positions) {
                (Some(at), Some(positions)) => {
                    let indices = view_of(&mut found, &output_plane)?;
                    max_with_indices_into(&single, &geometry, &view, values, indices)?;
                    write(at, plane, positions, &found);
                }
                _ => max_into(&single, &geometry, &view, values)?,
            }
            write(&to, plane, out, &best);
        }
        Ok(())
    })
}

fn write<T: Copy>(planes: &Planes, plane: usize, out: Shared<T>, elements: &[T]) {
    // SAFETY: every plane is visited once.
    unsafe { planes.write(plane, out, elements.iter().copied()) };
}

fn pick(axes: &[usize], shape: &[usize]) -> Vec<usize> {
    axes.iter().map(|&axis| shape[axis]).collect()
}

/// Initialised scratch as an output.
fn view_of<'a, T: Copy>(
    scratch: &'a mut [T],
    shape: &[usize],
) -> Result<ViewMut<'a, T>, PoolError> {
    let strides = crate::contiguous_strides(shape);
    // SAFETY: the scratch is borrowed for as long as the view, and has the shape's elements.
    unsafe { ViewMut::from_raw_parts(scratch.as_mut_ptr(), shape, &strides) }
}

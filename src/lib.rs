//! Pooling over any axes of strided N-D arrays.
//!
//! Every pooling operator is one sentence: *reduce the elements of a window at every output
//! position, along some axes of an array*. The crate has one part for each word of it:
//!
//! 1. [`Window`] lays windows along an axis: sliding ones, adaptive bins, or listed ones.
//! 2. [`Geometry`] resolves windows against a shape, and knows the shape that comes out.
//! 3. [`View`] borrows the elements, with any strides; [`ViewMut`] takes results.
//! 4. The operators reduce: [`max`], [`max_with_indices`], [`average`],
//!    [`power_average_into`], [`fractional_max_into`], [`unpool_into`], and the gradients
//!    [`max_backward_into`], [`average_backward_into`], [`unpool_backward_into`].
//! 5. [`Execution`] says on which threads and with which instruction set ([`Level`]); the result has
//!    the same bits for all of them.
//!
//! Dtypes are those with [`Element`], averages those with [`Mean`].
//!
//! ```
//! use poolnd::{Divisor, Geometry, View, Window, average, max};
//!
//! // Two channels of 4 x 4; pool the last two axes by 2 x 2.
//! let x: Vec<f32> = (0..32).map(|i| i as f32).collect();
//! let view = View::new(&x, &[2, 4, 4])?;
//! let windows = [(1, Window::sliding(2).into()), (2, Window::sliding(2).into())];
//! let geometry = Geometry::new(view.shape(), &windows)?;
//!
//! let largest = max(&view, &geometry)?;
//! assert_eq!(largest.shape(), [2, 2, 2]);
//! assert_eq!(largest.data()[..4], [5.0, 7.0, 13.0, 15.0]);
//!
//! let mean = average(&view, &geometry, Divisor::Window)?;
//! assert_eq!(mean.data()[..4], [2.5, 4.5, 10.5, 12.5]);
//! # Ok::<(), poolnd::PoolError>(())
//! ```
//!
//! # Reading the source
//!
//! First what a call is about: `window`, `geometry`, `view`; then what is done to elements:
//! `element`, `reduce`; then `pool/max.rs`, a whole operator in a few lines; and at last how it is
//! done: `kernel` (`plan`, `sweep`, `fold`, `argmax`), `simd`, `parallel`, `team`.
//!
//! # Features
//!
//! - `rayon` (default): large calls are split over a rayon thread pool. Without it a call stays on
//!   its thread unless it is given a [`Team`].
//! - `ndarray`: [`View`] and [`ViewMut`] from ndarray's arrays, results as such arrays.
//!
//! The standard library is always needed (instruction sets are looked up at run time), so there is
//! no `std` feature. The minimum Rust version is the package's `rust-version`; a newer one comes
//! with a new minor version of this crate.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod element;
mod error;
mod geometry;
#[allow(unsafe_code)]
mod halves;
mod kernel;
#[cfg(feature = "ndarray")]
mod ndarray;
mod parallel;
#[allow(unsafe_code)]
mod pool;
#[allow(unsafe_code)]
mod reduce;
#[allow(unsafe_code)]
mod simd;
#[allow(unsafe_code)]
mod sums;
mod team;
#[allow(unsafe_code)]
mod view;
mod window;

pub use element::{Element, Mean, Ordered, Position, Truth};
pub use error::PoolError;
pub use geometry::Geometry;
pub use halves::HalfKey;
pub use parallel::Execution;
pub use pool::Tensor;
pub use pool::average::{Divisor, average, average_backward_into, average_into};
pub use pool::fractional::{fractional_max_into, fractional_starts};
pub use pool::max::{max, max_backward_into, max_into, max_with_indices, max_with_indices_into};
pub use pool::power::power_average_into;
pub use pool::unpool::{unpool_backward_into, unpool_into};
pub use simd::Level;
pub use sums::Accumulator;
pub use team::Team;
pub use view::{View, ViewMut, contiguous_strides};
pub use window::{Axis, Sliding, Taps, Window};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#![doc = "placeholder"]
mod element;
mod error;
mod geometry;
mod kernel;
mod parallel;
mod pool;
mod reduce;
mod simd;
mod view;
mod window;

pub use element::{Element, Mean};
pub use error::PoolError;
pub use geometry::Geometry;
pub use parallel::Execution;
pub use pool::Tensor;
pub use pool::average::{Divisor, average, average_into};
pub use pool::max::{max, max_into, max_with_indices, max_with_indices_into};
pub use simd::Level;
pub use view::{View, ViewMut, contiguous_strides};
pub use window::{Axis, Sliding, Taps, Window};

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

pub use element::{Accumulator, Element, Mean, Truth};
pub use error::PoolError;
pub use geometry::Geometry;
pub use parallel::Execution;
pub use pool::Tensor;
pub use pool::average::{Divisor, average, average_backward_into, average_into};
pub use pool::fractional::fractional_max_into;
pub use pool::max::{max, max_backward_into, max_into, max_with_indices, max_with_indices_into};
pub use pool::power::power_average_into;
pub use pool::unpool::{unpool_backward_into, unpool_into};
pub use simd::Level;
pub use view::{View, ViewMut, contiguous_strides};
pub use window::{Axis, Sliding, Taps, Window};

//! The one error type of the crate.

/// Why a pooling call was refused.
///
/// Every message names the argument, the value it had and the rule it broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A size argument of a window must be positive.
    #[error("{what} should be greater than zero, but got {argument}={value}")]
    NotPositive {
        /// The argument in words.
        what: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// The value that was given.
        value: i64,
    },
    /// A stride of zero never reaches the next window.
    #[error("stride should not be zero, but got stride=0")]
    ZeroStride,
    /// Padding cannot be negative.
    #[error("pad must be non-negative, but got padding={padding}")]
    NegativePadding {
        /// The padding that was given.
        padding: i64,
    },
    /// More padding than half of the kernel, which PyTorch refuses.
    #[error(
        "pad should be at most half of effective kernel size, but got padding={padding}, \
         kernel_size={kernel_size} and dilation={dilation} (rule: padding <= kernel_size / 2)"
    )]
    WidePadding {
        /// The padding that was given.
        padding: i64,
        /// The kernel size that was given.
        kernel_size: i64,
        /// The dilation that was given.
        dilation: i64,
    },
    /// No window fits on the axis.
    #[error(
        "Output size is too small: kernel_size={kernel_size}, padding={padding} and \
         dilation={dilation} leave no window on an axis of length {len} \
         (calculated output size: {output_size})"
    )]
    OutputTooSmall {
        /// Length of the pooled axis.
        len: usize,
        /// The kernel size that was given.
        kernel_size: i64,
        /// Total padding of both sides.
        padding: i128,
        /// The dilation that was given.
        dilation: i64,
        /// What the formula gives.
        output_size: i128,
    },
    /// A window reaches further than an array can.
    #[error(
        "{argument}={value} overflows: the window's extent must fit in a signed 64-bit integer"
    )]
    WindowTooLarge {
        /// The argument that made it so.
        argument: &'static str,
        /// Its value.
        value: i64,
    },
    /// An axis that the array does not have, or one named twice.
    #[error("axis {axis} is out of range or repeated for an array of {ndim} dimensions")]
    BadAxis {
        /// The axis that was given.
        axis: usize,
        /// Dimensions of the array.
        ndim: usize,
    },
    /// The elements of an array of this shape cannot be counted or addressed.
    #[error("numel: integer multiplication overflow: shape {shape:?} has too many elements")]
    TooLarge {
        /// The shape.
        shape: Vec<usize>,
    },
    /// A view's shape does not match what the call needs.
    #[error("{what} has shape {got:?}, but the pooling geometry needs {expected:?}")]
    ShapeMismatch {
        /// Which array.
        what: &'static str,
        /// Its shape.
        got: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// Strides and shape reach outside the memory of a view.
    #[error("strides {strides:?} with shape {shape:?} reach outside the {len} elements given")]
    OutOfBounds {
        /// Shape of the view.
        shape: Vec<usize>,
        /// Strides of the view, in elements.
        strides: Vec<isize>,
        /// Elements in the memory behind it.
        len: usize,
    },
    /// An array view of ndarray's with elements of others between its own.
    #[error(
        "an array view of shape {shape:?} with strides {strides:?} leaves elements out that \
         something else may write; give View::of_part the array that it is a part of"
    )]
    #[cfg(feature = "ndarray")]
    Gaps {
        /// Shape of the view.
        shape: Vec<usize>,
        /// Strides of the view, in elements.
        strides: Vec<isize>,
    },
    /// An output whose elements share memory cannot be written.
    #[error("output strides {strides:?} with shape {shape:?} let elements share memory")]
    Overlap {
        /// Shape of the view.
        shape: Vec<usize>,
        /// Strides of the view, in elements.
        strides: Vec<isize>,
    },
    /// A divisor of zero.
    #[error("divisor must be not zero, but got divisor_override=0")]
    ZeroDivisor,
    /// A listed window that reaches outside its axis.
    #[error("window {taps:?} reaches outside an axis of length {len}")]
    TapsOutside {
        /// Length of the axis.
        len: usize,
        /// The window.
        taps: crate::Taps,
    },
    /// A position that the plane does not have.
    #[error(
        "Found an invalid max index: {index} (the plane has {volume} elements, so indices must be \
         from 0 to {last})", last = *volume as i128 - 1
    )]
    IndexOutside {
        /// The position.
        index: i64,
        /// Elements of the plane.
        volume: usize,
    },
    /// A power of zero has no root.
    #[error("norm_type must be finite and not zero, but got norm_type={norm_type}")]
    NormType {
        /// The power, as text: floats have no total equality.
        norm_type: String,
    },
}

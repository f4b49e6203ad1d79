//! Window rules: which elements of one axis each output position reads.
//!
//! A [`Window`] says how windows are laid along an axis; [`Window::resolve`] meets it with the
//! axis's length and gives an [`Axis`], which answers for every output position `o` which
//! [`Taps`] (input positions) its window keeps after clipping to the axis. Everything the
//! kernels know about windows, they ask an `Axis`.

use crate::PoolError;
use crate::reduce::Divisor;

/// A rule that lays windows along one axis.
///
/// ```
/// use poolnd::{Taps, Window};
///
/// let sliding = Window::from(Window::sliding(3).stride(2).padding(1));
/// assert_eq!(sliding.resolve(8)?.outputs(), 4);
/// // Three bins of seven elements: 0..3, 2..5 and 4..7.
/// let bins = Window::adaptive(3).resolve(7)?;
/// assert_eq!(bins.taps(1), Taps { first: 2, count: 3, step: 1 });
/// # Ok::<(), poolnd::PoolError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Equal windows at a constant step: the rule of `max_pool2d` and `avg_pool2d`.
    Sliding(Sliding),
    /// As many bins as outputs, covering the axis: the rule of `adaptive_avg_pool2d`.
    ///
    /// Bin `o` of `n` on an axis of length `len` is `floor(o*len/n) .. ceil((o+1)*len/n)`; bins
    /// overlap where `n` does not divide `len`.
    Adaptive {
        /// Number of outputs; 0 gives an empty output.
        output_size: usize,
    },
    /// Windows given one by one, for every other rule.
    Listed(Vec<Taps>),
}

impl Window {
    /// A sliding window of `kernel_size` taps; see [`Sliding`] for its defaults.
    #[must_use]
    pub fn sliding(kernel_size: i64) -> Sliding {
        Sliding { kernel_size, stride: kernel_size, padding: [0, 0], dilation: 1, ceil_mode: false }
    }

    /// `output_size` bins that cover the axis.
    #[must_use]
    pub fn adaptive(output_size: usize) -> Self {
        Self::Adaptive { output_size }
    }

    /// Lays the windows along an axis of `len` elements.
    ///
    /// # Errors
    /// Sizes that break a rule of [`Sliding`], or a window that does not fit.
    pub fn resolve(&self, len: usize) -> Result<Axis, PoolError> {
        match self {
            Self::Sliding(sliding) => sliding.resolve(len),
            &Self::Adaptive { output_size } => Ok(Axis::adaptive(len, output_size)),
            Self::Listed(windows) => {
                if windows.iter().any(|taps| taps.step == 0) {
                    let (what, argument) = ("step of listed taps", "step");
                    return Err(PoolError::NotPositive { what, argument, value: 0 });
                }
                match windows.iter().find(|taps| taps.end() > len) {
                    Some(&taps) => Err(PoolError::TapsOutside { len, taps }),
                    None => Ok(Axis::listed(len, windows.clone())),
                }
            }
        }
    }
}

impl From<Sliding> for Window {
    fn from(sliding: Sliding) -> Self {
        Self::Sliding(sliding)
    }
}

/// Windows of `kernel_size` taps, `dilation` apart, every `stride` elements of the padded axis.
///
/// Sizes are signed so that a wrong one is reported, not wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    /// Taps of a window; positive.
    pub kernel_size: i64,
    /// Distance between windows; positive. Defaults to `kernel_size`.
    pub stride: i64,
    /// Virtual elements before and after the axis that never win a maximum and add nothing to a
    /// sum; not negative. Defaults to none.
    pub padding: [i64; 2],
    /// Distance between taps; positive. Defaults to 1.
    pub dilation: i64,
    /// Whether a last window may reach past the padded end. Defaults to false.
    pub ceil_mode: bool,
}

impl Sliding {
    /// Sets the distance between windows.
    #[must_use]
    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// Sets the padding of both sides.
    #[must_use]
    pub fn padding(self, padding: i64) -> Self {
        Self { padding: [padding; 2], ..self }
    }

    /// Sets the distance between taps.
    #[must_use]
    pub fn dilation(self, dilation: i64) -> Self {
        Self { dilation, ..self }
    }

    /// Sets whether a last window may reach past the padded end.
    #[must_use]
    pub fn ceil_mode(self, ceil_mode: bool) -> Self {
        Self { ceil_mode, ..self }
    }

    /// Checks the sizes as PyTorch 2.13 does, in its order: beyond what [`Window::resolve`] needs,
    /// `padding <= kernel_size / 2`.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check_pytorch(&self) -> Result<(), PoolError> {
        self.check_sizes()?;
        match self.padding.into_iter().find(|&p| p > self.kernel_size / 2) {
            Some(padding) => Err(PoolError::WidePadding {
                padding,
                kernel_size: self.kernel_size,
                dilation: self.dilation,
            }),
            None => Ok(()),
        }
    }

    fn check_sizes(&self) -> Result<(), PoolError> {
        if self.stride == 0 {
            return Err(PoolError::ZeroStride);
        }
        if let Some(padding) = self.padding.into_iter().find(|&p| p < 0) {
            return Err(PoolError::NegativePadding { padding });
        }
        let positive = |what, argument, value| match value {
            1.. => Ok(()),
            _ => Err(PoolError::NotPositive { what, argument, value }),
        };
        positive("kernel size", "kernel_size", self.kernel_size)?;
        positive("stride", "stride", self.stride)?;
        positive("dilation", "dilation", self.dilation)
    }

    /// Output size: `floor((len + pads - dilation*(k-1) - 1) / stride) + 1`, or with the ceiling
    /// and then one less if the last window would start past the end and the left padding.
    fn resolve(&self, len: usize) -> Result<Axis, PoolError> {
        self.check_sizes()?;
        let [before, after] = self.padding.map(i128::from);
        let (kernel, stride) = (i128::from(self.kernel_size), i128::from(self.stride));
        let extent = i128::from(self.dilation) * (kernel - 1) + 1;
        let padded = len as i128 + before + after;
        if padded > i128::from(i64::MAX) {
            let value = self.padding[0].max(self.padding[1]);
            return Err(PoolError::WindowTooLarge { argument: "padding", value });
        }
        let slack = padded - extent;
        // Wide divisions are slow, and all but absurd sizes do without.
        let steps = match i64::try_from(slack) {
            Ok(slack) => i128::from(slack.div_euclid(self.stride)),
            Err(_) => slack.div_euclid(stride),
        };
        let mut outputs = steps + 1;
        if self.ceil_mode && slack != steps * stride {
            outputs += 1;
        }
        if self.ceil_mode && (outputs - 1) * stride >= len as i128 + before {
            outputs -= 1;
        }
        if outputs < 1 {
            return Err(PoolError::OutputTooSmall {
                len,
                kernel_size: self.kernel_size,
                padding: before + after,
                dilation: self.dilation,
                output_size: outputs,
            });
        }
        // A ceiling window can start inside and still be wider than what an index can hold.
        if extent > i128::from(i64::MAX / 2) {
            let value = self.dilation.max(self.kernel_size);
            return Err(PoolError::WindowTooLarge { argument: "kernel_size or dilation", value });
        }
        Ok(Axis {
            len,
            outputs: outputs as usize,
            rule: Rule::Sliding {
                kernel: self.kernel_size as usize,
                stride: self.stride as usize,
                before: self.padding[0] as usize,
                after: self.padding[1] as usize,
                // One tap has no distance; a common value lets it take the common path.
                dilation: if self.kernel_size == 1 { 1 } else { self.dilation as usize },
            },
        })
    }
}

/// The input positions `first, first + step, ...` (`count` of them) that one output reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taps {
    /// First position inside the axis; 0 when `count` is 0.
    pub first: usize,
    /// Number of taps inside the axis.
    pub count: usize,
    /// Distance between them.
    pub step: usize,
}

impl Taps {
    /// One past the last position read, or `first` when there is none.
    #[must_use]
    pub fn end(&self) -> usize {
        match self.count {
            0 => self.first,
            count => {
                (count - 1).saturating_mul(self.step).saturating_add(self.first).saturating_add(1)
            }
        }
    }
}

/// A window rule laid along an axis of known length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    len: usize,
    outputs: usize,
    pub(crate) rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    Sliding { kernel: usize, stride: usize, before: usize, after: usize, dilation: usize },
    Adaptive,
    Listed(Vec<Taps>),
}

impl Axis {
    fn adaptive(len: usize, outputs: usize) -> Self {
        // Bins that leave at most one element over have one size and distance: plain windows, which
        // take faster paths.
        let rule = match (len.checked_div(outputs), len.checked_rem(outputs)) {
            (Some(stride @ 1..), Some(over @ 0..=1)) => {
                let kernel = stride + over;
                Rule::Sliding { kernel, stride, before: 0, after: 0, dilation: 1 }
            }
            _ => Rule::Adaptive,
        };
        Self { len, outputs, rule }
    }

    fn listed(len: usize, windows: Vec<Taps>) -> Self {
        Self { len, outputs: windows.len(), rule: Rule::Listed(windows) }
    }

    /// The windows of a gradient: for every input position, the outputs that read it.
    ///
    /// Output `o` reads position `i` if `i = start(o) + j*dilation` for a tap `j`, so the outputs
    /// of one position are evenly spaced too, as many apart as `stride` and `dilation` need to
    /// meet again.
    pub(crate) fn transposed(&self) -> Self {
        if let Rule::Sliding { kernel, stride: 1, before, after: _, dilation } = self.rule {
            let reach = (kernel - 1).saturating_mul(dilation);
            if before <= reach {
                let before = reach - before;
                let after = (self.len + reach).saturating_sub(self.outputs + before);
                let rule = Rule::Sliding { kernel, stride: 1, before, after, dilation };
                return Self { len: self.outputs, outputs: self.len, rule };
            }
        }
        let mut windows = vec![Taps { first: 0, count: 0, step: 1 }; self.len];
        for o in 0..self.outputs {
            let taps = self.taps(o);
            for j in 0..taps.count {
                let readers = &mut windows[taps.first + j * taps.step];
                match readers.count {
                    0 => readers.first = o,
                    count => readers.step = (o - readers.first) / count,
                }
                readers.count += 1;
            }
        }
        Self::listed(self.outputs, windows)
    }

    /// One element that is its own window.
    pub(crate) fn single() -> &'static Self {
        const RULE: Rule = Rule::Sliding { kernel: 1, stride: 1, before: 0, after: 0, dilation: 1 };
        static SINGLE: Axis = Axis { len: 1, outputs: 1, rule: RULE };
        &SINGLE
    }

    /// Whether output `o` is element `o`.
    pub(crate) fn is_identity(&self) -> bool {
        let single = matches!(self.rule, Rule::Sliding { kernel: 1, stride: 1, before: 0, .. });
        single && self.outputs == self.len
    }

    /// Whether there is one output, which reads all elements.
    pub(crate) fn is_whole(&self) -> bool {
        self.outputs == 1 && self.taps(0).count == self.len
    }

    /// Elements of the input axis.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the input axis has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Output positions.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Where the unclipped window of output `o` starts; negative inside the left padding.
    #[must_use]
    pub fn start(&self, o: usize) -> isize {
        match self.rule {
            // o * stride < len + before, which resolve() bounded.
            Rule::Sliding { stride, before, .. } => (o * stride) as isize - before as isize,
            Rule::Adaptive | Rule::Listed(_) => self.taps(o).first as isize,
        }
    }

    /// The first tap of output `o` that does not lie in the left padding; it may lie past the end
    /// of the axis, if the window has no tap inside.
    #[must_use]
    pub fn first_after_padding(&self, o: usize) -> usize {
        let (start, step) = (self.start(o), self.taps(o).step as isize);
        (start + start.min(0).unsigned_abs().div_ceil(step.unsigned_abs()) as isize * step)
            .unsigned_abs()
    }

    /// The taps of output `o` that lie inside the axis.
    #[must_use]
    pub fn taps(&self, o: usize) -> Taps {
        match self.rule {
            Rule::Sliding { kernel, dilation, .. } => {
                let start = self.start(o);
                let skipped = if start < 0 { start.unsigned_abs().div_ceil(dilation) } else { 0 };
                let room = self.len as isize - start;
                let within = if room > 0 { room.unsigned_abs().div_ceil(dilation) } else { 0 };
                let count = kernel.min(within).saturating_sub(skipped);
                let first = match count {
                    0 => 0,
                    _ => (start + (skipped * dilation) as isize) as usize,
                };
                Taps { first, count, step: dilation }
            }
            Rule::Adaptive => {
                let (o, len, n) = (o as u128, self.len as u128, self.outputs as u128);
                let first = (o * len / n) as usize;
                let end = ((o + 1) * len).div_ceil(n) as usize;
                Taps { first, count: end - first, step: 1 }
            }
            Rule::Listed(ref windows) => windows[o],
        }
    }

    /// The outputs of a sliding window whose taps all lie inside the axis.
    pub(crate) fn whole_windows(&self) -> std::ops::Range<usize> {
        let Rule::Sliding { stride, before, .. } = self.rule else { return 0..0 };
        let first = before.div_ceil(stride).min(self.outputs);
        let end = match (self.len + before).checked_sub(self.max_reach().saturating_add(1)) {
            Some(last) => (last / stride + 1).min(self.outputs),
            None => 0,
        };
        first..end.max(first)
    }

    /// Taps of output `o` inside the axis or its padding: what `count_include_pad` counts. The
    /// overhang of a ceiling window past the padding is not counted.
    #[must_use]
    pub fn padded_count(&self, o: usize) -> usize {
        match self.rule {
            Rule::Sliding { kernel, dilation, after, .. } => {
                let room = (self.len + after) as isize - self.start(o);
                kernel.min(room.max(0).unsigned_abs().div_ceil(dilation))
            }
            Rule::Adaptive | Rule::Listed(_) => self.taps(o).count,
        }
    }

    /// What of output `o` is counted along this axis, for [`Divisor::of`].
    pub(crate) fn counted(&self, o: usize, divisor: Divisor) -> i64 {
        let count = match divisor {
            Divisor::PaddedWindow => self.padded_count(o),
            Divisor::Window => self.taps(o).count,
            Divisor::Fixed(_) => 1,
        };
        count as i64
    }

    /// The same of all outputs.
    pub(crate) fn counts(&self, divisor: Divisor) -> Vec<i64> {
        (0..self.outputs).map(|o| self.counted(o, divisor)).collect()
    }

    /// An upper bound of the taps of any output.
    #[must_use]
    pub fn max_count(&self) -> usize {
        match self.rule {
            Rule::Sliding { kernel, .. } => kernel.min(self.len),
            Rule::Adaptive => self.len.min(self.len / self.outputs.max(1) + 2),
            Rule::Listed(ref windows) => windows.iter().map(|taps| taps.count).max().unwrap_or(0),
        }
    }

    /// An upper bound of how far from position 0 an unclipped window reaches, on either side.
    pub(crate) fn max_extent(&self) -> usize {
        match self.rule {
            Rule::Sliding { before, after, .. } => {
                (self.len + before + after).saturating_add(self.max_reach())
            }
            Rule::Adaptive | Rule::Listed(_) => self.len,
        }
    }

    /// An upper bound of the distance between an unclipped window's first and last tap.
    pub(crate) fn max_reach(&self) -> usize {
        match self.rule {
            Rule::Sliding { kernel, dilation, .. } => (kernel - 1).saturating_mul(dilation),
            Rule::Adaptive => self.max_count().saturating_sub(1),
            Rule::Listed(ref windows) => {
                windows.iter().map(|taps| taps.end() - taps.first).max().unwrap_or(0)
            }
        }
    }
}

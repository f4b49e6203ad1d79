//! What averages are summed in, and how the sums are divided.

use std::marker::PhantomData;

use half::{bf16, f16};

use crate::halves::{
    narrow_bf16, narrow_f16, narrow_f16s, round_to_odd, widen_bf16, widen_f16, widen_f16s,
};

/// A type that sums elements of `T` and divides the sum.
pub trait Accumulator<T>: Copy + Send + Sync + 'static {
    /// The divisor in the form that `finish` wants it.
    type Scale: Copy + Send + Sync;
    /// The empty sum.
    const ZERO: Self;
    /// Whether kernels for special windows are worth their room: not for sums of windows that
    /// hardly anybody has, nor where the division takes longer than everything else.
    const COMMON: bool;
    /// Whether it is for every [`Level`](crate::Level), and not only for those that all kernels are
    /// compiled for.
    const FOR_ALL: bool = true;

    /// An element as a sum.
    fn load(value: T) -> Self;
    /// Elements as sums.
    ///
    /// # Safety
    /// The processor has a level that these sums are [for](Self::FOR_ALL).
    #[inline(always)]
    unsafe fn load_tile<const L: usize>(values: [T; L]) -> [Self; L]
    where
        T: Copy,
    {
        let mut loaded = [Self::ZERO; L];
        for l in 0..L {
            loaded[l] = Self::load(values[l]);
        }
        loaded
    }
    /// The sum of two sums; integers of 64 bits wrap around.
    fn plus(self, other: Self) -> Self;
    /// The sum without one that was added to it: exactly what it was before, if it is of integers.
    fn minus(self, other: Self) -> Self;
    /// Prepares a divisor; 0, of a window without elements, gives NaN or the integer 0.
    fn scale(divisor: i64) -> Self::Scale;
    /// The sum divided: rounded to nearest for floats; truncated toward zero for integers and
    /// clamped to the dtype.
    fn finish(self, scale: Self::Scale) -> T;
    /// Sums divided.
    ///
    /// # Safety
    /// As for [`load_tile`](Self::load_tile).
    #[inline(always)]
    unsafe fn finish_tile<const L: usize>(sums: [Self; L], scales: [Self::Scale; L]) -> [T; L]
    where
        T: Copy + Default,
    {
        let mut results = [T::default(); L];
        for l in 0..L {
            results[l] = sums[l].finish(scales[l]);
        }
        results
    }
}

/// Sums of floats. Adding zero turns a negative zero into the zero that a sum from zero gives.
macro_rules! float_sums {
    ($($sum:ty: $element:ty, $common:expr, $load:expr;
       $scale_type:ty, $scale:expr, $divide:expr;)*) => {$(
        impl Accumulator<$element> for $sum {
            type Scale = $scale_type;
            const ZERO: Self = 0.0;
            const COMMON: bool = $common;

            #[inline(always)]
            fn load(value: $element) -> Self {
                let load: fn($element) -> $sum = $load;
                load(value)
            }

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }

            #[inline(always)]
            fn scale(divisor: i64) -> $scale_type {
                let scale: fn($sum) -> $scale_type = $scale;
                scale(divisor as $sum)
            }

            #[inline(always)]
            fn finish(self, scale: $scale_type) -> $element {
                let divide: fn($sum, $scale_type) -> $element = $divide;
                divide(self + 0.0, scale)
            }
        }
    )*};
}

// A product with the reciprocal in f64 rounds to the same f32 as the quotient but for ties that
// division by a number which is no power of two almost never meets; where the sum has the
// dtype's own precision, or little more, it must be a division.
float_sums! {
    f64: f64, true, |x| x; f64, |d| d, |sum, d| sum / d;
    f32: f32, true, |x| x; f32, |d| d, |sum, d| sum / d;
    f64: f32, true, |x| f64::from(x); f64, |d| 1.0 / d, |sum, r| (sum * r) as f32;
    f64: f16, false, |x| f64::from(widen_f16(x)); f64, |d| d,
        |sum, d| narrow_f16(round_to_odd(sum / d));
    f64: bf16, false, |x| f64::from(widen_bf16(x)); f64, |d| d,
        |sum, d| narrow_bf16(round_to_odd(sum / d));
    f32: f16, false, widen_f16; f32, |d| d, |sum, d| narrow_f16(sum / d);
    f32: bf16, true, widen_bf16; f32, |d| d, |sum, d| narrow_bf16(sum / d);
}

/// [`f32`] sums of halves that an instruction widens: not for [`Level::Baseline`](crate::Level).
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Widened(f32);

impl Accumulator<f16> for Widened {
    type Scale = f32;
    const ZERO: Self = Self(0.0);
    const COMMON: bool = true;
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn load(value: f16) -> Self {
        Self(widen_f16(value))
    }

    #[inline(always)]
    unsafe fn load_tile<const L: usize>(values: [f16; L]) -> [Self; L] {
        // SAFETY: the caller's promise.
        let widened = unsafe { widen_f16s(values) };
        let mut loaded = [Self::ZERO; L];
        for l in 0..L {
            loaded[l] = Self(widened[l]);
        }
        loaded
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    #[inline(always)]
    fn scale(divisor: i64) -> f32 {
        divisor as f32
    }

    #[inline(always)]
    fn finish(self, scale: f32) -> f16 {
        narrow_f16((self.0 + 0.0) / scale)
    }

    #[inline(always)]
    unsafe fn finish_tile<const L: usize>(sums: [Self; L], scales: [f32; L]) -> [f16; L] {
        let mut quotients = [0.0; L];
        for l in 0..L {
            quotients[l] = (sums[l].0 + 0.0) / scales[l];
        }
        // SAFETY: the caller's promise.
        unsafe { narrow_f16s(quotients) }
    }
}

/// An integer sum `I` that is exact, divided by multiplication in `F`: adding a half before
/// multiplying with the reciprocal keeps every quotient clear of the next integer, as long as the
/// sum has two bits fewer than the float, or the quotient few (`(sum + 0.5) / d` is at least
/// `0.5 / d` away from any integer).
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Sum<I, F>(I, PhantomData<F>);

impl<F> From<Sum<u16, F>> for Sum<u32, F> {
    #[inline(always)]
    fn from(narrow: Sum<u16, F>) -> Self {
        Self(narrow.0.into(), PhantomData)
    }
}

impl<F> From<Sum<i16, F>> for Sum<i32, F> {
    #[inline(always)]
    fn from(narrow: Sum<i16, F>) -> Self {
        Self(narrow.0.into(), PhantomData)
    }
}

macro_rules! small_integer_sums {
    ($($sum:ty, $float:ty: $element:ty;)*) => {$(
        impl Accumulator<$element> for Sum<$sum, $float> {
            type Scale = $float;
            const ZERO: Self = Self(0, PhantomData);
            const COMMON: bool = true;

            #[inline(always)]
            fn load(value: $element) -> Self {
                Self(value.into(), PhantomData)
            }

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                Self(self.0.wrapping_add(other.0), PhantomData)
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                Self(self.0.wrapping_sub(other.0), PhantomData)
            }

            #[inline(always)]
            fn scale(divisor: i64) -> $float {
                if divisor == 0 { 0.0 } else { 1.0 / divisor as $float }
            }

            #[inline(always)]
            fn finish(self, scale: $float) -> $element {
                let is_negative = self.0 < <$sum>::default();
                let half: $float = if is_negative { -0.5 } else { 0.5 };
                let quotient = (self.0 as $float + half) * scale;
                let clamped = quotient.max(<$element>::MIN.into()).min(<$element>::MAX.into());
                // A cast would clamp again, one element at a time.
                // SAFETY: not NaN, and within the range of an element, so of an i32.
                unsafe { clamped.to_int_unchecked::<i32>() as $element }
            }
        }
    )*};
}

small_integer_sums! {
    u16, f32: u8;
    i16, f32: i8;
    u32, f32: u8;
    i32, f32: i8;
    u32, f64: u8;
    i32, f64: i8;
    u32, f64: u16;
    i32, f64: i16;
}

/// Integer sums of 64 bits, divided as integers; what does not fit becomes the nearest that does.
macro_rules! wide_integer_sums {
    ($($sum:ty: $divide:expr, $($element:ty),*;)*) => {$($(
        impl Accumulator<$element> for $sum {
            type Scale = i64;
            const ZERO: Self = 0;
            const COMMON: bool = false;

            #[inline(always)]
            fn load(value: $element) -> Self {
                <$sum>::from(value)
            }

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            #[inline(always)]
            fn scale(divisor: i64) -> i64 {
                divisor
            }

            #[inline(always)]
            fn finish(self, scale: i64) -> $element {
                let divide: fn($sum, i64) -> $sum = $divide;
                let quotient = divide(self, scale);
                quotient.clamp(<$element>::MIN.into(), <$element>::MAX.into()) as $element
            }
        }
    )*)*};
}

wide_integer_sums! {
    u64: |sum, d| u64::try_from(d).ok().and_then(|d| sum.checked_div(d)).unwrap_or(0),
        u8, u16, u32, u64;
    i64: |sum, d| sum.checked_div(d).unwrap_or(if d == 0 { 0 } else { i64::MAX }),
        i8, i16, i32, i64;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Divides every `step`th sum of `sums` in `Sum<$sum, $float>`.
    macro_rules! assert_divides {
        ($sum:ty, $float:ty: $element:ty, $sums:expr, $step:expr, $divisor:expr) => {
            let (limits, divisor) = ((<$element>::MIN.into(), <$element>::MAX.into()), $divisor);
            let scale = <Sum<$sum, $float> as Accumulator<$element>>::scale(divisor);
            for sum in $sums.step_by($step) {
                let expected = (i64::from(sum) / divisor).clamp(limits.0, limits.1) as $element;
                let sum_of = Sum::<$sum, $float>(sum, PhantomData);
                let quotient = Accumulator::<$element>::finish(sum_of, scale);
                assert_eq!(quotient, expected, "{sum} / {divisor}");
            }
        };
    }

    #[test]
    fn integer_sums_truncate_toward_zero() {
        for divisor in [1i64, 2, 3, 7, 9, 49, 255, 961, 16383, -3, 1 << 40] {
            assert_divides!(u16, f32: u8, 0..=u16::MAX, 1, divisor);
            assert_divides!(i16, f32: i8, i16::MIN..=i16::MAX, 1, divisor);
            let running = (255 << 14, 128 << 14);
            assert_divides!(u32, f32: u8, 0..=running.0, 1, divisor);
            assert_divides!(i32, f32: i8, -running.1..=running.1, 1, divisor);
            assert_divides!(u32, f64: u8, 0..=u32::MAX, 9973, divisor);
            assert_divides!(i32, f64: i16, i32::MIN..=i32::MAX, 9973, divisor);
        }
    }
}

//! The dtypes: how each is compared for a maximum, and what its averages are summed in.
//!
//! [`elements!`](self) at the end of this file is the core's one list of dtypes.

use std::fmt::Debug;
use std::marker::PhantomData;

use half::{bf16, f16};

use crate::halves::{
    BF16_INFINITY, F16_INFINITY, HalfKey, narrow_bf16, narrow_f16, round_to_odd, widen_bf16,
    widen_f16,
};

/// A dtype that can be pooled.
pub trait Element: Copy + Default + Debug + PartialEq + Send + Sync + 'static {
    /// What maxima are compared as: the type itself, or an integer whose order is the same.
    type Ordered: Ordered;
    /// Lanes of the element's width for positions inside a window, where those fit.
    type Position: Position;
    /// Whether arrays of it are pooled so often that the largest kernels are worth their room.
    const FREQUENT: bool;

    /// To the comparable form.
    fn to_ordered(self) -> Self::Ordered;
    /// Back from the comparable form.
    fn from_ordered(value: Self::Ordered) -> Self;
}

/// A type whose maxima follow PyTorch's rule: a NaN beats everything, and of equal values the
/// first one stays.
pub trait Ordered: Copy + Send + Sync + 'static {
    /// Loses against every element: minus infinity, or the smallest integer.
    const LOWEST: Self;

    /// Whether a NaN exceeds every number.
    const NAN_IS_LARGEST: bool;
    /// Whether [`larger_number`](Self::larger_number) takes less than [`larger`](Self::larger).
    const HAS_NAN: bool;

    /// Whether this is not a number.
    fn is_nan(self) -> bool;
    /// Whether `self` is strictly greater; false if `other` is NaN, and unless
    /// [`Self::NAN_IS_LARGEST`] if `self` is.
    fn exceeds(self, other: Self) -> bool;
    /// Whether both are the same number; false if either is NaN.
    fn equals(self, other: Self) -> bool;

    /// Adds something to `self` that makes it NaN if `other` is; other things may too.
    fn traced(self, other: Self) -> Self;

    /// The larger of `self` and a `later` element, neither of which is NaN.
    #[inline(always)]
    fn larger_number(self, later: Self) -> Self {
        if later.exceeds(self) { later } else { self }
    }

    /// The larger of `self` and a `later` element.
    #[inline(always)]
    fn larger(self, later: Self) -> Self {
        let best = self.larger_number(later);
        if !Self::NAN_IS_LARGEST && later.is_nan() { later } else { best }
    }
}

macro_rules! ordered {
    ($($type:ty, $lowest:expr, $nan_is_largest:expr, |$value:ident| $is_nan:expr,
     $has_nan:expr, |$sum:ident, $other:ident| $traced:expr;)*) => {$(
        impl Ordered for $type {
            const LOWEST: Self = $lowest;
            const NAN_IS_LARGEST: bool = $nan_is_largest;
            const HAS_NAN: bool = $has_nan;

            #[inline(always)]
            fn traced(self, other: Self) -> Self {
                let ($sum, $other) = (self, other);
                $traced
            }

            #[inline(always)]
            fn is_nan(self) -> bool {
                let $value = self;
                $is_nan
            }

            #[inline(always)]
            fn exceeds(self, other: Self) -> bool {
                self > other
            }

            #[inline(always)]
            fn equals(self, other: Self) -> bool {
                (self == other) & !self.is_nan()
            }
        }
    )*};
}

ordered! {
    u8, u8::MIN, false, |_value| false, false, |sum, _other| sum;
    u16, u16::MIN, false, |_value| false, false, |sum, _other| sum;
    u32, u32::MIN, false, |_value| false, false, |sum, _other| sum;
    u64, u64::MIN, false, |_value| false, false, |sum, _other| sum;
    i8, i8::MIN, false, |_value| false, false, |sum, _other| sum;
    i16, i16::MIN, false, |_value| false, false, |sum, _other| sum;
    i32, i32::MIN, false, |_value| false, false, |sum, _other| sum;
    i64, i64::MIN, false, |_value| false, false, |sum, _other| sum;
    f32, f32::NEG_INFINITY, false, |value| f32::is_nan(value), true, |sum, other| sum + other;
    f64, f64::NEG_INFINITY, false, |value| f64::is_nan(value), true, |sum, other| sum + other;
    HalfKey<F16_INFINITY>, HalfKey(-F16_INFINITY), true, |value| value.0 == i16::MAX, false,
        |sum, _other| sum;
    HalfKey<BF16_INFINITY>, HalfKey(-BF16_INFINITY), true, |value| value.0 == i16::MAX, false,
        |sum, _other| sum;
}

/// Lanes that hold the distance of a tap from its window's start, counted in the plane.
pub trait Position: Copy + Send + Sync + PartialOrd + 'static {
    /// Stands for no element; larger than every distance that is used.
    const NONE: Self;
    /// From a distance, which must be below [`Self::NONE`].
    fn from_distance(distance: usize) -> Self;
    /// The distance as a number, negative for none.
    fn to_index(self) -> i64;
    /// `self + distance`.
    fn plus(self, distance: Self) -> Self;
    /// `other` where that `wins`. A condition would become a branch for every lane.
    fn or_if(self, wins: bool, other: Self) -> Self;
    /// Whether distances up to `reach` fit.
    fn fits(reach: usize) -> bool;
}

macro_rules! position {
    ($($type:ty, $signed:ty;)*) => {$(
        impl Position for $type {
            // The upper half stays free, so that adding a distance to NONE does not wrap.
            const NONE: Self = <$type>::MAX / 2 + 1;

            #[inline(always)]
            fn from_distance(distance: usize) -> Self {
                distance as Self
            }

            #[inline(always)]
            fn to_index(self) -> i64 {
                i64::from(self as $signed)
            }

            #[inline(always)]
            fn plus(self, distance: Self) -> Self {
                self.wrapping_add(distance)
            }

            #[inline(always)]
            fn or_if(self, wins: bool, other: Self) -> Self {
                let mask = Self::from(wins).wrapping_neg();
                (self & !mask) | (other & mask)
            }

            fn fits(reach: usize) -> bool {
                (reach as u64) < u64::from(Self::NONE)
            }
        }
    )*};
}

position! {
    u16, i16;
    u32, i32;
    u64, i64;
}

/// A dtype that can be averaged, with the types its sums are kept in.
///
/// A sum must be exact for integers and far more precise than the dtype for floats, but wider
/// lanes are slower: the first type that is wide enough for the window is used.
pub trait Mean: Element {
    /// For windows of at most [`Self::NARROW_TAPS`] elements.
    type Narrow: Accumulator<Self>;
    /// For windows of at most [`Self::MIDDLE_TAPS`] elements.
    type Middle: Accumulator<Self>;
    /// For larger windows.
    type Wide: Accumulator<Self>;
    /// The largest window that [`Self::Narrow`] is used for.
    const NARROW_TAPS: u64;
    /// The largest window that [`Self::Middle`] is used for.
    const MIDDLE_TAPS: u64;
    /// For long windows that share their elements with neighbours: exact.
    type Running: Accumulator<Self>;
    /// The largest window that [`Self::Running`] is used for: 0 if sums are not exact, or their
    /// division takes longer than everything else.
    const RUNNING_TAPS: u64;
}

/// A type that sums elements of `T` and divides the sum.
pub trait Accumulator<T>: Copy + Send + Sync + 'static {
    /// The divisor in the form that `finish` wants it.
    type Scale: Copy + Send + Sync;
    /// The empty sum.
    const ZERO: Self;
    /// Whether kernels for special windows are worth their room: not for sums of windows that
    /// hardly anybody has, nor where the division takes longer than everything else.
    const COMMON: bool;

    /// An element as a sum.
    fn load(value: T) -> Self;
    /// The sum of two sums; integers of 64 bits wrap around.
    fn plus(self, other: Self) -> Self;
    /// The sum without one that was added to it: exactly what it was before, if it is of integers.
    fn minus(self, other: Self) -> Self;
    /// Prepares a divisor; 0, of a window without elements, gives NaN or the integer 0.
    fn scale(divisor: i64) -> Self::Scale;
    /// The sum divided: rounded to nearest for floats; truncated toward zero for integers and
    /// clamped to the dtype.
    fn finish(self, scale: Self::Scale) -> T;
}

/// Sums of floats. Adding zero turns a negative zero into the zero that a sum from zero gives.
macro_rules! float_sums {
    ($($sum:ty: $element:ty, $common:expr, $load:expr, $scale:expr, $divide:expr;)*) => {$(
        impl Accumulator<$element> for $sum {
            type Scale = $sum;
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

            fn scale(divisor: i64) -> $sum {
                let scale: fn($sum) -> $sum = $scale;
                scale(divisor as $sum)
            }

            #[inline(always)]
            fn finish(self, scale: $sum) -> $element {
                let divide: fn($sum, $sum) -> $element = $divide;
                divide(self + 0.0, scale)
            }
        }
    )*};
}

// A product with the reciprocal in f64 rounds to the same f32 as the quotient but for ties that
// division by a number which is no power of two almost never meets; where the sum has the
// dtype's own precision, or little more, it must be a division.
float_sums! {
    f64: f64, true, |x| x, |d| d, |sum, d| sum / d;
    f64: f32, true, |x| f64::from(x), |d| 1.0 / d, |sum, r| (sum * r) as f32;
    f64: f16, false, |x| f64::from(widen_f16(x)), |d| d, |sum, d| narrow_f16(round_to_odd(sum / d));
    f64: bf16, false, |x| f64::from(widen_bf16(x)), |d| d,
        |sum, d| narrow_bf16(round_to_odd(sum / d));
    f32: f16, true, widen_f16, |d| d, |sum, d| narrow_f16(sum / d);
    f32: bf16, true, widen_bf16, |d| d, |sum, d| narrow_bf16(sum / d);
}

/// An integer sum `I` that is exact, divided by multiplication in `F`: adding a half before
/// multiplying with the reciprocal keeps every quotient clear of the next integer, as long as the
/// sum has two bits fewer than the float, or the quotient few (`(sum + 0.5) / d` is at least
/// `0.5 / d` away from any integer).
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Sum<I, F>(I, PhantomData<F>);

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

/// A truth value in a byte, of which every other than 0 is true: what NumPy's bool arrays hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Truth(u8);

/// One line per dtype: whether it is frequent, its comparable form, position lanes, and the sums of
/// its averages with the window sizes up to which they are used.
macro_rules! elements {
    ($($type:ty, $frequent:literal: $ordered:ty, |$value:ident| $to:expr, $from:expr, $position:ty
        $(, sums $narrow:ty = $narrow_taps:expr, $middle:ty = $middle_taps:expr, $wide:ty,
        running $running:ty = $running_taps:expr)?;)*) => {$(
        impl Element for $type {
            type Ordered = $ordered;
            type Position = $position;
            const FREQUENT: bool = $frequent;

            #[inline(always)]
            fn to_ordered(self) -> $ordered {
                let $value = self;
                $to
            }

            #[inline(always)]
            fn from_ordered($value: $ordered) -> Self {
                $from
            }
        }

        $(impl Mean for $type {
            type Narrow = $narrow;
            type Middle = $middle;
            type Wide = $wide;
            const NARROW_TAPS: u64 = $narrow_taps;
            const MIDDLE_TAPS: u64 = $middle_taps;
            type Running = $running;
            const RUNNING_TAPS: u64 = $running_taps;
        })?
    )*};
}

elements! {
    bool, false: u8, |x| u8::from(x), x != 0, u16;
    Truth, false: u8, |x| u8::from(x.0 != 0), Truth(x), u16;
    u8, true: u8, |x| x, x, u16, sums Sum<u16, f32> = 257,
        Sum<u32, f64> = 1 << 24, u64, running Sum<u32, f32> = 1 << 14;
    i8, false: i8, |x| x, x, u16, sums Sum<i16, f32> = 255,
        Sum<i32, f64> = 1 << 24, i64, running Sum<i32, f32> = 1 << 14;
    u16, false: u16, |x| x, x, u16, sums Sum<u32, f64> = 1 << 16,
        Sum<u32, f64> = 1 << 16, u64, running Sum<u32, f64> = 1 << 16;
    i16, false: i16, |x| x, x, u16, sums Sum<i32, f64> = 1 << 16,
        Sum<i32, f64> = 1 << 16, i64, running Sum<i32, f64> = 1 << 16;
    u32, false: u32, |x| x, x, u32, sums u64 = u64::MAX, u64 = u64::MAX, u64,
        running u64 = 0;
    i32, false: i32, |x| x, x, u32, sums i64 = u64::MAX, i64 = u64::MAX, i64,
        running i64 = 0;
    u64, false: u64, |x| x, x, u64, sums u64 = u64::MAX, u64 = u64::MAX, u64,
        running u64 = 0;
    i64, false: i64, |x| x, x, u64, sums i64 = u64::MAX, i64 = u64::MAX, i64,
        running i64 = 0;
    f32, true: f32, |x| x, x, u32, sums f64 = u64::MAX, f64 = u64::MAX, f64,
        running f64 = 0;
    f64, true: f64, |x| x, x, u64, sums f64 = u64::MAX, f64 = u64::MAX, f64,
        running f64 = 0;
    f16, true: HalfKey<F16_INFINITY>, |x| HalfKey::from_bits(x.to_bits()),
        f16::from_bits(x.to_bits()), u16, sums f32 = 1 << 12, f32 = 1 << 12, f64, running f32 = 0;
    bf16, true: HalfKey<BF16_INFINITY>, |x| HalfKey::from_bits(x.to_bits()),
        bf16::from_bits(x.to_bits()), u16, sums f32 = 1 << 12, f32 = 1 << 12, f64, running f32 = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_keys_keep_the_order_of_the_numbers() {
        for (a, b) in [(-1.0, 1.0), (-2.0, -1.0), (0.0, 1e-7), (1.0, f32::INFINITY)] {
            let (a, b) = (f16::from_f32(a).to_ordered(), f16::from_f32(b).to_ordered());
            assert!(b.exceeds(a) && !a.exceeds(b));
        }
        let zeros = (f16::from_f32(0.0).to_ordered(), f16::from_f32(-0.0).to_ordered());
        assert!(zeros.0.equals(zeros.1));
        for value in [f16::NAN, -f16::NAN, f16::from_bits(0x7c01)] {
            assert!(value.to_ordered().is_nan());
            assert!(f16::from_ordered(value.to_ordered()).is_nan());
        }
        let every = (0..=u16::MAX).map(f16::from_bits).filter(|x| !x.is_nan());
        assert!(every.into_iter().all(|x| f16::from_ordered(x.to_ordered()) == x));
    }

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

//! The dtypes: how each is compared for a maximum, and what its averages are summed in.
//!
//! [`elements!`](self) at the end of this file is the core's one list of dtypes.

use std::fmt::Debug;

use half::{bf16, f16};

use crate::halves::{BF16_INFINITY, F16_INFINITY, HalfKey};
use crate::sums::{Accumulator, Sum, Widened};

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
    /// For long windows that share their elements with neighbours: exact. What they share of a few
    /// columns may be narrow.
    type Running: Accumulator<Self> + From<Self::Narrow>;
    /// The largest window that [`Self::Running`] is used for: 0 if sums are not exact, or their
    /// division takes longer than everything else.
    const RUNNING_TAPS: u64;
    /// For gradients that meet in an element. Those of f32 and f64 are rounded with every one that
    /// is added, those of halves once.
    type Met: Accumulator<Self>;
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
        running $running:ty = $running_taps:expr, met $met:ty)?;)*) => {$(
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
            type Met = $met;
        })?
    )*};
}

elements! {
    bool, false: u8, |x| u8::from(x), x != 0, u16;
    Truth, false: u8, |x| u8::from(x.0 != 0), Truth(x), u16;
    u8, true: u8, |x| x, x, u16, sums Sum<u16, f32> = 257,
        Sum<u32, f64> = 1 << 24, u64, running Sum<u32, f32> = 1 << 14, met Sum<u16, f32>;
    i8, false: i8, |x| x, x, u16, sums Sum<i16, f32> = 255,
        Sum<i32, f64> = 1 << 24, i64, running Sum<i32, f32> = 1 << 14, met Sum<i16, f32>;
    u16, false: u16, |x| x, x, u16, sums Sum<u32, f64> = 1 << 16,
        Sum<u32, f64> = 1 << 16, u64, running Sum<u32, f64> = 1 << 16, met Sum<u32, f64>;
    i16, false: i16, |x| x, x, u16, sums Sum<i32, f64> = 1 << 16,
        Sum<i32, f64> = 1 << 16, i64, running Sum<i32, f64> = 1 << 16, met Sum<i32, f64>;
    u32, false: u32, |x| x, x, u32, sums u64 = u64::MAX, u64 = u64::MAX, u64,
        running u64 = 0, met u64;
    i32, false: i32, |x| x, x, u32, sums i64 = u64::MAX, i64 = u64::MAX, i64,
        running i64 = 0, met i64;
    u64, false: u64, |x| x, x, u64, sums u64 = u64::MAX, u64 = u64::MAX, u64,
        running u64 = 0, met u64;
    i64, false: i64, |x| x, x, u64, sums i64 = u64::MAX, i64 = u64::MAX, i64,
        running i64 = 0, met i64;
    f32, true: f32, |x| x, x, u32, sums f64 = u64::MAX, f64 = u64::MAX, f64,
        running f64 = 0, met f32;
    f64, true: f64, |x| x, x, u64, sums f64 = u64::MAX, f64 = u64::MAX, f64,
        running f64 = 0, met f64;
    f16, true: HalfKey<F16_INFINITY>, |x| HalfKey::from_bits(x.to_bits()),
        f16::from_bits(x.to_bits()), u16, sums Widened = 1 << 12, f32 = 1 << 12, f64, running Widened = 0, met Widened;
    bf16, true: HalfKey<BF16_INFINITY>, |x| HalfKey::from_bits(x.to_bits()),
        bf16::from_bits(x.to_bits()), u16, sums f32 = 1 << 12, f32 = 1 << 12, f64, running f32 = 0, met f32;
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
}

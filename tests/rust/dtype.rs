//! The dtypes under test: how elements are made up, compared, and averaged by the book.

use half::{bf16, f16};
use poolnd::{Element, Mean};

/// What the elements of a test array are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Few different small numbers: many ties. Sums are exact in any order and accumulator.
    Ties,
    /// As `Ties`, with zeros of both signs, infinities and NaN, or the ends of the integers' range.
    Specials,
    /// Fractions in [0, 1) of 24 bits, or all integers. Sums are exact in f64.
    Fractions,
    /// Floats of both signs, some so large that a sum forgets the last bits of the others, and then
    /// often cancels the large ones: every order of summation gives other bits.
    Rough,
}

/// An element that the reference can compare.
pub trait Dtype: Element {
    /// The maximum of nothing.
    const LOWEST: Self;
    /// An element made from random bits.
    fn sample(kind: Kind, random: u64) -> Self;
    fn is_nan(self) -> bool;
    fn exceeds(self, other: Self) -> bool;
    /// The bits, the same ones for every NaN.
    fn bits(self) -> u64;
    /// Whether both are the same number, or both NaN.
    fn same(self, other: Self) -> bool {
        self == other || (self.is_nan() && other.is_nan())
    }
}

/// An element that the reference can average.
pub trait Number: Dtype + Mean {
    /// The sum over the divisor, in f64 or i128.
    fn mean(elements: &[Self], divisor: i64) -> Self;
    /// Whether a result is as good as the dtype allows.
    fn is_close(self, expected: Self) -> bool;
}

/// Calls a macro with the one list of dtypes that have averages: integers with the type that their
/// sums wrap around in, floats with the units in the last place that an average may be off.
macro_rules! numbers {
    ($callback:ident $($argument:tt)*) => {
        $callback! {
            $($argument)*
            integers {
                u8 in u64, u16 in u64, u32 in u64, u64 in u64,
                i8 in i64, i16 in i64, i32 in i64, i64 in i64,
            }
            floats { f16 within 1, bf16 within 1, f32 within 1, f64 within 0, }
        }
    };
}

/// `numbers!(test_each check [bool]);` makes a test of `check::<T>()` per dtype, here with bool.
macro_rules! test_each {
    (
        $check:ident [$($more:ident)*]
        integers { $($integer:ident in $wide:ident,)* }
        floats { $($float:ident within $ulps:literal,)* }
    ) => {
        mod $check {
            use half::{bf16, f16};
            crate::dtype::test_each!(@$check: $($more)* $($integer)* $($float)*);
        }
    };

    (@$check:ident: $($dtype:ident)*) => {
        $(#[test]
        fn $dtype() {
            super::$check::<$dtype>();
        })*
    };
}

pub(crate) use {numbers, test_each};

macro_rules! implement {
    (
        integers { $($integer:ident in $wide:ident,)* }
        floats { $($float:ident within $ulps:literal,)* }
    ) => {
        $(implement!(@integer $integer $wide);)*
        $(implement!(@float $float $ulps);)*
    };

    (@integer $type:ident $wide:ident) => {
        impl Dtype for $type {
            const LOWEST: Self = Self::MIN;

            fn sample(kind: Kind, random: u64) -> Self {
                match (kind, random % 8) {
                    (Kind::Specials, 0) => Self::MIN,
                    (Kind::Specials, 1) => Self::MAX,
                    (Kind::Ties | Kind::Specials, _) => (random >> 8) as Self % 4,
                    _ => (random >> 8 ^ random << 40) as Self,
                }
            }

            fn is_nan(self) -> bool {
                false
            }

            fn exceeds(self, other: Self) -> bool {
                self > other
            }

            fn bits(self) -> u64 {
                self as u64
            }
        }

        impl Number for $type {
            fn mean(elements: &[Self], divisor: i64) -> Self {
                let sum: i128 = elements.iter().map(|&element| i128::from(element)).sum();
                // Sums wrap around as 64-bit integers do.
                let sum = i128::from(sum as $wide);
                let quotient = if divisor == 0 { 0 } else { sum / i128::from(divisor) };
                quotient.clamp(Self::MIN.into(), Self::MAX.into()) as Self
            }

            fn is_close(self, expected: Self) -> bool {
                self == expected
            }
        }
    };

    (@float $type:ident $ulps:literal) => {
        impl Dtype for $type {
            const LOWEST: Self = Self::NEG_INFINITY;

            fn sample(kind: Kind, random: u64) -> Self {
                let large = if size_of::<Self>() == 2 { 2f64.powi(15) } else { 2f64.powi(45) };
                let float = match (kind, random % 64) {
                    (Kind::Specials, 0) => f64::NAN,
                    (Kind::Specials, 1) => f64::INFINITY,
                    (Kind::Specials, 2..6) => f64::NEG_INFINITY,
                    (Kind::Specials, 6..10) => -0.0,
                    (Kind::Ties | Kind::Specials, _) => f64::from((random >> 8) as i8) / 4.0,
                    (Kind::Fractions, _) => f64::from(random as u32 >> 8) / f64::from(1 << 24),
                    (Kind::Rough, 0..8) => large,
                    (Kind::Rough, 8..16) => -large,
                    (Kind::Rough, _) => {
                        let mantissa = f64::from((random >> 8) as i32);
                        mantissa * 2f64.powi((random % 5) as i32 - 35)
                    }
                };
                <Self as FromF64>::from_f64(float)
            }

            fn is_nan(self) -> bool {
                self != self
            }

            fn exceeds(self, other: Self) -> bool {
                self > other
            }

            fn bits(self) -> u64 {
                if self != self { u64::MAX } else { self.to_bits().into() }
            }
        }

        impl Number for $type {
            fn mean(elements: &[Self], divisor: i64) -> Self {
                let sum: f64 = elements.iter().map(|&element| f64::from(element)).sum();
                // The sum of nothing is -0.0 in Rust.
                <Self as FromF64>::from_f64((sum + 0.0) / divisor as f64)
            }

            fn is_close(self, expected: Self) -> bool {
                let same_sign = self.is_sign_negative() == expected.is_sign_negative();
                let ulps = self.to_bits().abs_diff(expected.to_bits());
                (self.is_nan() && expected.is_nan()) || (same_sign && ulps <= $ulps)
            }
        }
    };
}

numbers!(implement);

impl Dtype for bool {
    const LOWEST: Self = false;

    fn sample(_: Kind, random: u64) -> Self {
        random.is_multiple_of(8)
    }

    fn is_nan(self) -> bool {
        false
    }

    fn exceeds(self, other: Self) -> bool {
        self & !other
    }

    fn bits(self) -> u64 {
        self.into()
    }
}

/// Rounds to a float type.
trait FromF64 {
    fn from_f64(value: f64) -> Self;
}

impl FromF64 for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
}

impl FromF64 for f32 {
    fn from_f64(value: f64) -> Self {
        value as Self
    }
}

impl FromF64 for f16 {
    fn from_f64(value: f64) -> Self {
        Self::from_f64(value)
    }
}

impl FromF64 for bf16 {
    fn from_f64(value: f64) -> Self {
        Self::from_f64(value)
    }
}

/// Random bits for a place in memory (the finaliser of SplitMix64).
pub fn random(seed: u64, at: usize) -> u64 {
    let mut x = seed.wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

//! Floats of 16 bits: compared as integers, and converted in plain integer lanes.
//!
//! No hardware for halves is needed, and every loop over these functions vectorises.

use half::{bf16, f16};

use crate::simd::{narrowed_halves, widened_halves};

pub(crate) const F16_INFINITY: i16 = 0x7c00;
pub(crate) const BF16_INFINITY: i16 = 0x7f80;

/// A 16-bit float as an integer of the same order: its magnitude with its sign, so that both
/// zeros are 0, and every NaN is the largest. `INFINITY` is the magnitude of infinity.
///
/// Integer comparison needs no half-precision hardware and runs on lanes of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct HalfKey<const INFINITY: i16>(pub(crate) i16);

impl<const INFINITY: i16> HalfKey<INFINITY> {
    #[inline(always)]
    pub(crate) fn from_bits(bits: u16) -> Self {
        let magnitude = (bits & 0x7fff) as i16;
        let sign = (bits as i16) >> 15;
        let signed = (magnitude ^ sign) - sign;
        Self(if magnitude > INFINITY { i16::MAX } else { signed })
    }

    #[inline(always)]
    pub(crate) fn to_bits(self) -> u16 {
        let sign = self.0 >> 15;
        (((self.0 ^ sign) - sign) as u16) | ((sign as u16) & 0x8000)
    }
}

#[inline(always)]
pub(crate) fn widen_bf16(value: bf16) -> f32 {
    f32::from_bits(u32::from(value.to_bits()) << 16)
}

/// To f32 so that rounding once more, to a half, gives what rounding from f64 at once would: an
/// inexact result takes the neighbour whose last bit is odd, which no tie of a half has
/// (Boldo and Melquiond, Emulation of FMA and correctly rounded sums, 2008).
#[inline(always)]
pub(crate) fn round_to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let error = value - f64::from(nearest);
    let bits = nearest.to_bits();
    let outward = (error > 0.0) == (nearest > 0.0);
    let neighbour = if outward { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    let exact = error == 0.0 || error.is_nan() || nearest == 0.0 || bits & 1 == 1;
    f32::from_bits(if exact { bits } else { neighbour })
}

/// Rounds to nearest, ties to even; written without branches so that it vectorises.
#[inline(always)]
pub(crate) fn narrow_bf16(value: f32) -> bf16 {
    let bits = value.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16;
    let quiet_nan = (bits >> 16) as u16 | 0x40;
    bf16::from_bits(if value.is_nan() { quiet_nan } else { rounded })
}

/// Exact; the exponent is rebiased in integer lanes, and subtracting the smallest normal number
/// normalises what is subnormal in 16 bits.
#[inline(always)]
pub(crate) fn widen_f16(value: f16) -> f32 {
    const EXPONENT: u32 = 0x1f << 23;
    const REBIAS: u32 = (127 - 15) << 23;
    let bits = u32::from(value.to_bits());
    let sign = (bits & 0x8000) << 16;
    let magnitude = (bits & 0x7fff) << 13;
    let normal = magnitude + REBIAS;
    let subnormal = f32::from_bits(normal + (1 << 23)) - f32::from_bits(REBIAS + (1 << 23));
    let special = normal + REBIAS;
    let widened = match magnitude {
        m if m >= EXPONENT => special,
        m if m < 1 << 23 => subnormal.to_bits(),
        _ => normal,
    };
    f32::from_bits(widened | sign)
}

/// [`widen_f16`] of neighbours.
///
/// # Safety
/// As for [`widened_halves`].
#[inline(always)]
pub(crate) unsafe fn widen_f16s<const L: usize>(values: [f16; L]) -> [f32; L] {
    let mut bits = [0; L];
    for l in 0..L {
        bits[l] = values[l].to_bits();
    }
    // SAFETY: the caller's promise.
    unsafe { widened_halves(&bits, |bits| widen_f16(f16::from_bits(bits))) }
}

/// Rounds to nearest, ties to even; written without branches so that it vectorises. Adding 0.5
/// lets the float unit round what will be subnormal: the spacing at 0.5 is the smallest f16.
#[inline(always)]
pub(crate) fn narrow_f16(value: f32) -> f16 {
    const REBIAS: u32 = (127 - 15) << 23;
    const OVERFLOW: u32 = (127 + 16) << 23;
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    let rounded =
        magnitude.wrapping_sub(REBIAS).wrapping_add(0xfff + ((magnitude >> 13) & 1)) >> 13;
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let narrowed = match magnitude {
        m if m > 0x7f80_0000 => 0x7e00,
        m if m >= OVERFLOW => 0x7c00,
        m if m < REBIAS + (1 << 23) => subnormal as u16,
        _ => rounded as u16,
    };
    f16::from_bits(narrowed | sign)
}

/// [`narrow_f16`] of neighbours.
///
/// # Safety
/// As for [`narrowed_halves`].
#[inline(always)]
pub(crate) unsafe fn narrow_f16s<const L: usize>(values: [f32; L]) -> [f16; L] {
    // SAFETY: the caller's promise.
    let bits = unsafe { narrowed_halves(&values, |value| narrow_f16(value).to_bits()) };
    let mut narrowed = [f16::from_bits(0); L];
    for l in 0..L {
        // An instruction keeps what is left of a NaN's bits.
        let nan = (bits[l] & 0x8000) | 0x7e00;
        narrowed[l] = f16::from_bits(if bits[l] & 0x7fff > 0x7c00 { nan } else { bits[l] });
    }
    narrowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn every_f16_widens_and_narrows_exactly() {
        for bits in 0..=u16::MAX {
            let value = f16::from_bits(bits);
            let wide = widen_f16(value);
            if value.is_nan() {
                assert!(wide.is_nan() && narrow_f16(wide).is_nan());
            } else {
                assert_eq!(wide.to_bits(), value.to_f32().to_bits());
                assert_eq!(narrow_f16(wide).to_bits(), bits);
            }
        }
    }

    /// Instructions, where there are any, give the bits that these functions give.
    #[test]
    fn neighbours_are_converted_as_one_is() {
        if !Level::best().is_for_all() {
            return;
        }
        let every: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        for &halves in every.as_chunks::<32>().0 {
            // SAFETY: looked at above.
            let widened = unsafe { widen_f16s(halves) };
            // SAFETY: as above.
            let narrowed = unsafe { narrow_f16s(widened.map(|value| value * (1.0 / 3.0))) };
            for (l, half) in halves.into_iter().enumerate() {
                let one = widen_f16(half);
                assert!(widened[l] == one || (widened[l].is_nan() && one.is_nan()));
                assert_eq!(narrowed[l].to_bits(), narrow_f16(one * (1.0 / 3.0)).to_bits());
            }
        }
        let values = (0..=u32::MAX).step_by(4099).map(f32::from_bits).collect::<Vec<_>>();
        for &values in values.as_chunks::<16>().0 {
            // SAFETY: as above.
            let narrowed = unsafe { narrow_f16s(values) };
            assert_eq!(narrowed.map(f16::to_bits), values.map(|value| narrow_f16(value).to_bits()));
        }
    }

    #[test]
    fn narrowing_rounds_like_the_reference() {
        // A stride through all floats, with neighbours of every f16 midpoint.
        let strided = (0..=u32::MAX).step_by(4099);
        let midpoints = (0..0x7c00u32).flat_map(|half| {
            let low = widen_f16(f16::from_bits(half as u16));
            let high = widen_f16(f16::from_bits(half as u16 + 1));
            let middle = (f64::from(low) + f64::from(high.min(65536.0))) / 2.0;
            let bits = (middle as f32).to_bits();
            [bits.wrapping_sub(1), bits, bits + 1]
        });
        for value in strided.chain(midpoints).map(f32::from_bits) {
            let (ours16, theirs16) = (narrow_f16(value), f16::from_f32(value));
            assert!(ours16 == theirs16 || (ours16.is_nan() && theirs16.is_nan()), "{value:e}");
            let (ours, theirs) = (narrow_bf16(value), bf16::from_f32(value));
            assert!(ours == theirs || (ours.is_nan() && theirs.is_nan()), "{value:e}");
        }
    }

    #[test]
    fn rounding_twice_through_odd_is_rounding_once() {
        // Just above and below the midpoint of 1 and the next half: f32 cannot tell them apart.
        let midpoint = 1.0 + f64::powi(2.0, -11);
        for (offset, expected) in [(0.0, 0x3c00), (1e-12, 0x3c01), (-1e-12, 0x3c00)] {
            let value = midpoint + offset;
            assert_eq!(narrow_f16(round_to_odd(value)).to_bits(), expected);
            assert_eq!(narrow_f16(round_to_odd(-value)).to_bits(), expected | 0x8000);
        }
        for value in [0.0, -0.0, 1e-300, -1e-300, 1e300, f64::INFINITY, -f64::INFINITY, 0.1] {
            let once = f16::from_f32(value as f32);
            assert_eq!(narrow_f16(round_to_odd(value)).to_bits(), once.to_bits(), "{value}");
        }
        assert!(narrow_bf16(round_to_odd(f64::NAN)).is_nan());
    }
}

//! Elements that change their lanes, by instructions that move those of whole vectors: the compiler would
//! move single ones.

use std::hint::black_box;

#[cfg(target_arch = "x86_64")]
use std::arch::asm;

use super::{Level, load_tile};
use crate::view::even_and_odd;

/// Bytes of the vectors that a [`Pick`] is from.
const PICKED_BYTES: usize = 64;

type Bytes = [u8; PICKED_BYTES];

/// Bytes of half of such a vector.
#[cfg(target_arch = "x86_64")]
const HALF_BYTES: usize = PICKED_BYTES / 2;

/// Half of such a vector.
#[cfg(target_arch = "x86_64")]
type HalfBytes = [u8; HALF_BYTES];

/// Elements of four bytes in such a vector.
const WORDS: usize = PICKED_BYTES / 4;

/// Elements to pick from two neighbouring vectors of a line, as many as are in one, by an instruction:
/// one after the other they take as long as the maxima that they are picked from.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) struct Pick {
    /// Where the two begin.
    at: usize,
    /// How far behind that the element of each lane is: numbers as wide as the elements.
    lanes: Bytes,
}

impl Pick {
    /// Whether there is an instruction for elements of `T`'s size. Halves have one too, but come out of
    /// it one by one.
    pub(crate) const fn is_for<T>() -> bool {
        matches!(size_of::<T>(), 4 | 8)
    }

    /// The pick of elements at these places, no more than a vector has lanes, if the level has the
    /// instruction for elements of `T`'s size and all lie in two vectors.
    pub(crate) fn new<T>(level: Level, places: &[usize]) -> Option<Self> {
        let size = const { size_of::<T>() };
        let (at, last) = (*places.iter().min()?, *places.iter().max()?);
        #[cfg(target_arch = "x86_64")]
        let known = level == Level::Avx512 && Self::is_for::<T>();
        #[cfg(not(target_arch = "x86_64"))]
        let known = level != Level::Baseline;
        if !known || last - at >= 2 * PICKED_BYTES / size {
            return None;
        }
        let mut lanes = [0; PICKED_BYTES];
        for (lane, place) in lanes.chunks_exact_mut(size).zip(places) {
            lane.copy_from_slice(&(place - at).to_le_bytes()[..size]);
        }
        Some(Self { at, lanes })
    }

    /// Picks from a line.
    ///
    /// # Safety
    /// It has two vectors from the first of the places on, the pick is one of elements of `T`, and its
    /// level is available.
    #[inline(always)]
    pub(crate) unsafe fn of<T: Copy, const L: usize>(&self, line: &[T]) -> [T; L] {
        assert!(size_of::<[T; L]>() == PICKED_BYTES, "a vector");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise; the elements' bits are moved and not looked at.
        unsafe {
            let two: [[T; L]; 2] = [load_tile(line, self.at), load_tile(line, self.at + L)];
            let picked =
                picked_elements(std::mem::transmute_copy(&two), self.lanes, size_of::<T>());
            std::mem::transmute_copy(&picked)
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("no level has the instruction, and so there is no pick")
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn picked_elements(two: [Bytes; 2], lanes: Bytes, size: usize) -> Bytes {
    use std::arch::x86_64::{__m512i, _mm512_permutex2var_epi32, _mm512_permutex2var_epi64};
    // SAFETY: arrays and vectors of as many bits.
    unsafe {
        let ([a, b], lanes): ([__m512i; 2], __m512i) = std::mem::transmute((two, lanes));
        let mut picked = match size {
            4 => _mm512_permutex2var_epi32(a, lanes, b),
            _ => _mm512_permutex2var_epi64(a, lanes, b),
        };
        // The compiler would look for single elements where they come from. No instruction.
        asm!("/* {0} */", inout(zmm_reg) picked, options(pure, nomem, nostack, preserves_flags));
        std::mem::transmute::<__m512i, Bytes>(picked)
    }
}

/// Which words of two neighbouring vectors to pick, as many as are in one.
#[repr(align(64))]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) struct Lanes([u32; WORDS]);

impl Lanes {
    /// Those from number `first` on, so far apart.
    #[inline(always)]
    pub(crate) fn new(first: usize, apart: usize) -> Self {
        let mut lanes = [0; WORDS];
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = (first + i * apart) as u32;
        }
        Self(lanes)
    }

    /// Picks from two vectors.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn of(&self, two: [Bytes; 2]) -> Bytes {
        // SAFETY: arrays of as many bits, and the caller's promise.
        unsafe { picked_elements(two, std::mem::transmute::<[u32; WORDS], Bytes>(self.0), 4) }
    }
}

/// The words from number `by` on, one or one less than a tile has, of a tile and the next one; `by` is a
/// constant.
///
/// # Safety
/// The level has vectors of `V` bytes.
#[inline(always)]
pub(crate) unsafe fn slid<const V: usize, T: Copy, const L: usize>(
    here: &[T; L],
    next: &[T; L],
    by: usize,
) -> [T; L] {
    assert!(size_of::<T>() == 4, "words");
    #[cfg(target_arch = "x86_64")]
    if const { V >= 64 && L == WORDS } {
        // SAFETY: the caller's promise.
        return unsafe { slid_by::<V, T, L>(here, next, &Lanes::new(by, 1), by) };
    }
    let mut out = *here;
    #[cfg(target_arch = "x86_64")]
    if const { V >= 32 && L.is_multiple_of(8) } {
        // SAFETY: the caller's promise.
        unsafe { move_halves(here, next, by, &mut out) };
        return out;
    }
    for l in 0..L {
        out[l] = if l + by < L { here[l + by] } else { next[l + by - L] };
    }
    out
}

/// The bytes from number `by` on of two neighbouring vectors of half as many bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn moved_half(two: [HalfBytes; 2], by: usize) -> HalfBytes {
    use std::arch::x86_64::{__m256i, _mm256_alignr_epi8, _mm256_permute2x128_si256};
    // SAFETY: arrays and vectors of as many bits.
    unsafe {
        let [a, b]: [__m256i; 2] = std::mem::transmute(two);
        // The second half of the first and the first half of the second.
        let middle = _mm256_permute2x128_si256::<0x21>(a, b);
        let mut moved = match by {
            0 => a,
            4 => _mm256_alignr_epi8::<4>(middle, a),
            8 => _mm256_alignr_epi8::<8>(middle, a),
            16 => middle,
            28 => _mm256_alignr_epi8::<12>(b, middle),
            _ => unreachable!("not asked for"),
        };
        // As in `picked_elements`.
        asm!("/* {0} */", inout(ymm_reg) moved, options(pure, nomem, nostack, preserves_flags));
        std::mem::transmute::<__m256i, HalfBytes>(moved)
    }
}

/// The words from number `by` on, which are these `lanes`, of a tile and the next one.
///
/// # Safety
/// The level has vectors of `V` bytes, and `by` is less than `L`.
#[inline(always)]
pub(crate) unsafe fn slid_by<const V: usize, T: Copy, const L: usize>(
    here: &[T; L],
    next: &[T; L],
    lanes: &Lanes,
    by: usize,
) -> [T; L] {
    assert!(size_of::<T>() == 4, "words");
    #[cfg(target_arch = "x86_64")]
    if const { V >= 64 && L == WORDS } {
        // SAFETY: the caller's promise; the tiles are vectors, whose bits are moved and not looked at.
        return unsafe {
            let two = [std::mem::transmute_copy(here), std::mem::transmute_copy(next)];
            std::mem::transmute_copy(&lanes.of(two))
        };
    }
    let both = black_box([*here, *next]);
    #[cfg(target_arch = "x86_64")]
    if const { V >= 32 && L == WORDS } {
        // A load that two stores have just written waits for both: whole vectors are loaded.
        // SAFETY: the caller's promise; three of four vectors, as above.
        return unsafe {
            let at = both.as_ptr().cast::<HalfBytes>().add(by / 8);
            let three = at.cast::<[HalfBytes; 3]>().read_unaligned();
            std::mem::transmute_copy(&picked_words(three, lanes))
        };
    }
    // SAFETY: the caller's promise.
    unsafe { load_tile(both.as_flattened(), by) }
}

/// The words of two vectors from one of the first of these on, of which `lanes` tell the last three bits.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn picked_words(three: [HalfBytes; 3], lanes: &Lanes) -> [HalfBytes; 2] {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_blendv_epi8, _mm256_cmpgt_epi32, _mm256_loadu_si256,
        _mm256_permutevar8x32_epi32, _mm256_set1_epi32, _mm256_setzero_si256,
    };
    // SAFETY: arrays and vectors of as many bits.
    unsafe {
        let vectors = three.map(|vector| std::mem::transmute::<HalfBytes, __m256i>(vector));
        let lanes = _mm256_loadu_si256(lanes.0.as_ptr().cast());
        let lanes = _mm256_and_si256(lanes, _mm256_set1_epi32(7));
        // Numbers before the first one are those of the next vector.
        let first = _mm256_permutevar8x32_epi32(lanes, _mm256_setzero_si256());
        let is_next = _mm256_cmpgt_epi32(first, lanes);
        let turned = vectors.map(|vector| _mm256_permutevar8x32_epi32(vector, lanes));
        let picked = [
            _mm256_blendv_epi8(turned[0], turned[1], is_next),
            _mm256_blendv_epi8(turned[1], turned[2], is_next),
        ];
        std::mem::transmute::<[__m256i; 2], [HalfBytes; 2]>(picked)
    }
}

/// Whether [`moved`] has instructions for the vectors of a level.
pub(crate) fn moves_lanes(level: Level) -> bool {
    level.masks_lanes()
}

/// Whether it has them for halves of those.
pub(crate) fn moves_halves(level: Level) -> bool {
    cfg!(target_arch = "x86_64") && level != Level::Baseline
}

/// The elements from number `by` on of a tile, which is 64 bytes, and the next one; `by` is a constant: one,
/// two, or bytes of which there are four, eight or a multiple of sixteen.
///
/// # Safety
/// The level has vectors of `V` bytes, at least half of a tile.
#[inline(always)]
pub(crate) unsafe fn moved<const V: usize, T: Copy, const L: usize>(
    here: &[T; L],
    next: &[T; L],
    by: usize,
) -> [T; L] {
    assert!(size_of::<[T; L]>() == PICKED_BYTES, "a vector, or two halves");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise; the tiles are vectors, whose bits are moved and not looked at.
    unsafe {
        if const { V >= PICKED_BYTES } {
            let two = [std::mem::transmute_copy(here), std::mem::transmute_copy(next)];
            return std::mem::transmute_copy(&moved_bytes(two, by * size_of::<T>()));
        }
        let mut out = *here;
        move_halves(here, next, by, &mut out);
        out
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("no level has the instructions")
}

/// The elements from number `by` on of a tile and the next one, in halves of vectors.
///
/// # Safety
/// The level has AVX2, and tiles are of such halves.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn move_halves<T: Copy, const L: usize>(
    here: &[T; L],
    next: &[T; L],
    by: usize,
    out: &mut [T; L],
) {
    let size = const { HALF_BYTES / size_of::<T>() };
    for i in 0..L / size {
        let two = [0, 1].map(|one| {
            let at = (by / size + i + one) * size;
            let tile = if at < L { here } else { next };
            // SAFETY: half of a vector of a tile.
            unsafe { tile.as_ptr().add(at % L).cast::<HalfBytes>().read_unaligned() }
        });
        // SAFETY: the caller's promise; the elements' bits are moved and not looked at.
        unsafe {
            let moved = moved_half(two, by % size * size_of::<T>());
            out.as_mut_ptr().add(i * size).cast::<HalfBytes>().write_unaligned(moved);
        }
    }
}

/// The tile, which is 64 bytes, as one vector or two halves, of which the compiler would keep parts. No
/// instruction comes of it.
///
/// # Safety
/// The level has vectors of `V` bytes, at least half of a tile.
#[inline(always)]
pub(crate) unsafe fn in_one<const V: usize, T: Copy, const L: usize>(tile: [T; L]) -> [T; L] {
    assert!(size_of::<[T; L]>() == PICKED_BYTES, "a vector, or two halves");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above.
    unsafe {
        if const { V >= PICKED_BYTES } {
            return std::mem::transmute_copy(&bytes_in_one(std::mem::transmute_copy(&tile)));
        }
        let halves: [HalfBytes; 2] = std::mem::transmute_copy(&tile);
        std::mem::transmute_copy(&halves.map(|half| half_in_one(half)))
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("no level has the instructions")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn half_in_one(bytes: HalfBytes) -> HalfBytes {
    use std::arch::x86_64::__m256i;
    // SAFETY: as below.
    unsafe {
        let mut vector = std::mem::transmute::<HalfBytes, __m256i>(bytes);
        asm!("/* {0} */", inout(ymm_reg) vector, options(pure, nomem, nostack, preserves_flags));
        std::mem::transmute::<__m256i, HalfBytes>(vector)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn bytes_in_one(bytes: Bytes) -> Bytes {
    use std::arch::x86_64::__m512i;
    // SAFETY: arrays and vectors of as many bits; no instruction.
    unsafe {
        let mut vector = std::mem::transmute::<Bytes, __m512i>(bytes);
        asm!("/* {0} */", inout(zmm_reg) vector, options(pure, nomem, nostack, preserves_flags));
        std::mem::transmute::<__m512i, Bytes>(vector)
    }
}

/// The bytes from number `by` on of two neighbouring vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn moved_bytes(two: [Bytes; 2], by: usize) -> Bytes {
    use std::arch::x86_64::{__m512i, _mm512_alignr_epi8};
    // SAFETY: arrays and vectors of as many bits, which the instruction moves.
    unsafe {
        let [here, next]: [__m512i; 2] = std::mem::transmute(two);
        // Named, as the compiler would take another, which needs a table and writes over an operand.
        macro_rules! words {
            ($by:literal) => {{
                let moved: __m512i;
                asm!(
                    concat!("valignd {}, {}, {}, ", $by),
                    lateout(zmm_reg) moved, in(zmm_reg) next, in(zmm_reg) here,
                    options(pure, nomem, nostack, preserves_flags)
                );
                moved
            }};
        }
        // Bytes move within sixteen: the second vector begins with the next sixteen of the first.
        let moved = match by {
            0 => here,
            1 => _mm512_alignr_epi8::<1>(words!(4), here),
            2 => _mm512_alignr_epi8::<2>(words!(4), here),
            4 => words!(1),
            8 => words!(2),
            16 => words!(4),
            32 => words!(8),
            48 => words!(12),
            _ => unreachable!("not asked for"),
        };
        std::mem::transmute::<__m512i, Bytes>(moved)
    }
}

/// Words 0, 2, 4, ... of a tile twice as long, and words 1, 3, 5, ...
///
/// # Safety
/// The level has vectors of `V` bytes.
#[inline(always)]
pub(crate) unsafe fn every_other<const V: usize, T: Copy, const N: usize, const L: usize>(
    tile: &[T; N],
) -> ([T; L], [T; L]) {
    #[cfg(target_arch = "x86_64")]
    if const { V >= 64 && size_of::<T>() == 4 && L == WORDS } {
        // SAFETY: the caller's promise; the tile is two vectors, whose bits are moved.
        return unsafe {
            let two = tile.as_ptr().cast::<[Bytes; 2]>().read_unaligned();
            let (even, odd) = (Lanes::new(0, 2).of(two), Lanes::new(1, 2).of(two));
            (std::mem::transmute_copy(&even), std::mem::transmute_copy(&odd))
        };
    }
    even_and_odd(tile)
}

/// `words` where all bits of the others from `at` on are set, and `other` where none is.
#[inline(always)]
pub(crate) fn kept<T: Copy, const L: usize>(
    words: [T; L],
    other: T,
    others: &[u32],
    at: usize,
) -> [T; L] {
    assert!(size_of::<T>() == 4, "words");
    let keep = &others[at..][..L];
    let mut words = words;
    // SAFETY: both are four bytes, whose bits are copied.
    let other = unsafe { std::mem::transmute_copy::<T, u32>(&other) };
    for l in 0..L {
        // SAFETY: a word of the tile, of which either all bits are kept or none.
        unsafe {
            let word = words.as_mut_ptr().cast::<u32>().add(l);
            word.write_unaligned(word.read_unaligned() & keep[l] | other & !keep[l]);
        }
    }
    words
}

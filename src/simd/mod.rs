//! Run-time choice of the instruction set; the only folder that names one.
//!
//! Kernels are plain generic loops over fixed tiles of lanes, marked `#[inline(always)]`.
//! [`dispatch`] compiles the same [`Work`] once per [`Level`] inside a function that carries the
//! target features, where the compiler turns the tiles into vectors of that width. A function
//! that is not inlined into [`Work::run`] loses the features, so everything hot below it must be.
//! Call [`dispatch`] inside a thread's task, not around the task: features do not cross threads.

use std::sync::atomic::{AtomicU8, Ordering};

mod cache;
mod lanes;

pub(crate) use cache::{
    CACHE_LINE_BYTES, copy_past, first_level_is_large, last_level_cache, let_others_see,
};
pub(crate) use lanes::{
    Lanes, Pick, every_other, in_one, kept, moved, moves_halves, moves_lanes, slid, slid_by,
};

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the target has: SSE2 on x86-64, NEON on 64-bit Arm.
    Baseline,
    /// AVX2 with FMA and F16C (x86-64).
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL on top of AVX2 (x86-64).
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Every level, lowest first.
    #[cfg(target_arch = "x86_64")]
    const ALL: [Self; 3] = [Self::Baseline, Self::Avx2, Self::Avx512];
    /// Every level, lowest first.
    #[cfg(not(target_arch = "x86_64"))]
    const ALL: [Self; 1] = [Self::Baseline];

    /// The levels this processor can run, lowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|level| level.is_supported()).collect()
    }

    /// The best level this processor can run, or the one that the environment variable
    /// `POOLND_INSTRUCTION_SET` names, if it can run that. Looked up once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: AtomicU8 = AtomicU8::new(u8::MAX);
        let cached = BEST.load(Ordering::Relaxed);
        if let Some(&level) = Self::ALL.get(usize::from(cached)) {
            return level;
        }
        let available = Self::available();
        let wanted = std::env::var("POOLND_INSTRUCTION_SET").ok();
        let named = available.iter().find(|level| wanted.as_deref() == Some(level.name()));
        let level = *named.or(available.last()).unwrap_or(&Self::Baseline);
        BEST.store(level as u8, Ordering::Relaxed);
        level
    }

    /// The level's name: `baseline`, `avx2` or `avx512`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }

    /// Whether all kernels are compiled for the level. On x86-64, processors that have no other
    /// than the lowest are so few that the largest are not.
    pub(crate) const fn is_for_all(self) -> bool {
        !(cfg!(target_arch = "x86_64") && matches!(self, Self::Baseline))
    }

    /// Whether there are instructions that leave lanes of a vector out.
    pub(crate) fn masks_lanes(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => true,
            _ => false,
        }
    }

    /// Whether this processor can run the level.
    #[must_use]
    pub fn is_supported(self) -> bool {
        match self {
            Self::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
                    && is_x86_feature_detected!("bmi2")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_supported()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
    }
}

/// Asks for the cache line of an element that will be read later, into the second-level cache: the
/// first has room for few that are under way. Wherever it is, nothing happens but that.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T], at: usize) {
    prefetch_at(slice.as_ptr().wrapping_add(at));
}

/// [`prefetch`] of any address.
#[inline(always)]
pub(crate) fn prefetch_at<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch of any address is harmless.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// [`prefetch`] of what is read next, into the first-level cache.
#[inline(always)]
pub(crate) fn prefetch_next<T>(slice: &[T], at: usize) {
    let address = slice.as_ptr().wrapping_add(at);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Halves, of which these are the bits, as f32, by an instruction for eight of them.
///
/// # Safety
/// A level other than [`Level::Baseline`] is available, or the target is not x86-64.
#[inline(always)]
pub(crate) unsafe fn widened_halves<const L: usize>(
    bits: &[u16; L],
    one: impl Fn(u16) -> f32,
) -> [f32; L] {
    let mut widened = [0.0; L];
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if const { L.is_multiple_of(8) } {
        for i in (0..L).step_by(8) {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bits[i..i + 8]);
            // SAFETY: the caller's promise.
            widened[i..i + 8].copy_from_slice(&unsafe { eight_widened_halves(eight) });
        }
        done = L;
    }
    for l in done..L {
        widened[l] = one(bits[l]);
    }
    widened
}

/// The other way: halves, rounded to nearest with ties to even, that have these bits.
///
/// # Safety
/// As for [`widened_halves`].
#[inline(always)]
pub(crate) unsafe fn narrowed_halves<const L: usize>(
    values: &[f32; L],
    one: impl Fn(f32) -> u16,
) -> [u16; L] {
    let mut narrowed = [0; L];
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if const { L.is_multiple_of(4) } {
        let step = if const { L.is_multiple_of(8) } { 8 } else { 4 };
        while done < L {
            let mut eight = [0.0; 8];
            eight[..step].copy_from_slice(&values[done..done + step]);
            // SAFETY: the caller's promise.
            let halves = unsafe { eight_narrowed_halves(eight) };
            narrowed[done..done + step].copy_from_slice(&halves[..step]);
            done += step;
        }
    }
    for l in done..L {
        narrowed[l] = one(values[l]);
    }
    narrowed
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "f16c")]
#[inline]
fn eight_narrowed_halves(values: [f32; 8]) -> [u16; 8] {
    use std::arch::x86_64::{__m128i, __m256, _MM_FROUND_TO_NEAREST_INT, _mm256_cvtps_ph};
    // SAFETY: arrays and vectors of as many bits.
    unsafe {
        let values = std::mem::transmute::<[f32; 8], __m256>(values);
        let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(values);
        std::mem::transmute::<__m128i, [u16; 8]>(halves)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "f16c")]
#[inline]
fn eight_widened_halves(bits: [u16; 8]) -> [f32; 8] {
    use std::arch::x86_64::{__m128i, __m256, _mm256_cvtph_ps};
    // SAFETY: arrays and vectors of as many bits.
    unsafe {
        let halves = std::mem::transmute::<[u16; 8], __m128i>(bits);
        std::mem::transmute::<__m256, [f32; 8]>(_mm256_cvtph_ps(halves))
    }
}

/// Keeps the compiler from making vectors across the turns of the loop that this stands in, whose
/// turns are vectors already. No instruction comes of it.
#[inline(always)]
pub(crate) fn turn_by_turn() {
    // SAFETY: no instruction, no operand.
    unsafe { std::arch::asm!("", options(nomem, nostack, preserves_flags)) };
}

/// Keeps the compiler from making one of a load before this and a store after it. No instruction comes
/// of it.
#[inline(always)]
pub(crate) fn load_and_store() {
    // SAFETY: no instruction, no operand.
    unsafe { std::arch::asm!("", options(nostack, preserves_flags)) };
}

/// `L` neighbours from element `at` on.
///
/// # Safety
/// They are elements of the slice.
#[inline(always)]
pub(crate) unsafe fn load_tile<T: Copy, const L: usize>(slice: &[T], at: usize) -> [T; L] {
    debug_assert!(at <= slice.len() && slice.len() - at >= L);
    // SAFETY: the caller's promise.
    unsafe { slice.as_ptr().add(at).cast::<[T; L]>().read_unaligned() }
}

/// Writes `L` neighbours from element `at` on.
///
/// # Safety
/// They are elements of the slice.
#[inline(always)]
pub(crate) unsafe fn store_tile<T, const L: usize>(slice: &mut [T], at: usize, tile: [T; L]) {
    debug_assert!(at <= slice.len() && slice.len() - at >= L);
    // SAFETY: the caller's promise.
    unsafe { slice.as_mut_ptr().add(at).cast::<[T; L]>().write_unaligned(tile) }
}

/// Writes the columns of a square of `N` elements a side as rows: `to[j*steps[1] + i] =
/// from[i*steps[0] + j]`, from memory to memory.
///
/// # Safety
/// `from` and `to` are the first elements of such rows, `N` of which may be read and written.
#[inline(always)]
pub(crate) unsafe fn turn<T: Copy, const N: usize>(
    (from, to): (*const T, *mut T),
    steps: [isize; 2],
) {
    #[cfg(target_arch = "x86_64")]
    if const { N * size_of::<T>() == 16 } {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_setzero_si128, _mm_storeu_si128};
        // SAFETY: SSE2 is part of x86-64; the caller's promise.
        unsafe {
            let mut rows = [_mm_setzero_si128(); N];
            for i in 0..N {
                rows[i] = _mm_loadu_si128(from.offset(i as isize * steps[0]).cast::<__m128i>());
            }
            for _ in 0..const { N.ilog2() } {
                let halves = rows;
                for i in 0..N / 2 {
                    [rows[2 * i], rows[2 * i + 1]] = unpacked::<T>(halves[i], halves[i + N / 2]);
                }
            }
            for j in 0..N {
                _mm_storeu_si128(to.offset(j as isize * steps[1]).cast::<__m128i>(), rows[j]);
            }
        }
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = [from.cast::<[T; N]>().read_unaligned(); N];
        for i in 1..N {
            rows[i] = from.offset(i as isize * steps[0]).cast::<[T; N]>().read_unaligned();
        }
        for (j, column) in transposed(rows).into_iter().enumerate() {
            to.offset(j as isize * steps[1]).cast::<[T; N]>().write_unaligned(column);
        }
    }
}

/// Elements of both in turn: the first half of each, and the second.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn unpacked<T>(
    even: std::arch::x86_64::__m128i,
    odd: std::arch::x86_64::__m128i,
) -> [std::arch::x86_64::__m128i; 2] {
    use std::arch::x86_64::{
        _mm_unpackhi_epi8, _mm_unpackhi_epi16, _mm_unpackhi_epi32, _mm_unpacklo_epi8,
        _mm_unpacklo_epi16, _mm_unpacklo_epi32,
    };
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        match const { size_of::<T>() } {
            1 => [_mm_unpacklo_epi8(even, odd), _mm_unpackhi_epi8(even, odd)],
            2 => [_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd)],
            4 => [_mm_unpacklo_epi32(even, odd), _mm_unpackhi_epi32(even, odd)],
            _ => unreachable!("elements of eight bytes are not turned in rounds"),
        }
    }
}

/// The columns of a square, as rows. Its side is a power of two.
///
/// As often as the side is two to a power, the first half of the rows is interleaved with the
/// second: every round moves one bit of an element's row to its column.
#[inline(always)]
pub(crate) fn transposed<T: Copy, const N: usize>(rows: [[T; N]; N]) -> [[T; N]; N] {
    #[cfg(target_arch = "x86_64")]
    if const { size_of::<T>() == 8 && N == 4 } {
        use std::arch::x86_64::{__m128d, _mm_unpackhi_pd, _mm_unpacklo_pd};
        // Two rounds of whole rows would move each vector twice.
        // SAFETY: SSE2 is part of x86-64; two elements of eight bytes are a vector, whose bits are
        // moved and not looked at.
        return unsafe {
            let [a, b, c, d]: [[__m128d; 2]; 4] = std::mem::transmute_copy(&rows);
            let columns = [
                [_mm_unpacklo_pd(a[0], b[0]), _mm_unpacklo_pd(c[0], d[0])],
                [_mm_unpackhi_pd(a[0], b[0]), _mm_unpackhi_pd(c[0], d[0])],
                [_mm_unpacklo_pd(a[1], b[1]), _mm_unpacklo_pd(c[1], d[1])],
                [_mm_unpackhi_pd(a[1], b[1]), _mm_unpackhi_pd(c[1], d[1])],
            ];
            std::mem::transmute_copy(&columns)
        };
    }
    let mut rows = rows;
    for _ in 0..const { N.ilog2() } {
        let halves = rows;
        for i in 0..N / 2 {
            [rows[2 * i], rows[2 * i + 1]] = interleaved(halves[i], halves[i + N / 2]);
        }
    }
    rows
}

/// Elements of both in turn: the first `N`, and the rest.
#[inline(always)]
fn interleaved<T: Copy, const N: usize>(even: [T; N], odd: [T; N]) -> [[T; N]; 2] {
    #[cfg(target_arch = "x86_64")]
    if const { size_of::<[T; N]>() == 16 } {
        // The compiler would move single elements.
        // SAFETY: the elements are a vector, whose bits are moved and not looked at.
        return unsafe {
            let [a, b]: [std::arch::x86_64::__m128i; 2] = std::mem::transmute_copy(&[even, odd]);
            std::mem::transmute_copy(&unpacked::<T>(a, b))
        };
    }
    let mut turns = [even, odd];
    for i in 0..N {
        turns[2 * i / N][2 * i % N] = even[i];
        turns[(2 * i + 1) / N][(2 * i + 1) % N] = odd[i];
    }
    turns
}

/// Work to compile for every level.
///
/// The compiler puts what a trait provides beside the type that it is for: were the last three
/// plain functions, all kernels would be one unit, which one thread compiles.
pub(crate) trait Work: Sized {
    /// Whether it is compiled for levels that are not [for all](Level::is_for_all) work too, and
    /// may be dispatched there.
    const FOR_ALL: bool = true;

    /// Whether it is compiled for the longest vectors too. What hardly anybody needs takes shorter ones.
    const LONGEST: bool = true;

    /// Does it with vectors of `V` bytes. Implementations are `#[inline(always)]`, and so is all they
    /// call that is hot.
    fn run<const V: usize>(self);

    /// Does it with [`Level::Baseline`].
    #[inline(never)]
    fn run_baseline(self) {
        self.run::<16>();
    }

    /// Does it with [`Level::Avx512`].
    ///
    /// # Safety
    /// The processor has these features.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi2")]
    unsafe fn run_avx512(self) {
        self.run::<64>();
    }

    /// Does it with [`Level::Avx2`].
    ///
    /// # Safety
    /// The processor has these features.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c,bmi2")]
    unsafe fn run_avx2(self) {
        self.run::<32>();
    }
}

/// Runs `work` compiled for `level`, which must be available: [`crate::Execution`] sees to that
/// once, so that no check stands between a row and its kernel.
#[inline(always)]
pub(crate) fn dispatch<W: Work>(level: Level, work: W) {
    debug_assert!(level.is_supported());
    match level {
        Level::Baseline if const { W::FOR_ALL || Level::Baseline.is_for_all() } => {
            work.run_baseline();
        }
        Level::Baseline => unreachable!("other kernels do this for the baseline"),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            // SAFETY: the processor has the features, or the level would not be here.
            unsafe { work.run_avx2() }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if const { W::LONGEST } => {
            // SAFETY: as above.
            unsafe { work.run_avx512() }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            // SAFETY: as above; the features are among those.
            unsafe { work.run_avx2() }
        }
    }
}

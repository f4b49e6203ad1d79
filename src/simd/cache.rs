//! What lies between registers and memory: how large the caches are, and stores that go past them.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__cpuid_count, CpuidResult};
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use super::{Level, Work, dispatch};

/// Bytes of a cache line.
pub(crate) const CACHE_LINE_BYTES: usize = 64;

/// Bytes of a first-level cache from which on it has room for what is asked for long before it is read: 32 KiB
/// were found to have too little, and 48 KiB enough.
const LARGE_FIRST_LEVEL: usize = 48 << 10;

/// A cache that holds data.
#[derive(Debug, Clone, Copy)]
struct Cache {
    level: u32,
    bytes: usize,
}

/// Those that this processor tells of.
#[cfg(target_arch = "x86_64")]
fn caches() -> impl Iterator<Item = Cache> {
    // Unsafe in the oldest Rust that this is written for.
    #[allow(unused_unsafe)]
    fn cpuid(leaf: u32, index: u32) -> CpuidResult {
        // SAFETY: all processors of the target have the instruction.
        unsafe { __cpuid_count(leaf, index) }
    }

    // Intel's leaf of caches, and AMD's, which is laid out in the same way (Intel 64 and IA-32 Architectures
    // Software Developer's Manual, volume 2, CPUID; AMD64 Architecture Programmer's Manual, volume 3,
    // appendix E).
    const LEAVES: [u32; 2] = [0x4, 0x8000_001d];
    const MOST_CACHES: u32 = 16;
    const INSTRUCTIONS: u32 = 2;
    let kind = |cache: &CpuidResult| cache.eax & 0x1f;
    let caches = LEAVES.into_iter().filter(|&leaf| leaf <= cpuid(leaf & 0x8000_0000, 0).eax);
    let caches = caches.flat_map(move |leaf| {
        let cache = move |index| cpuid(leaf, index);
        (0..MOST_CACHES).map(cache).take_while(move |cache| kind(cache) != 0)
    });
    let bytes = |ways_partitions_line: u32, sets: u32| {
        let field = |first: u32, bits: u32| ways_partitions_line >> first & ((1 << bits) - 1);
        [field(22, 10), field(12, 10), field(0, 12), sets]
            .into_iter()
            .map(|less_one| less_one as usize + 1)
            .product()
    };
    caches
        .filter(move |cache| kind(cache) != INSTRUCTIONS)
        .map(move |cache| Cache { level: cache.eax >> 5 & 0x7, bytes: bytes(cache.ebx, cache.ecx) })
}

/// Nothing is known of them.
#[cfg(not(target_arch = "x86_64"))]
fn caches() -> impl Iterator<Item = Cache> {
    std::iter::empty()
}

/// Bytes of the last-level cache that this processor shares with its neighbours, if it says so and is
/// of the third level or above: a virtual machine may not tell of the third, and the second is not the last
/// one then.
pub(crate) fn last_level_cache() -> Option<usize> {
    let last = caches().max_by_key(|cache| cache.level).filter(|cache| cache.level > 2);
    last.map(|cache| cache.bytes)
}

/// Whether the first-level cache has room for what is read much later. Looked up once.
pub(crate) fn first_level_is_large() -> bool {
    static IS_LARGE: OnceLock<bool> = OnceLock::new();
    *IS_LARGE
        .get_or_init(|| caches().any(|cache| cache.level == 1 && cache.bytes >= LARGE_FIRST_LEVEL))
}

/// Copies as many elements as both have, past the caches where they fill lines, which begin with the
/// same elements of both.
pub(crate) fn copy_past<T: Copy>(level: Level, src: &[MaybeUninit<T>], dst: &mut [MaybeUninit<T>]) {
    let lanes = const { CACHE_LINE_BYTES / size_of::<T>() };
    let len = dst.len().min(src.len());
    let before = dst.as_ptr().align_offset(CACHE_LINE_BYTES).min(len);
    let after = len - (len - before) % lanes;
    dst[..before].copy_from_slice(&src[..before]);
    dispatch(level, Lines { src: &src[before..after], dst: &mut dst[before..after] });
    dst[after..len].copy_from_slice(&src[after..len]);
}

/// Elements that fill lines of both, and are initialised.
struct Lines<'a, T> {
    src: &'a [MaybeUninit<T>],
    dst: &'a mut [MaybeUninit<T>],
}

impl<T: Copy> Work for Lines<'_, T> {
    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { src, dst } = self;
        let bytes = size_of_val(src).min(size_of_val(dst));
        #[cfg(target_arch = "x86_64")]
        for at in (0..bytes).step_by(V) {
            use std::arch::x86_64::{
                __m128i, __m256i, __m512i, _mm_load_si128, _mm_stream_si128, _mm256_load_si256,
                _mm256_stream_si256, _mm512_load_si512, _mm512_stream_si512,
            };
            // SAFETY: a vector of lines of both, whose bytes are copied; the level has such vectors.
            unsafe {
                let (from, to) = (src.as_ptr().byte_add(at), dst.as_mut_ptr().byte_add(at));
                match V {
                    64 => {
                        let line = _mm512_load_si512(from.cast::<__m512i>());
                        _mm512_stream_si512(to.cast::<__m512i>(), line);
                    }
                    32 => {
                        let half = _mm256_load_si256(from.cast::<__m256i>());
                        _mm256_stream_si256(to.cast::<__m256i>(), half);
                    }
                    _ => {
                        let quarter = _mm_load_si128(from.cast::<__m128i>());
                        _mm_stream_si128(to.cast::<__m128i>(), quarter);
                    }
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = bytes;
            dst.copy_from_slice(src);
        }
    }
}

/// Before others are told of results: makes them see what went past the caches.
pub(crate) fn let_others_see() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

//! Fixed tiles of lanes that stay in registers while the taps of a window go by.
//!
//! A tile is `L` neighbouring results. Its loops over `0..L` have a constant length and no branch,
//! so they compile to whole vectors under any instruction set, and the loop over the taps, whose
//! number is known only at run time, carries nothing but registers.

/// Runs `$body` for tiles that cover `0..$n`, each with a constant width `$L` and its position `$at`.
///
/// Widths fit lanes of `$bytes` bytes: four 64-byte vectors, one, a quarter, one lane. With
/// `$overlap` the last tile of a width may repeat results of the one before, which saves a tail
/// of single lanes; only for results that do not depend on what is there already.
macro_rules! in_tiles {
    ($bytes:expr, $n:expr, $overlap:expr, |$at:ident, $L:ident| $body:expr) => {{
        let (n, mut $at): (usize, usize) = ($n, 0);
        // The last tile has no successor that reads the position.
        #[allow(unused_assignments)]
        match const { $bytes } {
            1 => in_tiles!(@widths n, $overlap, |$at, $L| $body, 256, 64, 16),
            2 => in_tiles!(@widths n, $overlap, |$at, $L| $body, 128, 32, 8),
            4 => in_tiles!(@widths n, $overlap, |$at, $L| $body, 64, 16, 4),
            _ => in_tiles!(@widths n, $overlap, |$at, $L| $body, 32, 8, 2),
        }
    }};
    (@widths $n:ident, $overlap:expr, |$at:ident, $L:ident| $body:expr,
     $four:expr, $one:expr, $quarter:expr) => {{
        in_tiles!(@tile $n, false, |$at, $L| $body, $four);
        in_tiles!(@tile $n, $overlap, |$at, $L| $body, $one);
        in_tiles!(@tile $n, $overlap, |$at, $L| $body, $quarter);
        in_tiles!(@tile $n, false, |$at, $L| $body, 1);
    }};
    (@tile $n:ident, $overlap:expr, |$at:ident, $L:ident| $body:expr, $width:expr) => {{
        const $L: usize = $width;
        while $at + $L <= $n {
            $body;
            $at += $L;
        }
        if $overlap && $at < $n && $n >= $L {
            $at = $n - $L;
            $body;
            $at = $n;
        }
    }};
}

pub(crate) use in_tiles;

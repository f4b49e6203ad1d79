//! Checks of every operator that draw their problems from bytes: random ones here, those that a
//! fuzzer picks in `fuzz/`.
//!
//! Bytes seed what the strategies of the property tests draw ([`case::Source`]), so that coverage
//! steers the same problems, layouts and elements that those tests try at random.

pub mod case;
pub mod number;
pub mod planes;

/// A module with a function `check` per target, and a test of it.
macro_rules! targets {
    ($($target:ident)*) => {
        $(pub mod $target;)*

        #[cfg(test)]
        mod tests {
            $(#[test]
            fn $target() {
                super::try_random_bytes(super::$target::check);
            })*
        }
    };
}

targets! { adaptive average backward fractional geometry lp max unpool }

/// Calls `check` with as many strings of bytes as a property has cases (`PROPTEST_CASES`).
#[cfg(test)]
fn try_random_bytes(check: fn(&[u8])) {
    use proptest::prelude::*;

    // Other bytes are another problem, not a smaller one.
    let config = ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::default() };
    proptest!(config, |(bytes in prop::collection::vec(any::<u8>(), 256))| check(&bytes));
}

//! The public API of the core against a naive reference, and against itself.
//!
//! [`reference`] says in plain loops what a result must be, [`dtype`] what the elements are,
//! [`problem`] and [`layout`] make up pooling problems and memory for their arrays.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dtype;
mod errors;
mod executions;
mod fractional;
mod fuzzed;
mod gradients;
mod heads;
mod hostile;
mod lanes;
mod large;
mod layout;
mod many_planes;
mod mixed_orders;
#[cfg(feature = "ndarray")]
mod ndarray;
mod padding;
mod planes;
mod problem;
mod properties;
mod reference;
mod same_bits;
mod scattered;
mod two_apart;
mod view;

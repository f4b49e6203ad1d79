//! What the fuzz targets check: every operator of the core against the naive reference of its tests.
//!
//! A fuzzer's bytes seed what the strategies of the property tests draw ([`case::Source`]), so that
//! coverage steers the same problems, layouts and elements that those tests try at random.

// A check that cannot go on has found something.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/rust/dtype.rs"]
#[allow(unused_imports, unused_macros)]
pub mod dtype;
#[path = "../../tests/rust/executions.rs"]
pub mod executions;
#[path = "../../tests/rust/layout.rs"]
pub mod layout;
#[path = "../../tests/rust/problem.rs"]
pub mod problem;
#[path = "../../tests/rust/reference.rs"]
pub mod reference;

pub mod adaptive;
pub mod average;
pub mod backward;
pub mod case;
pub mod fractional;
pub mod geometry;
pub mod lp;
pub mod max;
pub mod number;
pub mod planes;
pub mod unpool;

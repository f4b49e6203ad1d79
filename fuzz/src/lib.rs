//! What the fuzz targets check: every operator of the core against the naive reference of its tests.

// A check that cannot go on has found something.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/rust/dtype.rs"]
#[allow(unused_imports, unused_macros)]
mod dtype;
#[path = "../../tests/rust/executions.rs"]
mod executions;
#[path = "../../tests/rust/fuzzed/mod.rs"]
pub mod fuzzed;
#[path = "../../tests/rust/layout.rs"]
mod layout;
#[path = "../../tests/rust/problem.rs"]
mod problem;
#[path = "../../tests/rust/reference.rs"]
mod reference;

//! Adaptive windows: more bins than elements, fewer, none, on any axes.

use poolnd::{Divisor, Window};
use proptest::prelude::*;

use super::case::{Case, Source};
use crate::dtype::Number;
use super::number::for_dtype;
use crate::problem::Problem;
use super::{average, max};

pub fn check(bytes: &[u8]) {
    let Some(case) = Case::of(&mut Source::new(bytes), &problems()) else { return };
    for_dtype!(check_dtype [], case);
}

fn check_dtype<T: Number>(case: &Case) {
    max::check_dtype::<T>(case);
    average::check_dtype::<T>(case);
}

/// Up to four axes, all or some of them in bins.
fn problems() -> impl Strategy<Value = Problem> {
    let length = prop_oneof![4 => 1usize..=7, 1 => 8usize..=70];
    let bins = prop_oneof![4 => 0usize..=9, 1 => 10usize..=80];
    prop::collection::vec((length, prop::option::weighted(0.7, bins)), 1..=4)
        .prop_filter("too slow", |axes| {
            let cost = |&(len, bins): &(usize, Option<usize>)| len.max(bins.unwrap_or(0)) + 2;
            axes.iter().map(cost).product::<usize>() <= 20_000
        })
        .prop_map(|axes| {
            let windows = axes.iter().enumerate().filter_map(|(axis, &(_, bins))| {
                bins.map(|output_size| (axis, Window::adaptive(output_size)))
            });
            Problem {
                windows: windows.collect(),
                shape: axes.iter().map(|&(len, _)| len).collect(),
                divisor: Divisor::Window,
            }
        })
}

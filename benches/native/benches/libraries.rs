//! `cargo bench`: the libraries in turn, in several rounds, so that a slow minute of the machine
//! falls on all of them. `report.py` makes a table of what criterion writes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use poolnd_native_benches::PROBLEMS;

const ROUNDS: usize = 3;

fn libraries(criterion: &mut Criterion) {
    PROBLEMS.iter().for_each(poolnd_native_benches::Problem::check);
    for problem in PROBLEMS {
        let x = problem.input();
        let (burn, candle) = (problem.burn_input(&x), problem.candle_input(&x));
        let candle = candle.expect("candle takes the array");
        let mut group = criterion.benchmark_group(problem.name());
        group.throughput(Throughput::Bytes(size_of_val(&x[..]) as u64));
        for round in 1..=ROUNDS {
            let id = |library| BenchmarkId::new(library, round);
            group.bench_function(id("poolnd"), |b| b.iter(|| problem.poolnd(black_box(&x))));
            group.bench_function(id("burn"), |b| b.iter(|| problem.burn(black_box(&burn))));
            group.bench_function(id("candle"), |b| b.iter(|| problem.candle(black_box(&candle))));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = libraries
}
criterion_main!(benches);

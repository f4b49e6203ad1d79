//! The core alone: layers of well-known networks and windows over pictures, on one thread and on
//! all, beside a copy of as many bytes. `cargo bench`, or `cargo bench -- "one thread/ResNet"`.

// A benchmark that cannot be set up has failed.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::mem::MaybeUninit;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use half::f16;
use poolnd::{Divisor, Execution, Geometry, Mean, View, ViewMut, Window, average_into, max_into};

/// What a layer does with its windows.
#[derive(Clone, Copy)]
enum Kind {
    Max,
    Average,
}

/// A layer: its windows lie along axes of `shape` from the `first` on.
struct Layer {
    name: &'static str,
    kind: Kind,
    shape: &'static [usize],
    first: usize,
    windows: Vec<Window>,
}

fn layer(name: &'static str, kind: Kind, shape: &'static [usize], window: [i64; 3]) -> Layer {
    let [kernel_size, stride, padding] = window;
    let window = Window::sliding(kernel_size).stride(stride).padding(padding);
    let pooled = if shape.len() == 5 { 3 } else { 2 };
    Layer { name, kind, shape, first: shape.len() - pooled, windows: vec![window.into(); pooled] }
}

/// The same over rows and columns of images whose channels are the last axis.
fn last(name: &'static str, kind: Kind, shape: &'static [usize], window: [i64; 3]) -> Layer {
    Layer { first: 1, ..layer(name, kind, shape, window) }
}

fn layers() -> Vec<Layer> {
    use Kind::{Average, Max};
    vec![
        layer("AlexNet 55", Max, &[1, 96, 55, 55], [3, 2, 0]),
        layer("AlexNet 27", Max, &[1, 256, 27, 27], [3, 2, 0]),
        layer("AlexNet 13", Max, &[1, 256, 13, 13], [3, 2, 0]),
        layer("ResNet-50 stem", Max, &[1, 64, 112, 112], [3, 2, 1]),
        layer("photo", Max, &[1, 3, 224, 224], [2, 2, 0]),
        layer("VGG 224", Max, &[1, 64, 224, 224], [2, 2, 0]),
        layer("GoogLeNet 14", Max, &[1, 512, 14, 14], [3, 1, 1]),
        layer("GoogLeNet 7", Max, &[1, 832, 7, 7], [3, 1, 1]),
        layer("VGG 14", Max, &[1, 512, 14, 14], [2, 2, 0]),
        layer("YOLO SPP 5", Max, &[1, 512, 20, 20], [5, 1, 2]),
        layer("YOLO SPP 13", Max, &[1, 512, 20, 20], [13, 1, 6]),
        layer("3-D U-Net 28", Max, &[1, 32, 28, 28, 28], [2, 2, 0]),
        layer("Inception 35", Average, &[1, 256, 35, 35], [3, 1, 1]),
        layer("Inception 17", Average, &[1, 768, 17, 17], [3, 1, 1]),
        layer("Inception 8", Average, &[1, 1280, 8, 8], [3, 1, 1]),
        layer("stride 2", Average, &[1, 64, 112, 112], [3, 2, 1]),
        layer("DenseNet transition", Average, &[1, 256, 56, 56], [2, 2, 0]),
        layer("ResNet-50 head", Average, &[1, 2048, 7, 7], [7, 7, 0]),
        layer("picture 5x5", Max, &[1, 1, 1080, 1920], [5, 1, 2]),
        layer("picture 31x31", Max, &[1, 1, 1080, 1920], [31, 1, 15]),
        layer("picture 31x31", Average, &[1, 1, 1080, 1920], [31, 1, 15]),
        last("ResNet-50 stem, channels last", Max, &[1, 112, 112, 64], [3, 2, 1]),
        last("DenseNet transition, channels last", Average, &[1, 56, 56, 256], [2, 2, 0]),
        last("Inception 35, channels last", Average, &[1, 35, 35, 256], [3, 1, 1]),
        last("YOLO SPP 5, channels last", Max, &[1, 20, 20, 512], [5, 1, 2]),
        last("YOLO SPP 13, channels last", Max, &[1, 20, 20, 512], [13, 1, 6]),
        last("31x31, channels last", Max, &[1, 128, 128, 64], [31, 1, 15]),
        last("31x31, channels last", Average, &[1, 128, 128, 64], [31, 1, 15]),
        last("colours 5x5", Max, &[1, 1080, 1920, 3], [5, 1, 2]),
    ]
}

/// Times one layer on elements that `element` makes from their position.
fn bench<T: Mean>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    execution: &Execution<'_>,
    layer: &Layer,
    element: impl Fn(usize) -> T,
) {
    let windows: Vec<_> = (layer.first..).zip(layer.windows.iter().cloned()).collect();
    let geometry = Geometry::new(layer.shape, &windows).expect("the layer fits its shape");
    let input: Vec<T> = (0..layer.shape.iter().product()).map(element).collect();
    let view = View::new(&input, layer.shape).expect("the input has the layer's shape");
    let mut output: Vec<MaybeUninit<T>> = Vec::new();
    output.resize_with(geometry.output_shape().iter().product(), MaybeUninit::uninit);
    group.throughput(Throughput::Bytes(size_of_val(&*input) as u64 + size_of_val(&*output) as u64));
    let kind = match layer.kind {
        Kind::Max => "max",
        Kind::Average => "average",
    };
    let id = BenchmarkId::new(format!("{} {kind}", layer.name), std::any::type_name::<T>());
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            let output = ViewMut::new(&mut output, geometry.output_shape()).expect("same shape");
            let done = match layer.kind {
                Kind::Max => max_into(execution, &geometry, black_box(&view), output),
                Kind::Average => {
                    let divisor = Divisor::PaddedWindow;
                    average_into(execution, &geometry, divisor, black_box(&view), output)
                }
            };
            done.expect("valid arguments");
        });
    });
}

fn pooling(criterion: &mut Criterion) {
    let executions =
        [("one thread", Execution::single_threaded()), ("all threads", Execution::default())];
    for (name, execution) in executions {
        let mut group = criterion.benchmark_group(name);
        for layer in layers() {
            bench(&mut group, &execution, &layer, |i| (i.wrapping_mul(40_503) >> 4) as u16 as f32);
            bench(&mut group, &execution, &layer, |i| (i.wrapping_mul(40_503) >> 4) as u8);
            bench(&mut group, &execution, &layer, |i| {
                f16::from_f32(f32::from((i.wrapping_mul(40_503) >> 4) as u8))
            });
        }
        group.finish();
    }
}

fn copy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("copy on one thread");
    for bytes in [1 << 14, 1 << 18, 1 << 22, 1 << 26] {
        let source = vec![1u8; bytes];
        let mut target = vec![0u8; bytes];
        group.throughput(Throughput::Bytes(2 * bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| black_box(&mut target).copy_from_slice(black_box(&source)));
        });
    }
    group.finish();
}

/// What a layer that reads far more than it writes cannot beat.
fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read on two threads");
    for bytes in [12_800_000, 25_700_000, 105_000_000] {
        let source = vec![1u64; bytes / 8];
        let (left, right) = source.split_at(source.len() / 2);
        // Bits, because the compiler may put them together in any order, and so in vectors.
        let all = |half: &[u64]| half.iter().fold(0, |bits, word| bits | word);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| rayon::join(|| all(black_box(left)), || all(black_box(right))));
        });
    }
    group.finish();
}

criterion_group!(benches, pooling, copy, read);
criterion_main!(benches);

//! Padding of a whole kernel and more, which PyTorch's rules refuse: windows may have no element.

use poolnd::{Divisor, Geometry, View, Window, average, max};

/// Rows under windows so long that they are scanned, and their answers by the book.
fn check(rows: usize, kernel_size: i64, padding: [i64; 2]) {
    const LANES: usize = 40;
    let mut long = Window::sliding(kernel_size);
    long.padding = padding;
    let windows = [(0, long.into()), (1, Window::sliding(1).into())];
    let Ok(geometry) = Geometry::new(&[rows, LANES], &windows) else { return };
    let data: Vec<f32> = (0..rows * LANES).map(|i| (i * 7919 % 101) as f32).collect();
    let input = View::new(&data, &[rows, LANES]).unwrap();
    let maxima = max(&input, &geometry).unwrap();
    let sums = average(&input, &geometry, Divisor::Fixed(1)).unwrap();
    for o in 0..geometry.output_shape()[0] {
        let taps = geometry.pooled()[0].1.taps(o);
        for lane in 0..LANES {
            let met = (taps.first..taps.first + taps.count).map(|row| data[row * LANES + lane]);
            let results = [maxima.data()[o * LANES + lane], sums.data()[o * LANES + lane]];
            let expected = [met.clone().fold(f32::NEG_INFINITY, f32::max), met.sum()];
            assert_eq!(results, expected, "{rows} rows, {kernel_size}, {padding:?}, output {o}");
        }
    }
}

#[test]
fn windows_beyond_the_last_row() {
    for rows in [1, 5, 9, 12, 20] {
        for kernel_size in [7, 9, 13] {
            for before in [0, 3, 12, 20] {
                for after in [0, 3, 12, 20] {
                    check(rows, kernel_size, [before, after]);
                }
            }
        }
    }
}

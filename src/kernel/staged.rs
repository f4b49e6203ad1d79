//! Rows whose columns lie apart in memory: copied next to one another before they are folded.

use super::band::{Band, RowFold, RowTap};
use super::{Kernel, ScanRows, lanes};

/// Folds rows whose columns lie apart, each copied into scratch first.
pub(super) fn fold<T: Copy + Default, K: Kernel<T>>(
    kernel: K,
    src: &[T],
    band: &Band,
    columns: usize,
    stride: isize,
    line: &mut K::Line,
) {
    let mut staged = Vec::new();
    let mut rows = Band::default();
    for fold in &band.folds {
        copy_rows(src, band, fold, columns, stride, &mut staged, &mut rows);
        kernel.fold(line, &staged, &rows, columns);
    }
}

/// Makes `staged` the rows of a fold, and `rows` what is left of it there.
fn copy_rows<T: Copy + Default>(
    src: &[T],
    band: &Band,
    fold: &RowFold,
    columns: usize,
    stride: isize,
    staged: &mut Vec<T>,
    rows: &mut Band,
) {
    let taps = &band.taps[fold.first..fold.end];
    staged.resize(taps.len() * columns, T::default());
    rows.taps.clear();
    for (j, tap) in taps.iter().enumerate() {
        let at = fold.src.wrapping_add_signed(band.src_base + tap.offset);
        let row = &mut staged[j * columns..(j + 1) * columns];
        lanes::gather(src, at, [stride, 1], [columns, 1], row);
        rows.taps.push(RowTap { offset: (j * columns) as isize, ..*tap });
    }
    let reach = rows.taps.last().map_or(0, |tap| tap.offset);
    rows.folds.clear();
    rows.folds.push(RowFold { src: 0, first: 0, end: taps.len(), reach, ..*fold });
}

/// Scans rows whose columns lie apart, all of them copied into scratch first.
pub(super) fn scan<T: Copy + Default, K: Kernel<T>>(
    kernel: K,
    src: &[T],
    scan: ScanRows,
    stride: isize,
    line: &mut K::Line,
) -> bool {
    let (staged, scan) = copy_scanned(src, scan, stride);
    kernel.scan(line, &staged, &scan)
}

/// All rows of a scan, and that scan of them.
fn copy_scanned<T: Copy + Default>(src: &[T], scan: ScanRows, stride: isize) -> (Vec<T>, ScanRows) {
    let start = scan.origin + (scan.first * scan.stride) as isize;
    let end = start + ((scan.count - 1) * scan.stride + scan.kernel) as isize;
    let clip = |row: isize| row.clamp(0, scan.rows as isize);
    let mut staged = vec![T::default(); scan.len * (clip(end) - clip(start)).unsigned_abs()];
    for (row, staged) in (clip(start)..).zip(staged.chunks_exact_mut(scan.len.max(1))) {
        let at = scan.src.wrapping_add_signed(row * scan.step);
        lanes::gather(src, at, [stride, 1], [scan.len, 1], staged);
    }
    let first = clip(start) * scan.len as isize;
    let src = 0usize.wrapping_add_signed(-first);
    (staged, ScanRows { src, step: scan.len as isize, ..scan })
}

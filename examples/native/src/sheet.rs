//! Several pyramids in one picture.

use image::{Rgb, RgbImage, imageops};

const GAP: u32 = 8;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// The pyramids from left to right: of each the first level, and its smaller ones in a column.
pub fn side_by_side(pyramids: &[Vec<RgbImage>]) -> RgbImage {
    let sizes: Vec<(u32, u32)> = pyramids.iter().map(|levels| extent(levels)).collect();
    let width = sizes.iter().map(|(width, _)| width + GAP).sum::<u32>() + GAP;
    let height = sizes.iter().map(|(_, height)| height + 2 * GAP).max().unwrap_or(0);
    let mut sheet = RgbImage::from_pixel(width, height, PAPER);
    let mut left = GAP;
    for (levels, (width, _)) in pyramids.iter().zip(sizes) {
        for (level, (x, y)) in levels.iter().zip(places(levels)) {
            imageops::replace(&mut sheet, level, i64::from(left + x), i64::from(GAP + y));
        }
        left += width + GAP;
    }
    sheet
}

/// Where the levels are, from the corner of the first.
fn places(levels: &[RgbImage]) -> Vec<(u32, u32)> {
    let mut places = Vec::with_capacity(levels.len());
    let mut next = (0, 0);
    for level in levels {
        places.push(next);
        next = if next.0 == 0 {
            (level.width() + GAP, 0)
        } else {
            (next.0, next.1 + level.height() + GAP)
        };
    }
    places
}

/// Width and height of a pyramid.
fn extent(levels: &[RgbImage]) -> (u32, u32) {
    let corners = levels.iter().zip(places(levels));
    corners.fold((0, 0), |(width, height), (level, (x, y))| {
        (width.max(x + level.width()), height.max(y + level.height()))
    })
}

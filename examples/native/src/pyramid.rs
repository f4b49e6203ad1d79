//! Pictures of half the size, of half of that, and so on.

use image::RgbImage;
use poolnd::{Divisor, Geometry, PoolError, View, Window, average, max};

/// How four pixels become one, channel by channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduce {
    /// The largest of them: bright points stay.
    Maximum,
    /// Their mean: detail fades.
    Average,
}

impl Reduce {
    /// A name for files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maximum => "max",
            Self::Average => "avg",
        }
    }
}

/// Up to `levels` pictures, each half as wide and half as high as the one before it.
pub fn pyramid(
    picture: &RgbImage,
    reduce: Reduce,
    levels: usize,
) -> Result<Vec<RgbImage>, PoolError> {
    let mut pictures: Vec<RgbImage> = Vec::new();
    while pictures.len() < levels {
        let last = pictures.last().unwrap_or(picture);
        if last.width() < 2 || last.height() < 2 {
            break;
        }
        pictures.push(half(last, reduce)?);
    }
    Ok(pictures)
}

/// A picture is an array of rows, columns and channels; the first two axes are pooled.
fn half(picture: &RgbImage, reduce: Reduce) -> Result<RgbImage, PoolError> {
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    let shape = [picture.height() as usize, picture.width() as usize, 3];
    let pixels = View::new(picture.as_raw(), &shape)?;
    let windows = [(0, Window::sliding(2).into()), (1, Window::sliding(2).into())];
    let geometry = Geometry::new(&shape, &windows)?;
    let halved = match reduce {
        Reduce::Maximum => max(&pixels, &geometry)?,
        Reduce::Average => average(&pixels, &geometry, Divisor::Window)?,
    };
    debug_assert_eq!(halved.shape(), [height as usize, width as usize, 3]);
    Ok(RgbImage::from_raw(width, height, halved.into_data()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// Red counts along rows, green down columns, blue is the same everywhere.
    fn ramp(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, 10 * y as u8, 200]))
    }

    #[test]
    fn a_level_has_the_largest_or_the_mean_of_four_pixels() -> Result<(), PoolError> {
        let largest = &pyramid(&ramp(4, 6), Reduce::Maximum, 1)?[0];
        assert_eq!(
            largest,
            &RgbImage::from_fn(2, 3, |x, y| { Rgb([2 * x as u8 + 1, 20 * y as u8 + 10, 200]) })
        );
        let mean = &pyramid(&ramp(4, 6), Reduce::Average, 1)?[0];
        // 0.5 and 2.5 of red are cut off to whole numbers.
        assert_eq!(
            mean,
            &RgbImage::from_fn(2, 3, |x, y| { Rgb([2 * x as u8, 20 * y as u8 + 5, 200]) })
        );
        Ok(())
    }

    #[test]
    fn levels_halve_until_a_side_is_one_pixel() -> Result<(), PoolError> {
        let sizes = |levels| -> Result<Vec<_>, PoolError> {
            let pictures = pyramid(&ramp(21, 9), Reduce::Maximum, levels)?;
            Ok(pictures.iter().map(RgbImage::dimensions).collect())
        };
        assert_eq!(sizes(2)?, [(10, 4), (5, 2)]);
        assert_eq!(sizes(9)?, [(10, 4), (5, 2), (2, 1)]);
        assert!(pyramid(&ramp(1, 9), Reduce::Average, 3)?.is_empty());
        Ok(())
    }
}

//! Pooling problems, and what each library makes of them.
//!
//! Every library gets its own array of the same numbers, and gives its own array back; both are
//! made outside of what is timed, the result inside.

use burn_backend::TensorData;
use burn_backend::ops::ModuleOps;
use burn_flex::{Flex, FlexTensor};
use candle_core::{Device, Tensor};
use poolnd::{Divisor, Geometry, View, Window};

/// What is done with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The largest element.
    Max,
    /// The mean of the elements.
    Average,
}

/// A square window over the last two axes of an NCHW array.
#[derive(Debug, Clone, Copy)]
pub struct Problem {
    /// What is done with a window.
    pub operator: Operator,
    /// N, C, H and W.
    pub shape: [usize; 4],
    /// Rows and columns of a window.
    pub kernel_size: usize,
    /// Distance between windows.
    pub stride: usize,
    /// Rows and columns around the plane that no maximum takes.
    pub padding: usize,
}

/// The problems in the order of the table.
pub const PROBLEMS: [Problem; 4] = [
    problem(Operator::Max, [1, 64, 56, 56], 3, 2, 1),
    problem(Operator::Max, [8, 64, 112, 112], 3, 2, 1),
    problem(Operator::Average, [8, 64, 56, 56], 3, 2, 0),
    problem(Operator::Max, [8, 64, 224, 224], 2, 2, 0),
];

const fn problem(
    operator: Operator,
    shape: [usize; 4],
    kernel_size: usize,
    stride: usize,
    padding: usize,
) -> Problem {
    Problem { operator, shape, kernel_size, stride, padding }
}

impl Problem {
    /// A name for tables and folders.
    #[must_use]
    pub fn name(&self) -> String {
        let operator = if self.operator == Operator::Max { "max" } else { "avg" };
        let [n, c, h, w] = self.shape;
        let (k, s, p) = (self.kernel_size, self.stride, self.padding);
        format!("{operator} k{k}s{s}p{p} {n}x{c}x{h}x{w}")
    }

    /// Numbers from 0 to 1 without an order, as a layer gets them from a ReLU.
    #[must_use]
    pub fn input(&self) -> Vec<f32> {
        let elements = self.shape.iter().product::<usize>() as u32;
        (0..elements)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32)
            .collect()
    }

    /// poolnd's answer: windows resolved, output made, and filled.
    #[must_use]
    pub fn poolnd(&self, x: &[f32]) -> poolnd::Tensor<f32> {
        let view = View::new(x, &self.shape).expect("as many elements as the shape says");
        let window = Window::sliding(self.kernel_size as i64)
            .stride(self.stride as i64)
            .padding(self.padding as i64);
        let geometry = Geometry::new(&self.shape, &[(2, window.into()), (3, window.into())])
            .expect("windows that fit");
        match self.operator {
            Operator::Max => poolnd::max(&view, &geometry),
            Operator::Average => poolnd::average(&view, &geometry, Divisor::Window),
        }
        .expect("memory for the output")
    }

    /// The array as burn's CPU backend has it.
    #[must_use]
    pub fn burn_input(&self, x: &[f32]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(x.to_vec(), self.shape))
    }

    /// burn's answer.
    #[must_use]
    pub fn burn(&self, x: &FlexTensor) -> FlexTensor {
        let [kernel, stride, padding] =
            [self.kernel_size, self.stride, self.padding].map(|n| [n, n]);
        match self.operator {
            Operator::Max => Flex::max_pool2d(x.clone(), kernel, stride, padding, [1, 1], false),
            Operator::Average => Flex::avg_pool2d(x.clone(), kernel, stride, padding, true, false),
        }
    }

    /// The array as candle has it.
    ///
    /// # Errors
    /// candle's own.
    pub fn candle_input(&self, x: &[f32]) -> candle_core::Result<Tensor> {
        Tensor::from_slice(x, &self.shape, &Device::Cpu)
    }

    /// candle's answer. Its pooling has no padding, so zeros are put around the planes first,
    /// which no maximum of [`Self::input`] can be below.
    ///
    /// # Errors
    /// candle's own.
    pub fn candle(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let padded = match self.padding {
            0 => x.clone(),
            p => x.pad_with_zeros(2, p, p)?.pad_with_zeros(3, p, p)?,
        };
        match self.operator {
            Operator::Max => padded.max_pool2d_with_stride(self.kernel_size, self.stride),
            Operator::Average => padded.avg_pool2d_with_stride(self.kernel_size, self.stride),
        }
    }

    /// Checks that all libraries give the same: maxima exactly, averages to some units in the last
    /// place.
    ///
    /// # Panics
    /// When they do not.
    pub fn check(&self) {
        let x = self.input();
        let expected = self.poolnd(&x);
        let burn = self.burn(&self.burn_input(&x)).into_data();
        let candle = self.candle_input(&x).and_then(|x| self.candle(&x)).expect("candle pools");
        assert_eq!(candle.dims(), expected.shape(), "candle's shape of {}", self.name());
        let candle = candle.flatten_all().and_then(|y| y.to_vec1()).expect("candle's elements");
        assert_same(
            "burn",
            self,
            burn.as_slice::<f32>().expect("burn's elements"),
            expected.data(),
        );
        assert_same("candle", self, &candle, expected.data());
    }
}

fn assert_same(library: &str, problem: &Problem, got: &[f32], expected: &[f32]) {
    let tolerance = if problem.operator == Operator::Max { 0.0 } else { 4.0 * f32::EPSILON };
    assert_eq!(got.len(), expected.len(), "elements of {library} for {}", problem.name());
    let differ = got.iter().zip(expected).position(|(a, b)| (a - b).abs() > tolerance * b.abs());
    assert_eq!(differ, None, "where {library} differs for {}", problem.name());
}

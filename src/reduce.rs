//! The operations: what a window is reduced with, as zero-sized types.

use std::marker::PhantomData;

use crate::element::{Element, Ordered};
use crate::sums::Accumulator;

/// What the sum of a window is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Divisor {
    /// The number of elements the window has inside the array or its padding: PyTorch's
    /// `count_include_pad=True`.
    #[default]
    PaddedWindow,
    /// The number of elements the window has inside the array.
    Window,
    /// This number, which must not be zero: PyTorch's `divisor_override`.
    Fixed(i64),
}

impl Divisor {
    /// What the sum of a window is divided by, of which so many elements are
    /// [counted](crate::window::Axis::counted).
    #[inline(always)]
    pub(crate) fn of(self, counted: i64) -> i64 {
        match self {
            Self::Fixed(divisor) => divisor,
            _ => counted,
        }
    }
}

/// An associative reduction of elements `T`.
pub(crate) trait Reduce<T>: Copy + Send + Sync {
    /// What partial results are kept in.
    type Partial: Copy + Send + Sync + 'static;
    /// How a partial result becomes an element: the divisor of an average, nothing for a maximum.
    type Scale: Copy + Send + Sync;
    /// Whether meeting an element twice changes nothing.
    const IDEMPOTENT: bool;
    /// Whether an element of the same type as a partial result is one as it stands.
    const LOADS_AS_IS: bool;
    /// Whether kernels for special windows are worth their room.
    const COMMON: bool;
    /// Whether even large kernels are worth their room.
    const FREQUENT: bool;
    /// Whether [`combine_numbers`](Self::combine_numbers) takes less time than
    /// [`combine`](Self::combine).
    const PREFERS_NUMBERS: bool = false;

    /// Combined with anything, gives that.
    fn identity(self) -> Self::Partial;
    /// One element as a partial result.
    fn load(self, element: T) -> Self::Partial;
    /// Elements as partial results.
    #[inline(always)]
    fn load_tile<const L: usize>(self, elements: [T; L]) -> [Self::Partial; L]
    where
        T: Copy,
    {
        let mut loaded = [self.identity(); L];
        for l in 0..L {
            loaded[l] = self.load(elements[l]);
        }
        loaded
    }
    /// The result of both, `later` coming after `earlier` in the window.
    fn combine(self, earlier: Self::Partial, later: Self::Partial) -> Self::Partial;
    /// The result of both, if [`traced`](Self::traced) tells that neither stands for a NaN.
    fn combine_numbers(self, earlier: Self::Partial, later: Self::Partial) -> Self::Partial {
        self.combine(earlier, later)
    }
    /// A trace, at first an element, of what elements were met, for
    /// [`are_numbers`](Self::are_numbers).
    fn traced(self, trace: Self::Partial, _element: Self::Partial) -> Self::Partial {
        trace
    }
    /// Whether all elements of the trace are surely numbers.
    fn are_numbers(self, _trace: Self::Partial) -> bool {
        true
    }
    /// The scale for a window of `divisor` counted elements.
    fn scale(self, divisor: i64) -> Self::Scale;
    /// The element that a window's result stands for.
    fn finish(self, partial: Self::Partial, scale: Self::Scale) -> T;
    /// The elements that windows' results stand for.
    #[inline(always)]
    fn finish_tile<const L: usize>(
        self,
        partials: [Self::Partial; L],
        scales: [Self::Scale; L],
    ) -> [T; L]
    where
        T: Copy + Default,
    {
        let mut results = [T::default(); L];
        for l in 0..L {
            results[l] = self.finish(partials[l], scales[l]);
        }
        results
    }
}

/// The result of both, by the shorter way for numbers.
#[inline(always)]
pub(crate) fn combine<T, R: Reduce<T>, const NUMBERS: bool>(
    reduce: R,
    earlier: R::Partial,
    later: R::Partial,
) -> R::Partial {
    match NUMBERS {
        true => reduce.combine_numbers(earlier, later),
        false => reduce.combine(earlier, later),
    }
}

/// The largest element; a NaN wins, the first of equals stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maximum;

impl<T: Element> Reduce<T> for Maximum {
    type Partial = T::Ordered;
    type Scale = ();
    const IDEMPOTENT: bool = true;
    const LOADS_AS_IS: bool = true;
    const COMMON: bool = true;
    const FREQUENT: bool = T::FREQUENT;
    const PREFERS_NUMBERS: bool = T::Ordered::HAS_NAN;

    #[inline(always)]
    fn identity(self) -> T::Ordered {
        T::Ordered::LOWEST
    }

    #[inline(always)]
    fn load(self, element: T) -> T::Ordered {
        element.to_ordered()
    }

    #[inline(always)]
    fn combine(self, earlier: T::Ordered, later: T::Ordered) -> T::Ordered {
        earlier.larger(later)
    }

    #[inline(always)]
    fn combine_numbers(self, earlier: T::Ordered, later: T::Ordered) -> T::Ordered {
        earlier.larger_number(later)
    }

    #[inline(always)]
    fn traced(self, trace: T::Ordered, element: T::Ordered) -> T::Ordered {
        trace.traced(element)
    }

    #[inline(always)]
    fn are_numbers(self, trace: T::Ordered) -> bool {
        !trace.is_nan()
    }

    #[inline(always)]
    fn scale(self, _divisor: i64) {}

    #[inline(always)]
    fn finish(self, partial: T::Ordered, (): ()) -> T {
        T::from_ordered(partial)
    }
}

/// The sum of the elements over a divisor, summed in `A`.
#[derive(Debug)]
pub(crate) struct Average<A>(PhantomData<A>);

impl<A> Average<A> {
    pub(crate) const NEW: Self = Self(PhantomData);
}

impl<A> Clone for Average<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Average<A> {}

impl<T: Element, A: Accumulator<T>> Reduce<T> for Average<A> {
    type Partial = A;
    type Scale = A::Scale;
    const IDEMPOTENT: bool = false;
    const LOADS_AS_IS: bool = true;
    const COMMON: bool = A::COMMON;
    // Wider sums are for windows that no large kernel is for.
    const FREQUENT: bool = A::COMMON && T::FREQUENT && size_of::<A>() <= 2 * size_of::<T>();

    #[inline(always)]
    fn identity(self) -> A {
        A::ZERO
    }

    #[inline(always)]
    fn load(self, element: T) -> A {
        A::load(element)
    }

    #[inline(always)]
    fn load_tile<const L: usize>(self, elements: [T; L]) -> [A; L] {
        // SAFETY: averages take their sums at levels that those are for.
        unsafe { A::load_tile(elements) }
    }

    #[inline(always)]
    fn combine(self, earlier: A, later: A) -> A {
        earlier.plus(later)
    }

    #[inline(always)]
    fn scale(self, divisor: i64) -> A::Scale {
        A::scale(divisor)
    }

    #[inline(always)]
    fn finish(self, partial: A, scale: A::Scale) -> T {
        partial.finish(scale)
    }

    #[inline(always)]
    fn finish_tile<const L: usize>(self, partials: [A; L], scales: [A::Scale; L]) -> [T; L] {
        // SAFETY: as above.
        unsafe { A::finish_tile(partials, scales) }
    }
}

/// The root of the mean square, times the root of the kernel's volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Square {
    pub(crate) kernel_volume: f64,
}

/// The `norm_type`-th root of the mean `norm_type`-th power times the kernel's volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Power {
    pub(crate) norm_type: f64,
    pub(crate) kernel_volume: f64,
}

/// A reduction by the sum of `$power` of the elements, finished by `$root`.
macro_rules! power_sum {
    ($type:ty, $common:expr, $frequent:expr, |$self:ident, $x:ident| $power:expr,
     |$sum:ident| $root:expr) => {
        impl<T: Element> Reduce<T> for $type
        where
            f64: Accumulator<T>,
        {
            type Partial = f64;
            type Scale = f64;
            const IDEMPOTENT: bool = false;
            const LOADS_AS_IS: bool = false;
            const COMMON: bool = $common;
            const FREQUENT: bool = $frequent;

            #[inline(always)]
            fn identity(self) -> f64 {
                0.0
            }

            #[inline(always)]
            fn load($self, element: T) -> f64 {
                let $x = <f64 as Accumulator<T>>::load(element);
                $power
            }

            #[inline(always)]
            fn combine(self, earlier: f64, later: f64) -> f64 {
                earlier + later
            }

            #[inline(always)]
            fn scale(self, divisor: i64) -> f64 {
                self.kernel_volume / divisor as f64
            }

            #[inline(always)]
            fn finish($self, partial: f64, scale: f64) -> T {
                // A mean of zero is positive, so that its negative powers are too.
                let $sum = partial * scale + 0.0;
                let one = <f64 as Accumulator<T>>::scale(1);
                <f64 as Accumulator<T>>::finish($root, one)
            }
        }
    };
}

power_sum!(
    Square,
    size_of::<T>() == size_of::<f32>(),
    T::FREQUENT && size_of::<T>() == size_of::<f32>(),
    |self, x| x * x,
    |sum| sum.sqrt()
);
power_sum!(Power, false, false, |self, x| power(x, self.norm_type), |sum| power(
    sum,
    1.0 / self.norm_type
));

/// `x^p`, where PyTorch takes square roots for `p` of one half: they differ at minus infinity.
fn power(x: f64, p: f64) -> f64 {
    if p == 0.5 { x.sqrt() } else { x.powf(p) }
}

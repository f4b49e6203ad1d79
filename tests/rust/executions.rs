//! The ways to execute a call that must not change its result.

use poolnd::{Execution, Level};

/// Every instruction set of this processor, with results written as usual and streamed.
pub(crate) fn executions() -> impl Iterator<Item = Execution<'static>> {
    Level::available().into_iter().flat_map(|level| {
        let single = Execution::single_threaded().level(level);
        [single.streamed_from(usize::MAX), single.streamed_from(0)]
    })
}

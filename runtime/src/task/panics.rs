//! Panics that nobody waits for.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code of a user that nobody waits for: the panic hook has told of a panic. Its payload may panic as well when it is dropped, and that one's
/// too: as this could go on for ever, the tenth is leaked.
pub(super) fn swallow_panic(body: impl FnOnce()) {
    let mut caught = catch_unwind(AssertUnwindSafe(body));
    for _ in 1..10 {
        let Err(payload) = caught else { return };
        caught = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    }
    std::mem::forget(caught);
}

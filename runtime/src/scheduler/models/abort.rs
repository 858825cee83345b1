//! Aborts at any moment, and polls that panic.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Count, check, runtime};
use crate::primitives::executor::{one_in, thread};
use crate::sync::oneshot;

/// A future that says when it is polled by two at a time, after its end, or dropped twice.
struct Watched {
    polled: Count,
    left: Count,
    dropped: Count,
    receiver: oneshot::Receiver<()>,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert_eq!(self.polled.get(), self.left.get(), "one poll at a time");
        assert_eq!(self.dropped.get(), 0, "no poll after the end");
        self.polled.add();
        thread::yield_now();
        if one_in(3) {
            cx.waker().wake_by_ref();
        }
        let polled = Pin::new(&mut self.receiver).poll(cx);
        self.left.add();
        polled.map(drop)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        assert_eq!(self.polled.get(), self.left.get(), "not dropped while it is polled");
        assert_eq!(self.dropped.get(), 0, "dropped once");
        self.dropped.add();
    }
}

#[test]
fn an_abort_at_any_moment_drops_the_future_once() {
    check(|| {
        let runtime = runtime();
        let dropped: Vec<Count> = (0..3).map(|_| Count::default()).collect();
        let mut tasks = Vec::new();
        for dropped in &dropped {
            let (sender, receiver) = oneshot::channel();
            let future = Watched { polled: Count::default(), left: Count::default(), dropped: dropped.clone(), receiver };
            tasks.push((runtime.spawn(future), sender));
        }
        let aborts: Vec<_> = tasks.iter().map(|(handle, _)| handle.abort_handle()).collect();
        let aborting = thread::spawn(move || aborts.iter().for_each(crate::task::AbortHandle::abort));
        let mut handles = Vec::new();
        for (handle, sender) in tasks {
            // The receiver may be gone already.
            let _ = sender.send(());
            handles.push(handle);
        }
        let kept = if one_in(2) { handles.pop() } else { None };
        drop(kept);
        runtime.block_on(async move {
            for handle in handles {
                if let Err(error) = handle.await {
                    assert!(error.is_cancelled(), "{error}");
                }
            }
        });
        aborting.join().expect("no panic");
        drop(runtime);
        assert!(dropped.iter().all(|dropped| dropped.get() == 1));
    });
}

/// Panics in its second poll; without a hook, so that shuttle does not take it for the end of the model.
struct Panics(bool);

impl Future for Panics {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn a_panic_in_a_poll_is_its_handles_alone() {
    check(|| {
        let runtime = runtime();
        let panicking: Vec<_> = (0..2).map(|_| runtime.spawn(Panics(one_in(2)))).collect();
        let sound = runtime.spawn(async { 7 });
        runtime.block_on(async move {
            for handle in panicking {
                assert!(handle.await.expect_err("it panics").is_panic());
            }
            assert_eq!(sound.await.expect("it does not panic"), 7);
        });
    });
}

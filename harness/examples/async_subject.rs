//! An async application of your own as a subject: `--subject mine=target/release/examples/async_subject` with `[scenario.custom]`.
use std::process::ExitCode;
use std::time::Duration;

use zokio_bench::subject::serve::serve_async;

/// The application: an order goes to a cook, who takes a millisecond.
async fn order(table: u32) -> Option<u32> {
    let cook = zokio::spawn(async move {
        zokio::time::sleep(Duration::from_millis(1)).await;
        table
    });
    cook.await.ok()
}

fn main() -> ExitCode {
    // An operation holds when the meal comes to the table that ordered it.
    serve_async("mine", |table| async move { order(table).await == Some(table) })
}

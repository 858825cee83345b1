//! tokio as zokio-bench itself runs it, in an executable whose global allocator is mimalloc.

use std::process::ExitCode;

use zokio_bench::subject::serve::serve;
use zokio_bench::subject::tokio::{Tokio, TokioCt};
use zokio_bench::subject::variant::OtherAllocator;

/// As in `Cargo.toml`; default settings, without the secure mode.
const ALLOCATOR: &str = "mimalloc 0.1.52";

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    serve(&[
        &OtherAllocator { subject: &Tokio, name: "tokio-mimalloc", allocator: ALLOCATOR },
        &OtherAllocator { subject: &TokioCt, name: "tokio-ct-mimalloc", allocator: ALLOCATOR },
    ])
}

//! Does nothing, once through the driver: for tests and for measuring the driver's own cost.

use std::io;

use super::{Interest, Operation, SharedSocket};

/// See the module page.
#[derive(Debug)]
pub(crate) struct Nop;

impl Operation for Nop {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        io_uring::opcode::Nop::new().build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        Ok(0)
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result.map(drop)
    }
}

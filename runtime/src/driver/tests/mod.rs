//! The driver without a scheduler: one thread, a loop of poll and turn. Every story is told for each driver.

mod cancel;
mod cost;
mod echo;
mod exchange;
mod executor;
mod fallback;
mod files;
mod files_lost;
mod limits;
mod pipe;
mod send_file;
mod sockets_lost;
mod threads;
mod udp;
mod unix;
mod unix_datagrams;
mod vectored;

use super::{DriverConfig, IoDriver};

/// Tells one story for io_uring, epoll and the `polling` crate.
macro_rules! for_each_driver {
    ($($story:ident)*) => {$(
        mod $story {
            #[test]
            fn uring() {
                super::$story(&crate::driver::tests::uring());
            }
            #[test]
            fn epoll() {
                super::$story(&crate::driver::tests::epoll());
            }
            #[test]
            fn portable() {
                super::$story(&crate::driver::tests::portable());
            }
        }
    )*};
}
use for_each_driver;

/// io_uring, or a failure: a machine without it cannot run these tests.
pub(super) fn uring() -> DriverConfig {
    DriverConfig { choice: IoDriver::IoUring, queue_depth: 64, ..DriverConfig::default() }
}

/// A ring of a kernel that knows sockets only.
fn uring_without_files() -> DriverConfig {
    use io_uring::opcode::{Fallocate, Fsync, Ftruncate, MkDirAt, OpenAt, Read, Readv, RenameAt, Splice, Statx, UnlinkAt, Write, Writev};
    const HIDDEN: [u8; 13] = [
        Fallocate::CODE,
        Fsync::CODE,
        Ftruncate::CODE,
        MkDirAt::CODE,
        OpenAt::CODE,
        Read::CODE,
        Readv::CODE,
        RenameAt::CODE,
        Splice::CODE,
        Statx::CODE,
        UnlinkAt::CODE,
        Write::CODE,
        Writev::CODE,
    ];
    DriverConfig { hidden: &HIDDEN, ..uring() }
}

/// Our own selector.
pub(super) fn epoll() -> DriverConfig {
    DriverConfig { choice: IoDriver::Polling, ..DriverConfig::default() }
}

/// The selector of other platforms.
pub(super) fn portable() -> DriverConfig {
    DriverConfig { portable: true, ..epoll() }
}

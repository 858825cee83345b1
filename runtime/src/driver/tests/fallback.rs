//! Kernels that refuse io_uring, or some of its flags.
#![expect(unsafe_code, reason = "installs a seccomp filter")]

use super::echo::{echo, pair};
use super::executor::Executor;
use super::{epoll, uring};
use crate::driver::{Driver, DriverConfig, DriverKind, IoDriver};

/// Runs `body` on a thread that the kernel answers `errno` when it asks for a ring.
fn denied<T: Send + 'static>(errno: i32, body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        install_filter(errno);
        body()
    });
    thread.join().expect("no panic")
}

/// Answers `io_uring_setup` with `errno` on this thread, for ever.
fn install_filter(errno: i32) {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        // The number of the system call is the first word of the data.
        step(LOAD_WORD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, libc::SYS_io_uring_setup as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: takes no pointer.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the program outlives the call, which copies it.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) }, 0);
}

fn converse(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        executor.spawn(echo(accepted));
        connecting.write_all("hello").await.0.expect("a write");
        assert_eq!(connecting.read_exact(vec![0; 5]).await.1, b"hello");
    });
    executor.run_all();
}

#[test]
fn a_denied_ring_falls_back_to_polling_and_says_why() {
    for (errno, name) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS"), (libc::EACCES, "EACCES")] {
        denied(errno, move || {
            let auto = DriverConfig::default();
            let (driver, _remote) = Driver::new(&auto).expect("polling is always possible");
            let report = driver.report();
            assert_eq!((report.kind, report.flags.as_str()), (DriverKind::Epoll, ""));
            let reason = report.reason.as_deref().expect("a reason");
            assert!(reason.starts_with(&format!("io_uring: {name}: ")), "{reason}");
            assert_eq!(report.to_string(), format!("epoll ({reason})"));
            converse(&auto);
        });
    }
}

#[test]
fn a_demanded_ring_that_is_denied_is_an_error_with_a_remedy() {
    denied(libc::EPERM, || {
        let error = Driver::new(&uring()).expect_err("denied");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("sysctl -w kernel.io_uring_disabled=0"), "{error}");
        assert!(error.to_string().contains("choose the polling driver"), "{error}");
    });
}

#[test]
fn polling_on_demand_needs_no_reason() {
    let (driver, _remote) = Driver::new(&epoll()).expect("a driver");
    assert_eq!((driver.report().kind, &driver.report().reason), (DriverKind::Epoll, &None));
    assert_eq!(driver.report().to_string(), "epoll");
}

#[test]
fn every_rung_of_the_ladder_works() {
    // (first rung, what its flags begin with)
    for (first_rung, flags) in [(0, "SINGLE_ISSUER"), (1, "SINGLE_ISSUER"), (2, "COOP_TASKRUN"), (3, "no flags")] {
        let config = DriverConfig { first_rung, ..uring() };
        let (driver, _remote) = Driver::new(&config).expect("a driver");
        assert_eq!(driver.report().kind, DriverKind::IoUring);
        assert!(driver.report().flags.starts_with(flags), "rung {first_rung}: {}", driver.report().flags);
        assert!(driver.report().flags.ends_with("64 entries"), "{}", driver.report().flags);
        drop(driver);
        converse(&config);
    }
}

#[test]
fn later_workers_follow_the_first() {
    let mut config = DriverConfig::default();
    let (driver, _remote) = Driver::new(&epoll()).expect("a driver");
    config.follow(driver.report());
    assert_eq!(config.choice, IoDriver::Polling);
    let (driver, _remote) = Driver::new(&uring()).expect("a driver");
    config.follow(driver.report());
    assert_eq!(config.choice, IoDriver::IoUring);
}

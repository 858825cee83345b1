//! A hostile system and hostile neighbours: threads refused, forks, more workers than CPUs, polls that take too long.
#![cfg(target_os = "linux")]

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

#[path = "support/watchdog.rs"]
mod watchdog;

use watchdog::watchdog;
use zokio::Builder;
use zokio::time::sleep;

/// A runtime with so many workers.
fn runtime(workers: usize) -> zokio::Runtime {
    Builder::new().worker_threads(workers).build().expect("a runtime")
}

/// Says to a test that it is the child of another one.
const CHILD: &str = "ZOKIO_FAULTS_CHILD";

/// Runs the ignored test `name` in a process of its own; what it wrote.
fn run_child(name: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() > Duration::from_secs(40) => {
                child.kill().unwrap();
                panic!("`{name}` hangs");
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(status.success(), "`{name}` ended with {status}:\n{output}");
    output
}

fn set_thread_limit(limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: libc::RLIM_INFINITY };
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: points to a structure of this frame.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &raw mut old) }, 0);
    let limit = libc::rlimit { rlim_max: old.rlim_max, rlim_cur: limit.rlim_cur.min(old.rlim_max) };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) }, 0);
}

/// Threads of this process.
fn threads() -> u64 {
    std::fs::read_dir("/proc/self/task").unwrap().count() as u64
}

#[test]
#[ignore = "changes its process; run by `a_refused_thread_is_an_error_and_no_hang`"]
fn child_with_few_threads() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let _limit = watchdog("a runtime without threads");
    // The limit counts all threads of a user and does not bind root: where this is root it becomes a user that has nothing else.
    // SAFETY: takes an integer.
    let is_alone = unsafe { libc::geteuid() } == 0 && {
        // SAFETY: as above.
        unsafe { libc::setresuid(54_321, 54_321, 54_321) == 0 }
    };
    let (mut refused, mut built) = (0, 0);
    for allowed in 0..if is_alone { 6 } else { 1 } {
        let before = threads();
        set_thread_limit(if is_alone { before + allowed } else { 0 });
        match Builder::new().worker_threads(4).build() {
            Ok(runtime) => {
                assert!(allowed >= 4);
                built += 1;
                if allowed == 4 {
                    // No thread is left for blocking work: said at once, by a panic of whoever asks.
                    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(runtime.spawn_blocking(|| ()))));
                    assert!(refused.is_err());
                } else {
                    runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
                }
                runtime.block_on(runtime.spawn(sleep(Duration::from_millis(1)))).unwrap();
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
                refused += 1;
            }
        }
        let began = Instant::now();
        while threads() > before {
            assert!(began.elapsed() < Duration::from_secs(10), "threads are left");
            thread::sleep(Duration::from_millis(1));
        }
    }
    println!("refused {refused} built {built}");
}

#[test]
fn a_refused_thread_is_an_error_and_no_hang() {
    let _limit = watchdog("threads refused");
    let output = run_child("child_with_few_threads");
    // SAFETY: takes nothing.
    let expected = if unsafe { libc::geteuid() } == 0 { "refused 4 built 2" } else { "refused 1 built 0" };
    assert!(output.contains(expected), "{output}");
}

/// Forks; the child does nothing but exec `true`. Its exit code.
fn fork_and_exec() -> i32 {
    let path = c"/bin/true";
    let arguments = [path.as_ptr(), std::ptr::null()];
    // SAFETY: the child calls nothing that is not safe after a fork.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: a null-terminated list of strings that live until then.
        unsafe { libc::execv(path.as_ptr(), arguments.as_ptr()) };
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(99) };
    }
    assert!(pid > 0);
    let mut status = 0;
    // SAFETY: our child, and a status of this frame.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 }
}

#[test]
fn a_process_with_a_runtime_forks_and_both_go_on() {
    let _limit = watchdog("fork and exec");
    let runtime = runtime(2);
    let (stop, ticks) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (stop, ticks) = (stop.clone(), ticks.clone());
            runtime.spawn(async move {
                while stop.load(Ordering::Relaxed) == 0 {
                    sleep(Duration::from_micros(300)).await;
                    ticks.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let echo = runtime.spawn(async move {
        let listener = zokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = zokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = listener.accept().await.unwrap().0;
        for round in 0..300_u32 {
            client.write_all(round.to_ne_bytes().to_vec()).await.0.unwrap();
            let (read, data) = server.read(vec![0; 4]).await;
            assert_eq!((read.unwrap(), data), (4, round.to_ne_bytes().to_vec()));
            sleep(Duration::from_micros(200)).await;
        }
    });
    for round in 0..10 {
        let before = ticks.load(Ordering::Relaxed);
        assert_eq!(fork_and_exec(), 0);
        let inside = runtime.spawn_blocking(|| Command::new("/bin/true").status().unwrap().success());
        assert!(runtime.block_on(inside).unwrap(), "round {round}");
        while ticks.load(Ordering::Relaxed) < before + 20 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    runtime.block_on(echo).unwrap();
    stop.store(1, Ordering::Relaxed);
    tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
}

#[test]
fn sixty_four_workers_on_few_cpus_run_everything_and_end() {
    let _limit = watchdog("64 workers");
    let runtime = runtime(64);
    let polls = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..640_usize)
        .map(|index| {
            let polls = polls.clone();
            let body = async move {
                for step in 0..20 {
                    polls.fetch_add(1, Ordering::Relaxed);
                    match (index + step) % 3 {
                        0 => zokio::task::yield_now().await,
                        1 => sleep(Duration::from_micros(200)).await,
                        _ => zokio::spawn(async {}).await.unwrap(),
                    }
                }
            };
            if index % 2 == 0 { runtime.spawn(body) } else { runtime.spawn_on(index, body) }
        })
        .collect();
    tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
    assert_eq!(polls.load(Ordering::Relaxed), 640 * 20);
    drop(runtime);
}

/// Does not return for so long.
fn hold_the_worker(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn a_long_poll_on_one_worker_stops_nobody_elses_timers_wakes_and_pinned_tasks() {
    let _limit = watchdog("long polls");
    const LONG: Duration = Duration::from_millis(50);
    for held in [0_usize, 1] {
        let runtime = runtime(2);
        let (is_held, rounds) = (Arc::new(AtomicUsize::new(0)), 20);
        let counter = is_held.clone();
        let holder = runtime.spawn_on(held, async move {
            for _ in 0..rounds {
                counter.fetch_add(1, Ordering::SeqCst);
                hold_the_worker(LONG);
                zokio::task::yield_now().await;
            }
            counter.store(usize::MAX, Ordering::SeqCst);
        });
        // A timer and a task of the other worker, and a task that a thread wakes.
        let other = 1 - held;
        let pinned = runtime.spawn_on(other, {
            let is_held = is_held.clone();
            async move {
                let mut turns = 0_u64;
                while is_held.load(Ordering::SeqCst) != usize::MAX {
                    let before = Instant::now();
                    sleep(Duration::from_millis(1)).await;
                    assert!(before.elapsed() >= Duration::from_millis(1));
                    turns += 1;
                }
                turns
            }
        });
        let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
        let (seen, state) = (kept.clone(), is_held.clone());
        let mut polls = 0_u64;
        let woken = runtime.spawn(std::future::poll_fn(move |cx| {
            polls += 1;
            if state.load(Ordering::SeqCst) == usize::MAX {
                return Poll::Ready(polls);
            }
            *seen.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        }));
        while !woken.is_finished() {
            let waker = kept.lock().unwrap().take();
            waker.into_iter().for_each(Waker::wake);
            thread::sleep(Duration::from_millis(1));
        }
        runtime.block_on(holder).unwrap();
        let (turns, polls) = (runtime.block_on(pinned).unwrap(), runtime.block_on(woken).unwrap());
        // One turn in each long poll would be as good as stopped; a busy host leaves a fifth of the time at least.
        assert!(turns > 4 * rounds && polls > 4 * rounds, "{turns} turns and {polls} wakes in {rounds} long polls");
    }
}

#[test]
fn long_polls_on_every_worker_at_once_delay_and_lose_nothing() {
    let _limit = watchdog("long polls everywhere");
    let runtime = runtime(2);
    let holders: Vec<_> = (0..2)
        .map(|worker| {
            runtime.spawn_on(worker, async {
                for _ in 0..6 {
                    hold_the_worker(Duration::from_millis(50));
                    zokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let count = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|index| {
            let count = count.clone();
            let body = async move {
                sleep(Duration::from_millis(1 + index as u64 % 20)).await;
                count.fetch_add(1, Ordering::Relaxed);
            };
            if index % 2 == 0 { runtime.spawn(body) } else { runtime.spawn_on(index, body) }
        })
        .collect();
    tasks.into_iter().chain(holders).for_each(|task| runtime.block_on(task).unwrap());
    assert_eq!(count.load(Ordering::Relaxed), 200);
}

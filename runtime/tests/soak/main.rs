//! Everything at once, for a long time: `ZOKIO_SOAK=10m cargo test --release -p zokio --test soak -- --nocapture`; without the variable, three seconds.
//!
//! Each part does rounds of its work and checks what comes of them. A part whose count stands still for ten seconds is named, and the process
//! aborted: a lost wake or a lost task. Memory, descriptors and threads are sampled; what they are at least in the last quarter must be what they
//! are at least in the second one, within a slack.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use zokio::task::JoinHandle;

mod host;
mod lives;
mod parts;
mod random;

use host::Samples;

/// What a part panics with where a panic is its work; such panics are not printed.
const ON_PURPOSE: &str = "soak: on purpose";
/// A part whose count stands still for so long has lost something. Rounds take milliseconds, and a second on a busy host under a sanitizer.
const STANDSTILL: Duration = Duration::from_secs(10);

/// What a part has done, and when the end has come.
struct Part {
    name: &'static str,
    done: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Part {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn count(&self, operations: u64) {
        self.done.fetch_add(operations, Ordering::Relaxed);
    }
}

/// Reads `ZOKIO_SOAK`: a number with `s`, `m` or `h`.
fn length() -> Duration {
    let Ok(text) = std::env::var("ZOKIO_SOAK") else { return Duration::from_secs(3) };
    let (number, seconds) = match text.chars().last() {
        Some('s') => (&text[..text.len() - 1], 1),
        Some('m') => (&text[..text.len() - 1], 60),
        Some('h') => (&text[..text.len() - 1], 3_600),
        _ => (&text[..], 1),
    };
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("ZOKIO_SOAK is a length like 90s, 10m or 1h, not `{text}`"));
    Duration::from_secs(number * seconds)
}

/// The parts, and the counts of the last look.
struct Watch {
    parts: Vec<Arc<Part>>,
    seen: Vec<(u64, Instant)>,
}

impl Watch {
    fn new(parts: Vec<Arc<Part>>) -> Self {
        let seen = vec![(0, Instant::now()); parts.len()];
        Self { parts, seen }
    }

    /// Aborts when a part that `is_running` stands still: it could not be stopped, and what hangs is best seen in a core dump.
    fn look(&mut self, is_running: impl Fn(usize) -> bool) {
        for (index, (part, seen)) in self.parts.iter().zip(&mut self.seen).enumerate() {
            let done = part.done.load(Ordering::Relaxed);
            if done != seen.0 {
                *seen = (done, Instant::now());
            } else if is_running(index) && seen.1.elapsed() > STANDSTILL {
                eprintln!("soak: `{}` stands still after {done} operations: a task or a wake was lost", part.name);
                std::process::abort();
            }
        }
    }
}

fn quiet_panics_on_purpose() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&ON_PURPOSE) {
            loud(info);
        }
    }));
}

/// Starts `work` as a task that does rounds until the end.
macro_rules! part {
    ($parts:ident, $handles:ident, $runtime:ident, $stop:ident, $name:literal, $round:path) => {{
        let part = Arc::new(Part { name: $name, done: AtomicU64::new(0), stop: $stop.clone() });
        $parts.push(part.clone());
        let mut random = random::Random::new($parts.len() as u64);
        $handles.push($runtime.spawn(async move {
            while !part.is_over() {
                let operations = $round(&mut random).await;
                part.count(operations);
            }
        }));
    }};
}

#[test]
fn everything_at_once_for_a_long_time() {
    quiet_panics_on_purpose();
    let (length, stop) = (length(), Arc::new(AtomicBool::new(false)));
    let runtime = zokio::Builder::new().worker_threads(4).thread_name("soak").build().expect("a runtime");
    let (mut parts, mut handles): (Vec<Arc<Part>>, Vec<JoinHandle<()>>) = (Vec::new(), Vec::new());
    part!(parts, handles, runtime, stop, "spawn and abort", parts::tasks);
    part!(parts, handles, runtime, stop, "join sets", parts::join_sets);
    part!(parts, handles, runtime, stop, "channels", parts::channels);
    part!(parts, handles, runtime, stop, "semaphores", parts::semaphores);
    part!(parts, handles, runtime, stop, "pools", parts::pools);
    part!(parts, handles, runtime, stop, "timers", parts::timers);
    part!(parts, handles, runtime, stop, "blocking closures", parts::blocking);
    part!(parts, handles, runtime, stop, "panics", parts::panics);
    part!(parts, handles, runtime, stop, "tcp", lives::tcp);
    part!(parts, handles, runtime, stop, "files", lives::files);
    part!(parts, handles, runtime, stop, "wakes from threads", lives::foreign_wakes);
    part!(parts, handles, runtime, stop, "runtimes", lives::runtimes);

    let (began, mut watch, mut samples) = (Instant::now(), Watch::new(parts.clone()), Samples::default());
    let pause = (length / 400).clamp(Duration::from_millis(5), Duration::from_millis(500));
    while began.elapsed() < length && handles.iter().all(|handle| !handle.is_finished()) {
        std::thread::sleep(pause);
        samples.take(began.elapsed());
        watch.look(|_| true);
    }
    let measured = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    while handles.iter().any(|handle| !handle.is_finished()) {
        std::thread::sleep(Duration::from_millis(5));
        watch.look(|index| !handles[index].is_finished());
    }
    let mut faults = Vec::new();
    println!("{:<20} {:>12} {:>12}", "part", "operations", "a second");
    for (part, handle) in parts.iter().zip(handles) {
        let done = part.done.load(Ordering::Relaxed);
        println!("{:<20} {done:>12} {:>12.0}", part.name, done as f64 / measured.as_secs_f64());
        if let Err(error) = runtime.block_on(handle) {
            faults.push(format!("{}: {error}", part.name));
        } else if done == 0 {
            faults.push(format!("{}: nothing was done", part.name));
        }
    }
    drop(runtime);
    samples.judge(measured, &mut faults);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    println!("{:.1} s without a fault", measured.as_secs_f64());
}

//! temporary shim
use serde::{Deserialize, Serialize};
use std::{
    io,
    sync::{Arc, Condvar, Mutex},
    task::Waker,
    time::Duration,
};
/// x
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IoDriver {
    /// a
    #[default]
    Auto,
    /// b
    IoUring,
    /// c
    Polling,
}
/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// a
    Epoll,
}
/// x
#[derive(Clone, Debug)]
pub struct DriverReport {
    /// k
    pub kind: DriverKind,
    /// r
    pub reason: Option<String>,
}
#[derive(Clone, Debug)]
pub(crate) struct DriverConfig {}
impl From<&crate::RuntimeConfig> for DriverConfig {
    fn from(_: &crate::RuntimeConfig) -> Self {
        Self {}
    }
}
impl DriverConfig {
    pub(crate) fn follow(&mut self, _: &DriverReport) {}
}
pub(crate) enum Wait {
    No,
    For(Duration),
    Forever,
}
#[derive(Debug)]
pub(crate) struct Remote {
    state: Mutex<bool>,
    cv: Condvar,
}
#[derive(Default)]
pub(crate) struct C {
    pub enters: u64,
    pub submitted: u64,
    pub completed: u64,
}
impl Remote {
    pub(crate) fn unpark(&self) {
        *self.state.lock().unwrap() = true;
        self.cv.notify_one();
    }
    pub(crate) fn counters(&self) -> C {
        C::default()
    }
}
#[derive(Debug)]
pub(crate) struct Driver {
    r: Arc<Remote>,
    report: DriverReport,
}
impl Driver {
    pub(crate) fn new(_: &DriverConfig) -> io::Result<(Self, Arc<Remote>)> {
        let r = Arc::new(Remote { state: Mutex::new(false), cv: Condvar::new() });
        Ok((Self { r: r.clone(), report: DriverReport { kind: DriverKind::Epoll, reason: None } }, r))
    }
    pub(crate) fn report(&self) -> &DriverReport {
        &self.report
    }
    pub(crate) fn needs_turn(&self) -> bool {
        false
    }
    pub(crate) fn turn(&mut self, w: Wait, _: &mut Vec<Waker>) -> io::Result<usize> {
        let mut g = self.r.state.lock().unwrap();
        match w {
            Wait::No => {}
            Wait::For(d) => {
                if !*g {
                    g = self.r.cv.wait_timeout(g, d).unwrap().0;
                }
            }
            Wait::Forever => {
                while !*g {
                    g = self.r.cv.wait(g).unwrap();
                }
            }
        }
        *g = false;
        Ok(0)
    }
    pub(crate) fn shut_down(&mut self) {}
}
pub(crate) mod context {
    pub(crate) fn enter_local<R>(_: &std::cell::RefCell<super::Driver>, _: &std::sync::Arc<super::Remote>, f: impl FnOnce() -> R) -> R {
        f()
    }
    pub(crate) fn enter_remote<R>(_: &std::sync::Arc<super::Remote>, f: impl FnOnce() -> R) -> R {
        f()
    }
}

//! One user that reads, writes or copies.

use std::sync::Arc;

use super::{FileSite, WholeFiles};
use crate::measure::file_set::{Fault, Keeper};
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::subject::body::site::BACK_OFF;
use crate::workload::file::{FileMode, Turn, Via};

struct User<'a, S: WholeFiles> {
    site: &'a FileSite,
    contents: &'a [S::Shared],
    keeper: Keeper<'a>,
    buffer: Vec<u8>,
}

/// One user, from its first file to its last; then all it has written is read back.
pub(super) async fn user<S: WholeFiles>(site: Arc<FileSite>, contents: Arc<[S::Shared]>, number: u32) {
    let control = &site.control;
    let mut user = User::<S> { site: &site, contents: &contents, keeper: site.files().keeper(number, site.users), buffer: Vec::new() };
    control.user_ready();
    control.gate().wait().await;
    while !control.is_draining() {
        let turn = user.keeper.begin();
        let damages = control.takes_corruption(number);
        match user.operation(turn, damages).await {
            Ok(service_ns) => recorder::with(control, |recorder| recorder.success(service_ns, site.workload.size)),
            Err((class, errno)) => {
                recorder::with(control, |recorder| recorder.failure(class, errno));
                if class != ErrorClass::Mismatch {
                    S::sleep(BACK_OFF).await;
                }
            }
        }
        if damages {
            user.keeper.repair(turn);
        }
    }
    if let Err(failure) = user.keeper.finish() {
        control.fail(failure);
    }
    control.user_done();
}

impl<S: WholeFiles> User<'_, S> {
    /// One file, judged; how long the runtime took for it.
    async fn operation(&mut self, turn: Turn, damages: bool) -> Result<u64, Fault> {
        self.keeper.prepare(turn, damages)?;
        let start = now_ns();
        let done = self.runtime_operation(turn).await;
        let service_ns = now_ns() - start;
        match (done, self.site.workload.mode) {
            (Err(fault), _) => {
                self.keeper.forget(turn);
                return Err(fault);
            }
            (Ok(()), FileMode::Read) => self.keeper.judge_read(turn, &self.buffer)?,
            (Ok(()), _) => self.keeper.judge_written(turn, damages)?,
        }
        Ok(service_ns)
    }

    async fn runtime_operation(&mut self, turn: Turn) -> Result<(), Fault> {
        let files = self.keeper.files();
        let workload = &self.site.workload;
        match workload.mode {
            FileMode::Read | FileMode::Transfer => {
                let (read, buffer) = S::read_file(files.source(turn.file), std::mem::take(&mut self.buffer)).await;
                self.buffer = buffer;
                read.map_err(|error| (ErrorClass::Read, error.raw_os_error()))
            }
            FileMode::Write => {
                let written = S::write_file(files.target(turn.file), &self.contents[turn.written() as usize], workload.fsync).await;
                written.map_err(|error| (ErrorClass::Write, error.raw_os_error()))
            }
            FileMode::Copy => {
                let via = workload.via.unwrap_or(Via::CopyFileRange);
                let copied = S::copy_file(files.source(turn.source), files.target(turn.file), via).await;
                let copied = copied.map_err(|error| (ErrorClass::Write, error.raw_os_error()))?;
                if copied == workload.size { Ok(()) } else { Err((ErrorClass::Mismatch, None)) }
            }
        }
    }
}

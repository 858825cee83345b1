//! Files over TCP: a user asks for one after the other and judges what comes; the server opens, sends and closes them.

use std::net::SocketAddr;

use sha2::{Digest as _, Sha256};
use zokio_report::schema::journal::Failure;

use super::{FileSite, WholeFiles};
use crate::measure::file_set::FileSet;
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::subject::body::site::{Broken, Buffers, Caller};
use crate::workload::file::{REQUEST_BYTES, Share, Via};

/// Largest piece of a file that is received and judged together: a multiple of 8, and in a core's own cache.
const PIECE_BYTES: u64 = 256 << 10;
/// Bytes that each user hashes before the window, at least one file: with some users, all files.
const HASHED_BYTES: u64 = 4 << 20;

struct User<'a> {
    site: &'a FileSite,
    caller: Caller,
    share: Share,
    buffers: Buffers,
    nth: u64,
}

/// One user, from its first connection to its last.
pub(super) async fn user<S: WholeFiles>(site: &FileSite, number: u32, address: SocketAddr) {
    let control = &site.control;
    let piece = site.workload.size.min(PIECE_BYTES) as usize;
    let buffers = Buffers::new(vec![0; REQUEST_BYTES], vec![0; piece]);
    let share = site.workload.share(number, site.users);
    let mut user = User { site, caller: Caller::new(number, address), share, buffers, nth: 0 };
    match user.caller.connect::<S>(site).await {
        Ok(mut stream) => {
            let verified = user.verify::<S>(&mut stream).await;
            control.user_ready();
            if let Err(failure) = verified {
                control.fail(failure);
            }
            control.gate().wait().await;
            user.files::<S>(stream).await;
        }
        Err(error) => {
            control.fail(super::super::endpoint::setup_failure("connect", &format!("cannot connect to {address}"), &error));
            control.user_ready();
        }
    }
    control.user_done();
}

impl User<'_> {
    async fn files<S: WholeFiles>(&mut self, mut stream: S::Stream) {
        let control = &self.site.control;
        let size = self.site.workload.size;
        let mut start = now_ns();
        while !control.is_draining() {
            let file = self.share.turn(self.nth).file;
            self.nth += 1;
            let damaged = self.site.files.as_ref().filter(|_| control.takes_corruption(self.caller.number));
            damaged.inspect(|files| files.flip_source(file));
            let received = self.file::<S>(&mut stream, file).await;
            damaged.inspect(|files| files.flip_source(file));
            match received {
                Ok(()) => {
                    let end = now_ns();
                    recorder::with(control, |recorder| recorder.success(end - start, size));
                    start = end;
                }
                Err(broken) => {
                    broken.record(control);
                    S::close(stream).await;
                    let Some(fresh) = self.caller.reconnect::<S>(self.site).await else { return };
                    stream = fresh;
                    start = now_ns();
                }
            }
        }
        S::close(stream).await;
    }

    /// Asks for a file, receives it whole and compares it.
    async fn file<S: WholeFiles>(&mut self, stream: &mut S::Stream, file: u32) -> Result<(), Broken> {
        let content = self.site.content(file);
        let mut is_right = true;
        self.receive::<S>(stream, file, |piece, offset| is_right &= content.holds(piece, offset)).await?;
        if is_right { Ok(()) } else { Err(Broken::new(ErrorClass::Mismatch)) }
    }

    /// Asks for a file; `take` gets its bytes, in whole pieces, with their offsets.
    async fn receive<S: WholeFiles>(
        &mut self,
        stream: &mut S::Stream,
        file: u32,
        mut take: impl FnMut(&[u8], u64) + Send,
    ) -> Result<(), Broken> {
        self.buffers.outgoing.copy_from_slice(&u64::from(file).to_le_bytes());
        self.buffers.send::<S>(stream, REQUEST_BYTES).await?;
        let size = self.site.workload.size;
        let mut offset = 0;
        while offset < size {
            let wanted = (size - offset).min(PIECE_BYTES) as usize;
            if !self.buffers.fill::<S>(stream, wanted).await? {
                return Err(Broken::new(ErrorClass::Read));
            }
            // One file is asked for at a time, so a byte too many is as wrong as one too few.
            if std::mem::take(&mut self.buffers.filled) != wanted {
                return Err(Broken::new(ErrorClass::Mismatch));
            }
            take(&self.buffers.incoming[..wanted], offset);
            offset += wanted as u64;
        }
        Ok(())
    }

    /// Hashes the first files as they come over the connection, against the files themselves.
    async fn verify<S: WholeFiles>(&mut self, stream: &mut S::Stream) -> Result<(), Failure> {
        let files = (HASHED_BYTES / self.site.workload.size.max(1)).clamp(1, self.share.count().into());
        for nth in 0..files {
            let file = self.share.turn(nth).file;
            let mut hash = Sha256::new();
            let received = self.receive::<S>(stream, file, |piece, _| hash.update(piece)).await;
            let is_right = received.is_ok() && hash.finalize()[..] == self.site.hash_of(file)?[..];
            if !is_right {
                let message = format!("file {file} is not what the receiver got (hash of the verification phase)");
                return Err(Failure { class: "mismatch".into(), message });
            }
        }
        Ok(())
    }
}

impl FileSite {
    /// The hash of a file as it is on the disk; for a client apart, of the content it must have.
    pub(crate) fn hash_of(&self, file: u32) -> Result<[u8; 32], Failure> {
        let bytes = match &self.files {
            Some(files) => std::fs::read(files.source(file)),
            None => Ok(self.content(file).bytes(self.workload.size)),
        };
        let failed = |error| Failure { class: "work-folder".into(), message: format!("cannot read a file of the trial: {error}") };
        Ok(Sha256::digest(bytes.map_err(failed)?).into())
    }
}

/// The file that a request asks for.
///
/// # Errors
/// Class `status`: there is no such file.
pub(crate) fn requested(request: [u8; REQUEST_BYTES], files: &FileSet) -> Result<u32, Broken> {
    let number = u32::try_from(u64::from_le_bytes(request)).ok().filter(|number| *number < files.count());
    number.ok_or(Broken::new(ErrorClass::Status))
}

/// The server's end of one connection, to the end of the stream.
pub(super) async fn serve<S: WholeFiles>(stream: &mut S::Stream, site: &FileSite) -> Result<(), Broken> {
    let (files, size) = (site.files(), site.workload.size);
    let via = site.workload.via.unwrap_or(Via::Sendfile);
    let mut buffers = Buffers::new(Vec::new(), vec![0; REQUEST_BYTES]);
    while buffers.fill::<S>(stream, REQUEST_BYTES).await? {
        buffers.filled = 0;
        let request = *buffers.incoming.first_chunk().expect("as long as a request");
        let file = requested(request, files)?;
        let sent = S::send_file(stream, files.source(file), size, via).await;
        match sent {
            Ok(sent) if sent == size => {}
            Ok(_) => return Err(Broken::new(ErrorClass::Write)),
            Err(error) => return Err(Broken::io(ErrorClass::Write, &error)),
        }
        if site.is_server {
            recorder::with(&site.control, |recorder| recorder.served(size));
        }
    }
    Ok(())
}

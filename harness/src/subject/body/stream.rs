//! One-way bulk transfer as asynchronous bodies, the same for every runtime.
//!
//! The sender writes chunks back to back; the receiver verifies and counts them. An operation is a chunk that the receiver has, whole
//! and at its position; its service time runs from the chunk before it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::endpoint;
use super::exchange::TcpSite;
use super::site::Broken;
use super::stack::Stack;
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::workload::tcp::chunk::{Chunks, Receiver};
use crate::workload::tcp::payload::{Stamp, write_stamp};

/// The shape of the trial's streams.
pub fn chunks(site: &TcpSite) -> Chunks {
    Chunks::new(site.payload.len_max() as u64)
}

/// The sending end of one connection: first the bytes that are hashed, then, after the gate, chunks until the drain.
pub async fn send<S: Stack>(site: Arc<TcpSite>, number: u32, address: SocketAddr) {
    let control = &site.control;
    match S::connect(address, site.source(number, 0), site.workload.nodelay).await {
        Ok(mut stream) => {
            recorder::with(control, recorder::Recorder::opened);
            if let Err(broken) = send_all::<S>(&mut stream, &site, number).await {
                broken.record(control);
            }
            S::close(stream).await;
        }
        Err(error) => {
            control.fail(endpoint::setup_failure("connect", &format!("cannot connect to {address}"), &error));
            control.user_ready();
        }
    }
    control.user_done();
}

async fn send_all<S: Stack>(stream: &mut S::Stream, site: &TcpSite, number: u32) -> Result<(), Broken> {
    let chunks = chunks(site);
    let mut buffer = chunks.buffer();
    let mut stamp = Stamp::first(number);
    while !site.control.is_draining() {
        if stamp.sequence == chunks.verified {
            // The receiver answers "ready" for both ends when its hash is right.
            site.control.gate().wait().await;
        }
        write_stamp(&mut buffer, stamp);
        stamp = stamp.next();
        if site.control.takes_corruption(number) {
            buffer[0] ^= 1;
        }
        let (written, back) = S::write_all(stream, buffer, chunks.bytes).await;
        buffer = back;
        written.map_err(|error| Broken::io(ErrorClass::Write, &error))?;
    }
    Ok(())
}

/// The receiving end of one connection.
pub(super) async fn receive<S: Stack>(stream: &mut S::Stream, site: &TcpSite) -> Result<(), Broken> {
    let chunks = chunks(site);
    let mut buffer = vec![0; chunks.bytes];
    // A connection is known by its first stamp.
    let mut receiver: Option<Receiver> = None;
    let mut was_verified = false;
    let mut filled = 0;
    let mut start = now_ns();
    loop {
        let (read, back) = S::read(stream, buffer, filled).await;
        buffer = back;
        let count = match read {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) => return Err(Broken::io(ErrorClass::Read, &error)),
        };
        filled += count;
        if receiver.is_none() {
            let Some(head) = buffer[..filled].first_chunk() else { continue };
            receiver = Some(Receiver::new(chunks, Stamp::from_bytes(*head).connection));
        }
        let Some(receiver) = receiver.as_mut() else { continue };
        let ended = receiver.take(&buffer[..filled]).map_err(|_| damaged(site))?;
        filled = 0;
        if !was_verified && receiver.is_verified() {
            was_verified = true;
            site.control.user_ready();
        }
        if ended > 0 && was_verified {
            let end = now_ns();
            let each = (end - start) / u64::from(ended);
            recorder::with(&site.control, |recorder| {
                (0..ended).for_each(|_| recorder.success(each, chunks.bytes as u64));
            });
            start = end;
        }
    }
}

/// Damage before the window ends the trial; damage in it is counted.
fn damaged(site: &TcpSite) -> Broken {
    if site.control.ok_so_far() == 0 {
        site.control.fail(zokio_report::schema::journal::Failure {
            class: "mismatch".into(),
            message: "the receiver's bytes are not those that were sent (hash of the verification phase)".into(),
        });
    }
    Broken::new(ErrorClass::Mismatch)
}

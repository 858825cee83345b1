//! Round trips as bare system calls: a thread holds both ends of its connections.
//!
//! All requests of a thread are sent, then all are answered, then all answers are read: as many operations are under way as there are users.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use zokio_report::schema::journal::Failure;

use super::sockets::{ClientEnd, Desk, Fault, ServerEnd, Turn};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::endpoint;
use crate::subject::body::exchange::TcpSite;
use crate::workload::tcp::payload::Stamp;

struct Pair {
    number: u32,
    client: ClientEnd,
    server: ServerEnd,
    start: u64,
}

/// One thread: connects its users, says so, and exchanges until the drain.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run(site: &Arc<TcpSite>, users: &[(u32, SocketAddr)], listener: &TcpListener) -> Result<(), Failure> {
    let mut recorder = Recorder::new(&site.control);
    let mut desk = Desk::new(&site.payload);
    let mut pairs = Vec::with_capacity(users.len());
    for &(number, address) in users {
        let pair = connect(site, &mut desk, &mut recorder, number, address, Stamp::first(number), listener);
        pairs.push(pair.map_err(|error| endpoint::setup_failure("connect", &format!("cannot connect to {address}"), &error.into()))?);
    }
    for _ in users {
        site.control.user_ready();
    }
    site.control.gate().wait_thread();
    desk.settle(&mut recorder);
    let start = now_ns();
    pairs.iter_mut().for_each(|pair| pair.start = start);
    let mut faults: Vec<(usize, Fault)> = Vec::new();
    while !site.control.is_draining() && !pairs.is_empty() {
        exchange(site, &mut desk, &mut recorder, &mut pairs, &mut faults);
        for (index, (class, errno)) in faults.drain(..) {
            recorder.failure(class, errno);
            recorder.accepted_closed();
            let (number, stamp) = (pairs[index].number, pairs[index].client.stamp.next());
            let Some(user) = users.iter().find(|user| user.0 == number) else { continue };
            match connect(site, &mut desk, &mut recorder, number, user.1, stamp, listener) {
                Ok(fresh) => pairs[index] = fresh,
                Err(error) => recorder.failure(ErrorClass::Connect, Some(error.raw_os_error())),
            }
        }
        desk.settle(&mut recorder);
    }
    for pair in pairs {
        let Pair { client, mut server, .. } = pair;
        drop(client);
        if server.serve(&mut desk, &site.payload) != Ok(Turn::Closed) {
            recorder.failure(ErrorClass::Read, None);
        }
        recorder.accepted_closed();
        site.control.user_done();
    }
    recorder.finish();
    Ok(())
}

fn connect(
    site: &TcpSite,
    desk: &mut Desk,
    recorder: &mut Recorder,
    number: u32,
    address: SocketAddr,
    stamp: Stamp,
    listener: &TcpListener,
) -> rustix::io::Result<Pair> {
    let client = ClientEnd::connect(desk, address, site.source(number, 0), site.workload.nodelay, stamp, &site.payload)?;
    recorder.opened();
    let server = ServerEnd::accept(desk, listener, &site.payload)?;
    recorder.accepted();
    Ok(Pair { number, client, server, start: now_ns() })
}

/// One operation of every user.
#[inline]
fn exchange(site: &TcpSite, desk: &mut Desk, recorder: &mut Recorder, pairs: &mut [Pair], faults: &mut Vec<(usize, Fault)>) {
    let payload = &site.payload;
    for (index, pair) in pairs.iter_mut().enumerate() {
        let damage = site.control.takes_corruption(pair.number);
        if let Err(fault) = pair.client.request(desk, payload, damage) {
            faults.push((index, fault));
        }
    }
    let is_faulty = |faults: &[(usize, Fault)], index: usize| faults.iter().any(|fault| fault.0 == index);
    for (index, pair) in pairs.iter_mut().enumerate() {
        if !is_faulty(faults, index)
            && let Err(fault) = pair.server.serve(desk, payload)
        {
            faults.push((index, fault));
        }
    }
    for (index, pair) in pairs.iter_mut().enumerate() {
        if is_faulty(faults, index) {
            continue;
        }
        match pair.client.answer(desk, payload) {
            Ok(bytes) => {
                let end = now_ns();
                recorder.success(end - std::mem::replace(&mut pair.start, end), bytes);
            }
            Err(fault) => faults.push((index, fault)),
        }
    }
}

//! Files in the messages of a loop's lanes: a client asks and compares; a server reads a file whole and answers with it.

use std::sync::Arc;

use super::file::{c_path, read_whole};
use super::lanes::Next;
use super::traffic::Traffic;
use crate::measure::recorder::ErrorClass;
use crate::subject::body::file::FileSite;
use crate::subject::body::site::Site;
use crate::workload::file::REQUEST_BYTES;

/// The files of a thread's lanes.
#[derive(Debug)]
pub(super) struct FileTraffic {
    site: Arc<FileSite>,
    lanes: Vec<Lane>,
}

/// One end of one connection. Its buffers are empty until they are first used, so only lanes in use touch their memory.
#[derive(Clone, Debug, Default)]
struct Lane {
    user: Option<u32>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    filled: usize,
    start: u64,
    nth: u64,
    file: u32,
}

impl FileTraffic {
    /// So many lanes.
    pub(super) fn new(site: &Arc<FileSite>, lanes: usize) -> Self {
        Self { site: Arc::clone(site), lanes: vec![Lane::default(); lanes] }
    }
}

impl Traffic for FileTraffic {
    fn site(&self) -> &Site {
        &self.site
    }

    fn exchanges_each(&self) -> Option<u32> {
        None
    }

    fn exchanges_per_operation(&self) -> u32 {
        1
    }

    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn name(&mut self, lane: usize, user: u32) {
        let size = self.site.workload.size as usize;
        let lane = &mut self.lanes[lane];
        (lane.user, lane.outgoing) = (Some(user), vec![0; REQUEST_BYTES]);
        lane.incoming.resize(size, 0);
    }

    fn reset(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        lane.filled = 0;
        // A lane that gets a name becomes a client's.
        if lane.user.is_none() {
            lane.incoming.resize(REQUEST_BYTES, 0);
        }
    }

    #[inline]
    fn start(&mut self, lane: usize) -> &mut u64 {
        &mut self.lanes[lane].start
    }

    fn is_empty(&self, lane: usize) -> bool {
        self.lanes[lane].filled == 0
    }

    #[inline]
    fn room(&mut self, lane: usize) -> &mut [u8] {
        let lane = &mut self.lanes[lane];
        &mut lane.incoming[lane.filled..]
    }

    #[inline]
    fn outgoing(&self, lane: usize) -> &[u8] {
        &self.lanes[lane].outgoing
    }

    /// The files are the server's: there is nothing here that a test could damage but the number of the file.
    fn make_request(&mut self, lane: usize, damage: bool) -> usize {
        let lane = &mut self.lanes[lane];
        let share = self.site.workload.share(lane.user.unwrap_or(0), self.site.users);
        lane.file = share.turn(lane.nth).file;
        lane.nth += 1;
        let asked = u64::from(lane.file) ^ u64::from(damage);
        lane.outgoing.copy_from_slice(&asked.to_le_bytes());
        REQUEST_BYTES
    }

    fn give_up(&mut self, lane: usize) {
        self.lanes[lane].filled = 0;
    }

    fn take_answer(&mut self, lane: usize, count: usize) -> Next {
        let lane = &mut self.lanes[lane];
        lane.filled += count;
        if lane.filled < lane.incoming.len() {
            return Next::ReceiveMore;
        }
        lane.filled = 0;
        let is_right = self.site.content(lane.file).holds(&lane.incoming, 0);
        if is_right { Next::Complete(lane.incoming.len()) } else { Next::Damaged(ErrorClass::Mismatch) }
    }

    fn take_request(&mut self, lane: usize, count: usize, served: &mut u64) -> Next {
        let lane = &mut self.lanes[lane];
        lane.filled += count;
        let Some(request) = lane.incoming[..lane.filled].first_chunk::<REQUEST_BYTES>() else { return Next::ReceiveMore };
        let number = u64::from_le_bytes(*request);
        lane.filled = 0;
        let (files, size) = (self.site.files(), self.site.workload.size);
        let Some(file) = u32::try_from(number).ok().filter(|file| *file < files.count()) else { return Next::Damaged(ErrorClass::Status) };
        lane.outgoing.resize(size as usize + 1, 0);
        match read_whole(&c_path(files.source(file)), &mut lane.outgoing) {
            Ok(count) if count as u64 == size => {
                *served = size;
                Next::Complete(count)
            }
            _ => Next::Damaged(ErrorClass::Read),
        }
    }
}

//! A trial gives back every descriptor and every thread. Alone in its process, as other tests have threads too.
#![cfg(target_os = "linux")]

mod support;

use support::{SUBJECTS, open_files, settles_at, tcp, threads, trial};
use zokio_bench::subject::protocol::Role;
use zokio_bench::subject::serve::Session;
use zokio_bench::workload::tcp::TcpMode;

const MODES: [TcpMode; 4] = [TcpMode::Rr, TcpMode::Crr, TcpMode::Churn, TcpMode::Stream];

#[test]
fn descriptors_and_threads_are_all_given_back() {
    for (name, subject, _) in SUBJECTS {
        for mode in MODES {
            let (files, tasks) = (open_files(), threads());
            let record = subject.run(&trial(name, Role::Both, tcp(mode, 4_096), 10), &Session::detached());
            assert!(record.is_ok(), "{name} {mode:?}: {record:?}");
            assert!(settles_at(files, open_files), "{name} {mode:?}: {files} descriptors before, {} after", open_files());
            assert!(settles_at(tasks, threads), "{name} {mode:?}: {tasks} threads before, {} after", threads());
        }
    }
}

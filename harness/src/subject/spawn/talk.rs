//! What one process may say next: the protocol as a state machine, without clock and without I/O.
//!
//! ```text
//!   start ──ready──▶ set up ──phase*──▶ … ──measure──▶ ──drain──▶ ──record──▶ answered   (role server: no phases needed)
//!     └──────────────failed────┴───────────┴──────────────┴──────────▶ answered
//! ```
//! Everything else is a failure with a class of its own. A record without `measure` and `drain` before it is refused: our own
//! clock would have no evidence beside it.

use std::net::SocketAddr;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::events::Stamp;
use super::failure;
use super::process::Collected;
use crate::subject::protocol::{LINE_BYTES_MAX, PhaseName, Ready, Reply, Role};

/// More lines than any honest trial has: ten a second for a quarter of an hour. Reading costs CPU time that the trial needs.
const LINES_MAX: u32 = 10_000;
/// How much of an offending line is shown.
const SHOWN_BYTES_MAX: usize = 120;

/// The conversation with one process so far.
#[derive(Debug)]
pub struct Talk {
    role: Role,
    trial_id: String,
    lines: u32,
    /// Its `ready` line, and when.
    pub ready: Option<(Ready, Stamp)>,
    /// Its phase lines, in order.
    pub phases: Vec<(PhaseName, Stamp)>,
    /// Its last line.
    pub answer: Option<Result<Box<TrialRecord>, Failure>>,
}

impl Talk {
    /// Nothing was said yet.
    pub fn new(role: Role, trial_id: &str) -> Self {
        Self { role, trial_id: trial_id.into(), lines: 0, ready: None, phases: Vec::new(), answer: None }
    }

    /// When a phase began.
    pub fn phase(&self, name: PhaseName) -> Option<&Stamp> {
        self.phases.iter().find(|(known, _)| *known == name).map(|(_, stamp)| stamp)
    }

    /// The measured window: when it began, and when what follows it did.
    pub fn window(&self) -> Option<(&Stamp, &Stamp)> {
        self.phase(PhaseName::Measure).zip(self.phase(PhaseName::Overload).or_else(|| self.phase(PhaseName::Drain)))
    }

    /// Where a server said it listens.
    pub fn addresses(&self) -> &[String] {
        self.ready.as_ref().map_or(&[], |(ready, _)| &ready.addresses)
    }

    /// Takes one line.
    ///
    /// # Errors
    /// The line is outside the protocol: `junk`, `out-of-order`, `second-record`, `foreign-record`, `after-record`, `line-too-long`, `flood`.
    pub fn take(&mut self, line: &[u8], stamp: Stamp) -> Result<(), Failure> {
        self.lines += 1;
        if self.lines > LINES_MAX {
            return Err(failure("flood", format!("the subject wrote more than {LINES_MAX} lines")));
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(line_too_long());
        }
        let reply = self.parse(line);
        if let Some(answer) = &self.answer {
            let before = if answer.is_ok() { "its record" } else { "`failed`" };
            return Err(match reply {
                Ok(Reply::Record(_)) => failure("second-record", format!("the subject answered twice: a record after {before}")),
                _ => failure("after-record", format!("the subject wrote more after {before}: {}", shown(line))),
            });
        }
        match reply? {
            Reply::Ready(ready) => self.take_ready(ready, stamp),
            Reply::Phase(phase) => self.take_phase(phase.name, stamp),
            Reply::Progress(_) if self.ready.is_none() => Err(out_of_order("`progress` before `ready`")),
            Reply::Progress(_) => Ok(()),
            Reply::Record(record) => self.take_record(record),
            Reply::Failed(failure) => {
                self.answer = Some(Err(failure));
                Ok(())
            }
        }
    }

    fn parse(&self, line: &[u8]) -> Result<Reply, Failure> {
        let Ok(text) = std::str::from_utf8(line) else {
            return Err(failure("junk", format!("line {} of the subject is not UTF-8: {}", self.lines, shown(line))));
        };
        serde_json::from_str(text).map_err(|error| {
            failure("junk", format!("line {} of the subject is outside the protocol ({error}): {}", self.lines, shown(line)))
        })
    }

    fn take_ready(&mut self, ready: Ready, stamp: Stamp) -> Result<(), Failure> {
        if self.ready.is_some() {
            return Err(out_of_order("`ready` twice"));
        }
        if self.role == Role::Server && ready.addresses.is_empty() {
            return Err(failure("no-address", "the server is ready but does not say where it listens"));
        }
        if let Some(wrong) = ready.addresses.iter().find(|address| address.parse::<SocketAddr>().is_err()) {
            return Err(failure("junk", format!("the subject listens on {}, which is no address and port", shown(wrong.as_bytes()))));
        }
        self.ready = Some((ready, stamp));
        Ok(())
    }

    fn take_phase(&mut self, name: PhaseName, stamp: Stamp) -> Result<(), Failure> {
        if self.ready.is_none() {
            return Err(out_of_order("a phase before `ready`"));
        }
        if self.phases.last().is_some_and(|(last, _)| *last >= name) {
            return Err(out_of_order("a phase that had begun before"));
        }
        self.phases.push((name, stamp));
        Ok(())
    }

    fn take_record(&mut self, record: Box<TrialRecord>) -> Result<(), Failure> {
        if record.id.as_ref().is_some_and(|id| *id != self.trial_id) {
            let id = shown(record.id.unwrap_or_default().as_bytes());
            return Err(failure("foreign-record", format!("the record is of trial {id}, not of {}", self.trial_id)));
        }
        if self.ready.is_none() {
            return Err(out_of_order("a record before `ready`"));
        }
        let measured = self.phase(PhaseName::Measure).is_some() && self.phase(PhaseName::Drain).is_some();
        if self.role != Role::Server && !measured {
            return Err(out_of_order("a record without the phases `measure` and `drain` before it"));
        }
        self.answer = Some(Ok(record));
        Ok(())
    }

    /// The subject's answer, judged together with the way its process ended.
    ///
    /// # Errors
    /// What it failed with, or `crash`, `no-record`, `wrong-exit`; `stderr_tail` is quoted after a crash.
    pub fn conclude(&mut self, end: &Collected, stderr_tail: &str) -> Result<Box<TrialRecord>, Failure> {
        let quoted = if stderr_tail.is_empty() { String::new() } else { format!("; it wrote last: {stderr_tail}") };
        match (self.answer.take(), end.code) {
            (Some(Ok(record)), Some(0)) => Ok(record),
            (Some(Ok(_)), Some(code)) => {
                Err(failure("wrong-exit", format!("the subject wrote a record but exited with code {code}{quoted}")))
            }
            (Some(Err(failure)), _) => Err(failure),
            (_, None) => Err(failure("crash", format!("the subject ended with {}{quoted}", end.exit()))),
            (None, Some(0)) => Err(failure("no-record", format!("the subject exited without a record{quoted}"))),
            (None, Some(code)) => Err(failure("crash", format!("the subject exited with code {code} without a record{quoted}"))),
        }
    }
}

/// The failure of a line without end.
pub fn line_too_long() -> Failure {
    failure("line-too-long", format!("the subject wrote a line longer than {} MiB", LINE_BYTES_MAX >> 20))
}

fn out_of_order(what: &str) -> Failure {
    failure("out-of-order", format!("the subject wrote {what}"))
}

/// The beginning of a line, with everything unprintable escaped.
fn shown(line: &[u8]) -> String {
    let cut = &line[..line.len().min(SHOWN_BYTES_MAX)];
    let more = if cut.len() < line.len() { "…" } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(cut))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const READY: &str = r#"{"ready":{"addresses":[],"pid":1}}"#;
    const MEASURE: &str = r#"{"phase":{"name":"measure"}}"#;
    const DRAIN: &str = r#"{"phase":{"name":"drain"}}"#;
    const RECORD: &str = r#"{"record":{"id":"t1","elapsed_ns":1,"work":{"attempted":1,"ok":1,"bytes":0,"verified":1}}}"#;
    const FOREIGN: &str = r#"{"record":{"id":"t2","elapsed_ns":1,"work":{"attempted":1,"ok":1,"bytes":0,"verified":1}}}"#;
    const FAILED: &str = r#"{"failed":{"class":"port-in-use","message":"taken"}}"#;
    const WHOLE: [&str; 4] = [READY, MEASURE, DRAIN, RECORD];

    fn class_of(lines: &[&str], code: i32) -> String {
        let mut talk = Talk::new(Role::Both, "t1");
        for line in lines {
            if let Err(failure) = talk.take(line.as_bytes(), Stamp { at: Instant::now(), cpu_ns: Vec::new() }) {
                return failure.class;
            }
        }
        let end = Collected { code: Some(code), ..Collected::default() };
        talk.conclude(&end, "").map_or_else(|failure| failure.class, |_| "record".into())
    }

    #[test]
    fn every_way_out_of_the_protocol_has_its_class() {
        let with = |more: &[&'static str]| [WHOLE.as_slice(), more].concat();
        let cases: [(Vec<&str>, i32, &str); 16] = [
            (WHOLE.to_vec(), 0, "record"),
            (WHOLE.to_vec(), 7, "wrong-exit"),
            (with(&[RECORD]), 0, "second-record"),
            (with(&["bye"]), 0, "after-record"),
            (with(&[FAILED]), 0, "after-record"),
            (vec![READY, MEASURE, DRAIN, FOREIGN], 0, "foreign-record"),
            (vec![READY, RECORD], 0, "out-of-order"),
            (vec![RECORD], 0, "out-of-order"),
            (vec![MEASURE], 0, "out-of-order"),
            (vec![READY, READY], 0, "out-of-order"),
            (vec![READY, DRAIN, MEASURE], 0, "out-of-order"),
            (vec!["hello"], 0, "junk"),
            (vec![""], 0, "junk"),
            (vec![FAILED], 3, "port-in-use"),
            (vec![READY, MEASURE], 1, "crash"),
            (vec![READY, MEASURE], 0, "no-record"),
        ];
        for (lines, code, class) in cases {
            assert_eq!(class_of(&lines, code), class, "{lines:?}");
        }
    }

    #[test]
    fn a_server_needs_an_address_but_no_phases() {
        let stamp = Stamp { at: Instant::now(), cpu_ns: Vec::new() };
        let mut talk = Talk::new(Role::Server, "t1");
        assert_eq!(talk.take(READY.as_bytes(), stamp.clone()).expect_err("no address").class, "no-address");
        let ready = r#"{"ready":{"addresses":["127.0.0.1:40001"],"pid":1}}"#;
        talk.take(ready.as_bytes(), stamp.clone()).expect("a server's ready line");
        talk.take(RECORD.as_bytes(), stamp).expect("a server's record");
        assert_eq!(talk.addresses(), ["127.0.0.1:40001"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_junk_and_shown_escaped() {
        let mut talk = Talk::new(Role::Both, "t1");
        let failure = talk.take(b"\xff\xfe\x00", Stamp { at: Instant::now(), cpu_ns: Vec::new() }).expect_err("junk");
        assert_eq!(failure.class, "junk");
        assert!(failure.message.contains("not UTF-8") && failure.message.contains("\\0"), "{}", failure.message);
    }

    #[test]
    fn a_signal_is_named_with_the_last_words() {
        let mut talk = Talk::new(Role::Both, "t1");
        let failure = talk.conclude(&Collected { signal: Some(11), ..Collected::default() }, "boom").expect_err("a crash");
        assert_eq!((failure.class.as_str(), failure.message.as_str()), ("crash", "the subject ended with signal 11; it wrote last: boom"));
    }
}

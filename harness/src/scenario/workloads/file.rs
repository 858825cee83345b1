//! `[scenario.file]` and its load.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::keys::USERS_MAX;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::{Origin, Table};
use crate::workload::Workload;
use crate::workload::file::{FileMode, FileWorkload, Fsync, Via};
use crate::workload::storage::{CacheState, Storage};

use super::storage::{DIR, storage};
use super::{connections, number, refuse, single_size, users, word};

/// The size of a page on the web, and of the guide's files.
const SIZE_BYTES: u64 = 100 << 10;
const FILES: u32 = 256;
const FILES_MAX: u64 = 1_000_000;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["read", "write", "copy", "transfer"]), "What one operation is."),
    Field::optional("size", Shape::Sizes, "Bytes of each file, a single size; 100KiB when left out."),
    Field::optional(
        "files",
        Shape::Integer(1, FILES_MAX),
        "Files of a trial, dealt out to its users; 256 when left out, at least one per user.",
    ),
    Field::optional(
        "cache",
        Shape::OneOf(&["warm", "cold"]),
        "read, copy: whether the page cache holds a file before it is read, verified; transfer: warm.",
    ),
    DIR,
    Field::optional(
        "via",
        Shape::OneOf(&["read-write", "copy-file-range", "splice", "sendfile"]),
        "copy: read-write, copy-file-range; transfer: read-write, splice, sendfile.",
    ),
    Field::optional("fsync", Shape::OneOf(&["none", "end"]), "write: end waits for the disk before the close; none when left out."),
    Field::optional("connections", Shape::Integer(1, USERS_MAX), "transfer: connections open at the same time, one per user."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let (mode, name) = match word(scenario, "file.mode") {
        Some("write") => (FileMode::Write, "write"),
        Some("copy") => (FileMode::Copy, "copy"),
        Some("transfer") => (FileMode::Transfer, "transfer"),
        _ => (FileMode::Read, "read"),
    };
    if mode != FileMode::Write {
        refuse(scenario, "file", "fsync", name, findings);
    }
    let load = if mode == FileMode::Transfer {
        super::closed(connections(scenario, "file", true, findings))
    } else {
        refuse(scenario, "file", "connections", name, findings);
        users(scenario)
    };
    let users = load.users_of_closed_loop().expect("a closed loop was made above");
    let workload = FileWorkload {
        mode,
        size: single_size(scenario, "file.size", "all files are alike", findings).unwrap_or(SIZE_BYTES),
        files: files(scenario, users, findings),
        storage: Storage { cache: cache(scenario, mode, name, findings), ..storage(scenario, "file", findings) },
        via: via(scenario, mode, name, findings),
        fsync: if word(scenario, "file.fsync") == Some("end") && mode == FileMode::Write { Fsync::End } else { Fsync::None },
        connections: if mode == FileMode::Transfer { users } else { 0 },
    };
    (Workload::File(workload), load)
}

/// What is read must say in which state; a write goes to the cache in any case.
fn cache(scenario: &Table, mode: FileMode, name: &str, findings: &mut Findings) -> CacheState {
    if mode == FileMode::Write {
        refuse(scenario, "file", "cache", name, findings);
        return CacheState::Warm;
    }
    match (word(scenario, "file.cache"), scenario.at("file.cache"), scenario.at("file.mode")) {
        (Some("cold"), Some(node), _) if mode == FileMode::Transfer => {
            let message = "`cache = \"cold\"` is not for the mode `transfer`: who drops a file would have to be its server";
            findings.push(Diagnostic::new(&node.span, message).label("warm alone").help("measure cold files with the mode `read`"));
            CacheState::Warm
        }
        (Some("cold"), ..) => CacheState::Cold,
        (None, None, Some(mode)) => {
            let message = format!("the mode `{name}` needs `cache`");
            let help = "warm: the files are in the page cache; cold: each is dropped from it before it is read";
            findings.push(Diagnostic::new(&mode.span, message).label("no rate of files without the state of the cache").help(help));
            CacheState::Warm
        }
        _ => CacheState::Warm,
    }
}

fn via(scenario: &Table, mode: FileMode, name: &str, findings: &mut Findings) -> Option<Via> {
    let (fit, default): (&[&str], _) = match mode {
        FileMode::Copy => (&["read-write", "copy-file-range"], Via::CopyFileRange),
        FileMode::Transfer => (&["read-write", "splice", "sendfile"], Via::Sendfile),
        FileMode::Read | FileMode::Write => {
            refuse(scenario, "file", "via", name, findings);
            return None;
        }
    };
    let given = word(scenario, "file.via");
    let mode_varies = scenario.at("file.mode").is_some_and(|node| node.origin == Origin::Matrix);
    if let (Some(word), Some(node), false) = (given, scenario.at("file.via"), mode_varies)
        && !fit.contains(&word)
        && ["read-write", "copy-file-range", "splice", "sendfile"].contains(&word)
    {
        let message = format!("`via = \"{word}\"` is not for the mode `{name}`");
        findings.push(Diagnostic::new(&node.span, message).label(format!("one of `{}`", fit.join("`, `"))));
    }
    Some(match given.filter(|word| fit.contains(word)) {
        Some("read-write") => Via::ReadWrite,
        Some("copy-file-range") => Via::CopyFileRange,
        Some("splice") => Via::Splice,
        Some("sendfile") => Via::Sendfile,
        _ => default,
    })
}

fn files(scenario: &Table, users: u32, findings: &mut Findings) -> u32 {
    let files = number(scenario, "file.files", FILES.max(users));
    if let (true, Some(node)) = (files < users, scenario.at("file.files")) {
        let message = format!("{files} files for {users} users: each user needs one of its own");
        findings.push(Diagnostic::new(&node.span, message).label("too few").help(format!("`files = {users}` or more, or fewer users")));
    }
    files.max(users)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, Suite, parse};

    fn suite(table: &str) -> Result<Suite, Vec<Diagnostic>> {
        let head =
            "schema = 1\n[suite]\nname = \"s\"\nquestion = \"Which?\"\n[[scenario]]\nid = \"a\"\n[scenario.load.closed]\nusers = 8\n";
        parse(Source::new("a.toml", &format!("{head}[scenario.file]\n{table}\n")), "a.toml", &[])
    }

    fn workload(table: &str) -> FileWorkload {
        let suite = suite(table).unwrap_or_else(|found| panic!("{table}: {}", crate::scenario::render(&found)));
        let Workload::File(workload) = suite.cases[0].workload.clone() else { panic!("file") };
        workload
    }

    #[test]
    fn what_is_left_out_is_the_guides_file() {
        let read = workload("mode = \"read\"\ncache = \"warm\"");
        assert_eq!((read.size, read.files, read.via, read.connections), (102_400, 256, None, 0));
        assert_eq!(read.storage, Storage { dir: None, cache: CacheState::Warm });
        let sent = workload("mode = \"transfer\"\ncache = \"warm\"");
        assert_eq!((sent.via, sent.connections), (Some(Via::Sendfile), 8));
        assert_eq!(workload("mode = \"copy\"\ncache = \"cold\"").storage.cache, CacheState::Cold);
        assert_eq!(workload("mode = \"copy\"\ncache = \"warm\"").via, Some(Via::CopyFileRange));
        assert_eq!(workload("mode = \"write\"\nfsync = \"end\"").fsync, Fsync::End);
    }

    #[test]
    fn what_has_no_effect_or_does_not_fit_is_a_mistake() {
        let cases = [
            ("mode = \"read\"", "needs `cache`"),
            ("mode = \"transfer\"\ncache = \"cold\"", "not for the mode `transfer`"),
            ("mode = \"write\"\ncache = \"warm\"", "`cache` has no effect in the mode `write`"),
            ("mode = \"read\"\ncache = \"warm\"\nvia = \"splice\"", "`via` has no effect"),
            ("mode = \"read\"\ncache = \"warm\"\nfsync = \"end\"", "`fsync` has no effect"),
            ("mode = \"copy\"\ncache = \"warm\"\nvia = \"sendfile\"", "not for the mode `copy`"),
            ("mode = \"transfer\"\ncache = \"warm\"\nvia = \"copy-file-range\"", "not for the mode `transfer`"),
            ("mode = \"read\"\ncache = \"warm\"\nfiles = 7", "7 files for 8 users"),
            ("mode = \"read\"\ncache = \"warm\"\nsize = { range = [\"1B\", \"9B\"] }", "a single size"),
            ("mode = \"transfer\"\ncache = \"warm\"\nconnections = 9", "each user has one connection"),
        ];
        for (table, message) in cases {
            let shown = crate::scenario::render(&suite(table).expect_err(table));
            assert!(shown.contains(message), "{table}: {shown}");
        }
    }
}

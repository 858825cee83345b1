//! What the host lacks is refused before the run, or told in it: exit code 3 and the way out.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::tale::{NAP, Outcome, Tale};

pub(crate) fn rr(users: u32) -> String {
    let load = format!("[scenario.tcp]\nmode = \"rr\"\nrequest = \"64B\"\nresponse = \"64B\"\n[scenario.load.closed]\nusers = {users}");
    NAP.replace("[scenario.sleep]\nduration = \"1ms\"", &load)
}

#[test]
fn too_few_open_files_are_raised_or_refused_before_the_run() {
    let tale = Tale::new();
    tale.file("rr.toml", &rr(1000));
    tale.subject("fake", "[ $(ulimit -n) -ge 2000 ] || exit 9; phases; record");
    let arguments = ["run", "rr.toml", "--subject", "fake=./fake", "--trials", "1", "--out", "out"];
    let refused = tale.below("ulimit -n 256; exec \"$0\" \"$@\"", &arguments).output().expect("a shell");
    Outcome::of(refused).exits(3).says("open files").says("the hard limit of this process is 256").says("help: raise it");
    assert!(!tale.path("out").exists(), "nothing was started");
    let raised = tale.below("ulimit -S -n 256; exec \"$0\" \"$@\"", &arguments).output().expect("a shell");
    let raised = Outcome::of(raised).says("raised the limit of open files from 256");
    assert!(!raised.stderr.contains("code 9"), "the subject has the raised limit: {}", raised.stderr);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let tale = Tale::new();
    tale.subject("fake", "phases; record");
    tale.file("file", "");
    for out in ["file/out", "/proc/out"] {
        tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--out", out]).exits(3).says("cannot create").says("--out DIR");
    }
}

/// A small file system of its own, mounted while it lives.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
fn a_full_disk_is_refused_before_the_run_or_loses_nothing_in_it() {
    let tale = Tale::new();
    // Fills the disk by way of its standard error, in its third trial.
    tale.subject("fake", "phases; case $request in *'\"id\":\"0002-'*) head -c 4000000 /dev/zero >&2;; esac; record");
    let disk = tale.path("disk");
    let Some(_small) = SmallDisk::mount(&disk, "size=128k") else { return eprintln!("skipped: cannot mount a tmpfs") };
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--out", "disk/out"]).exits(3).says("KiB free").says("--out");
    drop(_small);
    let _larger = SmallDisk::mount(&disk, "size=1m").expect("a second tmpfs");
    let arguments = ["run", "nap.toml", "--subject", "fake=./fake", "--trials", "6", "--out", "disk/out"];
    tale.run(&arguments).exits(3).says("records.jsonl").says("what was measured so far is kept");
    let journal = std::fs::read_to_string(disk.join("out/records.jsonl")).expect("the journal");
    assert!(journal.lines().count() >= 3 && journal.ends_with('\n'), "header and two trials, each whole: {journal}");
    tale.run(&["report", "disk/out", "--out", "elsewhere"]).exits(0).says("the run was killed");
}

#[test]
fn a_read_only_disk_is_refused() {
    let tale = Tale::new();
    tale.subject("fake", "phases; record");
    let disk = tale.path("disk");
    let Some(_disk) = SmallDisk::mount(&disk, "size=1m,ro") else { return eprintln!("skipped: cannot mount a tmpfs") };
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--out", "disk/out"]).exits(3).says("Read-only").says("--out DIR");
}

#[test]
fn a_port_in_use_is_told_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let request = serde_json::json!({"trial": {"protocol": 1, "id": "t", "subject": "tokio", "role": "server", "connect": [],
        "workload": {"tcp": {"mode": "rr", "request": {"fixed": 64}, "response": {"fixed": 64}, "connections": 1,
        "operations_per_connection": 1, "nodelay": true}}, "load": {"closed": {"users": 1}}, "runtime": {}, "cpus": [],
        "network": {"listen": [address.to_string()], "sources": []},
        "phases": {"warmup_ms": 0, "warmup_window_ms": null, "measure_ms": 50, "drain_ms": 50}, "seed": 1}});
    let tale = Tale::new();
    tale.file("request", &format!("{request}\n"));
    let output = tale.below("exec \"$0\" \"$@\" < request", &["zokio-subject"]).output().expect("a subject");
    let outcome = Outcome::of(output).exits(3);
    assert!(outcome.stdout.contains("port-in-use"), "{}", outcome.stdout);
}

#[test]
fn in_a_namespace_of_its_own_the_kernel_counts_the_same_connections() {
    let tale = Tale::new();
    let crr = rr(4).replace("mode = \"rr\"", "mode = \"crr\"");
    tale.file("crr.toml", &crr);
    if !Command::new("unshare").args(["-n", "ip", "link", "set", "lo", "up"]).output().is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: needs root, unshare and ip");
    }
    let arguments = ["run", "crr.toml", "--subject", "tokio", "--trials", "1", "--out", "out"];
    let shell = "unshare -n sh -c 'ip link set lo up && exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    // A busy machine may make the row invalid; what the kernel counted is counted all the same.
    let outcome = Outcome::of(tale.below(shell, &arguments).output().expect("a shell"));
    assert!(matches!(outcome.code, Some(0 | 5)), "{}", outcome.stderr);
    let journal = std::fs::read_to_string(tale.path("out/records.jsonl")).expect("the journal");
    let lines = journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let trial = lines.map(|line| line["trial"].clone()).find(|trial| trial["counted"] == true).expect("a trial");
    let evidence = &trial["evidence"];
    assert_eq!(evidence["tcp_namespace_is_private"], true);
    let opened = &trial["outcome"]["record"]["counters"]["connections_opened"];
    assert!(opened.as_u64().is_some_and(|opened| opened > 0), "{trial}");
    assert_eq!(&evidence["tcp_active_opens"], opened);
    assert_eq!(evidence["tcp_passive_opens"], evidence["tcp_active_opens"]);
}

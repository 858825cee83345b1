//! `gate.sh`, with commands in the gate's place that end in every way a gate can, and through hops that lose its code.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use zokio_report::exit;

use crate::workflows::syntax;
use crate::{files, root};

/// Runs `gate.sh` in `folder` with a command that prints `lines` and exits with `code`.
fn gate(folder: &Path, lines: &str, code: u8) -> Output {
    fs::write(folder.join("lines"), lines).expect("written");
    let command = folder.join("command");
    fs::write(&command, format!("#!/bin/sh\ncat lines\nexit {code}\n")).expect("written");
    fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("executable");
    let script = root().join("configs/ci/gate.sh");
    Command::new("sh").arg(script).env("GATE", "./command").current_dir(folder).output().expect("the script runs")
}

#[test]
fn the_last_line_decides_where_a_code_was_swallowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        // (exit code of the command, its last line, exit code of the script)
        (0, "ZOKIO-GATE: PASSED 18/18, sees >= 4.2 % (exit 0)", 0),
        (1, "ZOKIO-GATE: REGRESSED 2/18 (exit 1)", 1),
        // make
        (2, "ZOKIO-GATE: REGRESSED 2/18 (exit 1)", 1),
        // a pipe
        (0, "ZOKIO-GATE: REGRESSED 2/18 (exit 1)", 1),
        (0, "ZOKIO-GATE: INVALID 1/18 (exit 5)", 5),
        (5, "ZOKIO-GATE: INVALID 1/18 (exit 5)", 5),
        (0, "ZOKIO-GATE: INCONCLUSIVE 3/18 (exit 0)", 0),
        (4, "ZOKIO-GATE: INCONCLUSIVE 3/18 (exit 4)", 4),
        (2, "ZOKIO-GATE: INCONCLUSIVE 3/18 (exit 4)", 4),
        (0, "ZOKIO-GATE: ERROR 0/0 (exit 3)", 3),
        (2, "ZOKIO-GATE: ERROR 0/0 (exit 2)", 2),
        (130, "ZOKIO-GATE: ERROR 4/18 (exit 130)", 130),
        // no gate at all
        (0, "all fine", 3),
        (0, "", 3),
        (0, "ZOKIO-GATE: PASSED 18/18 (exit 0)\nand more", 3),
        (2, "no such command", 2),
        (101, "panicked", 101),
        // something after the gate
        (7, "ZOKIO-GATE: PASSED 18/18 (exit 0)", 7),
    ];
    for (code, line, expected) in cases {
        let output = gate(folder.path(), &format!("table\n{line}\n"), code);
        assert_eq!(output.status.code(), Some(expected), "{code}, {line}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("table\n{line}\n"), "standard output is the gate's");
    }
}

#[test]
fn every_exit_code_is_told_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut told: BTreeMap<String, u8> = BTreeMap::new();
    for (code, _) in exit::MEANINGS {
        let line = if code == exit::PASSED { "ZOKIO-GATE: PASSED 1/1" } else { "no line" };
        let output = gate(folder.path(), line, code);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.starts_with("gate.sh: ") && !words.contains("none of the gate's"), "{code}: {words}");
        assert_eq!(told.insert(words, code), None, "two codes in the same words");
    }
    assert!(String::from_utf8_lossy(&gate(folder.path(), "no line", 77).stderr).contains("none of the gate's"));
}

#[test]
fn scripts_are_posix_shell() {
    for (name, text) in files("sh") {
        assert!(text.starts_with("#!/bin/sh\n"), "{name}");
        assert_eq!(syntax(&text), Ok(()), "{name}");
        for word in ["[[", "function ", "pipefail", "${BASH", " local "] {
            assert!(!text.contains(word), "{name}: `{word}` is no POSIX shell");
        }
    }
}

#[test]
fn the_readme_tells_the_exit_codes_as_they_are() {
    let readme = fs::read_to_string(root().join("configs/ci/README.md")).expect("the README");
    let told: BTreeMap<u8, &str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .filter_map(|(code, rest)| Some((code.parse().ok()?, rest.split(" | ").next()?)))
        .collect();
    assert_eq!(told, exit::MEANINGS.into_iter().collect());
}

//! Bad input of every kind ends in a bounded message, quickly: noise, huge files, folders, broken encodings.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;
use zokio_bench::scenario::{FILE_BYTES_MAX, Source, builtin_text, load, parse, render};

/// Generous for a debug build on a busy machine: the point is that no input takes minutes.
const QUICK: Duration = Duration::from_secs(30);
const MESSAGE_BYTES_MAX: usize = 64 << 10;

fn written(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("scenario.toml");
    fs::write(&path, bytes).expect("the file is writable");
    (folder, path)
}

/// The message for a file that is no scenario.
fn refused(bytes: &[u8]) -> String {
    let (_folder, path) = written(bytes);
    let started = Instant::now();
    let found = load(path.to_str().expect("a UTF-8 path"), &[]).expect_err("not a scenario");
    let text = render(&found);
    assert!(started.elapsed() < QUICK, "took {:?}", started.elapsed());
    assert!(text.len() < MESSAGE_BYTES_MAX, "{} bytes of message", text.len());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "control characters reach the terminal");
    text
}

/// Noise without a pattern, the same on each run.
fn noise(bytes: usize, from: &[u8]) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..bytes).map(|_| if from.is_empty() { next() as u8 } else { from[next() % from.len()] }).collect()
}

#[test]
fn ten_megabytes_of_noise_are_refused_unread() {
    for from in [&b""[..], b"abc=[]\"'\n.#1"] {
        let text = refused(&noise(10 << 20, from));
        assert!(text.contains("are more than the 4194304 allowed"), "{text}");
    }
}

#[test]
fn noise_below_the_limit_gives_a_bounded_message() {
    let largest = FILE_BYTES_MAX as usize;
    assert!(refused(&noise(largest, b"")).contains("is not UTF-8 text: byte"));
    for from in [&b"abc=[]\"'\n.#1 {},"[..], b"=\n", b"[", b"a=1\n", b"[a]\n", b"{", b"a.b", b"\"", b" "] {
        refused(&noise(largest / 4, from));
    }
    refused(&noise(largest, b"abc=[]\"'\n.#1 {},"));
    let late = "# a remark\n".repeat(200_000) + "a = \n";
    assert!(refused(late.as_bytes()).contains("scenario.toml:200001:5"));
    let many = refused(&b"= 1\n".repeat(20_000));
    assert!(many.contains("… and more than 950 more"), "{many}");
}

#[test]
fn a_large_file_of_valid_toml_is_judged_quickly() {
    let mut keys: String = (0..150_000).map(|index| format!("key-{index} = {index}\n")).collect();
    assert!(refused(keys.as_bytes()).contains("unknown key `key-0`"));
    keys.insert_str(0, "[[scenario]]\nid = \"a\"\n[scenario.tcp]\nmode = \"rr\"\n[scenario.runtime]\n");
    assert!(refused(keys.as_bytes()).contains("holds more than 64 keys"));
    refused("[[scenario]]\nid = \"a\"\n[scenario.tcp]\nmode = \"rr\"\n".repeat(60_000).as_bytes());
    let off = |id: usize| format!("[[scenario]]\nid = \"{id}\"\nenabled = false\n[scenario.tcp]\nmode = \"rr\"\n");
    let many: String = "schema = 1\n[suite]\nname = \"a\"\nquestion = \"b\"\n".to_owned() + &(0..50_000).map(off).collect::<String>();
    assert!(refused(many.as_bytes()).contains("more than 1000 cases"));
    let values: Vec<String> = (1..200_000).map(|users| users.to_string()).collect();
    refused(
        format!(
            "[[scenario]]\nid = \"a\"\n[scenario.tcp]\nmode = \"rr\"\n[scenario.matrix]\n\"load.closed.users\" = [{}]\n",
            values.join(",")
        )
        .as_bytes(),
    );
}

#[test]
fn deep_nesting_overflows_nothing() {
    for text in [
        "a = ".to_owned() + &"[".repeat(200_000),
        "[".to_owned() + &"a.".repeat(200_000) + "a]\n",
        "a=".to_owned() + &"{a=".repeat(200_000),
    ] {
        assert!(refused(text.as_bytes()).contains("recur"), "{}", &text[..20]);
    }
}

#[test]
fn broken_encodings_are_named_with_their_place() {
    assert!(refused(b"schema = 1\n\xff\xfe").contains("not UTF-8 text: byte 0xff at offset 11"));
    assert!(refused(b"schema = 1\n\x00").contains("control character U+0000 at offset 11"));
    assert!(refused("schema = 1\nid = \"\u{1b}[31m\"".as_bytes()).contains("control character U+001B at offset 17"));
}

#[test]
fn what_is_no_file_is_told_with_what_is_near() {
    let (folder, path) = written(b"");
    let text = refused(b"");
    assert!(text.contains("is empty"), "{text}");
    assert!(refused(b" \n\t\r\n").contains("is empty"));
    let name = |path: PathBuf| path.to_str().expect("a UTF-8 path").to_owned();
    let message = |path: PathBuf| render(&load(&name(path), &[]).expect_err("not a scenario"));
    let text = message(folder.path().to_owned());
    assert!(text.contains("it is a folder") && text.contains("`scenario.toml`"), "{text}");
    let text = message(path.with_file_name("scenaro.toml"));
    assert!(text.contains("did you mean") && text.contains("scenario.toml") && text.contains("built-in scenarios: `scheduling`"), "{text}");
    let text = message("tpc".into());
    assert!(text.contains("did you mean `tcp`?"), "{text}");
    let text = message("/dev/zero".into());
    assert!(text.contains("not a regular file"), "{text}");
    assert!(message("a\0b".into()).contains("cannot read scenario `a\\u{0}b`"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let text = builtin_text("tcp").expect("built in");
    let plain = parse(Source::new("tcp.toml", text), "tcp.toml", &[]).expect("good");
    let windows = "\u{feff}".to_owned() + &text.replace('\n', "\r\n");
    let (_folder, path) = written(windows.as_bytes());
    let suite = load(path.to_str().expect("a UTF-8 path"), &[]).expect("good");
    assert_eq!((suite.sha256, suite.cases), (plain.sha256, plain.cases));
    let wrong = windows.replace("mode = \"crr\"", "mode = \"cr\"");
    let found = parse(Source::new("tcp.toml", &wrong), "tcp.toml", &[]).expect_err("wrong");
    let line = text.lines().position(|line| line == "mode = \"crr\"").expect("the line") + 1;
    assert_eq!(found[0].line_and_column(), Some((line, 8)));
    assert!(!render(&found).contains('\r'));
}

#[test]
fn a_mistake_in_a_very_long_line_is_shown_in_part_with_its_true_column() {
    let text = format!("schema = 1\nseed = 1\nsuite = {{ name = \"a\", question = \"{}\", nam = 1 }}\n", "é".repeat(5_000));
    let column = text.lines().last().and_then(|line| line.split("nam = 1").next()).map_or(0, |before| before.chars().count() + 1);
    let shown = refused(text.as_bytes());
    assert!(shown.contains(&format!("scenario.toml:3:{column}")) && shown.contains("nam = 1") && shown.len() < 4_000, "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let (_folder, path) = written(&bytes);
        let _ = load(path.to_str().expect("a UTF-8 path"), &[]).map_err(|found| render(&found));
    }

    #[test]
    fn random_arguments_of_set_never_panic(argument in "(scenario|defaults|suite)?[.a-z\"=-]{0,12}(tcp-rr)?[.]?.{0,40}") {
        let _ = load("tcp", &[argument]).map_err(|found| render(&found));
    }

    #[test]
    fn mutations_of_a_good_file_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[\\PC\n]{0,6}|[0-9]{1,24}|\\[\\[?|\\]|\"|=|\\{|-1|true|1e400|nan"), 1..6),
    ) {
        let mut text = builtin_text("tcp").expect("built in").to_owned();
        for (at, remove, insert) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + remove).min(text.len())).max(start);
            text.replace_range(start..end, &insert);
        }
        if let Err(found) = parse(Source::new("tcp.toml", &text), "tcp.toml", &[]) {
            let shown = render(&found);
            prop_assert!(!found.is_empty() && shown.contains("error: "));
            let places: Vec<_> = found.iter().filter_map(|one| one.line_and_column()).collect();
            prop_assert!(places.is_sorted(), "not in file order: {places:?}");
        }
    }
}

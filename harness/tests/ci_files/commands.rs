//! The gate commands in scripts, and what the gate's command line has.

use clap::Parser as _;
use zokio_bench::cli::{Cli, Command};

use crate::workflows::scripts;
use crate::{files, root};

/// What is wrong with the words after `gate`, by the command line itself; and a gate in CI has something to compare with.
fn judged(words: &[String]) -> Result<(), String> {
    let line = ["zokio-bench", "gate"].into_iter().map(str::to_owned).chain(words.iter().cloned());
    let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
    let Command::Gate(gate) = cli.command else { return Err("no gate".into()) };
    let has_base = !(gate.base_bin.is_empty() && gate.base_rev.is_empty() && gate.baseline.is_empty());
    if has_base || gate.self_test { Ok(()) } else { Err("nothing to compare with is named".into()) }
}

/// The simple commands of a script, as words: quotes are taken off, substitutions stay as they are written, redirections are dropped.
fn commands(script: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut open: Vec<char> = Vec::new();
    let mut is_target = false;
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        let inside = open.last().copied();
        match character {
            '\'' if inside == Some('\'') => drop(open.pop()),
            _ if inside == Some('\'') => word.get_or_insert_default().push(character),
            '\\' => match characters.next() {
                None | Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            '"' if inside == Some('"') => drop(open.pop()),
            '"' | '\'' if inside != Some('"') || character == '"' => {
                word.get_or_insert_default();
                open.push(character);
            }
            '(' if word.as_ref().is_some_and(|word| word.ends_with('$')) => {
                word.get_or_insert_default().push('(');
                open.push(')');
            }
            ')' if inside == Some(')') => {
                word.get_or_insert_default().push(')');
                open.pop();
            }
            '#' if open.is_empty() && word.is_none() => while characters.next_if(|next| *next != '\n').is_some() {},
            ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' if open.is_empty() => {
                if let Some(word) = word.take().filter(|_| !std::mem::take(&mut is_target)) {
                    words.push(word);
                }
                match character {
                    '<' | '>' => is_target = true,
                    '\n' | ';' | '|' | '&' => commands.push(std::mem::take(&mut words)),
                    _ => {}
                }
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word.filter(|_| !is_target));
    commands.push(words);
    commands.retain(|words: &Vec<String>| !words.is_empty());
    commands
}

/// The words after `gate` of every gate command in `script`.
fn gates(script: &str) -> Vec<Vec<String>> {
    let is_gate = |pair: &[String]| ["./bench", "bench", "zokio-bench"].contains(&pair[0].as_str()) && pair[1] == "gate";
    let of = |words: Vec<String>| words.windows(2).position(is_gate).map(|place| words[place + 2..].to_vec());
    commands(script).into_iter().filter_map(of).collect()
}

/// File and words of every gate command in the ready files.
fn every_gate() -> Vec<(String, Vec<String>)> {
    let mut scripts = scripts();
    scripts.extend(files("sh"));
    scripts.into_iter().flat_map(|(name, text)| gates(&text).into_iter().map(move |words| (name.clone(), words))).collect()
}

#[test]
fn every_gate_command_is_one_that_the_gate_accepts() {
    let gates = every_gate();
    for file in ["github-actions.yml", "gitlab-ci.yml", "gate.sh"] {
        assert!(gates.iter().any(|(name, _)| name == file), "{file} has no gate command");
    }
    for (name, words) in gates {
        assert_eq!(judged(&words), Ok(()), "{name}: {words:?}");
        for scenario in words.iter().filter(|word| word.ends_with(".toml")) {
            assert!(root().join(scenario).is_file(), "{name}: {scenario} does not exist");
        }
    }
}

#[test]
fn commands_are_found_as_a_shell_finds_them() {
    let script = "# ./bench gate in a comment, it's none\nx=1; ./bench gate a.toml \\\n  --base-rev \"$(git merge-base \"origin/$B\" HEAD)\" >\"$out\" 2>&1 && ls\n\
                  zokio-bench gate 'b c.toml' --strict | tail";
    let expected = [vec!["a.toml", "--base-rev", "$(git merge-base origin/$B HEAD)", "2"], vec!["b c.toml", "--strict"]];
    assert_eq!(gates(script), expected);
}

#[test]
fn a_command_that_the_gate_refuses_is_told_from_one_that_it_takes() {
    let cases = [
        ("a.toml --base-rev main --metric cpu_ns_per_op=10% --metric service_time_ns_p99=5%", None),
        ("--self-test", None),
        ("a.toml --base-rev main --markdown -", None),
        ("a.toml --base-rev main --max-tim 1s", Some("--max-tim")),
        ("a.toml --base-rev main --seed 1 --seed 2", Some("multiple times")),
        ("a.toml --base-rev main --metric opss=10%", Some("no metric `opss`")),
        ("a.toml --base-rev main --strict=yes", Some("--strict")),
        ("--base-rev main", Some("FILE|NAME")),
        ("a.toml --github", Some("nothing to compare with is named")),
    ];
    for (line, expected) in cases {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        match (judged(&words), expected) {
            (Ok(()), None) => {}
            (Err(error), Some(expected)) => assert!(error.contains(expected), "{line}: {error}"),
            (judged, _) => panic!("{line}: {judged:?}"),
        }
    }
}

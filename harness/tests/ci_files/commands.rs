//! The gate commands in scripts, and what the gate's command line has.

use crate::workflows::scripts;
use crate::{files, root};

/// The options of `gate`: name, whether it takes a value, whether it may be given several times.
const OPTIONS: [(&str, bool, bool); 24] = [
    ("--base-bin", true, true),
    ("--base-rev", true, true),
    ("--baseline", true, true),
    ("--threshold", true, false),
    ("--metric", true, true),
    ("--alpha", true, false),
    ("--looks", true, false),
    ("--max-time", true, false),
    ("--strict", false, false),
    ("--max-inconclusive", true, false),
    ("--on-unlike", true, false),
    ("--confirm", false, false),
    ("--subject", true, true),
    ("--set", true, true),
    ("--seed", true, false),
    ("--out", true, false),
    ("--junit", true, false),
    ("--markdown", true, false),
    ("--github", false, false),
    ("--bmf", true, false),
    ("--gha-json", true, false),
    ("--json", true, false),
    ("--html", true, false),
    ("--self-test", false, false),
];

/// What is wrong with the words after `gate`; the one place that knows the command line.
fn judged(words: &[String]) -> Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut scenarios = 0;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            scenarios += 1;
            continue;
        }
        let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value.to_string())));
        let Some((name, takes_value, may_repeat)) = OPTIONS.into_iter().find(|(known, ..)| *known == name) else {
            return Err(format!("the gate has no option {name}"));
        };
        if seen.contains(&name) && !may_repeat {
            return Err(format!("{name} is given twice"));
        }
        seen.push(name);
        match (takes_value, value) {
            (false, Some(value)) => return Err(format!("{name} takes no value, but has {value}")),
            (true, None) if words.next().is_none_or(|value| value.starts_with("--")) => return Err(format!("{name} has no value")),
            _ => {}
        }
    }
    if scenarios == 0 && !seen.contains(&"--self-test") {
        return Err("no scenario is named".into());
    }
    let has_base = seen.iter().any(|name| name.starts_with("--base"));
    if has_base || seen.contains(&"--self-test") { Ok(()) } else { Err("nothing to compare with is named".into()) }
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
        ("a.toml --base-rev main --metric x=10% --metric y=5%", None),
        ("--self-test", None),
        ("a.toml --base-rev main --markdown -", None),
        ("a.toml --base-rev main --max-tim 1s", Some("the gate has no option --max-tim")),
        ("a.toml --base-rev main --seed 1 --seed 2", Some("--seed is given twice")),
        ("a.toml --base-rev main --junit --github", Some("--junit has no value")),
        ("a.toml --base-rev main --strict=yes", Some("--strict takes no value, but has yes")),
        ("--base-rev main", Some("no scenario is named")),
        ("a.toml --github", Some("nothing to compare with is named")),
    ];
    for (line, expected) in cases {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        assert_eq!(judged(&words).err().as_deref(), expected, "{line}");
    }
}

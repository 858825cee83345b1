//! The YAML files: what they may do, and the scripts in them.

use std::process::{Command, Stdio};

use saphyr::{LoadableYamlNode, Yaml};

use crate::files;

fn parsed(name: &str) -> Yaml<'static> {
    let (_, text) = files("yml").into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name} is missing"));
    // Leaked, so that the tree may borrow it: a few kilobytes in a test.
    load(name, text.leak())
}

fn load<'text>(name: &str, text: &'text str) -> Yaml<'text> {
    let mut documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(documents.len(), 1, "{name}: one document");
    documents.remove(0)
}

/// Every text below `key`, wherever that stands.
fn texts_of(node: &Yaml<'_>, key: &str, is_below: bool, found: &mut Vec<String>) {
    if let Some(mapping) = node.as_mapping() {
        for (name, value) in mapping {
            texts_of(value, key, name.as_str() == Some(key), found);
        }
    } else if let Some(sequence) = node.as_sequence() {
        sequence.iter().for_each(|value| texts_of(value, key, is_below, found));
    } else if let Some(text) = node.as_str().filter(|_| is_below) {
        found.push(text.to_string());
    }
}

fn texts(node: &Yaml<'_>, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    texts_of(node, key, false, &mut found);
    found
}

/// File and text of every script in the YAML files.
pub(crate) fn scripts() -> Vec<(String, String)> {
    let mut scripts = Vec::new();
    for (name, text) in files("yml") {
        let tree = load(&name, &text);
        let found = ["run", "script"].into_iter().flat_map(|key| texts(&tree, key));
        scripts.extend(found.map(|script| (name.clone(), script)));
    }
    scripts
}

/// What `sh -n` says of a script.
pub(crate) fn syntax(script: &str) -> Result<(), String> {
    use std::io::Write;
    let shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut shell = shell.expect("a shell");
    shell.stdin.take().expect("piped").write_all(script.as_bytes()).expect("the shell reads");
    let output = shell.wait_with_output().expect("the shell ends");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn every_file_is_yaml_and_every_script_in_it_is_shell() {
    let scripts = scripts();
    for (name, _) in files("yml") {
        assert!(scripts.iter().any(|(known, _)| *known == name), "{name} has no script");
    }
    for (name, script) in scripts {
        assert_eq!(syntax(&script), Ok(()), "{name}:\n{script}");
    }
    assert!(syntax("if true; then").is_err());
    assert!(Yaml::load_from_str("a: [1\nb: 2").is_err());
}

#[test]
fn no_value_from_outside_becomes_part_of_a_script() {
    for (name, script) in scripts() {
        assert!(!script.contains("${{"), "{name}: give it to the script in `env`:\n{script}");
    }
}

#[test]
fn actions_have_a_version() {
    for name in ["github-actions.yml", "github-actions-comment.yml"] {
        let actions = texts(&parsed(name), "uses");
        assert!(!actions.is_empty(), "{name}");
        for action in actions {
            let version = action.split_once("@v").and_then(|(_, version)| version.parse::<u32>().ok());
            assert!(version.is_some(), "{name}: {action} has no version tag");
        }
    }
}

#[test]
fn what_runs_the_code_of_a_pull_request_may_only_read() {
    let gate = parsed("github-actions.yml");
    assert_eq!(gate["permissions"].as_mapping().map(|mapping| mapping.len()), Some(1));
    assert_eq!(gate["permissions"]["contents"].as_str(), Some("read"));
    assert!(gate["on"].as_mapping_get("pull_request").is_some() && gate["on"].as_mapping_get("pull_request_target").is_none());
    let jobs: Vec<&str> = gate["jobs"].as_mapping().expect("jobs").iter().filter_map(|(name, _)| name.as_str()).collect();
    assert_eq!(jobs, ["gate", "build"]);
    for job in jobs {
        assert!(gate["jobs"][job].as_mapping_get("permissions").is_none(), "{job} asks for more");
    }
    let (_, text) = files("yml").into_iter().find(|(name, _)| name == "github-actions.yml").expect("the file");
    assert!(!text.contains("secrets."), "no secret where a fork's code runs");
    let checkout = &gate["jobs"]["gate"]["steps"][0];
    assert_eq!(checkout["with"]["fetch-depth"].as_integer(), Some(0), "a base needs the history");
    assert_eq!(checkout["with"]["persist-credentials"].as_bool(), Some(false));
    let systems = texts(&gate["jobs"]["build"], "os");
    assert_eq!(systems, ["ubuntu-latest", "macos-latest", "windows-latest"]);
}

#[test]
fn what_may_write_a_comment_runs_nothing_of_the_pull_request() {
    let comment = parsed("github-actions-comment.yml");
    assert_eq!(comment["on"]["workflow_run"]["workflows"][0].as_str(), parsed("github-actions.yml")["name"].as_str());
    assert_eq!(comment["permissions"].as_mapping().map(|mapping| mapping.len()), Some(0), "nothing but what the job asks for");
    let actions = texts(&comment, "uses");
    assert_eq!(actions, ["actions/download-artifact@v4"], "no checkout");
    let script = texts(&comment, "run").join("\n");
    for program in ["./", "cargo", "sh ", "eval", "source ", "make"] {
        assert!(!script.contains(program), "the script runs `{program}`");
    }
    assert!(script.contains("zokio-bench:gate:"), "only a gate's own text is posted");
}

#[test]
fn the_report_of_gitlab_is_the_one_that_the_gate_writes() {
    let job = &parsed("gitlab-ci.yml")["zokio-gate"];
    let report = job["artifacts"]["reports"]["junit"].as_str().expect("a report");
    assert!(texts(job, "script").join("\n").contains(&format!("--junit {report} ")));
    assert_eq!(job["allow_failure"]["exit_codes"][0].as_integer(), Some(i64::from(zokio_report::exit::INCONCLUSIVE)));
}

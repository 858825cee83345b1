//! Keeps names of users and machines out of results: they travel, and whose they are is nobody's business.

/// Paths that are the same on every machine.
const PUBLIC_ROOTS: [&str; 4] = ["/proc/", "/sys/", "/dev/", "/etc/"];

/// `text` with every absolute path cut down to its last part.
pub fn without_paths(text: &str) -> String {
    let is_separator = |c: char| c.is_whitespace() || "\"'`()[]<>=,;".contains(c);
    let mut shown = String::with_capacity(text.len());
    for token in text.split_inclusive(is_separator) {
        let end = token.trim_end_matches(is_separator).len();
        let (word, rest) = token.split_at(end);
        let is_path = word.starts_with('/') && word[1..].contains('/') && !PUBLIC_ROOTS.iter().any(|root| word.starts_with(root));
        shown.push_str(if is_path { word.trim_end_matches('/').rsplit('/').next().unwrap_or(word) } else { word });
        shown.push_str(rest);
    }
    shown
}

/// The command line as a result shows it: the program by its name, paths below the working folder relative to it, others by their last part.
pub fn command_line(arguments: impl IntoIterator<Item = String>, with_identity: bool) -> Vec<String> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().map(|program| program.rsplit(['/', '\\']).next().unwrap_or_default().to_string());
    let here = std::env::current_dir().map(|folder| format!("{}/", folder.display())).unwrap_or_default();
    let hide = |argument: String| {
        if with_identity {
            return argument;
        }
        let relative = if here.len() > 1 { argument.replace(&here, "") } else { argument };
        without_paths(&relative)
    };
    program.into_iter().chain(arguments.map(hide)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_folders_and_all_else_stays() {
        let cases = [
            ("panicked at /root/project/src/main.rs:3:5", "panicked at main.rs:3:5"),
            ("cannot open `/home/me/x y", "cannot open `x y"),
            ("1,200 ops/s and 3 / 4", "1,200 ops/s and 3 / 4"),
            ("/proc/sys/kernel/io_uring_disabled is 2", "/proc/sys/kernel/io_uring_disabled is 2"),
            ("mine=/opt/bin/subject", "mine=subject"),
            ("", ""),
        ];
        for (text, shown) in cases {
            assert_eq!(without_paths(text), shown);
        }
    }

    #[test]
    fn a_command_line_is_relative_to_where_it_was_given() {
        let here = std::env::current_dir().expect("a working folder");
        let line =
            ["/usr/bin/zokio-bench".to_string(), "run".into(), format!("{}/scenarios/tcp.toml", here.display()), "/opt/other.toml".into()];
        assert_eq!(command_line(line.clone(), false), ["zokio-bench", "run", "scenarios/tcp.toml", "other.toml"]);
        assert_eq!(command_line(line.clone(), true)[3], line[3]);
    }
}

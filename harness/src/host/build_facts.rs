//! Text work of the build script (`harness/build.rs` includes this file), kept here so that tests reach it.

/// Compiler flags as one line, with every path in them replaced: a path names the machine and its user.
///
/// `encoded` is Cargo's `CARGO_ENCODED_RUSTFLAGS`: flags separated by the unit separator.
pub(crate) fn sanitize_flags(encoded: &str) -> String {
    let flags = encoded.split('\u{1f}').filter(|flag| !flag.is_empty());
    flags.map(|flag| flag.split_inclusive(['=', ',', ' ']).map(sanitize_part).collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// A part with a slash is a path; what stands before it (`-L`) and the separator after it stay.
fn sanitize_part(part: &str) -> String {
    let value = part.trim_end_matches(['=', ',', ' ']);
    if !value.contains(['/', '\\']) {
        return part.to_owned();
    }
    let option = ["-L", "-I", "-B"].into_iter().find(|option| value.starts_with(option)).unwrap_or("");
    format!("{option}<path>{}", &part[value.len()..])
}

/// The value of `key` in `[profile.NAME]` of a manifest, without quotes; `None` when it is not there.
///
/// Reads the plain form that Cargo manifests use: a table header on a line, `key = value` on lines of their own.
pub(crate) fn profile_value(manifest: &str, profile: &str, key: &str) -> Option<String> {
    let header = format!("[profile.{profile}]");
    let lines = manifest.lines().map(str::trim).skip_while(|line| *line != header).skip(1).take_while(|line| !line.starts_with('['));
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.split('#').next().unwrap_or("").trim().trim_matches(['"', '\'']).to_owned())
    });
    values.next()
}

/// Link-time optimisation in words, from Cargo's value of `lto`; Cargo's default is "thin, inside each crate".
pub(crate) fn describe_lto(value: Option<&str>) -> &'static str {
    match value {
        None | Some("false") => "no LTO across crates",
        Some("thin") => "thin LTO",
        Some("fat" | "true") => "fat LTO",
        Some("off") => "no LTO",
        Some(_) => "LTO unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_the_machine_survives() {
        let cases = [
            ("", ""),
            ("-Ctarget-cpu=native", "-Ctarget-cpu=native"),
            ("-C\u{1f}target-feature=+avx2,-sse4", "-C target-feature=+avx2,-sse4"),
            ("--remap-path-prefix=/home/anna/src=/src", "--remap-path-prefix=<path>=<path>"),
            ("-L/opt/anna/lib\u{1f}-lfoo", "-L<path> -lfoo"),
            ("-L\u{1f}native=/opt/lib", "-L native=<path>"),
            ("-Clink-arg=-Wl,-rpath,/home/anna/lib", "-Clink-arg=-Wl,-rpath,<path>"),
            ("-Clink-args=-L/a/b -lc", "-Clink-args=-L<path> -lc"),
            (r"-Clinker=C:\Users\anna\link.exe", "-Clinker=<path>"),
            ("--cfg\u{1f}zokio_loom", "--cfg zokio_loom"),
        ];
        for (encoded, expected) in cases {
            assert_eq!(sanitize_flags(encoded), expected, "{encoded:?}");
        }
    }

    #[test]
    fn the_profile_is_read_from_its_own_table() {
        let manifest = "[profile.dev]\nlto = \"off\"\n\n[profile.release]\n# why\nlto = \"thin\" # because\npanic='unwind'\n[profile.release.package.x]\nlto = true\n";
        assert_eq!(profile_value(manifest, "release", "lto").as_deref(), Some("thin"));
        assert_eq!(profile_value(manifest, "release", "panic").as_deref(), Some("unwind"));
        assert_eq!(profile_value(manifest, "dev", "lto").as_deref(), Some("off"));
        assert_eq!(profile_value(manifest, "release", "debug"), None);
        assert_eq!(profile_value(manifest, "bench", "lto"), None);
        assert_eq!(describe_lto(Some("thin")), "thin LTO");
        assert_eq!(describe_lto(None), "no LTO across crates");
    }
}

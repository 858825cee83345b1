//! The scenarios built into the binary, so `zokio-bench run tcp` works anywhere.

/// Name and text of every file under `scenarios/`.
const FILES: &[(&str, &str)] =
    &[("tcp", include_str!("../../../scenarios/tcp.toml")), ("http", include_str!("../../../scenarios/http.toml"))];

/// The names, in the order of the list.
pub fn names() -> Vec<&'static str> {
    FILES.iter().map(|(name, _)| *name).collect()
}

/// The text of a built-in scenario.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

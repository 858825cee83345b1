//! The scenarios built into the binary, so `zokio-bench run tcp` works anywhere.

/// Name and text of every file under `scenarios/`.
const FILES: &[(&str, &str)] = &[
    ("scheduling", include_str!("../../../scenarios/scheduling.toml")),
    ("sync", include_str!("../../../scenarios/sync.toml")),
    ("lifecycle", include_str!("../../../scenarios/lifecycle.toml")),
    ("stealing", include_str!("../../../scenarios/stealing.toml")),
    ("polling", include_str!("../../../scenarios/polling.toml")),
    ("memory", include_str!("../../../scenarios/memory.toml")),
    ("pool", include_str!("../../../scenarios/pool.toml")),
    ("atomics", include_str!("../../../scenarios/atomics.toml")),
    ("io", include_str!("../../../scenarios/io.toml")),
    ("latency", include_str!("../../../scenarios/latency.toml")),
    ("scaling", include_str!("../../../scenarios/scaling.toml")),
    ("file", include_str!("../../../scenarios/file.toml")),
    ("http", include_str!("../../../scenarios/http.toml")),
    ("tcp", include_str!("../../../scenarios/tcp.toml")),
    ("stress", include_str!("../../../scenarios/stress.toml")),
    ("gate", include_str!("../../../scenarios/gate.toml")),
];

/// The names, in the order of the list.
pub fn names() -> Vec<&'static str> {
    FILES.iter().map(|(name, _)| *name).collect()
}

/// The text of a built-in scenario.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

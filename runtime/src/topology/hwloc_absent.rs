//! What the hwloc reader answers where it is not built: not Linux with glibc on x86-64 or AArch64, or without the feature.

use super::Topology;

const REASON: &str = "hwloc: not in this build";

/// Always refuses.
pub(super) fn read() -> Result<Topology, String> {
    Err(REASON.into())
}

/// Always refuses.
pub(super) fn from_synthetic(_description: &str) -> Result<Topology, String> {
    Err(REASON.into())
}

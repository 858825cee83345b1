//! NUMA nodes, cache groups and pinning: libhwloc or /sys behind one type.
/// x
pub fn pin_current_thread(_: &[u32]) -> std::io::Result<()> {
    Ok(())
}

//! NUMA nodes, cache groups and pinning: libhwloc or /sys behind one type.

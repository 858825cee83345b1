//! The memory that belongs to this process alone, as the kernel counts it page by page.
//!
//! `smaps_rollup` walks the page tables. The counts of `statm` and `status` are kept by CPU and off by up to a few hundred pages, which would be
//! bytes for each of 100,000 tasks.

/// Bytes of the pages that this process shares with nobody; `None` where the system does not tell.
pub fn private_bytes() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/smaps_rollup").ok()?)
}

fn parse(rollup: &str) -> Option<u64> {
    let kib = |line: &str| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok();
    let private = rollup.lines().filter_map(|line| line.strip_prefix("Private_")?.split_once(':'));
    let mut sums = private.map(|(_, count)| kib(count)).peekable();
    sums.peek()?;
    sums.sum::<Option<u64>>().map(|sum| sum * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_pages_are_added_up_and_shared_ones_are_not() {
        let rollup = "5587-7ffd ---p 00000000 00:00 0 [rollup]\nRss:   4000 kB\nPss:  3000 kB\nShared_Clean:  900 kB\nPrivate_Clean:  100 kB\n\
                      Private_Dirty:   2900 kB\nSwap:  7 kB\nPrivate_Hugetlb: 2048 kB\n";
        assert_eq!(parse(rollup), Some(5_048 * 1024));
        assert_eq!(parse("Rss: 4000 kB\n"), None);
        assert_eq!(parse("Private_Clean: many\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_was_written_is_counted() {
        let before = private_bytes().expect("Linux tells");
        let block = vec![7_u8; 16 << 20];
        let after = private_bytes().expect("Linux tells");
        // Other tests of this process come and go beside it.
        assert!(after - before > 12 << 20, "{before} {after} {}", std::hint::black_box(&block).len());
    }
}

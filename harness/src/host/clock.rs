//! The clock: the kernel's source, and what our own clock costs and resolves here.

use std::time::Duration;

use zokio_report::schema::host::ClockProfile;

use super::files::HostFiles;
use crate::measure::clock::Clock;

/// Looking for the smallest step takes no longer.
const LIMIT: Duration = Duration::from_millis(35);

/// Reads the clock source; on this system the clock is measured too (about a millisecond).
pub(super) fn read(files: &mut HostFiles) -> ClockProfile {
    let source = files.text("clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if !files.is_system() {
        return ClockProfile { source, ..ClockProfile::default() };
    }
    let (cost_ns, resolution_ns) = (Clock::cost_ns(), Clock::resolution_ns(LIMIT));
    if cost_ns.is_none() || resolution_ns.is_none() {
        files.note("clock: it stands still");
    }
    if Clock::kind() == "system" {
        files.note("clock: the processor's counter is not invariant or not trusted by the kernel: the system's clock is used");
    }
    ClockProfile { source, cost_ns, resolution_ns }
}

#[cfg(test)]
mod tests {
    use super::super::files::TestTree;
    use super::*;

    #[test]
    fn another_root_has_a_source_and_no_measurement() {
        let tree = TestTree::new(&[("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")]);
        let mut files = tree.files();
        assert_eq!(read(&mut files), ClockProfile { source: Some("tsc".into()), cost_ns: None, resolution_ns: None });
    }

    #[test]
    fn this_system_is_measured() {
        let clock = read(&mut HostFiles::system());
        assert!(clock.cost_ns.is_some_and(|cost| cost > 0.0) && clock.resolution_ns.is_some_and(|step| step > 0.0), "{clock:?}");
    }
}

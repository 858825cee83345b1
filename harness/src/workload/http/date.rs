//! The field `Date`, made once a second.

#[cfg(any(test, not(target_os = "linux")))]
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// Length of the only form of a date that is sent (RFC 9110, section 5.6.7).
pub(super) const DATE_BYTES: usize = 29;

/// The text of the current second.
#[derive(Clone, Debug)]
pub(super) struct Date {
    second: u64,
    text: [u8; DATE_BYTES],
}

impl Date {
    pub(super) fn new() -> Self {
        let mut date = Self { second: u64::MAX, text: [b' '; DATE_BYTES] };
        date.now();
        date
    }

    /// The date now.
    #[inline]
    pub(super) fn now(&mut self) -> &[u8; DATE_BYTES] {
        let second = second();
        if second != self.second {
            self.second = second;
            self.text = text(second);
        }
        &self.text
    }
}

/// Whole seconds since 1970, from the clock that is cheapest to read.
#[inline]
fn second() -> u64 {
    #[cfg(target_os = "linux")]
    {
        use rustix::time::{ClockId, clock_gettime};
        u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

#[cold]
fn text(second: u64) -> [u8; DATE_BYTES] {
    let mut text = [b' '; DATE_BYTES];
    let stamp = Timestamp::from_second(i64::try_from(second).unwrap_or(0)).unwrap_or_default();
    // Fails only for years beyond 9999; the field then stays blank rather than wrong.
    if let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&stamp)
        && date.len() == DATE_BYTES
    {
        text.copy_from_slice(date.as_bytes());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_has_the_one_form_that_is_allowed_and_follows_the_clock() {
        assert_eq!(&text(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT", "the example of RFC 9110");
        let mut date = Date::new();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        assert!(date.second.abs_diff(now) <= 1);
        date.second = 0;
        date.text = text(0);
        assert_ne!(date.now(), b"Thu, 01 Jan 1970 00:00:00 GMT", "refreshed");
    }
}

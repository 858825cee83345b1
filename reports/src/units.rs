//! Quantities with their units, as every renderer prints them; no arithmetic across kinds.
//!
//! ```text
//! PerSecond(12_345.0)        12.3 k/s      three significant digits, decimal steps
//! Nanos(4_050.0)             4.05 µs
//! BytesPerSecond(9.8e9)      9.80 GB/s     throughput counts in powers of 1000
//! Bytes(65_536)              64 KiB        sizes count in powers of 1024
//! Ratio(1.14)                1.140×
//! Share(0.001)               0.10 %
//! ```
//!
//! A number that is not finite has no unit and is printed as [`ABSENT`]: nothing here ever prints an infinite rate.

use std::fmt;
use std::time::Duration;

/// What is printed where there is no number.
pub const ABSENT: &str = "–";

/// A rate is given only for an interval of so many clock ticks (0.1 % quantization).
pub const TICKS_PER_RATE_MIN: u32 = 1_000;

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Nanos(pub f64);

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Bytes(pub f64);

/// Operations per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct PerSecond(pub f64);

/// Payload bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct BytesPerSecond(pub f64);

/// One quantity divided by another of its kind.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Ratio(pub f64);

/// A part of a whole, 0 to 1, printed in per cent.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// Operations per second, or `None` when the clock cannot resolve `elapsed`.
///
/// A rate is given only for an interval of at least [`TICKS_PER_RATE_MIN`] clock ticks. Too short an interval gives no number,
/// never an infinite one.
///
/// ```
/// use std::time::Duration;
/// use zokio_report::units::rate_per_s;
/// let tick = Duration::from_nanos(20);
/// assert_eq!(rate_per_s(500, Duration::from_millis(500), tick), Some(1_000.0));
/// assert_eq!(rate_per_s(100_000_000, Duration::from_nanos(30), tick), None);
/// ```
pub fn rate_per_s(operations: u64, elapsed: Duration, clock_tick: Duration) -> Option<f64> {
    if elapsed.is_zero() || elapsed < clock_tick.saturating_mul(TICKS_PER_RATE_MIN) {
        return None;
    }
    Some(operations as f64 * 1e9 / elapsed.as_nanos() as f64)
}

/// A metric's value as a person reads it, by the unit of its result entry (`1/s`, `ns`, `B`, `B/s`, `KiB/s`, `1`).
///
/// ```
/// use zokio_report::units::with_unit;
/// assert_eq!(with_unit(12_345.0, "1/s"), "12.3 k/s");
/// assert_eq!(with_unit(f64::INFINITY, "1/s"), "–");
/// ```
pub fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "1/s" => PerSecond(value).to_string(),
        "ns" => Nanos(value).to_string(),
        "B" => Bytes(value).to_string(),
        "B/s" => BytesPerSecond(value).to_string(),
        "KiB/s" if value.is_finite() => format!("{value:.2} KiB/s"),
        _ if value.is_finite() => three_digits(value),
        _ => ABSENT.to_string(),
    }
}

/// [`with_unit`] of a value that may be absent.
pub fn maybe_with_unit(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| ABSENT.to_string(), |value| with_unit(value, unit))
}

/// A count with a comma between groups of three digits.
///
/// ```
/// assert_eq!(zokio_report::units::grouped(1_234_567), "1,234,567");
/// ```
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(self.0, &[(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")]))
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(self.0, &[(1e9, " G/s"), (1e6, " M/s"), (1e3, " k/s"), (1.0, " /s")]))
    }
}

impl fmt::Display for BytesPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(self.0, &[(1e9, " GB/s"), (1e6, " MB/s"), (1e3, " kB/s"), (1.0, " B/s")]))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = [(f64::from(1 << 30), " GiB"), (f64::from(1 << 20), " MiB"), (1024.0, " KiB"), (1.0, " B")];
        let text = match steps.iter().find(|(size, _)| self.0.abs() >= *size) {
            Some((size, unit)) if self.0 % size == 0.0 => format!("{:.0}{unit}", self.0 / size),
            _ => scaled(self.0, &steps),
        };
        f.pad(&text)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0.abs() {
            small if small < 0.001 => return f.pad(&if self.0.is_finite() { format!("{:.1e}×", self.0) } else { ABSENT.into() }),
            small if small < 10.0 => 3,
            middle if middle < 100.0 => 1,
            _ => 0,
        };
        f.pad(&if self.0.is_finite() { format!("{:.decimals$}×", self.0) } else { ABSENT.into() })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        f.pad(&match percent.abs() {
            _ if !percent.is_finite() => ABSENT.into(),
            0.0 => "0 %".into(),
            tiny if tiny < 0.01 => "<0.01 %".into(),
            small if small < 10.0 => format!("{percent:.2} %"),
            // Never rounded up to the whole: one failure in a million is not "100 %".
            nearly if (99.95..100.0).contains(&nearly) => ">99.9 %".into(),
            _ => format!("{percent:.1} %"),
        })
    }
}

/// The value in the largest unit it reaches after rounding, so that 999.96 ns reads `1.00 µs`.
fn scaled(value: f64, steps: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return ABSENT.to_string();
    }
    let rounded = round_to_three_digits(value);
    let (size, unit) = steps.iter().find(|(size, _)| rounded.abs() >= *size).or(steps.last()).copied().unwrap_or((1.0, ""));
    format!("{}{unit}", three_digits(value / size))
}

fn three_digits(value: f64) -> String {
    let rounded = round_to_three_digits(value);
    let decimals = match rounded.abs() {
        0.0 => 0,
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 0.1 => 2,
        tiny if tiny >= 0.01 => 3,
        _ => return format!("{rounded:.2e}"),
    };
    format!("{rounded:.decimals$}")
}

fn round_to_three_digits(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let step = 10f64.powi(2 - value.abs().log10().floor() as i32);
    (value * step).round() / step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_people_write_them() {
        let cases: [(&dyn fmt::Display, &str); 20] = [
            (&PerSecond(12_345.0), "12.3 k/s"),
            (&PerSecond(999_960.0), "1.00 M/s"),
            (&PerSecond(950.0), "950 /s"),
            (&PerSecond(0.0), "0 /s"),
            (&Nanos(4_050.0), "4.05 µs"),
            (&Nanos(999.96), "1.00 µs"),
            (&Nanos(0.272), "0.27 ns"),
            (&Nanos(1.5e9), "1.50 s"),
            (&BytesPerSecond(9.8e9), "9.80 GB/s"),
            (&Bytes(65_536.0), "64 KiB"),
            (&Bytes(64.0), "64 B"),
            (&Bytes(5_500_000.0), "5.25 MiB"),
            (&Ratio(1.1404), "1.140×"),
            (&Ratio(35.2), "35.2×"),
            (&Share(0.001), "0.10 %"),
            (&Share(0.0), "0 %"),
            (&Share(0.999_999), ">99.9 %"),
            (&Share(1.0), "100.0 %"),
            (&Nanos(f64::INFINITY), ABSENT),
            (&Ratio(f64::NAN), ABSENT),
        ];
        for (quantity, text) in cases {
            assert_eq!(quantity.to_string(), text);
        }
    }

    #[test]
    fn a_loop_that_was_optimised_away_has_no_rate() {
        let tick = Duration::from_nanos(20);
        assert_eq!(rate_per_s(100_000_000, Duration::ZERO, Duration::ZERO), None);
        assert_eq!(rate_per_s(100_000_000, Duration::from_nanos(19_999), tick), None);
        assert_eq!(rate_per_s(20, Duration::from_nanos(20_000), tick), Some(1_000_000.0));
    }

    #[test]
    fn columns_can_be_padded() {
        assert_eq!(format!("{:>10}|", PerSecond(12_345.0)), "  12.3 k/s|");
    }
}

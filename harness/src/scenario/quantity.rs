//! Quantities as a user writes them: a number directly followed by its unit, exact, never guessed.
//!
//! | kind | examples | units |
//! |---|---|---|
//! | duration | `"300ms"`, `"1.5s"` | `ns us ms s m h` |
//! | size | `"64KiB"`, `"64kB"` | `B`, powers of 1000 `kB MB GB`, powers of 1024 `KiB MiB GiB` |
//! | rate | `"20k/s"`, `"100MB/s"` | `/s k/s M/s G/s`, or a size with `/s` |

/// A kind of quantity and its units, each with its worth in the base unit.
#[derive(Debug)]
pub(crate) struct Kind {
    /// `duration`, …
    pub(crate) name: &'static str,
    /// An example for messages.
    pub(crate) example: &'static str,
    /// Unit and worth.
    pub(crate) units: &'static [(&'static str, u64)],
}

/// Nanoseconds.
pub(crate) const DURATION: Kind = Kind {
    name: "duration",
    example: "300ms",
    units: &[
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ],
};

/// Bytes.
pub(crate) const SIZE: Kind = Kind {
    name: "size",
    example: "64KiB",
    units: &[("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)],
};

/// Operations per second.
pub(crate) const RATE: Kind =
    Kind { name: "rate", example: "20k/s", units: &[("/s", 1), ("k/s", 1_000), ("M/s", 1_000_000), ("G/s", 1_000_000_000)] };

/// Bytes per second.
pub(crate) const BYTE_RATE: Kind = Kind {
    name: "rate in bytes",
    example: "100MB/s",
    units: &[
        ("B/s", 1),
        ("kB/s", 1_000),
        ("MB/s", 1_000_000),
        ("GB/s", 1_000_000_000),
        ("KiB/s", 1 << 10),
        ("MiB/s", 1 << 20),
        ("GiB/s", 1 << 30),
    ],
};

/// Why a text is no quantity of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QuantityError {
    /// It does not begin with a plain decimal number.
    NotANumber,
    /// Below zero.
    Negative,
    /// A number alone.
    NoUnit,
    /// What follows the number is not a unit of this kind.
    UnknownUnit(String),
    /// Not a whole number of base units, as `"0.5B"`.
    Fraction,
    /// Above 2^64 base units.
    TooLarge,
}

impl Kind {
    /// The quantity in base units, exact.
    pub(crate) fn parse(&self, text: &str) -> Result<u64, QuantityError> {
        if text.starts_with('-') {
            return Err(QuantityError::Negative);
        }
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        if !whole.starts_with(|c: char| c.is_ascii_digit()) || !is_number(whole) || !is_number(fraction) || number.ends_with('.') {
            return Err(QuantityError::NotANumber);
        }
        if unit.is_empty() {
            return Err(QuantityError::NoUnit);
        }
        let Some(&(_, worth)) = self.units.iter().find(|(name, _)| *name == unit) else {
            return Err(QuantityError::UnknownUnit(unit.to_owned()));
        };
        let value = |part: &str| part.replace('_', "").parse::<u128>();
        let whole = value(whole).ok().and_then(|whole| whole.checked_mul(u128::from(worth))).ok_or(QuantityError::TooLarge)?;
        let fraction = fraction.trim_end_matches('0');
        let part = if fraction.is_empty() {
            0
        } else {
            let scale = u32::try_from(fraction.replace('_', "").len()).ok().and_then(|places| 10_u128.checked_pow(places));
            let scale = scale.filter(|&scale| scale < u128::from(u64::MAX)).ok_or(QuantityError::Fraction)?;
            let scaled = value(fraction).map_err(|_| QuantityError::Fraction)? * u128::from(worth);
            if scaled % scale != 0 {
                return Err(QuantityError::Fraction);
            }
            scaled / scale
        };
        u64::try_from(whole + part).map_err(|_| QuantityError::TooLarge)
    }

    /// The way out of a mistake, in words.
    pub(crate) fn help(&self, error: &QuantityError) -> String {
        let units: Vec<&str> = self.units.iter().map(|(name, _)| *name).collect();
        let all = format!("a {} is a number and a unit of {}, as `\"{}\"`", self.name, units.join(", "), self.example);
        match error {
            QuantityError::UnknownUnit(unit) if unit.starts_with(char::is_whitespace) => format!("no space before the unit; {all}"),
            QuantityError::UnknownUnit(unit)
                if self.name != DURATION.name && unit.to_lowercase().starts_with('k') && self.name != RATE.name =>
            {
                format!("`kB` is 1000 bytes, `KiB` is 1024; {all}")
            }
            _ => all,
        }
    }
}

impl std::fmt::Display for QuantityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotANumber => f.write_str("it does not begin with a number"),
            Self::Negative => f.write_str("it is below zero"),
            Self::NoUnit => f.write_str("it has no unit"),
            Self::UnknownUnit(unit) => write!(f, "`{}` is not one of its units", super::diagnostic::shown(unit)),
            Self::Fraction => f.write_str("it is a fraction of the smallest unit"),
            Self::TooLarge => f.write_str("it is too large"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact_and_their_units_strict() {
        let cases = [
            (&DURATION, "300ms", Ok(300_000_000)),
            (&DURATION, "1.5s", Ok(1_500_000_000)),
            (&DURATION, "0.25us", Ok(250)),
            (&DURATION, "0.5ns", Err(QuantityError::Fraction)),
            (&DURATION, "300", Err(QuantityError::NoUnit)),
            (&DURATION, "-1s", Err(QuantityError::Negative)),
            (&DURATION, "ms", Err(QuantityError::NotANumber)),
            (&DURATION, "1..5s", Err(QuantityError::NotANumber)),
            (&DURATION, "5 s", Err(QuantityError::UnknownUnit(" s".into()))),
            (&DURATION, "99999999999999999999h", Err(QuantityError::TooLarge)),
            (&SIZE, "64KiB", Ok(65_536)),
            (&SIZE, "64kB", Ok(64_000)),
            (&SIZE, "64KB", Err(QuantityError::UnknownUnit("KB".into()))),
            (&SIZE, "1_024B", Ok(1_024)),
            (&RATE, "20k/s", Ok(20_000)),
            (&RATE, "20k", Err(QuantityError::UnknownUnit("k".into()))),
            (&BYTE_RATE, "347MB/s", Ok(347_000_000)),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(kind.parse(text), expected, "{text}");
        }
        assert!(SIZE.help(&QuantityError::UnknownUnit("KB".into())).starts_with("`kB` is 1000 bytes"));
    }
}

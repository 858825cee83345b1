//! Distributions in transport form: `HdrHistogram-V2-deflate-base64`, merged without loss.
//!
//! ```text
//! Histogram<u64> ─encode─▶ HistogramPayload (JSON) ─decode─▶ Histogram<u64> ─merge─▶ one Histogram<u64> ─▶ percentiles · curve
//! ```
//!
//! Buckets are added, never quantiles: a p99 over trials is the p99 of all their samples. A quantile is given only when
//! [`SAMPLES_BEYOND_MIN`] samples lie beyond it, so p99.9 needs 10,000 of them, p99 needs 1,000 and p90 needs 100.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::record::{HISTOGRAM_ENCODING, HistogramPayload};
use super::result::Percentiles;

/// Samples that must lie beyond a quantile before it is given.
pub const SAMPLES_BEYOND_MIN: u64 = 10;
/// A longer payload is refused: three significant digits over an hour of nanoseconds take some 14 kB, and what is longer could be
/// made to unpack into gigabytes.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;
/// Points of [`curve`] between two powers of ten of the share beyond.
const CURVE_POINTS_PER_NINE: u32 = 24;

/// Why a payload is not a histogram, or cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistogramError {
    /// The encoding's name is not [`HISTOGRAM_ENCODING`].
    UnknownEncoding(String),
    /// Longer than [`PAYLOAD_BYTES_MAX`].
    TooLong(usize),
    /// Not what the encoding promises.
    Malformed(String),
    /// Two histograms whose buckets differ: adding them would lose precision.
    Unlike {
        /// Significant digits and lowest value of the first.
        first: (u8, u64),
        /// Significant digits and lowest value of the other.
        other: (u8, u64),
    },
}

impl fmt::Display for HistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEncoding(name) => write!(f, "unknown histogram encoding `{name}`, expected `{HISTOGRAM_ENCODING}`"),
            Self::TooLong(bytes) => write!(f, "a histogram of {bytes} bytes is longer than the {PAYLOAD_BYTES_MAX} allowed"),
            Self::Malformed(what) => write!(f, "malformed histogram: {what}"),
            Self::Unlike { first, other } => write!(
                f,
                "histograms differ in their buckets: {} digits from {} against {} digits from {}",
                first.0, first.1, other.0, other.1
            ),
        }
    }
}

impl std::error::Error for HistogramError {}

/// The transport form of `histogram`.
///
/// # Errors
/// [`HistogramError::Malformed`] when the histogram cannot be serialized, which no histogram made by recording is.
///
/// ```
/// use zokio_report::schema::histogram::{Histogram, decode, encode};
/// let mut histogram = Histogram::<u64>::new(3).unwrap();
/// histogram.record(1_234).unwrap();
/// let payload = encode("service_time", "ns", &histogram).unwrap();
/// assert_eq!(decode(&payload).unwrap(), histogram);
/// ```
pub fn encode(id: &str, unit: &str, histogram: &Histogram<u64>) -> Result<HistogramPayload, HistogramError> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(|error| HistogramError::Malformed(error.to_string()))?;
    Ok(HistogramPayload { id: id.into(), unit: unit.into(), encoding: HISTOGRAM_ENCODING.into(), payload: STANDARD.encode(bytes) })
}

/// The histogram of a payload.
///
/// # Errors
/// Another encoding, a payload that is too long, or one that is not what its encoding promises.
pub fn decode(payload: &HistogramPayload) -> Result<Histogram<u64>, HistogramError> {
    if payload.encoding != HISTOGRAM_ENCODING {
        return Err(HistogramError::UnknownEncoding(payload.encoding.clone()));
    }
    if payload.payload.len() > PAYLOAD_BYTES_MAX {
        return Err(HistogramError::TooLong(payload.payload.len()));
    }
    let bytes = STANDARD.decode(payload.payload.trim()).map_err(|error| HistogramError::Malformed(error.to_string()))?;
    Deserializer::new().deserialize(&mut Cursor::new(bytes)).map_err(|error| HistogramError::Malformed(error.to_string()))
}

/// The histograms of a record by their id.
///
/// # Errors
/// As [`decode`], of the first that cannot be decoded.
pub fn decode_all(payloads: &[HistogramPayload]) -> Result<BTreeMap<String, Histogram<u64>>, HistogramError> {
    payloads.iter().map(|payload| Ok((payload.id.clone(), decode(payload)?))).collect()
}

/// All histograms as one, bucket by bucket; `None` when there is none.
///
/// # Errors
/// [`HistogramError::Unlike`] when the buckets of two differ: merging is lossless or it does not happen.
pub fn merge<H: Borrow<Histogram<u64>>>(histograms: impl IntoIterator<Item = H>) -> Result<Option<Histogram<u64>>, HistogramError> {
    let mut merged: Option<Histogram<u64>> = None;
    for histogram in histograms {
        let histogram = histogram.borrow();
        match &mut merged {
            None => {
                let mut first = histogram.clone();
                first.auto(true);
                merged = Some(first);
            }
            Some(merged) => add(merged, histogram)?,
        }
    }
    Ok(merged)
}

fn add(merged: &mut Histogram<u64>, other: &Histogram<u64>) -> Result<(), HistogramError> {
    let buckets = |histogram: &Histogram<u64>| (histogram.sigfig(), histogram.low());
    if buckets(merged) != buckets(other) {
        return Err(HistogramError::Unlike { first: buckets(merged), other: buckets(other) });
    }
    merged.add(other).map_err(|error| HistogramError::Malformed(format!("{error:?}")))
}

/// The quantile, or `None` when fewer than [`SAMPLES_BEYOND_MIN`] samples lie beyond it (the guard `tail-support`).
///
/// The median alone is given from the first sample on: it has no tail.
pub fn supported_quantile(histogram: &Histogram<u64>, q: f64) -> Option<f64> {
    let needed = samples_needed(q);
    (histogram.len() >= needed).then(|| histogram.value_at_quantile(q) as f64)
}

/// Samples that the `q`-quantile needs.
pub fn samples_needed(q: f64) -> u64 {
    if q <= 0.5 { 1 } else { (SAMPLES_BEYOND_MIN as f64 / (1.0 - q)).round() as u64 }
}

/// The quantiles of a result, each only as far as its samples support it.
pub fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        p50: supported_quantile(histogram, 0.5),
        p90: supported_quantile(histogram, 0.9),
        p99: supported_quantile(histogram, 0.99),
        p999: supported_quantile(histogram, 0.999),
        max: (!histogram.is_empty()).then(|| histogram.max() as f64),
    }
}

/// The distribution as `(quantile, value)` points, evenly spread over the nines, up to the last quantile that has support.
///
/// Evenly spread means: on an axis of `−log10(1 − q)` neighbours stand at the same distance.
pub fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let last_nines = (histogram.len() as f64 / SAMPLES_BEYOND_MIN as f64).log10().max(0.0);
    let steps = (last_nines * f64::from(CURVE_POINTS_PER_NINE)).floor() as u32;
    (0..=steps)
        .map(|step| 1.0 - 10f64.powf(-f64::from(step) / f64::from(CURVE_POINTS_PER_NINE)))
        .map(|q| (q, if q == 0.0 { histogram.min() as f64 } else { histogram.value_at_quantile(q) as f64 }))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        values.iter().for_each(|value| histogram.record(*value).unwrap());
        histogram
    }

    #[test]
    fn a_quantile_without_samples_beyond_it_is_not_given() {
        let cases = [(0, [false; 5]), (99, [true, false, false, false, true]), (100, [true, true, false, false, true])];
        let more = [(999, [true, true, false, false, true]), (1_000, [true, true, true, false, true]), (10_000, [true; 5])];
        for (count, given) in cases.into_iter().chain(more) {
            let p = percentiles(&of(&vec![500; count]));
            assert_eq!([p.p50, p.p90, p.p99, p.p999, p.max].map(|value| value.is_some()), given, "{count} samples");
        }
    }

    #[test]
    fn merging_adds_buckets_and_not_quantiles() {
        // 990 fast samples in one trial, 10 + 990 slow ones in another: the p50 of all is neither p50 nor their mean.
        let merged = merge([of(&[100; 990]), of(&[10_000; 1_010])]).unwrap().unwrap();
        assert_eq!(merged.len(), 2_000);
        assert_eq!(percentiles(&merged).p50, Some(merged.highest_equivalent(10_000) as f64));
    }

    #[test]
    fn histograms_of_other_buckets_are_not_merged() {
        let coarse = Histogram::<u64>::new(2).unwrap();
        assert_eq!(merge([of(&[5]), coarse]), Err(HistogramError::Unlike { first: (3, 1), other: (2, 1) }));
        assert_eq!(merge(Vec::<Histogram<u64>>::new()), Ok(None));
    }

    #[test]
    fn what_is_not_a_histogram_is_refused() {
        let good = encode("service_time", "ns", &of(&[1, 2, 3])).unwrap();
        assert!(matches!(decode(&HistogramPayload { encoding: "raw".into(), ..good.clone() }), Err(HistogramError::UnknownEncoding(_))));
        assert!(matches!(decode(&HistogramPayload { payload: "%%%".into(), ..good.clone() }), Err(HistogramError::Malformed(_))));
        assert!(matches!(decode(&HistogramPayload { payload: String::new(), ..good.clone() }), Err(HistogramError::Malformed(_))));
        let long = "A".repeat(PAYLOAD_BYTES_MAX + 4);
        assert_eq!(decode(&HistogramPayload { payload: long, ..good }), Err(HistogramError::TooLong(PAYLOAD_BYTES_MAX + 4)));
    }

    #[test]
    fn the_curve_ends_where_its_support_ends() {
        let histogram = of(&(1..=100_000).collect::<Vec<u64>>());
        let curve = curve(&histogram);
        let (q, value) = *curve.last().unwrap();
        assert!((0.9998..=0.9999).contains(&q), "{q}");
        assert!((value / 99_990.0 - 1.0).abs() < 0.002);
        assert!(curve.is_sorted());
    }

    proptest! {
        #[test]
        fn the_transport_form_loses_nothing(values in prop::collection::vec(1u64..3_600_000_000_000, 0..300)) {
            let histogram = of(&values);
            let back = decode(&encode("service_time", "ns", &histogram).unwrap()).unwrap();
            prop_assert_eq!(back.len(), histogram.len());
            prop_assert_eq!(back, histogram);
        }

        #[test]
        fn merging_is_the_same_as_recording_together(left in prop::collection::vec(1u64..1u64 << 40, 1..200),
                                                     right in prop::collection::vec(1u64..1u64 << 40, 1..200)) {
            let both: Vec<u64> = left.iter().chain(&right).copied().collect();
            prop_assert_eq!(merge([of(&left), of(&right)]).unwrap().unwrap(), of(&both));
        }

        #[test]
        fn a_damaged_payload_never_panics(place in 0usize..200, byte in any::<u8>()) {
            let mut payload = encode("service_time", "ns", &of(&[10, 1_000, 1_000_000])).unwrap();
            let mut bytes = STANDARD.decode(&payload.payload).unwrap();
            let place = place % bytes.len();
            bytes[place] = byte;
            payload.payload = STANDARD.encode(bytes);
            let _ = decode(&payload);
        }
    }
}

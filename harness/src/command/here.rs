//! The host as a command meets it: its profile, the bounds measured on it, and how fast it is now.

use std::collections::BTreeMap;

use zokio_report::schema::host::HostProfile;

use crate::measure::calibrate::calibrate;
use crate::measure::speed_probe;

/// What every result says of the host it was measured on.
#[derive(Clone, Debug)]
pub struct Here {
    /// The profile, with a note of what was not calibrated.
    pub host: HostProfile,
    /// The bounds, and the speed probe: results without one are unlike every other host.
    pub calibration: BTreeMap<String, Option<f64>>,
}

impl Here {
    /// Measures the bounds of the host with this profile; takes half a second.
    pub fn look(mut host: HostProfile) -> Self {
        let calibration = calibrate();
        host.notes.extend(calibration.cut);
        let mut bounds = calibration.bounds;
        bounds.extend(speed_probe::probe());
        Self { host, calibration: bounds }
    }
}

//! measure
pub mod calibrate;
pub mod clock;

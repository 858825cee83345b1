//! host
mod cpu_shares;
pub mod noise;

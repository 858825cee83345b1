//! host
pub mod build;
#[cfg(test)]
mod build_facts;
mod cpu_shares;
pub mod files;
pub mod noise;

//! `zokio`: a work-stealing async runtime with one io_uring per worker.
#![deny(unsafe_code)]

pub mod topology;

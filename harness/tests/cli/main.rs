//! The command line end to end: usage, faults of subjects, faults of the host, interruptions.
#![cfg(target_os = "linux")]

mod compare;
mod doctor;
mod fault_table;
mod faults;
mod files;
mod gate;
mod host;
mod interrupted;
mod scaling;
mod seccomp;
mod tale;
mod usage;

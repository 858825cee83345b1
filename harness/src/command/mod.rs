//! One file per subcommand: glue between what was asked for and the parts that do it, no logic of its own.

pub mod arguments;
pub mod baseline;
pub mod check;
pub mod compare;
pub mod doctor;
pub mod gate;
pub mod here;
pub mod host;
pub mod list;
pub mod proof;
pub mod report;
pub mod run;
pub mod schema;
pub mod subjects;
pub mod write;

//! One file per subcommand: glue between the parts, no logic of its own.

pub mod check;
pub mod host;
pub mod list;
pub mod schema;

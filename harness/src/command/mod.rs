//! One file per subcommand: glue between what was asked for and the parts that do it.

pub mod baseline;

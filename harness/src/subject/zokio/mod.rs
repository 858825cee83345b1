//! The subject `zokio`.

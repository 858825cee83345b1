//! The subject `ceiling`.

//! The subject `tokio`.

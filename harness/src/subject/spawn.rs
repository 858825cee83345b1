//! Outside a trial: start, time out, kill, collect.

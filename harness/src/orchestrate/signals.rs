//! Ctrl-C and SIGTERM: the first stops the run in order, the second at once.

use std::io;

use zokio_report::exit;

use crate::subject::spawn::interrupt::Interrupt;

/// Raises `interrupt` at the first SIGINT or SIGTERM; at the second, kills what runs and exits.
///
/// # Errors
/// The handlers or their thread could not be set up.
#[cfg(unix)]
pub fn install(interrupt: &Interrupt) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let interrupt = interrupt.clone();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            if interrupt.is_raised() {
                interrupt.kill_running();
                std::process::exit(i32::from(exit::INTERRUPTED));
            }
            interrupt.raise();
        }
    })?;
    Ok(())
}

/// Other platforms end the process without a summary; the journal keeps what was measured.
#[cfg(not(unix))]
pub fn install(_interrupt: &Interrupt) -> io::Result<()> {
    let _ = exit::INTERRUPTED;
    Ok(())
}

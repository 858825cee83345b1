//! Asks an executable which subjects it has.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use zokio_report::schema::journal::Failure;

use super::failure;
use super::process::{clean_command, kill_group, start_failure};
use crate::subject::protocol::{Description, LINE_BYTES_MAX, PROTOCOL};

/// The answer of `EXE zokio-subject --describe`.
///
/// # Errors
/// It cannot be started, says nothing within `limit`, something else, or speaks another version of the protocol.
pub fn describe(executable: &Path, limit: Duration) -> Result<Description, Failure> {
    let mut command = clean_command(executable, &[], 0);
    command.arg("--describe").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| start_failure(executable, &[], &error))?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let (sender, receiver) = channel();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.take(LINE_BYTES_MAX as u64).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    let answer = receiver.recv_timeout(limit);
    kill_group(child.id());
    let _ = child.wait();
    let name = executable.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Ok(bytes) = answer else {
        return Err(failure("timeout", format!("`{name} zokio-subject --describe` said nothing within {} s", limit.as_secs_f64())));
    };
    let _ = reader.join();
    let description: Description = serde_json::from_slice(&bytes).map_err(|error| {
        failure("not-a-subject", format!("`{name}` is not a subject: it does not answer `zokio-subject --describe` ({error})"))
    })?;
    if description.protocol != PROTOCOL {
        return Err(failure("not-a-subject", format!("`{name}` speaks protocol {}, this is {PROTOCOL}", description.protocol)));
    }
    Ok(description)
}

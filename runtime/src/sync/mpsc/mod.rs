//! Values from many senders to one receiver, in the order in which they were sent.
//!
//! [`channel`] holds a limited number of values: a sender that finds it full waits in line, and nobody overtakes it. [`unbounded_channel`] holds
//! any number. Both close when all senders, or the receiver, are gone; values that were sent before are received still.
//!
//! A receiver that never runs dry gives way to other tasks after 128 values in a row.

mod bounded;
mod error;
mod list;
mod receiver;
mod unbounded;

pub use bounded::{Receiver, Sender, channel};
pub use error::{SendError, TryRecvError, TrySendError};
pub use unbounded::{UnboundedReceiver, UnboundedSender, unbounded_channel};

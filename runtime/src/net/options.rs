//! Socket options that streams and sockets to be connected have in common.

/// Adds the options to a type with a method `raw() -> &socket2::Socket`.
macro_rules! stream_options {
    ($type:ty) => {
        impl $type {
            /// Sends small segments at once instead of collecting them (`TCP_NODELAY`).
            ///
            /// # Errors
            /// The operating system's.
            pub fn set_nodelay(&self, nodelay: bool) -> std::io::Result<()> {
                self.raw().set_tcp_nodelay(nodelay)
            }

            /// Whether small segments are sent at once.
            ///
            /// # Errors
            /// The operating system's.
            pub fn nodelay(&self) -> std::io::Result<bool> {
                self.raw().tcp_nodelay()
            }

            /// What closing does with unsent data: `None` sends it in the background; zero drops it and resets the connection.
            ///
            /// # Errors
            /// The operating system's.
            pub fn set_linger(&self, linger: Option<std::time::Duration>) -> std::io::Result<()> {
                self.raw().set_linger(linger)
            }

            /// What closing does with unsent data; see `set_linger`.
            ///
            /// # Errors
            /// The operating system's.
            pub fn linger(&self) -> std::io::Result<Option<std::time::Duration>> {
                self.raw().linger()
            }

            /// Size of the kernel's buffer for sending (`SO_SNDBUF`).
            ///
            /// # Errors
            /// The operating system's.
            pub fn set_send_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
                self.raw().set_send_buffer_size(bytes)
            }

            /// Size of the kernel's buffer for receiving (`SO_RCVBUF`).
            ///
            /// # Errors
            /// The operating system's.
            pub fn set_recv_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
                self.raw().set_recv_buffer_size(bytes)
            }

            /// Hops that IPv4 packets may take.
            ///
            /// # Errors
            /// The operating system's.
            pub fn set_ttl(&self, hops: u32) -> std::io::Result<()> {
                self.raw().set_ttl_v4(hops)
            }

            /// Hops that IPv4 packets may take.
            ///
            /// # Errors
            /// The operating system's.
            pub fn ttl(&self) -> std::io::Result<u32> {
                self.raw().ttl_v4()
            }

            /// The local address.
            ///
            /// # Errors
            /// The operating system's.
            pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
                crate::net::internet(&self.raw().local_addr()?)
            }
        }
    };
}
pub(super) use stream_options;

//! The sidecar of dbgctl: answers typed probes over gRPC.

pub mod arguments;
pub mod bridge;
pub mod error;
pub mod gaps;
pub mod guard;
pub mod handshake;
pub mod lifetime;
mod listing;
mod patience;
pub mod privilege;
pub mod probes;
pub mod redaction;
mod resolve;
mod resolvers;
pub mod seccomp;
pub mod server;
mod socket_names;
pub mod sources;
pub mod stream;
mod threads;
pub mod transport;

//! The sidecar of dbgctl: answers typed probes over gRPC.

pub mod error;
pub mod gaps;
pub mod probes;
pub mod sources;
pub mod stream;

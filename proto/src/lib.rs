//! The contract between dbgctl's CLI and its agent.
//!
//! The `.proto` files in `proto/dbgctl/v1/` are the documentation. What stands in `src/generated/` is
//! written from them by `cargo xtask codegen` and committed, so that a build needs no protobuf
//! compiler; a test regenerates it and compares.

mod address;
mod batch;
pub mod bounds;
pub mod list;
mod needs;

pub use batch::SocketBatch;
pub use needs::{Capability, Effect, NEEDS, Needs, needs_of};

/// Version of the protocol that agent and CLI of this source tree speak.
///
/// Raised when an older peer could misunderstand; fields and RPCs that are only added do not count.
pub const PROTOCOL: u32 = 1;

/// The largest message that either side accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// User and group of the agent. No image that we know of uses this number; the CLI warns about one that does.
pub const AGENT_ID: u32 = 65533;

/// Directory of the agent's private socket: the CLI gives it a tmpfs that only the agent's user may enter.
pub const SOCKET_DIRECTORY: &str = "/run/dbgctl";

/// Messages, clients and servers of package `dbgctl.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code; the documentation is in the .proto files"
)]
pub mod v1 {
    include!("generated/dbgctl.v1.rs");
}

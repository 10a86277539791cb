//! The bounds that the comments of the contract name. The agent enforces them; the CLI asks for no more.

use std::time::Duration;

/// `ConnectRequest.host`: the longest name that the DNS can hold, as text.
pub const LONGEST_HOST_BYTES: usize = 253;

/// `ConnectRequest.timeout`.
pub const LONGEST_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// `ConnectResponse.attempts`.
pub const MOST_CONNECT_ATTEMPTS: usize = 16;

/// `KeepRequest.time_to_live` and `KeepRequest.idle`.
pub const LONGEST_STAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Rows of a list, the largest `pid_max` of the kernel.
pub const MOST_ROWS: u64 = 4 << 20;

/// How long a list may take.
pub const LONGEST_LIST: Duration = Duration::from_secs(600);

/// `sample_millis` of the requests that read everything twice.
pub const SHORTEST_SAMPLE: Duration = Duration::from_millis(100);
/// The same.
pub const LONGEST_SAMPLE: Duration = Duration::from_secs(60);
/// `ListEnvironmentsRequest.names`.
pub const MOST_NAME_PATTERNS: usize = 64;

/// Each of `ListEnvironmentsRequest.names`.
pub const LONGEST_NAME_PATTERN_BYTES: usize = 256;

/// `LookUpNameRequest.name`.
pub const LONGEST_NAME_BYTES: usize = 255;

/// `LookUpNameRequest.record_types`.
pub const MOST_RECORD_TYPES: usize = 8;

/// `LookUpNameRequest.servers`.
pub const MOST_NAME_SERVERS: usize = 8;

/// `LookUpNameRequest.rounds`.
pub const MOST_ROUNDS: u32 = 1000;

/// `LookUpNameRequest.interval` and `timeout`.
pub const LONGEST_DNS_WAIT: Duration = Duration::from_secs(60);

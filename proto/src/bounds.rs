//! The bounds that the comments of the contract name. The agent enforces them; the CLI asks for no more.

use std::time::Duration;

/// `ConnectRequest.host`: the longest name that the DNS can hold, as text.
pub const LONGEST_HOST_BYTES: usize = 253;

/// `ConnectRequest.timeout`.
pub const LONGEST_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// `ConnectRequest.interface`: `IFNAMSIZ` without the zero.
pub const LONGEST_INTERFACE_BYTES: usize = 15;

/// `ConnectResponse.attempts`.
pub const MOST_CONNECT_ATTEMPTS: usize = 16;

/// `TlsOptions.alpn`.
pub const MOST_ALPN: usize = 8;

/// Each of `TlsOptions.alpn`.
pub const LONGEST_ALPN_BYTES: usize = 255;

/// `TlsHandshake.certificates`.
pub const MOST_CERTIFICATES: usize = 16;

/// `TlsHandshake.certificates` together.
pub const LONGEST_CHAIN_BYTES: usize = 256 << 10;

/// `HttpRequest.url`.
pub const LONGEST_URL_BYTES: usize = 8 << 10;

/// `HttpRequest.method`.
pub const LONGEST_METHOD_BYTES: usize = 32;

/// `HttpRequest.headers`.
pub const MOST_HTTP_HEADERS: usize = 64;

/// `HttpRequest.headers` together.
pub const LONGEST_HTTP_HEADERS_BYTES: usize = 32 << 10;

/// `HttpRequest.body` and `HttpRequest.max_body_bytes`.
pub const LONGEST_HTTP_BODY_BYTES: usize = 1 << 20;

/// `HttpRequest.max_body_bytes`, if it is 0.
pub const DEFAULT_HTTP_BODY_BYTES: usize = 64 << 10;

/// Redirects that are followed.
pub const MOST_REDIRECTS: usize = 10;

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

/// `PingRequest.count`
pub const MOST_PINGS: u32 = 10_000;

/// `interval_millis` of `PingRequest`, and `timeout_millis` of it and of `TraceRequest`.
pub const PACKET_MILLIS: std::ops::RangeInclusive<u32> = 10..=60_000;

/// `size_bytes` of the requests that send packets.
pub const MOST_PACKET_BYTES: u32 = 65_000;

/// `TraceRequest.most_hops`
pub const MOST_HOPS: u32 = 64;

/// `TraceRequest.packets_per_hop`
pub const MOST_PACKETS_PER_HOP: u32 = 10;

/// The port that traceroute(8) begins with, since hardly anyone listens there.
pub const UNLIKELY_PORT: u16 = 33_434;

/// Interfaces that are kept while a network is listed.
pub const MOST_INTERFACES: usize = 16 << 10;

/// `CaptureStart.filter`: what the kernel takes, less what the agent puts in front.
pub const MOST_FILTER_INSTRUCTIONS: usize = 4090;

/// `CaptureStart.snap_bytes`
pub const LONGEST_SNAP_BYTES: u32 = 262_144;

/// `CaptureOpen.buffer_bytes`
pub const CAPTURE_BUFFER_BYTES: std::ops::RangeInclusive<u32> = 1 << 20..=256 << 20;

/// `CaptureOpen.buffer_bytes`, if it is 0.
pub const DEFAULT_CAPTURE_BUFFER_BYTES: u32 = 16 << 20;

/// `CaptureOpened.interfaces`
pub const MOST_CAPTURE_INTERFACES: usize = 256;

/// `CaptureBatch.data`: a block of the ring, and what was left of the one before.
pub const LONGEST_CAPTURE_BATCH_BYTES: usize = 512 << 10;

//! Packets that are sent to a host, each from a socket of its own, and what comes of them: what `ping` and `trace` have in
//! common.

mod echo;
mod flight;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dbgctl_proto::bounds::{MOST_PACKET_BYTES, PACKET_MILLIS, UNLIKELY_PORT};
use dbgctl_proto::v1::{AddressFamily, NameLookUp, PacketMethod};
use nix::errno::Errno;

pub(super) use self::flight::{Flight, LOOK_UP, NotSent, is_of_host, timed_out, wait};
use super::connect::nanos;
use crate::error::BadRequest;
use crate::resolve::{self, Resolved, resolve};
use crate::sources::Sources;

/// Headers of ICMP and UDP are equally long.
const TRANSPORT_HEADER_BYTES: u32 = 8;

/// What is sent, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    pub(super) to: SocketAddr,
    pub(super) method: PacketMethod,
    /// Of an echo.
    pub(super) sequence: u16,
    /// Beside the headers.
    pub(super) size_bytes: u32,
    /// How many routers it may pass. `None`: as the kernel has it.
    pub(super) ttl: Option<u8>,
    pub(super) dont_fragment: bool,
}

impl Packet {
    /// Its length with all headers. 0 of TCP, whose options the kernel chooses.
    pub(super) fn length(&self) -> u32 {
        match self.method {
            PacketMethod::Tcp => 0,
            _ => self.size_bytes.saturating_add(header_bytes(self.to)),
        }
    }
}

/// Of IP without options, and what stands behind it.
pub(super) fn header_bytes(to: SocketAddr) -> u32 {
    TRANSPORT_HEADER_BYTES + if to.is_ipv4() { 20 } else { 40 }
}

/// Where packets go, as it was asked for and checked.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) host: String,
    pub(super) method: PacketMethod,
    pub(super) port: u16,
    pub(super) family: AddressFamily,
    pub(super) timeout: Duration,
    pub(super) size_bytes: u32,
}

impl Way {
    /// Checks what the requests have in common.
    pub(super) fn check(
        host: String,
        (method, usual): (i32, PacketMethod),
        port: u32,
        family: i32,
        timeout_millis: u32,
        size_bytes: u32,
    ) -> Result<Self, BadRequest> {
        resolve::check(&host)?;
        let method = match PacketMethod::try_from(method) {
            Ok(PacketMethod::Unspecified) => usual,
            Ok(method) => method,
            Err(_) => return Err(BadRequest::new("method", "is not known")),
        };
        let port = match (u16::try_from(port), method) {
            (_, PacketMethod::Icmp) => 0,
            (Ok(0), PacketMethod::Udp) => UNLIKELY_PORT,
            (Ok(port), _) if port > 0 => port,
            _ => return Err(BadRequest::new("port", "is not between 1 and 65535")),
        };
        if size_bytes > MOST_PACKET_BYTES {
            return Err(BadRequest::new("size_bytes", format!("is more than {MOST_PACKET_BYTES}")));
        }
        let family =
            AddressFamily::try_from(family).map_err(|_| BadRequest::new("family", "is not known"))?;
        let timeout = millis("timeout_millis", timeout_millis)?;
        Ok(Self { host, method, port, family, timeout, size_bytes })
    }

    /// The address that packets go to, or why there is none, and how that was found out.
    pub(super) async fn resolve(&self, sources: &Arc<Sources>) -> Found {
        let Resolved { took, addresses, look_up } =
            resolve(sources, &self.host, self.port, self.timeout).await;
        let fits = |address: &SocketAddr| match self.family {
            AddressFamily::Unspecified => true,
            AddressFamily::Ipv4 => address.is_ipv4(),
            AddressFamily::Ipv6 => address.is_ipv6(),
        };
        let to = addresses.and_then(|addresses| {
            let found = addresses.into_iter().find(fits);
            found.ok_or_else(|| format!("{} has no address of that family", self.host))
        });
        Found { resolve_nanos: took.map(nanos), to, look_up }
    }

    /// A packet to that address.
    pub(super) fn packet(&self, to: SocketAddr) -> Packet {
        let (method, size_bytes) = (self.method, self.size_bytes);
        Packet { to, method, sequence: 0, size_bytes, ttl: None, dont_fragment: false }
    }
}

/// Where packets go.
pub(super) struct Found {
    /// How long the look-up took. `None`: the host is an address.
    pub(super) resolve_nanos: Option<u64>,
    pub(super) to: Result<SocketAddr, String>,
    pub(super) look_up: Option<Box<NameLookUp>>,
}

/// A time of a request. 0: a second.
pub(super) fn millis(field: &'static str, millis: u32) -> Result<Duration, BadRequest> {
    let millis = if millis == 0 { 1000 } else { millis };
    if PACKET_MILLIS.contains(&millis) {
        Ok(Duration::from_millis(millis.into()))
    } else {
        Err(BadRequest::new(field, "is not between 10 and 60,000"))
    }
}

/// Why no socket for such packets is to be had at all. `None`: that is not the reason.
pub(super) fn refused(method: PacketMethod, not_sent: &NotSent) -> Option<String> {
    match (method, not_sent.errno) {
        _ if !not_sent.no_socket => None,
        (PacketMethod::Icmp, Errno::EACCES | Errno::EPERM) => Some(
            "the kernel gives no ICMP socket to the agent's group: net.ipv4.ping_group_range of the container does \
             not admit it"
                .to_owned(),
        ),
        (_, errno) => Some(format!("the kernel gives no socket for it: {}", words(errno))),
    }
}

/// The kernel's words with the name that manual pages use.
pub(super) fn words(errno: Errno) -> String {
    format!("{} ({errno:?})", errno.desc().to_lowercase())
}

//! `/etc/resolv.conf` of the target: whom its resolver asks, and how.
//!
//! Format: resolv.conf(5). Each resolver reads it in its own way. The rules here are those of the GNU C library 2.36 and
//! later (`resolv/res_init.c`), of musl 1.2.3 and later (`src/network/resolvconf.c`) and of Go 1.19 and later
//! (`net/dnsconfig_unix.go`). The file is the target's to shape: it may be absent, huge or nonsense.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

mod parse;

pub use parse::{address, parse};

/// What is read of the file.
pub const BOUND_BYTES: usize = 1 << 20;

/// All three resolvers use no more servers.
pub const MOST_SERVERS: usize = 3;

/// As many domains of the search path as are kept. No resolver has so low a bound, and nobody so many.
pub const MOST_DOMAINS: usize = 64;

/// A resolver: the part of a program that turns names into addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolver {
    /// The GNU C library's.
    Glibc,
    /// That of musl.
    Musl,
    /// That of Go's package `net`, without cgo.
    Go,
}

/// A server of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its address; it answers on port 53.
    pub address: IpAddr,
    /// The interface of a link-local address, by name or number.
    pub zone: Option<Vec<u8>>,
}

impl From<IpAddr> for Server {
    fn from(address: IpAddr) -> Self {
        Self { address, zone: None }
    }
}

/// What the file says to one resolver, with that resolver's own defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvConf {
    /// At least one, at most [`MOST_SERVERS`].
    pub servers: Vec<Server>,
    /// The search path, as written. Empty: none is given, which makes some resolvers take it from the host's name.
    pub search: Vec<Vec<u8>>,
    /// A name with so many dots is first asked for as it is.
    pub ndots: u32,
    /// How long an answer is waited for: by musl for all attempts together, by others for each.
    pub timeout: Duration,
    /// How often each server is asked. 0: the GNU C library asks none then, and musl divides by it.
    pub attempts: u32,
    /// Begin with another server each time.
    pub rotate: bool,
    /// Ask by TCP.
    pub use_vc: bool,
    /// Ask for AAAA only when A is answered.
    pub single_request: bool,
    /// The same, from another port.
    pub single_request_reopen: bool,
    /// Say that longer answers are taken by UDP, too.
    pub edns0: bool,
    /// Ask whether the answer is authentic.
    pub trust_ad: bool,
    /// Do not ask for a name without dots as it is.
    pub no_tld_query: bool,
    /// Do not ask for AAAA.
    pub no_aaaa: bool,
    /// What is strange about the file, one sentence each.
    pub remarks: Vec<String>,
}

impl ResolvConf {
    fn new() -> Self {
        Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            use_vc: false,
            single_request: false,
            single_request_reopen: false,
            edns0: false,
            trust_ad: false,
            no_tld_query: false,
            no_aaaa: false,
            remarks: Vec::new(),
        }
    }

    /// The names of the options that are on.
    pub fn options(&self) -> Vec<&'static str> {
        [
            (self.rotate, "rotate"),
            (self.use_vc, "use-vc"),
            (self.single_request, "single-request"),
            (self.single_request_reopen, "single-request-reopen"),
            (self.edns0, "edns0"),
            (self.trust_ad, "trust-ad"),
            (self.no_tld_query, "no-tld-query"),
            (self.no_aaaa, "no-aaaa"),
        ]
        .into_iter()
        .filter_map(|(is_on, name)| is_on.then_some(name))
        .collect()
    }

    /// The servers of a resolver that finds none in the file.
    fn defaults(resolver: Resolver) -> Vec<Server> {
        match resolver {
            Resolver::Glibc | Resolver::Musl => vec![IpAddr::from(Ipv4Addr::LOCALHOST).into()],
            Resolver::Go => {
                vec![IpAddr::from(Ipv4Addr::LOCALHOST).into(), IpAddr::from(Ipv6Addr::LOCALHOST).into()]
            }
        }
    }
}

//! Our programs beside those of Debian's libpcap, on the same packets. There is nothing to compare with where it is not
//! installed: then the tests say so and end.
#![expect(clippy::unwrap_used, reason = "tests")]

mod expressions;
#[expect(unsafe_code, reason = "socket filters have no safe interface")]
mod kernel;
mod live;
#[expect(unsafe_code, reason = "a C library has no other interface")]
mod oracle;
mod packets;
mod stored;

use std::net::{IpAddr, ToSocketAddrs as _};

use dbgctl_filter::Names;

const SNAP_LENGTH: u16 = 4096;

/// Hosts as the C library knows them, which is what libpcap asks.
struct System;

impl Names for System {
    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let found = (name, 0).to_socket_addrs().map_err(|error| error.to_string())?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

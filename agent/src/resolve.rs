//! From a host, as the user named it, to the addresses that the target would get for it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dbgctl_proto::bounds::LONGEST_HOST_BYTES;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};

use crate::error::BadRequest;

/// What came of a look-up.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// How long it took. `None`: the host is an address.
    pub(crate) took: Option<Duration>,
    /// The addresses in the resolver's order, each once and never none; or why there is none.
    pub(crate) addresses: Result<Vec<SocketAddr>, String>,
}

/// Checks a host of a request.
///
/// # Errors
///
/// If it is empty or longer than a name can be.
pub(crate) fn check(host: &str) -> Result<(), BadRequest> {
    if host.is_empty() || host.len() > LONGEST_HOST_BYTES {
        return Err(BadRequest::new("host", format!("is not between 1 and {LONGEST_HOST_BYTES} bytes")));
    }
    Ok(())
}

/// The addresses of `host`, a name or an address, each with `port`.
///
/// The sidecar shares the target's `/etc/resolv.conf` and `/etc/hosts` with its network namespace, so the C
/// library's resolver asks what the target would ask.
pub(crate) async fn resolve(host: &str, port: u16, limit: Duration) -> Resolved {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Resolved { took: None, addresses: Ok(vec![SocketAddr::new(address, port)]) };
    }
    let started = Instant::now();
    let addresses = match timeout(limit, lookup_host((host, port))).await {
        Err(_) => Err(format!("no answer from the resolver within {limit:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(found)) => {
            let mut addresses = Vec::new();
            for address in found {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() { Err("the name has no address".to_owned()) } else { Ok(addresses) }
        }
    };
    Resolved { took: Some(started.elapsed()), addresses }
}

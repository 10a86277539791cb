//! Addresses of sockets, as the library has them and as the contract has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::v1::SocketAddress;
use crate::v1::socket_address::Ip;

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => Ip::Ipv4(ip.to_bits()),
            IpAddr::V6(ip) => Ip::Ipv6(ip.octets().to_vec()),
        };
        Self { ip: Some(ip), port: address.port().into() }
    }
}

impl SocketAddress {
    /// The IP address. `None` if there is none, or not one of 16 bytes.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.ip.as_ref()? {
            Ip::Ipv4(bits) => Some(Ipv4Addr::from_bits(*bits).into()),
            Ip::Ipv6(octets) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(octets.as_slice()).ok()?).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_and_what_is_none_is_none() {
        for text in ["10.0.0.1:80", "[2001:db8::1]:443", "[::ffff:192.0.2.1]:0"] {
            let address: SocketAddr = text.parse().unwrap();
            let message = SocketAddress::from(address);
            assert_eq!((message.ip(), message.port), (Some(address.ip()), address.port().into()));
        }
        let odd = |ip| SocketAddress { ip, port: 1 }.ip();
        assert_eq!((odd(None), odd(Some(Ip::Ipv6(vec![1, 2, 3])))), (None, None));
    }
}

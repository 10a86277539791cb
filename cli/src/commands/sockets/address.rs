//! Internet addresses as they are shown.

use std::net::{IpAddr, Ipv4Addr};

use dbgctl_proto::v1::{Socket, SocketAddress, SocketProtocol};

use crate::render::Cell;

/// `10.0.0.1:80`, `[2001:db8::1]:443`, or `*:80` for whatever is bound to both families.
pub(super) fn write_local(socket: &Socket, cell: &mut Cell<'_>) {
    let Some(address) = &socket.local else { return };
    let is_any = address.ip().is_some_and(|ip| ip.is_ipv6() && ip.is_unspecified());
    if is_any && socket.ipv6_only == Some(false) {
        cell.sign('*');
        write_port(socket, address, cell);
    } else {
        write(socket, address, cell);
    }
}

/// The same of the other end.
pub(super) fn write_peer(socket: &Socket, cell: &mut Cell<'_>) {
    if let Some(address) = &socket.peer {
        write(socket, address, cell);
    }
}

fn write(socket: &Socket, address: &SocketAddress, cell: &mut Cell<'_>) {
    match address.ip() {
        Some(IpAddr::V4(ip)) => write_ipv4(ip, cell),
        Some(IpAddr::V6(ip)) => cell.show(format_args!("[{ip}]")),
        None => return cell.sign('?'),
    }
    write_port(socket, address, cell);
}

/// As the library would, in a third of the time: there may be very many of them.
fn write_ipv4(ip: Ipv4Addr, cell: &mut Cell<'_>) {
    let [first, rest @ ..] = ip.octets();
    cell.number(first);
    for octet in rest {
        cell.sign('.');
        cell.number(octet);
    }
}

/// Raw sockets have a protocol in place of a port.
fn write_port(socket: &Socket, address: &SocketAddress, cell: &mut Cell<'_>) {
    match address.port {
        0 => cell.show(":*"),
        1 if is_raw(socket) => cell.show(":icmp"),
        58 if is_raw(socket) => cell.show(":ipv6-icmp"),
        port => {
            cell.sign(':');
            cell.number(port);
        }
    }
}

fn is_raw(socket: &Socket) -> bool {
    socket.protocol == i32::from(SocketProtocol::Raw)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use dbgctl_proto::v1::socket_address::Ip;

    use super::*;
    use crate::render::cell;

    fn local(ip: IpAddr, port: u32, ipv6_only: Option<bool>, protocol: SocketProtocol) -> String {
        let local = Some(SocketAddress { port, ..SocketAddr::new(ip, 0).into() });
        let socket = Socket { local, ipv6_only, protocol: protocol.into(), ..Socket::default() };
        cell(|cell| write_local(&socket, cell))
    }

    #[test]
    fn both_families_and_what_takes_both_are_told_apart() {
        let tcp = SocketProtocol::Tcp;
        assert_eq!(local("0.0.0.0".parse().unwrap(), 80, None, tcp), "0.0.0.0:80");
        assert_eq!(local("::".parse().unwrap(), 80, Some(true), tcp), "[::]:80");
        assert_eq!(local("::".parse().unwrap(), 80, Some(false), tcp), "*:80");
        assert_eq!(local("::ffff:192.0.2.1".parse().unwrap(), 80, None, tcp), "[::ffff:192.0.2.1]:80");
        assert_eq!(local("::1".parse().unwrap(), 0, Some(false), tcp), "[::1]:*");
        assert_eq!(local("0.0.0.0".parse().unwrap(), 1, None, SocketProtocol::Raw), "0.0.0.0:icmp");
    }

    #[test]
    fn what_is_no_address_breaks_nothing() {
        let local = Some(SocketAddress { ip: Some(Ip::Ipv6(vec![1, 2, 3])), port: u32::MAX });
        let socket = Socket { local, ..Socket::default() };
        assert_eq!(cell(|cell| write_local(&socket, cell)), "?");
    }
}

//! Where connections began, so that their sequence numbers can be told from there.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::packet::Packet;
use crate::tcp::{Origin, TcpFlags};

/// Connections that are known at the same time. Whoever opens more pushes out all the others.
const MOST_CONNECTIONS: usize = 1 << 13;

/// Remembers the first numbers of each connection, in bounded memory.
///
/// As tcpdump does: a connection begins with its first packet that acknowledges something, which is told with the numbers
/// that it has. All later ones are told from there; but what acknowledges nothing is always told as it is.
#[derive(Debug, Default)]
pub struct Origins(HashMap<(SocketAddr, SocketAddr), Origin>);

impl Origins {
    /// Where the connection of that packet began, for [`relative_to`](crate::Summary::relative_to). Zero for what is told
    /// as it is, and for all that is not TCP.
    pub fn of(&mut self, packet: &Packet<'_>) -> Origin {
        let (Some(tcp), Some((source, destination))) = (packet.tcp(), packet.addresses()) else {
            return Origin::default();
        };
        if !tcp.flags.contains(TcpFlags::ACK) {
            return Origin::default();
        }
        let (here, there) =
            (SocketAddr::new(source, tcp.source), SocketAddr::new(destination, tcp.destination));
        let is_first = here <= there;
        let connection = if is_first { (here, there) } else { (there, here) };
        // One entry knows both directions, as the lower address sees them.
        let as_seen = |origin: Origin| if is_first { origin } else { origin.turned() };
        let known = self.0.get(&connection).copied();
        match known {
            Some(origin) if !tcp.flags.contains(TcpFlags::SYN) => as_seen(origin),
            _ => {
                if known.is_none() && self.0.len() >= MOST_CONNECTIONS {
                    self.0.clear();
                }
                let acknowledgement = tcp.acknowledgement.wrapping_sub(1);
                self.0.insert(connection, as_seen(Origin { sequence: tcp.sequence, acknowledgement }));
                Origin::default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkType;

    #[test]
    fn memory_does_not_grow_with_the_number_of_connections() {
        let mut origins = Origins::default();
        for client in 0..20_000_u32 {
            // An acknowledgement without data, from an address of its own.
            let [a, b, c, d] = client.to_be_bytes();
            let address = [10 + a, b, c, d];
            let ip = [&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0][..], &address, &[10, 9, 9, 9]].concat();
            let tcp = [0, 9, 0, 80, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x10, 0, 1, 0, 0, 0, 0];
            let frame = [&ip[..], &tcp].concat();
            let packet = crate::packet(LinkType::Raw, &frame, 40);

            assert_eq!(origins.of(&packet), Origin::default());
            assert_eq!(origins.of(&packet), Origin { sequence: 7, acknowledgement: 8 });
            assert!(origins.0.len() <= MOST_CONNECTIONS);
        }
    }
}

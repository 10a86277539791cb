//! Packets that travel together.

use std::time::Duration;

use dbgctl_linux::packet::{Frame, Shape};
use dbgctl_proto::v1::{CaptureBatch, PacketDirection};

/// No block of the ring is added to a batch that is longer than this.
const ENOUGH_BYTES: usize = 128 << 10;

/// The same, of packets: each has some bytes beside its data.
const ENOUGH_PACKETS: usize = 16 << 10;

/// Packets that travel together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    first_unix_nanos: u64,
    last_unix_nanos: u64,
    later_nanos: Vec<i64>,
    captured_bytes: Vec<u32>,
    wire_bytes: Vec<u32>,
    directions: Vec<i32>,
    data: Vec<u8>,
}

impl Batch {
    /// Adds a packet.
    pub(super) fn add(&mut self, frame: &Frame<'_>, shape: &Shape) {
        let start = self.data.len();
        let wire_bytes = shape.put(frame, &mut self.data);
        let time = nanos(frame.time);
        if self.later_nanos.is_empty() {
            self.first_unix_nanos = time;
            self.last_unix_nanos = time;
        }
        // Two times since the epoch: their difference fits.
        self.later_nanos.push(time.wrapping_sub(self.last_unix_nanos).cast_signed());
        self.last_unix_nanos = time;
        self.captured_bytes.push(u32::try_from(self.data.len() - start).unwrap_or(u32::MAX));
        self.wire_bytes.push(wire_bytes);
        self.directions.push(direction(frame.sender.packet_type).into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.later_nanos.is_empty()
    }

    /// Whether no more may be added before it has left.
    pub(super) fn is_full(&self) -> bool {
        self.data.len() >= ENOUGH_BYTES || self.later_nanos.len() >= ENOUGH_PACKETS
    }

    /// What is in it, which leaves it empty.
    pub(super) fn take(&mut self) -> CaptureBatch {
        let batch = std::mem::take(self);
        CaptureBatch {
            first_unix_nanos: batch.first_unix_nanos,
            later_nanos: batch.later_nanos,
            captured_bytes: batch.captured_bytes,
            wire_bytes: batch.wire_bytes,
            directions: batch.directions,
            data: batch.data.into(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// `PACKET_HOST` and others, see packet(7).
fn direction(packet_type: u8) -> PacketDirection {
    match packet_type {
        0 => PacketDirection::In,
        1 => PacketDirection::InBroadcast,
        2 => PacketDirection::InMulticast,
        3 => PacketDirection::Others,
        4 => PacketDirection::Out,
        _ => PacketDirection::Unspecified,
    }
}

#[cfg(test)]
mod tests {
    use dbgctl_linux::packet::{LinkType, Sender};

    use super::*;

    #[test]
    fn packets_are_told_apart_and_time_may_go_back() {
        let shape = Shape { link: LinkType::Ethernet, snap_bytes: 4, headers_only: false };
        let frame = |micros, data| {
            let sender = Sender { packet_type: 4, ..Sender::default() };
            Frame { time: Duration::from_micros(micros), wire_bytes: 60, data, vlan: None, sender }
        };
        let mut batch = Batch::default();
        batch.add(&frame(50, b"abcdef"), &shape);
        batch.add(&frame(52, b"gh"), &shape);
        batch.add(&frame(51, b""), &shape);
        assert_eq!((batch.is_empty(), batch.is_full()), (false, false));
        let message = batch.take();
        assert_eq!(message.first_unix_nanos, 50_000);
        assert_eq!(message.later_nanos, [0, 2000, -1000]);
        assert_eq!(message.captured_bytes, [4, 2, 0]);
        assert_eq!((&message.data[..], message.wire_bytes), (&b"abcdgh"[..], vec![60; 3]));
        assert_eq!(message.directions, [i32::from(PacketDirection::Out); 3]);
        assert!(batch.is_empty());
    }
}

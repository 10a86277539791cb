//! Packets as they come from the agent, which is not trusted to send what makes sense.

use dbgctl_proto::bounds::LONGEST_CAPTURE_BATCH_BYTES;
use dbgctl_proto::v1::{CaptureBatch, PacketDirection};

/// Packets that came together, whose lengths are known to be right.
#[derive(Debug)]
pub(super) struct Packets(CaptureBatch);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'p> {
    /// Since the epoch.
    pub(super) unix_nanos: u64,
    /// How long it was on the wire.
    pub(super) wire_bytes: u32,
    pub(super) direction: PacketDirection,
    /// What was kept of it.
    pub(super) data: &'p [u8],
}

impl Packets {
    /// `None`: the batch makes no sense.
    pub(super) fn check(batch: CaptureBatch) -> Option<Self> {
        let packets = batch.later_nanos.len();
        let sum = batch.captured_bytes.iter().map(|&bytes| u64::from(bytes)).sum::<u64>();
        let makes_sense = batch.captured_bytes.len() == packets
            && batch.wire_bytes.len() == packets
            && batch.directions.len() == packets
            && usize::try_from(sum) == Ok(batch.data.len())
            && batch.data.len() <= LONGEST_CAPTURE_BATCH_BYTES;
        makes_sense.then_some(Self(batch))
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.0.later_nanos.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Packet<'_>> {
        let Self(batch) = self;
        let mut rest = &batch.data[..];
        let mut unix_nanos = batch.first_unix_nanos;
        let lengths = batch.captured_bytes.iter().zip(&batch.wire_bytes);
        lengths.zip(&batch.directions).zip(&batch.later_nanos).map_while(
            move |(((&captured, &wire_bytes), &direction), &later)| {
                unix_nanos = unix_nanos.wrapping_add_signed(later);
                let (data, following) = rest.split_at_checked(usize::try_from(captured).ok()?)?;
                rest = following;
                let direction = PacketDirection::try_from(direction).unwrap_or_default();
                Some(Packet { unix_nanos, wire_bytes, direction, data })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> CaptureBatch {
        CaptureBatch {
            first_unix_nanos: 1000,
            later_nanos: vec![0, 500, -200],
            captured_bytes: vec![2, 0, 3],
            wire_bytes: vec![60, 61, 62],
            directions: vec![1, 5, 77],
            data: b"abcde".as_slice().into(),
        }
    }

    #[test]
    fn packets_have_their_own_times_and_bytes() {
        let packets = Packets::check(batch()).unwrap();
        let seen: Vec<_> = packets.iter().map(|packet| (packet.unix_nanos, packet.data)).collect();
        assert_eq!(seen, [(1000, &b"ab"[..]), (1500, b""), (1300, b"cde")]);
        let directions: Vec<_> = packets.iter().map(|packet| packet.direction).collect();
        assert_eq!(directions, [PacketDirection::In, PacketDirection::Out, PacketDirection::Unspecified]);
        assert_eq!(packets.len(), 3);
    }

    #[test]
    fn a_batch_whose_parts_do_not_fit_makes_no_sense() {
        let bad: [fn(&mut CaptureBatch); 4] = [
            |batch| batch.captured_bytes[0] = 3,
            |batch| batch.captured_bytes[0] = u32::MAX,
            |batch| batch.wire_bytes.truncate(2),
            |batch| batch.directions.push(1),
        ];
        for spoil in bad {
            let mut batch = batch();
            spoil(&mut batch);
            assert!(Packets::check(batch).is_none());
        }
    }
}

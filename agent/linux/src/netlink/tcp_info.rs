//! `struct tcp_info`: what the kernel knows of a TCP connection.
//!
//! Format: include/uapi/linux/tcp.h. Each kernel appends to it; what one does not tell is absent.

use super::{u16_at, u32_at, u64_at};

/// The structure as one kernel has told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo<'b>(&'b [u8]);

/// Where a field stands, and how it is told that there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    at: usize,
    width: Width,
    /// Stands for "none": a limit that is not set, a time that was not measured.
    none: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Byte,
    LowHalf,
    HighHalf,
    LowBit,
    Two,
    Four,
    Eight,
}

const fn field(at: usize, width: Width) -> Field {
    Field { at, width, none: NEVER }
}

/// No field of less than 64 bits has this value, and of those with 64 bits it means "unlimited".
const NEVER: u64 = u64::MAX;

#[expect(missing_docs, reason = "as in the structure, without their prefix")]
impl Field {
    pub const CA_STATE: Self = field(1, Width::Byte);
    pub const RETRANSMITS: Self = field(2, Width::Byte);
    pub const PROBES: Self = field(3, Width::Byte);
    pub const BACKOFF: Self = field(4, Width::Byte);
    pub const OPTIONS: Self = field(5, Width::Byte);
    pub const SND_WSCALE: Self =
        field(6, if cfg!(target_endian = "little") { Width::LowHalf } else { Width::HighHalf });
    pub const RCV_WSCALE: Self =
        field(6, if cfg!(target_endian = "little") { Width::HighHalf } else { Width::LowHalf });
    pub const DELIVERY_RATE_APP_LIMITED: Self = field(7, Width::LowBit);
    pub const RTO: Self = field(8, Width::Four);
    pub const ATO: Self = field(12, Width::Four);
    pub const SND_MSS: Self = field(16, Width::Four);
    pub const RCV_MSS: Self = field(20, Width::Four);
    pub const UNACKED: Self = field(24, Width::Four);
    pub const SACKED: Self = field(28, Width::Four);
    pub const LOST: Self = field(32, Width::Four);
    pub const RETRANS: Self = field(36, Width::Four);
    pub const LAST_DATA_SENT: Self = field(44, Width::Four);
    pub const LAST_DATA_RECV: Self = field(52, Width::Four);
    pub const LAST_ACK_RECV: Self = field(56, Width::Four);
    pub const PMTU: Self = field(60, Width::Four);
    pub const RCV_SSTHRESH: Self = field(64, Width::Four);
    pub const RTT: Self = field(68, Width::Four);
    pub const RTTVAR: Self = field(72, Width::Four);
    /// None: `TCP_INFINITE_SSTHRESH`.
    pub const SND_SSTHRESH: Self = Self { at: 76, width: Width::Four, none: 0x7fff_ffff };
    pub const SND_CWND: Self = field(80, Width::Four);
    pub const ADVMSS: Self = field(84, Width::Four);
    pub const REORDERING: Self = field(88, Width::Four);
    pub const RCV_RTT: Self = field(92, Width::Four);
    pub const RCV_SPACE: Self = field(96, Width::Four);
    pub const TOTAL_RETRANS: Self = field(100, Width::Four);
    pub const PACING_RATE: Self = field(104, Width::Eight);
    pub const MAX_PACING_RATE: Self = field(112, Width::Eight);
    pub const BYTES_ACKED: Self = field(120, Width::Eight);
    pub const BYTES_RECEIVED: Self = field(128, Width::Eight);
    pub const SEGS_OUT: Self = field(136, Width::Four);
    pub const SEGS_IN: Self = field(140, Width::Four);
    pub const NOTSENT_BYTES: Self = field(144, Width::Four);
    /// None: not measured yet.
    pub const MIN_RTT: Self = Self { at: 148, width: Width::Four, none: 0xffff_ffff };
    pub const DATA_SEGS_IN: Self = field(152, Width::Four);
    pub const DATA_SEGS_OUT: Self = field(156, Width::Four);
    pub const DELIVERY_RATE: Self = field(160, Width::Eight);
    pub const BUSY_TIME: Self = field(168, Width::Eight);
    pub const RWND_LIMITED: Self = field(176, Width::Eight);
    pub const SNDBUF_LIMITED: Self = field(184, Width::Eight);
    pub const DELIVERED: Self = field(192, Width::Four);
    pub const DELIVERED_CE: Self = field(196, Width::Four);
    pub const BYTES_SENT: Self = field(200, Width::Eight);
    pub const BYTES_RETRANS: Self = field(208, Width::Eight);
    pub const DSACK_DUPS: Self = field(216, Width::Four);
    pub const REORD_SEEN: Self = field(220, Width::Four);
    pub const RCV_OOOPACK: Self = field(224, Width::Four);
    pub const SND_WND: Self = field(228, Width::Four);
    pub const RCV_WND: Self = field(232, Width::Four);
    pub const TOTAL_RTO: Self = field(240, Width::Two);
}

impl<'b> TcpInfo<'b> {
    /// The structure in these bytes, however long it is.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// The value of a field. `None`: this kernel does not tell it, or there is none.
    #[inline]
    pub fn get(&self, field: Field) -> Option<u64> {
        let byte = |at: usize| self.0.get(at).copied();
        let value = match field.width {
            Width::Byte => byte(field.at)?.into(),
            Width::LowHalf => (byte(field.at)? & 0xf).into(),
            Width::HighHalf => (byte(field.at)? >> 4).into(),
            Width::LowBit => (byte(field.at)? & 1).into(),
            Width::Two => u16_at(self.0, field.at)?.into(),
            Width::Four => u32_at(self.0, field.at)?.into(),
            Width::Eight => u64_at(self.0, field.at)?,
        };
        (value != field.none).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_the_kernel_does_not_tell_is_absent() {
        let mut bytes = vec![0; 104];
        bytes[68..72].copy_from_slice(&1500_u32.to_ne_bytes());
        bytes[76..80].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
        let info = TcpInfo::new(&bytes);
        assert_eq!((info.get(Field::RTT), info.get(Field::TOTAL_RETRANS)), (Some(1500), Some(0)));
        assert_eq!((info.get(Field::SND_SSTHRESH), info.get(Field::PACING_RATE)), (None, None));
        assert_eq!(TcpInfo::new(&bytes[..71]).get(Field::RTT), None);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn bit_fields_share_a_byte() {
        let info = TcpInfo::new(&[1, 0, 0, 0, 0, 0, 0x7a, 0b101]);
        let fields = [Field::SND_WSCALE, Field::RCV_WSCALE, Field::DELIVERY_RATE_APP_LIMITED];
        assert_eq!(fields.map(|field| info.get(field)), [Some(10), Some(7), Some(1)]);
    }
}

//! Interfaces as rtnetlink tells them: `struct ifinfomsg` and `IFLA_…` of rtnetlink(7).

use super::{attributes, i32_at, text, u16_at, u32_at, u64_at};

/// `struct ifinfomsg`
const FIXED_BYTES: usize = 16;

/// An interface. What is `None` was not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number in the network namespace.
    pub index: u32,
    /// At most 15 bytes: whoever may configure the network sets it.
    pub name: Vec<u8>,
    /// `ARPHRD_…`, for example 1 for Ethernet and 772 for the loopback interface.
    pub hardware_type: u16,
    /// `IFF_…`, see netdevice(7).
    pub flags: u32,
    /// The largest packet that it takes.
    pub mtu_bytes: Option<u32>,
    /// `IF_OPER_…` of RFC 2863: 6 is up.
    pub operational_state: Option<u8>,
    /// Whether there is a carrier.
    pub carrier: Option<bool>,
    /// How often the carrier came or went.
    pub carrier_changes: Option<u32>,
    /// For example `veth`, `bridge` or `wireguard`. Empty: of no such kind, as hardware is.
    pub kind: Vec<u8>,
    /// The address of the device, of Ethernet 6 bytes.
    pub hardware_address: Vec<u8>,
    /// How packets wait to be sent, for example `noqueue` or `fq_codel`.
    pub queueing: Vec<u8>,
    /// How many may wait.
    pub queue_packets: Option<u32>,
    /// Number of the bridge or bond that it belongs to.
    pub master: Option<u32>,
    /// Number of the interface that it stands on, of veth the other end; maybe in another network namespace.
    pub lower: Option<u32>,
    /// What it has carried.
    pub statistics: Option<Statistics>,
}

/// `struct rtnl_link_stats64`, summed up as in `/proc/net/dev`. All count from when the interface was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the heading of /proc/net/dev")]
pub struct Statistics {
    pub received_bytes: u64,
    pub received_packets: u64,
    pub receive_errors: u64,
    pub receive_dropped: u64,
    pub receive_fifo_errors: u64,
    pub receive_frame_errors: u64,
    pub received_compressed: u64,
    pub received_multicast: u64,
    pub transmitted_bytes: u64,
    pub transmitted_packets: u64,
    pub transmit_errors: u64,
    pub transmit_dropped: u64,
    pub transmit_fifo_errors: u64,
    pub collisions: u64,
    pub carrier_errors: u64,
    pub transmitted_compressed: u64,
}

impl Statistics {
    /// `None` if it is too short.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let at = |nth: usize| u64_at(bytes, nth * 8);
        let sum = |nths: &[usize]| {
            nths.iter().try_fold(0_u64, |sum, &nth| at(nth).map(|count| sum.saturating_add(count)))
        };
        Some(Self {
            received_packets: at(0)?,
            transmitted_packets: at(1)?,
            received_bytes: at(2)?,
            transmitted_bytes: at(3)?,
            receive_errors: at(4)?,
            transmit_errors: at(5)?,
            receive_dropped: sum(&[6, 15])?,
            transmit_dropped: at(7)?,
            received_multicast: at(8)?,
            collisions: at(9)?,
            receive_frame_errors: sum(&[10, 11, 12, 13])?,
            receive_fifo_errors: at(14)?,
            carrier_errors: sum(&[16, 17, 19, 20])?,
            transmit_fifo_errors: at(18)?,
            received_compressed: at(21)?,
            transmitted_compressed: at(22)?,
        })
    }
}

impl Link {
    /// Parses the message of an interface. `None` if it is none.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut link = Self {
            hardware_type: u16_at(payload, 2)?,
            index: i32_at(payload, 4)?.try_into().ok()?,
            flags: u32_at(payload, 8)?,
            ..Self::default()
        };
        for (kind, value) in attributes(payload.get(FIXED_BYTES..)?) {
            match kind {
                1 => link.hardware_address = value.to_vec(),
                3 => link.name = text(value),
                4 => link.mtu_bytes = u32_at(value, 0),
                5 => link.lower = u32_at(value, 0),
                6 => link.queueing = text(value),
                10 => link.master = u32_at(value, 0),
                13 => link.queue_packets = u32_at(value, 0),
                16 => link.operational_state = value.first().copied(),
                // IFLA_LINKINFO, IFLA_INFO_KIND
                18 => {
                    link.kind =
                        attributes(value).find(|(kind, _)| *kind == 1).map_or(vec![], |(_, it)| text(it))
                }
                23 => link.statistics = Statistics::parse(value),
                33 => link.carrier = value.first().map(|&carrier| carrier != 0),
                35 => link.carrier_changes = u32_at(value, 0),
                _ => {}
            }
        }
        Some(link)
    }
}

//! What a packet starts with.

/// The header that packets start with, by libpcap's names (DLT_…).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// DLT_EN10MB: what veth and lo have.
    Ethernet,
    /// DLT_LINUX_SLL: packets of all interfaces, as older programs write them.
    LinuxCookedV1,
    /// DLT_LINUX_SLL2: packets of all interfaces, with the number of the interface.
    LinuxCookedV2,
    /// DLT_NULL: the address family in the byte order of a little-endian machine.
    Loopback,
    /// DLT_RAW: an IP header at once.
    Raw,
}

impl LinkType {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Ethernet, Self::LinuxCookedV1, Self::LinuxCookedV2, Self::Loopback, Self::Raw];

    /// Its number in Linux's libpcap.
    pub fn dlt(self) -> i32 {
        match self {
            Self::Ethernet => 1,
            Self::LinuxCookedV1 => 113,
            Self::LinuxCookedV2 => 276,
            Self::Loopback => 0,
            Self::Raw => 12,
        }
    }

    pub(crate) fn is_cooked(self) -> bool {
        matches!(self, Self::LinuxCookedV1 | Self::LinuxCookedV2)
    }

    /// What a message calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "Ethernet",
            Self::LinuxCookedV1 => "Linux cooked v1",
            Self::LinuxCookedV2 => "Linux cooked v2",
            Self::Loopback => "loopback",
            Self::Raw => "raw IP",
        }
    }
}

/// Where the program is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// On packets as they are stored: everything is in their bytes.
    Stored,
    /// On an AF_PACKET socket. Linux takes the outermost VLAN tag out of the bytes and tells it beside them. The socket is of
    /// the type SOCK_RAW, and for the cooked link types SOCK_DGRAM: there packets start with the network header, and what
    /// the cooked header will say stands beside them.
    Live,
}

/// What Linux tells beside the bytes of a packet: loads from there read no byte (`SKF_AD_OFF` in linux/filter.h).
pub(crate) mod beside {
    const START: u32 = 0xffff_f000;

    /// Whether the kernel does not take an offset for one of a byte.
    pub(crate) fn is_beside(offset: u32) -> bool {
        offset >= START
    }

    /// Whether a program of ours asks for it.
    pub(crate) fn is_known(offset: u32) -> bool {
        matches!(offset, PROTOCOL | PACKET_TYPE | INTERFACE | VLAN_TAG | VLAN_TAG_PRESENT)
    }

    /// The Ethernet type, or Linux's number of a frame without one.
    pub(crate) const PROTOCOL: u32 = START;
    /// Which way the packet went.
    pub(crate) const PACKET_TYPE: u32 = START + 4;
    pub(crate) const INTERFACE: u32 = START + 8;
    pub(crate) const VLAN_TAG: u32 = START + 44;
    /// 1 if there is a tag, else 0.
    pub(crate) const VLAN_TAG_PRESENT: u32 = START + 48;
    /// Of [`PACKET_TYPE`], and of the field of the same meaning in cooked headers.
    pub(crate) const OUTGOING: u32 = 4;
}

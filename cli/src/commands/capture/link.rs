//! Where packets are captured, and what they begin with.

use dbgctl_proto::bounds::{LONGEST_INTERFACE_BYTES, MOST_CAPTURE_INTERFACES};
use dbgctl_proto::v1::CaptureOpened;

use crate::render::one_line;

/// What packets begin with, see pcap-linktype(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    Raw,
    /// Linux cooked v2, as of all interfaces at once.
    Cooked,
}

impl Link {
    pub(super) fn of_number(number: u32) -> Option<Self> {
        [Self::Ethernet, Self::Raw, Self::Cooked].into_iter().find(|link| u32::from(link.number()) == number)
    }

    pub(super) fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::Cooked => 276,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "Ethernet",
            Self::Raw => "raw IP",
            Self::Cooked => "Linux cooked",
        }
    }
}

/// Where it is captured.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) link: Link,
    /// Of the interface; `any` for all. Fit to be shown.
    pub(super) name: String,
    /// Others that could have been meant: up, and not the loopback interface.
    pub(super) others: Vec<String>,
    /// Names by number.
    names: Vec<(u32, String)>,
    /// For example `Linux 6.1.0`.
    pub(super) system: String,
    /// For example `x86_64`.
    pub(super) machine: String,
}

impl Place {
    /// `None`: what the agent says makes no sense, or only to a newer dbgctl.
    pub(super) fn check(opened: &CaptureOpened) -> Option<Self> {
        let link = Link::of_number(opened.link_type)?;
        if opened.interfaces.len() > MOST_CAPTURE_INTERFACES {
            return None;
        }
        let name = |name: &[u8]| {
            let name = &name[..name.len().min(LONGEST_INTERFACE_BYTES)];
            one_line(&String::from_utf8_lossy(name)).into_owned()
        };
        let short = |text: &str| one_line(&text[..text.floor_char_boundary(100)]).into_owned();
        let chosen = opened.interface.as_ref();
        let is_other = |index| chosen.is_some_and(|chosen| chosen.index != index);
        let others = opened.interfaces.iter().filter(|it| it.is_up && !it.is_loopback && is_other(it.index));
        Some(Self {
            link,
            name: chosen.map_or_else(|| "any".to_owned(), |chosen| name(&chosen.name)),
            others: others.map(|other| name(&other.name)).collect(),
            names: opened.interfaces.iter().map(|it| (it.index, name(&it.name))).collect(),
            system: short(&opened.system),
            machine: short(&opened.machine),
        })
    }

    /// The name of the interface that a packet belongs to, as far as that is known.
    pub(super) fn interface_of(&self, packet: &[u8]) -> &str {
        if self.link != Link::Cooked {
            return &self.name;
        }
        let index = packet.get(4..8).and_then(|index| index.try_into().ok()).map(u32::from_be_bytes);
        let found = self.names.iter().find(|(known, _)| Some(*known) == index);
        found.map_or("?", |(_, name)| name)
    }
}

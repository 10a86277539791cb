//! The interfaces that packets can be heard on.

use super::frame::LinkType;
use crate::error::ReadError;
use crate::netlink::link::Link;
use crate::netlink::rtnetlink::{Rtnetlink, Table};
use crate::root::Root;

/// `IFF_UP` of netdevice(7).
const UP: u32 = 1;
/// `IFF_LOOPBACK`
const LOOPBACK: u32 = 8;

/// An interface of the network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// At most 15 bytes: whoever may configure the network sets it.
    pub name: Vec<u8>,
    /// Whether it carries anything.
    pub is_up: bool,
    /// Whether it leads nowhere but back.
    pub is_loopback: bool,
    /// What its packets begin with.
    pub link: LinkType,
}

/// All of them, in the order of their numbers; not more than `most`.
///
/// # Errors
///
/// As [`Rtnetlink`] has it.
pub fn interfaces(root: &Root, most: usize) -> Result<Vec<Interface>, ReadError> {
    let mut found = Vec::new();
    Rtnetlink::open(root)?.dump(Table::Links, |message| {
        found.extend(Link::parse(message).map(|link| Interface {
            index: link.index,
            name: link.name,
            is_up: link.flags & UP != 0,
            is_loopback: link.flags & LOOPBACK != 0,
            link: LinkType::of_hardware(link.hardware_type),
        }));
        found.len() < most
    })?;
    found.sort_by_key(|interface| interface.index);
    Ok(found)
}

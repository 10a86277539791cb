//! Addresses of interfaces.

use std::borrow::Cow;
use std::time::Duration;

use dbgctl_proto::v1::InterfaceAddress;

use super::super::state::State;
use super::super::words;
use crate::render::human::Elapsed;
use crate::render::{Cell, Column, Emphasis, Object, Row};

/// An address.
#[derive(Debug)]
pub(in crate::commands::network) struct AddressRow {
    address: InterfaceAddress,
    interface: String,
}

/// All of them.
pub(in crate::commands::network) fn addresses(state: &State) -> Vec<AddressRow> {
    let row = |address: &InterfaceAddress| AddressRow {
        interface: state.name(address.interface),
        address: address.clone(),
    };
    state.addresses.iter().map(row).collect()
}

fn lifetime(seconds: Option<u32>, cell: &mut Cell<'_>) {
    match seconds {
        Some(seconds) => cell.show(Elapsed(Duration::from_secs(seconds.into()))),
        None => cell.show("for ever"),
    }
}

impl Row for AddressRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("ADDRESS", |row: &Self| {
            format!("{}/{}", words::address(&row.address.ip), row.address.prefix_bits).into()
        }),
        Column::text("INTERFACE", |row| Cow::Borrowed(&row.interface)),
        Column::text("SCOPE", |row| words::scope(row.address.scope)),
        Column::maybe("PEER", |row: &Self| {
            Some(&row.address.peer).filter(|peer| !peer.is_empty()).map(|peer| words::address(peer).into())
        })
        .if_any(),
        Column::written("PREFERRED", |row: &Self, cell| lifetime(row.address.preferred_seconds, cell))
            .right(),
        Column::written("VALID", |row: &Self, cell| lifetime(row.address.valid_seconds, cell)).right(),
        Column::text("FLAGS", |row| words::address_flags(row.address.flags).into()),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let address = &self.address;
        object.text("item", "address");
        object.number("interface", u64::from(address.interface));
        object.text("interface_name", self.interface.as_str());
        object.text("ip", &*words::address(&address.ip));
        object.number("prefix_bits", u64::from(address.prefix_bits));
        let peer = Some(&address.peer).filter(|peer| !peer.is_empty()).map(|peer| words::address(peer));
        object.text("peer", peer.as_deref());
        object.text("scope", &*words::scope(address.scope));
        object.number("flags", u64::from(address.flags));
        object.text("flag_names", &*words::address_flags(address.flags));
        object.number("preferred_seconds", address.preferred_seconds.map(u64::from));
        object.number("valid_seconds", address.valid_seconds.map(u64::from));
    }

    fn emphasis(&self) -> Emphasis {
        match self.address.flags {
            flags if flags & words::address::DUPLICATE != 0 => Emphasis::Alarming,
            flags if flags & (words::address::TENTATIVE | words::address::DEPRECATED) != 0 => {
                Emphasis::Notable
            }
            _ => Emphasis::None,
        }
    }
}

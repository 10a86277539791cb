//! Interfaces with their addresses.

use std::borrow::Cow;

use dbgctl_proto::v1::{NetworkLink, Received, Transmitted};

use super::super::state::State;
use super::super::words::{self, interface};
use crate::commands::interfaces::per_second as bytes_per_second;
use crate::commands::sample::per_second;
use crate::render::{Column, Emphasis, Object, Row};

/// An interface.
#[derive(Debug)]
pub(in crate::commands::network) struct InterfaceRow {
    link: NetworkLink,
    /// `10.0.0.1/8 fe80::1/64(tentative)`
    addresses: String,
    master: Option<String>,
    sampled_nanos: u64,
}

/// The interfaces in the kernel's order.
pub(in crate::commands::network) fn interfaces(state: &State, sampled_nanos: u64) -> Vec<InterfaceRow> {
    let row = |link: &NetworkLink| InterfaceRow {
        addresses: state
            .addresses_of(link)
            .map(|address| {
                let odd = address.flags
                    & (words::address::DUPLICATE | words::address::TENTATIVE | words::address::DEPRECATED);
                let odd = if odd == 0 { String::new() } else { format!("({})", words::address_flags(odd)) };
                format!("{}/{}{odd}", words::address(&address.ip), address.prefix_bits)
            })
            .collect::<Vec<_>>()
            .join(" "),
        master: link.master.map(|master| state.name(master)),
        link: link.clone(),
        sampled_nanos,
    };
    state.links.iter().map(row).collect()
}

impl InterfaceRow {
    fn state(&self) -> Option<Cow<'static, str>> {
        let flags = self.link.flags?;
        Some(if flags & interface::UP == 0 {
            "down".into()
        } else if self.link.carrier == Some(false) {
            "no carrier".into()
        } else {
            match self.link.operational_state {
                // As of lo: nobody tells, and that it runs is what there is to know.
                Some(0) | None if flags & interface::RUNNING != 0 => "up".into(),
                Some(state) => words::operational_state(state),
                None => "up".into(),
            }
        })
    }

    fn rate(&self, bytes: Option<u64>) -> Option<Cow<'static, str>> {
        Some(bytes_per_second(per_second(bytes?, self.sampled_nanos)?).into())
    }
}

fn count(figure: u64) -> Option<i64> {
    i64::try_from(figure).ok()
}

impl Row for InterfaceRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("INTERFACE", |row, cell| cell.raw(&row.link.name)),
        Column::maybe("STATE", |row: &Self| row.state()),
        Column::number("MTU", |row| row.link.mtu_bytes.map(i64::from)),
        Column::written("KIND", |row: &Self, cell| cell.raw(&row.link.kind)).wide_only(),
        Column::maybe("MAC", |row: &Self| {
            Some(words::hardware_address(&row.link.hardware_address).into())
                .filter(|it: &Cow<'_, str>| !it.is_empty())
        })
        .wide_only(),
        Column::bytes("RX", |row: &Self| Some(row.link.received?.bytes)),
        Column::maybe("RX/S", |row: &Self| row.rate(Some(row.link.received_over_sample?.bytes))).right(),
        Column::number("RX-ERR", |row: &Self| count(row.link.received?.errors)),
        Column::number("RX-DROP", |row: &Self| count(row.link.received?.dropped)),
        Column::bytes("TX", |row: &Self| Some(row.link.transmitted?.bytes)),
        Column::maybe("TX/S", |row: &Self| row.rate(Some(row.link.transmitted_over_sample?.bytes))).right(),
        Column::number("TX-ERR", |row: &Self| count(row.link.transmitted?.errors)),
        Column::number("TX-DROP", |row: &Self| count(row.link.transmitted?.dropped)),
        Column::number("RX-PKTS", |row: &Self| count(row.link.received?.packets)).wide_only(),
        Column::number("TX-PKTS", |row: &Self| count(row.link.transmitted?.packets)).wide_only(),
        Column::written("QUEUE", |row: &Self, cell| cell.raw(&row.link.queueing)).wide_only(),
        Column::maybe("MASTER", |row: &Self| row.master.as_deref().map(Cow::Borrowed)).if_any(),
        Column::maybe("FLAGS", |row: &Self| row.link.flags.map(|flags| words::interface_flags(flags).into()))
            .wide_only(),
        Column::maybe("ADDRESSES", |row: &Self| {
            Some(row.addresses.as_str()).filter(|addresses| !addresses.is_empty()).map(Cow::Borrowed)
        }),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let link = &self.link;
        object.text("item", "interface");
        object.number("index", link.index.map(u64::from));
        object.raw("name", link.name.as_slice());
        object.text("state", self.state().as_deref());
        object.number("flags", link.flags.map(u64::from));
        object.text("flag_names", link.flags.map(words::interface_flags).as_deref());
        object.text("operational_state", link.operational_state.map(words::operational_state).as_deref());
        match link.carrier {
            Some(carrier) => object.flag("carrier", carrier),
            None => object.null("carrier"),
        }
        object.number("carrier_changes", link.carrier_changes.map(u64::from));
        object.number("mtu_bytes", link.mtu_bytes.map(u64::from));
        object.raw("kind", link.kind.as_slice());
        object.number("hardware_type", link.hardware_type.map(u64::from));
        object.text("hardware_address", &*words::hardware_address(&link.hardware_address));
        object.raw("queueing", link.queueing.as_slice());
        object.number("queue_packets", link.queue_packets.map(u64::from));
        object.number("master", link.master.map(u64::from));
        object.number("lower", link.lower.map(u64::from));
        received("received", link.received.as_ref(), object);
        transmitted("transmitted", link.transmitted.as_ref(), object);
        received("received_over_sample", link.received_over_sample.as_ref(), object);
        transmitted("transmitted_over_sample", link.transmitted_over_sample.as_ref(), object);
    }

    fn emphasis(&self) -> Emphasis {
        let lost = |received: Option<Received>, transmitted: Option<Transmitted>| {
            let (received, transmitted) = (received.unwrap_or_default(), transmitted.unwrap_or_default());
            received.errors + received.dropped + transmitted.errors + transmitted.dropped > 0
        };
        if self.state().is_some_and(|state| state == "no carrier")
            || lost(self.link.received_over_sample, self.link.transmitted_over_sample)
        {
            Emphasis::Alarming
        } else if lost(self.link.received, self.link.transmitted) {
            Emphasis::Notable
        } else {
            Emphasis::None
        }
    }
}

fn received(name: &str, received: Option<&Received>, object: &mut Object<'_>) {
    let Some(received) = received else { return object.null(name) };
    object.object(name, |object| {
        object.number("bytes", received.bytes);
        object.number("packets", received.packets);
        object.number("errors", received.errors);
        object.number("dropped", received.dropped);
        object.number("fifo_errors", received.fifo_errors);
        object.number("frame_errors", received.frame_errors);
        object.number("compressed", received.compressed);
        object.number("multicast", received.multicast);
    });
}

fn transmitted(name: &str, transmitted: Option<&Transmitted>, object: &mut Object<'_>) {
    let Some(transmitted) = transmitted else { return object.null(name) };
    object.object(name, |object| {
        object.number("bytes", transmitted.bytes);
        object.number("packets", transmitted.packets);
        object.number("errors", transmitted.errors);
        object.number("dropped", transmitted.dropped);
        object.number("fifo_errors", transmitted.fifo_errors);
        object.number("collisions", transmitted.collisions);
        object.number("carrier_errors", transmitted.carrier_errors);
        object.number("compressed", transmitted.compressed);
    });
}

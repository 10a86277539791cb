//! What an interface carries, as `top` shows it, and its rates as `net` does.

use dbgctl_proto::v1::NetworkLink;
use dbgctl_proto::v1::network_item::Item;
use dbgctl_proto::v1::{NetworkHeader, NetworkItem};

use super::sample;
use crate::render::Object;
use crate::render::human::Bytes;

/// An interface, and for how long it was looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct InterfaceRow {
    pub(super) interface: NetworkLink,
    pub(super) sampled_nanos: u64,
}

/// The interfaces of an answer, which may hold more.
pub(super) fn rows(header: Option<&NetworkHeader>, items: Vec<NetworkItem>) -> Vec<InterfaceRow> {
    let sampled_nanos = header.map_or(0, |header| header.sampled_nanos);
    let row = |item: NetworkItem| match item.item {
        Some(Item::Interface(interface)) => Some(InterfaceRow { interface, sampled_nanos }),
        _ => None,
    };
    items.into_iter().filter_map(row).collect()
}

impl InterfaceRow {
    /// Bytes a second, received and transmitted. `None` of what was not there at the first reading.
    pub(super) fn rates(&self) -> Option<(f64, f64)> {
        let (received, transmitted) =
            (self.interface.received_over_sample?, self.interface.transmitted_over_sample?);
        Some((self.rate(received.bytes)?, self.rate(transmitted.bytes)?))
    }

    fn rate(&self, grew: u64) -> Option<f64> {
        sample::per_second(grew, self.sampled_nanos)
    }

    /// Writes its fields, under the names that they have in the contract.
    pub(super) fn fields(&self, object: &mut Object<'_>) {
        let link = &self.interface;
        object.raw("name", link.name.as_slice());
        match &link.received {
            Some(received) => object.object("received", |object| {
                object.number("bytes", received.bytes);
                object.number("packets", received.packets);
                object.number("errors", received.errors);
                object.number("dropped", received.dropped);
                let grew = link.received_over_sample;
                object.decimal("bytes_per_second", grew.and_then(|grew| self.rate(grew.bytes)));
                object.decimal("packets_per_second", grew.and_then(|grew| self.rate(grew.packets)));
            }),
            None => object.null("received"),
        }
        match &link.transmitted {
            Some(transmitted) => object.object("transmitted", |object| {
                object.number("bytes", transmitted.bytes);
                object.number("packets", transmitted.packets);
                object.number("errors", transmitted.errors);
                object.number("dropped", transmitted.dropped);
                let grew = link.transmitted_over_sample;
                object.decimal("bytes_per_second", grew.and_then(|grew| self.rate(grew.bytes)));
                object.decimal("packets_per_second", grew.and_then(|grew| self.rate(grew.packets)));
            }),
            None => object.null("transmitted"),
        }
    }
}

/// A rate in bytes a second, without the fraction of a byte.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from float saturates, and a rate is never negative"
)]
pub(super) fn per_second(bytes: f64) -> String {
    Bytes(bytes.round() as u64).to_string()
}

//! What the interfaces of the target carry, for those who ask again and again.

use std::collections::HashMap;

use dbgctl_proto::v1::{Interface, InterfaceListHeader, Received, Transmitted};

use crate::render::Object;
use crate::render::human::Bytes;

/// An interface, with what follows from it and the list before.
#[derive(Debug, Clone)]
pub(super) struct InterfaceRow {
    pub(super) interface: Interface,
    /// `None` in a first list, and for what was not in the list before.
    pub(super) rates: Option<Rates>,
}

/// What an interface carried per second since the list before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) received_bytes: f64,
    pub(super) received_packets: f64,
    pub(super) transmitted_bytes: f64,
    pub(super) transmitted_packets: f64,
}

impl InterfaceRow {
    /// Writes its fields, under the names that they have in the contract.
    pub(super) fn fields(&self, object: &mut Object<'_>) {
        object.raw("name", self.interface.name.as_slice());
        match self.received() {
            Some(received) => object.object("received", |object| {
                object.number("bytes", received.bytes);
                object.number("packets", received.packets);
                object.number("errors", received.errors);
                object.number("dropped", received.dropped);
                object.number("fifo_errors", received.fifo_errors);
                object.number("frame_errors", received.frame_errors);
                object.number("compressed", received.compressed);
                object.number("multicast", received.multicast);
                object.decimal("bytes_per_second", self.rates.map(|rates| rates.received_bytes));
                object.decimal("packets_per_second", self.rates.map(|rates| rates.received_packets));
            }),
            None => object.null("received"),
        }
        match self.transmitted() {
            Some(transmitted) => object.object("transmitted", |object| {
                object.number("bytes", transmitted.bytes);
                object.number("packets", transmitted.packets);
                object.number("errors", transmitted.errors);
                object.number("dropped", transmitted.dropped);
                object.number("fifo_errors", transmitted.fifo_errors);
                object.number("collisions", transmitted.collisions);
                object.number("carrier_errors", transmitted.carrier_errors);
                object.number("compressed", transmitted.compressed);
                object.decimal("bytes_per_second", self.rates.map(|rates| rates.transmitted_bytes));
                object.decimal("packets_per_second", self.rates.map(|rates| rates.transmitted_packets));
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

impl InterfaceRow {
    fn received(&self) -> Option<&Received> {
        self.interface.received.as_ref()
    }

    fn transmitted(&self) -> Option<&Transmitted> {
        self.interface.transmitted.as_ref()
    }
}

/// The figures of the list before. Empty before the first.
#[derive(Debug, Default)]
pub(super) struct History {
    sampled_boottime_nanos: u64,
    interfaces: HashMap<Vec<u8>, (Received, Transmitted)>,
}

impl History {
    /// Makes rows of `interfaces` and remembers them for the next list.
    pub(super) fn rows(
        &mut self,
        header: Option<InterfaceListHeader>,
        interfaces: Vec<Interface>,
    ) -> Vec<InterfaceRow> {
        let now = header.unwrap_or_default().sampled_boottime_nanos;
        let rates: Vec<_> = interfaces.iter().map(|interface| self.rates(now, interface)).collect();
        let known = interfaces.iter().filter_map(|interface| {
            Some((interface.name.clone(), (interface.received?, interface.transmitted?)))
        });
        *self = Self { sampled_boottime_nanos: now, interfaces: known.collect() };
        interfaces
            .into_iter()
            .zip(rates)
            .map(|(interface, rates)| InterfaceRow { interface, rates })
            .collect()
    }

    /// `None` also if a figure went back: then it is another interface of the same name.
    fn rates(&self, now: u64, interface: &Interface) -> Option<Rates> {
        let (received_then, transmitted_then) = self.interfaces.get(&interface.name)?;
        let (received, transmitted) = (interface.received?, interface.transmitted?);
        let lasted = now.checked_sub(self.sampled_boottime_nanos).filter(|&nanos| nanos > 0)?;
        let rate =
            |now: u64, then: u64| Some(now.checked_sub(then)? as f64 / (lasted as f64 / 1_000_000_000.0));
        Some(Rates {
            received_bytes: rate(received.bytes, received_then.bytes)?,
            received_packets: rate(received.packets, received_then.packets)?,
            transmitted_bytes: rate(transmitted.bytes, transmitted_then.bytes)?,
            transmitted_packets: rate(transmitted.packets, transmitted_then.packets)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_rates_from_the_second_list_on_and_none_for_an_interface_that_was_made_anew() {
        let interface = |name: &[u8], bytes: u64| Interface {
            name: name.to_vec(),
            received: Some(Received { bytes, ..Received::default() }),
            transmitted: Some(Transmitted { bytes, ..Transmitted::default() }),
        };
        let mut history = History::default();
        let mut rates = |seconds: u64, interfaces| {
            let header = InterfaceListHeader {
                sampled_boottime_nanos: seconds * 1_000_000_000,
                sampled_unix_nanos: 0,
            };
            let rows = history.rows(Some(header), interfaces);
            rows.into_iter().map(|row| row.rates.map(|rates| rates.received_bytes)).collect::<Vec<_>>()
        };
        assert_eq!(rates(5, vec![interface(b"eth0", 1000), interface(b"eth1", 5000)]), [None, None]);
        assert_eq!(rates(7, vec![interface(b"eth0", 5000), interface(b"eth1", 1000)]), [Some(2000.0), None]);
    }
}

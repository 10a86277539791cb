//! One interface as it is shown.

use std::collections::HashMap;

use dbgctl_proto::v1::{Interface, InterfaceListHeader, Received, Transmitted};

use crate::render::human::{Bytes, Percent};
use crate::render::{Column, Emphasis, Object, Row};

/// An interface, with what follows from it and the list before.
#[derive(Debug, Clone)]
pub(in crate::commands) struct InterfaceRow {
    pub(in crate::commands) interface: Interface,
    /// `None` in a first list, and for what was not in the list before.
    pub(in crate::commands) rates: Option<Rates>,
}

/// What an interface carried per second since the list before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::commands) struct Rates {
    pub(in crate::commands) received_bytes: f64,
    pub(in crate::commands) received_packets: f64,
    pub(in crate::commands) transmitted_bytes: f64,
    pub(in crate::commands) transmitted_packets: f64,
}

impl Row for InterfaceRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("NAME", |row, cell| cell.raw(&row.interface.name)),
        Column::bytes("RX", |row: &Self| Some(row.received()?.bytes)),
        Column::maybe("RX/S", |row: &Self| Some(per_second(row.rates?.received_bytes).into()))
            .right()
            .if_any(),
        Column::number("RX-PKTS", |row: &Self| count(row.received()?.packets)),
        Column::number("RX-ERR", |row: &Self| count(row.received()?.errors)),
        Column::number("RX-DROP", |row: &Self| count(row.received()?.dropped)),
        Column::number("RX-FIFO", |row: &Self| count(row.received()?.fifo_errors)).wide_only(),
        Column::number("RX-FRAME", |row: &Self| count(row.received()?.frame_errors)).wide_only(),
        Column::number("RX-MCAST", |row: &Self| count(row.received()?.multicast)).wide_only(),
        Column::bytes("TX", |row: &Self| Some(row.transmitted()?.bytes)),
        Column::maybe("TX/S", |row: &Self| Some(per_second(row.rates?.transmitted_bytes).into()))
            .right()
            .if_any(),
        Column::number("TX-PKTS", |row: &Self| count(row.transmitted()?.packets)),
        Column::number("TX-ERR", |row: &Self| count(row.transmitted()?.errors)),
        Column::number("TX-DROP", |row: &Self| count(row.transmitted()?.dropped)),
        Column::number("TX-FIFO", |row: &Self| count(row.transmitted()?.fifo_errors)).wide_only(),
        Column::number("TX-COLLS", |row: &Self| count(row.transmitted()?.collisions)).wide_only(),
        Column::number("TX-CARRIER", |row: &Self| count(row.transmitted()?.carrier_errors)).wide_only(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
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

    fn emphasis(&self) -> Emphasis {
        if losses(self).is_empty() { Emphasis::None } else { Emphasis::Notable }
    }
}

fn count(figure: u64) -> Option<i64> {
    i64::try_from(figure).ok()
}

/// A rate in bytes a second, without the fraction of a byte.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from float saturates, and a rate is never negative"
)]
pub(in crate::commands) fn per_second(bytes: f64) -> String {
    Bytes(bytes.round() as u64).to_string()
}

/// `eth0 dropped 12 of 3456 packets that came in (0.3%)`, for what was lost.
pub(super) fn losses(row: &InterfaceRow) -> Vec<String> {
    let name = String::from_utf8_lossy(&row.interface.name);
    let sentence = |count: u64, verb: &str, packets: u64, way: &str| {
        let of = packets.saturating_add(count);
        let share = Percent(count as f64 / of as f64 * 100.0);
        (count > 0).then(|| format!("{name} {verb} {count} of {of} packets that {way} ({share}%)"))
    };
    let received = row.received().copied().unwrap_or_default();
    let transmitted = row.transmitted().copied().unwrap_or_default();
    [
        sentence(received.dropped, "dropped", received.packets, "came in"),
        sentence(received.errors, "could not read", received.packets, "came in"),
        sentence(transmitted.dropped, "dropped", transmitted.packets, "were to go out"),
        sentence(transmitted.errors, "could not send", transmitted.packets, "were to go out"),
    ]
    .into_iter()
    .flatten()
    .collect()
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
pub(in crate::commands) struct History {
    sampled_boottime_nanos: u64,
    interfaces: HashMap<Vec<u8>, (Received, Transmitted)>,
}

impl History {
    /// Makes rows of `interfaces` and remembers them for the next list.
    pub(in crate::commands) fn rows(
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

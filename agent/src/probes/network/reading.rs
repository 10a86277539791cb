//! What is read twice: counters and interfaces.

use std::collections::HashMap;

use dbgctl_linux::netlink::link::{Link, Statistics};
use dbgctl_linux::netlink::rtnetlink::{Rtnetlink, Table};
use dbgctl_linux::procfs::net_counters::{self, COUNTERS, Figure, File, GAUGES};
use dbgctl_linux::procfs::net_dev;
use dbgctl_linux::{Buffer, Moment, ReadError};
use dbgctl_proto::bounds::MOST_INTERFACES;
use dbgctl_proto::v1;

use super::message;
use crate::gaps::Gaps;
use crate::sources::Sources;

/// One reading.
#[derive(Debug)]
pub(super) struct Reading {
    moment: Moment,
    counters: Vec<Figure>,
    gauges: Vec<Figure>,
    links: Vec<Link>,
}

impl Reading {
    pub(super) fn take(sources: &Sources, gaps: &mut Gaps) -> Self {
        let mut buffer = Buffer::default();
        let mut read = |file: File| {
            let found = net_counters::read(sources.root(), file, &mut buffer);
            gaps.unless_absent("counters", found).unwrap_or_default()
        };
        let counters = COUNTERS.into_iter().flat_map(&mut read).collect();
        let mut gauges: Vec<_> = GAUGES.into_iter().flat_map(&mut read).collect();
        gauges.extend(net_counters::read_settings(sources.root(), &mut buffer));
        Self { moment: sources.now(), counters, gauges, links: links(sources, gaps) }
    }

    /// The clock, and what was counted since `before`.
    pub(super) fn header(&self, before: &Self) -> v1::NetworkHeader {
        let then: HashMap<_, _> =
            before.counters.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let counted =
            self.counters.iter().filter(|(_, value)| *value > 0).map(|(name, value)| v1::NetworkCounter {
                name: name.clone(),
                since_start: *value,
                over_sample: value.checked_sub(then.get(name.as_str()).copied().unwrap_or(0)),
            });
        let gauge = |(name, value): &Figure| v1::NetworkGauge { name: name.clone(), value: *value };
        v1::NetworkHeader {
            sampled_boottime_nanos: self.moment.boottime_nanos,
            sampled_unix_nanos: self.moment.unix_nanos,
            sampled_nanos: self.moment.boottime_nanos.saturating_sub(before.moment.boottime_nanos),
            counters: counted.collect(),
            gauges: self.gauges.iter().map(gauge).collect(),
        }
    }

    /// Whether rtnetlink answered.
    pub(super) fn is_of_rtnetlink(&self) -> bool {
        self.links.iter().all(|link| link.index > 0)
    }

    /// The interfaces, with what they carried since `before`.
    pub(super) fn links(&self, before: &Self) -> impl Iterator<Item = v1::NetworkLink> {
        self.links.iter().map(|link| {
            let same = |then: &&Link| then.index == link.index && then.name == link.name;
            let then = before.links.iter().find(same).and_then(|then| then.statistics);
            let told = message::link(link, then.as_ref());
            if link.index > 0 { told } else { bare(told) }
        })
    }
}

/// The interfaces as rtnetlink has them, or, where it is refused, as /proc/net/dev has them: with number 0.
fn links(sources: &Sources, gaps: &mut Gaps) -> Vec<Link> {
    let mut links = Vec::new();
    let dumped = Rtnetlink::open(sources.root()).and_then(|mut kernel| {
        kernel.dump(Table::Links, |told| {
            links.extend(Link::parse(told));
            links.len() < MOST_INTERFACES
        })
    });
    if let Err(error) = dumped {
        links.clear();
        gaps.add_error("all but the figures of interfaces", &error);
        let read = net_dev::read(sources.root(), |interface| {
            links.push(of_procfs(interface));
            links.len() < MOST_INTERFACES
        });
        read.unwrap_or_else(|error: ReadError| gaps.add_error("interfaces", &error));
    }
    links
}

fn of_procfs(interface: net_dev::Interface) -> Link {
    let net_dev::Interface { name, received, transmitted } = interface;
    let statistics = Statistics {
        received_bytes: received.bytes,
        received_packets: received.packets,
        receive_errors: received.errors,
        receive_dropped: received.dropped,
        receive_fifo_errors: received.fifo_errors,
        receive_frame_errors: received.frame_errors,
        received_compressed: received.compressed,
        received_multicast: received.multicast,
        transmitted_bytes: transmitted.bytes,
        transmitted_packets: transmitted.packets,
        transmit_errors: transmitted.errors,
        transmit_dropped: transmitted.dropped,
        transmit_fifo_errors: transmitted.fifo_errors,
        collisions: transmitted.collisions,
        carrier_errors: transmitted.carrier_errors,
        transmitted_compressed: transmitted.compressed,
    };
    Link { name: name.into(), statistics: Some(statistics), ..Link::default() }
}

/// Without what /proc/net/dev does not tell.
fn bare(link: v1::NetworkLink) -> v1::NetworkLink {
    v1::NetworkLink { index: None, flags: None, hardware_type: None, ..link }
}

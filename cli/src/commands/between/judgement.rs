//! At which end a connection failed, from what both ends saw.

use std::net::IpAddr;
use std::num::NonZeroU16;

use dbgctl_proto::v1::{ConnectAttempt, ConnectOutcome};

use super::far_end::{Counters, FarEnd, Listener};
use crate::commands::connect::words;
use crate::commands::step::Layer;

/// How many listening sockets a sentence names.
const MOST_NAMED: usize = 8;

/// Where it is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the container that connects.
    From,
    Between,
    /// In the container that is connected to.
    To,
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::Between => "between",
            Self::To => "to",
        }
    }
}

/// One attempt, and what the other end saw of it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) ip: IpAddr,
    pub(super) port: NonZeroU16,
    pub(super) attempt: &'a ConnectAttempt,
    /// Packets that left through its interface meanwhile, those of others included. `None`: not known.
    pub(super) left: Option<u64>,
    /// As it was when the attempt was over.
    pub(super) far_end: &'a FarEnd,
    /// What was counted there meanwhile.
    pub(super) meanwhile: Counters,
}

/// Why an attempt failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) layer: Layer,
    pub(super) because: String,
}

impl Facts<'_> {
    /// `None`: it did not fail.
    pub(super) fn judge(&self) -> Option<Fault> {
        let cause = || words::cause(self.attempt).unwrap_or_else(|| self.attempt.error.clone());
        let fault = |place, layer, because| Some(Fault { place, layer, because });
        match self.attempt.outcome() {
            ConnectOutcome::Connected => None,
            ConnectOutcome::NoRoute | ConnectOutcome::NoLocalAddress => {
                fault(Place::From, Layer::Route, self.never_left(&cause()))
            }
            ConnectOutcome::Prohibited if !self.was_told_by_another() => {
                fault(Place::From, Layer::Connection, self.never_left(&cause()))
            }
            ConnectOutcome::NoNeighbour => fault(Place::Between, Layer::Neighbour, cause()),
            ConnectOutcome::Refused => Some(self.refused()),
            ConnectOutcome::TimedOut => Some(self.timed_out()),
            ConnectOutcome::Failed | ConnectOutcome::Unspecified => {
                fault(Place::From, Layer::Connection, cause())
            }
            _ => fault(Place::Between, Layer::Connection, cause()),
        }
    }

    /// The socket that has to take the connection.
    pub(super) fn listener(&self) -> Option<&Listener> {
        self.on_port().find(|listener| listener.takes(self.ip))
    }

    fn on_port(&self) -> impl Iterator<Item = &Listener> {
        self.far_end.listeners.iter().filter(|listener| listener.port == self.port)
    }

    fn was_told_by_another(&self) -> bool {
        self.attempt.icmp.as_ref().is_some_and(|icmp| !icmp.sent_by_target)
    }

    fn never_left(&self, cause: &str) -> String {
        format!("it never left {}: {cause}", self.from)
    }

    /// What is wrong with the listening socket: there is none, or it is bound to another address.
    pub(super) fn nobody_listens(&self) -> Option<String> {
        if self.listener().is_some() {
            return None;
        }
        let (to, port) = (self.to, self.port);
        let others: Vec<_> = self.on_port().map(Listener::in_words).take(MOST_NAMED).collect();
        if !others.is_empty() {
            return Some(format!(
                "in {to} port {port} is listened to on {} only, which takes nothing for {}: let the program bind to \
                 0.0.0.0 or ::",
                others.join(", "),
                self.ip
            ));
        }
        let mut others: Vec<_> = self.far_end.listeners.iter().map(Listener::in_words).collect();
        let all = others.len();
        others.truncate(MOST_NAMED);
        Some(match (all, all - others.len()) {
            (0, _) => format!("nothing in {to} listens on port {port}, or on any other"),
            (_, 0) => format!("nothing in {to} listens on port {port}, but on {}", others.join(", ")),
            (_, more) => {
                format!(
                    "nothing in {to} listens on port {port}, but on {} and {more} more",
                    others.join(", ")
                )
            }
        })
    }

    fn refused(&self) -> Fault {
        if let Some(because) = self.nobody_listens() {
            return Fault { place: Place::To, layer: Layer::Listener, because };
        }
        // A packet filter may stand in either container's network or between them: its answer looks like the other end's.
        let (place, because) = match self.meanwhile.segments {
            Some(0) => (Place::Between, "a firewall ahead of its TCP refuses it"),
            _ => (Place::To, "it refuses all the same: a firewall, or the program had just begun to listen"),
        };
        let because = format!("{} listens there, and {because}", self.to);
        Fault { place, layer: Layer::Connection, because }
    }

    fn timed_out(&self) -> Fault {
        let Self { to, from, meanwhile, .. } = self;
        let fault = |place, layer, because| Fault { place, layer, because };
        let sent = 1 + u64::from(self.attempt.syn_retransmits.unwrap_or_default());
        if let Some(left) = self.left.filter(|left| *left < sent) {
            let why = format!("a firewall there drops it: of {sent} packets {left} were sent");
            return fault(Place::From, Layer::Connection, self.never_left(&why));
        }
        let full = self.listener().filter(|it| it.is_full());
        if let Some(listener) = full {
            let (waiting, limit) = listener.queue.unwrap_or_default();
            return fault(
                Place::To,
                Layer::Listener,
                format!(
                    "the accept queue of {to} is full: {waiting} connections wait at {}, {limit} may, and the program \
                     does not accept them",
                    listener.in_words()
                ),
            );
        }
        if let (Some(listener), Some(1..)) = (self.listener(), meanwhile.overflows) {
            return fault(
                Place::To,
                Layer::Listener,
                format!(
                    "an accept queue of {to} was full meanwhile; {} accepts too slowly, or its backlog is too small",
                    listener.in_words()
                ),
            );
        }
        if self.half_open() {
            return fault(
                Place::Between,
                Layer::Connection,
                format!(
                    "it arrives at {to} and is answered, but the answer does not get back to {from}: a firewall, or a \
                     route of {to}"
                ),
            );
        }
        let (place, because) = match (meanwhile.packets, meanwhile.segments) {
            (Some(0), _) => {
                (Place::Between, format!("it is lost on the way: not one packet arrived at {to} meanwhile"))
            }
            (Some(packets), _) if packets < sent => (
                Place::Between,
                format!(
                    "it is lost on the way: {sent} packets were sent, and at {to} no more than {packets} arrived meanwhile"
                ),
            ),
            (Some(packets), Some(0)) => (
                Place::To,
                format!(
                    "a firewall in {to} drops it: {packets} packets arrived there meanwhile, and none came through to TCP"
                ),
            ),
            (Some(packets), _) => (
                Place::Between,
                format!(
                    "it is lost on the way or dropped by a firewall in {to}: {packets} packets arrived there meanwhile, \
                     which may be of others"
                ),
            ),
            (None, _) => (
                Place::Between,
                format!(
                    "it is lost on the way or dropped by a firewall in {to}, whose counters can not be read"
                ),
            ),
        };
        fault(place, Layer::Connection, because)
    }

    /// Whether the other end has answered an attempt of this address that was never confirmed.
    fn half_open(&self) -> bool {
        let local = self.attempt.local.as_deref().unwrap_or_default();
        let ip = local.parse().map(|address: std::net::SocketAddr| address.ip());
        ip.is_ok_and(|ip| self.far_end.half_open.contains(&ip.to_canonical()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(ip: &str, port: u16, waiting: u32) -> Listener {
        Listener {
            ip: ip.parse().unwrap(),
            port: NonZeroU16::new(port).unwrap(),
            both_families: false,
            queue: Some((waiting, 2)),
            holder: "db, pid 7".to_owned(),
        }
    }

    /// The place, the layer and the sentence.
    fn judged(
        outcome: ConnectOutcome,
        listeners: Vec<Listener>,
        meanwhile: Counters,
    ) -> Option<(Place, Layer, String)> {
        let attempt = ConnectAttempt {
            outcome: outcome.into(),
            syn_retransmits: Some(2),
            local: Some("172.18.0.2:40000".to_owned()),
            ..ConnectAttempt::default()
        };
        let far_end = FarEnd { listeners, ..FarEnd::default() };
        let facts = Facts {
            from: "web",
            to: "db",
            ip: "172.18.0.3".parse().unwrap(),
            port: NonZeroU16::new(5432).unwrap(),
            attempt: &attempt,
            left: Some(3),
            far_end: &far_end,
            meanwhile,
        };
        facts.judge().map(|fault| (fault.place, fault.layer, fault.because))
    }

    fn grew(overflows: u64, packets: u64, segments: u64) -> Counters {
        Counters { overflows: Some(overflows), packets: Some(packets), segments: Some(segments) }
    }

    #[test]
    fn a_refusal_is_told_by_who_listens() {
        let refused = |listeners| judged(ConnectOutcome::Refused, listeners, grew(0, 1, 1)).unwrap();
        let (place, layer, because) = refused(vec![listener("127.0.0.1", 5432, 0)]);
        assert_eq!((place, layer), (Place::To, Layer::Listener));
        assert!(because.contains("127.0.0.1:5432 (db, pid 7) only"), "{because}");
        let (_, _, because) = refused(vec![listener("0.0.0.0", 80, 0)]);
        assert_eq!(because, "nothing in db listens on port 5432, but on 0.0.0.0:80 (db, pid 7)");
        let (_, _, because) = refused(Vec::new());
        assert_eq!(because, "nothing in db listens on port 5432, or on any other");
        let (place, layer, _) = refused(vec![listener("0.0.0.0", 5432, 0)]);
        assert_eq!((place, layer), (Place::To, Layer::Connection));
    }

    #[test]
    fn silence_is_told_by_what_arrived() {
        let silent = |waiting, meanwhile| {
            let (place, layer, because) =
                judged(ConnectOutcome::TimedOut, vec![listener("0.0.0.0", 5432, waiting)], meanwhile)
                    .unwrap();
            (place, layer, because)
        };
        let (place, layer, because) = silent(3, grew(2, 9, 9));
        assert_eq!((place, layer), (Place::To, Layer::Listener));
        assert!(because.contains("3 connections wait at 0.0.0.0:5432 (db, pid 7), 2 may"), "{because}");
        assert_eq!(silent(0, grew(2, 9, 9)).1, Layer::Listener, "it was full for a moment");
        assert_eq!(silent(0, grew(0, 0, 0)).0, Place::Between);
        assert_eq!(silent(0, grew(0, 2, 0)).0, Place::Between, "fewer than were sent: those are of others");
        assert!(silent(0, grew(0, 3, 0)).2.contains("a firewall in db drops it: 3 packets"));
        assert!(silent(0, grew(0, 3, 3)).2.contains("may be of others"), "what is not known is not claimed");
        assert!(silent(0, Counters::default()).2.contains("can not be read"));
    }

    #[test]
    fn an_answer_that_does_not_get_back_is_told_from_a_question_that_does_not_arrive() {
        let attempt = ConnectAttempt {
            outcome: ConnectOutcome::TimedOut.into(),
            local: Some("172.18.0.2:40000".to_owned()),
            ..ConnectAttempt::default()
        };
        let far_end = FarEnd { half_open: vec!["172.18.0.2".parse().unwrap()], ..FarEnd::default() };
        let facts = Facts {
            from: "web",
            to: "db",
            ip: "172.18.0.3".parse().unwrap(),
            port: NonZeroU16::MIN,
            attempt: &attempt,
            left: Some(3),
            far_end: &far_end,
            meanwhile: grew(0, 3, 3),
        };
        assert!(facts.judge().unwrap().because.contains("the answer does not get back to web"));
    }

    #[test]
    fn what_never_left_is_the_fault_of_where_it_was() {
        for outcome in [ConnectOutcome::NoRoute, ConnectOutcome::Prohibited] {
            let (place, _, because) = judged(outcome, Vec::new(), Counters::default()).unwrap();
            assert_eq!(place, Place::From);
            assert!(because.starts_with("it never left web: "), "{because}");
        }
        let place = judged(ConnectOutcome::NoNeighbour, Vec::new(), Counters::default()).unwrap().0;
        assert_eq!(place, Place::Between);
        assert_eq!(judged(ConnectOutcome::Connected, Vec::new(), Counters::default()), None);
    }
}

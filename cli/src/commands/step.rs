//! One layer of the way, and what came of it.

use std::borrow::Cow;
use std::time::Duration;

use crate::render::human::Took;
use crate::render::{Column, Emphasis, Object, Row};

/// What a connection stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// The networks that two containers share.
    Networks,
    Name,
    Route,
    Neighbour,
    Connection,
    /// Of the packets that go over it.
    Mtu,
    Tls,
    Http,
    /// The socket at the other end that takes connections.
    Listener,
}

impl Layer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Name => "name",
            Self::Route => "route",
            Self::Neighbour => "neighbour",
            Self::Connection => "connection",
            Self::Mtu => "mtu",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Listener => "listener",
        }
    }

    /// In a sentence: "broken at …".
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Networks => "the networks",
            Self::Name => "the name",
            Self::Route => "the container's own routes",
            Self::Neighbour => "the local network",
            Self::Connection => "the connection",
            Self::Mtu => "the size of packets",
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Listener => "the listening socket",
        }
    }
}

/// A layer that was tried.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) layer: Layer,
    pub(super) is_broken: bool,
    /// `None`: it took no time worth telling.
    pub(super) took: Option<Duration>,
    /// In a few words.
    pub(super) what: String,
    /// What is odd about it, and if it is broken why, in sentences.
    pub(super) findings: Vec<String>,
}

impl Step {
    /// Whether it could come from asking the wrong host.
    pub(super) fn may_be_elsewhere(&self) -> bool {
        match self.layer {
            Layer::Route | Layer::Neighbour | Layer::Connection => true,
            Layer::Tls => self.findings.iter().any(|finding| finding.contains("wrong name")),
            Layer::Networks | Layer::Name | Layer::Mtu | Layer::Http | Layer::Listener => false,
        }
    }

    fn result(&self) -> &'static str {
        match self {
            Self { is_broken: true, .. } => "broken",
            Self { findings, .. } if findings.is_empty() => "ok",
            _ => "notable",
        }
    }
}

impl Row for Step {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("LAYER", |row| Cow::Borrowed(row.layer.name())),
        Column::text("RESULT", |row| Cow::Borrowed(row.result())),
        Column::written("TIME", |row: &Self, cell| {
            row.took.into_iter().for_each(|took| cell.show(Took(took)))
        })
        .right(),
        Column::text("WHAT", |row| Cow::Borrowed(&row.what)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("layer", self.layer.name());
        object.text("result", self.result());
        let nanos = self.took.map(|took| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        object.number("nanos", nanos);
        object.text("what", self.what.as_str());
        object.texts("findings", self.findings.iter().map(String::as_str));
    }

    fn emphasis(&self) -> Emphasis {
        match self {
            Self { is_broken: true, .. } => Emphasis::Alarming,
            Self { findings, .. } if findings.is_empty() => Emphasis::None,
            _ => Emphasis::Notable,
        }
    }
}

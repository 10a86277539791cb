//! An exchange as a row: one column per phase.

use std::borrow::Cow;
use std::time::Duration;

use dbgctl_proto::bounds::MOST_CONNECT_ATTEMPTS;
use dbgctl_proto::v1::{HttpExchange, HttpOutcome, HttpVersion};

use super::words;
use crate::commands::connect::AttemptRow;
use crate::commands::dns;
use crate::commands::tls;
use crate::render::human::Took;
use crate::render::{Cell, Column, Emphasis, Object, Row};

/// Headers that are shown of an answer. No agent of ours sends more.
pub(super) const MOST_HEADERS: usize = 100;

/// A request and what came of it.
pub(super) struct ExchangeRow(pub(super) HttpExchange);

fn time(cell: &mut Cell<'_>, nanos: Option<u64>) {
    nanos.into_iter().for_each(|nanos| cell.show(Took(Duration::from_nanos(nanos))));
}

impl ExchangeRow {
    /// All addresses that were tried, together. `None`: there was none.
    fn connect_nanos(&self) -> Option<u64> {
        let attempts = &self.0.attempts;
        (!attempts.is_empty()).then(|| attempts.iter().map(|it| it.nanos).fold(0, u64::saturating_add))
    }
}

impl Row for ExchangeRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("METHOD", |row| Cow::Borrowed(&row.0.method)),
        Column::text("URL", |row| Cow::Borrowed(&row.0.url)),
        Column::written("STATUS", |row: &Self, cell| match row.0.status {
            0 => cell.text(words::outcome(row.0.outcome())),
            status => cell.show(status),
        }),
        Column::maybe("VERSION", |row: &Self| {
            (row.0.status > 0).then(|| words::version(row.0.version()).into())
        }),
        Column::written("NAME", |row: &Self, cell| time(cell, row.0.resolve_nanos)).right().if_any(),
        Column::written("CONNECT", |row: &Self, cell| time(cell, row.connect_nanos())).right().if_any(),
        Column::written("TLS", |row: &Self, cell| time(cell, row.0.handshake.as_ref().map(|it| it.nanos)))
            .right()
            .if_any(),
        Column::written("FIRST-BYTE", |row: &Self, cell| time(cell, row.0.first_byte_nanos)).right().if_any(),
        Column::written("TOTAL", |row: &Self, cell| time(cell, Some(row.0.total_nanos))).right(),
        Column::bytes("BODY", |row: &Self| (row.0.status > 0).then_some(row.0.body_bytes)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let exchange = &self.0;
        object.text("url", exchange.url.as_str());
        object.text("method", exchange.method.as_str());
        object.text("outcome", &*words::outcome(exchange.outcome()).replace(' ', "_"));
        object.text("error", exchange.error.as_str());
        object.number("resolve_nanos", exchange.resolve_nanos);
        object.text("resolve_error", exchange.resolve_error.as_str());
        dns::look_up::fields(exchange.look_up.as_deref(), object);
        let port = words::peer(&exchange.url).map(|peer| peer.port);
        let attempts = exchange.attempts.iter().take(MOST_CONNECT_ATTEMPTS).zip(port.iter().cycle());
        object.objects("attempts", attempts, |(attempt, &port), object| {
            AttemptRow::new(attempt.clone(), port).fields(object);
        });
        match &exchange.handshake {
            None => object.null("handshake"),
            Some(handshake) => object.object("handshake", |object| tls::fields(handshake, object)),
        }
        object.number("first_byte_nanos", exchange.first_byte_nanos);
        object.number("total_nanos", exchange.total_nanos);
        object.number("status", Some(u64::from(exchange.status)).filter(|&status| status > 0));
        let version =
            (exchange.version() != HttpVersion::Unspecified).then(|| words::version(exchange.version()));
        object.text("version", version);
        object.objects("headers", exchange.headers.iter().take(MOST_HEADERS), |header, object| {
            object.text("name", header.name.as_str());
            object.raw("value", header.value.as_slice());
        });
        object.number("body_bytes", exchange.body_bytes);
        object.flag("body_cut", exchange.body_cut);
        object.raw("body", exchange.body.as_slice());
        object.raw("first_bytes", exchange.first_bytes.as_slice());
    }

    fn emphasis(&self) -> Emphasis {
        match (self.0.outcome(), self.0.status) {
            (HttpOutcome::Answered, 0..400) => Emphasis::None,
            (HttpOutcome::Answered, 400..500) => Emphasis::Notable,
            _ => Emphasis::Alarming,
        }
    }
}

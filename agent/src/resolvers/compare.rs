//! The same question to every server, so that their answers can be compared. No resolver does so.

use std::time::Instant;

use dbgctl_proto::v1::{DnsOutcome, DnsTransport};

use super::Setup;
use super::message::{self, Asking};
use super::wire::{Event, Place, Wire};
use crate::stream::Halt;

/// As much as servers recommend to take by UDP.
const EDNS_BYTES: u16 = 1232;

pub(super) fn ask(
    setup: &Setup,
    text: &[u8],
    kinds: &[u16],
    candidate: u32,
    mut wire: Wire<'_>,
) -> Result<(), Halt> {
    let place = Place { candidate, attempt: 1 };
    let Some(name) = message::name(text) else { return Ok(()) };
    for &kind in kinds {
        let Some(asking) = Asking::new(&name, kind, Some(EDNS_BYTES), false) else { continue };
        for &server in &setup.servers {
            let sent = match wire.open(server) {
                Ok(line) => wire.send(line, server, &asking, place)?.is_ok(),
                Err(error) => {
                    let row = wire.row(server, &asking, place, DnsTransport::Udp, Instant::now());
                    wire.unsent(row, &error)?;
                    false
                }
            };
            // One after the other: a server that shares its machine with another must not wait for it.
            let deadline = Instant::now() + setup.conf.timeout;
            if sent && matches!(wire.next(deadline)?, Event::Deadline) {
                wire.end_all(DnsOutcome::TimedOut)?;
            }
            wire.clear();
        }
    }
    Ok(())
}

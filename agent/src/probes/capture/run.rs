//! From the ring to the client, until there is a reason to end.

use std::time::{Duration, Instant};

use dbgctl_linux::ReadError;
use dbgctl_linux::packet::{Block, LinkType, Ring, Shape};
use dbgctl_proto::v1;
use dbgctl_proto::v1::CaptureReason;
use dbgctl_proto::v1::capture_command::Command;
use dbgctl_proto::v1::capture_frame::Part;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

use super::Frame;
use super::batch::Batch;
use super::plan::Plan;
use crate::error::ProbeError;

/// How often it is looked whether there is a reason to end.
const LOOK: Duration = Duration::from_millis(50);

/// How often the kernel's counters are taken, long before their 32 bits are full.
const COUNT: Duration = Duration::from_secs(10);

/// How long the last packets may take from the kernel's counters to where they are read: more than a block waits.
const SETTLE: Duration = Duration::from_secs(2);

/// A capture that is on.
pub(super) struct Run<'r> {
    ring: Ring,
    plan: &'r Plan,
    shape: Shape,
    out: &'r mpsc::Sender<Frame>,
    runtime: &'r Handle,
    batch: Batch,
    /// Packets taken from the ring.
    read: u64,
    /// Those of them that are on their way to the client, or in the batch.
    kept: u64,
    counted: Instant,
}

/// Nobody waits for packets any more.
struct Gone;

impl<'r> Run<'r> {
    pub(super) fn new(
        ring: Ring,
        plan: &'r Plan,
        link: LinkType,
        out: &'r mpsc::Sender<Frame>,
        runtime: &'r Handle,
    ) -> Self {
        let shape = Shape { link, snap_bytes: plan.snap_bytes, headers_only: plan.headers_only };
        let (batch, counted) = (Batch::default(), Instant::now());
        Self { ring, plan, shape, out, runtime, batch, read: 0, kept: 0, counted }
    }

    /// Begins to hear, on the interface of that number or on all.
    pub(super) fn hear(&mut self, interface: Option<u32>) -> Result<(), ReadError> {
        self.ring.hear(&self.plan.filter, interface, self.plan.promiscuous)
    }

    /// Hands on what is heard, until there is a reason to end. `None`: nobody listens any more.
    pub(super) fn until_over(
        &mut self,
        orders: &mut mpsc::Receiver<Command>,
    ) -> Result<Option<CaptureReason>, ProbeError> {
        let deadline = self.plan.duration.and_then(|duration| Instant::now().checked_add(duration));
        loop {
            if self.out.is_closed() {
                return Ok(None);
            }
            match orders.try_recv() {
                Ok(_) | Err(TryRecvError::Disconnected) => return Ok(Some(CaptureReason::Stopped)),
                Err(TryRecvError::Empty) => {}
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Some(CaptureReason::Duration));
            }
            let look = left.unwrap_or(LOOK).min(LOOK);
            if self.counted.elapsed() > COUNT {
                self.counted = Instant::now();
                self.ring.counts()?;
            }
            // While the client is slow the ring fills, and then the kernel counts what there is no room for.
            let patience = self.batch.is_full().then_some(look);
            match self.hand_on(patience) {
                Err(Gone) => return Ok(None),
                Ok(()) if self.batch.is_full() => continue,
                Ok(()) => {}
            }
            match self.ring.wait(look) {
                Ok(true) => self.take_block()?,
                Ok(false) => {}
                Err(error) if error.is_down() => return Ok(Some(CaptureReason::InterfaceDown)),
                Err(error) => return Err(error.into()),
            }
            if self.is_enough() {
                return Ok(Some(CaptureReason::Limit));
            }
        }
    }

    /// Hears no more, hands on what there is, and says what became of everything.
    pub(super) fn close(mut self, reason: CaptureReason) -> Result<(), ProbeError> {
        self.ring.deafen()?;
        let mut settled = Instant::now() + SETTLE;
        loop {
            let counts = self.ring.counts()?;
            if self.read >= counts.accepted.saturating_sub(counts.dropped) {
                break;
            }
            if self.batch.is_full() {
                if self.hand_on(Some(LOOK)).is_err() {
                    return Ok(());
                }
                continue;
            }
            match self.ring.wait(LOOK) {
                Ok(true) => {
                    self.take_block()?;
                    settled = Instant::now() + SETTLE;
                }
                // An interface that is down tells so, and what was heard before is in the ring all the same.
                Ok(false) | Err(_) if Instant::now() > settled => break,
                Ok(false) | Err(_) => {}
            }
        }
        while !self.batch.is_empty() {
            if self.hand_on(Some(LOOK)).is_err() {
                return Ok(());
            }
        }
        let counts = self.ring.counts()?;
        let end = v1::CaptureEnd {
            accepted: counts.accepted,
            sent: self.kept,
            dropped_by_kernel: counts.dropped,
            beyond_limit: self.read - self.kept,
            reason: reason.into(),
        };
        let _nobody_listens = self.out.blocking_send(Ok(v1::CaptureFrame { part: Some(Part::End(end)) }));
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.plan.limit.is_some_and(|limit| self.kept >= limit)
    }

    /// Adds the next block of the ring to the batch.
    fn take_block(&mut self) -> Result<(), ProbeError> {
        let Self { ring, plan, shape, batch, read, kept, .. } = self;
        let add = |block: &Block<'_>| {
            for frame in block.frames() {
                let frame =
                    frame.ok_or_else(|| ProbeError::Broken("a block of the ring is malformed".into()))?;
                *read += 1;
                if plan.limit.is_none_or(|limit| *kept < limit) {
                    *kept += 1;
                    batch.add(&frame, shape);
                }
            }
            Ok(())
        };
        ring.with_block(add).unwrap_or(Ok(()))
    }

    /// Sends the batch, if there is something in it and room for it. Waits for room at most so long, if at all.
    fn hand_on(&mut self, patience: Option<Duration>) -> Result<(), Gone> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let permit = match self.out.try_reserve() {
            Ok(permit) => permit,
            Err(TrySendError::Closed(())) => return Err(Gone),
            Err(TrySendError::Full(())) => {
                let Some(at_most) = patience else { return Ok(()) };
                let room = async { tokio::time::timeout(at_most, self.out.reserve()).await };
                match self.runtime.block_on(room) {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) => return Err(Gone),
                    Err(_) => return Ok(()),
                }
            }
        };
        permit.send(Ok(v1::CaptureFrame { part: Some(Part::Batch(self.batch.take())) }));
        Ok(())
    }
}

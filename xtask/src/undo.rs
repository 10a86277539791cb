//! What must be undone however this process ends: by return, by an error, or by Ctrl-C.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::Result;

type Action = Box<dyn FnOnce() + Send>;

static PENDING: Mutex<Vec<(u64, Action)>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Carries out its action when it is dropped, or when the process is interrupted.
pub(crate) struct Undo(u64);

impl Undo {
    /// `action` must not fail loudly: it may run when half of what it undoes was never done.
    pub(crate) fn later(action: impl FnOnce() + Send + 'static) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        pending().push((number, Box::new(action)));
        Self(number)
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let mut pending = pending();
        let Some(at) = pending.iter().position(|(number, _)| *number == self.0) else { return };
        let (_, action) = pending.remove(at);
        drop(pending);
        action();
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP undo everything, the newest first, and end this process.
pub(crate) fn on_interrupt() -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _context = runtime.enter();
    let mut interrupts = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        interrupts.push(signal(kind)?);
    }
    thread::spawn(move || {
        runtime.block_on(async {
            let [interrupt, terminate, hang_up] = interrupts.as_mut_slice() else { return };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        });
        eprintln!("\ninterrupted: cleaning up");
        // Held until the end, so that the main thread can not begin anything new that would have to be undone.
        let mut pending = pending();
        while let Some((_, action)) = pending.pop() {
            action();
        }
        #[expect(clippy::exit, reason = "the main thread may wait for a child for minutes")]
        process::exit(130);
    });
    Ok(())
}

fn pending() -> MutexGuard<'static, Vec<(u64, Action)>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn what_goes_out_of_scope_is_undone() {
        let undone = Arc::new(AtomicBool::new(false));
        let undo = Undo::later({
            let undone = Arc::clone(&undone);
            move || undone.store(true, Ordering::Relaxed)
        });
        assert!(!undone.load(Ordering::Relaxed));
        drop(undo);
        assert!(undone.load(Ordering::Relaxed));
    }
}

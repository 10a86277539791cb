//! The threads that producers hold, and what happens when there are no more: those of the runtime that may block, and a
//! few for those that mostly wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::ProbeError;

/// Producers that mostly wait, each with a thread. The sidecar's limit is 64 of them.
const MOST_WAITING: usize = 16;

/// Look-ups of names for other questions, each with a thread. More of them wait for their turn.
const MOST_LOOK_UPS: usize = 8;

const TOO_MANY_WAIT: &str = "as many files are followed and packets waited for already as the agent can";

const ALL_HELD: &str = "all threads of the agent are held, by other questions or by a file system that does not answer: \
                        if that stays, end its session with `dbgctl detach` and ask again";

/// Runs `work` on a thread that may block. If there is none until the deadline, `refuse` is told why: all may be held by
/// a file system that does not answer.
pub(crate) fn run<T: Send + 'static>(
    deadline: Instant,
    refuse: impl FnOnce(ProbeError) + Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let (begun, begins) = oneshot::channel();
    let work = tokio::task::spawn_blocking(move || {
        // Whoever waited for that has given up, and so has this work been.
        let _ = begun.send(());
        work()
    });
    let abort = work.abort_handle();
    tokio::spawn(async move {
        if timeout_at(deadline, begins).await.is_err() {
            refuse(ProbeError::Busy(ALL_HELD));
            abort.abort();
        }
    });
    work
}

/// Runs `work`, which mostly waits, on a thread of its own, so that others do not wait as well.
///
/// # Errors
///
/// [`ProbeError::Busy`] if there are too many of them.
pub(crate) fn run_waiting(work: impl FnOnce() + Send + 'static) -> Result<(), ProbeError> {
    let refused = || ProbeError::Busy(TOO_MANY_WAIT);
    let place = Waiting::begin().ok_or_else(refused)?;
    let thread = thread::Builder::new().spawn(move || {
        let _place = place;
        work();
    });
    thread.map(drop).map_err(|_| refused())
}

/// Runs a look-up on a thread of its own, when it is its turn.
///
/// # Errors
///
/// [`ProbeError::Busy`] if no thread is to be had.
pub(crate) async fn run_look_up(work: impl FnOnce() + Send + 'static) -> Result<(), ProbeError> {
    static PLACES: Semaphore = Semaphore::const_new(MOST_LOOK_UPS);
    let refused = || ProbeError::Busy(ALL_HELD);
    let place = PLACES.acquire().await.map_err(|_| refused())?;
    let thread = thread::Builder::new().spawn(move || {
        let _place = place;
        work();
    });
    thread.map(drop).map_err(|_| refused())
}

/// A place among the producers that mostly wait.
struct Waiting;

static WAITING: AtomicUsize = AtomicUsize::new(0);

impl Waiting {
    fn begin() -> Option<Self> {
        let more = |waiting| (waiting < MOST_WAITING).then_some(waiting + 1);
        WAITING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok().map(|_| Self)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}

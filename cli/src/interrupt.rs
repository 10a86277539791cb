//! Ctrl-C and its kind: what they end.

use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, raise};
use tokio::signal::unix::{SignalKind, signal};

/// Signals belong to the process, and so does what they mean to it.
static AT_PROMPT: AtomicBool = AtomicBool::new(false);

/// While it lives a person sits at a prompt: Ctrl-C ends the question and not the session.
#[derive(Debug)]
pub(crate) struct AtPrompt(());

impl AtPrompt {
    pub(crate) fn begin() -> Self {
        AT_PROMPT.store(true, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for AtPrompt {
    fn drop(&mut self) {
        AT_PROMPT.store(false, Ordering::Relaxed);
    }
}

/// And sometimes to the question alone.
static OF_QUESTION: AtomicBool = AtomicBool::new(false);

/// While it lives Ctrl-C is the question's own: it asks no further, and shows what it has so far.
#[derive(Debug)]
pub(crate) struct OfQuestion(());

impl OfQuestion {
    pub(crate) fn begin() -> Self {
        OF_QUESTION.store(true, Ordering::Relaxed);
        Self(())
    }

    /// Returns when Ctrl-C came.
    pub(crate) async fn pressed(&self) {
        received(SignalKind::interrupt()).await;
        // Others who wait for it in this task are to see that it is not theirs.
        tokio::task::yield_now().await;
    }
}

impl Drop for OfQuestion {
    fn drop(&mut self) {
        OF_QUESTION.store(false, Ordering::Relaxed);
    }
}

/// Returns when someone wants this program to end.
pub(crate) async fn ends_the_program() {
    let ctrl_c = async {
        loop {
            received(SignalKind::interrupt()).await;
            if !AT_PROMPT.load(Ordering::Relaxed) && !OF_QUESTION.load(Ordering::Relaxed) {
                return;
            }
        }
    };
    tokio::select! {
        () = ctrl_c => {}
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::hangup()) => {}
    }
}

/// Returns when the person at the prompt has had enough of the answer.
pub(crate) async fn ends_the_question() {
    loop {
        received(SignalKind::interrupt()).await;
        if !OF_QUESTION.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Ctrl-C came as a key, because the terminal hands out keys one by one: it means the same.
pub(crate) fn by_key() {
    let _raised = raise(Signal::SIGINT);
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        // No handler can be set: the signal ends the program as it ends any other.
        Err(_) => std::future::pending().await,
    }
}

//! When the agent ends: with its standard input or, once kept, when its time is over.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How long the agent stays. Shared by everything that serves requests.
#[derive(Debug)]
pub struct Lifetime {
    state: Mutex<State>,
    kept: Notify,
}

#[derive(Debug, Clone, Copy)]
struct State {
    keep: Option<Keep>,
    last_request: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Keep {
    ends_at: Instant,
    idle: Duration,
}

impl Lifetime {
    /// A lifetime that is bound to standard input.
    #[expect(clippy::new_without_default, reason = "it starts a clock: nothing to make by default")]
    pub fn new() -> Self {
        Self { state: Mutex::new(State { keep: None, last_request: Instant::now() }), kept: Notify::new() }
    }

    /// From now on the agent outlives its standard input: for `time_to_live`, or until it got no request for `idle`.
    pub fn keep(&self, time_to_live: Duration, idle: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        state.keep = Some(Keep { ends_at: now + time_to_live, idle });
        state.last_request = now;
        drop(state);
        self.kept.notify_one();
    }

    /// A request came in.
    pub fn touch(&self) {
        self.state().last_request = Instant::now();
    }

    /// Time left. `None` until kept.
    pub fn left(&self) -> Option<Duration> {
        let state = *self.state();
        let end = state.end()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Returns when the agent should end.
    ///
    /// A request moves the end but wakes no one: whoever waits looks again when the old end has come.
    pub async fn over(&self, input_closed: impl Future<Output = ()>) {
        tokio::pin!(input_closed);
        let mut input_open = true;
        loop {
            let end = self.state().end();
            tokio::select! {
                () = &mut input_closed, if input_open => {
                    input_open = false;
                    if self.state().keep.is_none() { return; }
                }
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                    if self.left().is_none_or(|left| left.is_zero()) { return; }
                }
                () = self.kept.notified() => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is plain data: a panic elsewhere can not have left it half-made.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&self) -> Option<Instant> {
        self.keep.map(|keep| keep.ends_at.min(self.last_request + keep.idle))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_is_not_kept_ends_with_its_input() {
        Lifetime::new().over(ready(())).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_agent_outlives_its_input_and_ends_when_its_time_is_over() {
        let lifetime = Lifetime::new();
        lifetime.keep(60 * SECOND, 60 * SECOND);
        let started = Instant::now();
        lifetime.over(ready(())).await;
        assert_eq!(started.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_postpones_the_idle_end_but_not_the_time_to_live() {
        let lifetime = Lifetime::new();
        lifetime.keep(30 * SECOND, 10 * SECOND);
        let started = Instant::now();
        let over = lifetime.over(ready(()));
        tokio::pin!(over);
        for _ in 0..4 {
            assert!(timeout(8 * SECOND, &mut over).await.is_err() || started.elapsed() >= 30 * SECOND);
            lifetime.touch();
        }
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn being_kept_later_is_noticed() {
        let lifetime = Lifetime::new();
        let over = lifetime.over(pending());
        tokio::pin!(over);
        assert!(timeout(SECOND, &mut over).await.is_err());
        lifetime.keep(5 * SECOND, 5 * SECOND);
        advance(6 * SECOND).await;
        over.await;
    }
}

//! Asking the same again and again.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::Failure;
use crate::exit::Exit;
use crate::render::Output;

/// Whether a question is asked once, or again and again.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Watch {
    /// Ask again and again, at this interval, such as 250ms or 5s [default: 1s]; write it after the container
    #[arg(long = "watch", value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "1s", value_parser = interval_within_reason)]
    interval: Option<Duration>,

    /// Stop watching after this time
    #[arg(long = "for", value_name = "TIME", requires = "interval", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

/// Which of several answers one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is no other.
    Only,
    /// The first of many.
    First,
    /// A later one of many.
    Later,
}

impl Turn {
    /// Makes room for the answer. Call it once there is one, so that a screen is not empty while it is waited for.
    pub(crate) fn begin(self, output: &mut Output) -> io::Result<()> {
        if self == Self::Only { Ok(()) } else { output.next_answer(self == Self::First) }
    }
}

impl Watch {
    /// How often it is asked, if more than once.
    pub(crate) fn interval(self) -> Option<Duration> {
        self.interval
    }

    /// Asks once, or until the time is over, or until that fails: the reader goes away, or the agent does.
    pub(crate) async fn repeat(
        self,
        mut ask: impl AsyncFnMut(Turn) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        let Some(interval) = self.interval else { return ask(Turn::Only).await };
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        let mut turn = Turn::First;
        loop {
            ticks.tick().await;
            let exit = ask(turn).await?;
            // The last answer is the one that is nearest to the end.
            if self.lasts.is_some_and(|lasts| began.elapsed() + interval / 2 >= lasts) {
                return Ok(exit);
            }
            turn = Turn::Later;
        }
    }
}

/// An interval as it is typed.
pub(crate) fn interval_within_reason(text: &str) -> Result<Duration, String> {
    let expected = "expected a time from 100ms to 1h, such as 2s";
    match humantime::parse_duration(text) {
        Ok(interval) if (100..=3_600_000).contains(&interval.as_millis()) => Ok(interval),
        // What takes the place of an interval is often the container.
        _ if text.starts_with(|first: char| !first.is_ascii_digit()) => {
            Err(format!("{expected}; a container is named before --watch"))
        }
        _ => Err(expected.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        watch: Watch,
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_has_an_end_answers_at_its_end_once_more() {
        let watch = Watch { interval: Some(Duration::from_secs(2)), lasts: Some(Duration::from_secs(7)) };
        let mut turns = Vec::new();
        let exit = watch.repeat(async |turn| {
            turns.push(turn);
            Ok(Exit::No)
        });
        assert_eq!(exit.await.unwrap(), Exit::No);
        assert_eq!(turns, [Turn::First, Turn::Later, Turn::Later, Turn::Later], "at 0, 2, 4 and 6 s");
        assert!(Line::try_parse_from(["x", "--for", "5s"]).is_err(), "there is nothing to end");
    }

    #[test]
    fn an_interval_is_sensible_and_a_second_if_not_given() {
        let interval =
            |words: &[&str]| Line::try_parse_from([&["x"], words].concat()).map(|line| line.watch.interval);
        assert_eq!(interval(&[]).unwrap(), None);
        assert_eq!(interval(&["--watch"]).unwrap(), Some(Duration::from_secs(1)));
        assert_eq!(interval(&["--watch", "250ms"]).unwrap(), Some(Duration::from_millis(250)));
        let error = interval(&["--watch", "web"]).unwrap_err().to_string();
        assert!(error.contains("named before --watch"), "{error}");
        let error = interval(&["--watch", "1ms"]).unwrap_err().to_string();
        assert!(!error.contains("container"), "{error}");
    }
}

//! What is read twice: how long the time between is, and what follows from it.

use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_SAMPLE, SHORTEST_SAMPLE};

use super::watch::Watch;

/// For how long to look.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Sample {
    /// Look for this long, from 100ms to 60s [default: 1s, or the interval of --watch]
    #[arg(long = "sample", value_name = "TIME", value_parser = length)]
    length: Option<Duration>,
}

impl Sample {
    /// How long it is. When watching, one sample follows the other.
    pub(crate) fn length(self, watch: Watch) -> Duration {
        let interval = || watch.interval().map(|interval| interval.clamp(SHORTEST_SAMPLE, LONGEST_SAMPLE));
        self.length.or_else(interval).unwrap_or(Duration::from_secs(1))
    }

    /// The same for the request.
    pub(crate) fn millis(self, watch: Watch) -> u32 {
        u32::try_from(self.length(watch).as_millis()).unwrap_or(u32::MAX)
    }
}

/// A length that a user gave.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(length) if (SHORTEST_SAMPLE..=LONGEST_SAMPLE).contains(&length) => Ok(length),
        _ => Err("expected a time from 100ms to 60s, such as 2s".to_owned()),
    }
}

/// `amount` in each second of a sample. `None` if the agent's clock does not allow to say.
pub(crate) fn per_second(amount: u64, sampled_nanos: u64) -> Option<f64> {
    (sampled_nanos > 0).then(|| amount as f64 / (sampled_nanos as f64 / 1e9))
}

/// A share of `whole` in percent.
pub(crate) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        sample: Sample,
        #[command(flatten)]
        watch: Watch,
    }

    #[test]
    fn a_sample_is_as_long_as_asked_for_or_as_what_is_watched() {
        let millis = |words: &[&str]| {
            Line::try_parse_from([&["x"], words].concat()).map(|line| line.sample.millis(line.watch)).ok()
        };
        assert_eq!(millis(&[]), Some(1000));
        assert_eq!(millis(&["--sample", "250ms"]), Some(250));
        assert_eq!(millis(&["--watch", "2s"]), Some(2000));
        assert_eq!(millis(&["--watch", "1h"]), Some(60_000));
        assert_eq!(millis(&["--watch", "2s", "--sample", "100ms"]), Some(100));
        assert_eq!((millis(&["--sample", "99ms"]), millis(&["--sample", "61s"])), (None, None));
    }

    #[test]
    fn a_clock_that_stands_still_makes_no_rates() {
        assert_eq!((per_second(10, 0), per_second(10, 500_000_000)), (None, Some(20.0)));
        assert_eq!((percent(1, 0), percent(1, 4)), (None, Some(25.0)));
    }
}

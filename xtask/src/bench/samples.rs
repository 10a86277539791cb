//! Repeated measurements of one thing.

use std::time::Duration;

/// Times, in the order in which they were measured.
#[derive(Default)]
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    pub(super) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that `percent` of all samples do not exceed; zero without samples.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }

    pub(super) fn median(&self) -> Duration {
        self.percentile(50)
    }

    pub(super) fn min(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    pub(super) fn max(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }

    /// How many times longer the median is than that of `other`.
    pub(super) fn times(&self, other: &Self) -> f64 {
        self.median().as_secs_f64() / other.median().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let mut samples = Samples::default();
        assert_eq!(samples.median(), Duration::ZERO);
        for milliseconds in [5, 1, 4, 2, 3] {
            samples.push(Duration::from_millis(milliseconds));
        }
        assert_eq!(samples.median(), Duration::from_millis(3));
        assert_eq!(samples.percentile(99), Duration::from_millis(5));
        assert_eq!((samples.min(), samples.max()), (Duration::from_millis(1), Duration::from_millis(5)));
    }
}

//! How a figure went.

use std::collections::VecDeque;

/// Ticks that are kept: as many as the widest terminal shows.
const MOST: usize = 512;

/// The latest values of a figure, the oldest first. `None`: it was not to be had then.
#[derive(Debug, Default)]
pub(super) struct Trend(VecDeque<Option<f64>>);

impl Trend {
    /// Adds a value and forgets the oldest if there are many.
    pub(super) fn push(&mut self, value: Option<f64>) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(value.filter(|value| value.is_finite()));
    }

    /// The last `count` values, the oldest first.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = Option<f64>> {
        self.0.iter().skip(self.0.len().saturating_sub(count)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_are_kept_and_what_is_no_number_is_absent() {
        let mut trend = Trend::default();
        (0..1000).for_each(|n| trend.push(Some(f64::from(n))));
        trend.push(Some(f64::NAN));
        assert_eq!(trend.last(2).collect::<Vec<_>>(), [Some(999.0), None]);
        assert_eq!(trend.last(usize::MAX).count(), MOST);
    }
}

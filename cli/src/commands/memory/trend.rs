//! Whether a figure grows, and how fast: what tells a leak from a busy program.
//!
//! A program that leaks never gives back, and goes on. So it is not the figure itself that is judged but the level that
//! it never falls below again; that level must have risen all the time. The slope is the median of the slopes between
//! all pairs of points (Theil and Sen), its interval that of Kendall's rank correlation: neither minds outliers.

use std::time::Duration;

/// So many points are kept; of a longer history every second one is, again and again.
const MOST_POINTS: usize = 240;
/// Before this there is no verdict.
pub(super) const SHORTEST: Duration = Duration::from_secs(30);
const FEWEST_POINTS: usize = 8;
/// Less is no growth, whatever its shape: counters lag by as much.
const LEAST_GROWTH_BYTES: f64 = (1 << 20) as f64;
/// In each quarter of the time there must be this part of an even share of the growth.
const EVEN_ENOUGH: f64 = 0.4;
/// Of a normal distribution, 95 % lie within so many standard deviations.
const WITHIN_95_PERCENT: f64 = 1.96;

/// The history of one figure.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    /// Seconds and bytes.
    points: Vec<(f64, f64)>,
    /// Points closer than that are left out.
    distance: f64,
}

/// What became of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trend {
    TooEarly,
    /// No growth, or as much was given back.
    Level,
    /// More than before, but it did not rise all the time.
    Unsteady {
        grown_bytes: f64,
    },
    Growing(Slope),
}

/// Bytes per minute, with the interval that holds the true value in 95 of 100 cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slope {
    pub(super) per_minute: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Series {
    /// Adds what the figure was at a moment. Time that does not pass is no point.
    pub(super) fn add(&mut self, boottime_nanos: u64, bytes: u64) {
        let seconds = Duration::from_nanos(boottime_nanos).as_secs_f64();
        if let Some(&(last, _)) = self.points.last()
            && seconds - last <= self.distance
        {
            return;
        }
        self.points.push((seconds, bytes as f64));
        if self.points.len() > MOST_POINTS {
            let mut nth = 0;
            self.points.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            // A little less than what is left between two, which is never quite even.
            self.distance = self.observed().as_secs_f64() / self.points.len() as f64 * 0.75;
        }
    }

    /// How long it has been watched.
    pub(super) fn observed(&self) -> Duration {
        let span = self.points.first().zip(self.points.last()).map_or(0.0, |(first, last)| last.0 - first.0);
        Duration::try_from_secs_f64(span).unwrap_or_default()
    }

    /// How many points there are.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// The lowest and the highest it was.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let bytes = || self.points.iter().map(|point| point.1);
        Some((bytes().reduce(f64::min)?, bytes().reduce(f64::max)?))
    }

    /// How much more it is than at first.
    pub(super) fn grown(&self) -> f64 {
        self.points.first().zip(self.points.last()).map_or(0.0, |(first, last)| last.1 - first.1)
    }

    /// The verdict so far.
    pub(super) fn trend(&self) -> Trend {
        if self.observed() < SHORTEST || self.points.len() < FEWEST_POINTS {
            return Trend::TooEarly;
        }
        let level = never_below(&self.points);
        let grown = last(&level) - level[0].1;
        let given_back: f64 = self.points.windows(2).map(|pair| (pair[0].1 - pair[1].1).max(0.0)).sum();
        if grown < LEAST_GROWTH_BYTES {
            return Trend::Level;
        }
        let slope = theil_sen(&level);
        if slope.low > 0.0 && is_even(&level, grown) {
            return Trend::Growing(slope);
        }
        if given_back > grown / 2.0 { Trend::Level } else { Trend::Unsteady { grown_bytes: grown } }
    }
}

/// The level that each point never falls below again.
fn never_below(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut level: Vec<_> = points.to_vec();
    for nth in (1..level.len()).rev() {
        level[nth - 1].1 = level[nth - 1].1.min(level[nth].1);
    }
    level
}

/// Whether every quarter of the time has its part of the growth.
fn is_even(level: &[(f64, f64)], grown: f64) -> bool {
    let (begin, end) = (level[0].0, level[level.len() - 1].0);
    let at = |quarter: u8| {
        let moment = begin + (end - begin) * f64::from(quarter) / 4.0;
        level.iter().find(|point| point.0 >= moment).map_or_else(|| last(level), |point| point.1)
    };
    (0..4).all(|quarter| at(quarter + 1) - at(quarter) >= grown / 4.0 * EVEN_ENOUGH)
}

fn last(level: &[(f64, f64)]) -> f64 {
    level.last().map_or(0.0, |point| point.1)
}

fn theil_sen(points: &[(f64, f64)]) -> Slope {
    let count = points.len();
    let mut slopes = Vec::with_capacity(count * (count - 1) / 2);
    for (nth, a) in points.iter().enumerate() {
        slopes.extend(points[nth + 1..].iter().map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let pairs = slopes.len() as f64;
    let n = count as f64;
    let spread = WITHIN_95_PERCENT * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let per_minute = |rank: f64| quantile(&slopes, rank / pairs) * 60.0;
    Slope {
        per_minute: per_minute(pairs / 2.0),
        low: per_minute((pairs - spread) / 2.0),
        high: per_minute((pairs + spread) / 2.0),
    }
}

/// The value at that part of a sorted list, between its neighbours.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(most) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = (part * most as f64).clamp(0.0, most as f64);
    let below = sorted.get(whole(place)).copied().unwrap_or_default();
    let above = sorted.get(whole(place.ceil())).copied().unwrap_or(below);
    below + (above - below) * place.fract()
}

/// A place in a list, which is never negative and never more than there is memory for.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the list's bounds")]
fn whole(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = (1 << 20) as f64;

    /// A figure of so many MiB at each second.
    fn series(seconds: u32, mib: impl Fn(f64) -> f64) -> Series {
        let mut series = Series::default();
        for second in 0..=seconds {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive, and small"
            )]
            series.add(u64::from(second) * 1_000_000_000, (mib(f64::from(second)) * MIB) as u64);
        }
        series
    }

    /// Between -1 and 1, and the same each time.
    fn noise(second: f64) -> f64 {
        ((second * 12.9898).sin() * 43_758.547).fract()
    }

    fn growing(series: &Series) -> Slope {
        match series.trend() {
            Trend::Growing(slope) => slope,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_leak_is_measured_also_through_noise() {
        let slope = growing(&series(60, |t| 100.0 + t * 0.2));
        assert!((slope.per_minute / MIB - 12.0).abs() < 0.01, "{slope:?}");
        let slope = growing(&series(60, |t| 100.0 + t * 0.2 + noise(t)));
        assert!((slope.per_minute / MIB - 12.0).abs() < 1.2, "{slope:?}");
        assert!(slope.low < slope.per_minute && slope.per_minute < slope.high, "{slope:?}");
    }

    #[test]
    fn noise_alone_is_no_growth() {
        assert_eq!(series(60, |t| 100.0 + noise(t) * 5.0).trend(), Trend::Level);
        assert_eq!(series(300, |t| 100.0 + noise(t) * 50.0).trend(), Trend::Level);
        assert_eq!(series(60, |_| 100.0).trend(), Trend::Level);
    }

    #[test]
    fn a_garbage_collector_gives_back_and_does_not_leak() {
        for period in [7.0, 20.0, 25.0, 33.0] {
            for seconds in [60, 90, 119, 300] {
                let trend = series(seconds, |t| 100.0 + (t % period) * 4.0).trend();
                assert_eq!(trend, Trend::Level, "a collection each {period} s, watched for {seconds} s");
            }
        }
    }

    #[test]
    fn a_leak_below_a_garbage_collector_is_seen_once_there_were_some_collections() {
        let slope = growing(&series(120, |t| 100.0 + t * 0.5 + (t % 10.0) * 3.0));
        assert!((slope.per_minute / MIB - 30.0).abs() < 4.5, "{slope:?}");
    }

    #[test]
    fn steps_are_told_from_growth() {
        for at in [5.0, 30.0, 55.0] {
            let trend = series(60, |t| if t < at { 100.0 } else { 150.0 }).trend();
            assert_eq!(trend, Trend::Unsteady { grown_bytes: 50.0 * MIB }, "at {at}");
        }
        let warmed_up = series(120, |t| 100.0 + 50.0 * (1.0 - (-t / 6.0).exp()));
        assert!(matches!(warmed_up.trend(), Trend::Unsteady { .. }), "{:?}", warmed_up.trend());
    }

    #[test]
    fn what_was_watched_for_a_moment_has_no_verdict() {
        assert_eq!(series(29, |t| t * 100.0).trend(), Trend::TooEarly);
        assert_eq!(Series::default().trend(), Trend::TooEarly);
    }

    #[test]
    fn a_long_history_is_thinned_out_and_says_the_same() {
        let day = series(86_400, |t| 100.0 + t / 600.0);
        assert!(day.len() <= MOST_POINTS && day.len() > MOST_POINTS / 4, "{}", day.len());
        assert!(day.observed() > Duration::from_secs(86_000), "{:?}", day.observed());
        let slope = growing(&day);
        assert!((slope.per_minute / MIB - 0.1).abs() < 0.001, "{slope:?}");
    }

    #[test]
    fn a_clock_that_stands_still_or_jumps_does_no_harm() {
        let mut series = Series::default();
        for nanos in [5, 5, 3, u64::MAX, 0, u64::MAX] {
            series.add(nanos, u64::MAX);
        }
        assert_eq!((series.len(), series.trend()), (2, Trend::TooEarly));
    }
}

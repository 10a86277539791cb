//! Figures as a person reads them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A number of bytes in binary units, for example `640 KiB` or `1.2 GiB`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut unit = 1u128 << 10;
        for (nth, name) in UNITS.into_iter().enumerate() {
            let tenths = (u128::from(self.0) * 10 + unit / 2) / unit;
            if tenths < 1000 {
                return write!(f, "{}.{} {name}", tenths / 10, tenths % 10);
            }
            // What rounds to 1024 of a unit is one of the next.
            if tenths < 10_235 || nth + 1 == UNITS.len() {
                return write!(f, "{} {name}", (tenths + 5) / 10);
            }
            unit <<= 10;
        }
        Ok(())
    }
}

/// How long something has lasted, for example `0:07`, `12:34`, `4:12:34` or `3d4h`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elapsed(pub(crate) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        if days > 0 {
            write!(f, "{days}d{}h", hours % 24)
        } else if hours > 0 {
            write!(f, "{hours}:{:02}:{:02}", minutes % 60, seconds % 60)
        } else {
            write!(f, "{minutes}:{:02}", seconds % 60)
        }
    }
}

/// How long something took, for example `350 µs`, `1.2 ms`, `2.31 s`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took(pub(crate) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0..1_000 => write!(f, "{micros} µs"),
            1_000..100_000 => write!(f, "{}.{} ms", micros / 1000, micros % 1000 / 100),
            100_000..1_000_000 => write!(f, "{} ms", micros / 1000),
            _ => write!(f, "{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
        }
    }
}

/// The first of these numbers, and how many more there are: `1,7,8 and 37 more`.
pub(crate) fn few(numbers: &[u32], most: usize) -> String {
    let shown = &numbers[..numbers.len().min(most)];
    let mut words = shown.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    if shown.len() < numbers.len() {
        words.push_str(&format!(" and {} more", numbers.len() - shown.len()));
    }
    words
}

/// A share in percent, for example `0.3` or `142`; the sign is left to the heading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 99.95 { write!(f, "{:.1}", self.0) } else { write!(f, "{:.0}", self.0) }
    }
}

/// A moment: the time of day within the last 24 hours, else the date.
///
/// Empty if the clock cannot say when that was.
pub(crate) fn moment(unix_nanos: u64, now_unix_nanos: u64, zone: &TimeZone) -> String {
    let Ok(timestamp) = Timestamp::from_nanosecond(i128::from(unix_nanos)) else {
        return String::new();
    };
    let zoned = timestamp.to_zoned(zone.clone());
    let recent = now_unix_nanos.abs_diff(unix_nanos) < 86_400 * 1_000_000_000;
    zoned.strftime(if recent { "%H:%M:%S" } else { "%Y-%m-%d" }).to_string()
}

/// `14:03:59.000120`: a time of day in `zone`.
pub(crate) fn time_of_day(unix_nanos: u64, zone: &TimeZone) -> String {
    let Ok(timestamp) = Timestamp::from_nanosecond(unix_nanos.into()) else { return "-".to_owned() };
    timestamp.to_zoned(zone.clone()).strftime("%H:%M:%S.%6f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_never_show_more_than_four_digits() {
        let shown = |bytes| Bytes(bytes).to_string();
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1023), "1023 B");
        assert_eq!(shown(4096), "4.0 KiB");
        assert_eq!(shown(640 << 10), "640 KiB");
        assert_eq!(shown((1 << 20) - 1), "1.0 MiB");
        assert_eq!(shown(1_288_490_189), "1.2 GiB");
        assert_eq!(shown(1 << 30), "1.0 GiB");
        assert_eq!(shown(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn spans_use_the_unit_that_fits() {
        let elapsed = |seconds| Elapsed(Duration::from_secs(seconds)).to_string();
        assert_eq!(elapsed(7), "0:07");
        assert_eq!(elapsed(754), "12:34");
        assert_eq!(elapsed(15_154), "4:12:34");
        assert_eq!(elapsed(3 * 86_400 + 4 * 3600 + 59), "3d4h");

        let took = |micros| Took(Duration::from_micros(micros)).to_string();
        assert_eq!(took(350), "350 µs");
        assert_eq!(took(1_290), "1.2 ms");
        assert_eq!(took(250_000), "250 ms");
        assert_eq!(took(2_318_000), "2.31 s");
    }

    #[test]
    fn percentages_above_a_hundred_need_no_decimals() {
        assert_eq!(Percent(0.26).to_string(), "0.3");
        assert_eq!(Percent(99.96).to_string(), "100");
        assert_eq!(Percent(142.4).to_string(), "142");
    }

    #[test]
    fn a_moment_of_today_is_a_time_and_an_older_one_a_date() {
        let now = 1_700_000_000_000_000_000;
        assert_eq!(moment(now - 1_000_000_000, now, &TimeZone::UTC), "22:13:19");
        assert_eq!(moment(now - 90_000_000_000_000, now, &TimeZone::UTC), "2023-11-13");
    }
}

//! The CPU time of a cgroup: what it used, what it may use, and how often it was held back.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst, "CPU"; in version 1 Documentation/scheduler/sched-bwc.rst
//! and cgroup-v1/cpuacct.rst.

use super::keyed::{self, Keyed, parse_limit, parse_number};
use super::pressure::{self, Pressure};
use super::{Cgroup, Limit, Version};
use crate::number::signed;
use crate::{BadLine, Buffer, ReadError, cpu_list};

const CONTROLLER: &str = "cpu";
const ACCOUNTS: &str = "cpuacct";
const NANOS_PER_MICRO: u64 = 1000;

/// Counters, since the group was made. `None`: this kernel does not count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// CPU time used, in user and in kernel mode.
    pub usage_nanos: Option<u64>,
    /// Of that in user mode.
    pub user_nanos: Option<u64>,
    /// Of that in kernel mode.
    pub system_nanos: Option<u64>,
    /// Periods of the quota in which the group wanted to run.
    pub periods: Option<u64>,
    /// Those in which it used up its quota and was held back.
    pub throttled_periods: Option<u64>,
    /// For how long it was held back: the sum over CPUs.
    pub throttled_nanos: Option<u64>,
}

/// Reads the counters.
///
/// # Errors
///
/// [`ReadError`] if there is no account of the group's CPU time at all.
pub fn read_counters(cgroup: &Cgroup<'_>, buffer: &mut Buffer) -> Result<Counters, ReadError> {
    let stat = cgroup.read(CONTROLLER, "cpu.stat", buffer, keyed::parse);
    match cgroup.version() {
        Version::V2 => stat.map(|stat| counters_v2(&stat)),
        Version::V1 => {
            let usage = cgroup.read(ACCOUNTS, "cpuacct.usage", buffer, parse_number)?;
            let mut number = |file| cgroup.read(ACCOUNTS, file, buffer, parse_number).ok();
            Ok(Counters {
                usage_nanos: Some(usage),
                // Since Linux 4.7.
                user_nanos: number("cpuacct.usage_user"),
                system_nanos: number("cpuacct.usage_sys"),
                ..stat.map(|stat| throttling_v1(&stat)).unwrap_or_default()
            })
        }
    }
}

/// What `cpu.stat` of version 2 says.
pub fn counters_v2(stat: &Keyed) -> Counters {
    let nanos = |key| stat.get(key).map(|micros| micros.saturating_mul(NANOS_PER_MICRO));
    Counters {
        usage_nanos: nanos("usage_usec"),
        user_nanos: nanos("user_usec"),
        system_nanos: nanos("system_usec"),
        periods: stat.get("nr_periods"),
        throttled_periods: stat.get("nr_throttled"),
        throttled_nanos: nanos("throttled_usec"),
    }
}

/// What `cpu.stat` of version 1 says.
pub fn throttling_v1(stat: &Keyed) -> Counters {
    Counters {
        periods: stat.get("nr_periods"),
        throttled_periods: stat.get("nr_throttled"),
        throttled_nanos: stat.get("throttled_time"),
        ..Counters::default()
    }
}

/// CPU time that the group may use in each period. A quota of a period's length is one CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// In microseconds.
    pub limit: Limit,
    /// Never 0.
    pub period_micros: u64,
}

/// Reads the quota.
///
/// # Errors
///
/// [`ReadError`]; gone where the kernel knows no quotas (CONFIG_CFS_BANDWIDTH).
pub fn read_quota(cgroup: &Cgroup<'_>, buffer: &mut Buffer) -> Result<Quota, ReadError> {
    match cgroup.version() {
        Version::V2 => cgroup.read(CONTROLLER, "cpu.max", buffer, parse_max),
        Version::V1 => Ok(Quota {
            limit: cgroup.read(CONTROLLER, "cpu.cfs_quota_us", buffer, parse_cfs_quota)?,
            period_micros: cgroup.read(CONTROLLER, "cpu.cfs_period_us", buffer, parse_period)?,
        }),
    }
}

/// Parses `cpu.max` of version 2: `50000 100000` or `max 100000`.
///
/// # Errors
///
/// [`BadLine`] if it is not a limit and a period.
pub fn parse_max(text: &[u8]) -> Result<Quota, BadLine> {
    let bad = || BadLine::new(1, "a quota and a period", text);
    let mut words = text.trim_ascii().split(|&byte| byte == b' ');
    let limit = parse_limit(words.next().unwrap_or_default()).map_err(|_| bad())?;
    let period_micros = parse_period(words.next().unwrap_or_default()).map_err(|_| bad())?;
    Ok(Quota { limit, period_micros })
}

/// Parses `cpu.cfs_quota_us` of version 1, where -1 means no limit.
///
/// # Errors
///
/// [`BadLine`] if it is no number.
pub fn parse_cfs_quota(text: &[u8]) -> Result<Limit, BadLine> {
    let micros = signed(text.trim_ascii()).ok_or_else(|| BadLine::new(1, "a number", text))?;
    Ok(u64::try_from(micros).map_or(Limit::Unlimited, Limit::At))
}

fn parse_period(text: &[u8]) -> Result<u64, BadLine> {
    let period = parse_number(text)?;
    if period == 0 { Err(BadLine::new(1, "a period", text)) } else { Ok(period) }
}

/// The group's share where CPUs are scarce: `cpu.weight` (100 if not set) or in version 1 `cpu.shares` (1024).
///
/// # Errors
///
/// [`ReadError`].
pub fn read_weight(cgroup: &Cgroup<'_>, buffer: &mut Buffer) -> Result<u64, ReadError> {
    let file = match cgroup.version() {
        Version::V2 => "cpu.weight",
        Version::V1 => "cpu.shares",
    };
    cgroup.read(CONTROLLER, file, buffer, parse_number)
}

/// How many CPUs the group's cpuset allows.
///
/// # Errors
///
/// [`ReadError`]; gone where cpusets are not delegated to the group.
pub fn read_allowed_cpus(cgroup: &Cgroup<'_>, buffer: &mut Buffer) -> Result<u32, ReadError> {
    let file = match cgroup.version() {
        Version::V2 => "cpuset.cpus.effective",
        Version::V1 => "cpuset.effective_cpus",
    };
    cgroup.read("cpuset", file, buffer, cpu_list::parse_count)
}

/// Time lost waiting for a CPU. `None` where the kernel does not tell, as in version 1.
///
/// # Errors
///
/// [`ReadError`] if it tells, and can not be read.
pub fn read_pressure(cgroup: &Cgroup<'_>, buffer: &mut Buffer) -> Result<Option<Pressure>, ReadError> {
    pressure::read(cgroup, "cpu.pressure", buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_count_the_same_things_in_their_own_units() {
        let v2 = keyed::parse(
            b"usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 1\nthrottled_usec 9\n",
        );
        let expected = Counters {
            usage_nanos: Some(5000),
            user_nanos: Some(3000),
            system_nanos: Some(2000),
            periods: Some(7),
            throttled_periods: Some(1),
            throttled_nanos: Some(9000),
        };
        assert_eq!(counters_v2(&v2.unwrap()), expected);
        let v1 = keyed::parse(b"nr_periods 7\nnr_throttled 1\nthrottled_time 9000\n").unwrap();
        let v1 = throttling_v1(&v1);
        assert_eq!((v1.periods, v1.throttled_periods, v1.throttled_nanos), (Some(7), Some(1), Some(9000)));
    }

    #[test]
    fn a_group_without_the_controller_has_no_periods_rather_than_none_throttled() {
        let counters = counters_v2(&keyed::parse(b"usage_usec 5\nuser_usec 3\nsystem_usec 2\n").unwrap());
        assert_eq!(
            (counters.usage_nanos, counters.periods, counters.throttled_nanos),
            (Some(5000), None, None)
        );
    }

    #[test]
    fn no_quota_is_unlimited_in_both_versions() {
        let quota = |limit| Quota { limit, period_micros: 100_000 };
        assert_eq!(parse_max(b"max 100000\n"), Ok(quota(Limit::Unlimited)));
        assert_eq!(parse_max(b"50000 100000\n"), Ok(quota(Limit::At(50_000))));
        assert_eq!(parse_cfs_quota(b"-1\n"), Ok(Limit::Unlimited));
        assert_eq!(parse_cfs_quota(b"50000\n"), Ok(Limit::At(50_000)));
        assert!(
            parse_max(b"50000\n").is_err() && parse_max(b"50000 0\n").is_err() && parse_max(b"").is_err()
        );
    }

    /// What a group of version 2 with those files tells.
    fn group_of_v2(files: &[(&str, &str)], tell: impl FnOnce(&Cgroup<'_>, &mut Buffer)) {
        let dir = tempfile::tempdir().unwrap();
        let group = dir.path().join("proc/1/root/sys/fs/cgroup");
        std::fs::create_dir_all(&group).unwrap();
        for (file, text) in [("cgroup.events", "populated 1\n")].iter().chain(files) {
            std::fs::write(group.join(file), text).unwrap();
        }
        let root = crate::Root::recorded(dir.path()).unwrap();
        let (target, mut buffer) = ("a".repeat(64).parse().unwrap(), Buffer::default());
        let cgroup = Cgroup::find(&root, crate::Pid(1), &target, &mut buffer).unwrap();
        tell(&cgroup, &mut buffer);
    }

    #[test]
    fn the_files_of_version_2_are_found_and_those_that_are_not_delegated_are_absent() {
        let pressure = "some avg10=12.50 avg60=0.00 avg300=0.00 total=7\n";
        let files = [
            (
                "cpu.stat",
                "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 1\nthrottled_usec 9\n",
            ),
            ("cpu.max", "50000 100000\n"),
            ("cpu.weight", "39\n"),
            ("cpu.pressure", pressure),
        ];
        group_of_v2(&files, |cgroup, buffer| {
            assert_eq!(read_counters(cgroup, buffer).unwrap().throttled_periods, Some(1));
            assert_eq!(read_quota(cgroup, buffer).unwrap().limit, Limit::At(50_000));
            assert_eq!(read_weight(cgroup, buffer).unwrap(), 39);
            let pressure = read_pressure(cgroup, buffer).unwrap().unwrap();
            assert_eq!(pressure.some.avg10_basis_points, 1250);
            assert!(read_allowed_cpus(cgroup, buffer).is_err_and(|error| error.is_gone()));
        });
        group_of_v2(&[("cpu.stat", "usage_usec 5\n")], |cgroup, buffer| {
            assert_eq!(read_counters(cgroup, buffer).unwrap().periods, None);
            assert!(read_quota(cgroup, buffer).is_err_and(|error| error.is_gone()));
            assert_eq!(read_pressure(cgroup, buffer).unwrap(), None);
        });
    }
}

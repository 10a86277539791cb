//! The clock and the units that procfs counts in.

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// One moment on two clocks, see clock_gettime(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// CLOCK_BOOTTIME: since the system was booted, time asleep included.
    pub boottime_nanos: u64,
    /// CLOCK_REALTIME: since the Unix epoch.
    pub unix_nanos: u64,
}

impl Moment {
    /// Asks the kernel for the time. A clock that cannot be read, or is before its own beginning, reads 0.
    pub fn now() -> Self {
        Self { boottime_nanos: nanos(ClockId::CLOCK_BOOTTIME), unix_nanos: nanos(ClockId::CLOCK_REALTIME) }
    }
}

fn nanos(clock: ClockId) -> u64 {
    let Ok(time) = clock_gettime(clock) else { return 0 };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos)
}

/// What a clock tick and a page are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// `_SC_CLK_TCK` of sysconf(3): 100 on every Linux system in use. Never 0.
    pub ticks_per_second: u64,
    /// `_SC_PAGESIZE` of sysconf(3). Never 0.
    pub page_bytes: u64,
}

impl Units {
    /// Those of the running kernel.
    pub fn live() -> Self {
        Self {
            ticks_per_second: configured(SysconfVar::CLK_TCK).unwrap_or(100),
            page_bytes: configured(SysconfVar::PAGE_SIZE).unwrap_or(4096),
        }
    }

    /// The length of `ticks` in nanoseconds.
    pub fn ticks_to_nanos(&self, ticks: u64) -> u64 {
        ticks.saturating_mul(NANOS_PER_SECOND / self.ticks_per_second.max(1))
    }

    /// The size of `pages` in bytes.
    pub fn pages_to_bytes(&self, pages: u64) -> u64 {
        pages.saturating_mul(self.page_bytes)
    }
}

fn configured(variable: SysconfVar) -> Option<u64> {
    let value = sysconf(variable).ok().flatten()?;
    u64::try_from(value).ok().filter(|&value| value > 0)
}

//! What several probes say of the target's control group.

use dbgctl_linux::cgroupfs::pressure::{Pressure, Stall};
use dbgctl_linux::cgroupfs::{Cgroup, Limit, Version};
use dbgctl_linux::{Buffer, Pid};
use dbgctl_proto::v1;

use crate::gaps::Gaps;
use crate::sources::Sources;

/// The target's control group, or `None` and a gap: `subject` is what is missing without it.
pub(super) fn find<'s>(
    sources: &'s Sources,
    init: Pid,
    subject: &'static str,
    buffer: &mut Buffer,
    gaps: &mut Gaps,
) -> Option<Cgroup<'s>> {
    match sources.target_cgroup(init, buffer) {
        Ok(cgroup) => return Some(cgroup),
        Err(error) if error.is_gone() => gaps.add(subject, "the target sees no control group of its own"),
        Err(error) => gaps.add_error(subject, &error),
    }
    None
}

pub(super) fn version_number(version: Version) -> u32 {
    match version {
        Version::V1 => 1,
        Version::V2 => 2,
    }
}

pub(super) fn limit_message(limit: Limit) -> v1::Limit {
    let limit = match limit {
        Limit::Unlimited => v1::limit::Limit::Unlimited(true),
        Limit::At(most) => v1::limit::Limit::At(most),
    };
    v1::Limit { limit: Some(limit) }
}

pub(super) fn pressure_message(pressure: &Pressure) -> v1::Pressure {
    v1::Pressure {
        some: Some(stall_message(&pressure.some)),
        full: pressure.full.as_ref().map(stall_message),
    }
}

fn stall_message(stall: &Stall) -> v1::Stall {
    let percent = |basis_points: u32| f64::from(basis_points) / 100.0;
    v1::Stall {
        avg10_percent: percent(stall.avg10_basis_points),
        avg60_percent: percent(stall.avg60_basis_points),
        avg300_percent: percent(stall.avg300_basis_points),
        total_micros: stall.total_micros,
    }
}

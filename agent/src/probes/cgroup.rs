//! What several probes say of the target's control group.

use dbgctl_linux::cgroupfs::pressure::{Pressure, Stall};
use dbgctl_linux::cgroupfs::{Limit, Version};
use dbgctl_proto::v1;

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

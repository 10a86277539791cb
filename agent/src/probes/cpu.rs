//! `ListCpu`: the CPU time of the target over a sample, by process or thread, by its cgroup, and of the machine.

mod reading;
mod task;

use std::cmp::Reverse;
use std::sync::Arc;

use dbgctl_linux::cgroupfs::cpu::{self, Counters};
use dbgctl_linux::cgroupfs::{Cgroup, Limit};
use dbgctl_linux::procfs::system_stat::Cpus;
use dbgctl_linux::procfs::{loadavg, stat, status};
use dbgctl_linux::{Buffer, Pid, Units};
use dbgctl_proto::v1;
use dbgctl_proto::v1::cpu_service_server::{CpuService, CpuServiceServer};
use tonic::{Request, Response, Status};

use self::reading::{Of, Reading};
use self::task::Found;
use super::cgroup::{limit_message, pressure_message, version_number};
use super::sample::{self, grown};
use crate::error::ProbeError;
use crate::gaps::Gaps;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, sampled};

const OF_CGROUP: &str = "CPU of the cgroup";

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> CpuServiceServer<Cpu> {
    CpuServiceServer::new(Cpu::new(sources))
}

/// Answers `ListCpu`.
#[derive(Debug)]
pub struct Cpu {
    sources: Arc<Sources>,
}

impl Cpu {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl CpuService for Cpu {
    type ListCpuStream = Bounded<v1::ListCpuResponse>;

    async fn list_cpu(
        &self,
        request: Request<v1::ListCpuRequest>,
    ) -> Result<Response<Self::ListCpuStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let wanted = request.into_inner();
        let sample = sample::length(wanted.sample_millis).map_err(ProbeError::from)?;
        let of = Of { threads: wanted.threads, switches: wanted.switches };
        let (first, second) = (Arc::clone(&self.sources), Arc::clone(&self.sources));
        let before = move |out: &mut Out<_>| Reading::take(&first, of, out);
        let after = move |before, out: &mut Out<_>| collect(&second, of, &before, out);
        Ok(Response::new(sampled(terms, sample, before, after)))
    }
}

fn collect(
    sources: &Sources,
    of: Of,
    before: &Reading,
    out: &mut Out<v1::ListCpuResponse>,
) -> Result<(), Halt> {
    let mut after = Reading::take(sources, of, out)?;
    let processes = std::mem::take(&mut after.processes);
    let found = Found::between(&before.processes, processes, of, sources.units(), &mut out.gaps);
    let header = v1::CpuHeader {
        tasks_over_sample: Some(found.used),
        busiest_thread: found.busiest.map(|busiest| named(sources, busiest)),
        ..header(sources, before, &after, &mut out.gaps)?
    };
    out.lead(header)?;

    // What matters most comes first, also where a limit ends the list.
    let mut rows = found.rows;
    rows.sort_by_cached_key(|row| (Reverse(task::used_nanos(row)), row.pid, row.tid));
    rows.into_iter().try_for_each(|row| out.row(row))
}

/// The thread with its name, if it is still there to tell it.
fn named(sources: &Sources, busiest: v1::BusiestThread) -> v1::BusiestThread {
    let mut buffer = Buffer::default();
    let stat = stat::read_thread(sources.root(), Pid(busiest.pid), Pid(busiest.tid), &mut buffer);
    let command = stat.map(|stat| stat.command.to_vec()).unwrap_or_default();
    v1::BusiestThread { command, ..busiest }
}

fn header(
    sources: &Sources,
    before: &Reading,
    after: &Reading,
    gaps: &mut Gaps,
) -> Result<v1::CpuHeader, ProbeError> {
    let mut buffer = Buffer::default();
    let init = sources.target_init()?;
    // That it can not be found is a gap of the reading already.
    let cgroup = sources.target_cgroup(init, &mut buffer).ok();
    let usable = cgroup.as_ref().and_then(|cgroup| cpu::read_allowed_cpus(cgroup, &mut buffer).ok());
    let usable = usable.filter(|&cpus| cpus > 0).or_else(|| affinity(sources, init, &mut buffer, gaps));
    let cgroup = cgroup.map(|cgroup| cgroup_message(&cgroup, before, after, &mut buffer, gaps));
    Ok(v1::CpuHeader {
        sampled_nanos: after.boottime_nanos.saturating_sub(before.boottime_nanos),
        cgroup,
        machine: Some(machine_message(sources, before, after, &mut buffer, gaps)),
        usable_cpus: usable,
        ..v1::CpuHeader::default()
    })
}

fn affinity(sources: &Sources, init: Pid, buffer: &mut Buffer, gaps: &mut Gaps) -> Option<u32> {
    gaps.unless_absent("usable CPUs", status::read_allowed_cpus(sources.root(), init, buffer))
}

fn cgroup_message(
    cgroup: &Cgroup<'_>,
    before: &Reading,
    after: &Reading,
    buffer: &mut Buffer,
    gaps: &mut Gaps,
) -> v1::CgroupCpu {
    let quota = gaps.unless_absent("CPU quota", cpu::read_quota(cgroup, buffer));
    let pressure = gaps.unless_absent("CPU pressure", cpu::read_pressure(cgroup, buffer)).flatten();
    v1::CgroupCpu {
        version: version_number(cgroup.version()),
        over_sample: before
            .cgroup
            .zip(after.cgroup)
            .map(|(before, after)| use_message(&between(&before, &after))),
        since_start: after.cgroup.as_ref().map(use_message),
        quota_micros: quota.map(|quota| limit_message(quota.limit)),
        period_micros: quota.filter(|quota| quota.limit != Limit::Unlimited).map(|quota| quota.period_micros),
        weight: gaps.unless_absent("CPU weight", cpu::read_weight(cgroup, buffer)),
        pressure: pressure.as_ref().map(pressure_message),
    }
}

fn between(before: &Counters, after: &Counters) -> Counters {
    Counters {
        usage_nanos: grown(before.usage_nanos, after.usage_nanos),
        user_nanos: grown(before.user_nanos, after.user_nanos),
        system_nanos: grown(before.system_nanos, after.system_nanos),
        periods: grown(before.periods, after.periods),
        throttled_periods: grown(before.throttled_periods, after.throttled_periods),
        throttled_nanos: grown(before.throttled_nanos, after.throttled_nanos),
    }
}

fn use_message(counters: &Counters) -> v1::CgroupCpuUse {
    v1::CgroupCpuUse {
        usage_nanos: counters.usage_nanos,
        user_nanos: counters.user_nanos,
        system_nanos: counters.system_nanos,
        periods: counters.periods,
        throttled_periods: counters.throttled_periods,
        throttled_nanos: counters.throttled_nanos,
    }
}

fn machine_message(
    sources: &Sources,
    before: &Reading,
    after: &Reading,
    buffer: &mut Buffer,
    gaps: &mut Gaps,
) -> v1::MachineCpu {
    let load = gaps.unless_absent("load of the machine", loadavg::read(sources.root(), buffer));
    let average = |hundredths: u32| f64::from(hundredths) / 100.0;
    let units: Units = sources.units();
    let cpus = before.machine.zip(after.machine);
    let nanos = |of: fn(&Cpus) -> u64| {
        cpus.and_then(|(before, after)| Some(units.ticks_to_nanos(of(&after).checked_sub(of(&before))?)))
    };
    v1::MachineCpu {
        cpus: after.machine.map(|cpus| cpus.count),
        busy_nanos: nanos(|cpus| cpus.busy_ticks),
        idle_nanos: nanos(|cpus| cpus.idle_ticks),
        stolen_nanos: nanos(|cpus| cpus.stolen_ticks),
        load_1_minute: load.map(|load| average(load.one_minute_hundredths)),
        load_5_minutes: load.map(|load| average(load.five_minutes_hundredths)),
        load_15_minutes: load.map(|load| average(load.fifteen_minutes_hundredths)),
    }
}

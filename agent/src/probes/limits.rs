//! `ListLimits`: the limits of the target's control group and processes beside what they use of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use dbgctl_linux::cgroupfs::{Limit, cpu, memory, pids};
use dbgctl_linux::procfs::fd;
use dbgctl_linux::procfs::limits::{self, Resource};
use dbgctl_linux::procfs::stat::Stat;
use dbgctl_linux::procfs::status::{self, Held};
use dbgctl_linux::{Buffer, Pid};
use dbgctl_proto::v1;
use dbgctl_proto::v1::LimitedResource;
use dbgctl_proto::v1::limit_service_server::{LimitService, LimitServiceServer};
use tonic::{Request, Response, Status};

use super::cgroup::{self, limit_message};
use crate::gaps::Gaps;
use crate::listing;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

const OF_CGROUP: &str = "limits of the cgroup";
/// From so many percent on, a limit is worth a row, also if the process has a nearer one.
const NEAR_PERCENT: u64 = 80;
/// Whom `RLIMIT_NPROC` does not bind, see getrlimit(2).
const ROOT: u32 = 0;

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> LimitServiceServer<Limits> {
    LimitServiceServer::new(Limits::new(sources))
}

/// Answers `ListLimits`.
#[derive(Debug)]
pub struct Limits {
    sources: Arc<Sources>,
}

impl Limits {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl LimitService for Limits {
    type ListLimitsStream = Bounded<v1::ListLimitsResponse>;

    async fn list_limits(
        &self,
        request: Request<v1::ListLimitsRequest>,
    ) -> Result<Response<Self::ListLimitsStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let wanted = request.into_inner();
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &wanted, out))))
    }
}

fn collect(
    sources: &Sources,
    wanted: &v1::ListLimitsRequest,
    out: &mut Out<v1::ListLimitsResponse>,
) -> Result<(), Halt> {
    let threads = threads_of_users(sources, out)?;
    let mut buffer = Buffer::default();
    if wanted.pids.is_empty() {
        let init = sources.target_init()?;
        let rows = of_cgroup(sources, init, &mut buffer, &mut out.gaps);
        rows.into_iter().try_for_each(|row| out.row(row))?;
    }
    listing::processes(sources, &wanted.pids, out, |stat, out| {
        let Some(rows) = of_process(sources, stat, &threads, &mut buffer, &mut out.gaps) else {
            return Ok(());
        };
        let near = |row: &v1::LimitUse| share(row).is_some_and(|share| share >= NEAR_PERCENT * 10_000);
        let nearest = rows.iter().filter_map(share).max();
        let mut has_nearest = false;
        for row in rows {
            let is_nearest = !has_nearest && share(&row).is_some() && share(&row) == nearest;
            has_nearest |= is_nearest;
            if wanted.all || is_nearest || near(&row) {
                out.row(row)?;
            }
        }
        Ok(())
    })
}

/// Threads of the target by their real user.
fn threads_of_users(
    sources: &Sources,
    out: &mut Out<v1::ListLimitsResponse>,
) -> Result<BTreeMap<u32, u64>, Halt> {
    let mut threads = BTreeMap::<u32, u64>::new();
    let mut buffer = Buffer::default();
    listing::processes(sources, &[], out, |stat, _| {
        // What ends meanwhile has no threads any more.
        if let Ok(held) = status::read_held(sources.root(), stat.pid, &mut buffer) {
            *threads.entry(held.real_uid).or_default() += u64::from(stat.threads);
        }
        Ok(())
    })?;
    // The list itself tells it.
    out.gaps.forget();
    Ok(threads)
}

fn of_cgroup(sources: &Sources, init: Pid, buffer: &mut Buffer, gaps: &mut Gaps) -> Vec<v1::LimitUse> {
    let Some(cgroup) = cgroup::find(sources, init, OF_CGROUP, buffer, gaps) else { return Vec::new() };
    let row = |resource: LimitedResource, limit: Option<Limit>, used| v1::LimitUse {
        pid: None,
        command: Vec::new(),
        resource: resource.into(),
        soft: limit.map(limit_message),
        hard: None,
        used,
    };
    let memory = memory::read(&cgroup, sources.units().page_bytes, buffer);
    let pids = pids::read(&cgroup, buffer);
    let quota = gaps.unless_absent(OF_CGROUP, cpu::read_quota(&cgroup, buffer));
    let per_second = quota.map(|quota| match quota.limit {
        Limit::Unlimited => Limit::Unlimited,
        Limit::At(micros) => Limit::At(micros.saturating_mul(1_000_000) / quota.period_micros.max(1)),
    });
    memory.failed.iter().for_each(|(file, error)| gaps.add_error(file, error));
    let tasks = gaps.unless_absent(OF_CGROUP, pids.limit);
    let used_tasks = gaps.unless_absent(OF_CGROUP, pids.current);
    let rows = [
        row(LimitedResource::CgroupMemoryBytes, memory.limit, memory.current_bytes),
        row(LimitedResource::CgroupTasks, tasks, used_tasks),
        row(LimitedResource::CgroupCpuMicrosPerSecond, per_second, None),
    ];
    rows.into_iter().filter(|row| row.soft.is_some()).collect()
}

fn of_process(
    sources: &Sources,
    stat: &Stat<'_>,
    threads: &BTreeMap<u32, u64>,
    buffer: &mut Buffer,
    gaps: &mut Gaps,
) -> Option<Vec<v1::LimitUse>> {
    let root = sources.root();
    let held = gaps.unless_gone(status::read_held(root, stat.pid, buffer))?;
    let limits = gaps.unless_gone(limits::read(root, stat.pid, buffer))?;
    let open_files = match stat.state.has_ended() {
        true => Some(0),
        false => gaps.unless_absent("open files", fd::count(root, stat.pid)),
    };
    let ticks = stat.user_time_ticks.saturating_add(stat.system_time_ticks);
    let used = |resource| match resource {
        Resource::CpuTime => Some(sources.units().ticks_to_nanos(ticks) / 1_000_000_000),
        Resource::Processes => threads.get(&held.real_uid).copied().filter(|_| held.real_uid != ROOT),
        Resource::OpenFiles => open_files,
        other => held_of(&held, other),
    };
    let row = |(resource, bounds): (Resource, limits::Bounds)| v1::LimitUse {
        pid: Some(stat.pid.0),
        command: stat.command.to_vec(),
        resource: limited(resource).into(),
        soft: Some(limit_message(bounds.soft)),
        hard: Some(limit_message(bounds.hard)),
        used: used(resource),
    };
    Some(limits.all().map(row).collect())
}

fn held_of(held: &Held, resource: Resource) -> Option<u64> {
    match resource {
        Resource::DataSize => held.data_bytes,
        Resource::StackSize => held.stack_bytes,
        Resource::LockedMemory => held.locked_bytes,
        Resource::AddressSpace => held.address_space_bytes,
        Resource::PendingSignals => held.pending_signals,
        _ => None,
    }
}

/// Use of a limit in millionths. `None` if it is not limited, or use is not known.
///
/// A limit of 0 is how something is forbidden, and nothing is used of it.
fn share(row: &v1::LimitUse) -> Option<u64> {
    match row.soft.as_ref()?.limit? {
        v1::limit::Limit::At(0) | v1::limit::Limit::Unlimited(_) => None,
        v1::limit::Limit::At(limit) => {
            u64::try_from(u128::from(row.used?) * 1_000_000 / u128::from(limit)).ok()
        }
    }
}

fn limited(resource: Resource) -> LimitedResource {
    match resource {
        Resource::CpuTime => LimitedResource::CpuSeconds,
        Resource::FileSize => LimitedResource::FileSizeBytes,
        Resource::DataSize => LimitedResource::DataBytes,
        Resource::StackSize => LimitedResource::StackBytes,
        Resource::CoreSize => LimitedResource::CoreBytes,
        Resource::ResidentSet => LimitedResource::ResidentBytes,
        Resource::Processes => LimitedResource::UserThreads,
        Resource::OpenFiles => LimitedResource::OpenFiles,
        Resource::LockedMemory => LimitedResource::LockedBytes,
        Resource::AddressSpace => LimitedResource::AddressSpaceBytes,
        Resource::FileLocks => LimitedResource::FileLocks,
        Resource::PendingSignals => LimitedResource::PendingSignals,
        Resource::MessageQueues => LimitedResource::MessageQueueBytes,
        Resource::Nice => LimitedResource::Nice,
        Resource::RealtimePriority => LimitedResource::RealtimePriority,
        Resource::RealtimeTimeout => LimitedResource::RealtimeMicros,
    }
}

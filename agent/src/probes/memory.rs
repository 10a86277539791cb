//! `ListMemory`: the memory of the target, by its cgroup and by process; `ListMappings`: of one process, by mapping.

mod accounts;
mod mappings;

use std::cmp::Reverse;
use std::sync::Arc;

use dbgctl_linux::procfs::smaps_rollup::{self, SmapsRollup};
use dbgctl_linux::procfs::{oom_score, oom_score_adj, pids, stat};
use dbgctl_linux::target::{Origin, Origins};
use dbgctl_linux::{Buffer, Pid};
use dbgctl_proto::list::MemoryAccount;
use dbgctl_proto::v1;
use dbgctl_proto::v1::memory_service_server::{MemoryService, MemoryServiceServer};
use tonic::{Request, Response, Status};

use super::processes::origin_message;
use crate::gaps;
use crate::listing;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> MemoryServiceServer<Memory> {
    MemoryServiceServer::new(Memory::new(sources))
}

/// Answers `ListMemory` and `ListMappings`.
#[derive(Debug)]
pub struct Memory {
    sources: Arc<Sources>,
}

impl Memory {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl MemoryService for Memory {
    type ListMemoryStream = Bounded<v1::ListMemoryResponse>;

    async fn list_memory(
        &self,
        request: Request<v1::ListMemoryRequest>,
    ) -> Result<Response<Self::ListMemoryStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &request.into_inner(), out))))
    }

    type ListMappingsStream = Bounded<v1::ListMappingsResponse>;

    async fn list_mappings(
        &self,
        request: Request<v1::ListMappingsRequest>,
    ) -> Result<Response<Self::ListMappingsStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let sources = Arc::clone(&self.sources);
        let collect = move |out: &mut Out<_>| mappings::collect(&sources, &request.into_inner(), out);
        Ok(Response::new(bounded(terms, collect)))
    }
}

/// A pid may belong to another process this long after it was listed.
///
/// The kernel gives a pid again only after it has given all others, 32,768 unless set lower: hardly a
/// host starts so many in this time. Looking at each process again from the first on would add a fifth to
/// the cost of small ones.
const REUSE_NANOS: u64 = 500_000_000;

/// Of so many processes it is read how likely they are killed: two more files for each.
const MOST_OOM_SCORES: usize = 1024;

/// Why a process was not read that could have been. The others were not asked for.
const SPENT: &str = "not read: the budget of time was spent on bigger ones";

fn collect(
    sources: &Sources,
    request: &v1::ListMemoryRequest,
    out: &mut Out<v1::ListMemoryResponse>,
) -> Result<(), Halt> {
    let init = sources.target_init()?;
    let mut buffer = Buffer::default();
    let cgroup = sources.target_cgroup(init, &mut buffer);
    let cgroup = accounts::cgroup_message(cgroup, sources.units().page_bytes, &mut buffer, &mut out.gaps);
    out.lead(MemoryAccount::Cgroup(cgroup))?;

    let listed = sources.now();
    let processes = biggest_first(sources, request, out)?;
    let to_read = processes.iter().filter(|process| process.left_alone.is_none());
    let header = v1::MemoryHeader {
        sampled_boottime_nanos: listed.boottime_nanos,
        resident_bytes_to_read: to_read.map(|process| process.resident_bytes).fold(0, u64::saturating_add),
        machine: accounts::machine_message(sources, &mut buffer, &mut out.gaps),
        tmpfs: accounts::tmpfs_messages(sources.root(), init, &mut out.gaps),
    };
    out.lead(MemoryAccount::Header(header))?;

    let mut budget_nanos = request.budget_nanos;
    for (nth, process) in processes.into_iter().enumerate() {
        // The next reading may take long, and holds a lock of the target's.
        out.room()?;
        let mut row = row(sources, &process);
        if nth < MOST_OOM_SCORES {
            row.oom_score = oom_score::read(sources.root(), process.pid, &mut buffer).ok();
            row.oom_score_adj = oom_score_adj::read(sources.root(), process.pid, &mut buffer).ok();
        }
        let unread = process.left_alone.or((budget_nanos == Some(0)).then_some(v1::Unread::Budget));
        if let Some(unread) = unread {
            if unread == v1::Unread::Budget {
                out.gaps.add("memory of processes", SPENT);
            }
            row.unread = unread.into();
            out.row(row)?;
            continue;
        }
        let began = sources.now();
        let memory = smaps_rollup::read(sources.root(), process.pid, &mut buffer);
        let now = sources.now();
        let took_nanos = now.boottime_nanos.saturating_sub(began.boottime_nanos);
        budget_nanos = budget_nanos.map(|left| left.saturating_sub(took_nanos));
        match memory {
            Ok(memory) => {
                if now.boottime_nanos.saturating_sub(listed.boottime_nanos) >= REUSE_NANOS
                    && !is_still(&process, sources, &mut buffer, out)
                {
                    continue;
                }
                row.read_boottime_nanos = Some(began.boottime_nanos);
                row.read_took_nanos = Some(took_nanos);
                fill(&mut row, memory);
            }
            Err(error) if error.is_gone() => {
                out.gaps.add("processes", gaps::ENDED);
                continue;
            }
            Err(error) => {
                out.gaps.add_error("memory of processes", &error);
                row.unread = v1::Unread::Failed.into();
            }
        }
        out.row(row)?;
    }
    Ok(())
}

/// Whether the pid still belongs to the process that was listed.
fn is_still(
    process: &Process,
    sources: &Sources,
    buffer: &mut Buffer,
    out: &mut Out<v1::ListMemoryResponse>,
) -> bool {
    let stat = stat::read(sources.root(), process.pid, buffer);
    let Some(stat) = out.gaps.unless_gone(stat) else { return false };
    let is_still = stat.started_ticks == process.started_ticks;
    if !is_still {
        out.gaps.add("processes", gaps::ENDED);
    }
    is_still
}

/// A process that has memory.
struct Process {
    pid: Pid,
    command: Box<[u8]>,
    resident_bytes: u64,
    started_ticks: u64,
    origin: Origin,
    /// Why it is not read, if the request says so.
    left_alone: Option<v1::Unread>,
}

/// The processes without zombies, by resident set: where time or limit end the list, what matters most is
/// on it.
fn biggest_first(
    sources: &Sources,
    request: &v1::ListMemoryRequest,
    out: &mut Out<v1::ListMemoryResponse>,
) -> Result<Vec<Process>, Halt> {
    let root = sources.root();
    let mut origins = Origins::new(root, sources.target());
    let mut buffer = Buffer::default();
    let mut processes = Vec::new();
    let mut missing: Vec<_> = request.pids.iter().map(|&pid| Pid(pid)).collect();
    let is_too_big = |bytes| request.biggest_to_read_bytes.is_some_and(|biggest| bytes > biggest);
    for pid in pids::processes(root)? {
        out.wanted()?;
        let Some(stat) = out.gaps.unless_gone(stat::read(root, pid, &mut buffer)) else { continue };
        let Some(origin) = out.gaps.unless_gone(origins.of(&stat)) else { continue };
        let is_asked_for = request.pids.is_empty() || request.pids.contains(&pid.0);
        if !is_asked_for || (origin != Origin::Target && !request.all) {
            continue;
        }
        missing.retain(|&missing| missing != pid);
        if stat.has_memory() {
            let resident_bytes = sources.units().pages_to_bytes(stat.resident_pages);
            let rests = request.rest_pids.contains(&pid.0).then_some(v1::Unread::Rests);
            processes.push(Process {
                pid,
                command: stat.command.into(),
                resident_bytes,
                started_ticks: stat.started_ticks,
                origin,
                left_alone: rests.or(is_too_big(resident_bytes).then_some(v1::Unread::TooBig)),
            });
        }
    }
    listing::expect_found(&request.pids, missing, &mut out.gaps)?;
    processes.sort_unstable_by_key(|process| (Reverse(process.resident_bytes), process.pid));
    Ok(processes)
}

/// What is known of a process before it is read.
fn row(sources: &Sources, process: &Process) -> v1::ProcessMemory {
    v1::ProcessMemory {
        pid: process.pid.0,
        command: process.command.to_vec(),
        rss_bytes: process.resident_bytes,
        started_boottime_nanos: sources.units().ticks_to_nanos(process.started_ticks),
        origin: origin_message(Some(process.origin)).into(),
        ..v1::ProcessMemory::default()
    }
}

fn fill(row: &mut v1::ProcessMemory, memory: SmapsRollup) {
    let smaps_rollup::Parts {
        pss_dirty_bytes,
        pss_anon_bytes,
        pss_file_bytes,
        pss_shmem_bytes,
        swap_bytes,
        swap_pss_bytes,
        locked_bytes,
        anon_huge_bytes,
        shmem_huge_bytes,
        file_huge_bytes,
        private_hugetlb_bytes,
        shared_hugetlb_bytes,
    } = memory.parts;
    *row = v1::ProcessMemory {
        rss_bytes: memory.rss_bytes,
        pss_bytes: Some(memory.pss_bytes),
        uss_bytes: Some(memory.uss_bytes),
        pss_dirty_bytes,
        pss_anon_bytes,
        pss_file_bytes,
        pss_shmem_bytes,
        swap_bytes,
        swap_pss_bytes,
        locked_bytes,
        anon_huge_bytes,
        shmem_huge_bytes,
        file_huge_bytes,
        private_hugetlb_bytes,
        shared_hugetlb_bytes,
        ..std::mem::take(row)
    };
}

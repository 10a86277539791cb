//! `ListMemory`: the memory of the target, by its cgroup and by process.

use std::cmp::Reverse;
use std::sync::Arc;

use dbgctl_linux::cgroupfs::{Cgroup, memory};
use dbgctl_linux::procfs::smaps_rollup::{self, SmapsRollup};
use dbgctl_linux::procfs::{pids, stat};
use dbgctl_linux::target::{Origin, Origins};
use dbgctl_linux::{Buffer, Pid, ReadError};
use dbgctl_proto::v1;
use dbgctl_proto::v1::list_memory_response::Part;
use dbgctl_proto::v1::memory_service_server::{MemoryService, MemoryServiceServer};
use tonic::{Request, Response, Status};

use super::cgroup::{limit_message, version_number};
use crate::gaps::{self, Gaps};
use crate::sources::Sources;
use crate::stream::{Batched, Bounded, Halt, Out, Terms, bounded};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> MemoryServiceServer<Memory> {
    MemoryServiceServer::new(Memory::new(sources))
}

/// Answers `ListMemory`.
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
        Ok(Response::new(bounded(terms, move |out| collect(&sources, out))))
    }
}

impl Batched for v1::ListMemoryResponse {
    type Row = v1::ProcessMemory;

    fn batch(processes: Vec<v1::ProcessMemory>) -> Self {
        Self { part: Some(Part::Batch(v1::ProcessMemoryBatch { processes })) }
    }

    fn summary(summary: v1::Summary) -> Self {
        Self { part: Some(Part::Summary(summary)) }
    }

    fn row_bytes(process: &v1::ProcessMemory) -> usize {
        80 + process.command.len()
    }
}

/// A pid may belong to another process this long after it was listed.
///
/// The kernel gives a pid again only after it has given all others, 32,768 unless set lower: hardly a
/// host starts so many in this time. Looking at each process again from the first on would add a fifth to
/// the cost of small ones.
const REUSE_NANOS: u64 = 500_000_000;

fn collect(sources: &Sources, out: &mut Out<v1::ListMemoryResponse>) -> Result<(), Halt> {
    let init = sources.target_init()?;
    let mut buffer = Buffer::default();
    let cgroup = sources.target_cgroup(init, &mut buffer);
    let cgroup = cgroup_message(cgroup, sources.units().page_bytes, &mut buffer, &mut out.gaps);
    out.lead(v1::ListMemoryResponse { part: Some(Part::Cgroup(cgroup)) })?;

    let listed = sources.now();
    for process in biggest_first(sources, out)? {
        // The next reading may take long, and holds a lock of the target's.
        out.room()?;
        let memory = match smaps_rollup::read(sources.root(), process.pid, &mut buffer) {
            Err(error) if error.is_denied() => {
                out.gaps.add_error("memory of processes", &error);
                continue;
            }
            memory => memory,
        };
        let Some(memory) = out.gaps.unless_gone(memory) else { continue };
        let since_listed_nanos = sources.now().boottime_nanos.saturating_sub(listed.boottime_nanos);
        if since_listed_nanos >= REUSE_NANOS {
            let stat = stat::read(sources.root(), process.pid, &mut buffer);
            let Some(stat) = out.gaps.unless_gone(stat) else { continue };
            if stat.started_ticks != process.started_ticks {
                out.gaps.add("processes", gaps::ENDED);
                continue;
            }
        }
        out.row(message(process, &memory))?;
    }
    Ok(())
}

/// A process of the target that has memory.
struct Process {
    pid: Pid,
    command: Box<[u8]>,
    resident_pages: u64,
    started_ticks: u64,
}

/// The target's processes, without its zombies, by resident set: where time or limit end the list, what
/// matters most is on it.
fn biggest_first(sources: &Sources, out: &mut Out<v1::ListMemoryResponse>) -> Result<Vec<Process>, Halt> {
    let root = sources.root();
    let mut origins = Origins::new(root, sources.target());
    let mut buffer = Buffer::default();
    let mut processes = Vec::new();
    for pid in pids::processes(root)? {
        out.wanted()?;
        let Some(stat) = out.gaps.unless_gone(stat::read(root, pid, &mut buffer)) else { continue };
        let Some(origin) = out.gaps.unless_gone(origins.of(&stat)) else { continue };
        if origin == Origin::Target && stat.has_memory() {
            processes.push(Process {
                pid,
                command: stat.command.into(),
                resident_pages: stat.resident_pages,
                started_ticks: stat.started_ticks,
            });
        }
    }
    processes.sort_unstable_by_key(|process| (Reverse(process.resident_pages), process.pid));
    Ok(processes)
}

fn cgroup_message(
    cgroup: Result<Cgroup<'_>, ReadError>,
    page_bytes: u64,
    buffer: &mut Buffer,
    gaps: &mut Gaps,
) -> v1::CgroupMemory {
    let cgroup = match cgroup {
        Ok(cgroup) => cgroup,
        Err(error) => {
            match error.is_gone() {
                true => gaps.add("memory of the cgroup", "the target sees no control group of its own"),
                false => gaps.add_error("memory of the cgroup", &error),
            }
            return v1::CgroupMemory { version: 0, current_bytes: None, limit: None };
        }
    };
    let memory = memory::read(&cgroup, page_bytes, buffer);
    let version = version_number(cgroup.version());
    let current_bytes = memory.current_bytes.map_err(|error| gaps.add_error("memory of the cgroup", &error));
    let limit = memory.limit.map_err(|error| gaps.add_error("memory limit of the cgroup", &error));
    v1::CgroupMemory { version, current_bytes: current_bytes.ok(), limit: limit.ok().map(limit_message) }
}

fn message(process: Process, memory: &SmapsRollup) -> v1::ProcessMemory {
    v1::ProcessMemory {
        pid: process.pid.0,
        command: process.command.into_vec(),
        rss_bytes: memory.rss_bytes,
        pss_bytes: memory.pss_bytes,
        uss_bytes: memory.uss_bytes,
        pss_anon_bytes: memory.pss_anon_bytes,
        pss_file_bytes: memory.pss_file_bytes,
        pss_shmem_bytes: memory.pss_shmem_bytes,
        swap_pss_bytes: memory.swap_pss_bytes,
    }
}

//! From the agent's stream to what is shown.

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::list_memory_response::Part;
use dbgctl_proto::v1::memory_service_client::MemoryServiceClient;
use dbgctl_proto::v1::{self, CgroupMemory, MemoryHeader, ProcessMemory, Summary};

use crate::commands::agent::Agent;
use crate::commands::{Failure, stream};

/// What the agent sent.
#[derive(Debug, Default)]
pub(in crate::commands) struct Breakdown {
    pub(in crate::commands) cgroup: Option<CgroupMemory>,
    pub(in crate::commands) header: Option<MemoryHeader>,
    pub(in crate::commands) processes: Vec<ProcessMemory>,
    pub(in crate::commands) summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    pub(in crate::commands) broken_off: Option<&'static str>,
}

impl Breakdown {
    /// Puts processes that were read meanwhile in the place of those that were not.
    pub(super) fn replace(&mut self, read: Vec<ProcessMemory>) {
        let is_same = |a: &ProcessMemory, b: &ProcessMemory| {
            (a.pid, a.started_boottime_nanos) == (b.pid, b.started_boottime_nanos)
        };
        for process in read {
            if let Some(place) = self.processes.iter_mut().find(|known| is_same(known, &process)) {
                *place = process;
            }
        }
    }
}

/// Reads the whole stream, as far as there is room for it. `ahead` is called before the first process is read.
pub(in crate::commands) async fn read(
    agent: &Agent,
    request: v1::ListMemoryRequest,
    mut ahead: impl FnMut(&MemoryHeader),
) -> Result<Breakdown, Failure> {
    let mut client = MemoryServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let responses = client.list_memory(agent.request(request)).await?.into_inner();
    let mut breakdown = Breakdown::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Cgroup(cgroup)) => breakdown.cgroup = Some(cgroup),
            Some(Part::Header(header)) => {
                ahead(&header);
                breakdown.header = Some(header);
            }
            Some(Part::Batch(batch)) => breakdown.processes.extend(batch.processes),
            Some(Part::Summary(summary)) => breakdown.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
        breakdown.summary.is_some()
    });
    breakdown.broken_off = broken_off.await?;
    Ok(breakdown)
}

fn footprint(response: &v1::ListMemoryResponse) -> usize {
    match &response.part {
        Some(Part::Batch(batch)) => {
            let of_row = |process: &ProcessMemory| size_of::<ProcessMemory>() + process.command.capacity();
            batch.processes.iter().map(of_row).sum()
        }
        Some(Part::Header(header)) => {
            let of_mount =
                |mount: &v1::TmpfsMount| size_of::<v1::TmpfsMount>() + mount.mount_point.capacity();
            header.tmpfs.iter().map(of_mount).sum()
        }
        Some(Part::Cgroup(_) | Part::Summary(_)) | None => 0,
    }
}

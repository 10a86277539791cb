//! From the agent's stream to what is shown.

use dbgctl_proto::list::MemoryAccount;
use dbgctl_proto::v1::{self, CgroupMemory, MemoryHeader, ProcessMemory};

use crate::commands::Failure;
use crate::commands::agent::Agent;
use crate::commands::stream::{self, Listing};

/// What the agent sent.
#[derive(Debug, Default)]
pub(in crate::commands) struct Breakdown {
    pub(in crate::commands) cgroup: Option<CgroupMemory>,
    pub(in crate::commands) header: Option<MemoryHeader>,
    /// The processes.
    pub(in crate::commands) list: Listing<v1::ListMemoryResponse>,
}

impl Breakdown {
    /// Puts processes that were read meanwhile in the place of those that were not.
    pub(super) fn replace(&mut self, read: Vec<ProcessMemory>) {
        let is_same = |a: &ProcessMemory, b: &ProcessMemory| {
            (a.pid, a.started_boottime_nanos) == (b.pid, b.started_boottime_nanos)
        };
        for process in read {
            if let Some(place) = self.list.rows.iter_mut().find(|known| is_same(known, &process)) {
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
    let (mut cgroup, mut header) = (None, None);
    let list = stream::read_and(agent, request, |account| match account {
        MemoryAccount::Cgroup(account) => cgroup = Some(account),
        MemoryAccount::Header(account) => {
            ahead(&account);
            header = Some(account);
        }
    });
    let list = list.await?;
    Ok(Breakdown { cgroup, header, list })
}

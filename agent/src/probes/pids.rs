//! `ListPids`: how many tasks the target has, by process, user and control group, and how many it may have.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use dbgctl_linux::cgroupfs::{Limit, pids};
use dbgctl_linux::procfs::limits::{self, Resource};
use dbgctl_linux::procfs::stat::Stat;
use dbgctl_linux::procfs::{loadavg, status, sys_kernel};
use dbgctl_linux::{Buffer, Pid, ReadError, Root};
use dbgctl_proto::v1;
use dbgctl_proto::v1::pid_service_server::{PidService, PidServiceServer};
use tonic::{Request, Response, Status};

use super::cgroup::{self, limit_message, version_number};
use super::processes::state;
use crate::gaps::Gaps;
use crate::listing;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

const OF_CGROUP: &str = "tasks of the cgroup";
/// Users that a header has room for.
const MOST_USERS: usize = 1000;

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> PidServiceServer<Pids> {
    PidServiceServer::new(Pids::new(sources))
}

/// Answers `ListPids`.
#[derive(Debug)]
pub struct Pids {
    sources: Arc<Sources>,
}

impl Pids {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl PidService for Pids {
    type ListPidsStream = Bounded<v1::ListPidsResponse>;

    async fn list_pids(
        &self,
        request: Request<v1::ListPidsRequest>,
    ) -> Result<Response<Self::ListPidsStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, out))))
    }
}

fn collect(sources: &Sources, out: &mut Out<v1::ListPidsResponse>) -> Result<(), Halt> {
    let mut buffer = Buffer::default();
    let mut header = machine(sources.root(), &mut buffer, &mut out.gaps);
    header.cgroup = of_cgroup(sources, sources.target_init()?, &mut buffer, &mut out.gaps);
    let mut users = BTreeMap::<u32, User>::new();
    let mut rows = Vec::new();
    listing::processes(sources, &[], out, |stat, out| {
        let uid = out.gaps.unless_gone(status::read_held(sources.root(), stat.pid, &mut buffer));
        let uid = uid.map(|held| held.real_uid);
        if let Some(uid) = uid {
            let user = users.entry(uid).or_default();
            user.threads = user.threads.saturating_add(stat.threads.into());
            user.limit = lower(user.limit, may_have(sources.root(), stat.pid, &mut buffer, &mut out.gaps));
        }
        header.processes += 1;
        header.threads += u64::from(stat.threads);
        header.zombies += u64::from(stat.state.has_ended());
        rows.push(message(stat, uid));
        Ok(())
    })?;
    header.users = users.into_iter().map(|(uid, user)| user.message(uid)).collect();
    header.users.sort_by_key(|user| Reverse(user.threads));
    header.users.truncate(MOST_USERS);
    out.lead(header)?;
    rows.sort_by_key(|row| (Reverse(row.threads), row.pid));
    rows.into_iter().try_for_each(|row| out.row(row))
}

/// The tasks of one user, and how many it may have.
#[derive(Default)]
struct User {
    threads: u64,
    limit: Option<Limit>,
}

impl User {
    fn message(self, uid: u32) -> v1::UserTasks {
        v1::UserTasks { uid, threads: self.threads, limit: self.limit.map(limit_message) }
    }
}

/// The soft limit of a process on the threads of its user.
fn may_have(root: &Root, pid: Pid, buffer: &mut Buffer, gaps: &mut Gaps) -> Option<Limit> {
    let limits = gaps.unless_absent("limits of users", limits::read(root, pid, buffer))?;
    Some(limits.get(Resource::Processes)?.soft)
}

fn lower(one: Option<Limit>, other: Option<Limit>) -> Option<Limit> {
    match (one, other) {
        (Some(Limit::At(one)), Some(Limit::At(other))) => Some(Limit::At(one.min(other))),
        (Some(Limit::Unlimited) | None, Some(other)) => Some(other),
        (one, _) => one,
    }
}

fn machine(root: &Root, buffer: &mut Buffer, gaps: &mut Gaps) -> v1::PidsHeader {
    const SUBJECT: &str = "tasks of the machine";
    let load = gaps.unless_absent(SUBJECT, loadavg::read(root, buffer));
    v1::PidsHeader {
        machine_threads: load.and_then(|load| load.threads),
        machine_threads_max: gaps.unless_absent(SUBJECT, sys_kernel::read_threads_max(root, buffer)),
        pid_max: gaps.unless_absent(SUBJECT, sys_kernel::read_pid_max(root, buffer)),
        ..v1::PidsHeader::default()
    }
}

fn of_cgroup(sources: &Sources, init: Pid, buffer: &mut Buffer, gaps: &mut Gaps) -> Option<v1::CgroupPids> {
    let cgroup = cgroup::find(sources, init, OF_CGROUP, buffer, gaps)?;
    let pids = pids::read(&cgroup, buffer);
    let mut number = |read: Result<u64, ReadError>| gaps.unless_absent(OF_CGROUP, read);
    let (current, peak) = (number(pids.current), number(pids.peak));
    Some(v1::CgroupPids {
        version: version_number(cgroup.version()),
        current,
        peak,
        limit: gaps.unless_absent(OF_CGROUP, pids.limit).map(limit_message),
        refused: gaps.unless_absent(OF_CGROUP, pids.refused).flatten(),
    })
}

fn message(stat: &Stat<'_>, uid: Option<u32>) -> v1::ProcessThreads {
    v1::ProcessThreads {
        pid: stat.pid.0,
        parent_pid: stat.parent.0,
        command: stat.command.to_vec(),
        state: state(stat.state).into(),
        threads: stat.threads,
        uid,
    }
}

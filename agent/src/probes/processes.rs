//! `ListProcesses`: the processes or threads of the target.

use std::sync::Arc;

use dbgctl_linux::etc::passwd::{self, Users};
use dbgctl_linux::procfs::cmdline::{self, Cmdline};
use dbgctl_linux::procfs::stat::{self, Stat, State};
use dbgctl_linux::procfs::{owner, pids, status, wchan};
use dbgctl_linux::target::{Origin, Origins};
use dbgctl_linux::{Buffer, Moment, Pid, ReadError, Units};
use dbgctl_proto::v1;
use dbgctl_proto::v1::process_service_server::{ProcessService, ProcessServiceServer};
use tonic::{Request, Response, Status};

use crate::error::ProbeError;
use crate::gaps::Gaps;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> ProcessServiceServer<Processes> {
    ProcessServiceServer::new(Processes::new(sources))
}

/// Answers `ListProcesses`.
#[derive(Debug)]
pub struct Processes {
    sources: Arc<Sources>,
}

impl Processes {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl ProcessService for Processes {
    type ListProcessesStream = Bounded<v1::ListProcessesResponse>;

    async fn list_processes(
        &self,
        request: Request<v1::ListProcessesRequest>,
    ) -> Result<Response<Self::ListProcessesStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let wanted = request.into_inner();
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &wanted, out))))
    }
}

fn collect(
    sources: &Sources,
    wanted: &v1::ListProcessesRequest,
    out: &mut Out<v1::ListProcessesResponse>,
) -> Result<(), Halt> {
    out.lead(header(sources.now()))?;
    let root = sources.root();
    let mut reader = Reader {
        sources,
        details: wanted.details,
        names: Names::of(sources, wanted.all)?,
        buffer: Buffer::default(),
    };
    let mut origins = Origins::new(root, sources.target());
    let (mut stat_buffer, mut cmdline_buffer) = (Buffer::default(), Buffer::default());

    for pid in pids::processes(root)? {
        out.wanted()?;
        let Some(stat) = out.gaps.unless_gone(stat::read(root, pid, &mut stat_buffer)) else { continue };
        let origin = match origins.of(&stat) {
            Err(error) if !error.is_gone() => {
                out.gaps.add_error("whose a process is", &error);
                None
            }
            origin => match out.gaps.unless_gone(origin) {
                Some(origin) => Some(origin),
                None => continue,
            },
        };
        if origin != Some(Origin::Target) && !wanted.all {
            continue;
        }
        let cmdline = match stat.has_memory() {
            true => cmdline::read(root, pid, &mut cmdline_buffer),
            false => Ok(Cmdline::EMPTY),
        };
        let Some(cmdline) = out.gaps.unless_gone(cmdline) else { continue };
        if !wanted.threads {
            reader.row(Found { pid, tid: None, stat, cmdline, origin }, out)?;
            continue;
        }
        let Some(tids) = out.gaps.unless_gone(pids::threads(root, pid)) else { continue };
        for tid in tids {
            let stat = stat::read_thread(root, pid, tid, &mut stat_buffer);
            let Some(stat) = out.gaps.unless_gone(stat) else { continue };
            reader.row(Found { pid, tid: Some(tid), stat, cmdline, origin }, out)?;
        }
    }
    Ok(())
}

/// Process or thread, as it was found.
struct Found<'a> {
    pid: Pid,
    /// Present in a list of threads.
    tid: Option<Pid>,
    stat: Stat<'a>,
    cmdline: Cmdline<'a>,
    /// `None`: its cgroup could not be read.
    origin: Option<Origin>,
}

/// Completes what was found to rows.
struct Reader<'s> {
    sources: &'s Sources,
    details: bool,
    names: Names,
    buffer: Buffer,
}

impl Reader<'_> {
    fn row(&mut self, found: Found<'_>, out: &mut Out<v1::ListProcessesResponse>) -> Result<(), Halt> {
        let root = self.sources.root();
        let uid = match found.tid {
            None => owner::read(root, found.pid),
            Some(tid) => owner::read_thread(root, found.pid, tid),
        };
        let Some(uid) = out.gaps.unless_gone(uid) else { return Ok(()) };
        out.room()?;
        let details = match self.details {
            true => match out.gaps.unless_gone(self.details(&found)) {
                Some(details) => Some(details),
                None => return Ok(()),
            },
            false => None,
        };
        if details.as_ref().is_some_and(|details| details.wait_channel.is_none()) {
            out.gaps.add("wait channels", "not told by the kernel (needs CAP_SYS_PTRACE)");
        }
        let user = self.names.name(uid, found.origin, &mut out.gaps);
        out.row(message(&found, uid, user, details, self.sources.units()))
    }

    fn details(&mut self, found: &Found<'_>) -> Result<v1::ProcessDetails, ReadError> {
        let root = self.sources.root();
        let swap_bytes = status::read(root, found.pid, &mut self.buffer)?.swap_bytes;
        let wait_channel = match found.tid {
            None => wchan::read(root, found.pid, &mut self.buffer),
            Some(tid) => wchan::read_thread(root, found.pid, tid, &mut self.buffer),
        };
        let wait_channel = match wait_channel {
            // The kernel writes the same for "does not sleep" and for "you may not know".
            Ok(None) if found.stat.state == State::Running || found.stat.state.has_ended() => {
                Some(String::new())
            }
            Err(error) if !error.is_denied() => return Err(error),
            other => other.ok().flatten(),
        };
        Ok(v1::ProcessDetails { swap_bytes, wait_channel })
    }
}

/// The names of the target's users, or why there are none.
enum Names {
    Known(Users),
    Unreadable(ReadError),
}

impl Names {
    /// Reads them once for an answer. If processes of others are wanted, too, an absent target is no
    /// error: what is left in the PID namespace may explain where it went.
    fn of(sources: &Sources, all: bool) -> Result<Self, ProbeError> {
        let init = match sources.target_init() {
            Err(ProbeError::TargetGone) if all => return Ok(Self::Known(Users::default())),
            init => init?,
        };
        Ok(match passwd::read(sources.root(), init, &mut Buffer::default()) {
            Ok(users) => Self::Known(users),
            // A distroless image may well be without: then its users have no names.
            Err(error) if error.is_gone() => Self::Known(Users::default()),
            Err(error) => Self::Unreadable(error),
        })
    }

    /// The name of a user, if it is the target's to name.
    fn name(&self, uid: u32, origin: Option<Origin>, gaps: &mut Gaps) -> Option<&[u8]> {
        if origin != Some(Origin::Target) {
            return None;
        }
        match self {
            Self::Known(users) => users.name(uid),
            Self::Unreadable(error) => {
                gaps.add_error("user names", error);
                None
            }
        }
    }
}

fn header(moment: Moment) -> v1::ProcessListHeader {
    v1::ProcessListHeader {
        sampled_boottime_nanos: moment.boottime_nanos,
        sampled_unix_nanos: moment.unix_nanos,
    }
}

fn message(
    found: &Found<'_>,
    uid: u32,
    user: Option<&[u8]>,
    details: Option<v1::ProcessDetails>,
    units: Units,
) -> v1::Process {
    let stat = &found.stat;
    v1::Process {
        pid: found.pid.0,
        parent_pid: stat.parent.0,
        tid: found.tid.map(|tid| tid.0),
        uid,
        user: user.map(<[u8]>::to_vec),
        state: state(stat.state).into(),
        user_time_nanos: units.ticks_to_nanos(stat.user_time_ticks),
        system_time_nanos: units.ticks_to_nanos(stat.system_time_ticks),
        started_boottime_nanos: units.ticks_to_nanos(stat.started_ticks),
        resident_bytes: units.pages_to_bytes(stat.resident_pages),
        virtual_bytes: stat.virtual_bytes,
        threads: stat.threads,
        nice: stat.nice,
        command: stat.command.to_vec(),
        arguments: found.cmdline.arguments().map(<[u8]>::to_vec).collect(),
        arguments_cut: found.cmdline.cut,
        kernel_thread: stat.is_kernel_thread(),
        origin: origin_message(found.origin).into(),
        details,
    }
}

pub(super) fn state(state: State) -> v1::ProcessState {
    match state {
        State::Running => v1::ProcessState::Running,
        State::Sleeping => v1::ProcessState::Sleeping,
        State::DiskSleep => v1::ProcessState::DiskSleep,
        State::Zombie => v1::ProcessState::Zombie,
        State::Stopped => v1::ProcessState::Stopped,
        State::Traced => v1::ProcessState::Traced,
        State::Dead => v1::ProcessState::Dead,
        State::Idle => v1::ProcessState::Idle,
        State::Parked => v1::ProcessState::Parked,
        State::Other(_) => v1::ProcessState::Other,
    }
}

pub(super) fn origin_message(origin: Option<Origin>) -> v1::ProcessOrigin {
    match origin {
        Some(Origin::Target) => v1::ProcessOrigin::Target,
        Some(Origin::Dbgctl) => v1::ProcessOrigin::Dbgctl,
        Some(Origin::Other) => v1::ProcessOrigin::Other,
        None => v1::ProcessOrigin::Unspecified,
    }
}

//! `ListStacks`: where the threads of the target run or wait.

mod about;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dbgctl_linux::procfs::fd::{self, Descriptors, Kind};
use dbgctl_linux::procfs::schedstat::{self, SchedStat};
use dbgctl_linux::procfs::stat::{self, Stat, State};
use dbgctl_linux::procfs::syscall::{self, Activity, Place};
use dbgctl_linux::procfs::{pids, wchan};
use dbgctl_linux::{Buffer, Pid, ReadError, syscall_names};
use dbgctl_proto::v1;
use dbgctl_proto::v1::ThreadActivity;
use dbgctl_proto::v1::stack_service_server::{StackService, StackServiceServer};
use tonic::{Request, Response, Status};

use super::{processes, sample};
use crate::error::ProbeError;
use crate::gaps::{self, Gaps};
use crate::listing;
use crate::socket_names::SocketNames;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded, sampled};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> StackServiceServer<Stacks> {
    StackServiceServer::new(Stacks::new(sources))
}

/// Answers `ListStacks`.
#[derive(Debug)]
pub struct Stacks {
    sources: Arc<Sources>,
}

impl Stacks {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl StackService for Stacks {
    type ListStacksStream = Bounded<v1::ListStacksResponse>;

    async fn list_stacks(
        &self,
        request: Request<v1::ListStacksRequest>,
    ) -> Result<Response<Self::ListStacksStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let wanted = request.into_inner();
        let lasts = match wanted.sample_millis {
            0 => None,
            millis => Some(sample::length(millis).map_err(ProbeError::from)?),
        };
        let sources = Arc::clone(&self.sources);
        let Some(lasts) = lasts else {
            return Ok(Response::new(bounded(terms, move |out| collect(&sources, &wanted.pids, None, out))));
        };
        let (sources_before, pids) = (Arc::clone(&sources), wanted.pids.clone());
        let before = move |_: &mut Out<_>| Sample::begin(&sources_before, &pids);
        let after = move |sample, out: &mut Out<_>| collect(&sources, &wanted.pids, Some(sample), out);
        Ok(Response::new(sampled(terms, lasts, before, after)))
    }
}

fn collect(
    sources: &Sources,
    pids: &[u32],
    sample: Option<Sample>,
    out: &mut Out<v1::ListStacksResponse>,
) -> Result<(), Halt> {
    let mut reader = Reader { sources, sample, sockets: SocketNames::default(), buffer: Buffer::default() };
    out.gaps.add("kernel stacks", "need CAP_SYS_ADMIN, which dbgctl never takes");
    let mut buffer = Buffer::default();
    listing::processes(sources, pids, out, |process, out| {
        if !process.has_memory() {
            return Ok(());
        }
        let (root, pid) = (sources.root(), process.pid);
        let Some(tids) = out.gaps.unless_gone(pids::threads(root, pid)) else { return Ok(()) };
        let mut descriptors = OfProcess::default();
        for tid in tids {
            out.room()?;
            let read = stat::read_thread(root, pid, tid, &mut buffer)
                .and_then(|thread| reader.thread(process, &thread, &mut descriptors, &mut out.gaps));
            match read {
                Ok(row) => out.row(row)?,
                Err(error) if error.is_gone() => out.gaps.add("threads", gaps::ENDED),
                Err(error) => out.gaps.add_error("threads", &error),
            }
        }
        Ok(())
    })
}

/// How much each thread had run when the sample began.
struct Sample {
    began: Instant,
    before: HashMap<(Pid, Pid), SchedStat>,
}

impl Sample {
    /// Reads all threads.
    fn begin(sources: &Sources, wanted: &[u32]) -> Result<Self, Halt> {
        let (root, mut buffer, mut before) = (sources.root(), Buffer::default(), HashMap::new());
        let began = Instant::now();
        for pid in listing::pids(sources, wanted)? {
            // What can not be read now has no figure later; why, the list itself says.
            for tid in pids::threads(root, pid).unwrap_or_default() {
                if let Ok(Some(stat)) = schedstat::read_thread(root, pid, tid, &mut buffer) {
                    before.insert((pid, tid), stat);
                }
            }
        }
        Ok(Self { began, before })
    }

    fn run(&self, pid: Pid, tid: Pid, now: SchedStat) -> Option<v1::ThreadRun> {
        let before = self.before.get(&(pid, tid))?;
        Some(v1::ThreadRun {
            sampled_nanos: self.began.elapsed().as_nanos().try_into().ok()?,
            // A thread id may have been given again.
            ran_nanos: now.run_nanos.checked_sub(before.run_nanos)?,
            waited_nanos: now.wait_nanos.checked_sub(before.wait_nanos)?,
            timeslices: now.timeslices.checked_sub(before.timeslices)?,
        })
    }
}

/// The descriptors of the process whose threads are read, opened when the first of them is needed.
#[derive(Default)]
struct OfProcess {
    descriptors: Option<Option<Descriptors>>,
}

struct Reader<'s> {
    sources: &'s Sources,
    sample: Option<Sample>,
    sockets: SocketNames,
    buffer: Buffer,
}

impl Reader<'_> {
    fn thread(
        &mut self,
        process: &Stat<'_>,
        thread: &Stat<'_>,
        of_process: &mut OfProcess,
        gaps: &mut Gaps,
    ) -> Result<v1::ThreadStack, ReadError> {
        let (root, pid, tid) = (self.sources.root(), process.pid, thread.pid);
        let activity = match syscall::read_thread(root, pid, tid, &mut self.buffer) {
            Err(error) if error.is_denied() => {
                gaps.add_error("system calls", &error);
                None
            }
            activity => Some(activity?),
        };
        let wait_channel = match wchan::read_thread(root, pid, tid, &mut self.buffer) {
            // The kernel writes the same for "does not sleep" and for "you may not know".
            Ok(None) if thread.state == State::Running || activity == Some(Activity::Running) => {
                Some(String::new())
            }
            Err(error) if !error.is_denied() => return Err(error),
            other => other.ok().flatten(),
        };
        if wait_channel.is_none() {
            gaps.add("wait channels", "not told by the kernel");
        }
        let run = match &self.sample {
            Some(sample) => match schedstat::read_thread(root, pid, tid, &mut self.buffer) {
                Ok(now) => sample.run(pid, tid, now.unwrap_or_default()),
                Err(error) => {
                    gaps.add_error("how much threads ran", &error);
                    None
                }
            },
            None => None,
        };
        let (mut place, mut system_call) = (None, None);
        let activity = match activity {
            None => ThreadActivity::Unspecified,
            Some(Activity::Running) => ThreadActivity::Running,
            Some(Activity::Waiting(at)) => {
                place = Some(at);
                ThreadActivity::Waiting
            }
            Some(Activity::Call { number, arguments, place: at }) => {
                place = Some(at);
                system_call = Some(self.system_call(pid, number, arguments, of_process, gaps));
                ThreadActivity::SystemCall
            }
        };
        Ok(v1::ThreadStack {
            pid: pid.0,
            tid: tid.0,
            command: process.command.to_vec(),
            thread: thread.command.to_vec(),
            state: processes::state(thread.state).into(),
            wait_channel,
            activity: activity.into(),
            system_call,
            stack_pointer: place.map(|place: Place| place.stack_pointer),
            instruction_pointer: place.map(|place| place.instruction_pointer),
            run,
        })
    }

    fn system_call(
        &mut self,
        pid: Pid,
        number: u64,
        arguments: [u64; 6],
        of_process: &mut OfProcess,
        gaps: &mut Gaps,
    ) -> v1::SystemCall {
        let name = syscall_names::name(number).unwrap_or_default();
        let about = about::about(name, arguments, |fd| self.descriptor(pid, fd, of_process, gaps));
        v1::SystemCall { number, name: name.to_owned(), arguments: arguments.to_vec(), about }
    }

    /// `fd 5 = pipe:[4242]`, or `fd 5` if it can not be told what that is.
    fn descriptor(&mut self, pid: Pid, number: u32, of_process: &mut OfProcess, gaps: &mut Gaps) -> Vec<u8> {
        let root = self.sources.root();
        let opened = of_process.descriptors.get_or_insert_with(|| fd::open(root, pid).ok());
        let mut text = format!("fd {number}").into_bytes();
        let Some(descriptors) = opened else { return text };
        let Ok(Some(link)) = descriptors.link(number, &mut self.buffer) else { return text };
        text.extend_from_slice(b" = ");
        let socket = match link.kind {
            Kind::Socket(inode) => self.sockets.get(inode, root, gaps),
            _ => None,
        };
        let Some(socket) = socket else {
            text.extend_from_slice(link.name);
            return text;
        };
        text.extend_from_slice(socket.protocol.as_bytes());
        text.push(b' ');
        text.extend_from_slice(if socket.local.is_empty() { link.name } else { &socket.local });
        if !socket.remote.is_empty() {
            text.extend_from_slice(b" -> ");
            text.extend_from_slice(socket.remote.as_bytes());
        }
        text
    }
}

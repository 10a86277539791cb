//! Everything that is read twice.

use std::collections::HashMap;

use dbgctl_linux::cgroupfs::cpu::{self, Counters};
use dbgctl_linux::procfs::pids;
use dbgctl_linux::procfs::schedstat::{self, SchedStat};
use dbgctl_linux::procfs::stat::{self, Scheduling, Stat, State};
use dbgctl_linux::procfs::status::{self, Switches};
use dbgctl_linux::procfs::system_stat::{self, Cpus};
use dbgctl_linux::{Buffer, Pid, ReadError, Root};
use dbgctl_proto::v1;

use super::OF_CGROUP;
use crate::listing;
use crate::probes::cgroup;
use crate::sources::Sources;
use crate::stream::{Halt, Out};

/// What is asked of each task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    /// The whole of each thread, not only of each process.
    pub(super) threads: bool,
    /// Context switches.
    pub(super) switches: bool,
}

/// One of the two.
pub(super) struct Reading {
    /// When it was begun.
    pub(super) boottime_nanos: u64,
    /// `None`: not readable.
    pub(super) cgroup: Option<Counters>,
    /// `None`: not readable.
    pub(super) machine: Option<Cpus>,
    pub(super) processes: HashMap<Pid, Process>,
}

/// A process, and what of its threads was asked for.
pub(super) struct Process {
    pub(super) task: Task,
    pub(super) threads: Vec<Thread>,
}

/// A thread, of which more than the account is read if a list of threads is asked for.
pub(super) struct Thread {
    pub(super) tid: Pid,
    pub(super) account: Account,
    pub(super) task: Option<Task>,
}

/// What `stat` says of a process or thread.
pub(super) struct Task {
    pub(super) boottime_nanos: u64,
    pub(super) command: Box<[u8]>,
    pub(super) state: State,
    pub(super) started_ticks: u64,
    pub(super) user_ticks: u64,
    pub(super) system_ticks: u64,
    pub(super) nice: i32,
    pub(super) threads: u32,
    pub(super) scheduling: Option<Scheduling>,
}

/// What the scheduler counts of a thread. `None`: this kernel does not, or it was not asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    pub(super) times: Option<SchedStat>,
    pub(super) switches: Option<Switches>,
}

impl Reading {
    /// Reads everything.
    pub(super) fn take(sources: &Sources, of: Of, out: &mut Out<v1::ListCpuResponse>) -> Result<Self, Halt> {
        let mut buffer = Buffer::default();
        let init = sources.target_init()?;
        let boottime_nanos = sources.now().boottime_nanos;
        let cgroup = cgroup::find(sources, init, OF_CGROUP, &mut buffer, &mut out.gaps);
        let cgroup = cgroup
            .and_then(|cgroup| out.gaps.unless_absent(OF_CGROUP, cpu::read_counters(&cgroup, &mut buffer)));
        let machine = system_stat::read(sources.root(), &mut buffer);
        let machine = out.gaps.unless_absent("CPU of the machine", machine);
        let mut processes = HashMap::new();
        listing::processes(sources, &[], out, |stat, out| {
            let task = Task::of(stat, sources);
            let threads = threads(sources, stat, of, &mut buffer);
            if let Some(threads) = out.gaps.unless_gone(threads) {
                processes.insert(stat.pid, Process { task, threads });
            }
            Ok(())
        })?;
        Ok(Self { boottime_nanos, cgroup, machine, processes })
    }
}

impl Task {
    fn of(stat: &Stat<'_>, sources: &Sources) -> Self {
        Self {
            boottime_nanos: sources.now().boottime_nanos,
            command: stat.command.into(),
            state: stat.state,
            started_ticks: stat.started_ticks,
            user_ticks: stat.user_time_ticks,
            system_ticks: stat.system_time_ticks,
            nice: stat.nice,
            threads: stat.threads,
            scheduling: stat.scheduling(),
        }
    }
}

fn threads(
    sources: &Sources,
    process: &Stat<'_>,
    of: Of,
    buffer: &mut Buffer,
) -> Result<Vec<Thread>, ReadError> {
    let (root, pid) = (sources.root(), process.pid);
    // Most processes have one thread, whose number is known.
    let tids = if process.threads == 1 { vec![pid] } else { pids::threads(root, pid)? };
    let mut threads = Vec::with_capacity(tids.len());
    for tid in tids {
        let thread = || -> Result<Thread, ReadError> {
            let task = match of.threads {
                true => Some(Task::of(&stat::read_thread(root, pid, tid, buffer)?, sources)),
                false => None,
            };
            Ok(Thread { tid, account: account(root, pid, tid, of, buffer)?, task })
        };
        // Threads come and go all the time; the process's own times have those that went.
        match unless_gone(thread)? {
            Some(thread) => threads.push(thread),
            None => continue,
        }
    }
    Ok(threads)
}

fn unless_gone<T>(read: impl FnOnce() -> Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match read() {
        Err(error) if error.is_gone() => Ok(None),
        read => read.map(Some),
    }
}

fn account(root: &Root, pid: Pid, tid: Pid, of: Of, buffer: &mut Buffer) -> Result<Account, ReadError> {
    // A kernel without CONFIG_SCHED_INFO has no such file.
    let times = unless_gone(|| schedstat::read_thread(root, pid, tid, buffer))?.flatten();
    let switches = match of.switches {
        true => Some(status::read_switches(root, pid, tid, buffer)?),
        false => None,
    };
    Ok(Account { times, switches })
}

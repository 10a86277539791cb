//! From two readings to rows.

use std::collections::HashMap;

use dbgctl_linux::procfs::schedstat::SchedStat;
use dbgctl_linux::procfs::stat::{Policy, Scheduling};
use dbgctl_linux::procfs::status::Switches;
use dbgctl_linux::{Pid, Units};
use dbgctl_proto::v1;

use super::reading::{Account, Of, Process, Task, Thread};
use crate::gaps::{self, Gaps};
use crate::probes::processes::state;
use crate::probes::sample::grown;

/// What two readings say of the target's tasks.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rows: Vec<v1::TaskCpu>,
    /// The sum over all processes.
    pub(super) used: v1::TaskCpuUse,
    /// The thread that ran longest, without its name.
    pub(super) busiest: Option<v1::BusiestThread>,
}

impl Found {
    /// All that is there `after`. What was there before and is no more is a gap.
    pub(super) fn between(
        before: &HashMap<Pid, Process>,
        after: HashMap<Pid, Process>,
        of: Of,
        units: Units,
        gaps: &mut Gaps,
    ) -> Self {
        // A pid may have been given to another process: that one is new, and the old one has ended.
        let same = |pid: &Pid, process: &Process| {
            before.get(pid).filter(|before| before.task.started_ticks == process.task.started_ticks)
        };
        let stayed = after.iter().filter(|(pid, process)| same(pid, process).is_some()).count();
        (stayed..before.len()).for_each(|_| gaps.add("processes", gaps::ENDED));
        let mut found = Self::default();
        for (pid, process) in after {
            let before = same(&pid, &process);
            let row = found.process(pid, &process, before, units);
            if !of.threads {
                found.rows.push(row);
                continue;
            }
            let before = before.map_or(&[][..], |before| &before.threads);
            let threads = process.threads.iter();
            found.rows.extend(threads.filter_map(|it| thread_row(pid, it, thread_in(before, it), units)));
            ended(before, &process.threads).for_each(|_| gaps.add("threads", gaps::ENDED));
        }
        found
    }

    /// Counts a process, and makes a row of it.
    fn process(
        &mut self,
        pid: Pid,
        process: &Process,
        before: Option<&Process>,
        units: Units,
    ) -> v1::TaskCpu {
        let (threads, earlier) = (&process.threads, before.map_or(&[][..], |before| &before.threads));
        let grown = || threads.iter().map(|thread| (growth(thread, thread_in(earlier, thread)), thread));
        let account = sum(threads.iter().map(|thread| thread.account));
        let over_sample = match ended(earlier, threads).next() {
            // What it ran since the first reading is not known.
            Some(_) => Account::default(),
            None => sum(grown().map(|(account, _)| account)),
        };
        let row = row(pid, &process.task, before.map(|before| &before.task), over_sample, account, units);
        add(&mut self.used, row.over_sample.as_ref());
        let ran = grown().filter_map(|(account, thread)| Some((account.times?.run_nanos, thread.tid.0)));
        let most = self.busiest.as_ref().map_or(0, |busiest| busiest.run_nanos);
        if let Some((run_nanos, tid)) = ran.max().filter(|(run_nanos, _)| *run_nanos > most) {
            let sampled_nanos = row.sampled_nanos;
            let busiest =
                v1::BusiestThread { pid: pid.0, tid, command: Vec::new(), run_nanos, sampled_nanos };
            self.busiest = Some(busiest);
        }
        row
    }
}

fn add(sum: &mut v1::TaskCpuUse, more: Option<&v1::TaskCpuUse>) {
    let Some(more) = more else { return };
    let either = |sum: Option<u64>, more: Option<u64>| match (sum, more) {
        (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
        (sum, more) => sum.or(more),
    };
    *sum = v1::TaskCpuUse {
        user_nanos: sum.user_nanos.saturating_add(more.user_nanos),
        system_nanos: sum.system_nanos.saturating_add(more.system_nanos),
        run_nanos: either(sum.run_nanos, more.run_nanos),
        wait_nanos: either(sum.wait_nanos, more.wait_nanos),
        timeslices: either(sum.timeslices, more.timeslices),
        voluntary_switches: either(sum.voluntary_switches, more.voluntary_switches),
        involuntary_switches: either(sum.involuntary_switches, more.involuntary_switches),
    };
}

/// CPU time over the sample, as exactly as it is known.
pub(super) fn used_nanos(row: &v1::TaskCpu) -> u64 {
    let used = row.over_sample.unwrap_or_default();
    used.run_nanos.unwrap_or_else(|| used.user_nanos.saturating_add(used.system_nanos))
}

fn thread_row(pid: Pid, thread: &Thread, before: Option<&Thread>, units: Units) -> Option<v1::TaskCpu> {
    let task = thread.task.as_ref()?;
    let grown = growth(thread, before);
    let row = row(pid, task, before.and_then(|before| before.task.as_ref()), grown, thread.account, units);
    Some(v1::TaskCpu { tid: Some(thread.tid.0), ..row })
}

fn row(
    pid: Pid,
    task: &Task,
    before: Option<&Task>,
    grown_account: Account,
    account: Account,
    units: Units,
) -> v1::TaskCpu {
    let since =
        |ticks: u64, before: Option<u64>| units.ticks_to_nanos(ticks.saturating_sub(before.unwrap_or(0)));
    let user_nanos = since(task.user_ticks, before.map(|before| before.user_ticks));
    let system_nanos = since(task.system_ticks, before.map(|before| before.system_ticks));
    let started_boottime_nanos = units.ticks_to_nanos(task.started_ticks);
    let begun = before.map_or(started_boottime_nanos, |before| before.boottime_nanos);
    let scheduling = task.scheduling;
    v1::TaskCpu {
        pid: pid.0,
        tid: None,
        command: task.command.to_vec(),
        state: state(task.state).into(),
        started_boottime_nanos,
        sampled_nanos: task.boottime_nanos.saturating_sub(begun),
        started_within_sample: before.is_none(),
        over_sample: Some(use_message(user_nanos, system_nanos, grown_account)),
        since_start: Some(use_message(since(task.user_ticks, None), since(task.system_ticks, None), account)),
        last_cpu: scheduling.map(|scheduling| scheduling.last_cpu),
        policy: scheduling.map(policy).map(i32::from),
        realtime_priority: scheduling.map(|scheduling| scheduling.realtime_priority),
        nice: task.nice,
        threads: task.threads,
    }
}

fn use_message(user_nanos: u64, system_nanos: u64, account: Account) -> v1::TaskCpuUse {
    v1::TaskCpuUse {
        user_nanos,
        system_nanos,
        run_nanos: account.times.map(|times| times.run_nanos),
        wait_nanos: account.times.map(|times| times.wait_nanos),
        timeslices: account.times.map(|times| times.timeslices),
        voluntary_switches: account.switches.map(|switches| switches.voluntary),
        involuntary_switches: account.switches.map(|switches| switches.involuntary),
    }
}

/// The same thread in a list of threads, if it was there. Threads are listed by ascending number.
///
/// Where only accounts were read, what tells a thread from another of the same number is that no count of it is
/// lower than before.
fn thread_in<'t>(before: &'t [Thread], thread: &Thread) -> Option<&'t Thread> {
    let at = before.binary_search_by_key(&thread.tid, |before| before.tid).ok()?;
    let started = |thread: &Thread| thread.task.as_ref().map(|task| task.started_ticks);
    let before = before.get(at)?;
    let goes_on = |before: Account, after: Account| {
        let slices = |account: Account| account.times.map_or(0, |times| times.timeslices);
        let run = |account: Account| account.times.map_or(0, |times| times.run_nanos);
        slices(before) <= slices(after) && run(before) <= run(after)
    };
    (started(before) == started(thread) && goes_on(before.account, thread.account)).then_some(before)
}

/// The threads of `before` that are not there any more.
fn ended<'t>(before: &'t [Thread], after: &'t [Thread]) -> impl Iterator<Item = &'t Thread> {
    let stayed = |earlier: &&Thread| {
        let at = after.binary_search_by_key(&earlier.tid, |thread| thread.tid);
        at.ok()
            .and_then(|at| after.get(at))
            .is_some_and(|thread| thread_in(std::slice::from_ref(earlier), thread).is_some())
    };
    before.iter().filter(move |earlier| !stayed(earlier))
}

/// What a thread's counters grew by; all of them if it was not there `before`.
fn growth(thread: &Thread, before: Option<&Thread>) -> Account {
    let earlier = before.map(|before| before.account).unwrap_or_default();
    let times = thread.account.times.map(|times| {
        let before = earlier.times.unwrap_or_default();
        SchedStat {
            run_nanos: grown(Some(before.run_nanos), Some(times.run_nanos)).unwrap_or(0),
            wait_nanos: grown(Some(before.wait_nanos), Some(times.wait_nanos)).unwrap_or(0),
            timeslices: grown(Some(before.timeslices), Some(times.timeslices)).unwrap_or(0),
        }
    });
    let switches = thread.account.switches.map(|switches| {
        let before = earlier.switches.unwrap_or_default();
        Switches {
            voluntary: switches.voluntary.saturating_sub(before.voluntary),
            involuntary: switches.involuntary.saturating_sub(before.involuntary),
        }
    });
    Account { times, switches }
}

/// A thread that never ran has no times, and adds nothing.
fn sum(accounts: impl Iterator<Item = Account>) -> Account {
    accounts.fold(Account::default(), |sum, account| Account {
        times: match (sum.times, account.times) {
            (Some(sum), Some(times)) => Some(SchedStat {
                run_nanos: sum.run_nanos.saturating_add(times.run_nanos),
                wait_nanos: sum.wait_nanos.saturating_add(times.wait_nanos),
                timeslices: sum.timeslices.saturating_add(times.timeslices),
            }),
            (sum, times) => sum.or(times),
        },
        switches: match (sum.switches, account.switches) {
            (Some(sum), Some(switches)) => Some(Switches {
                voluntary: sum.voluntary.saturating_add(switches.voluntary),
                involuntary: sum.involuntary.saturating_add(switches.involuntary),
            }),
            (sum, switches) => sum.or(switches),
        },
    })
}

fn policy(scheduling: Scheduling) -> v1::SchedulingPolicy {
    match scheduling.policy {
        Policy::Other => v1::SchedulingPolicy::Other,
        Policy::Fifo => v1::SchedulingPolicy::Fifo,
        Policy::RoundRobin => v1::SchedulingPolicy::RoundRobin,
        Policy::Batch => v1::SchedulingPolicy::Batch,
        Policy::Idle => v1::SchedulingPolicy::Idle,
        Policy::Deadline => v1::SchedulingPolicy::Deadline,
        Policy::Unknown(_) => v1::SchedulingPolicy::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use dbgctl_linux::procfs::stat::State;

    use super::*;

    const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };
    const OF_PROCESSES: Of = Of { threads: false, switches: false };
    const OF_THREADS: Of = Of { threads: true, switches: false };

    fn task(started_ticks: u64, ticks: u64, at_nanos: u64) -> Task {
        Task {
            boottime_nanos: at_nanos,
            command: b"x".as_slice().into(),
            state: State::Running,
            started_ticks,
            user_ticks: ticks,
            system_ticks: 0,
            nice: 0,
            threads: 1,
            scheduling: None,
        }
    }

    fn thread(tid: u32, started_ticks: u64, run_nanos: u64) -> Thread {
        let times = SchedStat { run_nanos, wait_nanos: run_nanos / 2, timeslices: 1 + run_nanos / 100 };
        let account = Account { times: Some(times), switches: None };
        Thread { tid: Pid(tid), account, task: Some(task(started_ticks, run_nanos / 10_000_000, 0)) }
    }

    /// A process that started then, used so many ticks and has those threads.
    fn process(started_ticks: u64, ticks: u64, at_nanos: u64, threads: Vec<Thread>) -> Process {
        Process { task: task(started_ticks, ticks, at_nanos), threads }
    }

    fn between(before: Vec<(u32, Process)>, after: Vec<(u32, Process)>, of: Of) -> (Found, Vec<v1::Gap>) {
        let map = |processes: Vec<(u32, Process)>| {
            processes.into_iter().map(|(pid, process)| (Pid(pid), process)).collect::<HashMap<_, _>>()
        };
        let mut gaps = Gaps::lacking(&[]);
        let found = Found::between(&map(before), map(after), of, UNITS, &mut gaps);
        (found, gaps.message())
    }

    fn run(row: &v1::TaskCpu) -> Option<u64> {
        row.over_sample.unwrap().run_nanos
    }

    #[test]
    fn what_was_used_within_the_sample_is_the_difference_and_since_the_start_the_whole() {
        let before = process(10, 100, 1_000, vec![thread(7, 10, 500)]);
        let after = process(10, 103, 2_000, vec![thread(7, 10, 800), thread(8, 15, 50)]);
        let (found, gaps) = between(vec![(7, before)], vec![(7, after)], OF_PROCESSES);
        let row = &found.rows[0];
        assert_eq!(
            (row.over_sample.unwrap().user_nanos, row.since_start.unwrap().user_nanos),
            (30_000_000, 1_030_000_000)
        );
        assert_eq!((run(row), row.sampled_nanos, row.started_within_sample), (Some(350), 1_000, false));
        let busiest = found.busiest.unwrap();
        assert_eq!((busiest.tid, busiest.run_nanos, found.used.run_nanos), (7, 300, Some(350)));
        assert!(gaps.is_empty());
    }

    #[test]
    fn a_pid_that_was_given_to_another_process_is_a_new_process_and_a_gap() {
        let before = process(10, 9_000, 100_000_000, vec![thread(7, 10, 9_000_000_000)]);
        let after = process(20, 1, 400_000_000, vec![thread(7, 20, 1_000)]);
        let (found, gaps) = between(vec![(7, before)], vec![(7, after)], OF_PROCESSES);
        let row = &found.rows[0];
        assert_eq!(
            (run(row), row.sampled_nanos, row.started_within_sample),
            (Some(1_000), 200_000_000, true)
        );
        assert_eq!((gaps[0].subject.as_str(), gaps[0].count), ("processes", 1));
    }

    #[test]
    fn where_a_thread_ended_its_time_is_in_the_ticks_and_the_exact_figure_absent() {
        let before = process(10, 100, 1_000, vec![thread(7, 10, 500), thread(8, 10, 500)]);
        let after = process(10, 101, 2_000, vec![thread(7, 10, 800)]);
        let (found, _) = between(vec![(7, before)], vec![(7, after)], OF_PROCESSES);
        assert_eq!((run(&found.rows[0]), used_nanos(&found.rows[0])), (None, 10_000_000));
    }

    #[test]
    fn threads_are_told_apart_by_number_and_start() {
        let before = process(10, 0, 1_000, vec![thread(7, 10, 500), thread(8, 10, 100), thread(9, 10, 100)]);
        let after = process(10, 0, 2_000, vec![thread(7, 10, 800), thread(8, 99, 150)]);
        let (found, gaps) = between(vec![(7, before)], vec![(7, after)], OF_THREADS);
        let rows: Vec<_> = found.rows.iter().map(|row| (row.tid.unwrap(), run(row).unwrap())).collect();
        assert_eq!(rows, [(7, 300), (8, 150)], "8 is another thread now");
        assert_eq!((gaps[0].subject.as_str(), gaps[0].count), ("threads", 2));
    }

    #[test]
    fn a_kernel_that_counts_nothing_leaves_the_ticks() {
        let silent = || Thread { account: Account::default(), ..thread(7, 10, 0) };
        let before = process(10, 100, 1_000, vec![silent()]);
        let after = process(10, 102, 2_000, vec![silent()]);
        let (found, _) = between(vec![(7, before)], vec![(7, after)], OF_PROCESSES);
        assert_eq!((run(&found.rows[0]), used_nanos(&found.rows[0])), (None, 20_000_000));
        assert!(found.busiest.is_none());
    }
}

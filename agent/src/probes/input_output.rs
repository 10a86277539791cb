//! `ListIo`: the input and output of the target over a sample, by process, and by device of its control group.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dbgctl_linux::cgroupfs::io::{self as cgroup_io, Ceilings, Counters, Device};
use dbgctl_linux::cgroupfs::{Cgroup, Limit};
use dbgctl_linux::procfs::io::{self, Io};
use dbgctl_linux::procfs::stat::{self, Stat, State};
use dbgctl_linux::procfs::{partitions, sys_kernel};
use dbgctl_linux::{Buffer, Pid, Units};
use dbgctl_proto::v1;
use dbgctl_proto::v1::io_service_server::{IoService, IoServiceServer};
use tonic::{Request, Response, Status};

use super::cgroup::{self, limit_message, pressure_message, version_number};
use super::processes::state;
use super::sample;
use crate::error::ProbeError;
use crate::gaps::{self, Gaps};
use crate::listing;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, sampled};

const OF_CGROUP: &str = "I/O of the cgroup";
const OF_PROCESS: &str = "I/O of processes";

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> IoServiceServer<InputOutput> {
    IoServiceServer::new(InputOutput::new(sources))
}

/// Answers `ListIo`.
#[derive(Debug)]
pub struct InputOutput {
    sources: Arc<Sources>,
}

impl InputOutput {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl IoService for InputOutput {
    type ListIoStream = Bounded<v1::ListIoResponse>;

    async fn list_io(
        &self,
        request: Request<v1::ListIoRequest>,
    ) -> Result<Response<Self::ListIoStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let sample = sample::length(request.get_ref().sample_millis).map_err(ProbeError::from)?;
        let (first, second) = (Arc::clone(&self.sources), Arc::clone(&self.sources));
        let before = move |out: &mut Out<_>| Reading::take(&first, out);
        let after = move |before, out: &mut Out<_>| collect(&second, before, out);
        Ok(Response::new(sampled(terms, sample, before, after)))
    }
}

/// Everything that is read twice.
struct Reading {
    boottime_nanos: u64,
    /// `None`: not readable.
    devices: Option<BTreeMap<Device, Counters>>,
    processes: HashMap<Pid, Process>,
}

struct Process {
    boottime_nanos: u64,
    command: Box<[u8]>,
    state: State,
    started_ticks: u64,
    /// `None`: not readable.
    io: Option<Io>,
    blocked_ticks: Option<u64>,
}

impl Reading {
    fn take(sources: &Sources, out: &mut Out<v1::ListIoResponse>) -> Result<Self, Halt> {
        let (root, mut buffer) = (sources.root(), Buffer::default());
        let init = sources.target_init()?;
        let boottime_nanos = sources.now().boottime_nanos;
        let cgroup = cgroup::find(sources, init, OF_CGROUP, &mut buffer, &mut out.gaps);
        let devices = cgroup.and_then(|cgroup| {
            out.gaps.unless_absent(OF_CGROUP, cgroup_io::read_counters(&cgroup, &mut buffer))
        });
        let counts_delays = match sys_kernel::read_task_delayacct(root, &mut buffer) {
            // Older kernels count them unless told otherwise at boot.
            Err(error) => error.is_gone() && !root.is_recorded(),
            Ok(counts) => counts,
        };
        let mut processes = HashMap::new();
        listing::processes(sources, &[], out, |stat, out| {
            let io = match io::read(root, stat.pid, &mut buffer) {
                Ok(io) => Some(io),
                // Either the process is gone, or a kernel without CONFIG_TASK_IO_ACCOUNTING has no such file.
                Err(error) if error.is_gone() => {
                    let there = stat::read(root, stat.pid, &mut buffer);
                    if out.gaps.unless_gone(there).is_none() {
                        return Ok(());
                    }
                    out.gaps.add(OF_PROCESS, "not told by this kernel");
                    None
                }
                Err(error) => {
                    out.gaps.add_error(OF_PROCESS, &error);
                    None
                }
            };
            processes.insert(stat.pid, Process::of(stat, io, counts_delays, sources.now().boottime_nanos));
            Ok(())
        })?;
        Ok(Self { boottime_nanos, devices, processes })
    }
}

impl Process {
    fn of(stat: &Stat<'_>, io: Option<Io>, counts_delays: bool, boottime_nanos: u64) -> Self {
        let blocked = stat.scheduling().filter(|_| counts_delays);
        Self {
            boottime_nanos,
            command: stat.command.into(),
            state: stat.state,
            started_ticks: stat.started_ticks,
            io,
            blocked_ticks: blocked.map(|scheduling| scheduling.blocked_ticks),
        }
    }
}

fn collect(sources: &Sources, before: Reading, out: &mut Out<v1::ListIoResponse>) -> Result<(), Halt> {
    let after = Reading::take(sources, out)?;
    let same = |pid: &Pid, process: &Process| {
        before.processes.get(pid).filter(|before| before.started_ticks == process.started_ticks)
    };
    let stayed = after.processes.iter().filter(|(pid, process)| same(pid, process).is_some()).count();
    (stayed..before.processes.len()).for_each(|_| out.gaps.add("processes", gaps::ENDED));
    let rows = after
        .processes
        .iter()
        .map(|(pid, process)| message(*pid, process, same(pid, process), sources.units()));
    let mut rows: Vec<_> = rows.collect();
    // What matters most comes first, also where a limit ends the list.
    rows.sort_by_cached_key(|row| (Reverse(weight(row)), row.pid));

    let header = v1::IoHeader {
        sampled_nanos: after.boottime_nanos.saturating_sub(before.boottime_nanos),
        cgroup: of_cgroup(sources, before.devices, after.devices, &mut out.gaps)?,
        over_sample: sum(&rows),
    };
    out.lead(header)?;
    rows.into_iter().try_for_each(|row| out.row(row))
}

/// What is at the top: storage first, then what was asked for, then what there was before.
fn weight(row: &v1::ProcessIo) -> (u64, u64, u64) {
    let (now, ever) = (row.over_sample.unwrap_or_default(), row.since_start.unwrap_or_default());
    (
        now.read_bytes.saturating_add(now.written_bytes),
        now.read_chars_bytes.saturating_add(now.written_chars_bytes),
        ever.read_bytes.saturating_add(ever.written_bytes),
    )
}

fn sum(rows: &[v1::ProcessIo]) -> Option<v1::IoUse> {
    rows.iter().filter_map(|row| row.over_sample).reduce(|sum, more| v1::IoUse {
        read_bytes: sum.read_bytes.saturating_add(more.read_bytes),
        written_bytes: sum.written_bytes.saturating_add(more.written_bytes),
        cancelled_bytes: sum.cancelled_bytes.saturating_add(more.cancelled_bytes),
        read_chars_bytes: sum.read_chars_bytes.saturating_add(more.read_chars_bytes),
        written_chars_bytes: sum.written_chars_bytes.saturating_add(more.written_chars_bytes),
        read_calls: sum.read_calls.saturating_add(more.read_calls),
        write_calls: sum.write_calls.saturating_add(more.write_calls),
    })
}

fn of_cgroup(
    sources: &Sources,
    before: Option<BTreeMap<Device, Counters>>,
    after: Option<BTreeMap<Device, Counters>>,
    gaps: &mut Gaps,
) -> Result<Option<v1::CgroupIo>, ProbeError> {
    let mut buffer = Buffer::default();
    let init = sources.target_init()?;
    // That it can not be found is a gap of the reading already.
    let Ok(cgroup) = sources.target_cgroup(init, &mut buffer) else { return Ok(None) };
    let names = partitions::read(sources.root(), &mut buffer);
    let names = gaps.unless_absent("names of devices", names).unwrap_or_default();
    let ceilings = ceilings(&cgroup, &mut buffer, gaps);
    let pressure =
        gaps.unless_absent("I/O pressure", cgroup_io::read_pressure(&cgroup, &mut buffer)).flatten();
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let devices: BTreeSet<_> = after.keys().chain(ceilings.keys()).copied().collect();
    let devices = devices.into_iter().map(|device| {
        let total = after.get(&device).copied().unwrap_or_default();
        let ceilings = ceilings.get(&device).copied().unwrap_or_default();
        let limit = |limit: Limit| Some(limit_message(limit));
        v1::DeviceIo {
            major: device.major,
            minor: device.minor,
            name: names.name(device).map(<[u8]>::to_vec),
            over_sample: Some(use_of_device(&before.get(&device).copied().unwrap_or_default(), &total)),
            since_start: Some(use_of_device(&Counters::default(), &total)),
            read_bytes_limit: limit(ceilings.read_bytes),
            written_bytes_limit: limit(ceilings.written_bytes),
            reads_limit: limit(ceilings.reads),
            writes_limit: limit(ceilings.writes),
        }
    });
    Ok(Some(v1::CgroupIo {
        version: version_number(cgroup.version()),
        devices: devices.collect(),
        pressure: pressure.as_ref().map(pressure_message),
    }))
}

fn ceilings(cgroup: &Cgroup<'_>, buffer: &mut Buffer, gaps: &mut Gaps) -> BTreeMap<Device, Ceilings> {
    gaps.unless_absent("I/O limits", cgroup_io::read_ceilings(cgroup, buffer)).unwrap_or_default()
}

fn use_of_device(before: &Counters, after: &Counters) -> v1::DeviceUse {
    v1::DeviceUse {
        read_bytes: after.read_bytes.saturating_sub(before.read_bytes),
        written_bytes: after.written_bytes.saturating_sub(before.written_bytes),
        reads: after.reads.saturating_sub(before.reads),
        writes: after.writes.saturating_sub(before.writes),
        discarded_bytes: after.discarded_bytes.saturating_sub(before.discarded_bytes),
    }
}

fn message(pid: Pid, process: &Process, before: Option<&Process>, units: Units) -> v1::ProcessIo {
    let started_boottime_nanos = units.ticks_to_nanos(process.started_ticks);
    let begun = before.map_or(started_boottime_nanos, |before| before.boottime_nanos);
    // All that a new process did, it did within the sample.
    let earlier = match before {
        Some(before) => before.io,
        None => Some(Io::default()),
    };
    let blocked_before = before.map_or(Some(0), |before| before.blocked_ticks);
    let blocked =
        process.blocked_ticks.zip(blocked_before).map(|(after, before)| after.saturating_sub(before));
    v1::ProcessIo {
        pid: pid.0,
        command: process.command.to_vec(),
        state: state(process.state).into(),
        started_boottime_nanos,
        sampled_nanos: process.boottime_nanos.saturating_sub(begun),
        started_within_sample: before.is_none(),
        over_sample: earlier.zip(process.io).map(|(before, after)| use_between(&before, &after)),
        since_start: process.io.map(|io| use_between(&Io::default(), &io)),
        blocked_nanos: blocked.map(|ticks| units.ticks_to_nanos(ticks)),
        total_blocked_nanos: process.blocked_ticks.map(|ticks| units.ticks_to_nanos(ticks)),
    }
}

fn use_between(before: &Io, after: &Io) -> v1::IoUse {
    v1::IoUse {
        read_bytes: after.read_bytes.saturating_sub(before.read_bytes),
        written_bytes: after.written_bytes.saturating_sub(before.written_bytes),
        cancelled_bytes: after.cancelled_bytes.saturating_sub(before.cancelled_bytes),
        read_chars_bytes: after.read_chars_bytes.saturating_sub(before.read_chars_bytes),
        written_chars_bytes: after.written_chars_bytes.saturating_sub(before.written_chars_bytes),
        read_calls: after.read_calls.saturating_sub(before.read_calls),
        write_calls: after.write_calls.saturating_sub(before.write_calls),
    }
}

//! What one tick found: the answers of several probes, asked at the same moment.

use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_SAMPLE, SHORTEST_SAMPLE};
use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{self, CgroupMemory, CpuHeader, Pressure};
use tonic::Code;

use crate::commands::Failure;
use crate::commands::agent::Agent;
use crate::commands::cgroup::limit;
use crate::commands::cpu;
use crate::commands::cpu::verdict::{Cpus, Facts};
use crate::commands::interfaces::{self, InterfaceRow};
use crate::commands::memory::headroom::{Headroom, headroom};
use crate::commands::memory::list::{self, Breakdown};
use crate::commands::processes::list::{History, Since};
use crate::commands::processes::row::ProcessRow;
use crate::commands::stream::{self, Listing};
use crate::render::closing::Closing;

/// Interfaces come first in the list of the network; its routes are not asked for.
const MOST_INTERFACES: u32 = 64;

/// The answers, as they came.
#[derive(Debug)]
pub(super) struct Replies {
    cpu: Result<Listing<v1::ListCpuResponse>, String>,
    /// All that is shown of input and output.
    io_pressure: Option<Pressure>,
    processes: Listing<v1::ListProcessesResponse>,
    memory: Result<Breakdown, String>,
    interfaces: Result<Listing<v1::ListNetworkResponse>, String>,
}

/// Asks all probes, once the CPU was looked at for `sample`. No process is disturbed: no memory map is read.
pub(super) async fn ask(agent: Agent, sample: Duration, threads: bool) -> Result<Replies, Failure> {
    let sample = sample.clamp(SHORTEST_SAMPLE, LONGEST_SAMPLE);
    let agent = agent.with_more_time(sample);
    let over_sample = v1::ListCpuRequest {
        sample_millis: u32::try_from(sample.as_millis()).unwrap_or(0),
        limit: 1,
        ..v1::ListCpuRequest::default()
    };
    let io_over_sample = v1::ListIoRequest { sample_millis: over_sample.sample_millis, limit: 1 };
    let network_over_sample =
        v1::ListNetworkRequest { sample_millis: over_sample.sample_millis, limit: MOST_INTERFACES };
    let list = v1::ListProcessesRequest { threads, ..v1::ListProcessesRequest::default() };
    let cgroup_alone = v1::ListMemoryRequest {
        limit: 1,
        biggest_to_read_bytes: Some(0),
        ..v1::ListMemoryRequest::default()
    };
    let answers = async {
        let (cpu, io, interfaces) = tokio::join!(
            stream::read(&agent, over_sample),
            stream::read::<v1::ListIoResponse>(&agent, io_over_sample),
            stream::read(&agent, network_over_sample)
        );
        let (cpu, io) = (unless_refused(cpu)?, unless_refused(io)?);
        let (processes, memory) =
            tokio::join!(stream::read(&agent, list), list::read(&agent, cgroup_alone, |_| {}),);
        Ok(Replies {
            cpu,
            io_pressure: io.ok().and_then(|answer| answer.header?.cgroup?.pressure),
            processes: processes?,
            memory: unless_refused(memory)?,
            interfaces: unless_refused(interfaces)?,
        })
    };
    agent.within_limit(answers).await
}

/// A refusal of one probe is the reason why its figures are absent. All else is the end.
fn unless_refused<T>(answer: Result<T, Failure>) -> Result<Result<T, String>, Failure> {
    let refusals = [Code::FailedPrecondition, Code::PermissionDenied, Code::Unimplemented, Code::Internal];
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Failure::Rpc(status)) if refusals.contains(&status.code()) => {
            Ok(Err(status.message().to_owned()))
        }
        Err(failure) => Err(failure),
    }
}

/// What is remembered from one tick to the next.
#[derive(Debug, Default)]
pub(super) struct Before {
    processes: History,
}

/// One tick, ready to be shown.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) unix_nanos: u64,
    pub(super) rows: Vec<ProcessRow>,
    /// From when on the CPU share of a process counts.
    pub(super) since: Since,
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) io_pressure: Option<Pressure>,
    /// `None`: not to be had.
    pub(super) interfaces: Option<Vec<InterfaceRow>>,
    /// What is absent or incomplete, and why.
    pub(super) absent: Vec<String>,
}

/// The CPU, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    pub(super) facts: Facts,
    /// Of the machine, over 1, 5 and 15 minutes.
    pub(super) load: Option<[f64; 3]>,
    pub(super) pressure: Option<Pressure>,
}

impl Cpu {
    fn of(header: &CpuHeader) -> Self {
        let machine = header.machine.unwrap_or_default();
        let load = [machine.load_1_minute, machine.load_5_minutes, machine.load_15_minutes];
        Self {
            facts: cpu::facts(header),
            load: load
                .map(|load| load.filter(|load| load.is_finite()))
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .and_then(|load| load.try_into().ok()),
            pressure: header.cgroup.as_ref().and_then(|cgroup| cgroup.pressure),
        }
    }

    /// How many CPUs it may use at most.
    pub(super) fn most(&self) -> Option<f64> {
        match self.facts.limit {
            Some(Cpus::At(limit)) => Some(limit),
            _ => self.facts.usable_cpus.map(f64::from),
        }
        .filter(|&most| most > 0.0)
    }

    /// What it uses of that, in percent.
    pub(super) fn percent(&self) -> Option<f64> {
        Some(self.facts.used_cpus? / self.most()? * 100.0)
    }
}

/// The memory, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) cgroup: Option<CgroupMemory>,
    pub(super) headroom: Option<Headroom>,
    /// Of the machine.
    pub(super) machine_bytes: Option<u64>,
}

impl Memory {
    pub(super) fn current_bytes(&self) -> Option<u64> {
        self.cgroup.as_ref()?.current_bytes
    }

    pub(super) fn limit(&self) -> Option<Limit> {
        limit(self.cgroup.as_ref()?.limit.as_ref())
    }

    /// What shares are of: the limit or, without one, the machine.
    pub(super) fn most_bytes(&self) -> Option<u64> {
        match self.limit() {
            Some(Limit::At(bytes)) => Some(bytes),
            _ => self.machine_bytes,
        }
        .filter(|&bytes| bytes > 0)
    }

    /// `bytes` in percent of that.
    pub(super) fn percent(&self, bytes: u64) -> Option<f64> {
        Some(bytes as f64 / self.most_bytes()? as f64 * 100.0)
    }
}

impl Snapshot {
    /// Works out what follows from the answers and from those `before`, and remembers them.
    pub(super) fn of(replies: Replies, before: &mut Before) -> Self {
        let Replies { cpu, io_pressure, processes, memory, interfaces } = replies;
        let mut absent = Vec::new();
        let since = if before.processes.is_empty() { Since::Start } else { Since::LastList };
        let header = processes.header.unwrap_or_default();
        note(&mut absent, "processes", &processes.closing);
        let rows = before.processes.rows(processes.header, processes.rows, None);
        let cpu = match cpu {
            Ok(answer) => {
                note(&mut absent, "CPU", &answer.closing);
                answer.header.as_ref().map_or_else(Cpu::default, Cpu::of)
            }
            Err(reason) => {
                absent.push(format!("CPU: {reason}"));
                Cpu::default()
            }
        };
        let memory = match memory {
            Ok(memory) => {
                note(&mut absent, "memory", &memory.list.closing);
                Memory {
                    headroom: headroom(memory.cgroup.as_ref(), memory.header.as_ref()),
                    machine_bytes: memory.header.and_then(|header| header.machine?.total_bytes.into()),
                    cgroup: memory.cgroup,
                }
            }
            Err(reason) => {
                absent.push(format!("memory of the cgroup: {reason}"));
                Memory::default()
            }
        };
        let interfaces = match interfaces {
            Ok(listing) => {
                note(&mut absent, "interfaces", &listing.closing);
                Some(interfaces::rows(listing.header.as_ref(), listing.rows))
            }
            Err(reason) => {
                absent.push(format!("network: {reason}"));
                None
            }
        };
        absent.extend(without_pressure(&cpu, &memory));
        Self {
            unix_nanos: header.sampled_unix_nanos,
            rows,
            since,
            cpu,
            memory,
            io_pressure,
            interfaces,
            absent,
        }
    }
}

/// Why there is no pressure, if the control group could be read and tells none.
fn without_pressure(cpu: &Cpu, memory: &Memory) -> Option<String> {
    let cgroup = memory.cgroup.as_ref().filter(|cgroup| cgroup.version > 0)?;
    if cpu.pressure.is_some() || cgroup.pressure.is_some() {
        return None;
    }
    Some(match cgroup.version {
        1 => "pressure (PSI): control groups of version 1 do not tell it".to_owned(),
        _ => "pressure (PSI): this kernel does not tell it; it may have been started with psi=0".to_owned(),
    })
}

/// What all interfaces carry together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Traffic {
    /// The name of the interface, if it is one.
    pub(super) name: Option<Vec<u8>>,
    pub(super) interfaces: usize,
    /// Bytes a second, received and transmitted. `None`: not known.
    pub(super) rates: Option<(f64, f64)>,
    /// Packets lost either way since the interfaces were made.
    pub(super) lost: u64,
}

impl Snapshot {
    /// What the interfaces carry; the loopback only if there is no other.
    pub(super) fn traffic(&self) -> Option<Traffic> {
        let all = self.interfaces.as_deref()?;
        let outward: Vec<_> = all.iter().filter(|row| row.interface.name != b"lo").collect();
        let counted = if outward.is_empty() { all.iter().collect() } else { outward };
        let lost = |row: &&InterfaceRow| {
            let received = row.interface.received.unwrap_or_default();
            let transmitted = row.interface.transmitted.unwrap_or_default();
            [received.dropped, received.errors, transmitted.dropped, transmitted.errors]
        };
        let rates = counted.iter().filter_map(|row| row.rates());
        Some(Traffic {
            name: if let [only] = counted.as_slice() { Some(only.interface.name.clone()) } else { None },
            interfaces: counted.len(),
            rates: rates.reduce(|(rx, tx), (more_rx, more_tx)| (rx + more_rx, tx + more_tx)),
            lost: counted.iter().flat_map(lost).fold(0, u64::saturating_add),
        })
    }
}

/// Adds what a summary says is missing. That rows were left out on request is no gap.
fn note(absent: &mut Vec<String>, nouns: &str, closing: &Closing) {
    let asked_for = |line: &String| line.starts_with("stopped at the limit of");
    absent.extend(closing.sentences(nouns).into_iter().filter(|line| !asked_for(line)));
    absent.extend(closing.broken_off.map(|reason| format!("{nouns}: {reason}")));
}

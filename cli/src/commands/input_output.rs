//! `io`: who reads and writes, and what holds it back.

mod row;
#[cfg(test)]
mod tests;
mod verdict;

use std::cmp::Reverse;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, CgroupIo, DeviceIo, DeviceUse, IoHeader, ProcessIo};

use self::row::IoRow;
use self::verdict::verdicts;
use super::agent::Agent;
use super::cgroup::{limit_field, pressure_field, pressure_sentence};
use super::sample::{Sample, per_second};
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Object, Output, Talk, one_line};

const EXAMPLES: &str = "\
Examples:
  dbgctl io web                  who reads and writes, and what holds it back
  dbgctl io web --sample 10s     a longer look, for what comes and goes
  dbgctl io web --watch          sample after sample
  dbgctl io web --sort total     who did most since the start
  dbgctl io web -o json | jq 'select(.header).header.cgroup.devices'

READ/S and WRITE/S are bytes that came from storage, and that are sent to storage or will be. TOTAL-READ and TOTAL-WRITE \
are the same since the start. RCHAR/S and WCHAR/S are what the program asked for: also what the page cache, pipes and \
sockets gave or took. With -o wide: calls of read(2) and write(2) per second, what was written and then never sent \
since the file was deleted (CANCELLED), and for how much of the sample the main thread waited for storage (BLOCKED%), \
which the kernel counts only with kernel.task_delayacct=1.

Below the table: each block device, with the limits of the container if it has any. A container with cgroup version 1 \
has no limit, and no account, of what goes through the page cache.

Costs two files per process, read twice. Other users' processes need level 1b.";

/// Devices that have a sentence each, at most.
const MOST_DEVICES: usize = 8;

/// Who reads and writes, and what holds it back
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    sample: Sample,

    #[command(flatten)]
    watch: Watch,

    /// Sort by this field, biggest first
    #[arg(long, value_enum, value_name = "FIELD", default_value_t)]
    sort: Sort,

    /// Show at most this many processes
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// READ/S and WRITE/S
    #[default]
    Storage,
    /// READ/S
    Read,
    /// WRITE/S
    Write,
    /// RCHAR/S and WCHAR/S
    Chars,
    /// Calls of read(2) and write(2)
    Calls,
    /// TOTAL-READ and TOTAL-WRITE
    Total,
    /// Number of the process
    Pid,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListIoResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let agent = agent.with_more_time(self.sample.length(self.watch));
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(&agent, self.request())).await?;
            turn.begin(output)?;
            self.show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn request(&self) -> v1::ListIoRequest {
        v1::ListIoRequest {
            sample_millis: self.sample.millis(self.watch),
            // The agent sends by storage; which rows are first by another figure is known only here.
            limit: if self.sort == Sort::Storage { self.limit.unwrap_or(0) } else { 0 },
        }
    }

    fn show(
        &self,
        listing: Listing<v1::ListIoResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { header, rows: processes, mut closing } = listing;
        let header = header.unwrap_or_default();
        let verdicts = verdicts(&header, &processes);
        let mut rows = self.arrange(processes);
        closing.cut(&mut rows, self.limit);
        output.header(Some(&header), |header, object| header_fields(header, &verdicts, object))?;
        output.rows(&rows)?;
        output.sentences(verdicts.into_iter().chain(sentences(&header)))?;
        Ok(closing.show("processes", output, talk)?)
    }

    fn arrange(&self, processes: Vec<ProcessIo>) -> Vec<IoRow> {
        let mut rows: Vec<_> = processes.into_iter().map(IoRow).collect();
        let of = |key: fn(&v1::IoUse) -> u64| move |row: &IoRow| Reverse(row.0.over_sample.as_ref().map(key));
        match self.sort {
            // The agent's own order.
            Sort::Storage => {}
            Sort::Read => rows.sort_by_key(of(|io| io.read_bytes)),
            Sort::Write => rows.sort_by_key(of(|io| io.written_bytes)),
            Sort::Chars => {
                rows.sort_by_key(of(|io| io.read_chars_bytes.saturating_add(io.written_chars_bytes)));
            }
            Sort::Calls => rows.sort_by_key(of(|io| io.read_calls.saturating_add(io.write_calls))),
            Sort::Total => {
                rows.sort_by_key(|row| Reverse(row.0.since_start.as_ref().map(row::storage_bytes)))
            }
            Sort::Pid => rows.sort_by_key(|row| row.0.pid),
        }
        rows
    }
}

/// The figures of the control group.
fn sentences(header: &IoHeader) -> Vec<String> {
    let Some(cgroup) = &header.cgroup else { return vec!["cgroup: not readable".to_owned()] };
    let mut lines: Vec<_> =
        cgroup.devices.iter().take(MOST_DEVICES).map(|device| device_sentence(device, header)).collect();
    match cgroup.devices.len().saturating_sub(MOST_DEVICES) {
        0 if lines.is_empty() => lines.push(format!("cgroup v{}: no block device was used", cgroup.version)),
        0 => {}
        more => lines.push(format!("{more} more devices")),
    }
    lines.extend(cgroup.pressure.as_ref().map(|pressure| pressure_sentence("I/O", pressure)));
    lines
}

/// `vda: read 0 B/s, 0 requests/s; written 1.0 MiB/s (limit 1.0 MiB/s), 20 requests/s; since the start …`.
fn device_sentence(device: &DeviceIo, header: &IoHeader) -> String {
    use v1::limit::Limit;
    let (now, ever) = (device.over_sample.unwrap_or_default(), device.since_start.unwrap_or_default());
    let limit =
        |limit: &Option<v1::Limit>, show: fn(u64) -> String| match super::cgroup::limit(limit.as_ref()) {
            Some(Limit::At(most)) => format!(" (limit {}/s)", show(most)),
            _ => String::new(),
        };
    let bytes = |bytes: u64| Bytes(bytes).to_string();
    let rate = |amount: u64, show: fn(u64) -> String| match per_second(amount, header.sampled_nanos) {
        Some(rate) => format!("{}/s", show(row::whole(rate))),
        None => "-".to_owned(),
    };
    let direction = |word: &str,
                     amount,
                     requests,
                     most: &Option<v1::Limit>,
                     most_requests: &Option<v1::Limit>| {
        let requests = rate(requests, |requests| format!("{requests} requests"));
        let (amount, most) = (rate(amount, bytes), limit(most, bytes));
        format!("{word} {amount}{most}, {requests}{}", limit(most_requests, |requests| requests.to_string()))
    };
    format!(
        "{}: {}; {}; since the start {} read, {} written",
        device_name(device),
        direction("read", now.read_bytes, now.reads, &device.read_bytes_limit, &device.reads_limit),
        direction(
            "written",
            now.written_bytes,
            now.writes,
            &device.written_bytes_limit,
            &device.writes_limit
        ),
        Bytes(ever.read_bytes),
        Bytes(ever.written_bytes),
    )
}

fn device_name(device: &DeviceIo) -> String {
    match &device.name {
        Some(name) => one_line(&String::from_utf8_lossy(name)).into_owned(),
        None => format!("device {}:{}", device.major, device.minor),
    }
}

fn header_fields(header: &IoHeader, verdicts: &[String], object: &mut Object<'_>) {
    object.number("sampled_nanos", header.sampled_nanos);
    object.raws("verdicts", verdicts.iter().map(String::as_bytes));
    row::use_field("over_sample", header.over_sample.as_ref(), object);
    match &header.cgroup {
        Some(cgroup) => object.object("cgroup", |object| cgroup_fields(cgroup, object)),
        None => object.null("cgroup"),
    }
}

fn cgroup_fields(cgroup: &CgroupIo, object: &mut Object<'_>) {
    object.number("version", u64::from(cgroup.version));
    object.objects("devices", &cgroup.devices, |device, object| {
        object.number("major", u64::from(device.major));
        object.number("minor", u64::from(device.minor));
        object.raw("name", device.name.as_deref());
        device_use_field("over_sample", device.over_sample.as_ref(), object);
        device_use_field("since_start", device.since_start.as_ref(), object);
        limit_field("read_bytes_limit", device.read_bytes_limit.as_ref(), object);
        limit_field("written_bytes_limit", device.written_bytes_limit.as_ref(), object);
        limit_field("reads_limit", device.reads_limit.as_ref(), object);
        limit_field("writes_limit", device.writes_limit.as_ref(), object);
    });
    pressure_field(cgroup.pressure.as_ref(), object);
}

fn device_use_field(name: &str, used: Option<&DeviceUse>, object: &mut Object<'_>) {
    let Some(used) = used else { return object.null(name) };
    object.object(name, |object| {
        object.number("read_bytes", used.read_bytes);
        object.number("written_bytes", used.written_bytes);
        object.number("reads", used.reads);
        object.number("writes", used.writes);
        object.number("discarded_bytes", used.discarded_bytes);
    });
}

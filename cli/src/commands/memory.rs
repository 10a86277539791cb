//! `mem`: the memory of the target, by process and as its cgroup accounts for it.

#[cfg(test)]
mod tests;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::list_memory_response::Part;
use dbgctl_proto::v1::memory_service_client::MemoryServiceClient;
use dbgctl_proto::v1::{self, CgroupMemory, ProcessMemory, Summary};

use super::agent::Agent;
use super::{Failure, Question, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::{Bytes, Percent};
use crate::render::{Column, Object, Output, Row, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl mem web              who holds the memory, and how close the limit is
  dbgctl mem web --limit 10   the ten processes with the biggest resident set
  dbgctl mem web -o wide      with anon, file, shmem and swap
  dbgctl mem web -o json | jq 'select(.cgroup).cgroup'

RSS counts shared pages in full for each process; PSS divides them by their users, so that the sum over \
all processes makes sense; USS is what would be freed if the process ended. What the cgroup has beyond \
the sum of PSS is page cache, kernel memory, or was left out.

Reading a process holds the lock of its memory map for about 12 ms per GiB.";

/// Break down the memory
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Read at most this many processes, those with the biggest resident set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

impl Row for ProcessMemory {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.pid.into())),
        Column::bytes("RSS", |row| Some(row.rss_bytes)),
        Column::bytes("PSS", |row| Some(row.pss_bytes)),
        Column::bytes("USS", |row| Some(row.uss_bytes)),
        Column::bytes("ANON", |row: &Self| row.pss_anon_bytes).wide_only(),
        Column::bytes("FILE", |row: &Self| row.pss_file_bytes).wide_only(),
        Column::bytes("SHMEM", |row: &Self| row.pss_shmem_bytes).wide_only(),
        Column::bytes("SWAP", |row: &Self| row.swap_pss_bytes).wide_only(),
        Column::written("COMMAND", |row, cell| cell.raw(&row.command)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.number("pid", u64::from(self.pid));
        object.raw("command", self.command.as_slice());
        object.number("rss_bytes", self.rss_bytes);
        object.number("pss_bytes", self.pss_bytes);
        object.number("uss_bytes", self.uss_bytes);
        object.number("pss_anon_bytes", self.pss_anon_bytes);
        object.number("pss_file_bytes", self.pss_file_bytes);
        object.number("pss_shmem_bytes", self.pss_shmem_bytes);
        object.number("swap_pss_bytes", self.swap_pss_bytes);
    }
}

/// What the agent sent.
#[derive(Debug, Default)]
struct Breakdown {
    cgroup: Option<CgroupMemory>,
    processes: Vec<ProcessMemory>,
    summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    broken_off: Option<&'static str>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.MemoryService/ListMemory"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut breakdown = agent.within_limit(read(agent, self.request())).await?;
        // By what the sum is made of; the agent's order is by RSS.
        breakdown.processes.sort_by_key(|process| (std::cmp::Reverse(process.pss_bytes), process.pid));
        unless_pipe_closed(show(&breakdown, output, talk))
    }
}

impl Args {
    fn request(&self) -> v1::ListMemoryRequest {
        v1::ListMemoryRequest { limit: self.limit.unwrap_or(0) }
    }
}

/// Reads the whole stream, as far as there is room for it.
async fn read(agent: &Agent, request: v1::ListMemoryRequest) -> Result<Breakdown, Failure> {
    let mut client = MemoryServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let responses = client.list_memory(agent.request(request)).await?.into_inner();
    let mut breakdown = Breakdown::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Cgroup(cgroup)) => breakdown.cgroup = Some(cgroup),
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
    let Some(Part::Batch(batch)) = &response.part else { return 0 };
    let of_row = |process: &ProcessMemory| size_of::<ProcessMemory>() + process.command.capacity();
    batch.processes.iter().map(of_row).sum()
}

fn show(breakdown: &Breakdown, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
    let Breakdown { cgroup, processes, summary, broken_off } = breakdown;
    if output.is_table() {
        output.rows(processes)?;
        for sentence in totals(cgroup.as_ref(), processes) {
            output.sentence(sentence)?;
        }
        let gaps = summary.iter().flat_map(|summary| closing::sentences(summary, "processes"));
        output.beside(talk, gaps.chain(broken_off.map(str::to_owned)))?;
    } else {
        output.object(|object| match cgroup {
            Some(cgroup) => object.object("cgroup", |object| cgroup_fields(cgroup, object)),
            None => object.null("cgroup"),
        })?;
        output.rows(processes)?;
        output.object(|object| match summary {
            Some(summary) => object.object("summary", |object| closing::fields(summary, object)),
            None => object.null("summary"),
        })?;
        talk.lines(broken_off);
    }
    output.flush()?;
    Ok(if broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
}

fn cgroup_fields(cgroup: &CgroupMemory, object: &mut Object<'_>) {
    object.number("version", u64::from(cgroup.version));
    object.number("current_bytes", cgroup.current_bytes);
    match limit(cgroup) {
        Some(Limit::At(bytes)) => object.number("limit", bytes),
        Some(Limit::Unlimited(_)) => object.text("limit", "max"),
        None => object.null("limit"),
    }
}

fn limit(cgroup: &CgroupMemory) -> Option<Limit> {
    cgroup.limit.as_ref()?.limit
}

/// What the processes hold together, and what the cgroup says.
fn totals(cgroup: Option<&CgroupMemory>, processes: &[ProcessMemory]) -> Vec<String> {
    let sum = processes.iter().try_fold(0u64, |sum, process| sum.checked_add(process.pss_bytes));
    let sum_words = sum.map_or_else(|| "more than there can be".to_owned(), |sum| Bytes(sum).to_string());
    let mut lines = vec![format!("sum of PSS: {sum_words}")];
    match cgroup {
        None => lines.push("cgroup: the agent said nothing of it".to_owned()),
        Some(cgroup) if cgroup.version == 0 => {
            lines.push("cgroup: no memory controller could be read".to_owned())
        }
        Some(cgroup) => lines.push(cgroup_sentence(cgroup, sum)),
    }
    lines
}

/// `cgroup v2: 512 MiB of 1.0 GiB (50.0%), 112 MiB beyond the sum of PSS`; what is absent is `-`.
fn cgroup_sentence(cgroup: &CgroupMemory, sum: Option<u64>) -> String {
    let current = cgroup.current_bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes(bytes).to_string());
    let limit = match limit(cgroup) {
        Some(Limit::At(limit)) => {
            let share = cgroup.current_bytes.filter(|_| limit > 0);
            let share = share.map(|current| Percent(current as f64 / limit as f64 * 100.0));
            format!(" of {}{}", Bytes(limit), share.map_or_else(String::new, |share| format!(" ({share}%)")))
        }
        Some(Limit::Unlimited(_)) => ", no limit".to_owned(),
        None => ", limit not readable".to_owned(),
    };
    let beyond = cgroup.current_bytes.zip(sum).and_then(|(current, sum)| current.checked_sub(sum));
    let beyond =
        beyond.map_or_else(String::new, |beyond| format!(", {} beyond the sum of PSS", Bytes(beyond)));
    format!("cgroup v{}: {current}{limit}{beyond}", cgroup.version)
}

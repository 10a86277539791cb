//! `mem`: the memory of the target, by process and as its cgroup accounts for it.

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::list_memory_response::Part;
use dbgctl_proto::v1::memory_limit::Limit;
use dbgctl_proto::v1::memory_service_client::MemoryServiceClient;
use dbgctl_proto::v1::{self, CgroupMemory, ProcessMemory, Summary};
use tonic::transport::Channel;

use super::budget::Budget;
use super::{Failure, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::{Bytes, Percent};
use crate::render::{Column, Object, Output, Row, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl mem web              who holds the memory, and how close the limit is
  dbgctl mem web --limit 10   the ten processes with the biggest resident set
  dbgctl mem web -o wide      with anon, file, shmem and swap
  dbgctl mem web -o json | jq 'select(.cgroup).cgroup'

RSS counts shared pages in full for each process; PSS divides them by their users, so that the sum over
all processes makes sense; USS is what would be freed if the process ended. What the cgroup has beyond
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

impl Args {
    /// Path of the RPC, by which its needs are looked up.
    pub(crate) const RPC: &str = "/dbgctl.v1.MemoryService/ListMemory";

    /// Asks the agent at the other end of `channel` and shows what it answers.
    pub(crate) async fn run(
        &self,
        channel: Channel,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let mut breakdown = read(channel, self.request()).await?;
        // By what the sum is made of; the agent's order is by RSS.
        breakdown.processes.sort_by_key(|process| (std::cmp::Reverse(process.pss_bytes), process.pid));
        unless_pipe_closed(show(&breakdown, output, talk))
    }

    fn request(&self) -> v1::ListMemoryRequest {
        v1::ListMemoryRequest { limit: self.limit.unwrap_or(0) }
    }
}

/// Reads the whole stream, as far as there is room for it.
async fn read(channel: Channel, request: v1::ListMemoryRequest) -> Result<Breakdown, Failure> {
    let mut client = MemoryServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let mut stream = client.list_memory(request).await?.into_inner();
    let mut breakdown = Breakdown::default();
    let mut budget = Budget::new();
    while let Some(response) = stream.message().await? {
        let bytes = match &response.part {
            Some(Part::Batch(batch)) => batch.processes.iter().map(footprint).sum(),
            _ => 0,
        };
        if !budget.take(bytes) {
            breakdown.broken_off = Some("the list was cut here: the agent sent more than there can be");
            return Ok(breakdown);
        }
        match response.part {
            Some(Part::Cgroup(cgroup)) => breakdown.cgroup = Some(cgroup),
            Some(Part::Batch(batch)) => breakdown.processes.extend(batch.processes),
            Some(Part::Summary(summary)) => breakdown.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
    }
    if breakdown.summary.is_none() {
        breakdown.broken_off = Some("the list broke off: the agent ended it without a summary");
    }
    Ok(breakdown)
}

fn footprint(process: &ProcessMemory) -> usize {
    size_of::<ProcessMemory>() + process.command.capacity()
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
        Some(Limit::Bytes(bytes)) => object.number("limit", bytes),
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
            lines.push("cgroup: no memory controller was found".to_owned())
        }
        Some(cgroup) => lines.push(cgroup_sentence(cgroup, sum)),
    }
    lines
}

/// `cgroup v2: 512 MiB of 1.0 GiB (50.0%), 112 MiB beyond the sum of PSS`; what is absent is `-`.
fn cgroup_sentence(cgroup: &CgroupMemory, sum: Option<u64>) -> String {
    let current = cgroup.current_bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes(bytes).to_string());
    let (limit, share) = match limit(cgroup) {
        Some(Limit::Bytes(limit)) => {
            let share = cgroup.current_bytes.filter(|_| limit > 0);
            (Bytes(limit).to_string(), share.map(|current| current as f64 / limit as f64 * 100.0))
        }
        Some(Limit::Unlimited(_)) => ("max".to_owned(), None),
        None => ("-".to_owned(), None),
    };
    let share = share.map_or_else(String::new, |share| format!(" ({}%)", Percent(share)));
    let beyond = cgroup.current_bytes.zip(sum).and_then(|(current, sum)| current.checked_sub(sum));
    let beyond =
        beyond.map_or_else(String::new, |beyond| format!(", {} beyond the sum of PSS", Bytes(beyond)));
    format!("cgroup v{}: {current} of {limit}{share}{beyond}", cgroup.version)
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::memory_service_server::{MemoryService, MemoryServiceServer};
    use dbgctl_proto::v1::{End, MemoryLimit, ProcessMemoryBatch};
    use tonic::{Request, Response, Status};

    use super::*;
    use crate::commands::testing::{Written, channel_to};
    use crate::render::Format;

    struct Fake(Vec<Part>);

    #[tonic::async_trait]
    impl MemoryService for Fake {
        type ListMemoryStream = crate::commands::testing::Replies<v1::ListMemoryResponse>;

        async fn list_memory(
            &self,
            _: Request<v1::ListMemoryRequest>,
        ) -> Result<Response<Self::ListMemoryStream>, Status> {
            let parts: Vec<_> = self.0.iter().cloned().collect();
            let replies = parts.into_iter().map(|part| Ok(v1::ListMemoryResponse { part: Some(part) }));
            Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
        }
    }

    fn process(pid: u32, mib: u64, command: &[u8]) -> ProcessMemory {
        ProcessMemory {
            pid,
            command: command.to_vec(),
            rss_bytes: (mib + 50) << 20,
            pss_bytes: mib << 20,
            uss_bytes: (mib - 1) << 20,
            pss_anon_bytes: Some(mib << 19),
            ..ProcessMemory::default()
        }
    }

    fn parts(limit: Option<Limit>) -> Vec<Part> {
        let cgroup =
            CgroupMemory { version: 2, current_bytes: Some(512 << 20), limit: Some(MemoryLimit { limit }) };
        let processes = vec![process(1, 2, b"init"), process(9, 300, b"ja\nva\x1b[0m")];
        vec![
            Part::Cgroup(cgroup),
            Part::Batch(ProcessMemoryBatch { processes }),
            Part::Summary(Summary { sent: 2, end: End::Complete.into(), ..Summary::default() }),
        ]
    }

    async fn shown(format: Format, parts: Vec<Part>) -> (String, String, Exit) {
        let channel = channel_to(MemoryServiceServer::new(Fake(parts))).await;
        let (stdout, stderr) = (Written::default(), Written::default());
        let mut output = Output::to(format, stdout.clone());
        let exit = Args::default().run(channel, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
        (stdout.text(), stderr.text(), exit)
    }

    #[tokio::test]
    async fn the_biggest_share_comes_first_and_the_cgroup_last() {
        let (stdout, stderr, exit) = shown(Format::Table, parts(Some(Limit::Bytes(1 << 30)))).await;
        assert_eq!(
            stdout,
            "PID       RSS      PSS      USS  COMMAND\n\
             \x20 9   350 MiB  300 MiB  299 MiB  ja\\nva\\x1b[0m\n\
             \x20 1  52.0 MiB  2.0 MiB  1.0 MiB  init\n\
             sum of PSS: 302 MiB\n\
             cgroup v2: 512 MiB of 1.0 GiB (50.0%), 210 MiB beyond the sum of PSS\n"
        );
        assert_eq!((stderr.as_str(), exit), ("", Exit::Answered));
    }

    #[tokio::test]
    async fn json_has_the_cgroup_first_and_tells_absent_from_unlimited() {
        let (stdout, ..) = shown(Format::Json, parts(Some(Limit::Unlimited(true)))).await;
        let lines: Vec<serde_json::Value> =
            stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["cgroup"]["limit"], "max");
        assert_eq!(lines[0]["cgroup"]["current_bytes"], 512 << 20);
        assert_eq!(lines[1]["pid"], 9);
        assert_eq!(lines[1]["command"], "ja\nva\x1b[0m");
        assert!(lines[1]["swap_pss_bytes"].is_null());
        assert_eq!(lines[3]["summary"]["sent"], 2);

        let (stdout, ..) = shown(Format::Json, parts(None)).await;
        assert!(stdout.starts_with(r#"{"cgroup":{"version":2,"current_bytes":536870912,"limit":null}}"#));
    }

    #[tokio::test]
    async fn figures_that_add_up_to_more_than_there_can_be_do_no_harm() {
        let huge = ProcessMemory { pss_bytes: u64::MAX, ..ProcessMemory::default() };
        let batch = ProcessMemoryBatch { processes: vec![huge.clone(), huge] };
        let (stdout, stderr, exit) = shown(Format::Wide, vec![Part::Batch(batch)]).await;
        assert!(stdout.contains("sum of PSS: more than there can be\n"), "{stdout}");
        assert!(stderr.contains("broke off"), "{stderr}");
        assert_eq!(exit, Exit::Unknown);
    }
}

//! `du`: what takes the room on the target's disks.

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::measure_usage_response::Part;
use dbgctl_proto::v1::usage_service_client::UsageServiceClient;
use dbgctl_proto::v1::{self, End, Summary, Usage, UsageTotal};

use super::search::mounts_left_out;
use super::{Mounts, TargetPath, Through, kind, moment, time_field};
use crate::commands::agent::Agent;
use crate::commands::{Failure, Question, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Column, Object, Output, Row, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl du web                          what is biggest in the root file system
  dbgctl du web /var --depth 3           down to three levels
  dbgctl du web / --mounts volumes       with the volumes
  dbgctl du web /data --depth 0          only the total
  dbgctl du web -o json | jq 'select(.total).total'

DISK is the room that it takes, with all below it; APPARENT is how long the contents are, holes included: \
that of a sparse file is more. ENTRIES counts files and directories. A file with several names counts once. What is deleted and still open takes \
room too, and has no name to be found by: `dbgctl fds --deleted`.

It costs one system call per file and stops when four fifths of --time-limit are over: what it has found by \
then is shown, and said to be a lower bound.";

/// Measure what takes the room, biggest first
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to begin, seen from the container's root directory
    #[arg(default_value = "/")]
    path: TargetPath,

    /// Show files and directories down to this many levels
    #[arg(long, value_name = "N", default_value = "1")]
    depth: u32,

    /// Show at most this many
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,

    /// Mounts that are entered on the way
    #[arg(long, value_enum, default_value = "none", value_name = "WHICH")]
    mounts: Mounts,

    /// Look at no more than this many files and directories
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u64>)]
    most_entries: Option<u64>,

    #[command(flatten)]
    through: Through,
}

struct UsageRow {
    usage: Usage,
    modified: String,
}

impl Row for UsageRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::bytes("DISK", |row| Some(row.usage.disk_bytes)),
        Column::bytes("APPARENT", |row| Some(row.usage.apparent_bytes)),
        Column::written("ENTRIES", |row: &Self, cell| cell.show(row.usage.entries)).right(),
        Column::text("MODIFIED", |row: &Self| row.modified.as_str().into()).wide_only(),
        Column::text("TYPE", |row: &Self| kind(row.usage.kind)).wide_only(),
        Column::written("PATH", |row, cell| cell.raw(&row.usage.path)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        fields(&self.usage, object);
    }
}

fn fields(usage: &Usage, object: &mut Object<'_>) {
    object.raw("path", usage.path.as_slice());
    object.text("kind", &*kind(usage.kind));
    object.number("disk_bytes", usage.disk_bytes);
    object.number("apparent_bytes", usage.apparent_bytes);
    object.number("entries", usage.entries);
    time_field("modified", usage.modified, object);
}

/// What the agent sent.
#[derive(Debug, Default)]
struct Measured {
    total: Option<UsageTotal>,
    rows: Vec<Usage>,
    summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    broken_off: Option<&'static str>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.UsageService/MeasureUsage"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let measured = agent.within_limit(read(agent, self.request())).await?;
        unless_pipe_closed(show(measured, output, talk))
    }
}

impl Args {
    fn request(&self) -> v1::MeasureUsageRequest {
        v1::MeasureUsageRequest {
            path: self.path.bytes(),
            pid: self.through.pid,
            limit: self.limit,
            depth: self.depth,
            crossing: self.mounts.message(),
            most_entries: self.most_entries.unwrap_or(0),
        }
    }
}

fn show(measured: Measured, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
    let Measured { total, rows, summary, broken_off } = measured;
    let row = |usage: Usage| UsageRow { modified: moment(usage.modified, output), usage };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    if output.is_table() {
        if !rows.is_empty() {
            output.rows(&rows)?;
        }
        for sentence in total.iter().flat_map(sentences) {
            output.sentence(sentence)?;
        }
        let mut lines: Vec<_> =
            total.iter().filter_map(|total| mounts_left_out(&total.mounts_left_out)).collect();
        lines.extend(summary.iter().flat_map(|summary| closing::sentences(summary, "rows")));
        lines.extend(broken_off.map(str::to_owned));
        output.beside(talk, lines)?;
    } else {
        output.object(|object| match &total {
            Some(total) => object.object("total", |object| total_fields(total, object)),
            None => object.null("total"),
        })?;
        output.rows(&rows)?;
        output.object(|object| closing::field(summary.as_ref(), object))?;
        talk.lines(broken_off);
    }
    output.flush()?;
    Ok(if broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
}

fn total_fields(total: &UsageTotal, object: &mut Object<'_>) {
    match &total.total {
        Some(usage) => object.object("total", |object| fields(usage, object)),
        None => object.null("total"),
    }
    object.text(
        "end",
        match End::try_from(total.end) {
            Ok(End::Complete) => "complete",
            Ok(End::Limit) => "limit",
            Ok(End::Deadline) => "deadline",
            Ok(End::Unspecified) | Err(_) => "unknown",
        },
    );
    object.raws("mounts_left_out", total.mounts_left_out.iter().map(Vec::as_slice));
    object.number("rows_left_out", total.rows_left_out);
}

fn sentences(total: &UsageTotal) -> Vec<String> {
    let Some(usage) = &total.total else { return vec![] };
    let whole = End::try_from(total.end) == Ok(End::Complete);
    let mut lines = vec![format!(
        "{}: {}{} on disk, {} apparent, in {} files and directories",
        String::from_utf8_lossy(&usage.path),
        if whole { "" } else { "at least " },
        Bytes(usage.disk_bytes),
        Bytes(usage.apparent_bytes),
        usage.entries
    )];
    match End::try_from(total.end) {
        Ok(End::Limit) => lines.push("cut after as many files as were asked for: there are more".to_owned()),
        Ok(End::Deadline) => {
            lines.push("cut when the time was over: there is more; --time-limit 5m".to_owned())
        }
        _ => {}
    }
    if total.rows_left_out > 0 {
        lines.push(match total.rows_left_out {
            1 => "1 smaller one is not shown: --limit".to_owned(),
            many => format!("{many} smaller ones are not shown: --limit"),
        });
    }
    lines
}

/// Reads the whole stream, as far as there is room for it.
async fn read(agent: &Agent, request: v1::MeasureUsageRequest) -> Result<Measured, Failure> {
    let mut client = UsageServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let responses = client.measure_usage(agent.request(request)).await?.into_inner();
    let mut measured = Measured::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Total(total)) => measured.total = Some(total),
            Some(Part::Batch(batch)) => measured.rows.extend(batch.rows),
            Some(Part::Summary(summary)) => measured.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
        measured.summary.is_some()
    });
    measured.broken_off = broken_off.await?;
    Ok(measured)
}

fn footprint(response: &v1::MeasureUsageResponse) -> usize {
    match &response.part {
        Some(Part::Batch(batch)) => {
            batch.rows.iter().map(|row| size_of::<UsageRow>() + row.path.capacity() + 32).sum()
        }
        Some(Part::Total(total)) => total.mounts_left_out.iter().map(Vec::capacity).sum(),
        _ => 0,
    }
}

//! `du`: what takes the room on the target's disks.

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, End, Usage, UsageTotal};

use super::search::mounts_left_out;
use super::{Mounts, TargetPath, Through, kind, moment, time_field};
use crate::commands::agent::Agent;
use crate::commands::stream::{self, Listing};
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Column, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl du web                          what is biggest in the root file system
  dbgctl du web /var --depth 3           down to three levels
  dbgctl du web / --mounts volumes       with the volumes
  dbgctl du web /data --depth 0          only the total
  dbgctl du web -o json | jq 'select(.header).header.total'

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

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::MeasureUsageResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let listing = agent.within_limit(stream::read(agent, self.request())).await?;
        unless_pipe_closed(show(listing, output, talk))
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

fn show(
    listing: Listing<v1::MeasureUsageResponse>,
    output: &mut Output,
    talk: &mut Talk,
) -> Result<Exit, Failure> {
    let Listing { header: total, rows, mut closing } = listing;
    let row = |usage: Usage| UsageRow { modified: moment(usage.modified, output), usage };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    output.header(total.as_ref(), total_fields)?;
    if !rows.is_empty() {
        output.rows(&rows)?;
    }
    output.sentences(total.iter().flat_map(sentences))?;
    closing.notes.extend(total.iter().filter_map(|total| mounts_left_out(&total.mounts_left_out)));
    Ok(closing.show("rows", output, talk)?)
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

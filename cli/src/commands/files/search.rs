//! `find`: files of the target by name, kind, size and age.

use std::time::{Duration, SystemTime};

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, FileKind, FileTime, FoundFile};
use jiff::tz::TimeZone;

use super::{Mounts, TargetPath, Through, counted, moment, status};
use crate::commands::agent::Agent;
use crate::commands::stream::{self, Listing};
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl find web / --name '*.log' --size +10M      big logs
  dbgctl find web /data --newer 10m                 what was written in the last ten minutes
  dbgctl find web / --type f --name core --name 'core.*'
  dbgctl find web / --type l --mounts none          links, without looking into volumes
  dbgctl find web /etc --newer 2026-01-31 -o json | jq -r 'select(.path).path'

Types: f file, d directory, l link, p FIFO, s socket, c character device, b block device. --size +10M is at \
least, -10M at most, 10M exactly that. All options must match; of several --name or --type, one.

Links are never followed, so there are no loops. Mounts of volumes are entered on the way, those of the \
kernel (/proc, /sys, control groups) are not: --mounts none|volumes|all. Nothing is opened but directories.";

/// Find files by name, kind, size and age
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to begin, seen from the container's root directory
    #[arg(default_value = "/")]
    path: TargetPath,

    /// Name with * ? [a-z], quoted from the shell; may be given several times
    #[arg(long = "name", value_name = "GLOB")]
    names: Vec<TargetPath>,

    /// Only of this type: f, d, l, p, s, c or b; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kinds: Vec<FileKind>,

    /// Length of the content, such as +10M, -4K or 0; may be given twice
    #[arg(long = "size", value_name = "[+-]SIZE", value_parser = length, allow_hyphen_values = true)]
    sizes: Vec<Length>,

    /// Changed after that: a time ago such as 10m or 2d, or a date such as 2026-01-31 or 2026-01-31T12:00
    #[arg(long, value_name = "TIME|DATE", value_parser = since)]
    newer: Option<FileTime>,

    /// Changed before that
    #[arg(long, value_name = "TIME|DATE", value_parser = since)]
    older: Option<FileTime>,

    /// Levels below the path
    #[arg(long, value_name = "N")]
    max_depth: Option<u32>,

    /// Mounts that are entered on the way
    #[arg(long, value_enum, default_value = "volumes", value_name = "WHICH")]
    mounts: Mounts,

    /// Stop after this many
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,

    #[command(flatten)]
    through: Through,
}

fn kind(letter: &str) -> Result<FileKind, String> {
    Ok(match letter {
        "f" | "file" => FileKind::Regular,
        "d" | "directory" => FileKind::Directory,
        "l" | "link" => FileKind::Link,
        "p" | "fifo" => FileKind::Fifo,
        "s" | "socket" => FileKind::Socket,
        "c" => FileKind::CharacterDevice,
        "b" => FileKind::BlockDevice,
        _ => return Err("the types are f, d, l, p, s, c and b".to_owned()),
    })
}

/// Bounds of a length, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    least: u64,
    most: u64,
}

fn length(text: &str) -> Result<Length, String> {
    if let Some(least) = text.strip_prefix('+') {
        return Ok(Length { least: super::size(least)?, most: u64::MAX });
    }
    if let Some(most) = text.strip_prefix('-') {
        return Ok(Length { least: 0, most: super::size(most)? });
    }
    let exactly = super::size(text)?;
    Ok(Length { least: exactly, most: exactly })
}

/// So long ago, or that day or time of day in this machine's zone.
fn since(text: &str) -> Result<FileTime, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        return Ok(time(now.saturating_sub(ago)));
    }
    let date = text.parse::<jiff::civil::DateTime>().ok();
    let zoned = date.and_then(|date| date.to_zoned(TimeZone::system()).ok());
    let timestamp = zoned.map(|zoned| zoned.timestamp()).or_else(|| text.parse().ok());
    let timestamp: jiff::Timestamp =
        timestamp.ok_or("expected a time such as 10m or 2d, or a date such as 2026-01-31")?;
    let nanos = u32::try_from(timestamp.subsec_nanosecond()).unwrap_or_default();
    Ok(FileTime { unix_seconds: timestamp.as_second(), nanos })
}

fn time(since_epoch: Duration) -> FileTime {
    let unix_seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    FileTime { unix_seconds, nanos: since_epoch.subsec_nanos() }
}

struct FoundRow {
    file: FoundFile,
    status: v1::FileStatus,
    modified: String,
}

impl Row for FoundRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("MODE", |row| status::mode(&row.status).into()),
        Column::written("OWNER", |row, cell| status::owner(&row.status, cell)),
        Column::written("GROUP", |row: &Self, cell| status::group(&row.status, cell)).wide_only(),
        Column::written("SIZE", |row: &Self, cell| status::size(&row.status, cell)).right(),
        Column::bytes("DISK", |row: &Self| Some(row.status.disk_bytes)).wide_only(),
        Column::text("MODIFIED", |row| row.modified.as_str().into()),
        Column::written("PATH", |row: &Self, cell| {
            cell.raw(&row.file.path);
            if let Some(target) = &row.file.link_target {
                cell.text(" -> ");
                cell.raw(target);
            }
        }),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.raw("path", self.file.path.as_slice());
        status::field("status", Some(&self.status), object);
        object.raw("link_target", self.file.link_target.as_deref());
    }

    fn emphasis(&self) -> Emphasis {
        status::emphasis(&self.status)
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::FindFilesResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let listing = agent.within_limit(stream::read(agent, self.request())).await?;
        unless_pipe_closed(show(listing, output, talk))
    }
}

impl Args {
    fn request(&self) -> v1::FindFilesRequest {
        v1::FindFilesRequest {
            path: self.path.bytes(),
            pid: self.through.pid,
            limit: self.limit.unwrap_or(0),
            names: self.names.iter().map(TargetPath::bytes).collect(),
            kinds: self.kinds.iter().map(|&kind| kind.into()).collect(),
            least_bytes: self.sizes.iter().map(|size| size.least).max(),
            most_bytes: self.sizes.iter().map(|size| size.most).min(),
            modified_since: self.newer,
            modified_until: self.older,
            max_depth: self.max_depth,
            crossing: self.mounts.message(),
        }
    }
}

fn show(
    listing: Listing<v1::FindFilesResponse>,
    output: &mut Output,
    talk: &mut Talk,
) -> Result<Exit, Failure> {
    let Listing { header: walked, rows: files, mut closing } = listing;
    let row = |file: FoundFile| {
        let status = file.status.clone().unwrap_or_default();
        FoundRow { modified: moment(status.modified, output), status, file }
    };
    let rows: Vec<_> = files.into_iter().map(row).collect();
    output.header(walked.as_ref(), |walked, object| {
        object.number("entries", walked.entries);
        object.raws("mounts_left_out", walked.mounts_left_out.iter().map(Vec::as_slice));
    })?;
    output.rows(&rows)?;
    let mut matches = counted(rows.len(), "match", "matches");
    if let Some(walked) = &walked {
        matches.push_str(&format!(" of {} looked at", walked.entries));
    }
    closing.notes.push(matches);
    closing.notes.extend(walked.iter().filter_map(|walked| mounts_left_out(&walked.mounts_left_out)));
    Ok(closing.show("files", output, talk)?)
}

/// `other mounts, not entered: /proc, /sys, /dev and 3 more`.
pub(super) fn mounts_left_out(mounts: &[Vec<u8>]) -> Option<String> {
    const NAMED: usize = 3;
    let named: Vec<_> = mounts.iter().take(NAMED).map(|path| String::from_utf8_lossy(path)).collect();
    let more = mounts.len().saturating_sub(NAMED);
    match (named.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("other mounts, not entered: {}", named.join(", "))),
        (false, more) => Some(format!("other mounts, not entered: {} and {more} more", named.join(", "))),
    }
}

//! `ls`: what is in a directory of the target.

use std::cmp::Reverse;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, DirectoryEntry, FileKind};

use super::{TargetPath, Through, counted, moment, status};
use crate::commands::agent::Agent;
use crate::commands::stream::{self, Listing};
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl ls web                        the root directory, as the container sees it
  dbgctl ls web /var/log --sort size   what is big there
  dbgctl ls web /tmp --sort time --limit 5
  dbgctl ls web / --pid 7              through the root directory of process 7
  dbgctl ls web -o json | jq -r 'select(.name).name'

Everything is shown, also names that begin with a dot. Owners and groups are named by the container's own \
/etc/passwd and /etc/group. Nothing is opened but the directory: a FIFO or device in it does not notice.

It costs one system call per entry; a directory with a million of them takes some seconds.";

/// List a directory
///
/// Entries may come and go while the list is made: it is not a snapshot.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seen from the container's root directory
    #[arg(default_value = "/")]
    path: TargetPath,

    /// Sort by name, by size (biggest first), by time (newest first), or not at all
    #[arg(long, value_enum, default_value = "name", value_name = "ORDER")]
    sort: Sort,

    /// Show at most this many entries, the first ones in that order
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,

    #[command(flatten)]
    through: Through,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    Name,
    Size,
    Time,
    None,
}

/// An entry and when it was changed, for people.
struct EntryRow {
    entry: DirectoryEntry,
    modified: String,
}

impl EntryRow {
    fn status(&self) -> Option<&v1::FileStatus> {
        self.entry.status.as_ref()
    }
}

impl Row for EntryRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::maybe("MODE", |row| row.status().map(|status| status::mode(status).into())),
        Column::number("LINKS", |row: &Self| row.status().map(|status| status.links.into())).wide_only(),
        Column::written("OWNER", |row: &Self, cell| {
            row.status().into_iter().for_each(|status| status::owner(status, cell));
        }),
        Column::written("GROUP", |row: &Self, cell| {
            row.status().into_iter().for_each(|status| status::group(status, cell));
        }),
        Column::written("SIZE", |row: &Self, cell| {
            row.status().into_iter().for_each(|status| status::size(status, cell));
        })
        .right(),
        Column::bytes("DISK", |row: &Self| row.status().map(|status| status.disk_bytes)).wide_only(),
        Column::number("INODE", |row: &Self| row.status().and_then(|status| status.inode.try_into().ok()))
            .wide_only(),
        Column::text("MODIFIED", |row| row.modified.as_str().into()),
        Column::written("NAME", |row: &Self, cell| {
            cell.raw(&row.entry.name);
            if let Some(target) = &row.entry.link_target {
                cell.text(" -> ");
                cell.raw(target);
            }
        }),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.raw("name", self.entry.name.as_slice());
        status::field("status", self.status(), object);
        object.raw("link_target", self.entry.link_target.as_deref());
    }

    fn emphasis(&self) -> Emphasis {
        self.status().map_or(Emphasis::None, status::emphasis)
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListDirectoryResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let listing = agent.within_limit(stream::read(agent, self.request())).await?;
        unless_pipe_closed(self.show(listing, output, talk))
    }
}

impl Args {
    fn request(&self) -> v1::ListDirectoryRequest {
        // The agent lists in no order, and so does not know which entries come first in ours.
        let limit = self.limit.filter(|_| self.sort == Sort::None).unwrap_or(0);
        v1::ListDirectoryRequest { path: self.path.bytes(), pid: self.through.pid, limit }
    }

    fn show(
        &self,
        listing: Listing<v1::ListDirectoryResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { rows: mut entries, mut closing, .. } = listing;
        let all = entries.len();
        let size = |entry: &DirectoryEntry| entry.status.as_ref().map_or(0, |status| status.size_bytes);
        let time = |entry: &DirectoryEntry| {
            let modified = entry.status.as_ref().and_then(|status| status.modified);
            modified.map(|time| (time.unix_seconds, time.nanos))
        };
        match self.sort {
            Sort::Name => entries.sort_unstable_by(|one, other| one.name.cmp(&other.name)),
            Sort::Size => {
                entries.sort_by(|one, other| (size(other), &one.name).cmp(&(size(one), &other.name)));
            }
            Sort::Time => entries.sort_by_key(|entry| Reverse(time(entry))),
            Sort::None => {}
        }
        entries.truncate(self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
        let bytes: u64 = entries.iter().map(size_of_file).fold(0, u64::saturating_add);
        let row = |entry: DirectoryEntry| {
            let modified = moment(entry.status.as_ref().and_then(|status| status.modified), output);
            EntryRow { entry, modified }
        };
        let rows: Vec<_> = entries.into_iter().map(row).collect();

        output.rows(&rows)?;
        let shown = match rows.len() == all {
            true => counted(all, "entry", "entries"),
            false => format!("{} of {}", rows.len(), counted(all, "entry", "entries")),
        };
        closing.notes.push(format!("{shown}, {} in files", Bytes(bytes)));
        Ok(closing.show("entries", output, talk)?)
    }
}

fn size_of_file(entry: &DirectoryEntry) -> u64 {
    let regular = entry.status.as_ref().filter(|status| status::is(status, FileKind::Regular));
    regular.map_or(0, |status| status.size_bytes)
}

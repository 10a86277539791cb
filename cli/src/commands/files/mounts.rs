//! `df`: the mounts of the target, and the room in them.

use std::borrow::Cow;
use std::collections::HashSet;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, Mount, MountSpace, Propagation};

use super::{Through, counted, device_field, word};
use crate::commands::agent::Agent;
use crate::commands::stream::{self, Listing};
use crate::commands::watch::{Turn, Watch};
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Percent;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl df web                 file systems that hold something, and how full they are
  dbgctl df web --all           also those of the kernel, and mounts that others cover
  dbgctl df web -o wide         with inodes, flags of propagation and what is mounted
  dbgctl df web --watch 5s
  dbgctl df web -o json | jq 'select(.path == \"/data\").space.available_bytes'

USE% is what is used of what the container's users could use; what is kept for root counts as neither, as in \
df(1). INODES% is the same for files: at 100 no file can be made, however much room is left. FLAGS: ro \
(read-only), nosuid, nodev, noexec.

A mount that does not answer within two seconds, as a network file system whose server is gone, is named \
and left without figures.";

/// The share from which a file system is worth a sentence.
const NEARLY_FULL: f64 = 90.0;

/// Show the mounts and how full they are
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Also show file systems that hold nothing, and mounts that others cover
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    watch: Watch,

    /// Show at most this many
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,

    #[command(flatten)]
    through: Through,
}

fn used_bytes(space: &MountSpace) -> u64 {
    space.size_bytes.saturating_sub(space.free_bytes)
}

/// What is used of what can be used, in percent. `None`: it holds nothing.
fn used_percent(space: &MountSpace) -> Option<f64> {
    let used = used_bytes(space);
    let all = used.saturating_add(space.available_bytes);
    (all > 0).then(|| used as f64 / all as f64 * 100.0)
}

fn inodes_percent(space: &MountSpace) -> Option<f64> {
    let (all, free) = (space.inodes.filter(|&all| all > 0)?, space.inodes_free?);
    Some(all.saturating_sub(free) as f64 / all as f64 * 100.0)
}

fn flags(mount: &Mount) -> Option<Cow<'_, str>> {
    let flags = [
        (mount.read_only, "ro"),
        (mount.no_suid, "nosuid"),
        (mount.no_dev, "nodev"),
        (mount.no_exec, "noexec"),
        (mount.covered, "covered"),
    ];
    let set: Vec<_> = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    (!set.is_empty()).then(|| set.join(",").into())
}

fn propagation(mount: &Mount) -> Cow<'static, str> {
    word::<Propagation>(mount.propagation, Propagation::as_str_name, "PROPAGATION_")
}

impl Row for Mount {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("PATH", |row, cell| cell.raw(&row.path)),
        Column::written("TYPE", |row, cell| cell.raw(&row.file_system)),
        Column::bytes("SIZE", |row| row.space.map(|space| space.size_bytes)),
        Column::bytes("USED", |row| row.space.as_ref().map(used_bytes)),
        Column::bytes("AVAIL", |row| row.space.map(|space| space.available_bytes)),
        Column::written("USE%", |row: &Self, cell| {
            row.space.as_ref().and_then(used_percent).into_iter().for_each(|share| cell.show(Percent(share)));
        })
        .right(),
        Column::written("INODES%", |row: &Self, cell| {
            row.space
                .as_ref()
                .and_then(inodes_percent)
                .into_iter()
                .for_each(|share| cell.show(Percent(share)));
        })
        .right(),
        Column::written("INODES", |row: &Self, cell| {
            row.space.and_then(|space| space.inodes).into_iter().for_each(|inodes| cell.show(inodes));
        })
        .right()
        .wide_only(),
        Column::written("FREE", |row: &Self, cell| {
            row.space.and_then(|space| space.inodes_free).into_iter().for_each(|free| cell.show(free));
        })
        .right()
        .wide_only(),
        Column::maybe("FLAGS", flags),
        Column::text("PROPAGATION", |row: &Self| propagation(row)).wide_only(),
        Column::written("ROOT", |row: &Self, cell| cell.raw(&row.root)).wide_only(),
        Column::written("SOURCE", |row, cell| cell.raw(&row.source)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.number("mount_id", self.mount_id);
        object.number("parent_id", self.parent_id);
        device_field("device", self.device, object);
        object.raw("path", self.path.as_slice());
        object.raw("file_system", self.file_system.as_slice());
        object.raw("source", self.source.as_slice());
        object.raw("root", self.root.as_slice());
        object.flag("read_only", self.read_only);
        object.flag("no_suid", self.no_suid);
        object.flag("no_dev", self.no_dev);
        object.flag("no_exec", self.no_exec);
        object.text("propagation", &*propagation(self));
        object.flag("covered", self.covered);
        match &self.space {
            Some(space) => object.object("space", |object| {
                object.number("size_bytes", space.size_bytes);
                object.number("free_bytes", space.free_bytes);
                object.number("available_bytes", space.available_bytes);
                object.number("inodes", space.inodes);
                object.number("inodes_free", space.inodes_free);
            }),
            None => object.null("space"),
        }
    }

    fn emphasis(&self) -> Emphasis {
        let Some(space) = &self.space else { return Emphasis::Notable };
        let fullest = used_percent(space).into_iter().chain(inodes_percent(space)).fold(0.0, f64::max);
        match self.read_only {
            false if fullest >= 99.0 => Emphasis::Alarming,
            false if fullest >= NEARLY_FULL => Emphasis::Notable,
            _ => Emphasis::None,
        }
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListMountsResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(agent, self.request())).await?;
            turn.begin(output)?;
            self.show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn request(&self) -> v1::ListMountsRequest {
        // The agent does not know which of them are shown.
        let limit = self.limit.filter(|_| self.all).unwrap_or(0);
        v1::ListMountsRequest { pid: self.through.pid, limit }
    }

    fn is_shown(&self, mount: &Mount) -> bool {
        // The engine hides files of the kernel behind mounts.
        let hides = [&b"/proc/"[..], b"/sys/"].iter().any(|of_kernel| mount.path.starts_with(of_kernel));
        // One that does not answer is worth more than any other.
        self.all || mount.space.map_or(!mount.covered, |space| space.size_bytes > 0 && !hides)
    }

    fn show(
        &self,
        listing: Listing<v1::ListMountsResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { rows: mut mounts, mut closing, .. } = listing;
        let all = mounts.len();
        mounts.retain(|mount| self.is_shown(mount));
        let left_out = all - mounts.len();
        // What is full is said, whether its row is shown or not.
        closing.verdicts = Some(verdicts(&mounts));
        closing.cut(&mut mounts, self.limit);
        output.rows(&mounts)?;
        if left_out > 0 {
            let mounts = counted(left_out, "mount", "mounts");
            closing.notes.push(format!("{mounts} of the kernel or covered by others: --all shows them too"));
        }
        Ok(closing.show("mounts", output, talk)?)
    }
}

/// One sentence for each file system that is full or nearly so; a volume that is mounted in several places has one.
fn verdicts(mounts: &[Mount]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut sentences = Vec::new();
    for mount in mounts.iter().filter(|mount| !mount.read_only) {
        let Some(space) = &mount.space else { continue };
        if !seen.insert(mount.device) {
            continue;
        }
        let path = String::from_utf8_lossy(&mount.path);
        if used_percent(space).is_some() && space.available_bytes == 0 {
            sentences.push(format!("{path} is full: nothing more can be written"));
        } else if let Some(share) = used_percent(space).filter(|&share| share >= NEARLY_FULL) {
            let left = crate::render::human::Bytes(space.available_bytes);
            sentences.push(format!("{path} is {share:.0}% full: {left} left"));
        }
        if space.inodes.is_some() && space.inodes_free == Some(0) {
            sentences.push(format!("{path} has no inodes left: no file can be made, whatever room there is"));
        } else if let Some(share) = inodes_percent(space).filter(|&share| share >= NEARLY_FULL) {
            sentences.push(format!("{path} has used {share:.0}% of its inodes"));
        }
    }
    sentences
}

#[cfg(test)]
mod unit {
    use super::*;

    fn mount(path: &str, minor: u32, available_bytes: u64, inodes_free: Option<u64>) -> Mount {
        let space = MountSpace {
            size_bytes: 1000 << 20,
            free_bytes: available_bytes,
            available_bytes,
            inodes: inodes_free.map(|_| 1000),
            inodes_free,
        };
        let device = Some(v1::DeviceNumber { major: 8, minor });
        Mount { path: path.into(), device, space: Some(space), ..Mount::default() }
    }

    #[test]
    fn what_is_full_has_one_sentence_however_often_it_is_mounted() {
        let read_only = Mount { read_only: true, ..mount("/image", 9, 0, Some(0)) };
        let mounts = [
            mount("/", 1, 500 << 20, Some(900)),
            mount("/data", 2, 30 << 20, Some(500)),
            mount("/data/again", 2, 30 << 20, Some(500)),
            mount("/tmp", 3, 500 << 20, Some(0)),
            mount("/log", 4, 0, None),
            read_only,
        ];
        assert_eq!(
            verdicts(&mounts),
            [
                "/data is 97% full: 30.0 MiB left",
                "/tmp has no inodes left: no file can be made, whatever room there is",
                "/log is full: nothing more can be written",
            ]
        );
    }

    #[test]
    fn a_mount_that_does_not_answer_is_shown_and_one_that_holds_nothing_is_not() {
        let args = Args { all: false, watch: Watch::default(), limit: None, through: Through { pid: None } };
        let silent = Mount { space: None, ..mount("/nfs", 1, 0, None) };
        let covered = Mount { covered: true, ..silent.clone() };
        let empty = Mount { space: Some(MountSpace::default()), ..mount("/proc", 2, 0, None) };
        assert_eq!([silent, covered, empty].map(|mount| args.is_shown(&mount)), [true, false, false]);
    }
}

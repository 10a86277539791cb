//! `stat`: everything that the kernel tells of one file of the target.

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::file_status_service_client::FileStatusServiceClient;
use dbgctl_proto::v1::{self, FileKind, FileStatus, Gap, Summary};

use super::{TargetPath, Through, formatted, kind, status};
use crate::commands::agent::Agent;
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Cell, Column, Object, Output, Row, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl stat web /etc/passwd          as the container sees it, through every link on the way
  dbgctl stat web /app --no-follow     the link itself
  dbgctl stat web /proc/1/exe --no-follow
  dbgctl stat web /data -o json | jq .status.mount_id

\"via\" is each symbolic link that was followed. \"on disk\" is less than the size if there are holes in it. \
\"changed\" is the last change of content, owner, mode or links. Nothing is opened.";

/// Show everything about one file
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seen from the container's root directory
    path: TargetPath,

    /// Look at a link itself, not at what it leads to
    #[arg(long)]
    no_follow: bool,

    #[command(flatten)]
    through: Through,
}

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// One fact.
struct Fact {
    name: &'static str,
    value: String,
}

impl Row for Fact {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("FACT", |row| row.name.into()),
        Column::written("VALUE", |row: &Self, cell: &mut Cell<'_>| cell.show(&row.value)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text(self.name, self.value.as_str());
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.FileStatusService/GetFileStatus"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut client =
            FileStatusServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = v1::GetFileStatusRequest {
            path: self.path.bytes(),
            pid: self.through.pid,
            no_follow: self.no_follow,
        };
        let request = agent.request(request);
        let answer = async { Ok(client.get_file_status(request).await?.into_inner()) };
        let mut response = agent.within_limit(answer).await?;
        response.followed.truncate(MOST_LINKS);
        unless_pipe_closed(show(&response, output, talk))
    }
}

fn show(response: &v1::GetFileStatusResponse, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
    let Some(status) = &response.status else {
        return Err(Failure::Rpc(tonic::Status::internal("the agent answered without a status")));
    };
    if output.is_table() {
        let facts = facts(response, status, output);
        output.rows(&facts)?;
        for sentence in remarks(status) {
            output.sentence(sentence)?;
        }
        output.beside(talk, gap_sentences(&response.gaps, "files"))?;
    } else {
        output.object(|object| {
            object.raw("resolved_path", response.resolved_path.as_slice());
            status::field("status", Some(status), object);
            object.objects("followed", &response.followed, |link, object| {
                object.raw("path", link.path.as_slice());
                object.raw("target", link.target.as_slice());
            });
            object.raw("link_target", response.link_target.as_deref());
            gaps_field(&response.gaps, object);
        })?;
    }
    output.flush()?;
    Ok(Exit::Answered)
}

/// The gaps of an answer that is no list.
pub(super) fn gap_sentences(gaps: &[Gap], nouns: &str) -> Vec<String> {
    let summary = Summary { gaps: gaps.to_vec(), end: v1::End::Complete.into(), ..Summary::default() };
    closing::sentences(&summary, nouns)
}

pub(super) fn gaps_field(gaps: &[Gap], object: &mut Object<'_>) {
    object.objects("gaps", gaps, |gap, object| {
        object.text("subject", gap.subject.as_str());
        object.text("reason", gap.reason.as_str());
        object.number("count", gap.count);
    });
}

fn facts(response: &v1::GetFileStatusResponse, status: &FileStatus, output: &Output) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |name, write: &dyn Fn(&mut Cell<'_>)| {
        let mut value = String::new();
        write(&mut Cell::into(&mut value));
        facts.push(Fact { name, value });
    };
    for link in &response.followed {
        fact("via", &|cell| {
            cell.raw(&link.path);
            cell.text(" -> ");
            cell.raw(&link.target);
        });
    }
    fact("path", &|cell| cell.raw(&response.resolved_path));
    fact("type", &|cell| cell.text(kind(status.kind).replace('_', " ")));
    if let Some(target) = &response.link_target {
        fact("leads to", &|cell| cell.raw(target));
    }
    if let Some(device) = status.special {
        fact("stands for", &|cell| cell.show(format_args!("device {}:{}", device.major, device.minor)));
    }
    fact("size", &|cell| {
        cell.show(format_args!("{} bytes", status.size_bytes));
        if status.size_bytes >= 1024 {
            cell.show(format_args!(" ({})", Bytes(status.size_bytes)));
        }
    });
    fact("on disk", &|cell| cell.show(Bytes(status.disk_bytes)));
    fact("mode", &|cell| cell.show(format_args!("{} ({:04o})", status::mode(status), status.permissions)));
    fact("owner", &|cell| named(status.uid, status.user.as_deref(), cell));
    fact("group", &|cell| named(status.gid, status.group.as_deref(), cell));
    fact("links", &|cell| cell.show(status.links));
    fact("inode", &|cell| cell.show(status.inode));
    let device = status.device.unwrap_or_default();
    fact("device", &|cell| cell.show(format_args!("{}:{}", device.major, device.minor)));
    if let Some(mount) = status.mount_id {
        fact("mount", &|cell| cell.show(mount));
    }
    let precisely = |time| formatted(time, output, "%Y-%m-%d %H:%M:%S%.9f %z");
    fact("modified", &|cell| cell.text(precisely(status.modified)));
    fact("changed", &|cell| cell.text(precisely(status.changed)));
    fact("accessed", &|cell| cell.text(precisely(status.accessed)));
    fact("created", &|cell| cell.text(precisely(status.created)));
    let attributes = status::attributes(status);
    if !attributes.is_empty() {
        fact("attributes", &|cell| cell.text(attributes.join(", ").replace('_', " ")));
    }
    facts
}

fn named(number: u32, name: Option<&[u8]>, cell: &mut Cell<'_>) {
    cell.show(number);
    if let Some(name) = name {
        cell.text(" (");
        cell.raw(name);
        cell.text(")");
    }
}

/// What a person might overlook.
fn remarks(status: &FileStatus) -> Vec<&'static str> {
    let is_file = status::is(status, FileKind::Regular);
    let runs = is_file && status.permissions & 0o111 != 0;
    let mut remarks = Vec::new();
    if runs && status.permissions & 0o4000 != 0 {
        remarks.push("set-uid: whoever runs it acts as its owner");
    }
    if runs && status.permissions & 0o2000 != 0 {
        remarks.push("set-gid: whoever runs it acts as its group");
    }
    if status.permissions & 0o002 != 0
        && status.permissions & 0o1000 == 0
        && !status::is(status, FileKind::Link)
    {
        remarks.push("everyone may write to it");
    }
    if is_file && status.disk_bytes < status.size_bytes / 2 && status.size_bytes > 1 << 16 {
        remarks.push("sparse or compressed: it takes far less room than it is long");
    }
    if is_file && status.links == 0 {
        remarks.push("deleted: no name leads to it any more");
    }
    remarks
}

//! `cp`: files and directories of the target, copied here.

mod content;
mod order;
mod tarball;
mod tree;

use std::path::{Path, PathBuf};
use std::time::Duration;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::LONGEST_LIST;
use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::copy_out_response::Part;
use dbgctl_proto::v1::copy_service_client::CopyServiceClient;
use dbgctl_proto::v1::file_status_service_client::FileStatusServiceClient;
use dbgctl_proto::v1::{self, CopyEntry, End, FileKind, FileStatus, Summary};

use self::content::Content;
use self::order::Order;
use self::tarball::Tarball;
use self::tree::Tree;
use super::{TargetPath, Through, counted, status};
use crate::commands::agent::Agent;
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Output, Progress, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl cp web /etc/nginx ./nginx            a directory with all below it
  dbgctl cp web /data/heap.hprof .            a file, into the directory here
  dbgctl cp web /data/heap.hprof . --resume   goes on if it was broken off, and nothing has changed
  dbgctl cp web /var/log - | tar -t           as a tar archive

The SHA-256 of each file is taken where it is read and again where it is written. Holes stay holes. A copy has \
a temporary name beside DEST until it is whole; without --resume nothing is left of one that fails.

Permissions and times are kept, set-id bits and owners are not. Links are copied as links and never followed, \
but for PATH itself. Exit status 1: copied, but something was left out. Devices, FIFOs and sockets are left out, other mounts are not entered, and a path of the \
container cannot lead out of DEST.";

/// Copy a file or directory out of the container
///
/// Nothing is locked: a file that is written to meanwhile is copied as it was met, and named.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seen from the container's root directory
    path: TargetPath,

    /// A new name, or a directory to copy into; - for a tar archive on standard output
    #[arg(value_name = "DEST")]
    destination: PathBuf,

    /// Go on with a copy of one file that was broken off, and keep this one if it is
    #[arg(long)]
    resume: bool,

    #[command(flatten)]
    through: Through,
}

/// Where a copy goes. What comes from the agent is hostile: each implementation sees to it that nothing lands outside.
trait Sink {
    /// A directory. Its parents came before.
    fn directory(&mut self, path: &[u8], status: &FileStatus) -> Result<(), Failure>;
    /// A symbolic link.
    fn link(&mut self, path: &[u8], status: &FileStatus, target: &[u8]) -> Result<(), Failure>;
    /// A regular file. Its data come next, and then its end.
    fn file(&mut self, path: &[u8], status: &FileStatus, content: &mut Content) -> Result<(), Failure>;
    /// Data of the file, which lie within its extents, in order and without gaps.
    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure>;
    /// The file is whole.
    fn file_end(&mut self) -> Result<(), Failure>;
    /// Everything is there.
    fn finish(&mut self) -> Result<(), Failure>;
}

/// What has come so far.
#[derive(Debug, Default)]
struct Tally {
    files: u64,
    directories: u64,
    links: u64,
    bytes: u64,
    changed: u64,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::CopyOutResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        unless_pipe_closed(self.copy(agent, output, talk).await)
    }
}

impl Args {
    async fn copy(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        if self.destination == Path::new("-") {
            if output.is_terminal() {
                return Err(Failure::Request {
                    because: "a tar archive is not for a terminal".to_owned(),
                    suggestion: "pipe it into `tar -x`, or name a destination".to_owned(),
                });
            }
            let mut sink = Tarball::new(output, self.name());
            let (tally, summary) = self.receive(agent, &mut sink, 0).await?;
            output.flush()?;
            talk.line(sentence(&tally, "a tar archive"));
            return Ok(self.close(summary, talk));
        }
        let destination = match self.destination.is_dir() {
            true => self.destination.join(self.local_name()?),
            false => self.destination.clone(),
        };
        let mut sink = Tree::new(&destination, self.resume);
        let mut offset = 0;
        if self.resume {
            let status = self.status(agent).await?;
            offset = sink.resume(&status)?;
            if offset > 0 {
                talk.line(format!("going on after {}", Bytes(offset)));
            }
        }
        let (tally, summary) = self.receive(agent, &mut sink, offset).await?;
        if output.is_table() {
            output.sentence(sentence(&tally, &destination.display().to_string()))?;
        } else {
            output.object(|object| {
                object.object("copied", |object| {
                    object.number("files", tally.files);
                    object.number("directories", tally.directories);
                    object.number("links", tally.links);
                    object.number("bytes", tally.bytes);
                    object.number("changed", tally.changed);
                    object.text("destination", destination.to_string_lossy().as_ref());
                });
                closing::field(summary.as_ref(), object);
            })?;
        }
        output.flush()?;
        Ok(self.close(summary, talk))
    }

    /// The last component of the path in the target. Empty for its root.
    fn name(&self) -> &[u8] {
        let mut names = self.path.0.split(|&byte| byte == b'/');
        names.rfind(|name| !name.is_empty() && *name != b"." && *name != b"..").unwrap_or_default()
    }

    fn local_name(&self) -> Result<PathBuf, Failure> {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let name = self.name();
        if name.is_empty() {
            return Err(Failure::Request {
                because: "the root directory has no name that the copy could have".to_owned(),
                suggestion: format!(
                    "a name that does not exist yet, such as {}/root",
                    self.destination.display()
                ),
            });
        }
        Ok(PathBuf::from(OsStr::from_bytes(name)))
    }

    /// What the file is now that is to be gone on with.
    async fn status(&self, agent: &Agent) -> Result<FileStatus, Failure> {
        let mut client =
            FileStatusServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request =
            v1::GetFileStatusRequest { path: self.path.bytes(), pid: self.through.pid, no_follow: false };
        let request = agent.request(request);
        let answer = async { Ok(client.get_file_status(request).await?.into_inner()) };
        let status = agent.within_limit(answer).await?.status.unwrap_or_default();
        if status::is(&status, FileKind::Regular) {
            return Ok(status);
        }
        Err(Failure::Request {
            because: "only the copy of one regular file can be gone on with".to_owned(),
            suggestion: "leave out --resume".to_owned(),
        })
    }

    async fn receive(
        &self,
        agent: &Agent,
        sink: &mut impl Sink,
        offset: u64,
    ) -> Result<(Tally, Option<Summary>), Failure> {
        let mut client = CopyServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = v1::CopyOutRequest { path: self.path.bytes(), pid: self.through.pid, offset, limit: 0 };
        let mut request = agent.request(request);
        // A copy takes as long as it takes; the agent's own bound is what the time is limited by.
        request.set_timeout(LONGEST_LIST + Duration::from_secs(60));
        let mut stream = client.copy_out(request).await?.into_inner();
        let mut progress = Progress::begin();
        let mut tally = Tally { bytes: offset, ..Tally::default() };
        let mut receiver = Receiver { sink, open: None, order: Order::default(), offset };
        // However long the copy takes: between two messages there may not be more than the answer to any other question.
        while let Some(message) = agent.within_limit(async { Ok(stream.message().await?) }).await? {
            match message.part {
                Some(Part::Batch(batch)) => {
                    for entry in batch.entries {
                        receiver.entry(entry, &mut tally)?;
                    }
                }
                Some(Part::Data(data)) => {
                    tally.bytes += u64::try_from(data.content.len()).unwrap_or_default();
                    receiver.data(&data)?;
                    let size = receiver.open.as_ref().filter(|_| tally.directories == 0);
                    progress.show(tally.bytes, size.map(Content::data_bytes), tally.files);
                }
                Some(Part::End(end)) => {
                    tally.changed += u64::from(end.changed);
                    receiver.end(&end)?;
                }
                Some(Part::Summary(summary)) => {
                    let is_whole = receiver.open.is_none() && summary.end == i32::from(End::Complete);
                    if !is_whole {
                        return Err(broken_off(
                            "the time that one copy may take is over",
                            if self.resume {
                                "the same again: it goes on where it ended"
                            } else {
                                "--resume, which can be gone on with, or copy less at a time"
                            },
                        ));
                    }
                    sink.finish()?;
                    return Ok((tally, Some(summary)));
                }
                // A part that only a newer agent knows.
                None => {}
            }
        }
        Err(broken_off("the agent ended it without a summary", "ask again"))
    }

    fn close(&self, summary: Option<Summary>, talk: &mut Talk) -> Exit {
        let summary = summary.unwrap_or_default();
        talk.lines(closing::sentences(&summary, "files"));
        // What is left out of a copy is missing where it is looked for later.
        if summary.gaps.is_empty() { Exit::Answered } else { Exit::No }
    }
}

fn broken_off(because: &str, suggestion: &str) -> Failure {
    Failure::Here(Error::new("copy that whole", because, suggestion))
}

/// `3 files, 1 directory, 1 link, 1.2 MiB, each checked by SHA-256: ./nginx`.
fn sentence(tally: &Tally, destination: &str) -> String {
    let counted = |count: u64, one, many| counted(usize::try_from(count).unwrap_or(usize::MAX), one, many);
    let mut parts = vec![counted(tally.files, "file", "files")];
    if tally.directories > 0 {
        parts.push(counted(tally.directories, "directory", "directories"));
    }
    if tally.links > 0 {
        parts.push(counted(tally.links, "link", "links"));
    }
    format!("{}, {}, checked by SHA-256: {destination}", parts.join(", "), Bytes(tally.bytes))
}

/// Checks what comes, and hands it on.
struct Receiver<'s, S> {
    sink: &'s mut S,
    open: Option<Content>,
    order: Order,
    /// Where the data of the first file begin.
    offset: u64,
}

impl<S: Sink> Receiver<'_, S> {
    fn entry(&mut self, entry: CopyEntry, tally: &mut Tally) -> Result<(), Failure> {
        if self.open.is_some() || !is_safe(&entry.path) {
            return Err(insane("an entry where none can be, or with a path that leads elsewhere"));
        }
        // What no copy needs is not kept, however much of it there is.
        let status = entry.status.unwrap_or_default();
        let status = FileStatus { attributes: Vec::new(), user: None, group: None, ..status };
        let kind = FileKind::try_from(status.kind);
        if !self.order.take(&entry.path, kind.unwrap_or_default()) {
            return Err(insane("an entry below none, or below a link"));
        }
        match kind {
            Ok(FileKind::Directory) => {
                tally.directories += 1;
                self.sink.directory(&entry.path, &status)
            }
            Ok(FileKind::Link) => {
                tally.links += 1;
                self.sink.link(&entry.path, &status, entry.link_target.as_deref().unwrap_or_default())
            }
            Ok(FileKind::Regular) if entry.unreadable.is_none() => {
                tally.files += 1;
                let mut content = Content::new(&entry.extents, status.size_bytes, self.offset)
                    .ok_or_else(|| insane("stretches of a file that overlap"))?;
                self.sink.file(&entry.path, &status, &mut content)?;
                self.open = Some(content);
                Ok(())
            }
            // Without data; a gap says why.
            _ => Ok(()),
        }
    }

    fn data(&mut self, data: &v1::CopyData) -> Result<(), Failure> {
        let content = self.open.as_mut().ok_or_else(|| insane("data of no file"))?;
        if !content.take(data.offset, &data.content) {
            return Err(insane("data from outside of the file"));
        }
        self.sink.data(data.offset, &data.content)
    }

    fn end(&mut self, end: &v1::CopyEnd) -> Result<(), Failure> {
        let content = self.open.take().ok_or_else(|| insane("the end of no file"))?;
        if !content.is_whole() {
            return Err(insane("the end of a file before all of it"));
        }
        if content.digest() != end.sha256 {
            let suggestion = "copy it again, without --resume if that was given";
            return Err(broken_off("the SHA-256 of what was read is not that of what came", suggestion));
        }
        self.offset = 0;
        self.sink.file_end()
    }
}

fn insane(what: &str) -> Failure {
    broken_off(
        &format!("the agent sent {what}"),
        "tell whoever looks after the container: it may have been taken over",
    )
}

/// Whether a path can lead nowhere but below where it begins, as long as no link is followed.
fn is_safe(path: &[u8]) -> bool {
    path.is_empty()
        || path.split(|&byte| byte == b'/').all(|name| {
            !name.is_empty() && name.len() <= 255 && name != b"." && name != b".." && !name.contains(&0)
        })
}

#[cfg(test)]
mod unit {
    use super::is_safe;

    #[test]
    fn a_path_that_could_lead_elsewhere_is_not_safe() {
        for path in [&b""[..], b"a", b"a/b.c", b"...", b"\xff\n"] {
            assert!(is_safe(path), "{path:?}");
        }
        for path in [&b"/etc"[..], b"..", b"a/../b", b"a//b", b"a/", b".", b"a\0b"] {
            assert!(!is_safe(path), "{path:?}");
        }
    }
}

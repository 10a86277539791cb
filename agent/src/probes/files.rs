//! What the probes of the target's files share: which file is meant, and how it is told.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dbgctl_linux::etc::group::{self, Groups};
use dbgctl_linux::etc::passwd::{self, Users};
use dbgctl_linux::file::{Attribute, Device, FileKind, FileStatus, FileTime};
use dbgctl_linux::procfs::stat;
use dbgctl_linux::target::{Origin, Origins};
use dbgctl_linux::walk::{self, NotEntered};
use dbgctl_linux::{Buffer, Found, LastLink, Pid, ReadError, Space, TargetRoot};
use dbgctl_proto::v1;
use tonic::{Request, Response, Status};

use crate::error::{BadRequest, ProbeError};
use crate::gaps::Gaps;
use crate::guard::Lacking;
use crate::listing;
use crate::patience::{self, Answer, Patience};
use crate::sources::Sources;
use crate::stream::Terms;

pub mod access;
pub mod contents;
pub mod copies;
pub mod directories;
pub mod file_status;
pub mod mounts;
pub mod search;
pub mod usage;

/// As long as the kernel takes them, without the NUL at the end.
const LONGEST_PATH_BYTES: usize = 4095;

/// Paths of mounts that a walk names as not entered.
const MOST_MOUNTS_NAMED: usize = 64;

/// Whose eyes a path is seen with.
fn viewer(sources: &Sources, pid: Option<u32>) -> Result<Pid, ProbeError> {
    let Some(pid) = pid.map(Pid) else { return sources.target_init() };
    expect_of_target(sources, pid)?;
    Ok(pid)
}

fn expect_of_target(sources: &Sources, pid: Pid) -> Result<(), ProbeError> {
    let mut buffer = Buffer::default();
    let of_target = stat::read(sources.root(), pid, &mut buffer)
        .and_then(|process| Origins::new(sources.root(), sources.target()).of(&process))
        .is_ok_and(|origin| origin == Origin::Target);
    // The root of any other process is not the target's.
    if of_target { Ok(()) } else { Err(listing::no_process(&[pid]).into()) }
}

/// A file of the target that someone asks about.
struct Place<'r> {
    sources: &'r Arc<Sources>,
    viewer: Pid,
    root: TargetRoot<'r>,
    /// Begins with "/".
    path: PathBuf,
}

impl<'r> Place<'r> {
    fn of(sources: &'r Arc<Sources>, path: &[u8], pid: Option<u32>) -> Result<Self, ProbeError> {
        if path.len() > LONGEST_PATH_BYTES || path.contains(&0) {
            let problem = format!("is longer than {LONGEST_PATH_BYTES} bytes, or has a NUL in it");
            return Err(BadRequest::new("path", problem).into());
        }
        let viewer = viewer(sources, pid)?;
        let root = sources.root().target(viewer)?;
        // It may have ended before its root was opened, and its number been given to a process of another container.
        expect_of_target(sources, viewer)?;
        Ok(Self { sources, viewer, root, path: Path::new("/").join(OsStr::from_bytes(path)) })
    }

    fn bytes(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }

    /// Finds it, if its file system answers.
    fn find(&self, last_link: LastLink) -> Result<Found<'r>, ProbeError> {
        self.reach(last_link)?;
        self.root.find(&self.path, last_link).map_err(|error| self.failed(error))
    }

    /// Whether its file system answers.
    fn reach(&self, last_link: LastLink) -> Result<(), ProbeError> {
        match self.patience(last_link).ask(self.bytes()) {
            Answer::Late => Err(self.failed(silent(self.bytes()))),
            // What is wrong with it, whoever opens it will be told.
            Answer::Came(_) | Answer::NotAsked => Ok(()),
        }
    }

    /// Asks each mount on a walk whether it answers.
    fn reach_mounts(&self) -> walk::Reach<'r> {
        let mut patience = self.patience(LastLink::Keep);
        Box::new(move |path| match patience.ask(path) {
            Answer::Came(_) => Ok(()),
            Answer::Late | Answer::NotAsked => Err(silent(path)),
        })
    }

    fn patience(&self, last_link: LastLink) -> Patience<Result<Space, ReadError>> {
        let (sources, viewer) = (Arc::clone(self.sources), self.viewer);
        Patience::new(Arc::clone(self.sources.held()), move |path: &[u8]| {
            sources.root().target(viewer)?.find(Path::new(OsStr::from_bytes(path)), last_link)?.space()
        })
    }

    fn failed(&self, source: ReadError) -> ProbeError {
        ProbeError::File { path: self.bytes().to_vec(), source }
    }
}

fn silent(path: &[u8]) -> ReadError {
    ReadError::Silent { path: OsStr::from_bytes(path).into(), seconds: patience::LONGEST.as_secs() }
}

/// Names of the target's users and groups.
#[derive(Default)]
struct Names {
    users: Users,
    groups: Groups,
}

impl Names {
    fn read(sources: &Sources, viewer: Pid, gaps: &mut Gaps) -> Self {
        let mut buffer = Buffer::default();
        let mut unless_gone = |subject, error: &ReadError| {
            // A target without these files has no names: nothing is missing.
            if !error.is_gone() {
                gaps.add_error(subject, error);
            }
        };
        let users = passwd::read(sources.root(), viewer, &mut buffer);
        let users = users.inspect_err(|error| unless_gone("user names", error)).unwrap_or_default();
        let groups = group::read(sources.root(), viewer, &mut buffer);
        let groups = groups.inspect_err(|error| unless_gone("group names", error)).unwrap_or_default();
        Self { users, groups }
    }

    fn status(&self, status: &FileStatus) -> v1::FileStatus {
        v1::FileStatus {
            kind: kind(status.kind).into(),
            permissions: status.permissions,
            uid: status.uid,
            gid: status.gid,
            user: self.users.name(status.uid).map(<[u8]>::to_vec),
            group: self.groups.name(status.gid).map(<[u8]>::to_vec),
            size_bytes: status.size_bytes,
            disk_bytes: status.disk_bytes,
            links: status.links,
            inode: status.inode,
            device: Some(device(status.device)),
            special: status.special.map(device),
            accessed: Some(time(status.accessed)),
            modified: Some(time(status.modified)),
            changed: Some(time(status.changed)),
            created: status.created.map(time),
            mount_id: status.mount_id,
            attributes: status.attributes.iter().map(|&flag| attribute(flag).into()).collect(),
        }
    }
}

fn kind(kind: FileKind) -> v1::FileKind {
    match kind {
        FileKind::Regular => v1::FileKind::Regular,
        FileKind::Directory => v1::FileKind::Directory,
        FileKind::Link => v1::FileKind::Link,
        FileKind::Fifo => v1::FileKind::Fifo,
        FileKind::Socket => v1::FileKind::Socket,
        FileKind::CharacterDevice => v1::FileKind::CharacterDevice,
        FileKind::BlockDevice => v1::FileKind::BlockDevice,
        FileKind::Other => v1::FileKind::Other,
    }
}

fn attribute(attribute: Attribute) -> v1::FileAttribute {
    match attribute {
        Attribute::Compressed => v1::FileAttribute::Compressed,
        Attribute::Immutable => v1::FileAttribute::Immutable,
        Attribute::AppendOnly => v1::FileAttribute::AppendOnly,
        Attribute::NoDump => v1::FileAttribute::NoDump,
        Attribute::Encrypted => v1::FileAttribute::Encrypted,
        Attribute::Automount => v1::FileAttribute::Automount,
        Attribute::MountRoot => v1::FileAttribute::MountRoot,
        Attribute::Verity => v1::FileAttribute::Verity,
        Attribute::Dax => v1::FileAttribute::Dax,
    }
}

fn device(Device { major, minor }: Device) -> v1::DeviceNumber {
    v1::DeviceNumber { major, minor }
}

fn time(FileTime { unix_seconds, nanos }: FileTime) -> v1::FileTime {
    v1::FileTime { unix_seconds, nanos }
}

/// Which mounts a walk enters; `unless_said` if the request does not say.
fn crossing(asked: i32, unless_said: walk::Crossing) -> Result<walk::Crossing, BadRequest> {
    match v1::Crossing::try_from(asked) {
        Ok(v1::Crossing::Unspecified) => Ok(unless_said),
        Ok(v1::Crossing::None) => Ok(walk::Crossing::None),
        Ok(v1::Crossing::Volumes) => Ok(walk::Crossing::Volumes),
        Ok(v1::Crossing::All) => Ok(walk::Crossing::All),
        Err(_) => Err(BadRequest::new("crossing", "is none that this agent knows")),
    }
}

/// The mounts that a walk did not enter.
#[derive(Default)]
struct LeftOut(Vec<Vec<u8>>);

impl LeftOut {
    /// Takes note of a directory that was not entered: by name if it is a mount, as a gap if it is one.
    fn note(&mut self, reason: &NotEntered, path: &[u8], gaps: &mut Gaps) {
        match reason {
            NotEntered::Mount if self.0.len() < MOST_MOUNTS_NAMED => self.0.push(path.to_vec()),
            NotEntered::Mount | NotEntered::Unwanted => {}
            NotEntered::TooDeep => gaps
                .add("not entered", "directories deeper than 512 levels, or with paths of more than 8 KiB"),
            NotEntered::Failed(error) => gaps.add_error("not entered", error),
        }
    }
}

/// Answers with one message, from a thread that may block, or says that there was no answer in time.
async fn at_once<M: Send + 'static>(
    terms: &Terms,
    collect: impl FnOnce() -> Result<M, ProbeError> + Send + 'static,
) -> Result<Response<M>, Status> {
    let collected = tokio::time::timeout_at(terms.deadline(), tokio::task::spawn_blocking(collect)).await;
    let collected = collected.map_err(|_| ProbeError::Late)?;
    let collected = collected.unwrap_or_else(|error| Err(ProbeError::Broken(error.to_string())));
    Ok(Response::new(collected?))
}

/// No gaps so far, of a probe that was asked by `request`.
fn no_gaps<R>(request: &Request<R>) -> Gaps {
    let lacking = request.extensions().get::<Lacking>();
    Gaps::lacking(lacking.map_or(&[], |lacking| lacking.0.as_slice()))
}

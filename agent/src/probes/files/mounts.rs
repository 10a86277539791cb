//! `ListMounts`: the mounts of the target, and the room in them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use dbgctl_linux::file::Device;
use dbgctl_linux::procfs::mountinfo::{self, Mount, Propagation};
use dbgctl_linux::{LastLink, Pid, ReadError, Space};
use dbgctl_proto::v1;
use dbgctl_proto::v1::mount_service_server::{MountService, MountServiceServer};
use tonic::{Request, Response, Status};

use super::{device, viewer};
use crate::patience::{Answer, Patience};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// Why a mount is missing.
pub(super) const TOO_MANY: &str = "left out: there are more than the agent keeps";

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> MountServiceServer<Mounts> {
    MountServiceServer::new(Mounts::new(sources))
}

/// Answers `ListMounts`.
#[derive(Debug)]
pub struct Mounts {
    sources: Arc<Sources>,
}

impl Mounts {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl MountService for Mounts {
    type ListMountsStream = Bounded<v1::ListMountsResponse>;

    async fn list_mounts(
        &self,
        request: Request<v1::ListMountsRequest>,
    ) -> Result<Response<Self::ListMountsStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let (sources, pid) = (Arc::clone(&self.sources), request.into_inner().pid);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, pid, out))))
    }
}

fn collect(
    sources: &Arc<Sources>,
    pid: Option<u32>,
    out: &mut Out<v1::ListMountsResponse>,
) -> Result<(), Halt> {
    let viewer = viewer(sources, pid)?;
    let mountinfo::Mounts { mounts, cut } = mountinfo::read(sources.root(), viewer)?;
    let (sources, held) = (Arc::clone(sources), sources.held());
    let mut patience = Patience::new(Arc::clone(held), move |path: &[u8]| place(&sources, viewer, path));
    // What another was mounted over, by id and path: that is covered, whatever the other one answers.
    let covered_by = |mount: &Mount| (mount.parent, mount.path.clone());
    let surely_covered: BTreeSet<_> = mounts.iter().map(covered_by).collect();
    for mount in mounts {
        out.room()?;
        if surely_covered.contains(&(mount.id, mount.path.clone())) {
            out.row(message(mount, true, None))?;
            continue;
        }
        let (mut covered, mut space) = (false, None);
        match patience.ask(&mount.path) {
            Answer::Came(Ok(seen)) if seen.is_of(&mount) => space = Some(seen.space),
            Answer::Came(Ok(_)) => covered = true,
            // What covers it may lack the directory that it is mounted on.
            Answer::Came(Err(error)) if error.is_gone() => covered = true,
            Answer::Came(Err(error)) => out.gaps.add_error("room in mounts", &error),
            Answer::Late => out.gaps.add(
                "room in mounts",
                format!("{} did not answer within two seconds", String::from_utf8_lossy(&mount.path)),
            ),
            Answer::NotAsked => {
                out.gaps.add("room in mounts", "not asked: too many others did not answer");
            }
        }
        out.row(message(mount, covered, space))?;
    }
    if cut {
        out.gaps.add("mounts", TOO_MANY);
    }
    Ok(())
}

/// What lies where a mount should be.
struct Seen {
    mount_id: Option<u64>,
    device: Device,
    space: Space,
}

impl Seen {
    /// Whether it is that mount, and not another that lies over it.
    fn is_of(&self, mount: &Mount) -> bool {
        self.mount_id.map_or(self.device == mount.device, |id| id == mount.id)
    }
}

fn place(sources: &Sources, viewer: Pid, path: &[u8]) -> Result<Seen, ReadError> {
    let root = sources.root().target(viewer)?;
    let found = root.find(Path::new(OsStr::from_bytes(path)), LastLink::Keep)?;
    let status = found.status();
    Ok(Seen { mount_id: status.mount_id, device: status.device, space: found.space()? })
}

fn message(mount: Mount, covered: bool, space: Option<Space>) -> v1::Mount {
    let propagation = match mount.propagation {
        Propagation::Private => v1::Propagation::Private,
        Propagation::Shared => v1::Propagation::Shared,
        Propagation::Slave => v1::Propagation::Slave,
        Propagation::SharedAndSlave => v1::Propagation::SharedAndSlave,
        Propagation::Unbindable => v1::Propagation::Unbindable,
    };
    let space = space.map(|space| v1::MountSpace {
        size_bytes: space.size_bytes,
        free_bytes: space.free_bytes,
        available_bytes: space.available_bytes,
        inodes: space.inodes,
        inodes_free: space.inodes.map(|_| space.inodes_free),
    });
    v1::Mount {
        mount_id: mount.id,
        parent_id: mount.parent,
        device: Some(device(mount.device)),
        path: mount.path,
        file_system: mount.file_system,
        source: mount.source,
        root: mount.root,
        read_only: mount.read_only,
        no_suid: mount.no_suid,
        no_dev: mount.no_dev,
        no_exec: mount.no_exec,
        propagation: propagation.into(),
        covered,
        space,
    }
}

//! `ListDirectory`: what is in a directory of the target.

use std::sync::Arc;

use dbgctl_linux::LastLink;
use dbgctl_linux::file::{FileKind, FileStatus};
use dbgctl_proto::v1;
use dbgctl_proto::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use tonic::{Request, Response, Status};

use super::{Names, Place};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> DirectoryServiceServer<Directories> {
    DirectoryServiceServer::new(Directories::new(sources))
}

/// Answers `ListDirectory`.
#[derive(Debug)]
pub struct Directories {
    sources: Arc<Sources>,
}

impl Directories {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl DirectoryService for Directories {
    type ListDirectoryStream = Bounded<v1::ListDirectoryResponse>;

    async fn list_directory(
        &self,
        request: Request<v1::ListDirectoryRequest>,
    ) -> Result<Response<Self::ListDirectoryStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let (sources, request) = (Arc::clone(&self.sources), request.into_inner());
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &request, out))))
    }
}

fn collect(
    sources: &Arc<Sources>,
    request: &v1::ListDirectoryRequest,
    out: &mut Out<v1::ListDirectoryResponse>,
) -> Result<(), Halt> {
    let place = Place::of(sources, &request.path, request.pid)?;
    let found = place.find(LastLink::Follow)?;
    let names = Names::read(sources, place.viewer, &mut out.gaps);
    if found.status().kind != FileKind::Directory {
        return out.row(message(place.bytes(), Some(found.status()), None, &names));
    }
    let mut directory = found.directory().map_err(|error| place.failed(error))?;
    while let Some(entry) = directory.next_entry().map_err(|error| place.failed(error))? {
        out.room()?;
        let status = match directory.status_of(&entry.name) {
            Ok(status) => Some(status),
            Err(error) if error.is_gone() => {
                out.gaps.add("entries", "went away while the list was made");
                continue;
            }
            Err(error) => {
                out.gaps.add_error("not looked at", &error);
                None
            }
        };
        let is_link = status.as_ref().is_some_and(|status| status.kind == FileKind::Link);
        let link_target = is_link.then(|| directory.link_target_of(&entry.name));
        let link_target =
            link_target.transpose().inspect_err(|error| out.gaps.add_error("where links lead", error));
        let link_target = link_target.ok().flatten();
        out.row(message(entry.name.to_bytes(), status.as_ref(), link_target, &names))?;
    }
    Ok(())
}

fn message(
    name: &[u8],
    status: Option<&FileStatus>,
    link_target: Option<Vec<u8>>,
    names: &Names,
) -> v1::DirectoryEntry {
    v1::DirectoryEntry { name: name.to_vec(), status: status.map(|status| names.status(status)), link_target }
}

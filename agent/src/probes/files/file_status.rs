//! `GetFileStatus`: everything that the kernel tells of one file, and every link on the way to it.

use std::sync::Arc;

use dbgctl_linux::route::{self, End};
use dbgctl_linux::{LastLink, ReadError};
use dbgctl_proto::v1;
use dbgctl_proto::v1::file_status_service_server::{FileStatusService, FileStatusServiceServer};
use tonic::{Request, Response, Status};

use super::{Names, Place, at_once, no_gaps};
use crate::error::ProbeError;
use crate::gaps::Gaps;
use crate::sources::Sources;
use crate::stream::Terms;

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> FileStatusServiceServer<Statuses> {
    FileStatusServiceServer::new(Statuses::new(sources))
}

/// Answers `GetFileStatus`.
#[derive(Debug)]
pub struct Statuses {
    sources: Arc<Sources>,
}

impl Statuses {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl FileStatusService for Statuses {
    async fn get_file_status(
        &self,
        request: Request<v1::GetFileStatusRequest>,
    ) -> Result<Response<v1::GetFileStatusResponse>, Status> {
        let (terms, gaps) = (Terms::of(&request, 0), no_gaps(&request));
        let sources = Arc::clone(&self.sources);
        let request = request.into_inner();
        at_once(&terms, move || collect(&sources, &request, gaps)).await
    }
}

fn collect(
    sources: &Arc<Sources>,
    request: &v1::GetFileStatusRequest,
    mut gaps: Gaps,
) -> Result<v1::GetFileStatusResponse, ProbeError> {
    let place = Place::of(sources, &request.path, request.pid)?;
    let last_link = if request.no_follow { LastLink::Keep } else { LastLink::Follow };
    // The kernel decides what there is; the way is for whoever wants to know how it got there.
    let found = place.find(last_link)?;
    let names = Names::read(sources, place.viewer, &mut gaps);
    let (steps, end) = route::follow(&place.root, &place.path, last_link, |_| ())?;
    match &end {
        End::Found => {}
        End::Failed(error) => gaps.add_error("the way", error),
        End::Missing(_) | End::NotADirectory | End::Loop => gaps.add("the way", "changed meanwhile"),
    }
    let resolved_path = steps.last().map_or_else(Vec::new, |last| last.path.clone());
    let link_target = found.link_target().ok().filter(|_| request.no_follow);
    let followed = steps.into_iter().filter_map(|step| {
        let target = step.link_target?;
        Some(v1::FollowedLink { path: step.path, target })
    });
    let mut followed: Vec<_> = followed.collect();
    if link_target.is_some() {
        // The last one is the answer itself.
        followed.pop();
    }
    let status = found.status_now().map_err(|error: ReadError| place.failed(error))?;
    Ok(v1::GetFileStatusResponse {
        resolved_path,
        status: Some(names.status(&status)),
        followed,
        link_target,
        gaps: gaps.message(),
    })
}

//! `FindFiles`: files of the target by name, kind, size and age.

use std::sync::Arc;

use dbgctl_linux::LastLink;
use dbgctl_linux::file::{FileKind, FileStatus, FileTime};
use dbgctl_linux::glob;
use dbgctl_linux::walk::{self, Step, Walk};
use dbgctl_proto::v1;
use dbgctl_proto::v1::search_service_server::{SearchService, SearchServiceServer};
use tonic::{Request, Response, Status};

use super::{LeftOut, Names, Place, crossing, kind};
use crate::error::{BadRequest, ProbeError};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// More would be no question of a person.
const MOST_NAMES: usize = 64;
const LONGEST_NAME_BYTES: usize = 1024;

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> SearchServiceServer<Search> {
    SearchServiceServer::new(Search::new(sources))
}

/// Answers `FindFiles`.
#[derive(Debug)]
pub struct Search {
    sources: Arc<Sources>,
}

impl Search {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl SearchService for Search {
    type FindFilesStream = Bounded<v1::FindFilesResponse>;

    async fn find_files(
        &self,
        request: Request<v1::FindFilesRequest>,
    ) -> Result<Response<Self::FindFilesStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let request = request.into_inner();
        let wish = Wish::try_from(&request).map_err(ProbeError::from)?;
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &request, &wish, out))))
    }
}

/// What is looked for, with every field checked.
struct Wish {
    names: Vec<Vec<u8>>,
    kinds: Vec<i32>,
    bytes: std::ops::RangeInclusive<u64>,
    since: Option<FileTime>,
    until: Option<FileTime>,
    max_depth: Option<usize>,
    crossing: walk::Crossing,
}

impl TryFrom<&v1::FindFilesRequest> for Wish {
    type Error = BadRequest;

    fn try_from(request: &v1::FindFilesRequest) -> Result<Self, BadRequest> {
        if request.names.len() > MOST_NAMES
            || request.names.iter().any(|name| name.len() > LONGEST_NAME_BYTES)
        {
            return Err(BadRequest::new("names", "are too many, or too long"));
        }
        let time = |time: Option<v1::FileTime>| {
            time.map(|time| FileTime { unix_seconds: time.unix_seconds, nanos: time.nanos })
        };
        Ok(Self {
            names: request.names.clone(),
            kinds: request.kinds.clone(),
            bytes: request.least_bytes.unwrap_or(0)..=request.most_bytes.unwrap_or(u64::MAX),
            since: time(request.modified_since),
            until: time(request.modified_until),
            max_depth: request.max_depth.map(|depth| usize::try_from(depth).unwrap_or(usize::MAX)),
            crossing: crossing(request.crossing, walk::Crossing::Volumes)?,
        })
    }
}

impl Wish {
    fn is_met_by(&self, name: &[u8], status: &FileStatus) -> bool {
        (self.names.is_empty() || self.names.iter().any(|pattern| glob::matches(pattern, name)))
            && (self.kinds.is_empty() || self.kinds.contains(&kind(status.kind).into()))
            && self.bytes.contains(&status.size_bytes)
            && self.since.is_none_or(|since| status.modified >= since)
            && self.until.is_none_or(|until| status.modified <= until)
    }
}

fn collect(
    sources: &Arc<Sources>,
    request: &v1::FindFilesRequest,
    wish: &Wish,
    out: &mut Out<v1::FindFilesResponse>,
) -> Result<(), Halt> {
    let place = Place::of(sources, &request.path, request.pid)?;
    let start = place.find(LastLink::Follow)?;
    let names = Names::read(sources, place.viewer, &mut out.gaps);
    let mut left_out = LeftOut::default();
    let mut entries = 1;
    let last = place.bytes().rsplit(|&byte| byte == b'/').find(|name| !name.is_empty()).unwrap_or(b"/");
    let status = start.status().clone();
    let walked = (|| {
        if wish.is_met_by(last, &status) {
            out.row(message(place.bytes(), &status, None, &names))?;
        }
        if status.kind != FileKind::Directory {
            return Ok(());
        }
        let mut walk = Walk::new(start, place.bytes(), wish.crossing, wish.max_depth, place.reach_mounts());
        while let Some(step) = walk.step() {
            out.wanted()?;
            match step {
                Step::Met(met) => {
                    entries += 1;
                    if wish.is_met_by(met.name.to_bytes(), &met.status) {
                        let is_link = met.status.kind == FileKind::Link;
                        let target = is_link.then(|| walk.link_target(&met.name).ok()).flatten();
                        out.row(message(walk.path(), &met.status, target, &names))?;
                    }
                }
                Step::Left => {}
                Step::NotEntered(reason) => left_out.note(&reason, walk.path(), &mut out.gaps),
                Step::Unread(error) if error.is_gone() => {}
                Step::Unread(error) => out.gaps.add_error("not looked at", &error),
            }
        }
        Ok(())
    })();
    if let Err(Halt::Failed(error)) = walked {
        return Err(Halt::Failed(error));
    }
    // Said also of a walk that ended early, as far as there is still someone to hear it.
    let walk = v1::Walked { entries, mounts_left_out: left_out.0 };
    out.last_words(walk);
    walked
}

fn message(path: &[u8], status: &FileStatus, link_target: Option<Vec<u8>>, names: &Names) -> v1::FoundFile {
    v1::FoundFile { path: path.to_vec(), status: Some(names.status(status)), link_target }
}

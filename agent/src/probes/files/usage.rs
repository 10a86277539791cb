//! `MeasureUsage`: what takes the room on the target's disks.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;

use dbgctl_linux::LastLink;
use dbgctl_linux::file::{Device, FileKind, FileStatus, FileTime};
use dbgctl_linux::walk::{self, NotEntered, Step, Walk};
use dbgctl_proto::v1;
use dbgctl_proto::v1::usage_service_server::{UsageService, UsageServiceServer};
use tonic::{Request, Response, Status};

use super::{LeftOut, Place, crossing, kind, time};
use crate::error::ProbeError;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// Rows that are kept until all is known.
const MOST_ROWS: usize = 10_000;
/// Files with several names that are remembered, at some 50 bytes each.
const MOST_LINKED: usize = 200_000;

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> UsageServiceServer<Usages> {
    UsageServiceServer::new(Usages::new(sources))
}

/// Answers `MeasureUsage`.
#[derive(Debug)]
pub struct Usages {
    sources: Arc<Sources>,
}

impl Usages {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl UsageService for Usages {
    type MeasureUsageStream = Bounded<v1::MeasureUsageResponse>;

    async fn measure_usage(
        &self,
        request: Request<v1::MeasureUsageRequest>,
    ) -> Result<Response<Self::MeasureUsageStream>, Status> {
        // The limit is kept by the ranking: what it leaves out is counted there.
        let terms = Terms::of(&request, 0);
        let request = request.into_inner();
        let crossing = crossing(request.crossing, walk::Crossing::None).map_err(ProbeError::from)?;
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &request, crossing, out))))
    }
}

/// What has been added up for a file or directory. Ordered by what it takes on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Usage {
    disk_bytes: u64,
    apparent_bytes: u64,
    entries: u64,
    modified: FileTime,
    path: Vec<u8>,
    kind: FileKind,
}

impl Usage {
    fn of(status: &FileStatus, path: &[u8]) -> Self {
        Self {
            disk_bytes: status.disk_bytes,
            // That of a directory says nothing about what it holds.
            apparent_bytes: if status.kind == FileKind::Directory { 0 } else { status.size_bytes },
            entries: 1,
            modified: status.modified,
            path: path.to_vec(),
            kind: status.kind,
        }
    }

    fn add(&mut self, other: &Self) {
        self.disk_bytes = self.disk_bytes.saturating_add(other.disk_bytes);
        self.apparent_bytes = self.apparent_bytes.saturating_add(other.apparent_bytes);
        self.entries += other.entries;
        self.modified = self.modified.max(other.modified);
    }

    fn message(self) -> v1::Usage {
        v1::Usage {
            path: self.path,
            kind: kind(self.kind).into(),
            disk_bytes: self.disk_bytes,
            apparent_bytes: self.apparent_bytes,
            entries: self.entries,
            modified: Some(time(self.modified)),
        }
    }
}

/// The biggest so far.
struct Ranking {
    most: usize,
    kept: BinaryHeap<Reverse<Usage>>,
    left_out: u64,
}

impl Ranking {
    fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let most = if limit == 0 { MOST_ROWS } else { limit.min(MOST_ROWS) };
        Self { most, kept: BinaryHeap::new(), left_out: 0 }
    }

    fn add(&mut self, usage: Usage) {
        self.kept.push(Reverse(usage));
        if self.kept.len() > self.most {
            self.kept.pop();
            self.left_out += 1;
        }
    }

    fn biggest_first(self) -> impl Iterator<Item = Usage> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(usage)| usage)
    }
}

fn collect(
    sources: &Arc<Sources>,
    request: &v1::MeasureUsageRequest,
    crossing: walk::Crossing,
    out: &mut Out<v1::MeasureUsageResponse>,
) -> Result<(), Halt> {
    let place = Place::of(sources, &request.path, request.pid)?;
    let start = place.find(LastLink::Follow)?;
    let depth = usize::try_from(request.depth).unwrap_or(usize::MAX);
    let most_entries = if request.most_entries == 0 { u64::MAX } else { request.most_entries };
    let mut ranking = Ranking::new(request.limit);
    let mut left_out = LeftOut::default();
    let mut linked = Linked::default();
    let mut end = v1::End::Complete;
    let mut met_so_far = 1;
    // What is being added up: the start, and each directory on the way down from it.
    let mut open = vec![Usage::of(start.status(), place.bytes())];
    let is_directory = start.status().kind == FileKind::Directory;
    let mut walk =
        is_directory.then(|| Walk::new(start, place.bytes(), crossing, None, place.reach_mounts()));
    while let Some(step) = walk.as_mut().and_then(Walk::step) {
        out.wanted()?;
        let path = walk.as_ref().map_or(&[][..], Walk::path);
        match step {
            Step::Met(met) => {
                met_so_far += 1;
                let usage = Usage::of(&met.status, path);
                if met.status.kind == FileKind::Directory {
                    open.push(usage);
                } else if linked.is_new(&met.status, out) {
                    close(usage, met.depth, depth, &mut open, &mut ranking);
                }
            }
            Step::Left if open.len() > 1 => leave(depth, &mut open, &mut ranking),
            Step::Left => {}
            Step::NotEntered(reason) => {
                left_out.note(&reason, path, &mut out.gaps);
                if open.len() > 1 {
                    if matches!(reason, NotEntered::Mount) {
                        // What is mounted there takes no room here.
                        open.pop();
                    } else {
                        leave(depth, &mut open, &mut ranking);
                    }
                }
            }
            Step::Unread(error) if error.is_gone() => {}
            Step::Unread(error) => out.gaps.add_error("not looked at", &error),
        }
        if met_so_far >= most_entries {
            end = v1::End::Limit;
            break;
        }
        if out.is_late() {
            end = v1::End::Deadline;
            break;
        }
    }
    while open.len() > 1 {
        leave(depth, &mut open, &mut ranking);
    }
    let total = v1::UsageTotal {
        total: open.pop().map(Usage::message),
        end: end.into(),
        mounts_left_out: left_out.0,
        rows_left_out: ranking.left_out,
    };
    out.lead(total)?;
    for usage in ranking.biggest_first() {
        out.row(usage.message())?;
    }
    Ok(())
}

/// Closes the directory that was opened last.
fn leave(rows_to: usize, open: &mut Vec<Usage>, ranking: &mut Ranking) {
    if let Some(usage) = open.pop() {
        // The start is open too, and has depth 0.
        close(usage, open.len(), rows_to, open, ranking);
    }
}

/// Adds what is known in whole to the directory that it is in, and gives it a row if it is not too deep for that.
fn close(usage: Usage, depth: usize, rows_to: usize, open: &mut [Usage], ranking: &mut Ranking) {
    if let Some(parent) = open.last_mut() {
        parent.add(&usage);
    }
    if depth <= rows_to {
        ranking.add(usage);
    }
}

/// Files with several names that were met.
#[derive(Default)]
struct Linked(HashSet<(Device, u64)>);

impl Linked {
    fn is_new(&mut self, status: &FileStatus, out: &mut Out<v1::MeasureUsageResponse>) -> bool {
        if status.links < 2 || self.0.contains(&status.identity()) {
            return status.links < 2;
        }
        if self.0.len() < MOST_LINKED {
            self.0.insert(status.identity());
        } else {
            out.gaps.add("files with several names", "too many to remember: they may be counted twice");
        }
        true
    }
}

//! `CopyOut`: files and directories of the target, to be kept elsewhere.

use std::sync::Arc;

use dbgctl_linux::file::{FileKind, FileStatus};
use dbgctl_linux::walk::{Crossing, NotEntered, Step, Walk};
use dbgctl_linux::{LastLink, ReadError, TargetFile};
use dbgctl_proto::list::CopyContent;
use dbgctl_proto::v1;
use dbgctl_proto::v1::copy_service_server::{CopyService, CopyServiceServer};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};

use super::{LeftOut, Names, Place};
use crate::error::{BadRequest, ProbeError};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

const CHUNK_BYTES: usize = 256 << 10;

/// A file in more pieces than this is sent with the last of its holes.
const MOST_EXTENTS: usize = 50_000;

/// The files of the kernel say that they are empty. What they have is at most this.
const LONGEST_UNSIZED_BYTES: u64 = 16 << 20;

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> CopyServiceServer<Copies> {
    CopyServiceServer::new(Copies::new(sources))
}

/// Answers `CopyOut`.
#[derive(Debug)]
pub struct Copies {
    sources: Arc<Sources>,
}

impl Copies {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl CopyService for Copies {
    type CopyOutStream = Bounded<v1::CopyOutResponse>;

    async fn copy_out(
        &self,
        request: Request<v1::CopyOutRequest>,
    ) -> Result<Response<Self::CopyOutStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let (sources, request) = (Arc::clone(&self.sources), request.into_inner());
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &request, out))))
    }
}

type Reply<'o> = &'o mut Out<v1::CopyOutResponse>;

fn collect(sources: &Arc<Sources>, request: &v1::CopyOutRequest, out: Reply<'_>) -> Result<(), Halt> {
    let place = Place::of(sources, &request.path, request.pid)?;
    let start = place.find(LastLink::Follow)?;
    let names = Names::default();
    match start.status().kind {
        FileKind::Regular => {
            let file = start.file().map_err(|error| place.failed(error))?;
            return send_file(&file, b"", request.offset, &names, out);
        }
        _ if request.offset > 0 => {
            return Err(BadRequest::new("offset", "makes sense for one regular file only").into());
        }
        FileKind::Directory => {}
        found => {
            let wanted = FileKind::Regular;
            let path = start.path().to_owned();
            return Err(place.failed(ReadError::OtherKind { path, found, wanted }).into());
        }
    }
    out.row(entry(b"", start.status(), &names))?;
    let mut left_out = LeftOut::default();
    let mut walk = Walk::new(start, b"", Crossing::None, None, place.reach_mounts());
    let mut nothing_met = true;
    while let Some(step) = walk.step() {
        out.wanted()?;
        match step {
            Step::Met(met) => {
                nothing_met = false;
                let path = walk.path().strip_prefix(b"/").unwrap_or(walk.path()).to_vec();
                let mut entry = entry(&path, &met.status, &names);
                match met.status.kind {
                    FileKind::Regular => {
                        let found = walk.find(&met.name).transpose();
                        let file = found.and_then(|found| found.map(|found| found.file()).transpose());
                        match file {
                            Ok(Some(file)) => {
                                send_file(&file, &path, 0, &names, out)?;
                                continue;
                            }
                            Ok(None) => continue,
                            Err(error) => {
                                out.gaps.add_error("not read", &error);
                                entry.unreadable = Some(out.gaps.reason(&error).into_owned());
                            }
                        }
                    }
                    FileKind::Link => match walk.link_target(&met.name) {
                        Ok(target) => entry.link_target = Some(target),
                        Err(error) => {
                            out.gaps.add_error("not read", &error);
                            continue;
                        }
                    },
                    FileKind::Directory => {}
                    kind => out.gaps.add("left out", kind.to_string()),
                }
                out.row(entry)?;
            }
            Step::Left => {}
            // There is nothing at all without the directory that was asked for.
            Step::NotEntered(NotEntered::Failed(error)) if nothing_met => {
                return Err(place.failed(error).into());
            }
            Step::NotEntered(NotEntered::Mount) => {
                out.gaps.add("left out", "other mounts");
            }
            Step::NotEntered(reason) => left_out.note(&reason, walk.path(), &mut out.gaps),
            Step::Unread(error) => out.gaps.add_error("not read", &error),
        }
    }
    Ok(())
}

fn entry(path: &[u8], status: &FileStatus, names: &Names) -> v1::CopyEntry {
    v1::CopyEntry { path: path.to_vec(), status: Some(names.status(status)), ..v1::CopyEntry::default() }
}

/// Sends one regular file, from `from` on.
fn send_file(file: &TargetFile, path: &[u8], from: u64, names: &Names, out: Reply<'_>) -> Result<(), Halt> {
    let failed = |source| Halt::from(ProbeError::File { path: path.to_vec(), source });
    let mut status = file.status().map_err(failed)?;
    let before = status.clone();
    if status.size_bytes == 0 {
        status.size_bytes = unsized_length(file).map_err(failed)?;
    }
    let extents = extents(file, status.size_bytes).map_err(failed)?;
    let mut entry = entry(path, &status, names);
    entry.extents = extents.clone();
    out.row(entry)?;

    let mut digest = Sha256::new();
    let mut bytes = vec![0; CHUNK_BYTES];
    let mut is_short = false;
    for extent in extents {
        let (mut offset, end) = (extent.offset, extent.offset.saturating_add(extent.length_bytes));
        while offset < end {
            out.wanted()?;
            let wanted = usize::try_from(end - offset).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            // What a copy has already is not sent twice.
            let wanted = if offset < from {
                wanted.min(usize::try_from(from - offset).unwrap_or(wanted))
            } else {
                wanted
            };
            let mut length = file.read_at(offset, &mut bytes[..wanted]).map_err(failed)?;
            if length == 0 {
                // It became shorter. Zeros keep the rest in its place.
                is_short = true;
                bytes[..wanted].fill(0);
                length = wanted;
            }
            digest.update(&bytes[..length]);
            if offset >= from {
                let data = v1::CopyData { offset, content: bytes[..length].to_vec() };
                out.between(CopyContent::Data(data))?;
            }
            offset = offset.saturating_add(u64::try_from(length).unwrap_or_default());
        }
    }
    let after = file.status().map_err(failed)?;
    let changed = is_short || (after.size_bytes, after.modified) != (before.size_bytes, before.modified);
    if changed {
        out.gaps.add("files", "changed while they were copied");
    }
    let end = v1::CopyEnd { sha256: digest.finalize().to_vec(), changed };
    out.between(CopyContent::End(end))
}

/// The stretches that are no holes.
fn extents(file: &TargetFile, size: u64) -> Result<Vec<v1::Extent>, ReadError> {
    let mut extents = Vec::new();
    let mut at = 0;
    while at < size {
        let Some((start, end)) = file.next_data(at, size)? else { break };
        let end = if extents.len() + 1 == MOST_EXTENTS { size } else { end };
        extents.push(v1::Extent { offset: start, length_bytes: end - start });
        // A file that changes might give a stretch of no length, over and over.
        at = end.max(at + 1);
    }
    Ok(extents)
}

fn unsized_length(file: &TargetFile) -> Result<u64, ReadError> {
    let mut bytes = [0; 4096];
    let mut length = 0;
    while length < LONGEST_UNSIZED_BYTES {
        match file.read_at(length, &mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(more) => length += u64::try_from(more).unwrap_or(LONGEST_UNSIZED_BYTES),
        }
    }
    Ok(length)
}

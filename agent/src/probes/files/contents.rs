//! `ReadFile`: the content of a file of the target, from where it is wanted, and what is written to it next.

mod start;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dbgctl_linux::file::{Device, FileStatus};
use dbgctl_linux::{Found, LastLink, ReadError, TargetFile};
use dbgctl_proto::list::ContentNews;
use dbgctl_proto::v1;
use dbgctl_proto::v1::content_service_server::{ContentService, ContentServiceServer};
use nix::errno::Errno;
use tonic::{Request, Response, Status};

use super::{Names, Place};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded, waiting};

/// Sent as soon as it is read.
const CHUNK_BYTES: usize = 64 << 10;

/// How often a file that is followed is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> ContentServiceServer<Contents> {
    ContentServiceServer::new(Contents::new(sources))
}

/// Answers `ReadFile`.
#[derive(Debug)]
pub struct Contents {
    sources: Arc<Sources>,
}

impl Contents {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl ContentService for Contents {
    type ReadFileStream = Bounded<v1::ReadFileResponse>;

    async fn read_file(
        &self,
        request: Request<v1::ReadFileRequest>,
    ) -> Result<Response<Self::ReadFileStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let (sources, request) = (Arc::clone(&self.sources), request.into_inner());
        let follow = request.follow;
        let read = move |out: &mut Out<_>| collect(&sources, &request, out);
        Ok(Response::new(if follow { waiting(terms, read)? } else { bounded(terms, read) }))
    }
}

type Reply<'o> = &'o mut Out<v1::ReadFileResponse>;

fn collect(sources: &Arc<Sources>, request: &v1::ReadFileRequest, out: Reply<'_>) -> Result<(), Halt> {
    let place = Place::of(sources, &request.path, request.pid)?;
    let found = place.find(LastLink::Follow)?;
    let file = found.file().map_err(|error| place.failed(error))?;
    let names = Names::read(sources, place.viewer, &mut out.gaps);
    let mut reading =
        Reading { place: &place, names: &names, file, status: found.status().clone(), offset: 0 };
    let is_another = request.last_seen.is_some_and(|seen| identity(seen) != Some(reading.status.identity()));
    if is_another {
        event(v1::FollowEvent::Replaced, out)?;
    } else {
        reading.offset = start::of(&reading.file, &reading.status, request.start.as_ref(), &mut out.gaps)
            .map_err(|error| place.failed(error))?;
    }
    let mut most = Most { bytes: request.most_bytes, lines: request.most_lines };
    reading.announce(out)?;
    reading.send_rest(&mut most, out)?;
    if request.follow { reading.follow(&mut most, out) } else { Ok(()) }
}

fn identity(seen: v1::FileIdentity) -> Option<(Device, u64)> {
    let device = seen.device?;
    Some((Device { major: device.major, minor: device.minor }, seen.inode))
}

fn event(event: v1::FollowEvent, out: Reply<'_>) -> Result<(), Halt> {
    out.between(ContentNews::Event(event.into()))
}

/// How much is still wanted.
struct Most {
    bytes: Option<u64>,
    lines: Option<u64>,
}

impl Most {
    fn is_reached(&self) -> bool {
        self.bytes == Some(0) || self.lines == Some(0)
    }

    /// How much of `chunk` is wanted. The rest of the wish is shorter by that.
    fn take(&mut self, chunk: &[u8]) -> usize {
        let bytes = self.bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let mut length = chunk.len().min(bytes);
        if let Some(lines) = &mut self.lines {
            let ends = chunk[..length].iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            for (at, _) in ends {
                *lines -= 1;
                if *lines == 0 {
                    length = at + 1;
                    break;
                }
            }
        }
        if let Some(bytes) = &mut self.bytes {
            *bytes -= u64::try_from(length).unwrap_or(*bytes).min(*bytes);
        }
        length
    }
}

/// A file on its way to the reader.
struct Reading<'p, 'r> {
    place: &'p Place<'r>,
    names: &'p Names,
    file: TargetFile,
    status: FileStatus,
    offset: u64,
}

impl<'r> Reading<'_, 'r> {
    fn announce(&self, out: Reply<'_>) -> Result<(), Halt> {
        let status = Some(self.names.status(&self.status));
        let header = v1::ContentHeader { status, offset: self.offset };
        out.between(ContentNews::Header(header))
    }

    /// Sends all that is there from the offset on. Returns whether that was anything.
    fn send_rest(&mut self, most: &mut Most, out: Reply<'_>) -> Result<bool, Halt> {
        let mut bytes = vec![0; CHUNK_BYTES];
        let mut any = false;
        loop {
            out.wanted()?;
            let length = match self.file.read_at(self.offset, &mut bytes) {
                Ok(length) => length,
                // Some files of the kernel have nothing right now.
                Err(error) if error.errno() == Some(Errno::EAGAIN) => 0,
                Err(error) => return Err(self.place.failed(error).into()),
            };
            if length == 0 {
                out.flush()?;
                return Ok(any);
            }
            if most.is_reached() {
                return Err(out.limit_reached());
            }
            let length = most.take(&bytes[..length]);
            out.row(v1::ContentChunk { offset: self.offset, content: bytes[..length].to_vec() })?;
            self.offset = self.offset.saturating_add(u64::try_from(length).unwrap_or_default());
            any = true;
        }
    }

    /// Sends what is written next, until nobody wants it any more.
    fn follow(mut self, most: &mut Most, out: Reply<'_>) -> Result<(), Halt> {
        let mut removed = false;
        loop {
            thread::sleep(PAUSE);
            out.wanted()?;
            let size = self.file.status().map_err(|error| self.place.failed(error))?.size_bytes;
            // Files of the kernel have no size at all.
            if size < self.offset && self.status.size_bytes > 0 {
                event(v1::FollowEvent::Truncated, out)?;
                self.offset = 0;
            }
            if self.send_rest(most, out)? {
                continue;
            }
            match self.other_file() {
                Ok(None) => removed = false,
                Ok(Some(found)) => {
                    removed = false;
                    // What was written between the last look and the replacement.
                    self.send_rest(most, out)?;
                    self.file = found.file().map_err(|error| self.place.failed(error))?;
                    (self.status, self.offset) = (found.status().clone(), 0);
                    event(v1::FollowEvent::Replaced, out)?;
                    self.announce(out)?;
                    self.send_rest(most, out)?;
                }
                Err(error) if error.is_gone() => {
                    if !removed {
                        event(v1::FollowEvent::Removed, out)?;
                    }
                    removed = true;
                }
                Err(error) => return Err(self.place.failed(error).into()),
            }
        }
    }

    /// What the path leads to now, if that is another file.
    fn other_file(&self) -> Result<Option<Found<'r>>, ReadError> {
        let found = self.place.root.find(&self.place.path, LastLink::Follow)?;
        Ok(Some(found).filter(|found| found.status().identity() != self.status.identity()))
    }
}

#[cfg(test)]
mod tests {
    use super::Most;

    #[test]
    fn as_much_is_taken_as_is_wanted_and_not_a_byte_more() {
        let mut most = Most { bytes: Some(5), lines: None };
        assert_eq!((most.take(b"abc"), most.take(b"def"), most.is_reached()), (3, 2, true));
        let mut most = Most { bytes: None, lines: Some(2) };
        assert_eq!((most.take(b"a"), most.take(b"b\nc\nd\n"), most.is_reached()), (1, 4, true));
        let mut most = Most { bytes: Some(3), lines: Some(2) };
        assert_eq!((most.take(b"a\nb\n"), most.is_reached()), (3, true));
        assert_eq!(Most { bytes: None, lines: None }.take(b"abc"), 3);
    }
}

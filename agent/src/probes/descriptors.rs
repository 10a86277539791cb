//! `ListDescriptors`: the open files of the target.

use std::sync::Arc;

use dbgctl_linux::cgroupfs::Limit;
use dbgctl_linux::file::{Device, FileKind, FileStatus};
use dbgctl_linux::procfs::fd::{self, Descriptors, Kind};
use dbgctl_linux::procfs::fdinfo::{self, Fdinfo, Fdinfos};
use dbgctl_linux::procfs::limits::{self, Limits, Resource};
use dbgctl_linux::procfs::stat::Stat;
use dbgctl_linux::{Buffer, ReadError};
use dbgctl_proto::list::OpenDescriptor;
use dbgctl_proto::v1;
use dbgctl_proto::v1::descriptor_service_server::{DescriptorService, DescriptorServiceServer};
use dbgctl_proto::v1::{DescriptorAccess, DescriptorKind};
use nix::libc::{self, O_PATH};
use tonic::{Request, Response, Status};

use crate::gaps::Gaps;
use crate::listing;
use crate::socket_names::SocketNames;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> DescriptorServiceServer<OpenFiles> {
    DescriptorServiceServer::new(OpenFiles::new(sources))
}

/// Answers `ListDescriptors`.
#[derive(Debug)]
pub struct OpenFiles {
    sources: Arc<Sources>,
}

impl OpenFiles {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl DescriptorService for OpenFiles {
    type ListDescriptorsStream = Bounded<v1::ListDescriptorsResponse>;

    async fn list_descriptors(
        &self,
        request: Request<v1::ListDescriptorsRequest>,
    ) -> Result<Response<Self::ListDescriptorsStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let wanted = request.into_inner();
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &wanted, out))))
    }
}

fn collect(
    sources: &Sources,
    wanted: &v1::ListDescriptorsRequest,
    out: &mut Out<v1::ListDescriptorsResponse>,
) -> Result<(), Halt> {
    let mut reader = Reader {
        sources,
        details: wanted.details,
        most_open: 0,
        sockets: SocketNames::default(),
        buffer: Buffer::default(),
    };
    listing::processes(sources, &wanted.pids, out, |stat, out| reader.process(stat, out))
}

/// So many open files make the limit interesting, whatever others have.
const MANY: usize = 64;

struct Reader<'s> {
    sources: &'s Sources,
    details: bool,
    /// Descriptors of one process so far.
    most_open: usize,
    sockets: SocketNames,
    buffer: Buffer,
}

impl Reader<'_> {
    fn process(&mut self, stat: &Stat<'_>, out: &mut Out<v1::ListDescriptorsResponse>) -> Result<(), Halt> {
        // A zombie has closed all.
        if !stat.has_memory() {
            return Ok(());
        }
        let root = self.sources.root();
        let opened = fd::open(root, stat.pid).and_then(|mut descriptors| {
            let numbers = descriptors.numbers()?;
            Ok((descriptors, numbers))
        });
        let Some((descriptors, numbers)) = readable("open files", opened, &mut out.gaps) else {
            return Ok(());
        };
        let infos = match self.details {
            true => readable("details of open files", fdinfo::open(root, stat.pid), &mut out.gaps),
            false => None,
        };
        let mut process = None;
        if !numbers.is_empty() {
            let is_worth_a_file = self.details || numbers.len() >= MANY || numbers.len() > self.most_open;
            self.most_open = self.most_open.max(numbers.len());
            let limits = is_worth_a_file.then(|| limits::read(root, stat.pid, &mut self.buffer));
            process = Some(v1::DescriptorProcess {
                pid: stat.pid.0,
                command: stat.command.to_vec(),
                open: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
                limit: limits
                    .and_then(|limits| readable("limits of open files", limits, &mut out.gaps))
                    .and_then(open_files),
            });
        }
        for number in numbers {
            let descriptor =
                match self.descriptor(stat.pid.0, number, &descriptors, infos.as_ref(), &mut out.gaps) {
                    Ok(descriptor) => descriptor,
                    // Closed meanwhile, or its process has ended.
                    Err(error) if error.is_gone() => continue,
                    Err(error) => {
                        out.gaps.add_error("some open files", &error);
                        continue;
                    }
                };
            out.row(OpenDescriptor { process: process.take(), descriptor })?;
        }
        Ok(())
    }

    fn descriptor(
        &mut self,
        pid: u32,
        number: u32,
        descriptors: &Descriptors,
        infos: Option<&Fdinfos>,
        gaps: &mut Gaps,
    ) -> Result<v1::Descriptor, ReadError> {
        let link = descriptors.link(number, &mut self.buffer)?;
        let kind = link.map_or(Kind::Path, |link| link.kind);
        let seems_deleted = link.is_some_and(|link| link.seems_deleted);
        let mut name = link.map(|link| link.name.to_vec());
        let has_size = seems_deleted || kind == Kind::Memfd;
        let mut behind = None;
        // What stands behind a recorded link is of another machine.
        if (has_size || self.details) && !self.sources.root().is_recorded() {
            behind = match descriptors.behind(number) {
                Ok(status) => Some(status),
                Err(error) if error.is_gone() => return Err(error),
                Err(error) => {
                    gaps.add_error("files behind descriptors", &error);
                    None
                }
            };
        }
        let deleted =
            seems_deleted && kind == Kind::Path && behind.as_ref().is_none_or(|status| status.links == 0);
        if seems_deleted && kind == Kind::Path && !deleted {
            // It is really called so, or it has other names left.
            name = name.map(|name| [name.as_slice(), b" (deleted)"].concat());
        }
        let socket = match kind {
            Kind::Socket(inode) => self.sockets.get(inode, self.sources.root(), gaps).map(Box::new),
            _ => None,
        };
        let (mut details, mut inode) = (None, behind.as_ref().map(|status| status.inode));
        if self.details {
            let info = infos.map(|infos| infos.read(number, &mut self.buffer)).transpose();
            let info = match info {
                Err(error) if error.is_gone() => return Err(error),
                info => readable("details of open files", info, gaps).flatten(),
            };
            let info = info.unwrap_or_default();
            inode = inode.or(info.inode);
            details = Some(Box::new(details_message(kind, info, behind.as_ref())));
        }
        let sized = behind.as_ref().filter(|status| has_size || status.kind == FileKind::Regular);
        Ok(v1::Descriptor {
            pid,
            number,
            kind: kind_message(kind, behind.as_ref()).into(),
            name,
            deleted,
            size_bytes: sized.map(|status| status.size_bytes),
            allocated_bytes: sized.map(|status| status.disk_bytes),
            inode,
            device: behind.as_ref().map(|status| device(status.device)),
            socket,
            details,
        })
    }
}

/// The soft limit. It is never without bound: /proc/sys/fs/nr_open bounds it.
fn open_files(limits: Limits) -> Option<u64> {
    match limits.get(Resource::OpenFiles)?.soft {
        Limit::At(most) => Some(most),
        Limit::Unlimited => None,
    }
}

/// What was read, or `None` and a gap. A process that has ended is a gap of its own.
fn readable<T>(subject: &'static str, read: Result<T, ReadError>, gaps: &mut Gaps) -> Option<T> {
    match read {
        Err(error) if !error.is_gone() => {
            gaps.add_error(subject, &error);
            None
        }
        read => gaps.unless_gone(read),
    }
}

fn kind_message(kind: Kind, behind: Option<&FileStatus>) -> DescriptorKind {
    match kind {
        Kind::Path => match behind.map(|status| status.kind) {
            Some(FileKind::Regular) => DescriptorKind::Regular,
            Some(FileKind::Directory) => DescriptorKind::Directory,
            Some(FileKind::CharacterDevice) => DescriptorKind::CharacterDevice,
            Some(FileKind::BlockDevice) => DescriptorKind::BlockDevice,
            Some(FileKind::Fifo) => DescriptorKind::Fifo,
            _ => DescriptorKind::File,
        },
        Kind::Pipe => DescriptorKind::Pipe,
        Kind::Socket(_) => DescriptorKind::Socket,
        Kind::Memfd => DescriptorKind::Memfd,
        Kind::Namespace => DescriptorKind::Namespace,
        Kind::Eventfd => DescriptorKind::Eventfd,
        Kind::Epoll => DescriptorKind::Epoll,
        Kind::Inotify => DescriptorKind::Inotify,
        Kind::Fanotify => DescriptorKind::Fanotify,
        Kind::Timerfd => DescriptorKind::Timerfd,
        Kind::Signalfd => DescriptorKind::Signalfd,
        Kind::Pidfd => DescriptorKind::Pidfd,
        Kind::IoUring => DescriptorKind::IoUring,
        Kind::Bpf => DescriptorKind::Bpf,
        Kind::PerfEvent => DescriptorKind::PerfEvent,
        Kind::Userfaultfd => DescriptorKind::Userfaultfd,
        Kind::Other => DescriptorKind::Other,
    }
}

fn details_message(kind: Kind, info: Fdinfo, behind: Option<&FileStatus>) -> v1::DescriptorDetails {
    v1::DescriptorDetails {
        access: info.flags.map_or(DescriptorAccess::Unspecified, access).into(),
        flags: info.flags.into_iter().flat_map(flag_names).map(str::to_owned).collect(),
        offset_bytes: info.offset_bytes,
        mount_id: info.mount_id,
        special: behind.and_then(|status| status.special).map(device),
        links: behind.map(|status| status.links.into()),
        eventfd_count: info.eventfd_count,
        epoll_watched: info.watched.filter(|_| kind == Kind::Epoll),
        watches: info.watched.filter(|_| matches!(kind, Kind::Inotify | Kind::Fanotify)),
        signal_mask: info.signal_mask,
        watched_pid: info.pid,
        timer: info.timer.map(|timer| v1::DescriptorTimer {
            clock: timer.clock,
            remaining_nanos: timer.remaining_nanos,
            interval_nanos: timer.interval_nanos,
            expirations: timer.expirations,
        }),
        locks: info.locks,
    }
}

fn device(Device { major, minor }: Device) -> v1::DescriptorDevice {
    v1::DescriptorDevice { major, minor }
}

fn access(flags: u32) -> DescriptorAccess {
    /// `O_ACCMODE` of the kernel; that of musl holds `O_PATH` as well.
    const ACCESS_MODE: u32 = 0o3;
    match flags & ACCESS_MODE {
        _ if flags & O_PATH.unsigned_abs() != 0 => DescriptorAccess::Path,
        0 => DescriptorAccess::Read,
        1 => DescriptorAccess::Write,
        _ => DescriptorAccess::ReadWrite,
    }
}

/// The flags of open(2) that last as long as the descriptor. Their bits depend on the architecture.
const FLAGS: [(libc::c_int, &str); 12] = [
    (libc::O_APPEND, "O_APPEND"),
    (libc::O_NONBLOCK, "O_NONBLOCK"),
    (libc::O_CLOEXEC, "O_CLOEXEC"),
    (libc::O_SYNC, "O_SYNC"),
    (libc::O_DSYNC, "O_DSYNC"),
    (libc::O_DIRECT, "O_DIRECT"),
    (libc::O_ASYNC, "O_ASYNC"),
    (libc::O_NOATIME, "O_NOATIME"),
    (libc::O_NOFOLLOW, "O_NOFOLLOW"),
    (libc::O_DIRECTORY, "O_DIRECTORY"),
    (libc::O_TMPFILE, "O_TMPFILE"),
    (O_PATH, "O_PATH"),
];

fn flag_names(flags: u32) -> impl Iterator<Item = &'static str> {
    let is_set = move |flag: libc::c_int| flags & flag.unsigned_abs() == flag.unsigned_abs();
    // The longer ones hold the bits of the shorter ones.
    let is_part = move |flag| {
        (flag == libc::O_DSYNC && is_set(libc::O_SYNC))
            || (flag == libc::O_DIRECTORY && is_set(libc::O_TMPFILE))
    };
    FLAGS.into_iter().filter(move |&(flag, _)| is_set(flag) && !is_part(flag)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_their_names_and_access_is_one_of_four() {
        let names = |flags: libc::c_int| flag_names(flags.unsigned_abs()).collect::<Vec<_>>();
        assert_eq!(names(libc::O_RDWR | libc::O_APPEND | libc::O_SYNC), ["O_APPEND", "O_SYNC"]);
        assert_eq!(names(libc::O_DIRECTORY | libc::O_CLOEXEC), ["O_CLOEXEC", "O_DIRECTORY"]);
        assert_eq!(access(0o100_002), DescriptorAccess::ReadWrite);
        assert_eq!(access(O_PATH.unsigned_abs()), DescriptorAccess::Path);
    }
}

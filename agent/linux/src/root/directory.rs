//! A directory below `/proc` whose entries are numbers, held open: what is in it is found without its path.

use std::ffi::CStr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::read;

use super::{Buffer, Content, ProcName, Root, SHORT_READ_BYTES, failed};
use crate::file::FileStatus;
use crate::{Pid, ReadError, sys};

/// The longest path that the kernel tells, and one byte that shows that it was not longer.
const LINK_BYTES: usize = 4097;

/// An open directory below `/proc`.
#[derive(Debug)]
pub struct ProcDirectory {
    dir: Dir,
    path: PathBuf,
}

impl Root {
    /// Opens a directory below `/proc`.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]; the process may have ended.
    pub(crate) fn directory(&self, name: &ProcName) -> Result<ProcDirectory, ReadError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = Dir::openat(&self.proc, name.as_c_str(), flags, Mode::empty())
            .map_err(|errno| self.cannot("open", name, self.recorded_errno(name, errno)))?;
        Ok(ProcDirectory { dir, path: self.proc_path(name) })
    }
}

impl ProcDirectory {
    /// The numeric entries, ascending.
    pub(crate) fn numbers(&mut self) -> Result<Vec<u32>, ReadError> {
        let mut numbers = Vec::with_capacity(16);
        for entry in self.dir.iter() {
            let entry = entry.map_err(|errno| failed("list", self.path.clone(), errno))?;
            numbers.extend(crate::number::unsigned32(entry.file_name().to_bytes()));
        }
        // The kernel lists in ascending order already; a recording does not.
        if !numbers.is_sorted() {
            numbers.sort_unstable();
        }
        numbers.dedup();
        Ok(numbers)
    }

    /// Where the link of that number says that it leads. `None`: to a path that is too long to be told.
    pub(crate) fn link<'b>(
        &self,
        number: u32,
        buffer: &'b mut Buffer,
    ) -> Result<Option<&'b [u8]>, ReadError> {
        let name = ProcName::process(Pid(number));
        let read = buffer.fill(LINK_BYTES - 1, LINK_BYTES, |bytes| {
            sys::read_link(self.dir.as_fd(), name.as_c_str(), bytes)
        });
        match read {
            Ok(link) => Ok((!link.cut).then_some(link.bytes)),
            Err(Errno::ENAMETOOLONG) => Ok(None),
            Err(errno) => Err(self.cannot("read the link", &name, errno)),
        }
    }

    /// What is known of the file that the link of that number leads to, without opening it, and without asking the
    /// server of a network file system, which may never answer.
    pub(crate) fn behind(&self, number: u32) -> Result<FileStatus, ReadError> {
        let name = ProcName::process(Pid(number));
        FileStatus::behind(self.dir.as_fd(), name.as_c_str())
            .map_err(|errno| self.cannot("stat", &name, errno))
    }

    /// Reads the file of that number, at most `bound` bytes of it.
    pub(crate) fn read<'b>(
        &self,
        number: u32,
        bound: usize,
        buffer: &'b mut Buffer,
    ) -> Result<Content<'b>, ReadError> {
        let name = ProcName::process(Pid(number));
        let file = self.open(name.as_c_str()).map_err(|errno| self.cannot("open", &name, errno))?;
        buffer
            .fill(bound, SHORT_READ_BYTES, |bytes| read(&file, bytes))
            .map_err(|errno| self.cannot("read", &name, errno))
    }

    fn open(&self, name: &CStr) -> nix::Result<std::os::fd::OwnedFd> {
        openat(&self.dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
    }

    #[cold]
    fn cannot(&self, op: &'static str, name: &ProcName, errno: Errno) -> ReadError {
        failed(op, self.path.join(name.to_string()), errno)
    }
}

//! An open directory of the target.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::readlinkat;

use super::target::find;
use super::{Found, Root, failed};
use crate::ReadError;
use crate::entries::{self, Entry};
use crate::file::FileStatus;
use crate::sys::{self, LastLink};

/// Some hundred entries. A walk has as many of these as it is deep.
const BUFFER_BYTES: usize = 16 << 10;

/// An open directory, of which the next entries are read as they are wanted: it may have millions.
#[derive(Debug)]
pub struct TargetDirectory<'r> {
    root: &'r Root,
    directory: OwnedFd,
    path: PathBuf,
    is_local: bool,
    buffer: Vec<u8>,
    filled: usize,
    at: usize,
    ended: bool,
}

impl<'r> TargetDirectory<'r> {
    pub(super) fn new(root: &'r Root, directory: OwnedFd, path: PathBuf, is_local: bool) -> Self {
        Self { root, directory, path, is_local, buffer: Vec::new(), filled: 0, at: 0, ended: false }
    }

    /// The next entry, in no order at all; the directory itself and its parent are left out. `None`: that was all.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            if self.at >= self.filled {
                self.buffer.resize(BUFFER_BYTES, 0);
                self.at = 0;
                self.filled = sys::read_entries(self.directory.as_fd(), &mut self.buffer)
                    .map_err(|errno| failed("list", self.path.clone(), errno))?;
                if self.filled == 0 {
                    return Ok(None);
                }
            }
            let Some((name, kind, length)) = entries::parse(&self.buffer[self.at..self.filled]) else {
                self.at = self.filled;
                continue;
            };
            self.at += length.max(1);
            if name != c"." && name != c".." {
                return Ok(Some(Entry { name: CString::from(name), kind }));
            }
        }
    }

    /// Makes it have no more entries.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Looks at what has the name `name` in it, and follows nothing. Of the top of a mount it tells what this machine
    /// knows of it.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn status_of(&self, name: &CStr) -> Result<FileStatus, ReadError> {
        let look = if self.is_local { FileStatus::known } else { FileStatus::unless_mounted };
        look(self.directory.as_fd(), name).map_err(|errno| self.cannot("look at", name, errno))
    }

    /// Where the symbolic link `name` leads.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`], also if it is no link.
    pub fn link_target_of(&self, name: &CStr) -> Result<Vec<u8>, ReadError> {
        let target = readlinkat(&self.directory, name);
        target.map(|target| target.into_vec()).map_err(|errno| self.cannot("read the link", name, errno))
    }

    /// Finds what has the name `name`. A link is not followed.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn find(&self, name: &CStr) -> Result<Found<'r>, ReadError> {
        let name = Path::new(OsStr::from_bytes(name.to_bytes()));
        find(self.root, self.directory.as_fd(), name, LastLink::Keep, self.path.join(name))
    }

    #[cold]
    fn cannot(&self, op: &'static str, name: &CStr, errno: Errno) -> ReadError {
        failed(op, self.path.join(OsStr::from_bytes(name.to_bytes())), errno)
    }
}

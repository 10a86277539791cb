//! A copy on this machine's disk: under a temporary name until it is whole.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use dbgctl_proto::v1::{FileStatus, FileTime};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, openat};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, fstat, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{ftruncate, symlinkat};
use sha2::{Digest as _, Sha256};

use super::{Content, Failure, Sink};
use crate::error::Error;

const BLOCK_BYTES: usize = 1 << 20;

/// What keeps `set-uid` and the like from coming along.
const KEPT_PERMISSIONS: u32 = 0o777;

/// A copy that is being made.
pub(super) struct Tree {
    destination: PathBuf,
    /// Where it is made.
    temporary: PathBuf,
    /// What is left of it is gone on with later.
    is_resumable: bool,
    is_finished: bool,
    /// The directory of the whole, if that is what is copied.
    top: Option<OwnedFd>,
    /// The directory that was written to last, by its path below the top.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// The file that is being written.
    file: Option<(OwnedFd, u64, FileStatus)>,
    /// Directories get what they had at the end: it might forbid to write into them.
    directories: Vec<(Vec<u8>, FileStatus)>,
}

impl Tree {
    pub(super) fn new(destination: &Path, is_resumable: bool) -> Self {
        let temporary = beside(destination, &std::process::id().to_string());
        Self {
            destination: destination.to_owned(),
            temporary,
            is_resumable,
            is_finished: false,
            top: None,
            parent: None,
            file: None,
            directories: Vec::new(),
        }
    }

    /// How much of a file in that state is here already. The temporary name says of which state it is.
    pub(super) fn resume(&mut self, status: &FileStatus) -> Result<u64, Failure> {
        let device = status.device.unwrap_or_default();
        let modified = status.modified.unwrap_or_default();
        let state = format!(
            "{}:{} {} {} {}.{}",
            device.major,
            device.minor,
            status.inode,
            status.size_bytes,
            modified.unix_seconds,
            modified.nanos
        );
        let digest = Sha256::digest(state.as_bytes());
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.temporary = beside(&self.destination, &name);
        match fs::symlink_metadata(&self.temporary) {
            Ok(found) if found.is_file() => Ok(found.len().min(status.size_bytes)),
            Ok(_) => Err(self.cannot("go on with", "it is no file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(self.cannot("go on with", &error.to_string())),
        }
    }

    fn cannot(&self, what: &str, because: &str) -> Failure {
        let suggestion = match self.is_resumable {
            true => "what has come is kept: --resume goes on with it once that is solved",
            false => "another destination, or more room; nothing is left of this copy",
        };
        // The temporary name tells a user nothing.
        Failure::Here(Error::new(format!("{what} {}", self.destination.display()), because, suggestion))
    }

    fn failed(&self, what: &str) -> impl FnOnce(Errno) -> Failure {
        let failure = |errno: Errno| errno.desc().to_lowercase();
        move |errno| self.cannot(what, &failure(errno))
    }

    /// The directory that `path` is in, and its last component. No link is followed on the way, whoever made it.
    fn place<'p>(&mut self, path: &'p [u8]) -> Result<(&OwnedFd, &'p OsStr), Failure> {
        let (parent, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&[][..], path),
        };
        if self.parent.as_ref().is_none_or(|(known, _)| known != parent) {
            let opened = self.open_directory(parent)?;
            self.parent = Some((parent.to_vec(), opened));
        }
        match &self.parent {
            Some((_, directory)) => Ok((directory, OsStr::from_bytes(name))),
            None => Err(self.cannot("write below", "there is no directory")),
        }
    }

    fn open_directory(&self, path: &[u8]) -> Result<OwnedFd, Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let Some(top) = &self.top else {
            return Err(self.cannot("write below", "the agent sent a file of no directory"));
        };
        let mut directory = top.try_clone().map_err(|error| self.cannot("open", &error.to_string()))?;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            directory = openat(&directory, OsStr::from_bytes(name), flags, Mode::empty())
                .map_err(self.failed("write below"))?;
        }
        Ok(directory)
    }

    fn remove(&self) {
        // What can not be removed was never made, or is another's.
        let _ = match self.top {
            Some(_) => fs::remove_dir_all(&self.temporary),
            None => fs::remove_file(&self.temporary),
        };
    }
}

/// `.NAME.WORD.partial` in the same directory.
fn beside(destination: &Path, word: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(destination.file_name().unwrap_or(OsStr::new("copy")));
    name.push(format!(".{word}.partial"));
    destination.with_file_name(name)
}

fn permissions(status: &FileStatus) -> Mode {
    Mode::from_bits_truncate((status.permissions & KEPT_PERMISSIONS) as nix::libc::mode_t)
}

fn times(status: &FileStatus) -> [TimeSpec; 2] {
    let time = |time: Option<FileTime>| {
        let time = time.unwrap_or_default();
        TimeSpec::new(time.unix_seconds, i64::from(time.nanos.min(999_999_999)))
    };
    [time(status.accessed), time(status.modified)]
}

impl Sink for Tree {
    fn directory(&mut self, path: &[u8], status: &FileStatus) -> Result<(), Failure> {
        if path.is_empty() {
            if fs::symlink_metadata(&self.destination).is_ok() {
                let because = "there is something of that name already";
                return Err(Failure::Here(Error::new(
                    format!("make {}", self.destination.display()),
                    because,
                    "a name that does not exist yet",
                )));
            }
            // What is in it may be for everyone to read only because it is not.
            fs::DirBuilder::new()
                .mode(0o700)
                .create(&self.temporary)
                .map_err(|error| self.cannot("make", &error.to_string()))?;
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let top = open(&self.temporary, flags, Mode::empty()).map_err(self.failed("open"))?;
            self.top = Some(top);
        } else {
            let (directory, name) = self.place(path)?;
            let made = mkdirat(directory, name, Mode::S_IRWXU);
            made.map_err(self.failed("make a directory below"))?;
        }
        self.directories.push((path.to_vec(), status.clone()));
        Ok(())
    }

    fn link(&mut self, path: &[u8], status: &FileStatus, target: &[u8]) -> Result<(), Failure> {
        let (directory, name) = self.place(path)?;
        let made = symlinkat(OsStr::from_bytes(target), directory, name);
        // Some file systems keep no time of a link.
        let [accessed, modified] = times(status);
        let _ = utimensat(directory, name, &accessed, &modified, UtimensatFlags::NoFollowSymlink);
        made.map_err(self.failed("make a link below"))
    }

    fn file(&mut self, path: &[u8], status: &FileStatus, content: &mut Content) -> Result<(), Failure> {
        let new = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let owners = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = if path.is_empty() {
            let flags = if self.is_resumable { new } else { new | OFlag::O_EXCL };
            openat(AT_FDCWD, &self.temporary, flags, owners)
        } else {
            let (directory, name) = self.place(path)?;
            openat(directory, name, new | OFlag::O_EXCL, owners)
        };
        let file = file.map_err(self.failed("make"))?;
        let mut block = vec![0; BLOCK_BYTES];
        for (start, end) in content.here() {
            let mut at = start;
            while at < end {
                let wanted = usize::try_from(end - at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
                let offset = i64::try_from(at).unwrap_or(i64::MAX);
                let length = pread(&file, &mut block[..wanted], offset).map_err(self.failed("read"))?;
                if length == 0 {
                    return Err(self.cannot("go on with", "it is shorter than it was"));
                }
                content.digest_of_here(&block[..length]);
                at += u64::try_from(length).unwrap_or_default();
            }
        }
        self.file = Some((file, content.size(), status.clone()));
        Ok(())
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let Some((file, ..)) = &self.file else { return Ok(()) };
        let mut written = 0;
        while written < bytes.len() {
            let at = offset.saturating_add(u64::try_from(written).unwrap_or_default());
            let at = i64::try_from(at).map_err(|_| self.cannot("write", "it is too long"))?;
            match pwrite(file, &bytes[written..], at) {
                Ok(length) => written += length,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.failed("write")(errno)),
            }
        }
        Ok(())
    }

    fn file_end(&mut self) -> Result<(), Failure> {
        let Some((file, size, status)) = self.file.take() else { return Ok(()) };
        let end = || {
            // A hole at the end.
            let size = i64::try_from(size).map_err(|_| Errno::EFBIG)?;
            if fstat(&file)?.st_size != size {
                ftruncate(file.as_fd(), size)?;
            }
            fchmod(&file, permissions(&status))?;
            let [accessed, modified] = times(&status);
            // A time that the file system here can not keep is no reason to have no copy.
            let _ = futimens(&file, &accessed, &modified);
            Ok(())
        };
        end().map_err(self.failed("finish"))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.parent = None;
        for (path, status) in std::mem::take(&mut self.directories).into_iter().rev() {
            let directory = self.open_directory(&path)?;
            let [accessed, modified] = times(&status);
            let _ = futimens(&directory, &accessed, &modified);
            fchmod(&directory, permissions(&status)).map_err(self.failed("finish"))?;
        }
        fs::rename(&self.temporary, &self.destination)
            .map_err(|error| self.cannot("give the copy its name, from", &error.to_string()))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Tree {
    /// Also where the user interrupts it.
    fn drop(&mut self) {
        if !self.is_finished && !self.is_resumable {
            self.remove();
        }
    }
}

//! A walk down a directory tree of the target, from descriptor to descriptor: no link is followed, no path is looked up
//! twice, and there are no loops.

use std::ffi::{CStr, CString};

use crate::ReadError;
use crate::file::{FileKind, FileStatus};
use crate::root::{Found, TargetDirectory};

/// Each level holds a descriptor and a buffer.
pub const DEEPEST: usize = 512;

/// Each level also holds its path: twice what the kernel lets anyone name at once.
const LONGEST_PATH_BYTES: usize = 8 << 10;

/// Which mounts are entered on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// None.
    None,
    /// Those that hold someone's files, and not those of the kernel.
    Volumes,
    /// All.
    All,
}

/// The kernel's own file systems, by `f_type` of statfs(2): what is in them are no files of anyone, and reading or
/// mounting more may be the answer to a look. See `include/uapi/linux/magic.h`.
const OF_THE_KERNEL: &[u64] = &[
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xcafe_4a11, // bpf
    0x1980_0202, // mqueue
    0x6165_676c, // pstore
    0x6265_6570, // configfs
    0xde5e_81e4, // efivarfs
    0x4249_4e4d, // binfmt_misc
    0xf97c_ff8c, // selinux
    0x6573_5543, // fusectl
    0x6e73_6673, // nsfs
    0x0187,      // autofs
];

/// What a walk meets next.
#[derive(Debug)]
pub enum Step {
    /// A file or directory. A directory is entered by the next step, until it is left: then comes [`Step::Left`]; or it
    /// is not, and [`Step::NotEntered`] says why.
    Met(Met),
    /// The directory met last of those that were not left yet has no more entries.
    Left,
    /// The directory just met is not entered.
    NotEntered(NotEntered),
    /// An entry could not be looked at, or the rest of a directory not be listed.
    Unread(ReadError),
}

/// A file or directory on the way.
#[derive(Debug)]
pub struct Met {
    /// Its name in the directory that was entered last.
    pub name: CString,
    /// What it is.
    pub status: FileStatus,
    /// Levels below the start, which is 0.
    pub depth: usize,
}

/// Why a directory was not entered.
#[derive(Debug)]
pub enum NotEntered {
    /// It lies in another mount.
    Mount,
    /// It lies deeper than was wanted.
    Unwanted,
    /// It lies deeper than [`DEEPEST`], or its path is very long.
    TooDeep,
    /// It could not be opened.
    Failed(ReadError),
}

/// Says whether what is mounted at a path answers. It may never do: who asks must not wait for ever.
pub type Reach<'r> = Box<dyn FnMut(&[u8]) -> Result<(), ReadError> + 'r>;

/// A walk on its way. Depth first, each directory before what is in it.
pub struct Walk<'r> {
    crossing: Crossing,
    reach: Reach<'r>,
    deepest: usize,
    levels: Vec<Level<'r>>,
    /// Of what was met last, beginning with the path of the start.
    path: Vec<u8>,
    next: Next<'r>,
}

#[derive(Debug)]
struct Level<'r> {
    directory: TargetDirectory<'r>,
    status: FileStatus,
    path_length: usize,
}

#[derive(Debug)]
enum Next<'r> {
    Enter(Entrance<'r>),
    Go,
}

#[derive(Debug)]
enum Entrance<'r> {
    Start(Box<Found<'r>>),
    Child(CString, Box<FileStatus>),
}

impl<'r> Walk<'r> {
    /// A walk down from the directory `start`, which has the path `path` for whoever asked. The first step enters it.
    /// `reach` is asked of each mount before it is entered.
    pub fn new(
        start: Found<'r>,
        path: &[u8],
        crossing: Crossing,
        deepest: Option<usize>,
        reach: Reach<'r>,
    ) -> Self {
        Self {
            crossing,
            reach,
            deepest: deepest.unwrap_or(usize::MAX),
            levels: Vec::new(),
            path: path.to_vec(),
            next: Next::Enter(Entrance::Start(Box::new(start))),
        }
    }

    /// The path of what was met last; of a directory that was left, its own.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Where the link that was met last leads.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn link_target(&self, name: &CStr) -> Result<Vec<u8>, ReadError> {
        match self.levels.last() {
            Some(level) => level.directory.link_target_of(name),
            None => Ok(Vec::new()),
        }
    }

    /// Finds what was met last again, to open it. `None` before anything was met.
    pub fn find(&self, name: &CStr) -> Option<Result<Found<'r>, ReadError>> {
        self.levels.last().map(|level| level.directory.find(name))
    }

    /// The next step. `None`: the start was left, or not entered.
    pub fn step(&mut self) -> Option<Step> {
        if let Next::Enter(entrance) = std::mem::replace(&mut self.next, Next::Go)
            && let Err(reason) = self.enter(entrance)
        {
            return Some(Step::NotEntered(reason));
        }
        let level = self.levels.last_mut()?;
        self.path.truncate(level.path_length);
        let entry = match level.directory.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => {
                self.levels.pop();
                return Some(Step::Left);
            }
            Err(error) => {
                // The next step leaves it: a directory that failed once is at its end.
                level.directory.end();
                return Some(Step::Unread(error));
            }
        };
        if self.path.last() != Some(&b'/') {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(entry.name.to_bytes());
        let status = match level.directory.status_of(&entry.name) {
            Ok(status) => status,
            Err(error) => return Some(Step::Unread(error)),
        };
        if status.kind == FileKind::Directory {
            self.next = Next::Enter(Entrance::Child(entry.name.clone(), Box::new(status.clone())));
        }
        Some(Step::Met(Met { name: entry.name, status, depth: self.levels.len() }))
    }

    fn enter(&mut self, entrance: Entrance<'r>) -> Result<(), NotEntered> {
        if self.levels.len() >= self.deepest {
            return Err(NotEntered::Unwanted);
        }
        if self.levels.len() >= DEEPEST || self.path.len() > LONGEST_PATH_BYTES {
            return Err(NotEntered::TooDeep);
        }
        let found = match (entrance, self.levels.last()) {
            (Entrance::Start(start), _) => *start,
            (Entrance::Child(name, status), Some(parent)) => {
                let crosses = !status.is_mounted_with(&parent.status);
                if crosses && self.crossing == Crossing::None {
                    return Err(NotEntered::Mount);
                }
                if crosses {
                    (self.reach)(&self.path).map_err(NotEntered::Failed)?;
                }
                let found = parent.directory.find(&name).map_err(NotEntered::Failed)?;
                // What was found may be another mount than what was met: the last look counts.
                let crosses = !found.status().is_mounted_with(&parent.status);
                if crosses && self.crossing != Crossing::All {
                    let space = found.space().map_err(NotEntered::Failed)?;
                    if self.crossing == Crossing::None || OF_THE_KERNEL.contains(&space.magic) {
                        return Err(NotEntered::Mount);
                    }
                }
                found
            }
            (Entrance::Child(..), None) => return Err(NotEntered::Unwanted),
        };
        let directory = found.directory().map_err(NotEntered::Failed)?;
        let status = found.status().clone();
        self.levels.push(Level { directory, status, path_length: self.path.len() });
        Ok(())
    }
}

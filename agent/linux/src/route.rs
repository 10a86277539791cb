//! The way to a file of the target, component by component: what the kernel does in one call, for those who want to know
//! what lies on the way.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;

use crate::ReadError;
use crate::file::{FileKind, FileStatus};
use crate::root::{Found, TargetRoot};
use crate::sys::LastLink;

/// As many as the kernel follows in one path.
pub const MOST_LINKS: usize = 40;
/// Components after links were followed. Each on the way down holds a descriptor.
const MOST_COMPONENTS: usize = 512;

/// A component that was looked at.
#[derive(Debug)]
pub struct Step<T> {
    /// Absolute, and without links but the last component.
    pub path: Vec<u8>,
    /// What it is.
    pub status: FileStatus,
    /// Where it leads, if it is a link that was followed or is the end.
    pub link_target: Option<Vec<u8>>,
    /// What else was wanted of it.
    pub more: T,
}

/// How the way ended.
#[derive(Debug)]
pub enum End {
    /// The last step is what the path leads to.
    Found,
    /// There is nothing of that name: the absolute path of what is missing.
    Missing(Vec<u8>),
    /// The last step is no directory, and the path goes on.
    NotADirectory,
    /// More than [`MOST_LINKS`] links, or too many components.
    Loop,
    /// The next component could not be looked at.
    Failed(ReadError),
}

/// Goes the way of `path` from the root on, and calls `look` at each component. The root itself is the first step.
///
/// # Errors
///
/// [`ReadError`] if not even the root can be looked at.
pub fn follow<'r, T>(
    root: &TargetRoot<'r>,
    path: &Path,
    last_link: LastLink,
    mut look: impl FnMut(&Found<'r>) -> T,
) -> Result<(Vec<Step<T>>, End), ReadError> {
    let top = root.find(Path::new("/"), LastLink::Keep)?;
    let status = top.status().clone();
    let mut steps = vec![Step { path: b"/".to_vec(), status, link_target: None, more: look(&top) }];
    // The directories that lead to where the way is, from the root on, and how long the path to each is.
    let mut parents: Vec<(Found<'r>, usize)> = vec![(top, 0)];
    let mut way = Vec::new();
    let mut ahead: VecDeque<Vec<u8>> = components(path.as_os_str().as_bytes());
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == b".." {
            if parents.len() > 1 {
                parents.pop();
            }
            way.truncate(parents.last().map_or(0, |(_, length)| *length));
            continue;
        }
        let Some((parent, length)) = parents.last() else { return Ok((steps, End::Loop)) };
        if parent.status().kind != FileKind::Directory {
            return Ok((steps, End::NotADirectory));
        }
        way.truncate(*length);
        way.push(b'/');
        way.extend_from_slice(&name);
        let found = match parent.child(Path::new(OsStr::from_bytes(&name))) {
            Ok(found) => found,
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok((steps, End::Missing(way))),
            Err(error) => return Ok((steps, End::Failed(error))),
        };
        let is_link = found.status().kind == FileKind::Link;
        let link_target = match is_link.then(|| found.link_target()).transpose() {
            Ok(target) => target,
            Err(error) => return Ok((steps, End::Failed(error))),
        };
        let followed = link_target.clone().filter(|_| !ahead.is_empty() || last_link == LastLink::Follow);
        let status = found.status().clone();
        steps.push(Step { path: way.clone(), status, link_target, more: look(&found) });
        if steps.len() > MOST_COMPONENTS || parents.len() > MOST_COMPONENTS {
            return Ok((steps, End::Loop));
        }
        match followed {
            Some(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Ok((steps, End::Loop));
                }
                if target.starts_with(b"/") {
                    parents.truncate(1);
                }
                for component in components(&target).into_iter().rev() {
                    ahead.push_front(component);
                }
                way.truncate(parents.last().map_or(0, |(_, length)| *length));
            }
            None => parents.push((found, way.len())),
        }
    }
    // The way may have ended in `..`: then what it led to is not the last that was looked at.
    if let Some((end, length)) = parents.last() {
        let path = if *length == 0 { b"/".to_vec() } else { way[..*length].to_vec() };
        if steps.last().is_none_or(|last| last.path != path) {
            let status = end.status().clone();
            steps.push(Step { path, status, link_target: None, more: look(end) });
        }
    }
    Ok((steps, End::Found))
}

/// The names that a path consists of, without those that change nothing.
fn components(path: &[u8]) -> VecDeque<Vec<u8>> {
    let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.map(<[u8]>::to_vec).collect()
}

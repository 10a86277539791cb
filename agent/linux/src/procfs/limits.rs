//! `/proc/<pid>/limits`: how much of each resource a process may have.
//!
//! Format: proc_pid_limits(5). Columns of fixed width, one line per resource, see getrlimit(2).

use crate::cgroupfs::Limit;
use crate::number::unsigned;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 8192;

/// The name takes so many columns.
const NAME_COLUMNS: usize = 26;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Seconds.
    CpuTime,
    /// Bytes of any one file.
    FileSize,
    /// Bytes: heap and private writable mappings.
    DataSize,
    /// Bytes of the main thread's stack.
    StackSize,
    /// Bytes.
    CoreSize,
    /// Bytes. Without effect since Linux 2.4.30.
    ResidentSet,
    /// Threads of the real user, in the whole user namespace.
    Processes,
    /// One more than the highest number of a descriptor.
    OpenFiles,
    /// Bytes.
    LockedMemory,
    /// Bytes.
    AddressSpace,
    /// Without effect since Linux 2.4.25.
    FileLocks,
    /// Of the real user, in the whole user namespace.
    PendingSignals,
    /// Bytes of the real user.
    MessageQueues,
    /// 20 minus the lowest nice value that may be set.
    Nice,
    /// The highest that may be set.
    RealtimePriority,
    /// Microseconds on a CPU without waiting.
    RealtimeTimeout,
}

/// In the order of the file, by the names in it.
const RESOURCES: [(Resource, &[u8]); 16] = [
    (Resource::CpuTime, b"Max cpu time"),
    (Resource::FileSize, b"Max file size"),
    (Resource::DataSize, b"Max data size"),
    (Resource::StackSize, b"Max stack size"),
    (Resource::CoreSize, b"Max core file size"),
    (Resource::ResidentSet, b"Max resident set"),
    (Resource::Processes, b"Max processes"),
    (Resource::OpenFiles, b"Max open files"),
    (Resource::LockedMemory, b"Max locked memory"),
    (Resource::AddressSpace, b"Max address space"),
    (Resource::FileLocks, b"Max file locks"),
    (Resource::PendingSignals, b"Max pending signals"),
    (Resource::MessageQueues, b"Max msgqueue size"),
    (Resource::Nice, b"Max nice priority"),
    (Resource::RealtimePriority, b"Max realtime priority"),
    (Resource::RealtimeTimeout, b"Max realtime timeout"),
];

/// What is enforced, and up to where a process may raise that itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Enforced.
    pub soft: Limit,
    /// The ceiling of the soft limit.
    pub hard: Limit,
}

/// The limits of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([Option<Bounds>; RESOURCES.len()]);

impl Limits {
    /// The limits of a resource. `None` if this kernel does not know it.
    pub fn get(&self, resource: Resource) -> Option<Bounds> {
        self.all().find(|(known, _)| *known == resource).map(|(_, bounds)| bounds)
    }

    /// All that there are, in the order of the file.
    pub fn all(&self) -> impl Iterator<Item = (Resource, Bounds)> + use<'_> {
        let known = RESOURCES.iter().zip(&self.0);
        known.filter_map(|((resource, _), bounds)| Some((*resource, (*bounds)?)))
    }
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Limits, ReadError> {
    let name = ProcName::of(pid, "limits");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file. Skips resources that it does not know: kernels add new ones.
///
/// # Errors
///
/// [`BadLine`] if a line has no two limits, or there is none for open files.
pub fn parse(text: &[u8]) -> Result<Limits, BadLine> {
    let mut limits = Limits([None; RESOURCES.len()]);
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let Some((name, rest)) = line.split_at_checked(NAME_COLUMNS) else { continue };
        let nth = RESOURCES.iter().position(|(_, known)| *known == name.trim_ascii_end());
        let Some(slot) = nth.and_then(|nth| limits.0.get_mut(nth)) else { continue };
        let mut words = rest.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).map(limit);
        let mut limit = || words.next().flatten().ok_or_else(|| BadLine::new(at + 1, "two limits", line));
        *slot = Some(Bounds { soft: limit()?, hard: limit()? });
    }
    match limits.get(Resource::OpenFiles) {
        Some(_) => Ok(limits),
        None => Err(BadLine::new(1, "Max open files", text)),
    }
}

fn limit(word: &[u8]) -> Option<Limit> {
    if word == b"unlimited" { Some(Limit::Unlimited) } else { unsigned(word).map(Limit::At) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"Limit                     Soft Limit           Hard Limit           Units     \n\
        Max processes             96365                unlimited            processes \n\
        Max open files            1024                 524288               files     \n\
        Max nice priority         0                    0                    \n\
        Max new thing             1                    2                    things    \n";

    #[test]
    fn soft_and_hard_limits_are_told_apart_and_unlimited_is_not_a_number() {
        let limits = parse(TEXT).unwrap();
        let files = Bounds { soft: Limit::At(1024), hard: Limit::At(524_288) };
        assert_eq!(limits.get(Resource::OpenFiles), Some(files));
        let processes = Bounds { soft: Limit::At(96365), hard: Limit::Unlimited };
        assert_eq!(limits.get(Resource::Processes), Some(processes));
        assert_eq!(limits.get(Resource::CpuTime), None);
        assert_eq!(limits.all().count(), 3);
    }

    #[test]
    fn a_line_without_limits_is_told() {
        assert_eq!(parse(b"Max open files            \n").unwrap_err().expected, "two limits");
        assert_eq!(parse(b"").unwrap_err().expected, "Max open files");
    }
}

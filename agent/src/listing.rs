//! The target's processes, one after the other.

use dbgctl_linux::procfs::pids;
use dbgctl_linux::procfs::stat::{self, Stat};
use dbgctl_linux::target::{Origin, Origins};
use dbgctl_linux::{Buffer, Pid, ReadError};

use crate::sources::Sources;
use crate::stream::{Batched, Halt, Out};

/// Why a process that was asked for is missing.
pub(crate) const NO_SUCH: &str = "asked for, but not among the target's";

/// Calls `each` for the target's processes, ascending: for all, or for those of `wanted` if it is not empty.
///
/// Those that have ended meanwhile, and wanted ones that are not the target's, are gaps.
pub(crate) fn processes<M: Batched>(
    sources: &Sources,
    wanted: &[u32],
    out: &mut Out<M>,
    mut each: impl FnMut(&Stat<'_>, &mut Out<M>) -> Result<(), Halt>,
) -> Result<(), Halt> {
    sources.target_init()?;
    let root = sources.root();
    let mut origins = Origins::new(root, sources.target());
    let mut buffer = Buffer::default();
    let mut missing: Vec<_> = wanted.iter().map(|&pid| Pid(pid)).collect();
    missing.sort_unstable();
    missing.dedup();
    for pid in pids::processes(root)? {
        out.wanted()?;
        let Some(stat) = out.gaps.unless_gone(stat::read(root, pid, &mut buffer)) else { continue };
        // Also of those that are not wanted: whose a process is follows from its parent.
        let Some(origin) = out.gaps.unless_gone(origins.of(&stat)) else { continue };
        if origin != Origin::Target {
            continue;
        }
        if !wanted.is_empty() {
            let Ok(at) = missing.binary_search(&pid) else { continue };
            missing.remove(at);
        }
        each(&stat, out)?;
    }
    missing.iter().for_each(|_| out.gaps.add("processes", NO_SUCH));
    Ok(())
}

/// The target's processes, or those of `wanted` if it is not empty. What can not be read is left out.
pub(crate) fn pids(sources: &Sources, wanted: &[u32]) -> Result<Vec<Pid>, ReadError> {
    let root = sources.root();
    let mut origins = Origins::new(root, sources.target());
    let mut buffer = Buffer::default();
    let mut pids = pids::processes(root)?;
    pids.retain(|pid| {
        let is_of_target = stat::read(root, *pid, &mut buffer)
            .is_ok_and(|stat| matches!(origins.of(&stat), Ok(Origin::Target)));
        is_of_target && (wanted.is_empty() || wanted.contains(&pid.0))
    });
    Ok(pids)
}

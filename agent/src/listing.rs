//! The target's processes, one after the other.

use dbgctl_linux::procfs::pids;
use dbgctl_linux::procfs::stat::{self, Stat};
use dbgctl_linux::target::{Origin, Origins};
use dbgctl_linux::{Buffer, Pid, ReadError};
use dbgctl_proto::list::List;

use crate::error::BadRequest;
use crate::gaps::Gaps;
use crate::sources::Sources;
use crate::stream::{Halt, Out};

/// Why a process that was asked for is missing.
const NO_SUCH: &str = "asked for, but not among the target's";

/// What is wrong with a request for processes that the target has not.
pub(crate) fn no_process(pids: &[Pid]) -> BadRequest {
    let which = pids.iter().map(Pid::to_string).collect::<Vec<_>>().join(", ");
    BadRequest::new("pid", format!("no process of the target has number {which}"))
}

/// Says which of `wanted` are `missing`.
///
/// # Errors
///
/// If that is all of it: then there is nothing to answer about. Else the missing ones are a gap.
pub(crate) fn expect_found(wanted: &[u32], mut missing: Vec<Pid>, gaps: &mut Gaps) -> Result<(), BadRequest> {
    missing.dedup();
    if !missing.is_empty() && wanted.iter().all(|&pid| missing.contains(&Pid(pid))) {
        return Err(no_process(&missing));
    }
    missing.iter().for_each(|_| gaps.add("processes", NO_SUCH));
    Ok(())
}

/// Calls `each` for the target's processes, ascending: for all, or for those of `wanted` if it is not empty.
///
/// Those that have ended meanwhile are gaps, and so are wanted ones that are not the target's.
///
/// # Errors
///
/// What `each` returns, and if no process of the target is to be seen, or none of the `wanted`.
pub(crate) fn processes<M: List>(
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
    Ok(expect_found(wanted, missing, &mut out.gaps)?)
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

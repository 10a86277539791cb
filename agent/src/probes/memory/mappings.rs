//! `ListMappings`: what one process has mapped, grouped by what it is mapped from.

use dbgctl_linux::Pid;
use dbgctl_linux::procfs::smaps::{self, Figures, Groups};
use dbgctl_proto::v1;

use crate::error::BadRequest;
use crate::listing;
use crate::sources::Sources;
use crate::stream::{Halt, Out};

/// Reads the one process, if it is the target's, and puts out its groups.
pub(super) fn collect(
    sources: &Sources,
    request: &v1::ListMappingsRequest,
    out: &mut Out<v1::ListMappingsResponse>,
) -> Result<(), Halt> {
    if request.pid == 0 {
        return Err(BadRequest::new("pid", "must be positive").into());
    }
    listing::processes(sources, &[request.pid], out, |stat, out| {
        // A kernel thread or zombie has no memory, and so nothing mapped.
        if !stat.has_memory() {
            return Ok(());
        }
        match smaps::read(sources.root(), Pid(request.pid)) {
            Ok(groups) => put(groups, out),
            Err(error) if error.is_gone() => {
                out.gaps.unless_gone::<()>(Err(error));
                Ok(())
            }
            Err(error) => {
                out.gaps.add_error("mappings", &error);
                Ok(())
            }
        }
    })
}

fn put(groups: Groups, out: &mut Out<v1::ListMappingsResponse>) -> Result<(), Halt> {
    let (groups, others) = groups.biggest_first();
    for (name, figures) in groups {
        out.row(message(name.into_vec(), false, &figures))?;
    }
    match others {
        Some(others) => out.row(message(Vec::new(), true, &others)),
        None => Ok(()),
    }
}

fn message(name: Vec<u8>, others: bool, figures: &Figures) -> v1::MappingGroup {
    v1::MappingGroup {
        name,
        others,
        mappings: figures.mappings,
        size_bytes: figures.size_bytes,
        rss_bytes: figures.rss_bytes,
        pss_bytes: figures.pss_bytes,
        private_dirty_bytes: figures.private_dirty_bytes,
        swap_bytes: figures.swap_bytes,
    }
}

//! Which process holds which socket.
//!
//! Since Linux 5.14 `/proc/<pid>/fdinfo/<number>` tells the inode of what a descriptor leads to, and the mount that it is
//! in: that of sockets is the same for all of them. Before, only the links in `/proc/<pid>/fd` tell it, and those are for
//! the user of the process alone, or with CAP_DAC_READ_SEARCH.

use std::mem::take;

use dbgctl_linux::netlink::sock_diag::SockDiag;
use dbgctl_linux::procfs::fd::{self, Kind};
use dbgctl_linux::procfs::fdinfo;
use dbgctl_linux::{Buffer, Pid, ReadError, Root};
use dbgctl_proto::list::SocketNews;
use dbgctl_proto::v1;

use crate::gaps::Gaps;
use crate::listing;
use crate::sources::Sources;
use crate::stream::{Halt, Out};

/// A message has no more sockets than this.
const MOST_AT_ONCE: usize = 8192;

const SUBJECT: &str = "owners";
const OLD_KERNEL: &str =
    "this kernel is older than Linux 5.14 and tells them with CAP_DAC_READ_SEARCH only: --level 1b";

pub(super) fn collect(
    sources: &Sources,
    diag: Option<&SockDiag<'_>>,
    out: &mut Out<v1::ListSocketsResponse>,
) -> Result<(), Halt> {
    let root = sources.root();
    let mut reader =
        Reader { root, mount: diag.and_then(|diag| mount_of_sockets(root, diag)), buffer: Buffer::default() };
    listing::processes(sources, &[], out, |stat, out| {
        // A zombie has closed all.
        if !stat.has_memory() {
            return Ok(());
        }
        let mut owner =
            v1::SocketOwner { pid: stat.pid.0, command: stat.command.to_vec(), ..Default::default() };
        let mut told = Ok(());
        let read = reader.sockets(stat.pid, |inode, number| {
            owner.inodes.push(inode);
            owner.numbers.push(number);
            if owner.inodes.len() == MOST_AT_ONCE {
                told = tell(&mut owner, out);
            }
            told.is_ok()
        });
        told?;
        if !owner.inodes.is_empty() {
            tell(&mut owner, out)?;
        }
        reader.missing(read, &mut out.gaps);
        Ok(())
    })
}

fn tell(owner: &mut v1::SocketOwner, out: &mut Out<v1::ListSocketsResponse>) -> Result<(), Halt> {
    let part = v1::SocketOwner {
        inodes: take(&mut owner.inodes),
        numbers: take(&mut owner.numbers),
        command: owner.command.clone(),
        ..*owner
    };
    out.between(SocketNews::Owner(part))
}

/// The inodes of what this process has open. Empty before Linux 5.14.
pub(super) fn own_inodes(root: &Root) -> Vec<u64> {
    let mut buffer = Buffer::default();
    let Ok(mut own) = fdinfo::open_own(root) else { return Vec::new() };
    let numbers = own.numbers().unwrap_or_default();
    numbers.into_iter().filter_map(|number| Some(own.file(number, &mut buffer).ok()??.1)).collect()
}

/// The mount that all sockets are in, as one of this process shows. `None`: this kernel does not tell inodes.
fn mount_of_sockets(root: &Root, diag: &SockDiag<'_>) -> Option<u64> {
    let own = fdinfo::open_own(root).ok()?;
    let (mount, inode) = own.file(diag.own_number()?, &mut Buffer::default()).ok()??;
    (Some(inode) == diag.own_inode()).then_some(mount)
}

struct Reader<'r> {
    root: &'r Root,
    mount: Option<u64>,
    buffer: Buffer,
}

impl Reader<'_> {
    /// Hands inode and descriptor of each socket that the process holds to `found`, until that returns false.
    fn sockets(&mut self, pid: Pid, mut found: impl FnMut(u64, u32) -> bool) -> Result<(), ReadError> {
        let Some(sockets) = self.mount else { return self.linked(pid, found) };
        let mut infos = fdinfo::open(self.root, pid)?;
        for number in infos.numbers()? {
            match infos.file(number, &mut self.buffer) {
                Ok(Some((mount, inode))) if mount == sockets && !found(inode, number) => break,
                // Closed meanwhile.
                Err(error) if !error.is_gone() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn linked(&mut self, pid: Pid, mut found: impl FnMut(u64, u32) -> bool) -> Result<(), ReadError> {
        let mut descriptors = fd::open(self.root, pid)?;
        for number in descriptors.numbers()? {
            match descriptors.link(number, &mut self.buffer) {
                Ok(Some(link)) => {
                    if let Kind::Socket(inode) = link.kind
                        && !found(inode, number)
                    {
                        break;
                    }
                }
                Err(error) if !error.is_gone() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Says what is missing of a process.
    fn missing(&self, read: Result<(), ReadError>, gaps: &mut Gaps) {
        match read {
            Err(error) if error.is_denied() && self.mount.is_none() && gaps.lacks_nothing() => {
                gaps.add(SUBJECT, OLD_KERNEL);
            }
            Err(error) if !error.is_gone() => gaps.add_error(SUBJECT, &error),
            // What it had is closed.
            _ => {}
        }
    }
}

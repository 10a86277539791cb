//! Who may do what with a file: the rules of the kernel, applied to what is known of the file.
//!
//! As in `generic_permission` and `posix_acl_permission` of the kernel, see path_resolution(7), acl(5) and
//! capabilities(7). Security modules have rules of their own, which nobody can ask for.

use crate::acl::{Entry, Tag};
use crate::capability::CapabilitySet;
use crate::file::{Attribute, FileKind, FileStatus};

/// Someone who wants something of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Effective user.
    pub uid: u32,
    /// Effective group and supplementary groups.
    pub gids: Vec<u32>,
    /// In force.
    pub capabilities: CapabilitySet,
}

/// What is wanted. To execute a directory is to search it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// To read.
    pub read: bool,
    /// To write.
    pub write: bool,
    /// To execute or search.
    pub execute: bool,
}

impl Wanted {
    /// To search a directory.
    pub const SEARCH: Self = Self { read: false, write: false, execute: true };

    fn bits(self) -> u32 {
        u32::from(self.read) * 4 + u32::from(self.write) * 2 + u32::from(self.execute)
    }
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The permissions of the owner.
    Owner,
    /// The permissions of the group.
    Group,
    /// The permissions of all others.
    Others,
    /// The entry of that user.
    AclUser(u32),
    /// The entry of that group, or of the file's own.
    AclGroup(u32),
    /// An entry allows it, and the mask does not.
    AclMask,
    /// A capability overrides the permissions.
    Capability(&'static str),
    /// Nothing can be written in that mount.
    ReadOnlyMount,
    /// No program can be executed from that mount.
    NoExecMount,
    /// The file can not be changed.
    Immutable,
    /// Nobody has the right to execute the file, which no capability replaces.
    NoExecuteBit,
}

/// What the mount of a file does not allow to anyone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountFlags {
    /// Nothing can be written.
    pub read_only: bool,
    /// No program can be executed.
    pub no_exec: bool,
}

/// Whether `subject` may do all that is `wanted` with a file, and what decides it.
pub fn decide(
    status: &FileStatus,
    acl: Option<&[Entry]>,
    mount: MountFlags,
    subject: &Subject,
    wanted: Wanted,
) -> (bool, Rule) {
    if wanted.write {
        let kept = matches!(status.kind, FileKind::Regular | FileKind::Directory | FileKind::Link);
        if mount.read_only && kept {
            return (false, Rule::ReadOnlyMount);
        }
        if status.attributes.contains(&Attribute::Immutable) {
            return (false, Rule::Immutable);
        }
    }
    if wanted.execute && mount.no_exec && status.kind == FileKind::Regular {
        return (false, Rule::NoExecMount);
    }
    let (allowed, rule) = by_permissions(status, acl, subject, wanted.bits());
    if allowed { (true, rule) } else { overridden(status, subject, wanted).unwrap_or((false, rule)) }
}

fn by_permissions(
    status: &FileStatus,
    acl: Option<&[Entry]>,
    subject: &Subject,
    wanted: u32,
) -> (bool, Rule) {
    let has = |permissions: u32| permissions & wanted == wanted;
    if subject.uid == status.uid {
        return (has(status.permissions >> 6), Rule::Owner);
    }
    // With a list, the bits of the group are its mask. Without any, the kernel does not look at the list.
    if let Some(entries) = acl
        && status.permissions & 0o070 != 0
        && let Some(decision) = by_acl(entries, status, subject, wanted)
    {
        return decision;
    }
    if subject.gids.contains(&status.gid) {
        return (has(status.permissions >> 3), Rule::Group);
    }
    (has(status.permissions), Rule::Others)
}

fn by_acl(entries: &[Entry], status: &FileStatus, subject: &Subject, wanted: u32) -> Option<(bool, Rule)> {
    let mask = entries.iter().find(|entry| entry.tag == Tag::Mask).map_or(7, |entry| entry.permissions);
    let masked = |permissions: u32, rule: Rule| {
        if permissions & wanted != wanted {
            (false, rule)
        } else if permissions & mask & wanted != wanted {
            (false, Rule::AclMask)
        } else {
            (true, rule)
        }
    };
    let mut refused_by = None;
    for entry in entries {
        let group = match entry.tag {
            Tag::User(uid) if uid == subject.uid => {
                return Some(masked(entry.permissions, Rule::AclUser(uid)));
            }
            Tag::OwningGroup => status.gid,
            Tag::Group(gid) => gid,
            Tag::Others => {
                let others = (entry.permissions & wanted == wanted, Rule::Others);
                return Some(refused_by.map_or(others, |rule| (false, rule)));
            }
            Tag::Owner | Tag::User(_) | Tag::Mask => continue,
        };
        if subject.gids.contains(&group) {
            // Any group that has it all is enough; one that has not is remembered.
            if entry.permissions & wanted == wanted {
                return Some(masked(entry.permissions, Rule::AclGroup(group)));
            }
            refused_by.get_or_insert(Rule::AclGroup(group));
        }
    }
    None
}

/// What a capability allows although the permissions do not, and what not even that allows.
fn overridden(status: &FileStatus, subject: &Subject, wanted: Wanted) -> Option<(bool, Rule)> {
    const OVERRIDE: &str = "CAP_DAC_OVERRIDE";
    const READ_SEARCH: &str = "CAP_DAC_READ_SEARCH";

    let holds = |name: &'static str| subject.capabilities.holds(name);
    let is_directory = status.kind == FileKind::Directory;
    let only_reads = !wanted.write && (is_directory || !wanted.execute);
    if only_reads && holds(READ_SEARCH) {
        return Some((true, Rule::Capability(READ_SEARCH)));
    }
    if !holds(OVERRIDE) {
        return None;
    }
    if is_directory || !wanted.execute || status.permissions & 0o111 != 0 {
        return Some((true, Rule::Capability(OVERRIDE)));
    }
    Some((false, Rule::NoExecuteBit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Statx;

    fn file(kind: u32, permissions: u16, uid: u32, gid: u32) -> FileStatus {
        let kind = u16::try_from(kind).unwrap();
        let mut raw = Statx::default();
        (raw.mode, raw.uid, raw.gid) = (kind | permissions, uid, gid);
        FileStatus::parse(&raw)
    }

    fn user(uid: u32, gids: &[u32], capabilities: &str) -> Subject {
        Subject { uid, gids: gids.to_vec(), capabilities: capabilities.parse().unwrap() }
    }

    const READ: Wanted = Wanted { read: true, write: false, execute: false };
    const WRITE: Wanted = Wanted { read: false, write: true, execute: false };
    const FREE: MountFlags = MountFlags { read_only: false, no_exec: false };
    const REGULAR: u32 = 0o100_000;
    const DIRECTORY: u32 = 0o040_000;

    #[test]
    fn the_owner_is_judged_by_the_owners_bits_alone() {
        let theirs = file(REGULAR, 0o077, 7, 8);
        assert_eq!(decide(&theirs, None, FREE, &user(7, &[8], ""), READ), (false, Rule::Owner));
        assert_eq!(decide(&theirs, None, FREE, &user(9, &[8], ""), READ), (true, Rule::Group));
        let not_the_group = file(REGULAR, 0o604, 7, 8);
        assert_eq!(decide(&not_the_group, None, FREE, &user(9, &[8], ""), READ), (false, Rule::Group));
        assert_eq!(decide(&not_the_group, None, FREE, &user(9, &[9], ""), READ), (true, Rule::Others));
    }

    #[test]
    fn capabilities_override_what_they_are_for() {
        let secret = file(REGULAR, 0o000, 0, 0);
        let by =
            |capabilities: &str, wanted| decide(&secret, None, FREE, &user(5, &[5], capabilities), wanted);
        assert_eq!(by("CAP_DAC_READ_SEARCH", READ), (true, Rule::Capability("CAP_DAC_READ_SEARCH")));
        assert_eq!(by("CAP_DAC_READ_SEARCH", WRITE), (false, Rule::Others));
        assert_eq!(by("CAP_DAC_OVERRIDE", WRITE), (true, Rule::Capability("CAP_DAC_OVERRIDE")));
        assert_eq!(by("CAP_DAC_OVERRIDE", Wanted::SEARCH), (false, Rule::NoExecuteBit));
        let closed = file(DIRECTORY, 0o000, 0, 0);
        let root = user(0, &[0], "CAP_DAC_OVERRIDE");
        assert_eq!(
            decide(&closed, None, FREE, &root, Wanted::SEARCH),
            (true, Rule::Capability("CAP_DAC_OVERRIDE"))
        );
    }

    #[test]
    fn what_the_mount_or_the_file_forbids_no_one_may() {
        let open = file(REGULAR, 0o777, 0, 0);
        let root = user(0, &[0], "CAP_DAC_OVERRIDE");
        let fixed = MountFlags { read_only: true, no_exec: true };
        assert_eq!(decide(&open, None, fixed, &root, WRITE), (false, Rule::ReadOnlyMount));
        assert_eq!(decide(&open, None, fixed, &root, Wanted::SEARCH), (false, Rule::NoExecMount));
        assert_eq!(decide(&open, None, fixed, &root, READ), (true, Rule::Owner));
        let fifo = file(0o010_000, 0o777, 0, 0);
        assert_eq!(decide(&fifo, None, fixed, &root, WRITE), (true, Rule::Owner));
    }

    #[test]
    fn an_access_control_list_is_read_as_the_kernel_reads_it() {
        let entry = |tag, permissions| Entry { tag, permissions };
        let list = [
            entry(Tag::Owner, 6),
            entry(Tag::User(5), 6),
            entry(Tag::User(6), 0),
            entry(Tag::OwningGroup, 4),
            entry(Tag::Group(50), 2),
            entry(Tag::Mask, 4),
            entry(Tag::Others, 4),
        ];
        let file = file(REGULAR, 0o644, 0, 8);
        let by = |uid, gids: &[u32], wanted| decide(&file, Some(&list), FREE, &user(uid, gids, ""), wanted);
        assert_eq!(by(5, &[1], READ), (true, Rule::AclUser(5)));
        assert_eq!(by(5, &[1], WRITE), (false, Rule::AclMask));
        assert_eq!(by(6, &[8], READ), (false, Rule::AclUser(6)));
        assert_eq!(by(7, &[8], READ), (true, Rule::AclGroup(8)));
        // In a group that has no right to it: what all others may does not count.
        assert_eq!(by(7, &[50], READ), (false, Rule::AclGroup(50)));
        assert_eq!(by(7, &[1], READ), (true, Rule::Others));
    }
}

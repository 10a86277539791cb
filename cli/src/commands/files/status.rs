//! The status of a file, as tables and JSON show it.

use dbgctl_proto::v1::{FileAttribute, FileKind, FileStatus};

use super::{device_field, kind, time_field, word};
use crate::render::human::Bytes;
use crate::render::{Cell, Emphasis, Object};

/// Letters as ls(1) has them.
pub(super) fn mode(status: &FileStatus) -> String {
    let kind = match FileKind::try_from(status.kind) {
        Ok(FileKind::Regular) => '-',
        Ok(FileKind::Directory) => 'd',
        Ok(FileKind::Link) => 'l',
        Ok(FileKind::Fifo) => 'p',
        Ok(FileKind::Socket) => 's',
        Ok(FileKind::CharacterDevice) => 'c',
        Ok(FileKind::BlockDevice) => 'b',
        Ok(FileKind::Other | FileKind::Unspecified) | Err(_) => '?',
    };
    format!("{kind}{}", letters(status.permissions))
}

fn letters(permissions: u32) -> String {
    let has = |bit: u32| permissions & bit != 0;
    let mut letters = String::with_capacity(9);
    for (shift, special, with_x, without_x) in
        [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        letters.push(if has(0o4 << shift) { 'r' } else { '-' });
        letters.push(if has(0o2 << shift) { 'w' } else { '-' });
        letters.push(match (has(special), has(0o1 << shift)) {
            (true, true) => with_x,
            (true, false) => without_x,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    letters
}

/// The name of the owner, or the number of one that has none.
pub(super) fn owner(status: &FileStatus, cell: &mut Cell<'_>) {
    name_or_number(status.user.as_deref(), status.uid, cell);
}

pub(super) fn group(status: &FileStatus, cell: &mut Cell<'_>) {
    name_or_number(status.group.as_deref(), status.gid, cell);
}

fn name_or_number(name: Option<&[u8]>, number: u32, cell: &mut Cell<'_>) {
    match name {
        Some(name) => cell.raw(name),
        None => cell.show(number),
    }
}

/// The length, or the numbers of a device.
pub(super) fn size(status: &FileStatus, cell: &mut Cell<'_>) {
    match status.special {
        Some(device) => cell.show(format_args!("{}, {}", device.major, device.minor)),
        None => cell.show(Bytes(status.size_bytes)),
    }
}

pub(super) fn is(status: &FileStatus, kind: FileKind) -> bool {
    status.kind == i32::from(kind)
}

/// Programs that give whoever runs them more than they have.
pub(super) fn emphasis(status: &FileStatus) -> Emphasis {
    if is(status, FileKind::Regular) && status.permissions & 0o6000 != 0 {
        Emphasis::Notable
    } else {
        Emphasis::None
    }
}

/// Writes the fields, under the names of the contract.
pub(super) fn fields(status: &FileStatus, object: &mut Object<'_>) {
    object.text("kind", &*kind(status.kind));
    object.number("permissions", u64::from(status.permissions));
    object.number("uid", u64::from(status.uid));
    object.number("gid", u64::from(status.gid));
    object.raw("user", status.user.as_deref());
    object.raw("group", status.group.as_deref());
    object.number("size_bytes", status.size_bytes);
    object.number("disk_bytes", status.disk_bytes);
    object.number("links", u64::from(status.links));
    object.number("inode", status.inode);
    device_field("device", status.device, object);
    device_field("special", status.special, object);
    time_field("accessed", status.accessed, object);
    time_field("modified", status.modified, object);
    time_field("changed", status.changed, object);
    time_field("created", status.created, object);
    object.number("mount_id", status.mount_id);
    let attributes = attributes(status);
    object.raws("attributes", attributes.iter().map(String::as_bytes));
}

/// Writes the status as an object, or `null`.
pub(super) fn field(name: &str, status: Option<&FileStatus>, object: &mut Object<'_>) {
    match status {
        Some(status) => object.object(name, |object| fields(status, object)),
        None => object.null(name),
    }
}

/// The names of the flags. There are nine; an agent gone bad gets no more.
pub(super) fn attributes(status: &FileStatus) -> Vec<String> {
    let flags = status.attributes.iter().take(16);
    flags
        .map(|&flag| word::<FileAttribute>(flag, FileAttribute::as_str_name, "FILE_ATTRIBUTE_").into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_ls_writes_them() {
        let mode = |kind: FileKind, permissions| {
            mode(&FileStatus { kind: kind.into(), permissions, ..FileStatus::default() })
        };
        assert_eq!(mode(FileKind::Regular, 0o4755), "-rwsr-xr-x");
        assert_eq!(mode(FileKind::Directory, 0o1777), "drwxrwxrwt");
        assert_eq!(mode(FileKind::Fifo, 0o2640), "prw-r-S---");
        assert_eq!(mode(FileKind::Unspecified, 0o1000), "?--------T");
    }
}

//! Access control lists as the kernel hands them out in `system.posix_acl_access`.
//!
//! Format: acl(5) and `include/uapi/linux/posix_acl_xattr.h`: a version, then tag, permissions and id of each entry,
//! little-endian.

/// The only version there is.
const VERSION: u32 = 2;
const ENTRY_BYTES: usize = 8;

/// Of whom an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The owner of the file.
    Owner,
    /// One user.
    User(u32),
    /// The group of the file.
    OwningGroup,
    /// One group.
    Group(u32),
    /// What users other than the owner, and groups, may have at most.
    Mask,
    /// All others.
    Others,
}

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Of whom.
    pub tag: Tag,
    /// Read 4, write 2, execute 1.
    pub permissions: u32,
}

/// Parses a list. `None`: it is of no version that is known, or cut.
pub fn parse(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (version, entries) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != VERSION || entries.len() % ENTRY_BYTES != 0 {
        return None;
    }
    entries.chunks_exact(ENTRY_BYTES).map(entry).collect()
}

fn entry(bytes: &[u8]) -> Option<Entry> {
    let half = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let id = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let tag = match half(0)? {
        0x01 => Tag::Owner,
        0x02 => Tag::User(id),
        0x04 => Tag::OwningGroup,
        0x08 => Tag::Group(id),
        0x10 => Tag::Mask,
        0x20 => Tag::Others,
        _ => return None,
    };
    Some(Entry { tag, permissions: u32::from(half(2)?) & 7 })
}

#[cfg(test)]
mod tests {
    use super::{Entry, Tag, parse};

    #[test]
    fn a_list_has_tags_and_ids() {
        let mut bytes = vec![2, 0, 0, 0];
        bytes.extend([2, 0, 6, 0, 0xe8, 3, 0, 0]);
        bytes.extend([0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff]);
        let expected =
            [Entry { tag: Tag::User(1000), permissions: 6 }, Entry { tag: Tag::Mask, permissions: 4 }];
        assert_eq!(parse(&bytes).unwrap(), expected);
        assert_eq!(parse(&bytes[..10]), None);
        assert_eq!(parse(b"\x01\0\0\0"), None);
    }
}

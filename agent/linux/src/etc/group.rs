//! `/etc/group` of the target: the names of its groups, and who belongs to them.
//!
//! Format: group(5). The file is the target's to shape: it may be absent, huge or nonsense.

use std::collections::HashMap;
use std::path::Path;

use crate::number::unsigned32;
use crate::{Buffer, Pid, ReadError, Root};

const BOUND_BYTES: usize = 1 << 20;

/// The groups of the target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    names: HashMap<u32, Vec<u8>>,
    of_user: HashMap<Vec<u8>, Vec<u32>>,
}

impl Groups {
    /// The name of group `gid`, any bytes but `:` and newline.
    pub fn name(&self, gid: u32) -> Option<&[u8]> {
        self.names.get(&gid).map(Vec::as_slice)
    }

    /// The groups that name `user` among their members.
    pub fn of_user(&self, user: &[u8]) -> &[u32] {
        self.of_user.get(user).map_or(&[], Vec::as_slice)
    }
}

/// Reads the file as process `pid` sees it. Where there is none, the error [is gone](ReadError::is_gone).
///
/// # Errors
///
/// [`ReadError::Io`]: permission denied without CAP_SYS_PTRACE, `EFBIG` beyond 1 MiB.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Groups, ReadError> {
    let file = root.open_in(pid, Path::new("/etc/group"))?;
    Ok(parse(file.read(BOUND_BYTES, buffer)?))
}

/// Parses the text of the file. Of two lines with the same gid the first gives the name, as in getgrgid(3);
/// lines that name no group are skipped.
pub fn parse(text: &[u8]) -> Groups {
    let mut groups = Groups::default();
    for line in text.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b':');
        let (Some(name), Some(gid)) = (fields.next(), fields.nth(1).and_then(unsigned32)) else { continue };
        if name.is_empty() || name.starts_with(b"#") {
            continue;
        }
        groups.names.entry(gid).or_insert_with(|| name.to_vec());
        for member in fields.next().unwrap_or_default().split(|&byte| byte == b',') {
            if !member.is_empty() {
                groups.of_user.entry(member.to_vec()).or_default().push(gid);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn groups_have_names_and_members_and_junk_is_skipped() {
        let groups =
            parse(b"root:x:0:\n#c:x:1:\nwww:x:33:ann,bob,\nadm:x:4:ann\nwww2:x:33:eve\n:x:7:\nx:y:z:");
        assert_eq!((groups.name(0), groups.name(33)), (Some(&b"root"[..]), Some(&b"www"[..])));
        assert_eq!([1, 7].map(|gid| groups.name(gid)), [None, None]);
        assert_eq!(
            (groups.of_user(b"ann"), groups.of_user(b"eve"), groups.of_user(b"")),
            (&[33, 4][..], &[33][..], &[][..])
        );
    }
}

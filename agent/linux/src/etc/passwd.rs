//! `/etc/passwd` of the target: the names of its users.
//!
//! Format: passwd(5). The file is the target's to shape: it may be absent, huge or nonsense.

use std::collections::HashMap;
use std::path::Path;

use crate::number::unsigned32;
use crate::{Buffer, Pid, ReadError, Root};

const BOUND_BYTES: usize = 1 << 20;

/// The users of the target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    users: HashMap<u32, User>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: Vec<u8>,
    gid: Option<u32>,
}

impl Users {
    /// The name of user `uid`, any bytes but `:` and newline.
    pub fn name(&self, uid: u32) -> Option<&[u8]> {
        self.users.get(&uid).map(|user| user.name.as_slice())
    }

    /// The group of user `uid`.
    pub fn group(&self, uid: u32) -> Option<u32> {
        self.users.get(&uid)?.gid
    }
}

/// Reads the file as process `pid` sees it. Where there is none, the error [is gone](ReadError::is_gone).
///
/// # Errors
///
/// [`ReadError::Io`]: permission denied without CAP_SYS_PTRACE, `EFBIG` beyond 1 MiB.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Users, ReadError> {
    let file = root.open_in(pid, Path::new("/etc/passwd"))?;
    Ok(parse(file.read(BOUND_BYTES, buffer)?))
}

/// Parses the text of the file. Of two lines with the same uid the first counts, as in getpwuid(3);
/// lines that name no user are skipped.
pub fn parse(text: &[u8]) -> Users {
    let mut users = HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(unsigned32)) else { continue };
        if !name.is_empty() && !name.starts_with(b"#") {
            let gid = fields.next().and_then(unsigned32);
            users.entry(uid).or_insert_with(|| User { name: name.to_vec(), gid });
        }
    }
    Users { users }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_first_line_of_a_uid_counts_and_junk_is_skipped() {
        let users =
            parse(b"root:x:0:0::/:/bin/sh\n#c:x:1:1\n\nx:y\ntoor:x:0:0\n\xff:x:65532:1:::\n:x:7:7\nn:x:-1:");
        assert_eq!(users.name(0), Some(&b"root"[..]));
        assert_eq!(users.name(65532), Some(&b"\xff"[..]));
        assert_eq!([0, 65532, 1].map(|uid| users.group(uid)), [Some(0), Some(1), None]);
        assert_eq!([1, 7].map(|uid| users.name(uid)), [None, None]);
    }
}

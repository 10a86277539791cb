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
    names: HashMap<u32, Vec<u8>>,
}

impl Users {
    /// The name of user `uid`, any bytes but `:` and newline.
    pub fn name(&self, uid: u32) -> Option<&[u8]> {
        self.names.get(&uid).map(Vec::as_slice)
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
    let mut names = HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(unsigned32)) else { continue };
        if !name.is_empty() && !name.starts_with(b"#") {
            names.entry(uid).or_insert_with(|| name.to_vec());
        }
    }
    Users { names }
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
        assert_eq!([1, 7].map(|uid| users.name(uid)), [None, None]);
    }
}

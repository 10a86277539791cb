//! The entries of a directory: getdents64(2).

use std::ffi::{CStr, CString};

use crate::file::FileKind;

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Any bytes but `/`.
    pub name: CString,
    /// What it was when it was made known. `None`: the file system does not tell.
    pub kind: Option<FileKind>,
}

/// Parses the first `struct linux_dirent64` of what the kernel handed out, and says how long it is.
pub fn parse(bytes: &[u8]) -> Option<(&CStr, Option<FileKind>, usize)> {
    /// Inode and offset, 8 bytes each, before the length.
    const LENGTH_AT: usize = 16;
    const KIND_AT: usize = 18;
    const NAME_AT: usize = 19;

    let length = bytes.get(LENGTH_AT..KIND_AT)?.try_into().map(u16::from_ne_bytes).ok()?;
    let length = usize::from(length);
    let record = bytes.get(..length)?;
    let name = CStr::from_bytes_until_nul(record.get(NAME_AT..)?).ok()?;
    Some((name, FileKind::of_entry(record[KIND_AT]), length))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::file::FileKind;

    #[test]
    fn an_entry_has_a_name_a_kind_and_a_length() {
        let mut record = vec![0; 24];
        record[16] = 24;
        record[18] = 4;
        record[19..21].copy_from_slice(b"a\n");
        assert_eq!(parse(&record), Some((c"a\n", Some(FileKind::Directory), 24)));
        record[16] = 25;
        assert_eq!(parse(&record), None);
    }
}

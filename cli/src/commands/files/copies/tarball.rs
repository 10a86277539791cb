//! A copy as a tar archive on standard output, in GNU's format: it knows long names and holes.

use dbgctl_proto::v1::FileStatus;
use tar::{EntryType, GnuExtSparseHeader, Header};

use super::{Content, Failure, Sink};
use crate::render::Output;

const BLOCK_BYTES: u64 = 512;
/// Stretches that a header has room for; each header that follows has room for more.
const IN_HEADER: usize = 4;
const IN_FOLLOWING: usize = 21;
/// Names that are longer stand in an entry of their own.
const LONGEST_NAME: usize = 100;

/// An archive that is being written.
pub(super) struct Tarball<'o> {
    output: &'o mut Output,
    /// What all paths in it begin with.
    top: Vec<u8>,
    /// Bytes of the file so far.
    written: u64,
}

impl<'o> Tarball<'o> {
    pub(super) fn new(output: &'o mut Output, name: &[u8]) -> Self {
        let top = if name.is_empty() { b".".to_vec() } else { name.to_vec() };
        Self { output, top, written: 0 }
    }

    fn path(&self, path: &[u8]) -> Vec<u8> {
        if path.is_empty() { self.top.clone() } else { [&self.top[..], b"/", path].concat() }
    }

    fn entry(
        &mut self,
        kind: EntryType,
        path: &[u8],
        status: &FileStatus,
        size: u64,
    ) -> Result<Header, Failure> {
        if path.len() > LONGEST_NAME {
            self.long(EntryType::GNULongName, path)?;
        }
        let mut header = header(kind, status, size);
        let kept = path.len().min(LONGEST_NAME);
        header.as_old_mut().name[..kept].copy_from_slice(&path[..kept]);
        Ok(header)
    }

    /// An entry whose content is the name that the next one has no room for.
    fn long(&mut self, kind: EntryType, name: &[u8]) -> Result<(), Failure> {
        let content = [name, b"\0"].concat();
        let length = u64::try_from(content.len()).unwrap_or_default();
        let mut header = header(kind, &FileStatus::default(), length);
        header.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
        self.header(header)?;
        self.output.content(&content)?;
        self.pad(length)
    }

    fn header(&mut self, mut header: Header) -> Result<(), Failure> {
        header.set_cksum();
        Ok(self.output.content(header.as_bytes())?)
    }

    fn pad(&mut self, length: u64) -> Result<(), Failure> {
        let rest = usize::try_from(length % BLOCK_BYTES).unwrap_or_default();
        if rest > 0 {
            self.output.content(&[0; 512][rest..])?;
        }
        Ok(())
    }
}

fn header(kind: EntryType, status: &FileStatus, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(status.permissions & 0o777);
    header.set_uid(status.uid.into());
    header.set_gid(status.gid.into());
    let modified = status.modified.map_or(0, |time| time.unix_seconds);
    // The format knows no time before 1970.
    header.set_mtime(u64::try_from(modified).unwrap_or_default());
    header.set_size(size);
    header
}

/// A number as the twelve bytes of a header have it.
fn number(number: u64) -> [u8; 12] {
    let mut header = Header::new_old();
    header.set_size(number);
    header.as_old().size
}

impl Sink for Tarball<'_> {
    fn directory(&mut self, path: &[u8], status: &FileStatus) -> Result<(), Failure> {
        let path = [self.path(path), b"/".to_vec()].concat();
        let header = self.entry(EntryType::Directory, &path, status, 0)?;
        self.header(header)
    }

    fn link(&mut self, path: &[u8], status: &FileStatus, target: &[u8]) -> Result<(), Failure> {
        if target.len() > LONGEST_NAME {
            self.long(EntryType::GNULongLink, target)?;
        }
        let path = self.path(path);
        let mut header = self.entry(EntryType::Symlink, &path, status, 0)?;
        let kept = target.len().min(LONGEST_NAME);
        header.as_old_mut().linkname[..kept].copy_from_slice(&target[..kept]);
        self.header(header)
    }

    fn file(&mut self, path: &[u8], status: &FileStatus, content: &mut Content) -> Result<(), Failure> {
        let path = self.path(path);
        self.written = 0;
        let data = content.data_bytes();
        if data == content.size() {
            let header = self.entry(EntryType::Regular, &path, status, data)?;
            return self.header(header);
        }
        let mut header = self.entry(EntryType::GNUSparse, &path, status, data)?;
        let mut stretches: Vec<_> =
            content.extents().iter().map(|&(start, end)| (number(start), number(end - start))).collect();
        // A stretch of no length at the end says how long the file is: some readers go by it.
        stretches.push((number(content.size()), number(0)));
        let following = stretches.split_off(stretches.len().min(IN_HEADER));
        if let Some(gnu) = header.as_gnu_mut() {
            gnu.realsize = number(content.size());
            gnu.isextended = [u8::from(!following.is_empty())];
            for (field, (offset, length)) in gnu.sparse.iter_mut().zip(stretches) {
                (field.offset, field.numbytes) = (offset, length);
            }
        }
        self.header(header)?;
        let mut rest = following.chunks(IN_FOLLOWING).peekable();
        while let Some(stretches) = rest.next() {
            let mut header = GnuExtSparseHeader::new();
            header.isextended = [u8::from(rest.peek().is_some())];
            for (field, (offset, length)) in header.sparse.iter_mut().zip(stretches) {
                (field.offset, field.numbytes) = (*offset, *length);
            }
            self.output.content(header.as_bytes())?;
        }
        Ok(())
    }

    fn data(&mut self, _: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.written += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(self.output.content(bytes)?)
    }

    fn file_end(&mut self) -> Result<(), Failure> {
        self.pad(self.written)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.output.content(&[0; 1024])?)
    }
}

//! Files that packets are written to: one, or a few in turn.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::pcapng;
use crate::commands::files::size;

/// When the next file is begun, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rotation {
    pub(super) bytes: u64,
    pub(super) files: u32,
}

impl FromStr for Rotation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected SIZE,COUNT, such as 100M,5".to_owned();
        let (bytes, files) = text.split_once(',').ok_or_else(expected)?;
        let files = files.parse().ok().filter(|&files| files > 0).ok_or_else(expected)?;
        let bytes = size(bytes).map_err(|_| expected())?;
        Ok(Self { bytes, files })
    }
}

/// What becomes of a write.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// Where.
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
}

/// The file that is written to now.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    rotation: Option<Rotation>,
    /// Counts from 1; of no meaning without rotation.
    number: u32,
    file: File,
    /// Whole blocks in it.
    bytes: u64,
    /// Packets in all files, also those that are gone.
    pub(super) packets: u64,
}

impl Files {
    /// Begins the first file, which only its user may read. One that is there already is overwritten.
    pub(super) fn create(path: &Path, rotation: Option<Rotation>) -> Result<Self, Unwritten> {
        let number = 1;
        let first = name(path, rotation, number);
        let file = create(&first).map_err(|error| Unwritten { path: first, error })?;
        Ok(Self { path: path.to_owned(), rotation, number, file, bytes: 0, packets: 0 })
    }

    /// Its name.
    pub(super) fn path(&self) -> PathBuf {
        name(&self.path, self.rotation, self.number)
    }

    /// Whether the file will be long enough with so many bytes more, so that [`Self::next`] is to be called then.
    pub(super) fn is_full_with(&self, more: usize) -> bool {
        let bytes = self.bytes.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        self.rotation.is_some_and(|rotation| bytes >= rotation.bytes)
    }

    /// Begins the next file, and removes the one that is too old.
    pub(super) fn next(&mut self) -> Result<(), Unwritten> {
        self.number = self.number.saturating_add(1);
        let path = self.path();
        self.file = create(&path).map_err(|error| Unwritten { path, error })?;
        self.bytes = 0;
        if let Some(rotation) = self.rotation
            && let Some(old) = self.number.checked_sub(rotation.files).filter(|&old| old > 0)
        {
            // Whoever has removed it already has done the same.
            let _gone = remove_file(name(&self.path, self.rotation, old));
        }
        Ok(())
    }

    /// Writes whole blocks. If that does not work, those that were written stay, and no part of another.
    pub(super) fn write(&mut self, blocks: &[u8]) -> Result<(), Unwritten> {
        let (mut written, mut result) = (0, Ok(()));
        while written < blocks.len() && result.is_ok() {
            match self.file.write(&blocks[written..]) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
        }
        let (whole, packets) = pcapng::whole(&blocks[..written]);
        self.packets += packets;
        self.bytes += u64::try_from(whole).unwrap_or_default();
        result.map_err(|error| {
            // What is no file can not be shortened: it has taken what it has taken.
            let _no_file = self.file.set_len(self.bytes);
            Unwritten { path: self.path(), error }
        })
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// `web.pcapng`, or `web.00001.pcapng` where there are several.
fn name(path: &Path, rotation: Option<Rotation>, number: u32) -> PathBuf {
    if rotation.is_none() {
        return path.to_owned();
    }
    let number = format!("{number:05}");
    match path.extension() {
        Some(extension) => path.with_extension(format!("{number}.{}", extension.to_string_lossy())),
        None => path.with_extension(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_a_size_and_a_count() {
        assert_eq!("2K,3".parse(), Ok(Rotation { bytes: 2048, files: 3 }));
        for text in ["2K", "2K,0", ",3", "x,3", "2K,-1"] {
            assert!(text.parse::<Rotation>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_oldest_of_several_files_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.pcapng");
        let mut files = Files::create(&path, Some(Rotation { bytes: 10, files: 2 })).unwrap();
        let block = [6, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0];
        for _ in 0..3 {
            files.write(&block).unwrap();
            assert!(files.is_full_with(0));
            files.next().unwrap();
        }
        assert_eq!(files.packets, 3);
        let mut names: Vec<_> =
            directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["web.00003.pcapng", "web.00004.pcapng"]);
    }

    #[test]
    fn of_a_write_that_fails_nothing_is_counted() {
        let mut files = Files::create(Path::new("/dev/full"), None).unwrap();
        let error = files.write(&[6, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0]).unwrap_err();
        assert_eq!((error.error.kind(), files.packets), (io::ErrorKind::StorageFull, 0));
    }
}

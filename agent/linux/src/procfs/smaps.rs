//! `/proc/<pid>/smaps`: what a process has mapped, grouped by what it is mapped from.
//!
//! Format: proc_pid_smaps(5). A line as in `maps` begins each mapping, lines `Key:   123 kB` follow. "kB" means KiB.
//!
//! The file of a process with 20,000 mappings has 28 MB. It is read in parts and never held.

use std::collections::HashMap;

use super::keyed::keyed_lines;
use crate::{BadLine, Pid, ProcName, ReadError, Root};

/// The longest path that the kernel gives, with each byte an escape of four, and what stands before it.
const LONGEST_LINE_BYTES: usize = (16 << 10) + 128;
/// So many names are kept apart, and so many bytes of them.
const MOST_GROUPS: usize = 16_384;
const MOST_NAME_BYTES: usize = 4 << 20;

/// The figures of one or more mappings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many there are.
    pub mappings: u64,
    /// In the address space.
    pub size_bytes: u64,
    /// Pages in memory, shared ones counted in full.
    pub rss_bytes: u64,
    /// Pages in memory, each shared one divided by the number of its users.
    pub pss_bytes: u64,
    /// Pages that no one else has, and that were written to.
    pub private_dirty_bytes: u64,
    /// Swapped out, shared pages counted in full.
    pub swap_bytes: u64,
}

/// A name, empty for anonymous memory without one, and the figures of all that is mapped from it.
pub type Group = (Box<[u8]>, Figures);

/// The mappings of one process, added up by name.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Vec<Group>,
    /// Where each name is among the groups.
    places: HashMap<Box<[u8]>, usize>,
    name_bytes: usize,
    /// Those for whose names there was no room.
    others: Figures,
    /// Which group the lines are about.
    current: Option<Current>,
    lines: usize,
    bad_line: Option<BadLine>,
}

#[derive(Debug, Clone, Copy)]
enum Current {
    Group(usize),
    Others,
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]: permission denied without CAP_SYS_PTRACE, gone if the process has ended.
pub fn read(root: &Root, pid: Pid) -> Result<Groups, ReadError> {
    let name = ProcName::of(pid, "smaps");
    let mut groups = Groups::default();
    root.lines(&name, LONGEST_LINE_BYTES, |line| groups.line(line))?;
    groups.finish().map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if a figure is no number, or stands before the first mapping.
pub fn parse(text: &[u8]) -> Result<Groups, BadLine> {
    let mut groups = Groups::default();
    text.split(|&byte| byte == b'\n').all(|line| groups.line(line));
    groups.finish()
}

impl Groups {
    /// Takes one line. Returns false if it makes no sense to go on.
    fn line(&mut self, line: &[u8]) -> bool {
        self.lines += 1;
        if let Some(name) = name_of(line) {
            self.begin(name);
        } else if let Err(bad_line) = self.figure(line) {
            self.bad_line = Some(BadLine { line: self.lines, ..bad_line });
        }
        self.bad_line.is_none()
    }

    fn begin(&mut self, name: &[u8]) {
        let has_room =
            self.groups.len() < MOST_GROUPS && self.name_bytes.saturating_add(name.len()) <= MOST_NAME_BYTES;
        let current = match self.places.get(name) {
            Some(&place) => Current::Group(place),
            None if has_room => {
                self.name_bytes += name.len();
                self.places.insert(name.into(), self.groups.len());
                self.groups.push((name.into(), Figures::default()));
                Current::Group(self.groups.len() - 1)
            }
            None => Current::Others,
        };
        self.current = Some(current);
        if let Some(figures) = self.figures() {
            figures.mappings += 1;
        }
    }

    fn figures(&mut self) -> Option<&mut Figures> {
        match self.current? {
            Current::Group(place) => self.groups.get_mut(place).map(|(_, figures)| figures),
            Current::Others => Some(&mut self.others),
        }
    }

    fn figure(&mut self, line: &[u8]) -> Result<(), BadLine> {
        let Some((key, value)) = keyed_lines(line).next() else { return Ok(()) };
        let of: fn(&mut Figures) -> &mut u64 = match key {
            b"Size" => |figures| &mut figures.size_bytes,
            b"Rss" => |figures| &mut figures.rss_bytes,
            b"Pss" => |figures| &mut figures.pss_bytes,
            b"Private_Dirty" => |figures| &mut figures.private_dirty_bytes,
            b"Swap" => |figures| &mut figures.swap_bytes,
            _ => return Ok(()),
        };
        let bytes = value.kib()?;
        let figures = self.figures().ok_or_else(|| BadLine::new(1, "a mapping before its figures", line))?;
        let figure = of(figures);
        *figure = figure.saturating_add(bytes);
        Ok(())
    }

    fn finish(mut self) -> Result<Self, BadLine> {
        self.bad_line.take().map_or(Ok(self), Err)
    }

    /// The groups, biggest resident set first, and what there was no room for.
    pub fn biggest_first(self) -> (Vec<Group>, Option<Figures>) {
        let Self { mut groups, others, .. } = self;
        groups.sort_unstable_by(|(a_name, a), (b_name, b)| {
            (b.rss_bytes, b.size_bytes).cmp(&(a.rss_bytes, a.size_bytes)).then_with(|| a_name.cmp(b_name))
        });
        (groups, Some(others).filter(|others| others.mappings > 0))
    }
}

/// The name of the mapping that `line` begins: the sixth field of `maps`, which may hold blanks. `None` if it begins none.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line;
    for nth in 0..5 {
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        let field = &rest[..end];
        let is_one = match nth {
            0 => is_range(field),
            1 => field.len() == 4 && field.iter().all(|byte| b"rwxps-".contains(byte)),
            _ => !field.is_empty(),
        };
        if !is_one {
            return None;
        }
        rest = rest[end..].strip_prefix(b" ").unwrap_or(&rest[end..]);
    }
    Some(rest.trim_ascii_start())
}

fn is_range(field: &[u8]) -> bool {
    let Some(dash) = field.iter().position(|&byte| byte == b'-') else { return false };
    let is_address = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    is_address(&field[..dash]) && is_address(&field[dash + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
561a00000000-561a00001000 r--p 00000000 00:27 795386                     /bin/a b
Size:                  4 kB
Rss:                   4 kB
Pss:                   2 kB
Private_Dirty:         0 kB
VmFlags: rd mr mw me
561a00001000-561a00003000 rw-p 00001000 00:27 795386                     /bin/a b
Size:                  8 kB
Rss:                   8 kB
Pss:                   8 kB
Private_Dirty:         8 kB
Swap:                  4 kB
7f0000000000-7f0000010000 rw-p 00000000 00:00 0
Size:                 64 kB
Rss:                  60 kB
7f0000020000-7f0000030000 rw-p 00000000 00:00 0                          [anon:a: b]
Rss:                   1 kB
7f0000040000-7f0000050000 rw-p 00000000 00:00 0
Rss:                   3 kB
";

    #[test]
    fn mappings_of_the_same_name_are_one_group() {
        let (groups, others) = parse(TEXT.as_bytes()).unwrap().biggest_first();
        let names: Vec<_> = groups.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, [&b""[..], b"/bin/a b", b"[anon:a: b]"]);
        let expected = Figures {
            mappings: 2,
            size_bytes: 12 << 10,
            rss_bytes: 12 << 10,
            pss_bytes: 10 << 10,
            private_dirty_bytes: 8 << 10,
            swap_bytes: 4 << 10,
        };
        assert_eq!((groups[1].1, others), (expected, None));
        assert_eq!((groups[0].1.mappings, groups[0].1.rss_bytes), (2, 63 << 10));
    }

    #[test]
    fn more_names_than_there_is_room_for_are_added_up_together() {
        let mut groups = Groups::default();
        for nth in 0..MOST_GROUPS + 10 {
            assert!(groups.line(format!("1000-2000 r--p 00000000 00:27 7 /lib/{nth}").as_bytes()));
            assert!(groups.line(b"Rss: 4 kB"));
        }
        let (groups, others) = groups.finish().unwrap().biggest_first();
        let others = others.unwrap();
        assert_eq!((groups.len(), others.mappings, others.rss_bytes), (MOST_GROUPS, 10, 40 << 10));
    }

    #[test]
    fn long_names_are_bounded_together() {
        let long = "x".repeat(4096);
        let mut groups = Groups::default();
        for nth in 0..2000 {
            groups.line(format!("1000-2000 r--p 00000000 00:27 7 /{nth}/{long}").as_bytes());
        }
        assert!(
            groups.name_bytes <= MOST_NAME_BYTES && groups.others.mappings > 900,
            "{}",
            groups.name_bytes
        );
    }

    #[test]
    fn nonsense_is_told_with_its_line() {
        let bad_line = parse(b"1000-2000 r--p 0 0:0 0\nRss: many kB\n").unwrap_err();
        assert_eq!((bad_line.line, bad_line.expected), (2, "a number of kB"));
        assert_eq!(parse(b"Rss: 4 kB\n").unwrap_err().expected, "a mapping before its figures");
    }
}

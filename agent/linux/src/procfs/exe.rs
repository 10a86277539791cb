//! `/proc/<pid>/exe`: the program of a process, as far as it says by what it is carried.
//!
//! Format: elf(5). Notes: `NT_GNU_ABI_TAG` of the GNU C library's start files, and Go's build id, which its linker puts
//! into every program.

use crate::{Buffer, Pid, ProcName, ReadError, Root};

/// Headers, interpreter and notes lie at the beginning.
const BOUND_BYTES: usize = 16 << 10;

const LOADER: u32 = 3; // PT_INTERP
const NOTE: u32 = 4; // PT_NOTE
const MOST_HEADERS: usize = 64;

/// What a program was linked with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// Path of the dynamic loader. `None`: the program is static.
    pub loader: Option<Vec<u8>>,
    /// Go's linker made it.
    pub is_go: bool,
    /// The start files of the GNU C library are in it.
    pub is_gnu: bool,
}

/// Reads the beginning of the program of `pid`. `None`: it is no ELF file of 64 bits.
///
/// # Errors
///
/// [`ReadError::Io`]: permission denied without CAP_SYS_PTRACE; not there for a kernel thread.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Option<Program>, ReadError> {
    Ok(parse(root.read(&ProcName::of(pid, "exe"), BOUND_BYTES, buffer)?.bytes))
}

/// Parses the beginning of a program. `None`: it is no ELF file of 64 bits with this machine's byte order.
pub fn parse(bytes: &[u8]) -> Option<Program> {
    const SIXTY_FOUR_BITS: u8 = 2;
    const ORDER: u8 = if cfg!(target_endian = "little") { 1 } else { 2 };
    if !bytes.starts_with(b"\x7fELF") || bytes.get(4..6)? != [SIXTY_FOUR_BITS, ORDER] {
        return None;
    }
    let table = usize::try_from(u64_at(bytes, 32)?).ok()?;
    let (length, count) = (usize::from(u16_at(bytes, 54)?), usize::from(u16_at(bytes, 56)?));
    let mut program = Program::default();
    for nth in 0..count.min(MOST_HEADERS) {
        let Some(header) = bytes.get(table.checked_add(nth * length)?..) else { break };
        let Some(segment) = u64_at(header, 8).zip(u64_at(header, 32)).and_then(|(at, size)| {
            let at = usize::try_from(at).ok()?;
            bytes.get(at..at.checked_add(usize::try_from(size).ok()?)?)
        }) else {
            continue;
        };
        match u32_at(header, 0) {
            Some(LOADER) => {
                program.loader = segment.split(|&byte| byte == 0).next().map(<[u8]>::to_vec);
            }
            Some(NOTE) => notes(segment, &mut program),
            _ => {}
        }
    }
    Some(program)
}

/// Each note: the lengths of its name and of its content, its type, then both, padded to four bytes.
fn notes(mut segment: &[u8], program: &mut Program) {
    const ABI_TAG: u32 = 1;
    const GO_BUILD_ID: u32 = 4;
    while let (Some(name_bytes), Some(bytes), Some(kind)) =
        (u32_at(segment, 0), u32_at(segment, 4), u32_at(segment, 8))
    {
        let padded = |length: u32| usize::try_from(length).ok()?.checked_next_multiple_of(4);
        let Some((name_end, end)) = padded(name_bytes)
            .and_then(|name| name.checked_add(12))
            .and_then(|name_end| Some((name_end, name_end.checked_add(padded(bytes)?)?)))
        else {
            return;
        };
        match (segment.get(12..name_end), kind) {
            (Some(b"GNU\0"), ABI_TAG) => program.is_gnu = true,
            (Some(b"Go\0\0"), GO_BUILD_ID) => program.is_go = true,
            _ => {}
        }
        let Some(rest) = segment.get(end..) else { return };
        segment = rest;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pid;

    #[test]
    fn this_test_is_what_it_was_linked_as() {
        let root = Root::live().unwrap();
        let program = read(&root, Pid(std::process::id()), &mut Buffer::default()).unwrap().unwrap();
        assert!(!program.is_go);
        if cfg!(target_env = "gnu") {
            assert!(program.is_gnu && program.loader.unwrap().starts_with(b"/lib"));
        }
    }

    #[test]
    fn what_is_no_program_is_none() {
        assert_eq!(parse(b"#!/bin/sh\n"), None);
        assert_eq!(parse(b"\x7fELF\x02\x01"), None);
    }
}

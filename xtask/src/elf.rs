//! Is a binary what an empty image can run: static, at a fixed address, for the right machine?
//!
//! Format: elf(5), 64 bits, little endian.

use crate::Result;
use crate::arch::Arch;

const TYPE_EXECUTABLE: u16 = 2;
const SEGMENT_DYNAMIC: u32 = 2;
const SEGMENT_INTERPRETER: u32 = 3;
const SEGMENT_NOTE: u32 = 4;

/// Refuses anything but a static, non-relocatable executable for `arch`, without notes (a build id is one).
pub(crate) fn check_static(elf: &[u8], arch: Arch) -> Result {
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return Err("not an ELF file of 64 bits, little endian".into());
    }
    if u16_at(elf, 18)? != arch.elf_machine() {
        return Err(format!("not for {}", arch.docker()).into());
    }
    if u16_at(elf, 16)? != TYPE_EXECUTABLE {
        return Err("position independent: the build lost `relocation-model=static`".into());
    }
    let table = usize::try_from(u64_at(elf, 32)?)?;
    let entry_bytes = usize::from(u16_at(elf, 54)?);
    for entry in 0..usize::from(u16_at(elf, 56)?) {
        match u32_at(elf, table + entry * entry_bytes)? {
            SEGMENT_DYNAMIC | SEGMENT_INTERPRETER => return Err("dynamically linked".into()),
            SEGMENT_NOTE => return Err("carries a note, which may differ from build to build".into()),
            _ => {}
        }
    }
    Ok(())
}

fn u16_at(elf: &[u8], at: usize) -> Result<u16> {
    bytes_at(elf, at).map(u16::from_le_bytes)
}

fn u32_at(elf: &[u8], at: usize) -> Result<u32> {
    bytes_at(elf, at).map(u32::from_le_bytes)
}

fn u64_at(elf: &[u8], at: usize) -> Result<u64> {
    bytes_at(elf, at).map(u64::from_le_bytes)
}

fn bytes_at<const N: usize>(elf: &[u8], at: usize) -> Result<[u8; N]> {
    let bytes = elf.get(at..at + N).ok_or("ELF header points beyond the end of the file")?;
    Ok(bytes.try_into()?)
}

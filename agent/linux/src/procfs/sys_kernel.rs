//! `/proc/sys/kernel/…`: settings of the kernel, each one number.
//!
//! Format: proc_sys_kernel(5).

use crate::cgroupfs::keyed::parse_number;
use crate::{Buffer, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 4096;

/// One more than the highest pid that is given: of the PID namespace since Linux 6.14, of the machine before.
///
/// # Errors
///
/// [`ReadError`].
pub fn read_pid_max(root: &Root, buffer: &mut Buffer) -> Result<u64, ReadError> {
    read(root, "sys/kernel/pid_max", buffer)
}

/// How many threads the machine may have.
///
/// # Errors
///
/// [`ReadError`].
pub fn read_threads_max(root: &Root, buffer: &mut Buffer) -> Result<u64, ReadError> {
    read(root, "sys/kernel/threads-max", buffer)
}

/// Whether waiting for block I/O is counted, by task: not by default since Linux 5.14, which has this file.
///
/// # Errors
///
/// [`ReadError`].
pub fn read_task_delayacct(root: &Root, buffer: &mut Buffer) -> Result<bool, ReadError> {
    read(root, "sys/kernel/task_delayacct", buffer).map(|switch| switch != 0)
}

fn read(root: &Root, file: &'static str, buffer: &mut Buffer) -> Result<u64, ReadError> {
    let name = ProcName::system(file);
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse_number(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

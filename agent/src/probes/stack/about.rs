//! What a system call waits for, as far as its arguments tell: memory of the target is not read for it.

use nix::libc;

/// The text for a call of that name. `descriptor` tells what a descriptor of the process leads to.
pub(super) fn about(name: &str, arguments: [u64; 6], mut descriptor: impl FnMut(u32) -> Vec<u8>) -> Vec<u8> {
    let [first, second, third, fourth, ..] = arguments;
    let mut fd = |argument| match u32::try_from(int(argument)) {
        Ok(number) => descriptor(number),
        Err(_) => b"no descriptor".to_vec(),
    };
    match name {
        "read" | "pread64" | "recvfrom" => with(fd(first), format!(", at most {third} bytes")),
        "write" | "pwrite64" | "sendto" => with(fd(first), format!(", {third} bytes")),
        "readv" | "writev" | "preadv" | "pwritev" | "preadv2" | "pwritev2" | "recvmsg" | "sendmsg"
        | "recvmmsg" | "sendmmsg" | "accept" | "accept4" | "connect" | "shutdown" | "close" | "fsync"
        | "fdatasync" | "sync_file_range" | "syncfs" | "ftruncate" | "fallocate" | "flock" | "fcntl"
        | "ioctl" | "getdents64" | "fstat" | "lseek" | "io_uring_enter" | "vmsplice" => fd(first),
        "sendfile" => with(with(fd(second), " to "), fd(first)),
        "splice" | "tee" | "copy_file_range" => {
            let to = if name == "tee" { second } else { third };
            with(with(fd(first), " to "), fd(to))
        }
        "epoll_wait" | "epoll_pwait" => with(fd(first), timeout(int(fourth))),
        "epoll_pwait2" => fd(first),
        "poll" => format!("{}{}", descriptors(second), timeout(int(third))).into_bytes(),
        "ppoll" => descriptors(second).into_bytes(),
        "select" | "pselect6" => format!("descriptors below {}", int(first)).into_bytes(),
        "futex" => futex(int(second)).into_bytes(),
        "clock_nanosleep" => clock(int(first)).as_bytes().to_vec(),
        "wait4" => child(int(first)).into_bytes(),
        "waitid" => match int(first) {
            0 => b"any child".to_vec(),
            1 => child(int(second)).into_bytes(),
            _ => Vec::new(),
        },
        "openat" | "openat2" | "newfstatat" | "statx" | "readlinkat" | "unlinkat" | "mkdirat"
            if int(first) != libc::AT_FDCWD =>
        {
            with(b"below ".to_vec(), fd(first))
        }
        "pause" | "rt_sigsuspend" | "rt_sigtimedwait" => b"a signal".to_vec(),
        _ => Vec::new(),
    }
}

fn with(mut text: Vec<u8>, more: impl AsRef<[u8]>) -> Vec<u8> {
    text.extend_from_slice(more.as_ref());
    text
}

/// An argument that is an `int`: the upper half of its register means nothing.
fn int(argument: u64) -> i32 {
    u32::try_from(argument & u64::from(u32::MAX)).unwrap_or_default().cast_signed()
}

fn timeout(millis: i32) -> String {
    if millis < 0 { ", without a time-out".to_owned() } else { format!(", at most {millis} ms") }
}

fn descriptors(count: u64) -> String {
    if count == 1 { "1 descriptor".to_owned() } else { format!("{count} descriptors") }
}

fn child(pid: i32) -> String {
    match pid {
        -1 => "any child".to_owned(),
        1.. => format!("process {pid}"),
        _ => "any child of a process group".to_owned(),
    }
}

/// The operations of futex(2), in the order of their numbers.
const FUTEX: [&str; 14] = [
    "FUTEX_WAIT",
    "FUTEX_WAKE",
    "FUTEX_FD",
    "FUTEX_REQUEUE",
    "FUTEX_CMP_REQUEUE",
    "FUTEX_WAKE_OP",
    "FUTEX_LOCK_PI",
    "FUTEX_UNLOCK_PI",
    "FUTEX_TRYLOCK_PI",
    "FUTEX_WAIT_BITSET",
    "FUTEX_WAKE_BITSET",
    "FUTEX_WAIT_REQUEUE_PI",
    "FUTEX_CMP_REQUEUE_PI",
    "FUTEX_LOCK_PI2",
];

fn futex(operation: i32) -> String {
    let command = operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    let name = usize::try_from(command).ok().and_then(|command| FUTEX.get(command));
    let private = if operation & libc::FUTEX_PRIVATE_FLAG != 0 { "_PRIVATE" } else { "" };
    name.map_or_else(|| format!("operation {operation}"), |name| format!("{name}{private}"))
}

fn clock(number: i32) -> &'static str {
    match number {
        libc::CLOCK_REALTIME => "CLOCK_REALTIME",
        libc::CLOCK_MONOTONIC => "CLOCK_MONOTONIC",
        libc::CLOCK_BOOTTIME => "CLOCK_BOOTTIME",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::about;

    fn said(name: &str, arguments: &[u64]) -> String {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        String::from_utf8(about(name, all, |number| format!("fd {number}").into_bytes())).unwrap()
    }

    #[test]
    fn arguments_that_matter_are_in_words() {
        assert_eq!(said("read", &[5, 0x7f00, 512]), "fd 5, at most 512 bytes");
        assert_eq!(said("epoll_wait", &[8, 0x7f00, 512, 0xffff_ffff]), "fd 8, without a time-out");
        assert_eq!(said("epoll_pwait", &[8, 0x7f00, 512, 100]), "fd 8, at most 100 ms");
        assert_eq!(said("poll", &[0x7f00, 1, u64::MAX]), "1 descriptor, without a time-out");
        assert_eq!(said("futex", &[0x7f00, 0x189]), "FUTEX_WAIT_BITSET_PRIVATE");
        assert_eq!(said("futex", &[0x7f00, 0x7f]), "operation 127");
        assert_eq!(said("wait4", &[0xffff_ffff]), "any child");
        assert_eq!(said("waitid", &[1, 42]), "process 42");
        assert_eq!(said("sendfile", &[4, 5]), "fd 5 to fd 4");
        assert_eq!(said("openat", &[0xffff_ff9c, 0x7f00]), "", "the path is in the target's memory");
        assert_eq!(said("read", &[u64::MAX]), "no descriptor, at most 0 bytes");
        assert_eq!(said("mseal", &[1]), "");
    }
}

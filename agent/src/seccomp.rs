//! The agent's own allow list of system calls, in force before the first request is read.
//!
//! The engine's profile (`images/agent/seccomp.json`) must also let the container runtime start, so it is
//! wide. This one is as tight as the probes allow: nothing that writes to a file, starts a program, signals or
//! traces another process, enters a namespace, mounts, or opens a file by handle. What is not listed fails with
//! EPERM, so that a mistake here is an error of one probe and not the death of the agent.
//!
//! `openat2` takes its flags by pointer, which a filter can not follow, and permissions alone do not refuse
//! writing: a file of the target may be writable by everyone, or belong to the agent's own uid. So the filter
//! insists on the pointer instead. It must be the address of one of the two `open_how`s that stand on a read-only
//! page (see [`sys::fix_open_how`]); the page lies below everything else, and no call that changes mappings may
//! begin at or below it. Both name a file without opening it; what is to be read is then opened by `openat`, whose
//! flags the filter sees. Thus even an agent that was taken over can open files of the target for reading only.
//!
//! What no filter of this kind can refuse such an agent: it reads what its uid may read, FIFOs included, and so
//! may take what was meant for another reader; it may read at a rate that disturbs; where traffic is allowed it may
//! send any; and with CAP_NET_RAW, where capturing is allowed, any packet.

use std::collections::BTreeMap;
use std::io;
use std::iter;
use std::process;

use dbgctl_linux::sys;
use dbgctl_proto::Effect;
use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Cmp, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule,
};

/// Why the filter is not in force.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// The list does not make a program. A mistake in this file.
    #[error("cannot compile the agent's own system call filter")]
    Compile(#[source] seccompiler::BackendError),
    /// The kernel did not take it, as under user-mode emulation.
    #[error("the kernel did not take the agent's own system call filter")]
    Install(#[source] seccompiler::Error),
    /// There is no place for the one structure that the filter lets pass.
    #[error("cannot fix how files of the target are opened")]
    OpenHow(#[source] io::Error),
    /// With CAP_DAC_READ_SEARCH that would lead to the host's files through any bind mount.
    #[error("files can be opened by handle, although a filter is in force")]
    Handles,
}

/// Calls that are allowed whatever their arguments.
const ALLOWED: &[c_long] = &[
    // Files and directories that are open already. Opening is limited below.
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_readv,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    // Access control lists, to say who may do what. There is no reading of them by path.
    libc::SYS_fgetxattr,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    // Standard output, sockets and wake-ups.
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_bind,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_ppoll,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    // Memory and threads. Changing mappings is limited below.
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // Clocks, randomness, and who am I.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    // Handling signals. Sending them is limited below.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
];

/// Calls of older interfaces that musl still prefers where the architecture has them.
#[cfg(target_arch = "x86_64")]
const ALLOWED_LEGACY: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_epoll_wait,
    libc::SYS_lstat,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_LEGACY: &[c_long] = &[];

/// The bits of the open flags that say read, write or both. musl's `O_ACCMODE` holds `O_PATH` as well.
const ACCESS_MODE: libc::c_int = 0o3;

/// Bits of a socket's type that are not flags.
const SOCKET_TYPE: libc::c_int = 0xf;

/// Family, type and protocol of the sockets that every agent may make: those that ask the kernel.
const SOCKETS_TO_OBSERVE: &[(libc::c_int, libc::c_int, libc::c_int)] = &[
    (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
    (libc::AF_NETLINK, libc::SOCK_DGRAM, libc::NETLINK_ROUTE),
    (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_SOCK_DIAG),
    (libc::AF_NETLINK, libc::SOCK_DGRAM, libc::NETLINK_SOCK_DIAG),
];

/// The same of those that an agent needs to send traffic. No raw sockets, and no protocol that the kernel would load a
/// module for.
const SOCKETS_TO_SEND: &[(libc::c_int, libc::c_int, libc::c_int)] = &[
    (libc::AF_INET, libc::SOCK_STREAM, 0),
    (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP),
    (libc::AF_INET, libc::SOCK_DGRAM, 0),
    (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDP),
    (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
    (libc::AF_INET6, libc::SOCK_STREAM, 0),
    (libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP),
    (libc::AF_INET6, libc::SOCK_DGRAM, 0),
    (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP),
    (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_ICMPV6),
];

/// The same of those that hear packets. Without a protocol: they hear nothing before they are bound, and then what
/// their filter accepts.
const SOCKETS_TO_CAPTURE: &[(libc::c_int, libc::c_int, libc::c_int)] =
    &[(libc::AF_PACKET, libc::SOCK_RAW, 0), (libc::AF_PACKET, libc::SOCK_DGRAM, 0)];

/// What is set of such a socket: the ring that it receives by, and being promiscuous. No ring that it would send by.
const OPTIONS_TO_CAPTURE: &[libc::c_int] =
    &[libc::PACKET_VERSION, libc::PACKET_RX_RING, libc::PACKET_ADD_MEMBERSHIP];

/// Puts the filter in force for this thread and all it will start. Call it before there is a second one, and
/// after the private socket was bound or joined: no socket that could reach one of the target can be made later.
///
/// # Errors
///
/// If the kernel has no seccomp filters, as under user-mode emulation. The caller decides whether to go on.
pub fn install(effects: &[Effect]) -> Result<(), SeccompError> {
    let open_hows = sys::fix_open_how().map_err(SeccompError::OpenHow)?;
    let program = program(effects, open_hows).map_err(SeccompError::Compile)?;
    seccompiler::apply_filter(&program).map_err(SeccompError::Install)
}

/// Tries whether the filter that is in force refuses to open files by handle. Call it with CAP_DAC_READ_SEARCH in
/// hand: nothing but a filter refuses it then.
///
/// # Errors
///
/// [`SeccompError::Handles`]: the agent must not serve.
pub fn expect_no_handles() -> Result<(), SeccompError> {
    if sys::handles_are_refused() { Ok(()) } else { Err(SeccompError::Handles) }
}

fn program(effects: &[Effect], open_hows: [u64; 2]) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<Rule>> =
        ALLOWED.iter().chain(ALLOWED_LEGACY).map(|number| (*number, Vec::new())).collect();

    // Opening: for reading only, and nothing is created.
    let write_or_create = word(ACCESS_MODE | libc::O_CREAT | libc::O_TRUNC);
    rules.insert(libc::SYS_openat, vec![when(2, Cmp::MaskedEq(write_or_create), 0)?]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, vec![when(1, Cmp::MaskedEq(write_or_create), 0)?]);
    let finds = |address: &u64| Rule::new(vec![Condition::new(2, Len::Qword, Cmp::Eq, *address)?]);
    rules.insert(libc::SYS_openat2, any(open_hows.iter().map(finds))?);

    // Memory: nothing that would change the page of the `open_how`s, which is the lowest, and no new code.
    let [page, _] = open_hows;
    let above = || Condition::new(0, Len::Qword, Cmp::Gt, page);
    let masked =
        |argument, mask, value| Condition::new(argument, Len::Dword, Cmp::MaskedEq(word(mask)), word(value));
    let is = |argument, value| Condition::new(argument, Len::Dword, Cmp::Eq, word(value));
    let no_code = || masked(2, libc::PROT_EXEC, 0);
    rules.insert(libc::SYS_munmap, vec![Rule::new(vec![above()?])?]);
    rules.insert(libc::SYS_madvise, vec![Rule::new(vec![above()?])?]);
    rules.insert(libc::SYS_mprotect, vec![Rule::new(vec![above()?, no_code()?])?]);
    rules.insert(libc::SYS_mremap, vec![Rule::new(vec![above()?, masked(3, libc::MREMAP_FIXED, 0)?])?]);
    let anywhere = Rule::new(vec![masked(3, libc::MAP_FIXED, 0)?, no_code()?])?;
    rules.insert(libc::SYS_mmap, vec![anywhere, Rule::new(vec![above()?, no_code()?])?]);

    // Descriptors are copied and asked for their flags. No locks and leases on the target's files, and no
    // signals for input: all three reach other processes.
    let commands =
        [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL];
    rules.insert(libc::SYS_fcntl, any(commands.iter().map(|command| when(1, Cmp::Eq, word(*command))))?);

    // Sockets: the kernel's own and, for an agent that may send traffic, the internet's. No local ones: those of
    // the target could be reached by path or by abstract name. No pairs of datagram sockets for the same reason.
    let to_send = if effects.contains(&Effect::SendsTraffic) { SOCKETS_TO_SEND } else { &[] };
    let (to_capture, options) = match effects.contains(&Effect::Captures) {
        true => (SOCKETS_TO_CAPTURE, OPTIONS_TO_CAPTURE),
        false => (&[][..], &[][..]),
    };
    let socket = |&(family, kind, protocol)| {
        Rule::new(vec![is(0, family)?, masked(1, SOCKET_TYPE, kind)?, is(2, protocol)?])
    };
    let sockets = SOCKETS_TO_OBSERVE.iter().chain(to_send).chain(to_capture);
    rules.insert(libc::SYS_socket, any(sockets.map(socket))?);
    let of_packets = word(libc::SOL_PACKET);
    let other_options = when(1, Cmp::Ne, of_packets);
    let option = |&name| Rule::new(vec![is(1, libc::SOL_PACKET)?, is(2, name)?]);
    let options = iter::once(other_options).chain(options.iter().map(option));
    rules.insert(libc::SYS_setsockopt, any(options)?);
    let pair = Rule::new(vec![is(0, libc::AF_UNIX)?, masked(1, SOCKET_TYPE, libc::SOCK_STREAM)?])?;
    rules.insert(libc::SYS_socketpair, vec![pair]);

    // Threads, never processes.
    let thread = word(libc::CLONE_THREAD);
    rules.insert(libc::SYS_clone, vec![when(0, Cmp::MaskedEq(thread), thread)?]);

    // Signals to this process only.
    let own_pid = u64::from(process::id());
    rules.insert(libc::SYS_tgkill, vec![when(0, Cmp::Eq, own_pid)?]);
    rules.insert(libc::SYS_kill, vec![when(0, Cmp::Eq, own_pid)?]);

    // What the standard library asks of descriptors and limits; nothing that drives a device.
    let requests = [libc::FIONBIO, libc::FIONREAD, libc::TCGETS, libc::TIOCGWINSZ];
    rules.insert(libc::SYS_ioctl, any(requests.iter().map(|number| when(1, Cmp::Eq, request(*number))))?);
    rules.insert(libc::SYS_prctl, vec![when(0, Cmp::Eq, word(libc::PR_SET_NAME))?]);
    // Reading limits: the new limit (third argument) is a null pointer, and the process is the caller's own.
    let null = Condition::new(2, Len::Qword, Cmp::Eq, 0)?;
    let own = Condition::new(0, Len::Dword, Cmp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![Rule::new(vec![own, null])?]);

    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)?.try_into()
}

/// A rule with one condition on the lower 32 bits of one argument.
fn when(argument: u8, operator: Cmp, value: u64) -> Result<Rule, seccompiler::BackendError> {
    Rule::new(vec![Condition::new(argument, Len::Dword, operator, value)?])
}

fn any(
    rules: impl Iterator<Item = Result<Rule, seccompiler::BackendError>>,
) -> Result<Vec<Rule>, seccompiler::BackendError> {
    rules.collect()
}

/// The number of an ioctl(2) request, which has another type in each C library.
#[allow(clippy::useless_conversion, reason = "signed in musl, unsigned in glibc")]
fn request(number: libc::Ioctl) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A C constant as the 64-bit word that a filter compares.
fn word(constant: libc::c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_compiles() {
        assert!(program(&Effect::ALL, [0x1_0000, 0x1_0018]).unwrap().len() > 100);
    }

    #[test]
    fn what_must_never_be_possible_is_not_listed() {
        let never = [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_getfd,
            libc::SYS_pidfd_send_signal,
            libc::SYS_open_by_handle_at,
            libc::SYS_mount,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_clone3,
            libc::SYS_capset,
            libc::SYS_setresuid,
            libc::SYS_listen,
            libc::SYS_flock,
            libc::SYS_fsetxattr,
            libc::SYS_getxattr,
        ];
        for number in never {
            assert!(!ALLOWED.contains(&number) && !ALLOWED_LEGACY.contains(&number), "{number}");
        }
    }
}

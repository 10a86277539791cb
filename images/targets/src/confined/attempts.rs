//! What an agent that was taken over might try. `Ok` means that it was allowed.

use std::ffi::CStr;
use std::mem::size_of_val;
use std::os::fd::AsRawFd as _;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::sys::call;
use crate::tempting::ABSTRACT_NAME;

type Outcome = (&'static str, nix::Result<()>);

const EVERYONES: &CStr = c"/proc/1/root/open/everyones";
const AGENTS: &CStr = c"/proc/1/root/open/agents";
const NEW: &CStr = c"/proc/1/root/open/new";
const DIRECTORY: &CStr = c"/proc/1/root/open";
const SOCKET: &[u8] = b"/proc/1/root/open/socket";

const HERE: usize = (libc::AT_FDCWD as isize).cast_unsigned();
/// Missing in the libc crate for musl.
const F_SETSIG: libc::c_int = 10;
/// The target's init.
const INIT: usize = 1;

/// `struct open_how`, see openat2(2).
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Everything that can be tried without harm to the one that tries.
pub(super) fn all() -> Vec<Outcome> {
    [writing(), signals_and_memory(), escaping(), sockets(), regaining()].into_iter().flatten().collect()
}

fn writing() -> Vec<Outcome> {
    let (write, create) = (libc::O_WRONLY, libc::O_WRONLY | libc::O_CREAT);
    let openat = |path: &CStr, flags: i32| call(libc::SYS_openat, &[HERE, address(path), word(flags), 0o666]);
    vec![
        ("openat everyone's file to write", openat(EVERYONES, write)),
        ("openat everyone's file to read and write", openat(EVERYONES, libc::O_RDWR)),
        ("openat everyone's file to truncate", openat(EVERYONES, libc::O_TRUNC)),
        ("openat the agent's file to write", openat(AGENTS, write)),
        ("openat to create", openat(NEW, create)),
        ("openat to create without a name", openat(DIRECTORY, libc::O_TMPFILE | libc::O_RDWR)),
        #[cfg(target_arch = "x86_64")]
        ("open everyone's file to write", call(libc::SYS_open, &[address(EVERYONES), word(write)])),
        #[cfg(target_arch = "x86_64")]
        ("creat", call(libc::SYS_creat, &[address(NEW), 0o666])),
        ("openat2 everyone's file to write", openat2(EVERYONES, write)),
        ("openat2 the agent's file to write", openat2(AGENTS, write)),
        ("openat2 to create", openat2(NEW, create)),
        ("openat2 to read as it likes", openat2(EVERYONES, libc::O_RDONLY)),
        ("truncate", call(libc::SYS_truncate, &[address(EVERYONES), 0])),
        ("renameat2", call(libc::SYS_renameat2, &[HERE, address(EVERYONES), HERE, address(NEW), 0])),
        ("unlinkat", call(libc::SYS_unlinkat, &[HERE, address(AGENTS), 0])),
        ("mkdirat", call(libc::SYS_mkdirat, &[HERE, address(NEW), 0o777])),
        ("mknodat", call(libc::SYS_mknodat, &[HERE, address(NEW), word(0o666), 0])),
        ("linkat", call(libc::SYS_linkat, &[HERE, address(AGENTS), HERE, address(NEW), 0])),
        ("symlinkat", call(libc::SYS_symlinkat, &[address(AGENTS), HERE, address(NEW)])),
        ("fchmodat", call(libc::SYS_fchmodat, &[HERE, address(AGENTS), 0o777])),
        ("fchownat", call(libc::SYS_fchownat, &[HERE, address(AGENTS), 65533, 65533, 0])),
        ("utimensat", call(libc::SYS_utimensat, &[HERE, address(EVERYONES), 0, 0])),
        ("setxattr", call(libc::SYS_setxattr, &[address(AGENTS), address(c"user.x"), 0, 0, 0])),
        ("flock", locked(|file| call(libc::SYS_flock, &[file, word(libc::LOCK_SH)]))),
        ("lock by fcntl", locked(lock)),
        ("lease by fcntl", locked(|file| fcntl(file, libc::F_SETLEASE, word(libc::F_RDLCK)))),
        ("notify by fcntl", locked(|file| fcntl(file, libc::F_NOTIFY, 1))),
    ]
}

fn signals_and_memory() -> Vec<Outcome> {
    let pidfd = call(libc::SYS_pidfd_open, &[INIT, 0]);
    let everyone = word(-1);
    let term = word(libc::SIGTERM);
    vec![
        ("kill init", call(libc::SYS_kill, &[INIT, 0])),
        ("kill another", call(libc::SYS_kill, &[2, 0])),
        ("kill everyone", call(libc::SYS_kill, &[everyone, 0])),
        ("kill its own group", call(libc::SYS_kill, &[0, 0])),
        ("tgkill init", call(libc::SYS_tgkill, &[INIT, INIT, 0])),
        ("tkill init", call(libc::SYS_tkill, &[INIT, 0])),
        ("rt_sigqueueinfo", call(libc::SYS_rt_sigqueueinfo, &[INIT, term, 0])),
        ("rt_tgsigqueueinfo", call(libc::SYS_rt_tgsigqueueinfo, &[INIT, INIT, term, 0])),
        ("pidfd_open", pidfd),
        ("pidfd_send_signal", call(libc::SYS_pidfd_send_signal, &[0, 0, 0, 0])),
        ("pidfd_getfd", call(libc::SYS_pidfd_getfd, &[0, 0, 0])),
        ("own the signals of a file", fcntl(0, libc::F_SETOWN, INIT)),
        ("choose the signal of a file", fcntl(0, F_SETSIG, term)),
        ("ptrace attach", call(libc::SYS_ptrace, &[libc::PTRACE_ATTACH as usize, INIT, 0, 0])),
        ("ptrace seize", call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE as usize, INIT, 0, 0])),
        ("process_vm_readv", call(libc::SYS_process_vm_readv, &[INIT, 0, 0, 0, 0, 0])),
        ("process_vm_writev", call(libc::SYS_process_vm_writev, &[INIT, 0, 0, 0, 0, 0])),
        ("process_madvise", call(libc::SYS_process_madvise, &[0, 0, 0, 0, 0])),
        ("kcmp", call(libc::SYS_kcmp, &[INIT, INIT, 0, 0, 0])),
        ("write memory", call(libc::SYS_openat, &[HERE, address(c"/proc/1/mem"), word(libc::O_RDWR)])),
        ("setpriority", call(libc::SYS_setpriority, &[0, INIT, 19])),
        ("sched_setaffinity", call(libc::SYS_sched_setaffinity, &[INIT, 0, 0])),
        ("read limits of init", call(libc::SYS_prlimit64, &[INIT, 0, 0, 0])),
        ("ioprio_set", call(libc::SYS_ioprio_set, &[1, INIT, 0])),
    ]
}

fn escaping() -> Vec<Outcome> {
    let nowhere = address(c"/nowhere");
    vec![
        ("open_by_handle_at", by_handle()),
        ("setns", call(libc::SYS_setns, &[0, 0])),
        ("unshare", call(libc::SYS_unshare, &[word(libc::CLONE_NEWUSER)])),
        ("mount", call(libc::SYS_mount, &[nowhere, nowhere, nowhere, 0, 0])),
        ("umount2", call(libc::SYS_umount2, &[nowhere, 0])),
        ("open_tree", call(libc::SYS_open_tree, &[HERE, nowhere, 0])),
        ("fsopen", call(libc::SYS_fsopen, &[address(c"proc"), 0])),
        ("pivot_root", call(libc::SYS_pivot_root, &[nowhere, nowhere])),
        ("chroot", call(libc::SYS_chroot, &[nowhere])),
        ("chdir", call(libc::SYS_chdir, &[address(DIRECTORY)])),
        ("execve", call(libc::SYS_execve, &[nowhere, 0, 0])),
        ("execveat", call(libc::SYS_execveat, &[HERE, nowhere, 0, 0, 0])),
        ("memfd_create", call(libc::SYS_memfd_create, &[nowhere, 0])),
        ("io_uring_setup", call(libc::SYS_io_uring_setup, &[1, 0])),
        ("io_setup", call(libc::SYS_io_setup, &[1, 0])),
        ("bpf", call(libc::SYS_bpf, &[0, 0, 0])),
        ("perf_event_open", call(libc::SYS_perf_event_open, &[0, INIT, 0, 0, 0])),
        ("userfaultfd", call(libc::SYS_userfaultfd, &[0])),
        ("keyctl", call(libc::SYS_keyctl, &[0, 0, 0, 0, 0])),
        ("fork", call(libc::SYS_clone, &[word(libc::SIGCHLD), 0, 0, 0, 0])),
        ("clone3", call(libc::SYS_clone3, &[0, 0])),
        ("inotify_init1", call(libc::SYS_inotify_init1, &[0])),
        ("splice", call(libc::SYS_splice, &[0, 0, 0, 0, 0, 0])),
        ("syslog", call(libc::SYS_syslog, &[10, 0, 0])),
        ("init_module", call(libc::SYS_init_module, &[0, 0, nowhere])),
    ]
}

fn sockets() -> Vec<Outcome> {
    let (stream, datagram) = (libc::SOCK_STREAM, libc::SOCK_DGRAM);
    let (tcp, any) = (libc::IPPROTO_TCP, 0);
    let mut abstract_name = vec![0];
    abstract_name.extend_from_slice(ABSTRACT_NAME);
    vec![
        ("packet socket", socket(libc::AF_PACKET, libc::SOCK_RAW, any)),
        // The number of the protocol is in the order of the network: all of them.
        (
            "packet socket that hears at once",
            socket(libc::AF_PACKET, libc::SOCK_RAW, libc::ETH_P_ALL.swap_bytes() >> 16),
        ),
        ("ring to send packets by", packet_option(libc::PACKET_TX_RING)),
        ("packets shared with other sockets", packet_option(libc::PACKET_FANOUT)),
        ("raw IP socket", socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
        ("raw TCP socket", socket(libc::AF_INET, libc::SOCK_RAW, tcp)),
        ("raw IPv6 socket", socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6)),
        ("SCTP socket", socket(libc::AF_INET, stream, libc::IPPROTO_SCTP)),
        ("multipath TCP socket", socket(libc::AF_INET, stream, libc::IPPROTO_MPTCP)),
        ("crypto socket", socket(libc::AF_ALG, libc::SOCK_SEQPACKET, any)),
        ("vsock", socket(libc::AF_VSOCK, stream, any)),
        ("netfilter socket", socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)),
        ("audit socket", socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT)),
        ("datagram pair", call(libc::SYS_socketpair, &[word(libc::AF_UNIX), word(datagram), 0, 0])),
        ("local socket of the target by path", join(SOCKET)),
        ("local socket of the target by abstract name", join(&abstract_name)),
        ("listen", call(libc::SYS_listen, &[0, 1])),
    ]
}

fn regaining() -> Vec<Outcome> {
    let header: [u32; 2] = [0x2008_0522, 0];
    let all: [u32; 6] = [u32::MAX, u32::MAX, 0, u32::MAX, u32::MAX, 0];
    vec![
        ("setuid root", call(libc::SYS_setuid, &[0])),
        ("setgid root", call(libc::SYS_setgid, &[0])),
        ("setresuid root", call(libc::SYS_setresuid, &[0, 0, 0])),
        ("setfsuid root", call(libc::SYS_setfsuid, &[0])),
        ("setgroups", call(libc::SYS_setgroups, &[0, 0])),
        ("capset", call(libc::SYS_capset, &[address_of(&header), address_of(&all)])),
        ("become dumpable", call(libc::SYS_prctl, &[word(libc::PR_SET_DUMPABLE), 1, 0, 0, 0])),
        ("raise an ambient capability", call(libc::SYS_prctl, &[word(libc::PR_CAP_AMBIENT), 2, 19, 0, 0])),
        ("loosen the filter", call(libc::SYS_seccomp, &[1, 0, 0])),
        ("personality", call(libc::SYS_personality, &[word(libc::ADDR_NO_RANDOMIZE)])),
    ]
}

/// Changes to its own memory: new code, and the page at `page` that says how files are opened.
pub(super) fn on_itself(page: u64) -> Vec<Outcome> {
    let page = usize::try_from(page).unwrap_or_default();
    let (read_write, fixed) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED);
    let (code, anywhere) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let map = |start: usize, length: usize, protection: i32, flags: i32| {
        call(libc::SYS_mmap, &[start, length, word(protection), word(flags), word(-1), 0])
    };
    let move_here = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    vec![
        ("make the page writable", call(libc::SYS_mprotect, &[page, 4096, word(read_write)])),
        (
            "make everything up to the page writable",
            call(libc::SYS_mprotect, &[0, page + 4096, word(read_write)]),
        ),
        ("unmap the page", call(libc::SYS_munmap, &[page, 4096])),
        ("unmap everything up to the page", call(libc::SYS_munmap, &[0, page + 4096])),
        ("map over the page", map(page, 4096, read_write, fixed)),
        ("map everything up to the page", map(0, page + 4096, read_write, fixed)),
        ("move the page away", call(libc::SYS_mremap, &[page, 4096, 8192, word(libc::MREMAP_MAYMOVE)])),
        (
            "move another page over it",
            call(libc::SYS_mremap, &[page << 4, 4096, 4096, word(move_here), page]),
        ),
        ("drop the content of the page", call(libc::SYS_madvise, &[page, 4096, word(libc::MADV_DONTNEED)])),
        ("map code", map(0, 4096, code, anywhere)),
        ("make code", call(libc::SYS_mprotect, &[page << 4, 4096, word(code)])),
    ]
}

fn openat2(path: &CStr, flags: i32) -> nix::Result<()> {
    let mode = if flags & libc::O_CREAT == 0 { 0 } else { 0o666 };
    let how = OpenHow { flags: u64::from(flags.unsigned_abs()), mode, resolve: 0 };
    call(libc::SYS_openat2, &[HERE, address(path), address_of(&how), size_of_val(&how)])
}

/// The host's file behind the bind mount of `/etc/hosts`, by its handle: what leads out of a container.
///
/// Where the handle can not even be asked for, one that names no file: whether there is such a file is asked after
/// permission.
fn by_handle() -> nix::Result<()> {
    /// `struct file_handle` with the longest handle there is, see open_by_handle_at(2).
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        handle: [u8; 128],
    }
    let mount = open(c"/etc/hosts", OFlag::O_RDONLY, Mode::empty())?;
    let mount = usize::try_from(mount.as_raw_fd()).unwrap_or_default();
    let (mut handle, mut mount_id) = (Handle { bytes: 128, kind: 0, handle: [0; 128] }, 0_i32);
    let written = [(&raw mut handle).expose_provenance(), (&raw mut mount_id).expose_provenance()];
    let asked = [HERE, address(c"/etc/hosts"), written[0], written[1], 0];
    if call(libc::SYS_name_to_handle_at, &asked).is_err() {
        handle = Handle { bytes: 8, kind: 1, handle: [0; 128] };
    }
    call(libc::SYS_open_by_handle_at, &[mount, address_of(&handle), word(libc::O_RDONLY)])
}

/// Does something with everyone's file, open for reading.
fn locked(attempt: impl FnOnce(usize) -> nix::Result<()>) -> nix::Result<()> {
    let file = open(EVERYONES, OFlag::O_RDONLY, Mode::empty())?;
    attempt(usize::try_from(file.as_raw_fd()).unwrap_or_default())
}

fn lock(file: usize) -> nix::Result<()> {
    // `struct flock`: a read lock on everything.
    let lock: [u64; 4] = [0; 4];
    fcntl(file, libc::F_SETLK, address_of(&lock))
}

fn fcntl(file: usize, command: i32, argument: usize) -> nix::Result<()> {
    call(libc::SYS_fcntl, &[file, word(command), argument])
}

fn socket(family: i32, kind: i32, protocol: i32) -> nix::Result<()> {
    call(libc::SYS_socket, &[word(family), word(kind), word(protocol)])
}

/// Of a descriptor that is no socket: whether the call is allowed is asked first.
fn packet_option(name: i32) -> nix::Result<()> {
    call(libc::SYS_setsockopt, &[0, word(libc::SOL_PACKET), word(name), 0, 0])
}

/// Connects to the local socket with this name, as `struct sockaddr_un` spells it.
fn join(name: &[u8]) -> nix::Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    let address = match name {
        [0, name @ ..] => UnixAddr::new_abstract(name)?,
        path => UnixAddr::new(path)?,
    };
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
    connect(socket.as_raw_fd(), &address)
}

fn address(text: &CStr) -> usize {
    text.as_ptr().addr()
}

fn address_of<T>(value: &T) -> usize {
    (&raw const *value).addr()
}

/// A C constant as the kernel gets it in a register.
fn word(constant: i32) -> usize {
    isize::try_from(constant).unwrap_or_default().cast_unsigned()
}

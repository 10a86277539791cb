//! The kernel takes the programs, and decides as they are read here. Any socket may have a filter: no privilege is needed.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;

use dbgctl_filter::{LinkType, Mode, Program, code, compile, parse};

use crate::{SNAP_LENGTH, System, expressions, packets};

/// Has the kernel look at what comes to a socket.
fn attach(socket: &UnixDatagram, program: &Program) -> io::Result<()> {
    let mut filter: Vec<libc::sock_filter> = program
        .instructions()
        .iter()
        .map(|instruction| libc::sock_filter {
            code: instruction.code,
            jt: instruction.jt,
            jf: instruction.jf,
            k: instruction.k,
        })
        .collect();
    let length = filter.len().try_into().unwrap();
    let filter = libc::sock_fprog { len: length, filter: filter.as_mut_ptr() };
    let size = libc::socklen_t::try_from(size_of::<libc::sock_fprog>()).unwrap();
    // SAFETY: the socket is open. The kernel reads a `sock_fprog` of that size, and as many instructions as it says, which
    // live until the call is over.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Every program for the link type and the mode, with its expression.
fn programs(link: LinkType, mode: Mode) -> impl Iterator<Item = (String, Program)> {
    expressions::expressions().into_iter().filter_map(move |expression| {
        let program = compile(&parse(&expression).ok()?, link, mode, SNAP_LENGTH.into(), &System).ok()?;
        Some((expression, program))
    })
}

#[test]
fn the_kernel_takes_every_program() {
    for (link, mode) in [
        (LinkType::Ethernet, Mode::Live),
        (LinkType::LinuxCookedV2, Mode::Live),
        (LinkType::Ethernet, Mode::Stored),
        (LinkType::Raw, Mode::Stored),
    ] {
        let (socket, _) = UnixDatagram::pair().unwrap();
        let mut taken = 0;
        for (expression, program) in programs(link, mode) {
            attach(&socket, &program)
                .unwrap_or_else(|error| panic!("{expression}: {error}\n{}", program.listing()));
            taken += 1;
        }
        assert!(taken >= 1000, "{taken} programs are few");
    }
}

/// By more than 31 bits, kernels and libpcap do not agree.
fn shifts_by_what_is_calculated(program: &Program) -> bool {
    let shifts = [code::LSH, code::RSH].map(|shift| code::ALU | shift | code::X);
    program.instructions().iter().any(|instruction| shifts.contains(&instruction.code))
}

#[test]
fn the_kernel_decides_as_the_interpreter() {
    let packets: Vec<_> = packets::packets(LinkType::Ethernet).into_iter().step_by(31).collect();
    for (expression, program) in programs(LinkType::Ethernet, Mode::Stored).step_by(7) {
        // There is something beside a packet here, but it is not told to the interpreter.
        let is_beside = ["inbound", "outbound", "ifindex"].iter().any(|word| expression.contains(word));
        if is_beside || shifts_by_what_is_calculated(&program) {
            continue;
        }
        let (from, to) = UnixDatagram::pair().unwrap();
        to.set_nonblocking(true).unwrap();
        attach(&to, &program).unwrap();
        for packet in &packets {
            from.send(&packet.bytes).unwrap();
            // What is sent to a local socket is there as soon as it was sent, or never will be.
            let is_wanted = to.recv(&mut [0; 4096]).is_ok();
            let length = u32::try_from(packet.bytes.len()).unwrap();
            assert_eq!(
                is_wanted,
                program.run(&packet.bytes, length) != 0,
                "{expression}: {:02x?}",
                packet.bytes
            );
        }
    }
}

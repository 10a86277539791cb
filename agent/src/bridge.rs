//! `agent bridge`: joins standard input and output to the private socket of the agent in this container.
//!
//! Run by an exec of the engine, for a client that was not there when the sidecar was started.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

use crate::transport;

/// Connects to the agent.
///
/// # Errors
///
/// If there is no agent to join, or this process is not of the agent's own user.
pub fn join() -> io::Result<UnixStream> {
    UnixStream::connect(transport::socket())
}

/// Copies both ways until either side ends.
///
/// # Errors
///
/// If standard output or the agent breaks.
pub fn run(socket: UnixStream) -> io::Result<()> {
    let (mut to_agent, mut from_agent) = (socket.try_clone()?, socket);
    thread::spawn(move || {
        // The client is gone, or the agent: either way the other direction ends too.
        let _ended = copy(&mut io::stdin().lock(), &mut to_agent);
        let _closed = to_agent.shutdown(Shutdown::Both);
    });
    copy(&mut from_agent, &mut Output)
}

/// Standard output, without the library's buffer: that would send what stands before the last line feed on its own, and
/// every write wakes everyone on the way to the client.
struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(io::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies until the end, without waiting for a buffer to fill.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

//! Where the bytes come from: the agent's own standard streams, and its private socket.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use dbgctl_proto::SOCKET_DIRECTORY;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt as _};
use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tonic::transport::server::Connected;

/// Where the private socket is.
pub fn socket() -> PathBuf {
    Path::new(SOCKET_DIRECTORY).join("agent.sock")
}

/// One client's byte stream.
#[derive(Debug)]
pub enum Connection {
    /// Standard input and output.
    Stdio(Stdio),
    /// A client on the private socket.
    Socket(UnixStream),
    /// Memory, in tests.
    Pipe(tokio::io::DuplexStream),
}

/// Standard input and output as one stream.
#[derive(Debug)]
pub struct Stdio {
    input: pipe::Receiver,
    output: pipe::Sender,
    /// Dropped with the connection; the other end learns of it.
    _open: oneshot::Sender<()>,
}

/// Resolves when the connection it belongs to is gone.
pub type Closed = oneshot::Receiver<()>;

/// Takes over standard input and output, which must be pipes.
pub fn stdio() -> io::Result<(Connection, Closed)> {
    let input = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let output = pipe::Sender::from_owned_fd(io::stdout().as_fd().try_clone_to_owned()?)?;
    let (open, closed) = oneshot::channel();
    Ok((Connection::Stdio(Stdio { input, output, _open: open }), closed))
}

/// Binds the private socket, readable and writable by the agent's user alone.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode != 0o600 {
        return Err(io::Error::other(format!("{} has mode {mode:o} instead of 600", path.display())));
    }
    Ok(listener)
}

/// Clients of the private socket. One that is not the agent's own user is cut off before a byte is read.
///
/// # Errors
///
/// If there is no runtime to listen in.
pub fn accept(listener: UnixListener) -> io::Result<impl Stream<Item = io::Result<Connection>>> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    Ok(stream::unfold(listener, |listener| async {
        loop {
            // A client that gave up before it was accepted is no reason to stop listening.
            let Ok((socket, _)) = listener.accept().await else { continue };
            let of_own_user = socket.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw());
            if of_own_user {
                return Some((Ok(Connection::Socket(socket)), listener));
            }
        }
    }))
}

/// `first`, then nothing for ever: tonic's server would end with its last connection attempt.
pub fn only(first: Connection) -> impl Stream<Item = io::Result<Connection>> {
    stream::once(async { Ok(first) }).chain(stream::pending())
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Stdio(stdio) => Pin::new(&mut stdio.input).poll_read(cx, buf),
            Self::Socket(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Pipe(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Stdio(stdio) => Pin::new(&mut stdio.output).poll_write(cx, buf),
            Self::Socket(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Pipe(pipe) => Pin::new(pipe).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Stdio(stdio) => Pin::new(&mut stdio.output).poll_flush(cx),
            Self::Socket(socket) => Pin::new(socket).poll_flush(cx),
            Self::Pipe(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Stdio(stdio) => Pin::new(&mut stdio.output).poll_shutdown(cx),
            Self::Socket(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Pipe(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}

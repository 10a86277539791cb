//! Carries a TCP connection over a stream of frames, as `forward.proto` has it. Agent and CLI do the same, each with the
//! connection at its own end.
//!
//! Three things go on at once: what the connection brings is read and sent as far as there is credit; what frames bring is
//! queued, which the sender's credit bounds; what is queued is written, and credit for it is sent back. A connection that
//! is not read therefore holds up itself, and neither the stream that it shares with others nor this side's memory.

mod budget;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use dbgctl_proto::v1::forward_frame::Frame;
use dbgctl_proto::v1::{ForwardEnd, ForwardFrame};
use futures_util::{Stream, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

pub use self::budget::Budget;
use self::budget::{Credit, WINDOW_BYTES};

/// The most that one frame carries.
pub const LONGEST_DATA_BYTES: usize = 64 << 10;

/// Connections at the same time.
pub const MOST_CONNECTIONS: usize = 256;

/// Frames that wait for the stream. What they carry counts as being on the way.
pub const WAITING_FRAMES: usize = 4;

/// How a connection came to its end.
#[derive(Debug)]
pub enum Ended<E> {
    /// Both halves were closed.
    Closed,
    /// The connection at this end was cut, by its peer or on the way to it.
    ResetHere(io::Error),
    /// The connection at the other end was cut.
    ResetThere,
    /// The stream of frames broke, or ended too soon.
    Lost(Option<E>),
    /// The other side sent what the contract does not allow.
    Broken(&'static str),
}

/// What was carried, and how it ended.
#[derive(Debug)]
pub struct Carried<E> {
    /// Bytes from the connection to the frames.
    pub sent_bytes: u64,
    /// Bytes from the frames to the connection.
    pub received_bytes: u64,
    /// How it ended.
    pub ended: Ended<E>,
}

/// Carries `connection` until both directions have ended. However that comes about but by both halves being closed, the
/// connection is cut, so that its peer does not take what has arrived for the whole.
pub async fn carry<E>(
    mut connection: TcpStream,
    incoming: impl Stream<Item = Result<ForwardFrame, E>>,
    outgoing: mpsc::Sender<Frame>,
    budget: &Budget,
) -> Carried<E> {
    // Small writes are whole questions, and wait for nothing.
    let _works_without = connection.set_nodelay(true);
    tokio::pin!(incoming);
    let line = Line { outgoing, credit: budget.credit(), queued_bytes: AtomicUsize::new(0) };
    let (sent_bytes, received_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let ended = {
        let (reading, writing) = connection.split();
        let (queue, queued) = mpsc::unbounded_channel();
        let both = async {
            tokio::try_join!(line.read(reading, &sent_bytes), line.write(writing, queued, &received_bytes))
        };
        tokio::select! {
            // What came whole is not undone by what comes after it.
            biased;
            both = both => both.map_or_else(|ended| ended, |_| Ended::Closed),
            ended = line.receive(incoming.as_mut(), queue) => match ended {
                Err(ended) => ended,
                Ok(never) => match never {},
            },
        }
    };
    if let Ended::Closed = ended {
        // Whoever drops a stream of frames cancels what is still on its way.
        drop(line);
        while let Some(Ok(_)) = incoming.next().await {}
    } else {
        if let Ended::ResetHere(_) = ended {
            // Whoever is gone already knows that something is wrong.
            let _told = line.outgoing.send(Frame::End(ForwardEnd::Reset.into())).await;
        }
        let _peer_gone = connection.set_zero_linger();
    }
    Carried { sent_bytes: sent_bytes.into_inner(), received_bytes: received_bytes.into_inner(), ended }
}

/// What is written to the connection, in this order.
enum Step {
    Data(Bytes),
    Close,
    Cut,
}

/// One connection's way to the other side.
struct Line<'b> {
    outgoing: mpsc::Sender<Frame>,
    credit: Credit<'b>,
    /// What has come and was not written yet.
    queued_bytes: AtomicUsize,
}

impl Line<'_> {
    /// From the connection to the frames, until its peer closes its half.
    async fn read<E>(&self, connection: ReadHalf<'_>, sent_bytes: &AtomicU64) -> Result<(), Ended<E>> {
        loop {
            // Room is made when there is something to read: idle connections take none, and credit that is not used at once
            // may be gone.
            connection.readable().await.map_err(Ended::ResetHere)?;
            let room = self.credit.some().await.min(LONGEST_DATA_BYTES);
            let mut data = BytesMut::with_capacity(room);
            let length = match connection.try_read_buf(&mut data) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                length => length.map_err(Ended::ResetHere)?,
            };
            if length == 0 {
                self.send(Frame::End(ForwardEnd::Closed.into())).await;
                return Ok(());
            }
            self.credit.spend(length);
            self.send(Frame::Data(data.freeze())).await;
            sent_bytes.fetch_add(length as u64, Ordering::Relaxed);
        }
    }

    /// Takes the frames as they come, so that the stream which all connections share is never held up.
    async fn receive<E>(
        &self,
        mut incoming: Pin<&mut impl Stream<Item = Result<ForwardFrame, E>>>,
        queue: mpsc::UnboundedSender<Step>,
    ) -> Result<Infallible, Ended<E>> {
        let mut closed = false;
        loop {
            let frame = match incoming.next().await {
                Some(Ok(frame)) => frame.frame,
                Some(Err(error)) => return Err(Ended::Lost(Some(error))),
                None => break,
            };
            // What can not be queued any more is not wanted any more.
            let _writer_ended = match frame {
                Some(Frame::Data(data)) if !closed => {
                    let queued = self.queued_bytes.fetch_add(data.len(), Ordering::Relaxed) + data.len();
                    if queued > WINDOW_BYTES {
                        return Err(Ended::Broken("more came than there was leave to send"));
                    }
                    queue.send(Step::Data(data))
                }
                Some(Frame::Taken(bytes)) if self.credit.refund(bytes as usize) => Ok(()),
                Some(Frame::End(end)) if end == i32::from(ForwardEnd::Reset) => {
                    let _writer_ended = queue.send(Step::Cut);
                    // What came before it is still written.
                    queue.closed().await;
                    return Err(Ended::ResetThere);
                }
                Some(Frame::End(_)) if !closed => {
                    closed = true;
                    queue.send(Step::Close)
                }
                // Something that only a newer peer knows.
                None => Ok(()),
                Some(_) => return Err(Ended::Broken("a frame came that has no place here")),
            };
        }
        if closed {
            queue.closed().await;
        }
        Err(Ended::Lost(None))
    }

    /// From the frames to the connection, until the other side's peer has closed its half.
    async fn write<E>(
        &self,
        mut connection: WriteHalf<'_>,
        mut queue: mpsc::UnboundedReceiver<Step>,
        received_bytes: &AtomicU64,
    ) -> Result<(), Ended<E>> {
        let mut owed = 0;
        while let Some(step) = queue.recv().await {
            let data = match step {
                Step::Data(data) => data,
                Step::Close => return connection.shutdown().await.map_err(Ended::ResetHere),
                Step::Cut => return Err(Ended::ResetThere),
            };
            connection.write_all(&data).await.map_err(Ended::ResetHere)?;
            received_bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            self.queued_bytes.fetch_sub(data.len(), Ordering::Relaxed);
            owed += data.len();
            if queue.is_empty() || owed >= LONGEST_DATA_BYTES {
                // If it is not wanted any more, `receive` learns why.
                let _not_wanted =
                    self.outgoing.send(Frame::Taken(u32::try_from(owed).unwrap_or(u32::MAX))).await;
                owed = 0;
            }
        }
        // The other end of the queue is held until this one is dropped.
        pending().await
    }

    /// Sends a frame. If there is no one any more who takes it, `receive` learns why, and this does not return.
    async fn send(&self, frame: Frame) {
        if self.outgoing.send(frame).await.is_err() {
            pending::<()>().await;
        }
    }
}

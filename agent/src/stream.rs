//! `bounded`: from a blocking producer to a stream that ends, and confesses what it left out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_LIST, MOST_ROWS};
use dbgctl_proto::list::{List, Part};
use dbgctl_proto::v1::{End, Summary};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, OwnedPermit, Sender};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use crate::error::ProbeError;
use crate::gaps::Gaps;
use crate::guard::Lacking;
use crate::threads;

/// A message carries at most so many rows …
const BATCH_ROWS: usize = 256;
/// … and is sent as soon as it is about so long.
const BATCH_BYTES: usize = 64 << 10;
/// Messages that wait for the client. One more place is kept for the summary.
const WAITING_MESSAGES: usize = 4;

/// The stream of one answer.
pub type Bounded<M> = ReceiverStream<Result<M, Status>>;

/// When a stream ends at the latest, and what it has to do without.
#[derive(Debug)]
pub struct Terms {
    rows: u64,
    late: Instant,
    deadline: Instant,
    lacking: Lacking,
}

impl Terms {
    /// The terms of a request: its own limits, or the agent's bounds where it has none or higher ones.
    ///
    /// `rows` 0 is no limit of its own. Of the time in the header `grpc-timeout` a tenth is left for the
    /// summary to travel.
    pub fn of<R>(request: &Request<R>, rows: u32) -> Self {
        let rows = if rows == 0 { MOST_ROWS } else { MOST_ROWS.min(u64::from(rows)) };
        let asked = request.metadata().get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
        let time = asked.map_or(LONGEST_LIST, |asked| LONGEST_LIST.min(asked / 10 * 9));
        let lacking = request.extensions().get().cloned().unwrap_or_default();
        let now = Instant::now();
        Self { rows, late: now + time / 5 * 4, deadline: now + time, lacking }
    }

    /// When the answer has to be there.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// The value of a `grpc-timeout` header: at most 8 digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let amount: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let amount = u64::from(amount);
    Some(match unit {
        'H' => Duration::from_secs(amount * 3600),
        'M' => Duration::from_secs(amount * 60),
        'S' => Duration::from_secs(amount),
        'm' => Duration::from_millis(amount),
        'u' => Duration::from_micros(amount),
        'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Why a producer stops before it has listed everything.
#[derive(Debug)]
pub enum Halt {
    /// No more is wanted: the limit, the deadline, or nobody listens.
    Enough,
    /// There is no answer, or no rest of it.
    Failed(ProbeError),
}

impl<E: Into<ProbeError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs `produce` on a thread that may block, and streams what it puts out.
///
/// Must be called within a runtime that has a timer. The producer waits while the client is slower than
/// it, and is ended through its own `?` when the client is gone, or limit or deadline are reached.
pub fn bounded<M, P>(terms: Terms, produce: P) -> Bounded<M>
where
    M: List,
    P: FnOnce(&mut Out<M>) -> Result<(), Halt> + Send + 'static,
{
    let (stream, opened) = open(terms);
    let Some((mut out, last)) = opened else { return stream };
    threads::run(out.deadline, out.refusal(), move || {
        let produced = unless_broken(|| produce(&mut out));
        out.close(produced, last);
    });
    stream
}

/// Like [`bounded`], for a producer that mostly waits: on a thread of its own, so that others do not wait as well.
///
/// # Errors
///
/// If there are too many of them.
pub fn waiting<M, P>(terms: Terms, produce: P) -> Result<Bounded<M>, ProbeError>
where
    M: List,
    P: FnOnce(&mut Out<M>) -> Result<(), Halt> + Send + 'static,
{
    let (stream, opened) = open(terms);
    let Some((mut out, last)) = opened else { return Ok(stream) };
    threads::run_waiting(move || {
        let produced = unless_broken(|| produce(&mut out));
        out.close(produced, last);
    })?;
    Ok(stream)
}

/// Like [`bounded`], for what is read twice: `before`, and `after` once `sample` has gone by since.
///
/// The time between holds no thread, and ends when the client goes away or the stream's time is over.
pub fn sampled<M, S, B, A>(terms: Terms, sample: Duration, before: B, after: A) -> Bounded<M>
where
    M: List,
    S: Send + 'static,
    B: FnOnce(&mut Out<M>) -> Result<S, Halt> + Send + 'static,
    A: FnOnce(S, &mut Out<M>) -> Result<(), Halt> + Send + 'static,
{
    let (stream, opened) = open(terms);
    let Some((mut out, last)) = opened else { return stream };
    tokio::spawn(async move {
        let first =
            threads::run(out.deadline, out.refusal(), move || (unless_broken(|| before(&mut out)), out));
        // It was not run: the runtime ends, or all threads are held.
        let Ok((first, mut out)) = first.await else { return };
        let first = match first {
            Ok(first) => {
                // The second reading tells it, of what there is then.
                out.gaps.forget();
                out.pause(Instant::now() + sample).await.map(|()| first)
            }
            Err(halt) => Err(halt),
        };
        tokio::task::spawn_blocking(move || {
            let produced = first.and_then(|first| unless_broken(|| after(first, &mut out)));
            out.close(produced, last);
        });
    });
    stream
}

/// The permit for the closing message of a stream.
type Last<M> = OwnedPermit<Result<M, Status>>;

/// What a producer is given, and what its stream is closed with.
type Opened<M> = (Out<M>, Last<M>);

fn open<M: List>(terms: Terms) -> (Bounded<M>, Option<Opened<M>>) {
    let (sender, receiver) = mpsc::channel(WAITING_MESSAGES + 1);
    let stream = ReceiverStream::new(receiver);
    // The channel is new and has room, so that this is never refused.
    let Ok(last) = sender.clone().try_reserve_owned() else { return (stream, None) };
    let out = Out {
        sender,
        runtime: Handle::current(),
        rows_wanted: terms.rows,
        late: terms.late,
        deadline: terms.deadline,
        held: Vec::new(),
        rows: Vec::new(),
        rows_bytes: 0,
        counted: 0,
        sent: 0,
        dropped: 0,
        end: End::Complete,
        gaps: Gaps::lacking(&terms.lacking.0),
    };
    (stream, Some((out, last)))
}

fn unless_broken<T>(produce: impl FnOnce() -> Result<T, Halt>) -> Result<T, Halt> {
    catch_unwind(AssertUnwindSafe(produce)).unwrap_or_else(|panic| Err(broken(&*panic)))
}

fn broken(panic: &(dyn std::any::Any + Send)) -> Halt {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
    Halt::Failed(ProbeError::Broken(text.to_owned()))
}

/// Where a producer puts its rows.
#[derive(Debug)]
pub struct Out<M: List> {
    sender: Sender<Result<M, Status>>,
    runtime: Handle,
    rows_wanted: u64,
    late: Instant,
    deadline: Instant,
    /// Messages that wait for what comes next, each with how many rows it has.
    held: Vec<(M, u64)>,
    rows: Vec<M::Row>,
    rows_bytes: usize,
    /// Rows taken from the producer.
    counted: u64,
    sent: u64,
    dropped: u64,
    end: End,
    /// What the producer could not read.
    pub gaps: Gaps,
}

impl<M: List> Out<M> {
    /// Sends what is no row, ahead of the rows.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if nobody waits for it any more.
    pub fn lead(&mut self, header: M::Header) -> Result<(), Halt> {
        self.deliver(Part::Header(header))
    }

    /// Sends what is no row, after the rows so far.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if nobody waits for it any more.
    pub fn between(&mut self, header: M::Header) -> Result<(), Halt> {
        self.wanted()?;
        self.flush()?;
        self.deliver(Part::Header(header))
    }

    /// Puts out what is no row, after the rows so far, together with what comes next or when [`Out::flush`] is called: each
    /// message that goes alone wakes everyone on the way to the client.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if nobody waits for it any more.
    pub fn hold(&mut self, header: M::Header) -> Result<(), Halt> {
        self.wanted()?;
        self.pack();
        self.held.push((M::from_part(Part::Header(header)), 0));
        Ok(())
    }

    /// Makes a message of the rows so far.
    fn pack(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        self.rows_bytes = 0;
        if !rows.is_empty() {
            let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            self.held.push((M::from_part(Part::Rows(rows)), count));
        }
    }

    /// Sends what is no row, after the rows so far, also if the limit was reached or the time is over.
    pub fn last_words(&mut self, header: M::Header) {
        // Whoever does not take it has gone, or the summary says that rows were lost.
        let _ = self.flush().and_then(|()| self.deliver(Part::Header(header)));
    }

    /// Whether it is time to put out what was found so far, for a producer that puts out nothing before the end.
    pub fn is_late(&self) -> bool {
        Instant::now() >= self.late
    }

    /// For a producer that stops at a limit of its own: "limit" in the summary.
    pub fn limit_reached(&mut self) -> Halt {
        self.end = End::Limit;
        Halt::Enough
    }

    /// Puts out one row.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if the row is not wanted.
    pub fn row(&mut self, row: M::Row) -> Result<(), Halt> {
        self.room()?;
        self.counted += 1;
        self.rows_bytes += M::row_bytes(&row);
        self.rows.push(row);
        if self.rows.len() >= BATCH_ROWS || self.rows_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Whether there is room for one more row, beside so many that the producer has not put out yet.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if there is not. "Limit" in the summary then means that there was more.
    pub fn room_beside(&mut self, waiting: u64) -> Result<(), Halt> {
        if self.counted + waiting >= self.rows_wanted {
            return Err(self.limit_reached());
        }
        Ok(())
    }

    /// Sends a message of so many rows, for a producer that makes its messages itself.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if they are not wanted.
    pub fn rows(&mut self, message: M, rows: u64) -> Result<(), Halt> {
        self.wanted()?;
        self.flush()?;
        self.counted += rows;
        let delivered = self.send(message);
        *if delivered.is_ok() { &mut self.sent } else { &mut self.dropped } += rows;
        delivered
    }

    /// To be asked when one more row is known to exist, ahead of completing it.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if the row is not wanted. "Limit" in the summary then means that there was more.
    pub fn room(&mut self) -> Result<(), Halt> {
        self.wanted()?;
        if self.counted == self.rows_wanted {
            self.end = End::Limit;
            return Err(Halt::Enough);
        }
        Ok(())
    }

    /// To be asked ahead of work that may not lead to a row.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if the client is gone or the time is over.
    pub fn wanted(&mut self) -> Result<(), Halt> {
        if self.sender.is_closed() {
            return Err(Halt::Enough);
        }
        if Instant::now() >= self.deadline {
            self.end = End::Deadline;
            return Err(Halt::Enough);
        }
        Ok(())
    }

    /// How the client is told that nothing will be put out.
    fn refusal(&self) -> impl FnOnce(ProbeError) + Send + use<M> {
        let client = self.sender.clone();
        move |error| {
            let _ = client.try_send(Err(error.into()));
        }
    }

    async fn pause(&mut self, until: Instant) -> Result<(), Halt> {
        tokio::select! {
            () = sleep_until(until.min(self.deadline)) => {}
            () = self.sender.closed() => {}
        }
        self.wanted()
    }

    /// Sends the rows so far, for a producer that does not know when there will be more.
    ///
    /// # Errors
    ///
    /// [`Halt::Enough`] if nobody waits for them any more.
    pub fn flush(&mut self) -> Result<(), Halt> {
        self.pack();
        let mut delivered = Ok(());
        for (message, count) in std::mem::take(&mut self.held) {
            // Nobody takes what comes after what was not taken.
            if delivered.is_ok() {
                delivered = self.send(message);
            }
            *if delivered.is_ok() { &mut self.sent } else { &mut self.dropped } += count;
        }
        delivered
    }

    fn deliver(&mut self, part: Part<M>) -> Result<(), Halt> {
        self.send(M::from_part(part))
    }

    fn send(&mut self, message: M) -> Result<(), Halt> {
        let message = match self.sender.try_send(Ok(message)) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Halt::Enough),
            Err(mpsc::error::TrySendError::Full(message)) => message,
        };
        match self.runtime.block_on(async { timeout_at(self.deadline, self.sender.send(message)).await }) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Halt::Enough),
            Err(_) => {
                self.end = End::Deadline;
                Err(Halt::Enough)
            }
        }
    }

    fn close(mut self, produced: Result<(), Halt>, last: Last<M>) {
        // What was read is sent even after a failure; if it can not be, the summary says so.
        let _ = self.flush();
        let end = i32::from(self.end);
        let gaps = self.gaps.message();
        last.send(match produced {
            Err(Halt::Failed(error)) => Err(Status::from(error)),
            Ok(()) | Err(Halt::Enough) => {
                Ok(M::from_part(Part::Summary(Summary { sent: self.sent, dropped: self.dropped, gaps, end })))
            }
        });
    }
}

//! Where packets go: a thread of its own, so that a disk or reader that is slow holds up nothing but the packets.

use std::io;
use std::process::{Child, ChildStdin};

use dbgctl_decode::Origins;
use dbgctl_proto::v1::CaptureEnd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::file::{Files, Unwritten};
use super::line;
use super::link::Place;
use super::packets::{Packet, Packets};
use super::{dump, pcapng};
use crate::render::Output;

/// Batches that wait for the thread, of half a MiB at most.
const WAITING: usize = 4;

/// How the bytes of a packet are shown below its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    None,
    Hex,
    Text,
}

/// What is made of packets.
pub(super) enum Way {
    /// A line each, or an object.
    Shown { output: Output, bytes: Bytes },
    /// Files.
    Saved(Files),
    /// The same format, to whoever reads standard output.
    Piped(Output),
    /// The same, to a program that was started for it.
    Given { program: Child, input: Option<ChildStdin> },
}

/// What a file begins with.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) place: Place,
    pub(super) filter: String,
    pub(super) snap_bytes: u32,
    pub(super) comment: String,
}

/// What has become of the packets.
pub(super) struct Taken {
    pub(super) way: Way,
    /// Those that were shown or written.
    pub(super) packets: u64,
    pub(super) result: Result<(), Unwritten>,
}

/// The thread.
pub(super) struct Sink {
    work: Option<mpsc::Sender<Work>>,
    thread: JoinHandle<Taken>,
}

enum Work {
    Packets(Packets),
    End(CaptureEnd),
}

/// Room for one batch.
pub(super) struct Room<'s>(mpsc::Permit<'s, Work>);

impl Room<'_> {
    pub(super) fn take(self, packets: Packets) {
        self.0.send(Work::Packets(packets));
    }
}

impl Sink {
    pub(super) fn start(way: Way, about: About) -> Self {
        let (work, orders) = mpsc::channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || Worker::new(way, about).run(orders));
        Self { work: Some(work), thread }
    }

    /// Waits for room. `None`: the thread has ended, since nothing can be written any more.
    pub(super) async fn room(&self) -> Option<Room<'_>> {
        self.work.as_ref()?.reserve().await.ok().map(Room)
    }

    /// Has the thread finish with what it has, and waits for it.
    pub(super) async fn finish(&mut self, end: Option<CaptureEnd>) -> io::Result<Taken> {
        if let (Some(work), Some(end)) = (self.work.take(), end) {
            // If it has ended already it says why.
            let _ended = work.send(Work::End(end)).await;
        }
        (&mut self.thread).await.map_err(io::Error::other)
    }
}

struct Worker {
    way: Way,
    about: About,
    blocks: Vec<u8>,
    lines: Lines,
    packets: u64,
    began_unix_nanos: Option<u64>,
    last_unix_nanos: u64,
}

impl Worker {
    fn new(way: Way, about: About) -> Self {
        let (blocks, lines) = (Vec::new(), Lines::default());
        Self { way, about, blocks, lines, packets: 0, began_unix_nanos: None, last_unix_nanos: 0 }
    }

    fn run(mut self, mut orders: mpsc::Receiver<Work>) -> Taken {
        let result = self.work(&mut orders);
        if let Way::Given { input, .. } = &mut self.way {
            // That is how it learns of the end.
            *input = None;
        }
        let packets = if let Way::Saved(files) = &self.way { files.packets } else { self.packets };
        Taken { way: self.way, packets, result }
    }

    fn work(&mut self, orders: &mut mpsc::Receiver<Work>) -> Result<(), Unwritten> {
        self.begin()?;
        while let Some(work) = orders.blocking_recv() {
            match work {
                Work::Packets(packets) => self.take(&packets)?,
                Work::End(end) => return self.end(&end),
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Unwritten> {
        if matches!(self.way, Way::Shown { .. }) {
            return Ok(());
        }
        let About { place, filter, snap_bytes, comment } = &self.about;
        let section = pcapng::Section { place, filter, snap_bytes: *snap_bytes, comment };
        pcapng::begin(&section, &mut self.blocks);
        self.flush()
    }

    fn take(&mut self, packets: &Packets) -> Result<(), Unwritten> {
        for packet in packets.iter() {
            self.began_unix_nanos.get_or_insert(packet.unix_nanos);
            self.last_unix_nanos = packet.unix_nanos;
            match &mut self.way {
                Way::Shown { output, bytes } => {
                    show(&packet, &self.about.place, *bytes, &mut self.lines, output).map_err(unwritten)?;
                }
                _ => pcapng::packet(&packet, &mut self.blocks),
            }
            let full = matches!(&self.way, Way::Saved(files) if files.is_full_with(self.blocks.len()));
            if full {
                self.flush()?;
                self.next_file()?;
            }
        }
        self.flush()?;
        self.packets += packets.len();
        Ok(())
    }

    fn next_file(&mut self) -> Result<(), Unwritten> {
        if let Way::Saved(files) = &mut self.way {
            files.next()?;
        }
        self.begin()
    }

    fn end(&mut self, end: &CaptureEnd) -> Result<(), Unwritten> {
        if !matches!(self.way, Way::Shown { .. }) {
            let began = self.began_unix_nanos.unwrap_or(self.last_unix_nanos);
            pcapng::end(end, began, self.last_unix_nanos, &mut self.blocks);
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Unwritten> {
        use std::io::Write as _;
        let blocks = &self.blocks;
        match &mut self.way {
            Way::Shown { output, .. } => output.flush().map_err(unwritten)?,
            Way::Saved(files) => files.write(blocks)?,
            Way::Piped(output) => {
                output.content(blocks).and_then(|()| output.flush()).map_err(unwritten)?;
            }
            Way::Given { input, .. } => {
                input.as_mut().map_or(Ok(()), |input| input.write_all(blocks)).map_err(unwritten)?;
            }
        }
        self.blocks.clear();
        Ok(())
    }
}

/// What it takes to tell packets in lines.
#[derive(Default)]
struct Lines {
    text: String,
    /// Where each connection began: numbers are told from there.
    origins: Origins,
}

/// Shows one packet.
fn show(
    packet: &Packet<'_>,
    place: &Place,
    bytes: Bytes,
    Lines { text, origins }: &mut Lines,
    output: &mut Output,
) -> io::Result<()> {
    text.clear();
    line::describe(place.link, packet, origins, text);
    if !output.is_table() {
        return output.object(|object| {
            object.number("time_unix_nanos", packet.unix_nanos);
            object.text("interface", place.interface_of(packet.data));
            object.text("direction", line::direction(packet.direction));
            object.number("wire_bytes", u64::from(packet.wire_bytes));
            object.number("captured_bytes", u64::try_from(packet.data.len()).unwrap_or(u64::MAX));
            object.text("summary", text.as_str());
            match bytes {
                Bytes::None => {}
                Bytes::Hex => object.text("hex", hexadecimal(packet.data).as_str()),
                Bytes::Text => object.text("text", textual(packet.data).as_str()),
            }
        });
    }
    let time = output.time_of_day(packet.unix_nanos);
    let direction = line::direction(packet.direction);
    output.sentence(format!("{time} {} {direction}: {text}", place.interface_of(packet.data)))?;
    text.clear();
    match bytes {
        Bytes::None => return Ok(()),
        Bytes::Hex => dump::hex(packet.data, text),
        Bytes::Text => dump::text(packet.data, text),
    }
    output.below(text)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn textual(bytes: &[u8]) -> String {
    let mut text = String::new();
    dump::text(bytes, &mut text);
    text
}

fn unwritten(error: io::Error) -> Unwritten {
    Unwritten { path: "-".into(), error }
}

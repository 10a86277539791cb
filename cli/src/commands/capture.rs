//! `capture`: what is sent and received in the container's network.

mod conversation;
mod dump;
mod file;
mod filter;
mod line;
mod link;
mod packets;
mod pcapng;
mod sink;
mod tally;
#[cfg(test)]
mod tests;
mod wireshark;

use std::path::{Path, PathBuf};
use std::time::Duration;

use dbgctl_proto::bounds::{CAPTURE_BUFFER_BYTES, LONGEST_SNAP_BYTES};
use dbgctl_proto::v1::{CaptureEnd, CaptureOpen, CaptureStart};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use self::conversation::{Conversation, News, broken_off};
use self::file::{Files, Rotation, Unwritten};
use self::filter::Filter;
use self::link::Place;
use self::sink::{About, Bytes, Sink, Taken, Way};
use self::tally::Tally;
use super::agent::Agent;
use super::files::size;
use super::{Failure, Question, unless_pipe_closed};
use crate::args::{at_least_one, duration};
use crate::channel;
use crate::error::Error;
use crate::exit::Exit;
use crate::interrupt::OfQuestion;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl capture web                              a line for each packet, until Ctrl-C
  dbgctl capture web tcp port 80 and not host 10.0.0.7    only these, by a filter as tcpdump takes it
  dbgctl capture web -c 100 -w web.pcapng         a hundred packets into a file for Wireshark
  dbgctl capture web -w - | wireshark -k -i -     live in Wireshark; --wireshark does the same
  dbgctl capture web -i any --headers-only        all interfaces, and no byte of what packets carry
  dbgctl capture web -w web.pcapng --rotate 100M,5    the last five files of 100 MiB

Packets hold what others send and receive, passwords and personal data included. So it is asked for: --allow capture, or \
a yes at the prompt. Files belong to whoever captures, and no one else may read them.

What comes too fast is dropped where it is captured, and counted: the summary tells how much is missing.";

/// The beat at which a session learns that it is in use, and this side that the agent is gone.
const STILL_THERE: Duration = Duration::from_secs(5);

/// How long the agent may take to send what it has, once it was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Capture what is sent and received in the container's network
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which packets, in the language of tcpdump: pcap-filter(7)
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    /// An interface of the container, or any for all [default: the first that leads somewhere, or lo]
    #[arg(short, long, value_name = "NAME", default_value = "", hide_default_value = true)]
    interface: String,

    /// Write the packets to a file as pcapng instead of showing them; - for standard output
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Begin another file when one has this size, and keep so many of them
    #[arg(long, value_name = "SIZE,COUNT", requires = "write")]
    rotate: Option<Rotation>,

    /// Start Wireshark and give it the packets
    #[arg(long, conflicts_with_all = ["write", "hex", "ascii"])]
    wireshark: bool,

    /// End after so many packets
    #[arg(short, long, value_name = "N", value_parser = at_least_one::<u64>)]
    count: Option<u64>,

    /// End after this time
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// Keep no more of each packet than this
    #[arg(long, value_name = "SIZE", value_parser = snap_length)]
    snaplen: Option<u32>,

    /// Keep the headers, and no byte of what they carry: it does not leave the sidecar
    #[arg(long)]
    headers_only: bool,

    /// Hear what is for others as well, as far as it comes to the interface
    #[arg(long)]
    promiscuous: bool,

    /// How much waits for this side if it is slow, from 1M to 256M of the engine's memory
    #[arg(long, value_name = "SIZE", value_parser = buffer, default_value = "16M")]
    buffer: u32,

    /// Show the bytes of each packet as numbers as well
    #[arg(short = 'x', long, conflicts_with_all = ["write", "ascii"])]
    hex: bool,

    /// Show the bytes of each packet as text as well
    #[arg(short = 'A', long, conflicts_with = "write")]
    ascii: bool,
}

fn snap_length(text: &str) -> Result<u32, String> {
    let bytes = u32::try_from(size(text)?).ok().filter(|bytes| (1..=LONGEST_SNAP_BYTES).contains(bytes));
    bytes.ok_or_else(|| format!("expected from 1 to {LONGEST_SNAP_BYTES} bytes"))
}

fn buffer(text: &str) -> Result<u32, String> {
    let bytes = u32::try_from(size(text)?).ok().filter(|bytes| CAPTURE_BUFFER_BYTES.contains(bytes));
    bytes.ok_or_else(|| "expected from 1M to 256M".to_owned())
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.CaptureService/CapturePackets"
    }

    fn check(&self) -> Result<(), Error> {
        Filter::of(&self.filter).map(drop)
    }

    fn reveals_as(&self) -> Option<&'static str> {
        Some("capture")
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        unless_pipe_closed(self.capture(agent, output, talk).await)
    }
}

impl Args {
    async fn capture(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        if self.goes_to_stdout() && output.is_terminal() {
            return Err(Failure::Request {
                because: "a file of packets is not for a terminal".to_owned(),
                suggestion: "pipe it: | wireshark -k -i -, or name a file".to_owned(),
            });
        }
        let filter = Filter::of(&self.filter).map_err(Failure::Here)?;
        let ctrl_c = OfQuestion::begin();
        // Listens from its first poll on, and must not be dropped before it is needed no more.
        let mut pressed = Box::pin(ctrl_c.pressed());
        let begun = async {
            let (mut conversation, place) = Conversation::open(agent, self.open(output)).await?;
            let snap_bytes = self.snaplen.unwrap_or(LONGEST_SNAP_BYTES);
            let start = self.start(filter.program(place.link, snap_bytes)?);
            conversation.start(agent, start).await?;
            Ok::<_, Failure>((conversation, place))
        };
        let (mut conversation, place) = tokio::select! {
            begun = begun => begun?,
            () = &mut pressed => return Ok(Exit::Interrupted),
        };
        let way = self.way(output)?;
        self.introduce(&place, talk);
        let mut sink = Sink::start(way, self.about(agent, place, filter));

        let mut stopped_at = None;
        let received = loop {
            tokio::select! {
                received = receive(agent, &mut conversation, &sink, stopped_at) => break received,
                () = &mut pressed => {
                    pressed = Box::pin(ctrl_c.pressed());
                    if stopped_at.is_some() {
                        break Ok(None);
                    }
                    conversation.stop().await;
                    stopped_at = Some(Instant::now());
                }
            }
        };
        let end = received.as_ref().ok().copied().flatten();
        let taken = tokio::select! {
            taken = sink.finish(end) => taken?,
            // Whoever reads does not, and whoever waits has had enough.
            () = &mut pressed => return Ok(Exit::Interrupted),
        };
        self.close(taken, received, output, talk)
    }

    fn goes_to_stdout(&self) -> bool {
        self.write.as_deref() == Some(Path::new("-"))
    }

    fn open(&self, output: &Output) -> CaptureOpen {
        let any = self.interface == "any";
        CaptureOpen {
            interface: if any { String::new() } else { self.interface.clone() },
            any,
            buffer_bytes: self.buffer,
            // A pipe leads to a program that shows it, for all one knows.
            prompt: self.wireshark || self.goes_to_stdout() || (self.write.is_none() && output.is_terminal()),
        }
    }

    fn start(&self, filter: Vec<dbgctl_proto::v1::CaptureInstruction>) -> CaptureStart {
        CaptureStart {
            filter,
            snap_bytes: self.snaplen.unwrap_or(0),
            headers_only: self.headers_only,
            promiscuous: self.promiscuous,
            limit: self.count.unwrap_or(0),
            duration: self.duration.and_then(|duration| prost_types::Duration::try_from(duration).ok()),
        }
    }

    /// Where packets go. If standard output is needed for that, it is taken, and given back by [`Self::close`].
    fn way(&self, output: &mut Output) -> Result<Way, Failure> {
        if self.wireshark {
            return wireshark::start();
        }
        let taken = |output: &mut Output| {
            let format = output.format();
            std::mem::replace(output, Output::to(format, std::io::sink()))
        };
        Ok(match &self.write {
            Some(_) if self.goes_to_stdout() => Way::Piped(taken(output)),
            Some(path) => {
                let files = Files::create(path, self.rotate);
                Way::Saved(files.map_err(|unwritten| not_written(&unwritten, 0))?)
            }
            None => {
                let bytes = match (self.hex, self.ascii) {
                    (true, _) => Bytes::Hex,
                    (_, true) => Bytes::Text,
                    _ => Bytes::None,
                };
                Way::Shown { output: taken(output), bytes }
            }
        })
    }

    fn about(&self, agent: &Agent, place: Place, filter: Filter) -> About {
        let subject = agent.subject();
        About {
            place,
            filter: filter.text,
            snap_bytes: self.snaplen.unwrap_or(LONGEST_SNAP_BYTES),
            comment: format!("captured in the network of container {} ({})", subject.name, subject.image),
        }
    }

    /// Says where it is captured, and what else could have been meant.
    fn introduce(&self, place: &Place, talk: &mut Talk) {
        let others = match self.interface.is_empty() && !place.others.is_empty() {
            true => format!("; there is also {}: -i NAME, or -i any for all", place.others.join(", ")),
            false => String::new(),
        };
        talk.line(format!("capturing on {}, {}{others}", place.name, place.link.name()));
    }

    /// Says what came of it.
    fn close(
        &self,
        taken: Taken,
        received: Result<Option<CaptureEnd>, Failure>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let file = match taken.way {
            Way::Shown { output: back, .. } => {
                *output = back;
                None
            }
            // What follows packets would be taken for one.
            Way::Piped(_) => None,
            Way::Saved(files) => Some(files.path()),
            Way::Given { mut program, .. } => {
                // It is left to its user.
                let _runs_on = program.try_wait();
                None
            }
        };
        if let Err(unwritten) = taken.result {
            return Err(not_written(&unwritten, taken.packets));
        }
        let end = received?;
        let tally = Tally { packets: taken.packets, end, file };
        // Where packets are lines or go elsewhere, standard output is free for what comes of it.
        if !output.is_table() && !self.goes_to_stdout() {
            output.object(|object| tally.fields(object))?;
            output.flush()?;
        } else {
            output.flush()?;
            talk.line(tally.sentence());
        }
        Ok(if tally.end.is_some() { Exit::Answered } else { Exit::Unknown })
    }
}

/// Hands packets to the sink until the agent has come to an end, or there is no sink any more. `None`: the agent did not say
/// how it ended. May be abandoned and called again: nothing is lost.
async fn receive(
    agent: &Agent,
    conversation: &mut Conversation,
    sink: &Sink,
    stopped_at: Option<Instant>,
) -> Result<Option<CaptureEnd>, Failure> {
    let packets = async {
        loop {
            let Some(room) = sink.room().await else { return Ok(None) };
            match conversation.next().await? {
                News::Packets(packets) => room.take(packets),
                News::End(end) => return Ok(Some(end)),
            }
        }
    };
    let still_there = async {
        let mut ticks = interval_at(Instant::now() + STILL_THERE, STILL_THERE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(status) = channel::still_there(&agent.channel()).await {
                return Failure::Rpc(status);
            }
        }
    };
    let over = async {
        match stopped_at {
            Some(at) => sleep_until(at + GRACE).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = packets => ended,
        gone = still_there => Err(gone),
        () = over => Err(broken_off("the agent did not come to an end")),
    }
}

/// The disk is full, or something of the kind. A reader that has closed its end has seen what it wanted.
fn not_written(unwritten: &Unwritten, packets: u64) -> Failure {
    let Unwritten { path, error } = unwritten;
    if path == Path::new("-") {
        return Failure::Output(std::io::Error::from(error.kind()));
    }
    let because = match packets {
        0 => error.to_string(),
        packets => format!("{error}; {packets} packets were written before, and can be read"),
    };
    let suggestion = "another place with more room, --snaplen, --headers-only, or --rotate SIZE,COUNT";
    Failure::Here(Error::new(format!("write {}", path.display()), because, suggestion))
}

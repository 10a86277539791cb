//! `ping`: does a host answer, how fast, and how large may packets to it be?

mod statistics;

use dbgctl_proto::bounds::MOST_PINGS;
use dbgctl_proto::list::{List as _, Part, PingNews};
use dbgctl_proto::v1::{self, PacketMethod, PathMtu, PingHeader, PingReply};

use self::statistics::Statistics;
use super::agent::Agent;
use super::packets::{self, How};
use super::{Failure, Question, dns, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::interrupt::OfQuestion;
use crate::render::{Output, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl ping web 10.0.0.7                     five echo requests, a second apart
  dbgctl ping web db --count 100 --interval 50ms
  dbgctl ping web db --udp                     where the kernel gives no ICMP socket
  dbgctl ping web db --tcp 5432                attempts to connect, reset at once
  dbgctl ping web db --mtu                     how large packets may be on the way there
  dbgctl ping web db --size 1472 --dont-fragment
  dbgctl ping web db -o json | jq 'select(.summary).summary.lost'

Ctrl-C ends it and shows what came of it so far. Exit status 1: nothing was answered.

Times are from sending to reading the answer in the sidecar, so they hold what a loaded machine adds. With --udp a \
closed port answers as well: the host is there. Jitter is the mean difference between one time and the next.";

/// Send echo requests, and say how many are answered and how fast
///
/// Packets leave from the container's own addresses.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name or address
    #[arg(value_name = "HOST")]
    peer: String,

    /// Send so many packets
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PINGS)))]
    count: u32,

    /// Send a packet this often
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = packets::time)]
    interval: std::time::Duration,

    /// Send UDP, to this port, which is likely closed
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "33434", value_parser = clap::value_parser!(u16).range(1..), group = "method")]
    udp: Option<u16>,

    /// Packets may pass so many routers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    ttl: Option<u8>,

    /// Find the largest packet that gets there undivided
    #[arg(long, conflicts_with_all = ["tcp", "count", "size", "ttl"])]
    mtu: bool,

    #[command(flatten)]
    how: How,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::PingResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let lasts = self.interval.saturating_mul(self.count).saturating_add(self.how.timeout() * 2);
        let agent = agent.with_more_time(lasts);
        let mut told =
            Told { output, host: &self.peer, header: None, statistics: Statistics::default(), mtu: None };
        let ctrl_c = OfQuestion::begin();
        let asked = async {
            let read = stream::read_each::<v1::PingResponse>(&agent, self.request(), |part| told.take(part));
            tokio::select! {
                closing = agent.within_limit(read) => closing.map(Some),
                () = ctrl_c.pressed() => Ok(None),
            }
        };
        let closing = asked.await?;
        unless_pipe_closed(told.close(closing, talk))
    }
}

impl Args {
    fn request(&self) -> v1::PingRequest {
        let (method, port) = match (self.how.tcp_port(), self.udp) {
            (Some(port), _) => (PacketMethod::Tcp, port),
            (None, Some(port)) => (PacketMethod::Udp, port),
            (None, None) => (PacketMethod::Icmp, 0),
        };
        v1::PingRequest {
            host: self.peer.clone(),
            method: method.into(),
            port: port.into(),
            family: self.how.family().into(),
            count: self.count,
            interval_millis: packets::millis(self.interval),
            timeout_millis: packets::millis(self.how.timeout()),
            size_bytes: self.how.size_bytes(),
            ttl: self.ttl.unwrap_or(0).into(),
            dont_fragment: self.how.dont_fragment(),
            find_mtu: self.mtu,
            limit: 0,
        }
    }
}

/// What was told so far. Each answer is shown as it comes.
struct Told<'o> {
    output: &'o mut Output,
    host: &'o str,
    header: Option<PingHeader>,
    statistics: Statistics,
    mtu: Option<PathMtu>,
}

impl Told<'_> {
    fn take(&mut self, part: Part<v1::PingResponse>) -> Result<(), Failure> {
        match part {
            Part::Header(PingNews::Header(header)) => self.header(header)?,
            Part::Header(PingNews::PathMtu(found)) => self.mtu = Some(found),
            Part::Rows(replies) => replies.iter().try_for_each(|reply| self.reply(reply))?,
            Part::Summary(_) => {}
        }
        self.output.flush()?;
        Ok(())
    }

    fn header(&mut self, header: PingHeader) -> Result<(), Failure> {
        if !header.error.is_empty() {
            return Err(Failure::Here(packets::not_begun(
                self.host,
                header.method,
                &header.error,
                header.look_up.as_deref(),
            )));
        }
        let (address, method) = (packets::address(&header.address), packets::method(header.method));
        self.output.header(Some(&header), |header, object| {
            object.text("address", address.as_str());
            object.number("resolve_nanos", header.resolve_nanos);
            dns::look_up::fields(header.look_up.as_deref(), object);
            object.text("method", method);
            object.number("port", Some(u64::from(header.port)).filter(|&port| port > 0));
        })?;
        let port = if header.port > 0 { format!(" port {}", header.port) } else { String::new() };
        let name = if self.host == address { String::new() } else { format!("{} is ", self.host) };
        self.output.sentences([format!("{name}{address}, {method}{port}")])?;
        self.header = Some(header);
        Ok(())
    }

    fn reply(&mut self, reply: &PingReply) -> Result<(), Failure> {
        let answer = reply.answer.clone().unwrap_or_default();
        self.statistics.add(reply.duplicate, &answer);
        if self.output.is_table() {
            let to = self.header.as_ref().map(|header| header.address.clone()).unwrap_or_default();
            let mut line = format!("{:>5}  {}", reply.sequence, packets::outcome(&answer));
            if !answer.from.is_empty() && answer.from != to {
                line.push_str(&format!("  from {}", packets::address(&answer.from)));
            }
            if reply.packet_bytes > 0 {
                line.push_str(&format!("  {} bytes", reply.packet_bytes));
            }
            if let Some(ttl) = answer.ttl {
                line.push_str(&format!("  ttl {ttl}"));
            }
            if reply.duplicate {
                line.push_str("  duplicate");
            }
            self.output.sentence(line)?;
        } else {
            self.output.object(|object| {
                object.number("sequence", u64::from(reply.sequence));
                object.number("packet_bytes", Some(u64::from(reply.packet_bytes)).filter(|&bytes| bytes > 0));
                object.object("answer", |object| packets::fields(&answer, object));
                object.flag("duplicate", reply.duplicate);
            })?;
        }
        Ok(())
    }

    /// Shows what all of it amounts to. `None`: Ctrl-C was pressed.
    fn close(self, closing: Option<closing::Closing>, talk: &mut Talk) -> Result<Exit, Failure> {
        let Self { output, host, header, statistics, mtu } = self;
        let is_udp = header.is_some_and(|header| header.method() == PacketMethod::Udp);
        let verdicts: Vec<_> = match &mtu {
            Some(found) => vec![mtu_sentence(host, found)],
            None => statistics.sentences(host, is_udp),
        };
        let broken_off = closing.as_ref().and_then(|closing| closing.broken_off);
        if output.is_table() {
            output.sentences(&verdicts)?;
            let missing = closing.as_ref().map(|closing| closing.sentences("answers")).unwrap_or_default();
            output.beside(talk, missing.into_iter().chain(broken_off.map(str::to_owned)))?;
        } else {
            output.object(|object| {
                object.object("summary", |object| {
                    if let Some(summary) = closing.as_ref().and_then(|closing| closing.summary.as_ref()) {
                        closing::fields(summary, object);
                    } else {
                        object.text("end", "interrupted");
                    }
                    statistics.fields(object);
                    match &mtu {
                        Some(found) => object.object("path_mtu", |object| mtu_fields(found, object)),
                        None => object.null("path_mtu"),
                    }
                    object.texts("verdicts", verdicts.iter().map(String::as_str));
                });
            })?;
            talk.lines(broken_off);
        }
        output.flush()?;
        Ok(match broken_off {
            Some(_) => Exit::Unknown,
            None if statistics.is_answered() => Exit::Answered,
            None => Exit::No,
        })
    }
}

fn mtu_fields(found: &PathMtu, object: &mut crate::render::Object<'_>) {
    object.number("largest_bytes", found.largest_bytes.map(u64::from));
    object.number("interface_bytes", found.interface_bytes.map(u64::from));
    let said_by = Some(&found.said_by).filter(|by| !by.is_empty()).map(|by| packets::address(by));
    object.text("said_by", said_by.as_deref());
    object.number("said_bytes", found.said_bytes.map(u64::from));
    object.flag("black_hole", found.black_hole);
}

/// How large packets may be, and who says so.
fn mtu_sentence(host: &str, found: &PathMtu) -> String {
    let Some(largest) = found.largest_bytes else {
        return format!("{host}: no packet of any size was answered, so the path MTU is not known");
    };
    let who = packets::address(&found.said_by);
    if found.black_hole {
        return format!(
            "{host}: packets of up to {largest} bytes get there, larger ones vanish and no one says why (a black hole): \
             connections open and hang as soon as much is sent"
        );
    }
    match (found.said_bytes, found.interface_bytes) {
        (Some(said), _) => {
            format!(
                "{host}: packets of up to {largest} bytes get there; {who} says that the next hop takes {said}"
            )
        }
        (None, Some(own)) if own == largest => {
            format!(
                "{host}: packets of up to {largest} bytes get there, as many as the container's interface takes"
            )
        }
        (None, _) => format!("{host}: packets of up to {largest} bytes get there"),
    }
}

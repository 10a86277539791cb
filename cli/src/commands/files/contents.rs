//! `cat`: the content of a file of the target.

mod amount;

use std::mem;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::content_service_client::ContentServiceClient;
use dbgctl_proto::v1::read_file_request::Start;
use dbgctl_proto::v1::read_file_response::Part;
use dbgctl_proto::v1::{self, End, FileIdentity, FollowEvent, Summary};
use tonic::Streaming;

use self::amount::Amount;
use super::{TargetPath, Through, status, word};
use crate::commands::agent::Agent;
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Output, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl cat web /etc/resolv.conf
  dbgctl cat web /var/log/app.log --tail 50          the last 50 lines
  dbgctl cat web /var/log/app.log --tail 20K         the last 20 KiB
  dbgctl cat web /var/log/app.log --follow           the last ten lines, and what is written next
  dbgctl cat web /data/dump.bin > dump.bin           byte for byte
  dbgctl cat web /app/config.yaml -o json | jq -r 'select(.content).content'

Amounts without a unit are lines, with one (B, K, M, G) bytes. To a pipe or file goes every byte as it is; a \
terminal gets no control character of the file's, and no more than 1 MiB unless --limit says so.

--follow goes by the path: it tells when the file was truncated, replaced (rotated) or removed, and goes on \
with the new one. Devices, FIFOs, sockets and directories are refused, and never opened.

Reading may update the file's time of last access, as its mount's options have it (usually once a day).";

/// Show the content of a file, or follow it
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seen from the container's root directory
    path: TargetPath,

    /// Only the beginning: so many lines, or bytes with a unit, such as 20K
    #[arg(long, value_name = "LINES|SIZE", conflicts_with_all = ["tail", "follow"])]
    head: Option<Amount>,

    /// Only the end: so many lines, or bytes with a unit, such as 20K
    #[arg(long, value_name = "LINES|SIZE")]
    tail: Option<Amount>,

    /// Wait for what is written next, and show it
    #[arg(short, long)]
    follow: bool,

    /// Show at most this much [default: 1M on a terminal, else all]
    #[arg(long, value_name = "SIZE", value_parser = super::size)]
    limit: Option<u64>,

    #[command(flatten)]
    through: Through,
}

/// What a person might look through.
const MOST_ON_TERMINAL: u64 = 1 << 20;

/// Lines that are shown before those that are waited for, as tail(1) has it.
const LINES_BEFORE: u64 = 10;

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ReadFileResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let most = self.limit.or((output.is_terminal() && !self.follow).then_some(MOST_ON_TERMINAL));
        let mut reader =
            Reader { output, talk, left: most, at: None, unfinished: Vec::new(), is_sick: false };
        let read = async {
            let mut request = self.request(most);
            loop {
                let mut client =
                    ContentServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
                let stream = client.read_file(agent.request(request)).await?.into_inner();
                let summary = reader.pass_on(stream).await?;
                let over = summary.as_ref().is_some_and(|summary| summary.end == i32::from(End::Deadline));
                match &reader.at {
                    // The time of one answer is over, and the file is not: go on where it ended.
                    Some(at) if self.follow && over => request = self.go_on(at, reader.left),
                    _ => return reader.close(summary, self.follow),
                }
            }
        };
        // What is followed has no end.
        unless_pipe_closed(if self.follow { read.await } else { agent.within_limit(read).await })
    }
}

impl Args {
    fn request(&self, most_bytes: Option<u64>) -> v1::ReadFileRequest {
        let tail = self.tail.or(self.follow.then_some(Amount::Lines(LINES_BEFORE)));
        let start = tail.map(|tail| match tail {
            Amount::Lines(lines) => Start::TailLines(lines),
            Amount::Bytes(bytes) => Start::TailBytes(bytes),
        });
        let (head_bytes, most_lines) = match self.head {
            Some(Amount::Lines(lines)) => (None, Some(lines)),
            Some(Amount::Bytes(bytes)) => (Some(bytes), None),
            None => (None, None),
        };
        v1::ReadFileRequest {
            path: self.path.bytes(),
            pid: self.through.pid,
            start,
            most_bytes: head_bytes.into_iter().chain(most_bytes).min(),
            most_lines,
            follow: self.follow,
            ..v1::ReadFileRequest::default()
        }
    }

    fn go_on(&self, at: &Position, most_bytes: Option<u64>) -> v1::ReadFileRequest {
        v1::ReadFileRequest {
            start: Some(Start::Offset(at.offset)),
            last_seen: at.file,
            ..self.request(most_bytes)
        }
    }
}

/// How far a file has been read.
#[derive(Debug)]
struct Position {
    file: Option<FileIdentity>,
    offset: u64,
}

/// Shows what comes, as it comes.
struct Reader<'o> {
    output: &'o mut Output,
    talk: &'o mut Talk,
    /// What may still be shown. `None`: all.
    left: Option<u64>,
    at: Option<Position>,
    /// The beginning of a character whose end has not come yet.
    unfinished: Vec<u8>,
    /// Whether the agent has sent what it was not asked for.
    is_sick: bool,
}

impl Reader<'_> {
    async fn pass_on(
        &mut self,
        mut stream: Streaming<v1::ReadFileResponse>,
    ) -> Result<Option<Summary>, Failure> {
        let mut summary = None;
        while let Some(message) = stream.message().await? {
            match message.part {
                Some(Part::Header(header)) => self.header(&header)?,
                Some(Part::Batch(batch)) => {
                    for chunk in batch.chunks {
                        self.chunk(chunk)?;
                    }
                    self.output.flush()?;
                }
                Some(Part::Event(number)) => self.event(number)?,
                Some(Part::Summary(last)) => summary = Some(last),
                // A part that only a newer agent knows.
                None => {}
            }
            if self.is_sick {
                break;
            }
        }
        Ok(summary)
    }

    fn header(&mut self, header: &v1::ContentHeader) -> Result<(), Failure> {
        let known = self.at.is_some();
        let file =
            header.status.as_ref().map(|status| FileIdentity { device: status.device, inode: status.inode });
        self.at = Some(Position { file, offset: header.offset });
        if !known {
            self.output.header(Some(header), |header, object| {
                status::field("status", header.status.as_ref(), object);
                object.number("offset", header.offset);
            })?;
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: v1::ContentChunk) -> Result<(), Failure> {
        let length = u64::try_from(chunk.content.len()).unwrap_or(u64::MAX);
        if let Some(left) = &mut self.left {
            match left.checked_sub(length) {
                Some(less) => *left = less,
                None => {
                    self.is_sick = true;
                    return Ok(());
                }
            }
        }
        if let Some(at) = &mut self.at {
            at.offset = chunk.offset.saturating_add(length);
        }
        if self.output.is_table() && !self.output.is_terminal() {
            self.output.content(&chunk.content)?;
            return Ok(());
        }
        // A character that is cut in two would be shown as bytes.
        let begun = u64::try_from(self.unfinished.len()).unwrap_or_default();
        let mut content = mem::take(&mut self.unfinished);
        content.extend_from_slice(&chunk.content);
        self.unfinished = content.split_off(whole_characters(&content));
        self.show(chunk.offset.saturating_sub(begun), &content)
    }

    fn show(&mut self, offset: u64, content: &[u8]) -> Result<(), Failure> {
        if content.is_empty() {
            return Ok(());
        }
        if self.output.is_table() {
            self.output.content(content)?;
        } else {
            self.output.object(|object| {
                object.number("offset", offset);
                object.raw("content", content);
            })?;
        }
        Ok(())
    }

    /// Shows the beginning of a character that will have no end.
    fn finish(&mut self) -> Result<(), Failure> {
        let content = mem::take(&mut self.unfinished);
        let length = u64::try_from(content.len()).unwrap_or_default();
        let offset = self.at.as_ref().map_or(0, |at| at.offset.saturating_sub(length));
        self.show(offset, &content)
    }

    fn event(&mut self, number: i32) -> Result<(), Failure> {
        self.finish()?;
        if let Some(at) = &mut self.at {
            at.offset = 0;
        }
        if !self.output.is_table() {
            let name = word::<FollowEvent>(number, FollowEvent::as_str_name, "FOLLOW_EVENT_");
            self.output.object(|object| object.text("event", &*name))?;
        }
        self.output.flush()?;
        self.talk.line(match FollowEvent::try_from(number) {
            Ok(FollowEvent::Truncated) => "the file was truncated: from its beginning",
            Ok(FollowEvent::Replaced) => "the file was replaced: from the beginning of the new one",
            Ok(FollowEvent::Removed) => "the file was removed: waiting for a new one",
            Ok(FollowEvent::Unspecified) | Err(_) => "something happened that only a newer dbgctl knows",
        });
        Ok(())
    }

    fn close(&mut self, summary: Option<Summary>, followed: bool) -> Result<Exit, Failure> {
        self.finish()?;
        if self.output.is_table() {
            self.output.flush()?;
            let end = summary.as_ref().and_then(|summary| End::try_from(summary.end).ok());
            let at = self.at.as_ref().map_or(0, |at| at.offset);
            match end {
                Some(End::Limit) if self.left == Some(0) => self.talk.line(format!(
                    "stopped at {} of the file, there is more: --limit, --tail, or into a pipe",
                    Bytes(at)
                )),
                // As much as was asked for by --head.
                Some(End::Limit | End::Complete) => {}
                Some(End::Deadline) => self.talk.line(format!(
                    "out of time at {} of the file, there is more: --time-limit 5m",
                    Bytes(at)
                )),
                Some(End::Unspecified) | None => {}
            }
            if let Some(summary) = &summary {
                let gaps = Summary { end: End::Complete.into(), dropped: 0, ..summary.clone() };
                self.talk.lines(closing::sentences(&gaps, "files"));
            }
        } else {
            self.output.object(|object| closing::field(summary.as_ref(), object))?;
        }
        self.output.flush()?;
        let is_whole = summary.is_some() && !self.is_sick;
        if !is_whole {
            self.talk.line("the content broke off: the agent ended it without a summary");
        }
        let out_of_time = summary.is_some_and(|summary| summary.end == i32::from(End::Deadline));
        Ok(if is_whole && (!out_of_time || followed) { Exit::Answered } else { Exit::Unknown })
    }
}

/// The length of `content` without a character at its end that is not complete yet.
fn whole_characters(content: &[u8]) -> usize {
    const LONGEST: usize = 4;
    let from = content.len().saturating_sub(LONGEST - 1);
    let begins = (from..content.len()).rev().find(|&at| content[at] & 0b1100_0000 != 0b1000_0000);
    let Some(begins) = begins else { return content.len() };
    let needed = match content[begins] {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0111 => 4,
        _ => 1,
    };
    if content.len() - begins < needed { begins } else { content.len() }
}

#[cfg(test)]
mod unit {
    use super::whole_characters;

    #[test]
    fn a_character_is_not_cut_in_two_and_what_is_none_is_not_waited_for() {
        for (content, whole) in [
            (&b"abc"[..], 3),
            ("aä".as_bytes(), 3),
            (&"aä".as_bytes()[..2], 1),
            (&"€".as_bytes()[..2], 0),
            (&"\u{1f600}".as_bytes()[..3], 0),
            (b"a\x80\x80\x80\x80", 5),
            (b"\xff", 1),
            (b"", 0),
        ] {
            assert_eq!(whole_characters(content), whole, "{content:?}");
        }
    }
}

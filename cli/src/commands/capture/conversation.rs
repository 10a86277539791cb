//! What is said between this side and the agent while packets are captured.

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::capture_command::Command;
use dbgctl_proto::v1::capture_frame::Part;
use dbgctl_proto::v1::capture_service_client::CaptureServiceClient;
use dbgctl_proto::v1::{CaptureCommand, CaptureEnd, CaptureFrame, CaptureOpen, CaptureStart, CaptureStop};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::link::Place;
use super::packets::Packets;
use crate::commands::Failure;
use crate::commands::agent::Agent;
use crate::error::Error;

/// All that there is to say.
const COMMANDS: usize = 3;

/// A capture that was agreed on.
pub(super) struct Conversation {
    commands: mpsc::Sender<CaptureCommand>,
    frames: Streaming<CaptureFrame>,
}

/// What comes of it.
pub(super) enum News {
    Packets(Packets),
    End(CaptureEnd),
}

impl Conversation {
    /// Has the agent make a ring, and returns where it will hear.
    pub(super) async fn open(agent: &Agent, open: CaptureOpen) -> Result<(Self, Place), Failure> {
        let (commands, stream) = mpsc::channel(COMMANDS);
        let mut client =
            CaptureServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let answer = async {
            say(&commands, Command::Open(open)).await;
            let mut frames = client.capture_packets(ReceiverStream::new(stream)).await?.into_inner();
            let first = frames.message().await?.and_then(|frame| frame.part);
            Ok((frames, first))
        };
        let (frames, first) = agent.within_limit(answer).await?;
        let Some(Part::Opened(opened)) = first else { return Err(insane()) };
        let place = Place::check(&opened).ok_or_else(insane)?;
        Ok((Self { commands, frames }, place))
    }

    /// Begins. Whatever is accepted is seen from when this returns.
    pub(super) async fn start(&mut self, agent: &Agent, start: CaptureStart) -> Result<(), Failure> {
        say(&self.commands, Command::Start(start)).await;
        let answer = async { Ok(self.frames.message().await?.and_then(|frame| frame.part)) };
        match agent.within_limit(answer).await? {
            Some(Part::Started(_)) => Ok(()),
            _ => Err(insane()),
        }
    }

    /// Asks the agent to come to an end.
    pub(super) async fn stop(&self) {
        say(&self.commands, Command::Stop(CaptureStop {})).await;
    }

    /// What comes next. May be abandoned and called again: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<News, Failure> {
        loop {
            let frame = self.frames.message().await?;
            let frame = frame.ok_or_else(|| broken_off("the agent ended it without saying what was lost"))?;
            match frame.part {
                Some(Part::Batch(batch)) => {
                    return Packets::check(batch).map(News::Packets).ok_or_else(insane);
                }
                Some(Part::End(end)) => return Ok(News::End(end)),
                Some(Part::Opened(_) | Part::Started(_)) => return Err(insane()),
                // A part that only a newer agent knows.
                None => {}
            }
        }
    }
}

async fn say(commands: &mpsc::Sender<CaptureCommand>, command: Command) {
    // If nobody listens any more, that is told by what does not come.
    let _gone = commands.send(CaptureCommand { command: Some(command) }).await;
}

pub(super) fn broken_off(because: &str) -> Failure {
    Failure::Here(Error::new("go on capturing", because, "capture again"))
}

fn insane() -> Failure {
    let suggestion = "tell whoever looks after the container: it may have been taken over";
    Failure::Here(Error::new("capture packets", "the agent sent what makes no sense", suggestion))
}

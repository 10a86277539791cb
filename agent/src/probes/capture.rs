//! `CapturePackets`: what is sent and received in the target's network, as the kernel shows it.

mod batch;
mod plan;
mod run;

use std::sync::Arc;

use dbgctl_linux::packet::{self, Interface, LinkType, Ring, Settings};
use dbgctl_proto::bounds::MOST_CAPTURE_INTERFACES;
use dbgctl_proto::v1;
use dbgctl_proto::v1::capture_command::Command;
use dbgctl_proto::v1::capture_frame::Part;
use dbgctl_proto::v1::capture_service_server::{CaptureService, CaptureServiceServer};
use nix::sys::utsname::uname;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use self::plan::{Open, Plan};
use self::run::Run;
use crate::error::{BadRequest, ProbeError};
use crate::sources::Sources;
use crate::threads;

/// Rings at the same time: they are the kernel's memory, and count against no one.
const MOST_CAPTURES: usize = 4;

/// Messages that wait for the client: some MiB at most.
const WAITING_FRAMES: usize = 12;

/// A client has three things to say.
const WAITING_COMMANDS: usize = 3;

/// The service, asking the kernel for the interfaces by way of `sources`.
pub(crate) fn service(sources: Arc<Sources>) -> CaptureServiceServer<impl CaptureService> {
    CaptureServiceServer::new(Capture { sources, places: Arc::new(Semaphore::new(MOST_CAPTURES)) })
}

struct Capture {
    sources: Arc<Sources>,
    places: Arc<Semaphore>,
}

/// What is on its way to the client.
type Frame = Result<v1::CaptureFrame, Status>;

#[tonic::async_trait]
impl CaptureService for Capture {
    type CapturePacketsStream = ReceiverStream<Frame>;

    async fn capture_packets(
        &self,
        request: Request<Streaming<v1::CaptureCommand>>,
    ) -> Result<Response<Self::CapturePacketsStream>, Status> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| ProbeError::Busy("as much is captured already as the agent can"))?;
        let mut incoming = request.into_inner();
        let first = incoming.message().await?.and_then(|first| first.command);
        let open = Open::try_from(first).map_err(ProbeError::from)?;

        let (ordered, mut orders) = mpsc::channel(WAITING_COMMANDS);
        let (out, frames) = mpsc::channel(WAITING_FRAMES);
        let over = out.clone();
        tokio::spawn(async move {
            // Ends with the client's own stream, which is as good as `stop`, or with the capture.
            loop {
                let command = tokio::select! {
                    command = incoming.message() => command.ok().flatten().and_then(|message| message.command),
                    () = over.closed() => None,
                };
                let Some(command) = command else { break };
                if ordered.send(command).await.is_err() {
                    break;
                }
            }
        });
        let (sources, runtime) = (Arc::clone(&self.sources), Handle::current());
        threads::run_waiting(move || {
            let _place = place;
            if let Err(error) = capture(&sources, &open, &mut orders, &out, &runtime) {
                let _nobody_listens = out.blocking_send(Err(Status::from(error)));
            }
        })?;
        Ok(Response::new(ReceiverStream::new(frames)))
    }
}

/// Captures, from the ring to the end.
fn capture(
    sources: &Sources,
    open: &Open,
    orders: &mut mpsc::Receiver<Command>,
    out: &mpsc::Sender<Frame>,
    runtime: &Handle,
) -> Result<(), ProbeError> {
    let interfaces = packet::interfaces(sources.root(), MOST_CAPTURE_INTERFACES)?;
    let interface = open.choose(&interfaces)?;
    let link = interface.map_or(LinkType::Cooked, |interface| interface.link);
    let settings =
        Settings { cooked: link == LinkType::Cooked, buffer_bytes: open.buffer_bytes, wait: open.wait };
    let ring = Ring::make(settings)?;
    let tell = |part| out.blocking_send(Ok(v1::CaptureFrame { part: Some(part) })).is_ok();
    if !tell(Part::Opened(opened(link, interface, &interfaces))) {
        return Ok(());
    }
    let plan = match orders.blocking_recv() {
        Some(Command::Start(start)) => Plan::try_from(start)?,
        // It has thought better of it.
        None | Some(Command::Stop(_)) => return Ok(()),
        Some(Command::Open(_)) => return Err(BadRequest::new("open", "is not the second command").into()),
    };
    if plan.promiscuous && interface.is_none() {
        return Err(BadRequest::new("promiscuous", "is for one interface, not for all").into());
    }
    let mut run = Run::new(ring, &plan, link, out, runtime);
    run.hear(interface.map(|interface| interface.index))?;
    if !tell(Part::Started(v1::CaptureStarted {})) {
        return Ok(());
    }
    let Some(reason) = run.until_over(orders)? else { return Ok(()) };
    run.close(reason)
}

fn opened(link: LinkType, interface: Option<&Interface>, all: &[Interface]) -> v1::CaptureOpened {
    let system = uname().ok();
    let system = system.map(|system| {
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        (format!("{} {}", text(system.sysname()), text(system.release())), text(system.machine()))
    });
    let (system, machine) = system.unwrap_or_default();
    v1::CaptureOpened {
        link_type: u32::from(link.number()),
        interface: interface.map(message),
        interfaces: all.iter().map(message).collect(),
        system,
        machine,
    }
}

fn message(interface: &Interface) -> v1::CaptureInterface {
    v1::CaptureInterface {
        index: interface.index,
        name: interface.name.clone(),
        is_up: interface.is_up,
        is_loopback: interface.is_loopback,
    }
}

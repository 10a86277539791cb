//! `ListInterfaces`: the network interfaces of the target.

use std::sync::Arc;

use dbgctl_linux::Moment;
use dbgctl_linux::procfs::net_dev::{self, Interface};
use dbgctl_proto::v1;
use dbgctl_proto::v1::interface_service_server::{InterfaceService, InterfaceServiceServer};
use tonic::{Request, Response, Status};

use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> InterfaceServiceServer<Interfaces> {
    InterfaceServiceServer::new(Interfaces { sources })
}

/// Answers `ListInterfaces`.
#[derive(Debug)]
pub struct Interfaces {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl InterfaceService for Interfaces {
    type ListInterfacesStream = Bounded<v1::ListInterfacesResponse>;

    async fn list_interfaces(
        &self,
        request: Request<v1::ListInterfacesRequest>,
    ) -> Result<Response<Self::ListInterfacesStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, out))))
    }
}

fn collect(sources: &Sources, out: &mut Out<v1::ListInterfacesResponse>) -> Result<(), Halt> {
    out.lead(header(sources.now()))?;
    let mut halted = Ok(());
    net_dev::read(sources.root(), |interface| {
        halted = out.row(message(interface));
        halted.is_ok()
    })?;
    halted
}

fn header(moment: Moment) -> v1::InterfaceListHeader {
    v1::InterfaceListHeader {
        sampled_boottime_nanos: moment.boottime_nanos,
        sampled_unix_nanos: moment.unix_nanos,
    }
}

fn message(interface: Interface) -> v1::Interface {
    let Interface { name, received, transmitted } = interface;
    v1::Interface {
        name: name.into(),
        received: Some(v1::Received {
            bytes: received.bytes,
            packets: received.packets,
            errors: received.errors,
            dropped: received.dropped,
            fifo_errors: received.fifo_errors,
            frame_errors: received.frame_errors,
            compressed: received.compressed,
            multicast: received.multicast,
        }),
        transmitted: Some(v1::Transmitted {
            bytes: transmitted.bytes,
            packets: transmitted.packets,
            errors: transmitted.errors,
            dropped: transmitted.dropped,
            fifo_errors: transmitted.fifo_errors,
            collisions: transmitted.collisions,
            carrier_errors: transmitted.carrier_errors,
            compressed: transmitted.compressed,
        }),
    }
}

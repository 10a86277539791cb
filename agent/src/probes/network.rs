//! `ListNetwork` and `GetRoute`: the network of the target as its kernel has it.

mod message;
mod reading;
mod way;

use std::sync::Arc;

use dbgctl_linux::netlink::address::Address;
use dbgctl_linux::netlink::neighbour::Neighbour;
use dbgctl_linux::netlink::route::Route;
use dbgctl_linux::netlink::rtnetlink::{Rtnetlink, Table};
use dbgctl_linux::netlink::rule::Rule;
use dbgctl_proto::v1;
use dbgctl_proto::v1::network_item::Item;
use dbgctl_proto::v1::network_service_server::{NetworkService, NetworkServiceServer};
use tonic::{Request, Response, Status};

use self::reading::Reading;
use super::sample;
use crate::error::ProbeError;
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, sampled};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> NetworkServiceServer<Network> {
    NetworkServiceServer::new(Network { sources })
}

/// Answers `ListNetwork` and `GetRoute`.
#[derive(Debug)]
pub struct Network {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl NetworkService for Network {
    type ListNetworkStream = Bounded<v1::ListNetworkResponse>;

    async fn list_network(
        &self,
        request: Request<v1::ListNetworkRequest>,
    ) -> Result<Response<Self::ListNetworkStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let sample = sample::length(request.get_ref().sample_millis).map_err(ProbeError::from)?;
        let (first, second) = (Arc::clone(&self.sources), Arc::clone(&self.sources));
        let before = move |out: &mut Out<_>| Ok(Reading::take(&first, &mut out.gaps));
        let after = move |before, out: &mut Out<_>| collect(&second, &before, out);
        Ok(Response::new(sampled(terms, sample, before, after)))
    }

    async fn get_route(
        &self,
        request: Request<v1::GetRouteRequest>,
    ) -> Result<Response<v1::GetRouteResponse>, Status> {
        // The kernel answers at once: there is nothing to wait for.
        Ok(Response::new(way::find(&self.sources, &request.into_inner())?))
    }
}

fn collect(sources: &Sources, before: &Reading, out: &mut Out<v1::ListNetworkResponse>) -> Result<(), Halt> {
    let after = Reading::take(sources, &mut out.gaps);
    out.lead(after.header(before))?;
    for link in after.links(before) {
        out.row(item(Item::Interface(link)))?;
    }
    if !after.is_of_rtnetlink() {
        // A gap says so already.
        return Ok(());
    }
    let mut kernel = Rtnetlink::open(sources.root())?;
    for table in Table::ALL {
        let message = match table {
            // Told already, with what they carried over the sample.
            Table::Links => continue,
            Table::Addresses => {
                |told: &[u8]| Address::parse(told).map(|it| Item::Address(message::address(it)))
            }
            Table::Routes | Table::Routes6 => {
                |told: &[u8]| Route::parse(told).map(|it| Item::Route(message::route(it)))
            }
            Table::Rules | Table::Rules6 => {
                |told: &[u8]| Rule::parse(told).map(|it| Item::Rule(message::rule(it)))
            }
            Table::Neighbours => {
                |told: &[u8]| Neighbour::parse(told).map(|it| Item::Neighbour(message::neighbour(it)))
            }
        };
        let mut halted = Ok(());
        let dumped = kernel.dump(table, |told| {
            halted = message(told).map_or(Ok(()), |found| out.row(item(found)));
            halted.is_ok()
        });
        halted?;
        match dumped {
            Ok(dumped) if dumped.interrupted => {
                out.gaps.add(
                    table.name(),
                    "the table changed while it was told: something may be missing or told twice",
                );
            }
            Ok(_) => {}
            Err(error) if error.is_switched_off() => {}
            Err(error) => out.gaps.add_error(table.name(), &error),
        }
    }
    Ok(())
}

fn item(item: Item) -> v1::NetworkItem {
    v1::NetworkItem { item: Some(item) }
}

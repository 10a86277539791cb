//! `net get-route`: which way the kernel would send a packet.

use std::net::IpAddr;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::network_service_client::NetworkServiceClient;
use dbgctl_proto::v1::{self, GetRouteResponse, RouteType};

use super::rows::{NeighbourRow, RouteRow};
use super::state::State;
use super::words;
use crate::commands::Failure;
use crate::commands::agent::Agent;
use crate::exit::Exit;
use crate::render::{Output, Row as _, cell};

pub(super) const RPC: &str = "/dbgctl.v1.NetworkService/GetRoute";

const EXAMPLES: &str = "\
Examples:
  dbgctl net web get-route 10.0.0.7
  dbgctl net web get-route 2001:db8::7 --interface eth1
  dbgctl net web get-route 10.0.0.7 --from 172.17.0.2 -o json

Exit status 1: the kernel would not send it anywhere.";

/// Ask the kernel which way it would send a packet; none is sent
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Where the packet is to go
    #[arg(value_name = "ADDRESS")]
    destination: IpAddr,

    /// From this address of the container
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,

    /// From a socket that is bound to this interface
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// From a socket with this mark
    #[arg(long, value_name = "NUMBER")]
    mark: Option<u32>,
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

impl Args {
    pub(super) fn to(destination: IpAddr, interface: Option<String>) -> Self {
        Self { destination, from: None, interface, mark: None }
    }

    pub(super) async fn ask(&self, agent: &Agent, output: &mut Output) -> Result<Exit, Failure> {
        let response = self.response(agent).await?;
        self.show(&response, output)
    }

    /// Whether packets get away, and what there is to say about it.
    pub(super) async fn in_words(&self, agent: &Agent) -> Result<(bool, Vec<String>), Failure> {
        let response = self.response(agent).await?;
        let route = response.route.clone().unwrap_or_default();
        Ok((response.error.is_empty(), self.verdicts(&response, &route)))
    }

    async fn response(&self, agent: &Agent) -> Result<GetRouteResponse, Failure> {
        let request = v1::GetRouteRequest {
            destination: octets(self.destination),
            source: self.from.map(octets).unwrap_or_default(),
            interface: self.interface.clone().unwrap_or_default().into_bytes(),
            mark: self.mark,
        };
        let mut client =
            NetworkServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        agent.within_limit(async { Ok(client.get_route(request).await?.into_inner()) }).await
    }

    fn show(&self, response: &GetRouteResponse, output: &mut Output) -> Result<Exit, Failure> {
        let route = response.route.clone().unwrap_or_default();
        let state = State::naming(&route, &response.interface);
        let verdicts = self.verdicts(response, &route);
        let gets_away = response.error.is_empty();
        if output.is_table() {
            output.sentences(&verdicts)?;
        } else {
            let row = RouteRow::new(&route, &state);
            output.object(|object| {
                object.text("outcome", if gets_away { "sent" } else { "not_sent" });
                object.object("route", |object| row.route_fields(object));
                object.text("error", response.error.as_str());
                object.raw("interface", Some(response.interface.as_slice()).filter(|name| !name.is_empty()));
                object.number("mtu_bytes", response.mtu_bytes.map(u64::from));
                match &response.next_hop {
                    Some(hop) => object.object("next_hop", |object| {
                        NeighbourRow::new(hop, state.name(hop.interface)).fields(object);
                    }),
                    None => object.null("next_hop"),
                }
                object.texts("verdicts", verdicts.iter().map(String::as_str));
            })?;
        }
        output.flush()?;
        Ok(if gets_away { Exit::Answered } else { Exit::No })
    }

    fn verdicts(&self, response: &GetRouteResponse, route: &v1::Route) -> Vec<String> {
        let to = self.destination;
        if !response.error.is_empty() {
            let error = cell(|cell| cell.text(&response.error));
            return vec![match RouteType::try_from(route.r#type) {
                Ok(RouteType::Unspecified) => {
                    format!(
                        "{to}: not sent: no route leads there, not even a default one, or a rule says so: {error}"
                    )
                }
                Ok(RouteType::Prohibit) => format!("{to}: not sent: a route or rule prohibits it: {error}"),
                Ok(RouteType::Unreachable) => {
                    format!("{to}: not sent: a route or rule says that it is unreachable: {error}")
                }
                Ok(RouteType::Blackhole) => {
                    format!("{to}: not sent: a route or rule drops it without a word (blackhole): {error}")
                }
                _ => format!("{to}: not sent: {error}"),
            }];
        }
        let interface = cell(|cell| cell.raw(&response.interface));
        let hop = route.next_hops.first();
        let gateway = hop.map(|hop| hop.gateway.as_slice()).filter(|gateway| !gateway.is_empty());
        let via = match (RouteType::try_from(route.r#type), gateway) {
            (Ok(RouteType::Local), _) => format!("is an address of the container itself ({interface})"),
            (Ok(RouteType::Broadcast), _) => format!("is a broadcast address on {interface}"),
            (Ok(RouteType::Multicast), _) => format!("is a multicast address, sent through {interface}"),
            (_, Some(gateway)) => format!("through {interface} via the gateway {}", words::address(gateway)),
            (_, None) => format!("through {interface}, directly on its link"),
        };
        let from = match &*route.source {
            [] => String::new(),
            source => format!(", from {}", words::address(source)),
        };
        let mtu =
            response.mtu_bytes.map(|mtu| format!(", packets of at most {mtu} bytes")).unwrap_or_default();
        let table = match route.table {
            0 | words::MAIN | words::LOCAL => String::new(),
            table => format!(", by table {}", words::table(table)),
        };
        let mut lines = vec![format!("{to}: {via}{from}{mtu}{table}")];
        if let Some(hop) = &response.next_hop {
            let who = words::address(&hop.ip);
            let hardware = words::hardware_address(&hop.hardware_address);
            lines.push(match hop.state {
                words::neighbour::FAILED => {
                    format!("{who} does not answer on that link: what is sent there is lost (FAILED)")
                }
                words::neighbour::INCOMPLETE => {
                    format!("{who} was asked for on that link and has not answered yet (INCOMPLETE)")
                }
                state => format!("{who} is {} at {hardware}", words::neighbour_state(state)),
            });
        }
        lines
    }
}

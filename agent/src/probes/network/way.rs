//! Which way a packet would go.

use std::net::IpAddr;

use dbgctl_linux::netlink::link::Link;
use dbgctl_linux::netlink::neighbour::Neighbour;
use dbgctl_linux::netlink::route::Route;
use dbgctl_linux::netlink::rtnetlink::{Asked, Rtnetlink, Table};
use dbgctl_proto::v1;
use nix::errno::Errno;

use super::message;
use crate::error::{BadRequest, ProbeError};
use crate::sources::Sources;

/// Asks the kernel.
pub(super) fn find(
    sources: &Sources,
    request: &v1::GetRouteRequest,
) -> Result<v1::GetRouteResponse, ProbeError> {
    let destination =
        ip(&request.destination).ok_or_else(|| BadRequest::new("destination", "is not 4 or 16 bytes"))?;
    let source = match &*request.source {
        [] => None,
        bytes => Some(
            ip(bytes)
                .filter(|source| source.is_ipv4() == destination.is_ipv4())
                .ok_or_else(|| BadRequest::new("source", "is not an address of the destination's family"))?,
        ),
    };
    let mut kernel = Rtnetlink::open(sources.root())?;
    let interface = match &*request.interface {
        [] => None,
        name => {
            let found = link(&mut kernel, |link| link.name == name)?;
            Some(found.ok_or_else(|| BadRequest::new("interface", "there is none of that name"))?.index)
        }
    };
    let told = match kernel.route_to(Asked { destination, source, interface, mark: request.mark }) {
        Ok(told) => told,
        Err(error) => return nowhere(error.errno()).ok_or_else(|| error.into()),
    };
    let Some(route) = told.as_deref().and_then(Route::parse) else {
        return Err(ProbeError::Broken("the kernel told a route that is none".to_owned()));
    };
    if route.errno > 0 {
        // IPv6 tells the route and why it leads nowhere.
        let errno = i32::try_from(route.errno).map(Errno::from_raw).unwrap_or(Errno::UnknownErrno);
        let response = nowhere(Some(errno)).unwrap_or_default();
        let found = message::route(route);
        let named = response.route.map_or(0, |route| route.r#type);
        let told = if found.next_hops.is_empty() || named == 0 { named } else { found.r#type };
        return Ok(v1::GetRouteResponse {
            route: Some(v1::Route { r#type: told, ..found }),
            error: words(errno),
            ..response
        });
    }
    let hop = route.next_hops.first().copied();
    let leaves = match hop {
        Some(hop) => link(&mut kernel, |link| link.index == hop.interface)?,
        None => None,
    };
    let mtu_bytes = route.mtu_bytes.into_iter().chain(leaves.as_ref().and_then(|link| link.mtu_bytes)).min();
    let mut next_hop = None;
    if let Some(hop) = hop {
        let next = hop.gateway.unwrap_or(destination);
        kernel.dump(Table::Neighbours, |told| {
            let neighbour = Neighbour::parse(told);
            let found =
                neighbour.filter(|neighbour| neighbour.interface == hop.interface && neighbour.ip == next);
            next_hop = found.map(message::neighbour);
            next_hop.is_none()
        })?;
    }
    Ok(v1::GetRouteResponse {
        route: Some(message::route(route)),
        error: String::new(),
        interface: leaves.map(|link| link.name).unwrap_or_default(),
        mtu_bytes,
        next_hop,
    })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

fn link(kernel: &mut Rtnetlink<'_>, is_it: impl Fn(&Link) -> bool) -> Result<Option<Link>, ProbeError> {
    let mut found = None;
    kernel.dump(Table::Links, |told| {
        // To the end: what is not read would be taken for the answer to the next question.
        found = found.take().or_else(|| Link::parse(told).filter(|link| is_it(link)));
        true
    })?;
    Ok(found)
}

/// That the kernel says no is an answer. `None`: it has another reason not to answer.
fn nowhere(errno: Option<Errno>) -> Option<v1::GetRouteResponse> {
    let kind = match errno? {
        Errno::ENETUNREACH => v1::RouteType::Unspecified,
        Errno::EHOSTUNREACH => v1::RouteType::Unreachable,
        Errno::EACCES => v1::RouteType::Prohibit,
        Errno::EINVAL => v1::RouteType::Blackhole,
        _ => return None,
    };
    let route = v1::Route { r#type: kind.into(), ..v1::Route::default() };
    Some(v1::GetRouteResponse { route: Some(route), error: words(errno?), ..v1::GetRouteResponse::default() })
}

/// The kernel's words with the name that manual pages use.
fn words(errno: Errno) -> String {
    format!("{} ({errno:?})", errno.desc().to_lowercase())
}

//! Interfaces, addresses, routes, rules and neighbours as they are shown.

mod addresses;
mod interfaces;
mod neighbours;
mod routes;
mod rules;

pub(super) use self::addresses::addresses;
pub(super) use self::interfaces::interfaces;
pub(super) use self::neighbours::{NeighbourRow, neighbours};
pub(super) use self::routes::{RouteRow, routes};
pub(super) use self::rules::rules;

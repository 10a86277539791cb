//! Routes.

use std::borrow::Cow;

use dbgctl_proto::v1::{Route, RouteType};

use super::super::state::State;
use super::super::words;
use crate::render::{Column, Emphasis, Object, Row};

/// A route.
#[derive(Debug)]
pub(in crate::commands::network) struct RouteRow {
    route: Route,
    /// Names of the interfaces of its next hops.
    interfaces: Vec<String>,
}

/// The routes; unless `all`, without those to the namespace's own addresses and those that were learnt.
pub(in crate::commands::network) fn routes(state: &State, all: bool) -> Vec<RouteRow> {
    let is_shown = |route: &&Route| all || (route.table != words::LOCAL && !route.cached);
    let mut rows: Vec<_> =
        state.routes.iter().filter(is_shown).map(|route| RouteRow::new(route, state)).collect();
    // A table that few look into is shown after the one that all do.
    rows.sort_by_key(|row| (row.route.table != words::MAIN, row.route.table));
    rows
}

impl RouteRow {
    pub(in crate::commands::network) fn new(route: &Route, state: &State) -> Self {
        let interfaces = route.next_hops.iter().map(|hop| state.name(hop.interface)).collect();
        Self { route: route.clone(), interfaces }
    }

    fn leads_nowhere(&self) -> bool {
        matches!(
            RouteType::try_from(self.route.r#type),
            Ok(RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit)
        )
    }

    fn destination(&self) -> String {
        words::network(&self.route.destination, self.route.prefix_bits, "default")
    }

    fn type_name(&self) -> Option<Cow<'_, str>> {
        let usual = self.route.r#type == i32::from(RouteType::Unicast);
        let name = if usual { Cow::Borrowed("") } else { words::route_type(self.route.r#type) };
        let flags = self.route.next_hops.iter().fold(0, |flags, hop| flags | hop.flags);
        let more =
            [(flags & 1 != 0, "dead"), (flags & 0x10 != 0, "link down"), (self.route.cached, "learnt")];
        let more = more.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word);
        let words: Vec<_> = [&*name].into_iter().filter(|name| !name.is_empty()).chain(more).collect();
        (!words.is_empty()).then(|| words.join(",").into())
    }
}

fn joined<'r>(words: impl Iterator<Item = String>) -> Option<Cow<'r, str>> {
    let joined = words.collect::<Vec<_>>().join(" ");
    (!joined.is_empty()).then(|| joined.into())
}

impl Row for RouteRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("ROUTE TO", |row| row.destination().into()),
        Column::maybe("VIA", |row: &Self| {
            let gateways = row.route.next_hops.iter().filter(|hop| !hop.gateway.is_empty());
            joined(gateways.map(|hop| words::address(&hop.gateway)))
        }),
        Column::maybe("INTERFACE", |row: &Self| joined(row.interfaces.iter().cloned())),
        Column::maybe("FROM", |row: &Self| {
            Some(&row.route.source)
                .filter(|source| !source.is_empty())
                .map(|source| words::address(source).into())
        }),
        Column::number("METRIC", |row: &Self| row.route.metric.map(i64::from)).if_any(),
        Column::number("MTU", |row: &Self| row.route.mtu_bytes.map(i64::from)).if_any(),
        Column::maybe("TABLE", |row: &Self| {
            Some(words::table(row.route.table)).filter(|_| row.route.table != words::MAIN)
        })
        .if_any(),
        Column::text("MADE BY", |row| words::protocol(row.route.protocol)),
        Column::maybe("TYPE", |row: &Self| row.type_name()).if_any(),
        Column::text("SCOPE", |row: &Self| words::scope(row.route.scope)).wide_only(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("item", "route");
        self.route_fields(object);
    }

    fn emphasis(&self) -> Emphasis {
        if self.leads_nowhere() || self.route.next_hops.iter().any(|hop| hop.flags & 0x11 != 0) {
            Emphasis::Notable
        } else {
            Emphasis::None
        }
    }
}

impl RouteRow {
    pub(in crate::commands::network) fn route_fields(&self, object: &mut Object<'_>) {
        let route = &self.route;
        object.text("destination", &*words::address(&route.destination));
        object.number("prefix_bits", u64::from(route.prefix_bits));
        let from = Some(route).filter(|route| !route.from.is_empty());
        object.text("from", from.map(|route| words::network(&route.from, route.from_bits, "any")).as_deref());
        object.text("type", &*words::route_type(route.r#type));
        object.text("table", &*words::table(route.table));
        object.text("protocol", &*words::protocol(route.protocol));
        object.text("scope", &*words::scope(route.scope));
        object.number("metric", route.metric.map(u64::from));
        let source = Some(&route.source).filter(|source| !source.is_empty());
        object.text("source", source.map(|source| words::address(source)).as_deref());
        object.number("mtu_bytes", route.mtu_bytes.map(u64::from));
        object.objects("next_hops", route.next_hops.iter().zip(&self.interfaces), |(hop, name), object| {
            object.number("interface", u64::from(hop.interface));
            object.text("interface_name", name.as_str());
            let gateway = Some(&hop.gateway).filter(|gateway| !gateway.is_empty());
            object.text("gateway", gateway.map(|gateway| words::address(gateway)).as_deref());
            object.number("weight", u64::from(hop.weight));
            object.number("flags", u64::from(hop.flags));
        });
        object.flag("cached", route.cached);
    }
}

//! Neighbours on the link.

use std::borrow::Cow;

use dbgctl_proto::v1::Neighbour;

use super::super::state::State;
use super::super::words::{self, neighbour};
use crate::render::{Column, Emphasis, Object, Row};

/// A neighbour.
#[derive(Debug)]
pub(in crate::commands::network) struct NeighbourRow {
    neighbour: Neighbour,
    interface: String,
}

/// The neighbours; unless `all`, without those that need not be asked for.
pub(in crate::commands::network) fn neighbours(state: &State, all: bool) -> Vec<NeighbourRow> {
    let is_shown = |it: &&Neighbour| all || it.state & neighbour::NOARP == 0;
    state
        .neighbours
        .iter()
        .filter(is_shown)
        .map(|it| NeighbourRow::new(it, state.name(it.interface)))
        .collect()
}

impl NeighbourRow {
    pub(in crate::commands::network) fn new(neighbour: &Neighbour, interface: String) -> Self {
        Self { neighbour: neighbour.clone(), interface }
    }
}

impl Row for NeighbourRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("NEIGHBOUR", |row| words::address(&row.neighbour.ip).into()),
        Column::text("INTERFACE", |row| Cow::Borrowed(&row.interface)),
        Column::maybe("MAC", |row: &Self| {
            Some(words::hardware_address(&row.neighbour.hardware_address).into())
                .filter(|text: &Cow<'_, str>| !text.is_empty())
        }),
        Column::text("STATE", |row| words::neighbour_state(row.neighbour.state)),
        Column::maybe("ROLE", |row: &Self| (row.neighbour.flags & 0x80 != 0).then_some("router".into()))
            .if_any(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let neighbour = &self.neighbour;
        object.text("item", "neighbour");
        object.number("interface", u64::from(neighbour.interface));
        object.text("interface_name", self.interface.as_str());
        object.text("ip", &*words::address(&neighbour.ip));
        let hardware =
            Some(words::hardware_address(&neighbour.hardware_address)).filter(|text| !text.is_empty());
        object.text("hardware_address", hardware.as_deref());
        object.text("state", &*words::neighbour_state(neighbour.state).to_lowercase());
        object.number("flags", u64::from(neighbour.flags));
        object.number("probes", u64::from(neighbour.probes));
    }

    fn emphasis(&self) -> Emphasis {
        match self.neighbour.state {
            state if state & (neighbour::FAILED | neighbour::INCOMPLETE) != 0 => Emphasis::Alarming,
            _ => Emphasis::None,
        }
    }
}

//! `mem --pid N --maps`: what one process has mapped.

use dbgctl_proto::v1::{self, MappingGroup};

use crate::commands::Failure;
use crate::commands::stream::Listing;
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

impl Row for MappingGroup {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::bytes("RSS", |row| Some(row.rss_bytes)),
        Column::bytes("PSS", |row| Some(row.pss_bytes)),
        Column::bytes("DIRTY", |row| Some(row.private_dirty_bytes)),
        Column::bytes("SWAP", |row| Some(row.swap_bytes)),
        Column::bytes("SIZE", |row| Some(row.size_bytes)),
        Column::number("MAPPINGS", |row| i64::try_from(row.mappings).ok()),
        Column::written("MAPPED", |row, cell| match (row.others, row.name.is_empty()) {
            (true, _) => cell.show("(all others)"),
            (false, true) => cell.show("(anonymous)"),
            (false, false) => cell.raw(&row.name),
        }),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.raw("name", self.name.as_slice());
        object.flag("others", self.others);
        object.number("mappings", self.mappings);
        object.number("size_bytes", self.size_bytes);
        object.number("rss_bytes", self.rss_bytes);
        object.number("pss_bytes", self.pss_bytes);
        object.number("private_dirty_bytes", self.private_dirty_bytes);
        object.number("swap_bytes", self.swap_bytes);
    }

    fn emphasis(&self) -> Emphasis {
        if self.rss_bytes == 0 { Emphasis::Dim } else { Emphasis::None }
    }
}

/// Shows the groups, and their sum.
pub(super) fn show(
    listing: Listing<v1::ListMappingsResponse>,
    output: &mut Output,
    talk: &mut Talk,
) -> Result<Exit, Failure> {
    let Listing { rows: groups, closing, .. } = listing;
    output.keep_free(1);
    output.rows(&groups)?;
    output.sentences([total(&groups, closing.is_complete())])?;
    Ok(closing.show("groups", output, talk)?)
}

fn total(groups: &[MappingGroup], is_whole: bool) -> String {
    let sum = |of: fn(&MappingGroup) -> u64| groups.iter().map(of).fold(0, u64::saturating_add);
    let mappings = match sum(|group| group.mappings) {
        1 => "1 mapping".to_owned(),
        many => format!("{many} mappings"),
    };
    format!(
        "{mappings}{}: {} resident, {} by its share, of {} in the address space",
        if is_whole { "" } else { " of what is shown" },
        Bytes(sum(|group| group.rss_bytes)),
        Bytes(sum(|group| group.pss_bytes)),
        Bytes(sum(|group| group.size_bytes)),
    )
}

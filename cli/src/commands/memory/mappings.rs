//! `mem --pid N --maps`: what one process has mapped.

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::list_mappings_response::Part;
use dbgctl_proto::v1::memory_service_client::MemoryServiceClient;
use dbgctl_proto::v1::{self, MappingGroup, Summary};

use crate::commands::agent::Agent;
use crate::commands::{Failure, stream};
use crate::exit::Exit;
use crate::render::human::Bytes;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk, closing};

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

/// What the agent sent.
#[derive(Debug, Default)]
pub(super) struct Listing {
    groups: Vec<MappingGroup>,
    summary: Option<Summary>,
    broken_off: Option<&'static str>,
}

/// Reads the whole stream, as far as there is room for it.
pub(super) async fn read(agent: &Agent, request: v1::ListMappingsRequest) -> Result<Listing, Failure> {
    let mut client = MemoryServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let responses = client.list_mappings(agent.request(request)).await?.into_inner();
    let mut listing = Listing::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Batch(batch)) => listing.groups.extend(batch.groups),
            Some(Part::Summary(summary)) => listing.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
        listing.summary.is_some()
    });
    listing.broken_off = broken_off.await?;
    Ok(listing)
}

fn footprint(response: &v1::ListMappingsResponse) -> usize {
    let Some(Part::Batch(batch)) = &response.part else { return 0 };
    batch.groups.iter().map(|group| size_of::<MappingGroup>() + group.name.capacity()).sum()
}

/// Shows the groups, and their sum.
pub(super) fn show(listing: &Listing, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
    let Listing { groups, summary, broken_off } = listing;
    if output.is_table() {
        output.keep_free(1);
        output.rows(groups)?;
        let is_whole = summary.as_ref().is_some_and(|summary| summary.end() == v1::End::Complete);
        output.sentence(total(groups, is_whole))?;
        let gaps = summary.iter().flat_map(|summary| closing::sentences(summary, "groups"));
        output.beside(talk, gaps.chain(broken_off.map(str::to_owned)))?;
    } else {
        output.rows(groups)?;
        output.object(|object| match summary {
            Some(summary) => object.object("summary", |object| closing::fields(summary, object)),
            None => object.null("summary"),
        })?;
        talk.lines(broken_off);
    }
    output.flush()?;
    Ok(if broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
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

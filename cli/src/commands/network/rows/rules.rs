//! Rules that choose a table of routes.

use std::borrow::Cow;

use dbgctl_proto::v1::{RoutingRule, RuleAction};

use super::super::state::State;
use super::super::words;
use crate::render::{Column, Emphasis, Object, Row, cell};

/// A rule.
#[derive(Debug)]
pub(in crate::commands::network) struct RuleRow(RoutingRule);

/// The rules; unless `all`, only if there are others than every network has.
pub(in crate::commands::network) fn rules(state: &State, all: bool) -> Vec<RuleRow> {
    if !all && state.rules.iter().all(is_usual) {
        return Vec::new();
    }
    state.rules.iter().cloned().map(RuleRow).collect()
}

/// One of those that the kernel makes by itself.
fn is_usual(rule: &RoutingRule) -> bool {
    let usual = [(0, words::LOCAL), (32_766, words::MAIN), (32_767, 253)];
    rule.action == i32::from(RuleAction::Table)
        && usual.contains(&(rule.priority, rule.table))
        && condition(rule).is_empty()
}

/// `from 10.0.0.0/8 mark 0x1`; empty for all packets.
fn condition(rule: &RoutingRule) -> String {
    let mut parts = Vec::new();
    let mut part = |is_there: bool, text: String| {
        if is_there {
            parts.push(text);
        }
    };
    part(rule.inverted, "not".to_owned());
    part(rule.from_bits > 0, format!("from {}", words::network(&rule.from, rule.from_bits, "any")));
    part(rule.to_bits > 0, format!("to {}", words::network(&rule.to, rule.to_bits, "any")));
    part(!rule.in_interface.is_empty(), format!("in {}", cell(|cell| cell.raw(&rule.in_interface))));
    part(!rule.out_interface.is_empty(), format!("out {}", cell(|cell| cell.raw(&rule.out_interface))));
    if let Some(mark) = rule.mark {
        let mask = rule.mark_mask.filter(|&mask| mask != u32::MAX);
        part(
            true,
            mask.map_or_else(|| format!("mark {mark:#x}"), |mask| format!("mark {mark:#x}/{mask:#x}")),
        );
    }
    part(rule.has_more, "and by user, protocol or port".to_owned());
    parts.join(" ")
}

impl RuleRow {
    fn leads_to(&self) -> Cow<'static, str> {
        match RuleAction::try_from(self.0.action) {
            Ok(RuleAction::Table) => format!("table {}", words::table(self.0.table)).into(),
            _ => words::rule_action(self.0.action),
        }
    }
}

impl Row for RuleRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("RULE", |row| Some(row.0.priority.into())),
        Column::text("FAMILY", |row| if row.0.ipv6 { "IPv6" } else { "IPv4" }.into()),
        Column::text("PACKETS", |row: &Self| {
            Some(condition(&row.0)).filter(|text| !text.is_empty()).unwrap_or_else(|| "all".to_owned()).into()
        }),
        Column::text("LEADS TO", |row| row.leads_to()),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let Self(rule) = self;
        object.text("item", "rule");
        object.flag("ipv6", rule.ipv6);
        object.number("priority", u64::from(rule.priority));
        object.text("action", &*words::rule_action(rule.action));
        object.text("table", &*words::table(rule.table));
        object.flag("inverted", rule.inverted);
        object.text("from", &*words::network(&rule.from, rule.from_bits, "any"));
        object.text("to", &*words::network(&rule.to, rule.to_bits, "any"));
        object.raw("in_interface", Some(rule.in_interface.as_slice()).filter(|name| !name.is_empty()));
        object.raw("out_interface", Some(rule.out_interface.as_slice()).filter(|name| !name.is_empty()));
        object.number("mark", rule.mark.map(u64::from));
        object.number("mark_mask", rule.mark_mask.map(u64::from));
        object.flag("has_more", rule.has_more);
    }

    fn emphasis(&self) -> Emphasis {
        if is_usual(&self.0) { Emphasis::Dim } else { Emphasis::None }
    }
}

//! `cargo xtask readme`: the table of probes in README.md, written from the contract.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::needs::{Effect, Needs};
use crate::{Result, codegen};

const BEGIN: &str = "<!-- probes:begin -->";
const END: &str = "<!-- probes:end -->";

/// The verb a user types, by the service that answers it.
const VERBS: &[(&str, &str)] = &[
    ("ProcessService", "ps"),
    ("MemoryService", "mem"),
    ("CpuService", "cpu"),
    ("IoService", "io"),
    ("DescriptorService", "fds"),
    ("EnvironmentService", "env"),
    ("PidService", "pids"),
    ("LimitService", "limits"),
    ("StackService", "stack"),
    ("DirectoryService", "ls"),
    ("FileStatusService", "stat"),
    ("ContentService", "cat"),
    ("SearchService", "find"),
    ("MountService", "df"),
    ("UsageService", "du"),
    ("CopyService", "cp"),
    ("AccessService", "access"),
    ("SocketService", "sockets"),
    ("DnsService", "dns"),
    ("NetworkService", "net"),
    ("ConnectService", "connect"),
    ("TlsService", "tls"),
    ("HttpService", "http"),
    ("PingService", "ping"),
    ("TraceService", "trace"),
    ("ForwardService", "port-forward"),
    ("CaptureService", "capture"),
];

/// Services that are not probes: they serve the session itself.
const WITHOUT_VERB: [&str; 1] = ["AgentService"];

/// Writes the table between the markers.
pub(crate) fn write(workspace: &Path) -> Result {
    let (_, new) = old_and_new(workspace)?;
    Ok(fs::write(workspace.join("README.md"), new)?)
}

/// Fails if [`write`] would change something.
pub(crate) fn check(workspace: &Path) -> Result {
    let (old, new) = old_and_new(workspace)?;
    if old == new {
        return Ok(());
    }
    Err("the table of probes in README.md is stale: run `cargo xtask readme`".into())
}

fn old_and_new(workspace: &Path) -> Result<(String, String)> {
    let old =
        fs::read_to_string(workspace.join("README.md")).map_err(|error| format!("README.md: {error}"))?;
    let new = with_table(&old, &table(&codegen::needs(workspace)?)?)?;
    Ok((old, new))
}

fn with_table(readme: &str, table: &str) -> Result<String> {
    let missing = || format!("README.md has no `{BEGIN}` followed by `{END}`");
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

/// One row per RPC, in the order of [`VERBS`].
fn table(all: &[Needs]) -> Result<String> {
    let listed =
        |service: &str| VERBS.iter().any(|(known, _)| *known == service) || WITHOUT_VERB.contains(&service);
    if let Some(needs) = all.iter().find(|needs| !listed(&needs.service)) {
        return Err(format!("{}: add its verb to VERBS in xtask/src/readme.rs", needs.service).into());
    }
    let mut table = String::from("| Verb | RPC | Effect | Capabilities |\n| --- | --- | --- | --- |\n");
    for (service, verb) in VERBS {
        for needs in all.iter().filter(|needs| needs.service == *service) {
            let effect = effect(needs.effect);
            writeln!(table, "| `{verb}` | `{service}.{}` | {effect} | {} |", needs.rpc, capabilities(needs))?;
        }
    }
    Ok(table)
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Observes => "observes",
        Effect::SendsTraffic => "sends traffic",
        Effect::Captures => "captures",
        Effect::Changes => "changes target",
    }
}

fn capabilities(needs: &Needs) -> String {
    if needs.capabilities.is_empty() {
        return "none".to_owned();
    }
    let shown = needs.capabilities.iter().map(|capability| {
        let optional = if capability.optional { " (optional)" } else { "" };
        format!("`{}`{optional}, {}", capability.name, capability.reason)
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let readme = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = with_table(&readme, "| new |\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n| new |\n{END}\nafter\n"));
    }

    #[test]
    fn a_readme_without_markers_is_an_error() {
        assert!(with_table("text", "table").is_err());
    }
}

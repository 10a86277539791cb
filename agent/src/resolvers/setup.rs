//! Which resolver the target's program has, and what the target's files tell it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dbgctl_linux::etc::resolv_conf::{self, ResolvConf, Resolver, Server};
use dbgctl_linux::etc::{hosts, nsswitch};
use dbgctl_linux::procfs::exe::{self, Program};
use dbgctl_linux::procfs::{cmdline, if_inet6};
use dbgctl_linux::{Buffer, Pid, ReadError};
use dbgctl_proto::v1;
use nix::unistd::gethostname;

use super::environment::{self, Alias};
use crate::error::ProbeError;
use crate::sources::Sources;

const PORT: u16 = 53;

/// Everything that a look-up depends on.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) resolver: Resolver,
    /// Why that one.
    pub(crate) reason: String,
    pub(crate) conf: ResolvConf,
    /// Whom to ask, in order.
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) search: Vec<Vec<u8>>,
    /// Of the file that the environment of the program names.
    pub(super) aliases: Vec<Alias>,
    /// `files`, `dns` and others, in order.
    pub(crate) sources: Vec<nsswitch::Source>,
    /// The text of `/etc/hosts`.
    pub(super) hosts: Vec<u8>,
    pub(crate) remarks: Vec<String>,
    /// By TCP from the beginning.
    pub(crate) tcp: bool,
    /// The time to wait was asked for, and is not the configured one.
    pub(crate) timeout_is_given: bool,
}

impl Setup {
    /// Reads the target's configuration. `wanted`: the resolver, if that is not for the program to say. The environment of
    /// the program is heeded where it may be read, or `must` be.
    ///
    /// # Errors
    ///
    /// If a file is there and can not be read: what a resolver would do then is not to be guessed.
    pub(crate) fn read(
        sources: &Sources,
        wanted: Option<Resolver>,
        must_heed_environment: bool,
    ) -> Result<Self, ProbeError> {
        let mut buffer = Buffer::default();
        let mut remarks = Vec::new();
        let init = sources.target_init().ok();
        let (resolver, reason) = match wanted {
            Some(resolver) => (resolver, "asked for".to_owned()),
            None => choose(sources, init, &mut buffer),
        };
        let files = Files { sources, init };
        let text = files.read("/etc/resolv.conf", resolv_conf::BOUND_BYTES, &mut remarks)?;
        let mut conf = resolv_conf::parse(&text, resolver);
        let aliases =
            match init.map(|init| environment::heed(sources, init, &mut conf, resolver, &mut remarks)) {
                Some(Ok(aliases)) => aliases,
                Some(Err(error)) if must_heed_environment => return Err(error.into()),
                None if must_heed_environment => return Err(ProbeError::TargetGone),
                Some(Err(_)) | None => Vec::new(),
            };
        let hosts = files.read("/etc/hosts", hosts::BOUND_BYTES, &mut remarks)?;
        let order = order(&files, resolver, &mut remarks);
        let mut search = conf.search.clone();
        if search.is_empty() && resolver != Resolver::Musl {
            search.extend(domain_of_host());
        }
        let servers =
            conf.servers.iter().map(|server| socket_address(sources, server, &mut buffer)).collect();
        remarks.extend(conf.remarks.iter().cloned());
        Ok(Self {
            resolver,
            reason,
            conf,
            servers,
            search,
            aliases,
            sources: order,
            hosts,
            remarks,
            tcp: false,
            timeout_is_given: false,
        })
    }

    /// Waits so long for each answer, whatever is configured.
    pub(crate) fn wait(&mut self, timeout: Duration) {
        // musl's time is for all attempts together.
        let attempts = if self.resolver == Resolver::Musl { self.conf.attempts.max(1) } else { 1 };
        self.conf.timeout = timeout.saturating_mul(attempts);
        self.timeout_is_given = true;
    }

    /// What it says, in the words of the contract.
    pub(crate) fn header(&self, started_unix_nanos: u64) -> v1::LookUpHeader {
        let resolver = match self.resolver {
            Resolver::Glibc => v1::Resolver::Glibc,
            Resolver::Musl => v1::Resolver::Musl,
            Resolver::Go => v1::Resolver::Go,
        };
        v1::LookUpHeader {
            resolver: resolver.into(),
            resolver_reason: self.reason.clone(),
            started_unix_nanos,
            servers: self.servers.iter().map(ToString::to_string).collect(),
            search: self.search.clone(),
            ndots: self.conf.ndots,
            timeout_nanos: u64::try_from(self.conf.timeout.as_nanos()).unwrap_or(u64::MAX),
            attempts: self.conf.attempts,
            options: self.conf.options().into_iter().map(str::to_owned).collect(),
            sources: self.sources.iter().map(ToString::to_string).collect(),
            remarks: self.remarks.clone(),
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(resolver: Resolver, conf: &str) -> Self {
        let conf = resolv_conf::parse(conf.as_bytes(), resolver);
        Self {
            resolver,
            reason: String::new(),
            servers: conf.servers.iter().map(|server| (server.address, PORT).into()).collect(),
            search: conf.search.clone(),
            aliases: Vec::new(),
            conf,
            sources: files_and_dns(),
            hosts: Vec::new(),
            remarks: Vec::new(),
            tcp: false,
            timeout_is_given: false,
        }
    }
}

/// The target's files, as far as they are to be had.
struct Files<'s> {
    sources: &'s Sources,
    init: Option<Pid>,
}

impl Files<'_> {
    /// A file that the engine shares between the containers of a network namespace: the target's own, or, where that is
    /// out of reach, the agent's, which is the same file. Empty if there is none.
    fn read(&self, path: &str, bound: usize, remarks: &mut Vec<String>) -> Result<Vec<u8>, ProbeError> {
        let result =
            self.of_target(path, bound).filter(|result| !matches!(result, Err(error) if error.is_denied()));
        match result.unwrap_or_else(|| self.of(Pid(std::process::id()), path, bound)) {
            Err(error) if error.is_gone() => {
                remarks.push(format!("the target has no {path}"));
                Ok(Vec::new())
            }
            result => result.map_err(|source| ProbeError::File { path: path.as_bytes().to_vec(), source }),
        }
    }

    /// `None`: there is no such process to be seen.
    fn of_target(&self, path: &str, bound: usize) -> Option<Result<Vec<u8>, ReadError>> {
        self.init.map(|init| self.of(init, path, bound))
    }

    fn of(&self, pid: Pid, path: &str, bound: usize) -> Result<Vec<u8>, ReadError> {
        let file = self.sources.root().open_in(pid, Path::new(path))?;
        Ok(file.read(bound, &mut Buffer::default())?.to_vec())
    }
}

fn files_and_dns() -> Vec<nsswitch::Source> {
    ["files", "dns"].map(nsswitch::Source::new).into()
}

/// The sources of names in order.
fn order(files: &Files<'_>, resolver: Resolver, remarks: &mut Vec<String>) -> Vec<nsswitch::Source> {
    if resolver == Resolver::Musl {
        return files_and_dns();
    }
    let text = match files.of_target("/etc/nsswitch.conf", nsswitch::BOUND_BYTES) {
        Some(Ok(text)) => text,
        Some(Err(error)) if error.is_denied() => {
            remarks.push(
                "the target's nsswitch.conf is not readable at this level: `files dns` is assumed".to_owned(),
            );
            return files_and_dns();
        }
        Some(Err(_)) | None => return files_and_dns(),
    };
    let order = nsswitch::parse(&text).filter(|order| !order.is_empty()).unwrap_or_else(files_and_dns);
    let is_known = |source: &nsswitch::Source| matches!(source.name.as_str(), "files" | "dns");
    if resolver == Resolver::Go {
        // It heeds the order of these two and nothing else: src/net/conf.go.
        let known: Vec<_> = order
            .iter()
            .filter(|source| is_known(source))
            .map(|it| nsswitch::Source::new(&it.name))
            .collect();
        return if known.is_empty() { files_and_dns() } else { known };
    }
    for source in order.iter().filter(|source| !is_known(source)) {
        remarks.push(format!(
            "nsswitch.conf has the source `{}`, which is not asked here: it counts as not available",
            source.name
        ));
    }
    if !order.iter().any(|source| source.name == "dns") {
        remarks.push("nsswitch.conf does not have the source `dns`: no server is asked".to_owned());
    }
    order
}

/// What the program of the target's first process resolves with.
fn choose(sources: &Sources, init: Option<Pid>, buffer: &mut Buffer) -> (Resolver, String) {
    let Some(init) = init else {
        return (
            Resolver::Glibc,
            "the target's program is not to be seen: the GNU C library's is assumed".to_owned(),
        );
    };
    let name = cmdline::read(sources.root(), init, buffer)
        .ok()
        .and_then(|cmdline| cmdline.arguments().next().map(|name| String::from_utf8_lossy(name).into_owned()))
        .unwrap_or_else(|| format!("process {init}"));
    match exe::read(sources.root(), init, buffer) {
        Ok(Some(program)) => {
            let (resolver, why) = of_program(&program);
            (resolver, format!("{name} {why}"))
        }
        Ok(None) => (Resolver::Glibc, format!("{name} is no 64-bit program: the GNU C library's is assumed")),
        Err(error) if error.is_denied() => {
            let why =
                "what the target's program is can not be seen at this level: the GNU C library's is assumed";
            (Resolver::Glibc, why.to_owned())
        }
        Err(error) => {
            (Resolver::Glibc, format!("{name}: {}: the GNU C library's is assumed", error.reason()))
        }
    }
}

fn of_program(program: &Program) -> (Resolver, &'static str) {
    match &program.loader {
        _ if program.is_go => (Resolver::Go, "is a Go program"),
        Some(loader) if loader.windows(7).any(|window| window == b"ld-musl") => {
            (Resolver::Musl, "is linked with musl")
        }
        Some(_) => (Resolver::Glibc, "is linked with the GNU C library"),
        None if program.is_gnu => (Resolver::Glibc, "is static, with the GNU C library in it"),
        None => (Resolver::Musl, "is static and neither Go's nor the GNU C library's: musl's is assumed"),
    }
}

/// What is behind the first dot of the host's name. The engine gives the sidecar the target's.
fn domain_of_host() -> Option<Vec<u8>> {
    let host = gethostname().ok()?.into_encoded_bytes();
    let at = host.iter().position(|&byte| byte == b'.')?;
    Some(host[at + 1..].to_vec()).filter(|domain| !domain.is_empty())
}

fn socket_address(sources: &Sources, server: &Server, buffer: &mut Buffer) -> SocketAddr {
    let mut address = SocketAddr::new(server.address, PORT);
    if let (SocketAddr::V6(address), Some(zone)) = (&mut address, &server.zone) {
        address.set_scope_id(interface(sources, zone, buffer).unwrap_or(0));
    }
    address
}

/// The number of the interface that a zone names. `None`: there is none of that name with an IPv6 address.
pub(crate) fn interface(sources: &Sources, zone: &[u8], buffer: &mut Buffer) -> Option<u32> {
    let number = str::from_utf8(zone).ok().and_then(|zone| zone.parse().ok());
    number.or_else(|| if_inet6::index(sources.root(), zone, buffer).ok().flatten())
}

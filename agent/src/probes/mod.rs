//! The probes: each collects findings from the sources, and makes messages of them.

mod capture;
mod cgroup;
pub mod connect;
pub mod cpu;
pub mod descriptors;
pub mod dns;
pub mod environment;
pub mod files;
pub mod forward;
pub mod http;
pub mod input_output;
pub mod limits;
pub mod memory;
pub mod network;
mod packets;
pub mod pids;
mod ping;
pub mod processes;
mod sample;
pub mod sockets;
pub mod stack;
pub mod tls;
mod trace;

use std::sync::Arc;

use tonic::Request;
use tonic::service::RoutesBuilder;

use crate::guard::Lacking;
use crate::sources::Sources;

/// Whether a call can not look into processes of the target.
fn lacks_ptrace<R>(request: &Request<R>) -> bool {
    let lacking = request.extensions().get::<Lacking>();
    lacking.is_some_and(|lacking| lacking.0.contains(&"CAP_SYS_PTRACE"))
}

/// Adds every probe, one line each.
pub(crate) fn add_all(routes: &mut RoutesBuilder, sources: &Arc<Sources>) {
    routes
        .add_service(capture::service(sources.clone()))
        .add_service(connect::service(sources.clone()))
        .add_service(cpu::service(sources.clone()))
        .add_service(descriptors::service(sources.clone()))
        .add_service(dns::service(sources.clone()))
        .add_service(environment::service(sources.clone()))
        .add_service(input_output::service(sources.clone()))
        .add_service(limits::service(sources.clone()))
        .add_service(pids::service(sources.clone()))
        .add_service(files::access::service(sources.clone()))
        .add_service(files::contents::service(sources.clone()))
        .add_service(files::copies::service(sources.clone()))
        .add_service(files::directories::service(sources.clone()))
        .add_service(files::file_status::service(sources.clone()))
        .add_service(files::mounts::service(sources.clone()))
        .add_service(files::search::service(sources.clone()))
        .add_service(files::usage::service(sources.clone()))
        .add_service(forward::service(sources.clone()))
        .add_service(http::service(sources.clone()))
        .add_service(memory::service(sources.clone()))
        .add_service(network::service(sources.clone()))
        .add_service(ping::service(sources.clone()))
        .add_service(trace::service(sources.clone()))
        .add_service(processes::service(sources.clone()))
        .add_service(sockets::service(sources.clone()))
        .add_service(stack::service(sources.clone()))
        .add_service(tls::service(sources.clone()));
}

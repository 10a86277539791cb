//! What the engine's API takes and gives, made from what dbgctl asks and turned into what dbgctl knows.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerState, ContainerSummary, EndpointSettings,
    HealthConfig, HostConfig, HostConfigLogConfig, ImageInspect, NetworkSettings,
};

use crate::attach::facts::{Container, Image, Membership, State, Status, Summary};
use crate::attach::spec::Spec;

pub(super) fn create_body(spec: &Spec) -> ContainerCreateBody {
    let namespace = format!("container:{}", spec.target_id);
    let host_config = HostConfig {
        pid_mode: Some(namespace.clone()),
        network_mode: Some(namespace),
        userns_mode: (!spec.userns_mode.is_empty()).then(|| spec.userns_mode.clone()),
        ipc_mode: Some("private".to_owned()),
        auto_remove: Some(true),
        readonly_rootfs: Some(true),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(
            spec.capabilities.iter().map(|name| name.trim_start_matches("CAP_").to_owned()).collect(),
        ),
        security_opt: Some(vec!["no-new-privileges".to_owned(), format!("seccomp={}", spec.seccomp)]),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        tmpfs: spec.tmpfs.as_ref().map(|(path, options)| HashMap::from([(path.clone(), options.clone())])),
        memory: Some(spec.limits.memory_bytes),
        memory_swap: Some(spec.limits.memory_bytes),
        pids_limit: Some(spec.limits.pids),
        nano_cpus: Some(spec.limits.nano_cpus),
        cpu_shares: Some(spec.limits.cpu_shares),
        oom_score_adj: Some(spec.limits.oom_score_adj),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: Some(vec![spec.entrypoint.clone()]),
        cmd: Some(spec.arguments.clone()),
        user: Some(spec.user.clone()),
        labels: Some(spec.labels.iter().cloned().collect()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // The engine closes the agent's standard input when the CLI that attached is gone.
        stdin_once: Some(true),
        tty: Some(false),
        // An approved image may bring a health check: the engine would start it in the sidecar, again and again.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

pub(super) fn container(found: ContainerInspectResponse) -> Container {
    let host = found.host_config.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    Container {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        state: state(found.state.unwrap_or_default()),
        image: config.image.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        labels: config.labels.unwrap_or_default(),
        pid_mode: host.pid_mode.unwrap_or_default(),
        network_mode: host.network_mode.unwrap_or_default(),
        userns_mode: host.userns_mode.unwrap_or_default(),
        privileged: host.privileged.unwrap_or_default(),
        added_capabilities: host.cap_add.unwrap_or_default(),
        networks: memberships(found.network_settings.unwrap_or_default()),
    }
}

/// By the name of the network.
fn memberships(settings: NetworkSettings) -> Vec<Membership> {
    let membership = |(network, endpoint): (String, EndpointSettings)| Membership {
        network,
        network_id: endpoint.network_id.unwrap_or_default(),
        // An address that there is not is an empty text.
        addresses: [endpoint.ip_address, endpoint.global_ipv6_address]
            .into_iter()
            .filter_map(|address| address?.parse().ok())
            .collect(),
        aliases: endpoint.aliases.unwrap_or_default(),
    };
    let mut memberships: Vec<_> = settings.networks.unwrap_or_default().into_iter().map(membership).collect();
    memberships.sort_by(|one, other| one.network.cmp(&other.network));
    memberships
}

fn state(state: ContainerState) -> State {
    State {
        status: Status::from_name(&state.status.map(|status| status.to_string()).unwrap_or_default()),
        pid: state.pid.unwrap_or_default(),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        error: state.error.unwrap_or_default(),
    }
}

pub(super) fn summary(found: ContainerSummary) -> Summary {
    Summary {
        id: found.id.unwrap_or_default(),
        name: found
            .names
            .unwrap_or_default()
            .first()
            .map(|name| name.trim_start_matches('/').to_owned())
            .unwrap_or_default(),
        labels: found.labels.unwrap_or_default(),
        status: Status::from_name(&found.state.map(|state| state.to_string()).unwrap_or_default()),
        created_unix: found.created.unwrap_or_default(),
    }
}

pub(super) fn image(found: ImageInspect) -> Image {
    let config = found.config.unwrap_or_default();
    Image {
        id: found.id.unwrap_or_default(),
        architecture: found.architecture.unwrap_or_default(),
        os: found.os.unwrap_or_default(),
        layers: found.root_fs.and_then(|root| root.layers).unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        env: config.env.unwrap_or_default(),
    }
}

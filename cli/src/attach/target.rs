//! Finding the container that the user means, and deciding whether it can be looked into.

use dbgctl_proto::AGENT_ID;

use super::docker::{Engine, EngineError};
use super::facts::{Container, Status, Summary};
use crate::error::Error;

const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// How many containers an error names before it stops.
const MOST_NAMED: usize = 8;

/// How far `container:` is followed from one container's namespace to the next.
const MOST_LINKS: usize = 8;

/// The container that `wanted` means: a name, an id or its prefix, `compose:project/service`, `label:key=value`,
/// or the name of a compose service.
pub(crate) async fn find(engine: &Engine, wanted: &str) -> Result<Container, Error> {
    let what = || format!("find the container {wanted:?}");
    if is_name(wanted) {
        match engine.container(wanted).await {
            Ok(found) => return Ok(found),
            // Not found also when an id prefix is ambiguous, on some engines with another status.
            Err(EngineError::NotFound(_) | EngineError::Refused(_)) => {}
            Err(error) => return Err(Error::engine(what(), &error)),
        }
    }
    let all = engine.containers().await.map_err(|error| Error::engine(what(), &error))?;
    let id = choose(wanted, &all)?.id.clone();
    engine.container(&id).await.map_err(|error| Error::engine(what(), &error))
}

/// Whether an engine could have a container of that name. Nothing else is put into a request.
fn is_name(wanted: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    wanted.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && wanted.bytes().all(allowed)
}

/// The one container that fits, or an error that names the candidates.
fn choose<'a>(wanted: &str, all: &'a [Summary]) -> Result<&'a Summary, Error> {
    let label = |container: &'a Summary, key: &str| container.labels.get(key).map(String::as_str);
    let fits: Vec<&Summary> = if let Some(service) = wanted.strip_prefix("compose:") {
        let (project, service) = service.split_once('/').unwrap_or(("", service));
        all.iter()
            .filter(|container| label(container, COMPOSE_SERVICE) == Some(service))
            .filter(|container| project.is_empty() || label(container, COMPOSE_PROJECT) == Some(project))
            .collect()
    } else if let Some(wish) = wanted.strip_prefix("label:") {
        let (key, value) = wish.split_once('=').map_or((wish, None), |(key, value)| (key, Some(value)));
        all.iter()
            .filter(|container| {
                label(container, key).is_some_and(|found| value.is_none_or(|value| value == found))
            })
            .collect()
    } else {
        all.iter()
            .filter(|container| {
                container.name == wanted
                    || (is_name(wanted) && container.id.starts_with(wanted))
                    || label(container, COMPOSE_SERVICE) == Some(wanted)
            })
            .collect()
    };
    // A service that was recreated leaves dead containers behind: the one that runs is meant.
    let running: Vec<_> = fits.iter().copied().filter(|container| container.status.has_processes()).collect();
    match (fits.as_slice(), running.as_slice()) {
        ([one], _) | (_, [one]) => Ok(one),
        ([], _) => Err(unknown(wanted, all)),
        _ => Err(ambiguous(wanted, &fits)),
    }
}

fn unknown(wanted: &str, all: &[Summary]) -> Error {
    let what = format!("find the container {wanted:?}");
    let because = "no container has that name, id or compose service";
    let nearest = all
        .iter()
        .map(|container| (strsim::damerau_levenshtein(wanted, &container.name), container))
        .filter(|(distance, container)| *distance <= container.name.len().min(wanted.len()) / 2)
        .min_by_key(|(distance, container)| (*distance, !container.status.has_processes()));
    let suggestion = match nearest {
        Some((_, nearest)) => format!("did you mean {:?}? `docker ps -a` lists all", nearest.name),
        None => "`docker ps -a` lists all containers".to_owned(),
    };
    Error::new(what, because, suggestion)
}

fn ambiguous(wanted: &str, fits: &[&Summary]) -> Error {
    let mut names: Vec<String> = fits
        .iter()
        .take(MOST_NAMED)
        .map(|container| format!("{} ({})", container.name, container.id.get(..12).unwrap_or(&container.id)))
        .collect();
    if fits.len() > MOST_NAMED {
        names.push(format!("and {} more", fits.len() - MOST_NAMED));
    }
    Error::new(
        format!("choose a container for {wanted:?}"),
        format!("{} containers fit: {}", fits.len(), names.join(", ")),
        "name one of them",
    )
}

/// Refuses a target that has no processes to look at.
pub(crate) fn must_run(target: &Container) -> Result<(), Error> {
    let state = &target.state;
    let name = &target.name;
    let because = match state.status {
        Status::Running | Status::Paused | Status::Unknown => return Ok(()),
        Status::Created if state.error.is_empty() => "it was created but never started".to_owned(),
        Status::Created => format!("it could not be started: {}", state.error),
        Status::Restarting => {
            format!("it is in a restart loop; its last run ended with {}", state.ending())
        }
        Status::Removing => "it is being removed".to_owned(),
        Status::Exited => format!("it is stopped; it ended with {}", state.ending()),
        Status::Dead => "it is dead: the engine is removing it, or failed to".to_owned(),
    };
    let suggestion = match state.status {
        Status::Created => format!("`docker start {name}`, then ask again"),
        Status::Restarting => {
            format!("`docker logs --tail 50 {name}`: it does not stay up long enough to be looked into")
        }
        Status::Removing | Status::Dead => {
            "`docker ps -a` shows what is left; name another container".to_owned()
        }
        _ => format!("`docker logs --tail 50 {name}` and `docker inspect {name}`, or start it and ask again"),
    };
    Err(Error::new(format!("look into the container `{name}`"), because, suggestion))
}

/// The namespaces that the target shares with its host, directly or through other containers.
pub(crate) async fn host_namespaces(engine: &Engine, target: &Container) -> Result<Vec<&'static str>, Error> {
    let mut shared = Vec::new();
    if maker(engine, target, "PID", |container| &container.pid_mode).await?.pid_mode == "host" {
        shared.push("PID");
    }
    if network_maker(engine, target).await?.network_mode == "host" {
        shared.push("network");
    }
    Ok(shared)
}

/// The container that the target's network namespace was made for: itself, or the one that it joined.
pub(crate) async fn network_maker(engine: &Engine, target: &Container) -> Result<Container, Error> {
    maker(engine, target, "network", |container| &container.network_mode).await
}

async fn maker(
    engine: &Engine,
    target: &Container,
    namespace: &str,
    mode: fn(&Container) -> &str,
) -> Result<Container, Error> {
    let mut maker = target.clone();
    for _ in 0..MOST_LINKS {
        let Some(next) = mode(&maker).strip_prefix("container:") else { break };
        let what =
            || format!("follow the {namespace} namespace of `{}` to the container {next}", target.name);
        maker = engine.container(next).await.map_err(|error| Error::engine(what(), &error))?;
    }
    Ok(maker)
}

/// Refuses a target whose namespaces are the host's: the sidecar would look at all of it, and outlive the target.
pub(crate) fn must_not_be_host(target: &Container, shared: &[&str], allowed: bool) -> Result<(), Error> {
    if shared.is_empty() || allowed {
        return Ok(());
    }
    Err(Error::new(
        format!("look into the container `{}`", target.name),
        format!(
            "it shares the host's {} namespace: the sidecar would see the whole host",
            shared.join(" and ")
        ),
        "--host-namespaces, if that is what you want; answers stay limited to the target's own processes",
    ))
}

/// What the user should know about this target before a sidecar joins it.
pub(crate) fn warnings(target: &Container) -> Vec<String> {
    let mut warnings = Vec::new();
    let has_ptrace = |name: &String| matches!(name.trim_start_matches("CAP_"), "SYS_PTRACE" | "ALL");
    if target.privileged || target.added_capabilities.iter().any(has_ptrace) {
        warnings.push("the target holds CAP_SYS_PTRACE: it can read and steer the agent".to_owned());
    }
    if target.user.split(':').next() == Some(&AGENT_ID.to_string()) {
        warnings.push(format!("the target runs as the agent's own user {AGENT_ID}: it can stop the agent"));
    }
    if target.state.status == Status::Paused {
        warnings
            .push("the target is paused: its processes are frozen, what you see does not change".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::super::facts::State;
    use super::*;

    fn listed(name: &str, id: &str, service: Option<&str>, status: Status) -> Summary {
        let labels = service.map(|service| (COMPOSE_SERVICE.to_owned(), service.to_owned()));
        Summary {
            id: id.to_owned(),
            name: name.to_owned(),
            labels: labels.into_iter().chain([(COMPOSE_PROJECT.to_owned(), "shop".to_owned())]).collect(),
            status,
            ..Summary::default()
        }
    }

    fn all() -> Vec<Summary> {
        vec![
            listed("shop-web-1", "aa11", Some("web"), Status::Running),
            listed("shop-db-1", "ab22", Some("db"), Status::Running),
            listed("shop-db-2", "bb33", Some("db"), Status::Running),
            listed("shop-job-1", "cc44", Some("job"), Status::Exited),
            listed("shop-job-2", "cc55", Some("job"), Status::Running),
        ]
    }

    #[test]
    fn a_container_is_found_by_name_id_prefix_service_and_label() {
        let all = all();
        for wanted in ["shop-web-1", "aa", "web", "compose:shop/web", "compose:web"] {
            assert_eq!(choose(wanted, &all).unwrap().name, "shop-web-1", "{wanted}");
        }
        let by_label = format!("label:{COMPOSE_SERVICE}=web");
        assert_eq!(choose(&by_label, &all).unwrap().name, "shop-web-1");
    }

    #[test]
    fn of_several_that_fit_the_only_running_one_is_meant() {
        assert_eq!(choose("job", &all()).unwrap().name, "shop-job-2");
    }

    #[test]
    fn an_ambiguous_wish_lists_the_candidates() {
        let error = choose("db", &all()).unwrap_err();
        assert!(error.because.contains("shop-db-1") && error.because.contains("shop-db-2"), "{error:?}");
    }

    #[test]
    fn a_typo_suggests_the_nearest_name() {
        let error = choose("shop-wbe-1", &all()).unwrap_err();
        assert!(error.suggestion.contains("\"shop-web-1\""), "{error:?}");
        let error = choose("zzzzzz", &all()).unwrap_err();
        assert!(!error.suggestion.contains("did you mean"), "{error:?}");
    }

    #[test]
    fn what_no_container_can_be_called_is_never_put_into_a_request() {
        for wanted in ["", "-rf", "../json", "a/b", "a?force=1", "a b", "$(id)", "web;id", "wëb"] {
            assert!(!is_name(wanted), "{wanted}");
        }
        assert!(is_name("shop_web.1-x"));
    }

    #[test]
    fn a_dead_target_is_refused_with_its_exit_code_in_words() {
        let state = State { status: Status::Exited, exit_code: 137, ..State::default() };
        let target = Container { name: "web".to_owned(), state, ..Container::default() };
        let error = must_run(&target).unwrap_err();
        assert!(error.because.contains("exit code 137, SIGKILL"), "{error:?}");
    }

    #[test]
    fn a_target_that_could_steer_the_agent_is_warned_about() {
        let target = |user: &str, capability: &str| Container {
            user: user.to_owned(),
            added_capabilities: vec![capability.to_owned()],
            ..Container::default()
        };
        assert_eq!(warnings(&target("", "CAP_SYS_PTRACE")).len(), 1);
        assert_eq!(warnings(&target("", "ALL")).len(), 1);
        assert_eq!(warnings(&target("65533:1", "NET_RAW")).len(), 1);
        assert!(warnings(&target("1000", "NET_RAW")).is_empty());
    }
}

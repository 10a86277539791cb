//! The stream to the agent broke: whose end was it?

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Status as RpcStatus};

use super::docker::{Engine, EngineError};
use super::facts::{Container, Status};
use super::{Sidecar, Survey, target};
use crate::error::Error;

/// The engine learns of a death a moment after the stream has ended: how long a death is waited for if the engine can
/// not tell whether the target's first process lives.
const SETTLING: Duration = Duration::from_millis(150);
const PAUSE: Duration = Duration::from_millis(10);

/// How long the engine is given to say how a first process ended that it does not list any more.
const REPORTING: Duration = Duration::from_secs(10);

/// A target that stopped is given this long to come back: `docker restart` looks the same, until the engine begins
/// the next start. From then on it answers only when that is done.
const RETURNING: Duration = Duration::from_millis(200);

/// Turns the failure of a call into what the user needs to know.
pub(crate) async fn explain(
    engine: &Engine,
    survey: &Survey,
    sidecar: &Sidecar,
    status: &RpcStatus,
) -> Error {
    match refused(&survey.target.name, &sidecar.handshake.version, status) {
        Some(error) => error,
        None => gone(engine, survey, sidecar, status).await,
    }
}

/// What an agent that is still there has said. `None` if the connection broke.
fn refused(target: &str, version: &str, status: &RpcStatus) -> Option<Error> {
    let said = status.message().to_owned();
    let (because, suggestion) = match status.code() {
        Code::FailedPrecondition => (said, "ask at a higher --level"),
        Code::PermissionDenied => {
            (said, "ask at a higher --level, or look for what else forbids it: AppArmor, SELinux or Yama")
        }
        Code::InvalidArgument if said.starts_with("pid: ") => {
            (format!("--{said}"), "`dbgctl ps` lists the target's processes")
        }
        Code::InvalidArgument => {
            (format!("the agent refused the request: {said}"), "see --help for what is allowed")
        }
        Code::DeadlineExceeded => (
            said,
            "`dbgctl df` shows which mounts answer, `dbgctl ps --filter state=disk-sleep` what hangs in the kernel; \
             --time-limit 5m gives it more time",
        ),
        // About a file: see `ProbeError::File` of the agent.
        Code::Aborted => (said, "`dbgctl ls` and `dbgctl find` show what is there"),
        Code::NotFound => (said, "it may have ended meanwhile: ask again"),
        Code::Unimplemented => (
            format!("the agent (dbgctl {version}) does not know this question"),
            "end its session with `dbgctl detach`, and ask with the image of this version",
        ),
        Code::ResourceExhausted | Code::OutOfRange | Code::Internal if !is_transport(status) => {
            (said, "ask again; if it stays, please report it")
        }
        _ => return None,
    };
    Some(Error::new(format!("get an answer about `{target}`"), because, suggestion))
}

/// Whether the status was made by the connection and not by the agent.
fn is_transport(status: &RpcStatus) -> bool {
    std::error::Error::source(status).is_some()
}

/// The connection is gone. Looks at the target first, then at the sidecar: the former takes the latter with it.
pub(crate) async fn gone(engine: &Engine, survey: &Survey, sidecar: &Sidecar, status: &RpcStatus) -> Error {
    match end_of(engine, &survey.target).await {
        Some(error) => error,
        None => agent_gone(engine, survey, sidecar, status).await,
    }
}

/// What has become of the target since it was seen as it was `before`. `None`: it still runs.
///
/// For when something failed that its end would explain. The engine may learn of that end only after this was called.
pub(crate) async fn end_of(engine: &Engine, before: &Container) -> Option<Error> {
    let began = Instant::now();
    let mut stopped: Option<(Instant, Container)> = None;
    loop {
        match engine.container(&before.id).await {
            Ok(now) => {
                let last_run = stopped.as_ref().map(|(_, stopped)| stopped);
                match ended(before, last_run, &now) {
                    Some(Ending::ForGood(error)) => return Some(error),
                    Some(Ending::ForNow) => {
                        stopped.get_or_insert_with(|| (Instant::now(), now));
                    }
                    None => {}
                }
            }
            Err(EngineError::NotFound(_)) => return Some(removed(before)),
            Err(error) => return Some(engine_gone(before, &error)),
        }
        match &stopped {
            Some((since, target)) if since.elapsed() > RETURNING => return Some(stop(before, target)),
            Some(_) => {}
            None => match first_process(engine, before).await {
                FirstProcess::Lives => return None,
                FirstProcess::Unknown if began.elapsed() > SETTLING => return None,
                FirstProcess::Ended if began.elapsed() > REPORTING => return Some(unreported(before)),
                FirstProcess::Ended | FirstProcess::Unknown => {}
            },
        }
        sleep(PAUSE).await;
    }
}

/// The first process of a target whose agent is gone.
enum FirstProcess {
    /// The agent did not end with it.
    Lives,
    /// The engine is about to learn of it.
    Ended,
    /// The engine can not list the processes: it has no `ps`, or it learns of the end at this moment.
    Unknown,
}

/// A dying process leaves its cgroup before the kernel kills what else is in its PID namespace (`do_exit` in
/// kernel/exit.c: `cgroup_exit` comes before `exit_notify`). So when an agent has died with the target, the engine no
/// longer lists the first process, however late it learns of the death.
async fn first_process(engine: &Engine, target: &Container) -> FirstProcess {
    // In a joined PID namespace it is another container's first process whose death kills all.
    if target.pid_mode.starts_with("container:") {
        return FirstProcess::Unknown;
    }
    match engine.pids(&target.id).await {
        Ok(pids) if pids.contains(&target.state.pid) => FirstProcess::Lives,
        Ok(_) => FirstProcess::Ended,
        Err(_) => FirstProcess::Unknown,
    }
}

/// How a target ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    ForGood(Error),
    /// It stopped. A restart and a removal begin like this too.
    ForNow,
}

/// What happened to the target since it was first seen, if something did. `last_run`: as it was when it had stopped.
fn ended(before: &Container, last_run: Option<&Container>, now: &Container) -> Option<Ending> {
    match now.state.status {
        // "Dead" is what is being removed for a moment, and what could not be removed for ever.
        Status::Removing | Status::Dead => return Some(Ending::ForGood(removed(before))),
        Status::Exited => return Some(Ending::ForNow),
        status if !status.has_processes() => return Some(Ending::ForGood(stop(before, now))),
        _ if now.state.started_at == before.state.started_at => return None,
        _ => {}
    }
    let how = last_run.map(|stopped| format!(", which ended with {}", stopped.state.ending()));
    Some(Ending::ForGood(Error::new(
        format!("go on looking into `{}`", before.name),
        format!(
            "the target was restarted; the sidecar ended with its previous run{}",
            how.unwrap_or_default()
        ),
        format!("ask again, or `dbgctl attach {}` to look into the new run", before.name),
    )))
}

fn stop(before: &Container, now: &Container) -> Error {
    let what = format!("go on looking into `{}`", before.name);
    match target::must_run(now) {
        Err(refusal) => {
            Error::new(what, format!("the target stopped: {}", refusal.because), refusal.suggestion)
        }
        Ok(()) => Error::new(what, "the target stopped", "`docker ps -a` shows what became of it"),
    }
}

/// The first process is gone, and the engine calls the container running all the same.
fn unreported(before: &Container) -> Error {
    Error::new(
        format!("go on looking into `{}`", before.name),
        "the target's first process has ended; the engine has not said how",
        "`docker ps -a` shows what becomes of it",
    )
}

fn removed(before: &Container) -> Error {
    Error::new(
        format!("go on looking into `{}`", before.name),
        "the target was removed",
        "`docker ps -a` lists what is there now",
    )
}

fn engine_gone(before: &Container, error: &EngineError) -> Error {
    let suggestion = "`docker version` shows whether the engine is alive; what dbgctl left behind is swept by its next run";
    Error {
        suggestion: suggestion.to_owned(),
        ..Error::engine(format!("go on looking into `{}`", before.name), error)
    }
}

/// The target lives, so it is the agent.
async fn agent_gone(engine: &Engine, survey: &Survey, sidecar: &Sidecar, status: &RpcStatus) -> Error {
    let what = format!("go on looking into `{}`", survey.target.name);
    let kill_hint = "ask again; if it happens each time, something in the target fights back: `docker top` shows what runs";
    match engine.container(&sidecar.name).await {
        Ok(found) if found.state.status == Status::Running => Error::new(
            what,
            "the agent no longer answers: something has stopped it (SIGSTOP), or it gets no CPU time at all",
            kill_hint,
        ),
        Ok(found) if found.state.oom_killed => Error::new(
            what,
            "the agent ran out of the sidecar's memory limit",
            "ask for less at a time (--limit); the target is not affected",
        ),
        Ok(_) | Err(EngineError::NotFound(_)) => Error::new(
            what,
            "the agent was killed while it answered; the target itself still runs",
            kill_hint,
        ),
        Err(error) => Error::new(
            what,
            format!("{error} ({})", status.message()),
            "`docker version` shows whether the engine is alive",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::State;
    use super::*;

    fn container(status: Status, started_at: &str) -> Container {
        let state = State { status, started_at: started_at.to_owned(), exit_code: 137, ..State::default() };
        Container { name: "web".to_owned(), state, ..Container::default() }
    }

    fn because(ending: Option<Ending>) -> String {
        match ending {
            Some(Ending::ForGood(error)) => error.because,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_agent_that_answers_is_not_said_to_be_gone() {
        let denied =
            RpcStatus::permission_denied("cannot open /proc/1/root: Permission denied (os error 13)");
        let error = refused("web", "0.1.0", &denied).unwrap();
        assert_eq!(error.because, denied.message());
        assert_eq!(refused("web", "0.1.0", &RpcStatus::unavailable("broken pipe")), None);
    }

    #[test]
    fn a_stopped_target_is_named_with_its_exit_code() {
        let error = stop(&container(Status::Running, "1"), &container(Status::Exited, "1"));
        assert!(error.because.contains("exit code 137, SIGKILL"), "{error:?}");
    }

    #[test]
    fn a_stop_is_not_the_end_before_it_is_clear_that_it_is_no_restart() {
        let (before, stopped) = (container(Status::Running, "1"), container(Status::Exited, "1"));
        assert_eq!(ended(&before, None, &stopped), Some(Ending::ForNow));
        let because = because(ended(&before, Some(&stopped), &container(Status::Running, "2")));
        assert!(because.contains("restarted") && because.contains("exit code 137, SIGKILL"), "{because}");
    }

    #[test]
    fn a_restart_is_told_from_a_stop() {
        let before = container(Status::Running, "1");
        assert!(because(ended(&before, None, &container(Status::Running, "2"))).contains("restarted"));
        assert_eq!(ended(&before, None, &before), None);
        assert_eq!(ended(&before, None, &container(Status::Paused, "1")), None);
    }

    #[test]
    fn a_removal_is_told_from_a_stop_while_it_is_under_way() {
        for status in [Status::Removing, Status::Dead] {
            let because = because(ended(&container(Status::Running, "1"), None, &container(status, "1")));
            assert_eq!(because, "the target was removed");
        }
    }

    #[test]
    fn a_target_that_its_engine_restarts_over_and_over_is_named_with_its_exit_code() {
        let because =
            because(ended(&container(Status::Running, "1"), None, &container(Status::Restarting, "1")));
        assert!(because.contains("restart loop") && because.contains("exit code 137"), "{because}");
    }
}

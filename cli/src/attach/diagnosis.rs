//! The stream to the agent broke: whose end was it?

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use super::docker::{Engine, EngineError};
use super::facts::{self, Container};
use super::{Sidecar, Survey, target};
use crate::error::Error;

/// The engine learns of a death a moment after the stream has ended.
const SETTLING: Duration = Duration::from_millis(150);
const PAUSE: Duration = Duration::from_millis(10);

/// Turns the failure of a call into what the user needs to know.
pub(crate) async fn explain(engine: &Engine, survey: &Survey, sidecar: &Sidecar, status: &Status) -> Error {
    let what = || format!("get an answer about `{}`", survey.target.name);
    match status.code() {
        Code::FailedPrecondition => Error::new(what(), status.message(), "ask at a higher --level"),
        Code::InvalidArgument => Error::new(
            what(),
            format!("the agent refused the request: {}", status.message()),
            "see --help for what is allowed",
        ),
        Code::DeadlineExceeded => Error::new(
            what(),
            status.message(),
            "--time-limit 5m, or look for what hangs in the kernel: `dbgctl ps` with --filter state=disk-sleep",
        ),
        Code::NotFound => Error::new(what(), status.message(), "it may have ended meanwhile: ask again"),
        Code::Unimplemented => Error::new(
            what(),
            format!("the agent (dbgctl {}) does not know this question", sidecar.handshake.version),
            "end its session with `dbgctl detach`, and ask with the image of this version",
        ),
        Code::ResourceExhausted | Code::OutOfRange | Code::Internal if !is_transport(status) => {
            Error::new(what(), status.message(), "ask again; if it stays, please report it")
        }
        _ => gone(engine, survey, sidecar, status).await,
    }
}

/// Whether the status was made by the connection and not by the agent.
fn is_transport(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// The connection is gone. Looks at the target first, then at the sidecar: the former takes the latter with it.
pub(crate) async fn gone(engine: &Engine, survey: &Survey, sidecar: &Sidecar, status: &Status) -> Error {
    let began = Instant::now();
    loop {
        match engine.container(&survey.target.id).await {
            Ok(now) => {
                if let Some(error) = ended(&survey.target, &now) {
                    return error;
                }
            }
            Err(EngineError::NotFound(_)) => return removed(&survey.target),
            Err(error) => {
                let what = format!("go on looking into `{}`", survey.target.name);
                return Error::engine(what, &error);
            }
        }
        if began.elapsed() > SETTLING {
            break;
        }
        sleep(PAUSE).await;
    }
    agent_gone(engine, survey, sidecar, status).await
}

/// What happened to the target since it was first seen, if something did.
fn ended(before: &Container, now: &Container) -> Option<Error> {
    let what = format!("go on looking into `{}`", before.name);
    let name = &before.name;
    if !now.state.status.has_processes() {
        let Err(refusal) = target::must_run(now) else { return None };
        return Some(Error::new(
            what,
            format!("the target stopped: {}", refusal.because),
            refusal.suggestion,
        ));
    }
    if now.state.started_at != before.state.started_at {
        let because = "the target was restarted; the sidecar ended with its previous run";
        return Some(Error::new(
            what,
            because,
            format!("ask again, or `dbgctl attach {name}` to look into the new run"),
        ));
    }
    None
}

fn removed(before: &Container) -> Error {
    Error::new(
        format!("go on looking into `{}`", before.name),
        "the target was removed",
        "`docker ps -a` lists what is there now",
    )
}

/// The target lives, so it is the agent.
async fn agent_gone(engine: &Engine, survey: &Survey, sidecar: &Sidecar, status: &Status) -> Error {
    let what = format!("go on looking into `{}`", survey.target.name);
    let kill_hint = "ask again; if it happens each time, something in the target fights back: `docker top` shows what runs";
    match engine.container(&sidecar.name).await {
        Ok(found) if found.state.status == facts::Status::Running => Error::new(
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
    use super::super::facts::{State, Status as Is};
    use super::*;

    fn container(status: Is, started_at: &str) -> Container {
        let state = State { status, started_at: started_at.to_owned(), exit_code: 137, ..State::default() };
        Container { name: "web".to_owned(), state, ..Container::default() }
    }

    #[test]
    fn a_stopped_target_is_named_with_its_exit_code() {
        let error = ended(&container(Is::Running, "1"), &container(Is::Exited, "1")).unwrap();
        assert!(error.because.contains("exit code 137, SIGKILL"), "{error:?}");
    }

    #[test]
    fn a_restart_is_told_from_a_stop() {
        let error = ended(&container(Is::Running, "1"), &container(Is::Running, "2")).unwrap();
        assert!(error.because.contains("restarted"), "{error:?}");
        assert_eq!(ended(&container(Is::Running, "1"), &container(Is::Running, "1")), None);
    }
}

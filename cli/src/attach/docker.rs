//! The container engine, spoken to through its API. With its `models`, the only file that knows the Docker client.

mod models;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as ClientError;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder,
    ImportImageOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    TopOptionsBuilder, WaitContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::io::AsyncWrite;
use tokio_util::io::StreamReader;

use super::facts::{Container, Image, Summary};
use super::spec::{Spec, is_sidecar, label};

/// Where engines listen unless told otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// The longest that one request may take. Starting a container on a loaded machine is the slowest of ours.
const REQUEST_SECONDS: u64 = 120;

/// How long a removal that is under way is waited for.
const REMOVAL: Duration = Duration::from_secs(5);

/// The most that is kept of what an agent says on its standard error.
const AGENT_LOG_BYTES: usize = 4096;

/// A byte stream to an agent.
pub(crate) type ByteStream = tokio::io::Join<
    StreamReader<std::pin::Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, Bytes>,
    std::pin::Pin<Box<dyn AsyncWrite + Send>>,
>;

/// What an agent wrote to its standard error: the reason, if it did not start.
#[derive(Debug, Clone, Default)]
pub(crate) struct AgentLog(Arc<Mutex<Vec<u8>>>);

impl AgentLog {
    fn push(&self, text: &[u8]) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = AGENT_LOG_BYTES.saturating_sub(log.len());
        log.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// What was said so far. Hostile until escaped.
    pub(crate) fn text(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).trim_ascii().to_vec()
    }
}

/// Why the engine did not do what it was asked to do.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum EngineError {
    /// No engine answers there.
    #[error("no container engine answers at {host}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The socket belongs to others.
    #[error("no permission to talk to the container engine at {0}")]
    Forbidden(String),
    /// The address makes no sense, or is of a kind that is not supported.
    #[error("{0:?} is not an address of a container engine that dbgctl can talk to")]
    BadHost(String),
    /// The engine answered: there is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The engine answered: not now.
    #[error("{0}")]
    Conflict(String),
    /// The engine answered with another error.
    #[error("the engine says: {0}")]
    Refused(String),
    /// The connection broke, or the answer made no sense.
    #[error("the connection to the engine at {host} failed: {reason}")]
    Broken {
        /// Where it was.
        host: String,
        /// What happened.
        reason: String,
    },
}

/// A connection to an engine. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    docker: Docker,
    host: String,
}

type Answer<T> = Result<T, EngineError>;

impl Engine {
    /// The engine at `host` (`unix://…` or `tcp://…`), or at the default place. Nothing is sent yet.
    pub(crate) fn at(host: Option<&str>) -> Answer<Self> {
        let host = host.filter(|host| !host.is_empty()).unwrap_or(DEFAULT_HOST);
        let docker = if let Some(path) = host.strip_prefix("unix://") {
            if !Path::new(path).exists() {
                let reason = "there is no such socket".to_owned();
                return Err(EngineError::Unreachable { host: host.to_owned(), reason });
            }
            Docker::connect_with_unix(path, REQUEST_SECONDS, API_DEFAULT_VERSION)
        } else if host.starts_with("tcp://") || host.starts_with("http://") {
            Docker::connect_with_http(host, REQUEST_SECONDS, API_DEFAULT_VERSION)
        } else {
            return Err(EngineError::BadHost(host.to_owned()));
        };
        let docker = docker.map_err(|_| EngineError::BadHost(host.to_owned()))?;
        Ok(Self { docker, host: host.to_owned() })
    }

    /// Where it listens.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The container with that name, id, or id prefix.
    pub(crate) async fn container(&self, name: &str) -> Answer<Container> {
        let found = self.docker.inspect_container(name, None).await.map_err(|error| self.error(error))?;
        Ok(models::container(found))
    }

    /// Pids of the processes of a running container, in the engine's PID namespace. The engine runs `ps` for it.
    pub(crate) async fn pids(&self, id: &str) -> Answer<Vec<i64>> {
        let options = TopOptionsBuilder::default().ps_args("-eo pid").build();
        let top = self.docker.top_processes(id, Some(options)).await.map_err(|error| self.error(error))?;
        let rows = top.processes.unwrap_or_default();
        let pid = |row: &Vec<String>| row.first().and_then(|pid| pid.trim().parse().ok());
        let pids = rows.iter().map(pid).collect::<Option<_>>();
        pids.ok_or_else(|| self.broken("the engine lists processes that have no pid"))
    }

    /// All sidecars of dbgctl, running or not.
    pub(crate) async fn sidecars(&self) -> Answer<Vec<Summary>> {
        let mut found = self.containers_with(Some(label::SESSION)).await?;
        found.retain(|container| is_sidecar(&container.name, &container.labels));
        Ok(found)
    }

    /// All containers, running or not.
    pub(crate) async fn containers(&self) -> Answer<Vec<Summary>> {
        self.containers_with(None).await
    }

    async fn containers_with(&self, label: Option<&str>) -> Answer<Vec<Summary>> {
        let filters = label.map(|label| HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
        let mut options = ListContainersOptionsBuilder::default().all(true);
        if let Some(filters) = &filters {
            options = options.filters(filters);
        }
        let found =
            self.docker.list_containers(Some(options.build())).await.map_err(|error| self.error(error))?;
        Ok(found.into_iter().map(models::summary).collect())
    }

    /// Creates the container, and returns its id.
    pub(crate) async fn create(&self, spec: &Spec) -> Answer<String> {
        let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
        let created = self.docker.create_container(Some(options), models::create_body(spec)).await;
        Ok(created.map_err(|error| self.error(error))?.id)
    }

    /// The standard streams of a container. To miss nothing, attach before the start.
    pub(crate) async fn attach(&self, id: &str) -> Answer<(ByteStream, AgentLog)> {
        let options =
            AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true);
        let attached = self.docker.attach_container(id, Some(options.build())).await;
        let attached = attached.map_err(|error| self.error(error))?;
        Ok(byte_stream(attached.output, attached.input))
    }

    /// Starts a created container.
    pub(crate) async fn start(&self, id: &str) -> Answer<()> {
        self.docker.start_container(id, None).await.map_err(|error| self.error(error))
    }

    /// Runs a command in a running container as `user`, and returns its standard streams.
    pub(crate) async fn exec(
        &self,
        id: &str,
        user: &str,
        command: &[&str],
    ) -> Answer<(ByteStream, AgentLog)> {
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            user: Some(user.to_owned()),
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            ..ExecConfig::default()
        };
        let exec = self.docker.create_exec(id, config).await.map_err(|error| self.error(error))?;
        let options = StartExecOptions { output_capacity: Some(64 << 10), ..StartExecOptions::default() };
        match self.docker.start_exec(&exec.id, Some(options)).await.map_err(|error| self.error(error))? {
            StartExecResults::Attached { output, input } => Ok(byte_stream(output, input)),
            StartExecResults::Detached => Err(self.broken("the engine detached an exec that was to stay")),
        }
    }

    /// Returns when the container no longer runs.
    pub(crate) async fn stopped(&self, id: &str) {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        // An exit code other than 0, or a container that is gone already, is reported as an error: both mean stopped.
        let _stopped = self.docker.wait_container(id, Some(options)).next().await;
    }

    /// Kills and removes a container. One that is already gone counts as removed; one that is going is waited for.
    pub(crate) async fn remove(&self, name: &str) -> Answer<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self.docker.remove_container(name, Some(options)).await.map_err(|error| self.error(error)) {
            Err(EngineError::NotFound(_)) | Ok(()) => Ok(()),
            Err(EngineError::Conflict(_)) => {
                self.removed(name).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Returns when a container that the engine removes already is gone, or when that takes too long.
    async fn removed(&self, name: &str) {
        let options = WaitContainerOptionsBuilder::default().condition("removed").build();
        // As with `stopped`, an exit code other than 0 and a container that is gone are reported as errors.
        let mut gone = self.docker.wait_container(name, Some(options));
        let _gone = tokio::time::timeout(REMOVAL, gone.next()).await;
    }

    /// The image with that reference or id.
    pub(crate) async fn image(&self, reference: &str) -> Answer<Image> {
        Ok(models::image(self.docker.inspect_image(reference).await.map_err(|error| self.error(error))?))
    }

    /// Loads an image archive, which may be compressed.
    pub(crate) async fn load(&self, archive: &'static [u8]) -> Answer<()> {
        let archive = stream::iter([Ok::<_, io::Error>(Bytes::from_static(archive))]);
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let mut progress = Box::pin(self.docker.import_image_stream(options, archive, None));
        while let Some(step) = progress.next().await {
            step.map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    /// Pulls an image from its registry.
    pub(crate) async fn pull(&self, reference: &str) -> Answer<()> {
        let options = CreateImageOptionsBuilder::default().from_image(reference).build();
        let mut progress = Box::pin(self.docker.create_image(Some(options), None, None));
        while let Some(step) = progress.next().await {
            step.map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    /// The engine's architecture as image configurations name it, for example "amd64".
    pub(crate) async fn architecture(&self) -> Answer<String> {
        let version = self.docker.version().await.map_err(|error| self.error(error))?;
        version.arch.ok_or_else(|| self.broken("the engine does not tell its architecture"))
    }

    fn broken(&self, reason: &str) -> EngineError {
        EngineError::Broken { host: self.host.clone(), reason: reason.to_owned() }
    }

    fn error(&self, error: ClientError) -> EngineError {
        match error {
            ClientError::DockerResponseServerError { status_code, message } => match status_code {
                404 => EngineError::NotFound(message),
                409 => EngineError::Conflict(message),
                _ => EngineError::Refused(message),
            },
            ClientError::DockerStreamError { error } => EngineError::Refused(error),
            ClientError::SocketNotFoundError(path) => EngineError::Unreachable {
                host: self.host.clone(),
                reason: format!("there is no socket {path}"),
            },
            ClientError::RequestTimeoutError => self.broken(&format!("no answer within {REQUEST_SECONDS} s")),
            other => match io_cause(&other).map(io::Error::kind) {
                Some(io::ErrorKind::PermissionDenied) => EngineError::Forbidden(self.host.clone()),
                Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
                    EngineError::Unreachable { host: self.host.clone(), reason: innermost(&other) }
                }
                _ => self.broken(&innermost(&other)),
            },
        }
    }
}

/// The first I/O error in the chain of causes.
fn io_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The last error in the chain of causes: the one that says what happened.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

fn byte_stream(
    output: impl Stream<Item = Result<LogOutput, ClientError>> + Send + 'static,
    input: std::pin::Pin<Box<dyn AsyncWrite + Send>>,
) -> (ByteStream, AgentLog) {
    let log = AgentLog::default();
    let said = log.clone();
    let output = output.map_err(io::Error::other).try_filter_map(move |part| {
        let bytes = match part {
            LogOutput::StdOut { message } | LogOutput::Console { message } => Some(message),
            LogOutput::StdErr { message } => {
                said.push(&message);
                None
            }
            LogOutput::StdIn { .. } => None,
        };
        async { Ok(bytes) }
    });
    (tokio::io::join(StreamReader::new(Box::pin(output) as _), input), log)
}

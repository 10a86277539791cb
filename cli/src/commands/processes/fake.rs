//! A process service that answers what a test tells it to.

use std::sync::Mutex;

use crate::commands::agent::Agent;
use clap::{Args as _, FromArgMatches as _};
use dbgctl_proto::v1::list_processes_response::Part;
use dbgctl_proto::v1::process_service_server::{ProcessService, ProcessServiceServer};
use dbgctl_proto::v1::{
    End, ListProcessesRequest, ListProcessesResponse, Process, ProcessBatch, ProcessListHeader,
    ProcessOrigin, ProcessState, Summary,
};
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::Args;
use super::list::History;
use super::row::ProcessRow;
use crate::commands::testing::{Replies, Written, agent_with};
use crate::commands::{Failure, Question as _};
use crate::exit::Exit;
use crate::render::{Format, Output, Talk};

pub(in crate::commands) const SECOND: u64 = 1_000_000_000;
pub(in crate::commands) const HEADER: ProcessListHeader =
    ProcessListHeader { sampled_boottime_nanos: 1_000 * SECOND, sampled_unix_nanos: 1_700_000_000 * SECOND };

/// A process of uid 1000 that started 100 s ago and used 5 s of CPU time since.
pub(in crate::commands) fn process(pid: u32, parent_pid: u32, arguments: &[&[u8]]) -> Process {
    Process {
        pid,
        parent_pid,
        uid: 1000,
        user: Some(b"app".to_vec()),
        state: ProcessState::Sleeping.into(),
        user_time_nanos: 4 * SECOND,
        system_time_nanos: SECOND,
        started_boottime_nanos: 900 * SECOND,
        resident_bytes: u64::from(pid) << 20,
        virtual_bytes: 1 << 30,
        threads: 3,
        command: b"comm".to_vec(),
        arguments: arguments.iter().map(|argument| argument.to_vec()).collect(),
        origin: ProcessOrigin::Target.into(),
        ..Process::default()
    }
}

/// The rows of a first list of `processes`.
pub(in crate::commands) fn rows(processes: Vec<Process>) -> Vec<ProcessRow> {
    History::default().rows(Some(HEADER), processes, None)
}

fn complete(sent: u64) -> Part {
    Part::Summary(Summary { sent, end: End::Complete.into(), ..Summary::default() })
}

pub(in crate::commands) fn answer(header: ProcessListHeader, processes: Vec<Process>) -> Vec<Part> {
    let sent = u64::try_from(processes.len()).unwrap();
    vec![Part::Header(header), Part::Batch(ProcessBatch { processes }), complete(sent)]
}

/// Gives one answer after the other, then says that the target is gone.
struct Fake {
    answers: Mutex<std::vec::IntoIter<Vec<Part>>>,
    expected: Option<ListProcessesRequest>,
}

#[tonic::async_trait]
impl ProcessService for Fake {
    type ListProcessesStream = Replies<ListProcessesResponse>;

    async fn list_processes(
        &self,
        request: Request<ListProcessesRequest>,
    ) -> Result<Response<Self::ListProcessesStream>, Status> {
        if let Some(expected) = self.expected {
            assert_eq!(request.into_inner(), expected);
        }
        let answer =
            self.answers.lock().unwrap().next().ok_or_else(|| Status::not_found("the target is gone"))?;
        let replies = answer.into_iter().map(|part| Ok(ListProcessesResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

pub(super) fn args(words: &[&str]) -> Result<Args, String> {
    let command = Args::augment_args(clap::Command::new("ps"));
    let matches =
        command.try_get_matches_from(["ps"].iter().chain(words)).map_err(|error| error.to_string())?;
    Args::from_arg_matches(&matches).map_err(|error| error.to_string())
}

pub(super) struct Shown {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) result: Result<Exit, Failure>,
}

impl Shown {
    pub(super) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A channel to a service that gives `answers`, and wants to be asked just as `expected` if that is given.
pub(super) async fn channel(answers: Vec<Vec<Part>>, expected: Option<ListProcessesRequest>) -> Agent {
    let fake = Fake { answers: Mutex::new(answers.into_iter()), expected };
    agent_with(ProcessServiceServer::new(fake)).await
}

/// What `ps` with those words shows, and that it asks for what is expected.
pub(super) async fn shown_as_asked(
    words: &[&str],
    format: Format,
    answers: Vec<Vec<Part>>,
    expected: Option<ListProcessesRequest>,
) -> Shown {
    let agent = channel(answers, expected).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let result = args(words).unwrap().ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await;
    Shown { stdout: stdout.text(), stderr: stderr.text(), result }
}

/// What `ps` with those words shows.
pub(super) async fn shown(words: &[&str], format: Format, answers: Vec<Vec<Part>>) -> Shown {
    shown_as_asked(words, format, answers, None).await
}

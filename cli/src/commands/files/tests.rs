//! The whole path: a request, a service that answers it, what comes out on this side.
#![expect(clippy::disallowed_methods, reason = "looks at what was written to this machine's disk")]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dbgctl_proto::v1::content_service_server::{ContentService, ContentServiceServer};
use dbgctl_proto::v1::copy_out_response::Part;
use dbgctl_proto::v1::copy_service_server::{CopyService, CopyServiceServer};
use dbgctl_proto::v1::{
    self, ContentChunk, ContentChunkBatch, CopyData, CopyEnd, CopyEntry, CopyEntryBatch, End, Extent,
    FileKind, FileStatus, Gap, Summary,
};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};

use crate::commands::Failure;
use crate::commands::testing::{Line, Replies, Written, agent_with};
use crate::exit::Exit;
use crate::render::{Format, Output, Talk, Terminal};

/// Sends a file of these bytes.
struct Reading(Vec<u8>);

#[tonic::async_trait]
impl ContentService for Reading {
    type ReadFileStream = Replies<v1::ReadFileResponse>;

    async fn read_file(
        &self,
        _: Request<v1::ReadFileRequest>,
    ) -> Result<Response<Self::ReadFileStream>, Status> {
        use v1::read_file_response::Part;
        let chunks = self.0.chunks(3).scan(0, |offset, content| {
            let chunk = ContentChunk { offset: *offset, content: content.to_vec() };
            *offset += 3;
            Some(Part::Batch(ContentChunkBatch { chunks: vec![chunk] }))
        });
        let header = Part::Header(v1::ContentHeader { status: Some(FileStatus::default()), offset: 0 });
        let summary = Part::Summary(Summary { end: End::Complete.into(), ..Summary::default() });
        let parts = std::iter::once(header).chain(chunks).chain([summary]);
        let replies = parts.map(|part| Ok(v1::ReadFileResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

async fn shown(content: &[u8], words: &[&str], on_terminal: bool, format: Format) -> Vec<u8> {
    use clap::Parser as _;
    let agent = agent_with(ContentServiceServer::new(Reading(content.to_vec()))).await;
    let stdout = Written::default();
    let Line { verb } = Line::parse_from([&["cat", "/x"], words].concat());
    let mut output = Output::to(format, stdout.clone());
    if on_terminal {
        output = output.on_terminal(|| Terminal { columns: 80, rows: 24 });
    }
    let exit = verb.ask(&agent, &mut output, &mut Talk::to(Written::default())).await.unwrap();
    assert_eq!(exit, Exit::Answered);
    stdout.text().into_bytes()
}

#[tokio::test]
async fn a_pipe_gets_every_byte_and_a_terminal_no_control_character() {
    let content = "\x1b[31mred\tä€\\n\u{202e}\n".as_bytes();
    assert_eq!(shown(content, &[], false, Format::Table).await, content);
    let expected = "\\x1b[31mred\tä€\\n\\u{202e}\n";
    assert_eq!(shown(content, &[], true, Format::Table).await, expected.as_bytes());
}

#[tokio::test]
async fn in_json_a_character_that_came_in_two_chunks_is_still_text() {
    let lines = shown("aä€b".as_bytes(), &[], false, Format::Json).await;
    let lines: Vec<serde_json::Value> =
        str::from_utf8(&lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let content: String = lines.iter().filter_map(|line| line["content"].as_str()).collect();
    assert_eq!(content, "aä€b");
    assert_eq!(
        (&lines[0]["header"]["offset"], &lines.last().unwrap()["summary"]["end"]),
        (&0.into(), &"complete".into())
    );
}

/// Sends the same parts to whoever asks, and keeps what was asked.
#[derive(Clone)]
struct Copying {
    parts: Vec<Part>,
    asked: Arc<Mutex<Vec<v1::CopyOutRequest>>>,
}

#[tonic::async_trait]
impl CopyService for Copying {
    type CopyOutStream = Replies<v1::CopyOutResponse>;

    async fn copy_out(
        &self,
        request: Request<v1::CopyOutRequest>,
    ) -> Result<Response<Self::CopyOutStream>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        let replies = self.parts.clone().into_iter().map(|part| Ok(v1::CopyOutResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

/// Asks for a copy of `/dir` to `destination`, and returns how that ended, what was said, and what went wrong.
async fn copy(parts: Vec<Part>, destination: &Path) -> (Result<Exit, Failure>, String) {
    use clap::Parser as _;
    let agent = agent_with(CopyServiceServer::new(Copying { parts, asked: Arc::default() })).await;
    let stderr = Written::default();
    let words = ["cp", "/dir", destination.to_str().unwrap()];
    let Line { verb } = Line::parse_from(words);
    let mut output = Output::to(Format::Table, Written::default());
    (verb.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await, stderr.text())
}

fn entry(kind: FileKind, path: &str, size_bytes: u64) -> CopyEntry {
    let status = FileStatus { kind: kind.into(), permissions: 0o4755, size_bytes, ..FileStatus::default() };
    let extents = if size_bytes > 0 { vec![Extent { offset: 0, length_bytes: size_bytes }] } else { vec![] };
    CopyEntry { path: path.into(), status: Some(status), extents, ..CopyEntry::default() }
}

fn entries(entries: &[CopyEntry]) -> Part {
    Part::Batch(CopyEntryBatch { entries: entries.to_vec() })
}

fn data(offset: u64, content: &[u8]) -> Part {
    Part::Data(CopyData { offset, content: content.to_vec() })
}

fn end(content: &[u8]) -> Part {
    Part::End(CopyEnd { sha256: Sha256::digest(content).to_vec(), changed: false })
}

fn summary() -> Part {
    Part::Summary(Summary { end: End::Complete.into(), ..Summary::default() })
}

fn top() -> CopyEntry {
    entry(FileKind::Directory, "", 0)
}

#[track_caller]
fn expect_failed(outcome: Result<Exit, Failure>, because: &str) {
    let Err(Failure::Here(error)) = outcome else { panic!("{outcome:?}") };
    assert!(error.because.contains(because), "{error:?}");
}

#[tokio::test]
async fn a_copy_is_there_under_its_name_once_all_of_it_is() {
    let here = tempfile::tempdir().unwrap();
    let destination = here.path().join("copy");
    let file = entry(FileKind::Regular, "a/b", 5);
    let parts = vec![
        entries(&[top(), entry(FileKind::Directory, "a", 0), file]),
        data(0, b"hel"),
        data(3, b"lo"),
        end(b"hello"),
        summary(),
    ];
    let (outcome, _) = copy(parts, &destination).await;
    assert_eq!(outcome.unwrap(), Exit::Answered);
    assert_eq!(fs::read(destination.join("a/b")).unwrap(), b"hello");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(destination.join("a/b")).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[tokio::test]
async fn what_is_broken_off_or_not_what_it_should_be_leaves_nothing() {
    let file = || entries(&[entry(FileKind::Regular, "", 5)]);
    for (parts, because) in [
        (vec![file(), data(0, b"hel")], "without a summary"),
        (vec![file(), data(0, b"hello"), end(b"HELLO"), summary()], "SHA-256"),
        (vec![file(), data(0, b"hel"), end(b"hel"), summary()], "before all of it"),
        (vec![file(), data(0, b"hello!"), end(b"hello!"), summary()], "outside"),
        (vec![file(), data(1, b"ello"), end(b"ello"), summary()], "outside"),
        (vec![file(), file(), summary()], "where none can be"),
        (vec![data(0, b"x")], "of no file"),
        (vec![end(b"")], "of no file"),
    ] {
        let here = tempfile::tempdir().unwrap();
        let (outcome, _) = copy(parts, &here.path().join("copy")).await;
        expect_failed(outcome, because);
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0, "{because}");
    }
}

#[tokio::test]
async fn an_agent_that_was_taken_over_writes_nowhere_else() {
    let link = CopyEntry { link_target: Some(b"/".to_vec()), ..entry(FileKind::Link, "link", 0) };
    for path in ["../evil", "/evil", "a/../../evil", "link/tmp/dbgctl-evil", "."] {
        let here = tempfile::tempdir().unwrap();
        let inside = here.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let hostile = entry(FileKind::Regular, path, 1);
        let parts = vec![entries(&[top(), link.clone(), hostile]), data(0, b"x"), end(b"x"), summary()];
        let (outcome, _) = copy(parts, &inside.join("copy")).await;
        assert!(matches!(outcome, Err(Failure::Here(_))), "{path}: {outcome:?}");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1, "{path}");
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 0, "{path}");
    }
    assert!(!Path::new("/tmp/dbgctl-evil").exists());
}

#[tokio::test]
async fn a_directory_does_not_replace_what_is_there() {
    let here = tempfile::tempdir().unwrap();
    let destination = here.path().join("copy");
    fs::write(&destination, "mine").unwrap();
    let (outcome, _) = copy(vec![entries(&[top()]), summary()], &destination).await;
    expect_failed(outcome, "something of that name already");
    assert_eq!(fs::read(&destination).unwrap(), b"mine");
}

#[tokio::test]
async fn what_was_left_out_is_said_and_the_copy_is_not_called_whole() {
    let here = tempfile::tempdir().unwrap();
    let gap = Gap { subject: "left out".into(), reason: "a FIFO".into(), count: 2 };
    let summary = Summary { gaps: vec![gap], end: End::Complete.into(), ..Summary::default() };
    let parts = vec![entries(&[top(), entry(FileKind::Fifo, "f", 0)]), Part::Summary(summary)];
    let (outcome, said) = copy(parts, &here.path().join("copy")).await;
    assert_eq!(outcome.unwrap(), Exit::No);
    assert_eq!(said, "left out: a FIFO, 2 files\n");
}

//! Every question that observes, asked of every recorded scene: the true path but for the engine.
//!
//! What is shown is compared with `tests/golden/<question>/<scene>.txt` and `.jsonl`. `cargo xtask bless` accepts what
//! has changed; its diff is read like code.
#![expect(clippy::disallowed_methods, reason = "a test reads the files of this tree")]

use std::collections::BTreeSet;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use clap::Parser as _;
use dbgctl_agent::guard::{Grant, GuardLayer};
use dbgctl_agent::handshake::Myself;
use dbgctl_agent::lifetime::Lifetime;
use dbgctl_agent::server;
use dbgctl_agent::sources::Sources;
use dbgctl_agent::transport::{Connection, only};
use dbgctl_linux::Root;
use dbgctl_linux::procfs::identity::Identity;
use dbgctl_proto::Effect;

use super::agent::Agent;
use super::testing::{Line, Written, agent_over};
use crate::render::{Format, Output, Talk};

/// Questions as they are typed after the container's name.
#[rustfmt::skip]
pub(super) const QUESTIONS: &[&str] = &[
    "ps",
    "ps --threads --all",
    "ps --tree",
    "mem",
    "cpu --sample 100ms",
    "io --sample 100ms",
    "fds",
    "env",
    "pids",
    "limits --all",
    "mem --pid 1 --maps",
    "stack",
    "stack --threads",
    "sockets",
    "sockets --listening --no-owners",
    "sockets --summary",
    "net --sample 100ms",
    "net --sample 100ms --counters",
];

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// The real server behind its guard, with all that a level can give, looking at a recorded target.
async fn agent(scene: &Path) -> Agent {
    let sources = Arc::new(Sources::recorded(scene).unwrap());
    let capabilities = "CAP_SYS_PTRACE,CAP_DAC_READ_SEARCH".parse().unwrap();
    let identity = Identity { permitted: capabilities, effective: capabilities, ..Identity::default() };
    let grant = Grant { capabilities, effects: BTreeSet::from([Effect::Observes]) };
    let myself = Myself::new(&Root::live().unwrap(), &identity, &grant, &Ok(()), Some(1), false).unwrap();
    let guard = GuardLayer { grant: Arc::new(grant), lifetime: Arc::new(Lifetime::new()) };
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(server::serve(guard, myself, sources, only(Connection::Pipe(theirs)), pending()));
    agent_over(ours).await
}

/// What a user sees: the answer and, for people, what is said beside it.
async fn shown(agent: &Agent, question: &str, format: Format) -> String {
    let Line { verb } = Line::parse_from(question.split(' '));
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = verb.ask(agent, &mut output, &mut Talk::to(stderr.clone())).await;
    let mut text = stdout.text();
    if format == Format::Wide {
        text.push_str(&format!("-- beside it, ending with {exit:?}:\n{}", stderr.text()));
    }
    text
}

#[tokio::test]
async fn every_question_about_every_scene_is_answered_as_before() {
    let bless = env::var_os("DBGCTL_BLESS").is_some();
    let mut changed = Vec::new();
    for scene in fs::read_dir(tree().join("fixtures")).unwrap() {
        let scene = scene.unwrap();
        let agent = agent(&scene.path()).await;
        for question in QUESTIONS {
            for (format, extension) in [(Format::Wide, "txt"), (Format::Json, "jsonl")] {
                let name = scene.file_name().into_string().unwrap();
                let golden = tree().join("golden").join(question.replace(' ', "")).join(name);
                let golden = golden.with_extension(extension);
                let seen = shown(&agent, question, format).await;
                let expected = fs::read_to_string(&golden).unwrap_or_default();
                if seen == expected {
                    continue;
                }
                if bless {
                    fs::create_dir_all(golden.parent().unwrap()).unwrap();
                    fs::write(&golden, seen).unwrap();
                } else {
                    changed.push(format!("{}\n--- was\n{expected}--- is\n{seen}", golden.display()));
                }
            }
        }
    }
    assert!(changed.is_empty(), "run `cargo xtask bless` and read its diff:\n{}", changed.join("\n"));
}

#[test]
fn a_header_stands_alone_and_first_and_a_summary_alone_and_last() {
    let mut seen = 0;
    for question in fs::read_dir(tree().join("golden")).unwrap() {
        for answer in fs::read_dir(question.unwrap().path()).unwrap() {
            let path = answer.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<serde_json::Map<String, serde_json::Value>> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            for (nth, line) in lines.iter().enumerate() {
                let is_last = nth + 1 == lines.len();
                assert_eq!(line.contains_key("summary"), is_last, "{}: {line:?}", path.display());
                assert!(nth == 0 || !line.contains_key("header"), "{}: {line:?}", path.display());
                let is_row = !line.contains_key("header") && !is_last;
                assert!(is_row || line.len() == 1, "{}: {line:?}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= QUESTIONS.len(), "{seen}");
}

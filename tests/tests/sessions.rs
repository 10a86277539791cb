//! Sessions: sidecars that stay, who uses them, and how they end.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use dbgctl_tests::running::Running;
use dbgctl_tests::{
    Ran, TARGET_IMAGE, Target, dbgctl, dbgctl_command, dbgctl_path, docker, docker_ok, eventually, patiently,
    run,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Long enough for all that a test does.
const STAYS: [&str; 5] = ["--detach", "--ttl", "10m", "--idle", "10m"];

fn leave_session(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["attach", &target.id], &STAYS[..], options].concat()).expect(0)
}

/// The sessions of `target`, as `dbgctl sessions` lists them.
fn sessions_of(target: &Target) -> Vec<Value> {
    let listed = dbgctl(&["sessions", "-o", "json"]).expect(0).json();
    listed.into_iter().filter(|session| session["target"] == target.name).collect()
}

/// Counts the sidecars of a target as the engine creates them. The engine itself remembers few of its events.
struct Creations(Running, String);

impl Creations {
    fn of(target: &Target) -> Self {
        let label = format!("dbgctl.target={}", target.id);
        let since = target.inspect("{{.Created}}");
        let mut events = Command::new("docker");
        events.args(["events", "--since", &since, "--filter", "event=create", "--format", "{{.ID}}"]);
        events.args(["--filter", &format!("label={label}")]);
        Self(Running::start(&mut events), label)
    }

    /// How many there were so far.
    fn count(&mut self) -> usize {
        // Events come in order: with the one of a container of ours, those before it are all here.
        let mark = docker_ok(&["create", "--label", &self.1, TARGET_IMAGE]);
        let mut count = 0;
        while self.0.line(|_| true) != mark {
            count += 1;
        }
        docker_ok(&["rm", &mark]);
        count
    }
}

#[test]
fn a_question_uses_the_session_and_starts_no_sidecar_of_its_own() {
    let target = Target::web();
    let mut created = Creations::of(&target);
    let left = leave_session(&target, &["-o", "json"]);

    let ps = dbgctl(&["ps", &target.id]).expect(0);
    let mem = dbgctl(&["mem", &target.id]).expect(0);
    dbgctl(&["connect", &target.id, "127.0.0.1:8080"]).expect(0);
    // Exactly that level was asked for, and the session has more.
    let low = dbgctl(&["ps", &target.id, "--level", "0"]).expect(0);

    assert_eq!(ps.stdout().matches("serve --workers 3").count(), 4, "{ps:?}");
    assert!(mem.stdout().contains("sum of PSS"), "{mem:?}");
    assert!(low.stderr().contains("user names"), "a gap, as asked for: {low:?}");
    assert_eq!(created.count(), 2, "the session's, and the one of level 0");
    let session = left.json()[0]["session"].as_str().unwrap().to_owned();
    assert_eq!(sessions_of(&target)[0]["session"], session.as_str());
}

#[test]
fn sessions_lists_who_looks_why_and_until_when() {
    let target = Target::web();
    leave_session(&target, &["--reason", "ticket \u{1b}[31m42"]);

    let sessions = sessions_of(&target);
    let table = dbgctl(&["sessions"]).expect(0);

    let session = &sessions[0];
    assert_eq!((sessions.len(), &session["level"], &session["state"]), (1, &"1".into(), &"running".into()));
    assert_eq!(session["reason"], "ticket \u{1b}[31m42");
    let lasts = session["expires_unix"].as_u64().unwrap() - session["started_unix"].as_u64().unwrap();
    assert!((599..=602).contains(&lasts), "{session}");
    assert!(table.stdout().contains(&target.name) && !table.stdout().contains('\u{1b}'), "{table:?}");
}

#[test]
fn detach_ends_the_sessions_of_a_container_and_no_others() {
    let (mine, others) = (Target::web(), Target::web());
    leave_session(&mine, &[]);
    leave_session(&others, &[]);

    let detach = dbgctl(&["detach", &mine.name]).expect(0);

    assert!(detach.stderr().contains(&format!("of `{}` ended", mine.name)), "{detach:?}");
    mine.expect_nothing_left();
    assert_eq!(sessions_of(&others).len(), 1);
    dbgctl(&["detach", &mine.name]).expect_error("there is no such session");
    let session = sessions_of(&others)[0]["session"].as_str().unwrap().to_owned();
    dbgctl(&["detach", &session]).expect(0);
    others.expect_nothing_left();
}

#[test]
fn a_session_ends_when_its_time_is_over_or_when_no_one_asks() {
    for (ttl, idle) in [("2s", "10m"), ("10m", "2s")] {
        let target = Target::web();
        dbgctl(&["attach", &target.id, "--detach", "--ttl", ttl, "--idle", idle]).expect(0);
        assert_eq!(target.sidecars().len(), 1);

        let gone = eventually(Duration::from_secs(10), || target.sidecars().is_empty());

        assert!(gone, "--ttl {ttl} --idle {idle}");
    }
}

#[test]
fn questions_keep_a_session_from_idling_out() {
    let target = Target::web();
    let mut created = Creations::of(&target);
    dbgctl(&["attach", &target.id, "--detach", "--ttl", "10m", "--idle", "6s"]).expect(0);
    let session = target.sidecars();
    let began = Instant::now();

    // Without a pause: on a loaded machine each one takes its time.
    while began.elapsed() < Duration::from_secs(8) {
        dbgctl(&["ps", &target.id]).expect(0);
    }

    assert_eq!(target.sidecars(), session);
    assert_eq!(created.count(), 1);
}

#[test]
fn a_session_ends_with_its_target() {
    let target = Target::web();
    leave_session(&target, &[]);

    docker_ok(&["stop", "-t", "1", &target.id]);

    target.expect_nothing_left();
    assert!(sessions_of(&target).is_empty());
}

#[test]
fn two_that_attach_at_once_both_get_what_they_asked_for() {
    let target = Target::web();
    let start = |options: &[&str]| {
        let arguments = [&["attach", &target.id], options].concat();
        Running::start(&mut dbgctl_command(&arguments))
    };
    let (one, two) = (start(&STAYS), start(&STAYS));
    let (mut three, mut four) = (start(&["-o", "json"]), start(&["-o", "json"]));
    three.ask("ps");
    four.ask("mem");

    three.line(|line| line.contains("\"summary\""));
    four.line(|line| line.contains("\"summary\""));
    three.end_of_input();
    four.end_of_input();
    for running in [one, two, three, four] {
        running.finish().expect(0);
    }

    assert_eq!(sessions_of(&target).len(), 2, "those that were to stay");
    dbgctl(&["detach", &target.name]).expect(0);
    target.expect_nothing_left();
}

#[test]
fn questions_from_a_pipe_are_answered_in_order_until_it_ends() {
    let target = Target::web();
    let mut created = Creations::of(&target);
    let mut attach = Running::start(&mut dbgctl_command(&["attach", &target.id]));

    attach.ask("# a comment, then an empty line");
    attach.ask("");
    attach.ask("ps -o json --limit 1");
    attach.line(|line| line.contains("\"summary\""));
    attach.ask("connect 127.0.0.1:8080 -o json");
    attach.line(|line| line.contains("connected"));
    attach.ask("mem -o json");
    attach.line(|line| line.contains("\"cgroup\""));
    attach.end_of_input();

    attach.finish().expect(0);
    assert_eq!(created.count(), 2, "one for each level, however many questions");
    target.expect_nothing_left();
}

#[test]
fn the_worst_answer_of_a_pipe_is_its_exit_status() {
    let target = Target::web();
    for (question, status, says) in [
        ("connect 127.0.0.1:1", 1, "refused"),
        ("ps --nonsense", 2, "because  unexpected argument '--nonsense' found\n"),
        ("rm -rf /", 2, "because  unrecognized subcommand 'rm'\n"),
        ("ps \"", 2, "because  a quote is not closed\n"),
    ] {
        let mut attach = Running::start(&mut dbgctl_command(&["attach", &target.id]));
        attach.ask(question);
        attach.ask("ps");
        attach.line(|line| line.contains("serve --workers 3"));
        attach.ask("exit");
        let ran = attach.finish().expect(status);
        assert!(ran.stderr().contains(says), "{ran:?}");
    }
    target.expect_nothing_left();
}

#[test]
fn an_open_prompt_serves_the_questions_of_others_and_takes_all_with_it() {
    let target = Target::web();
    let mut created = Creations::of(&target);
    let mut attach = Running::start(&mut dbgctl_command(&["attach", &target.id, "--level", "1"]));
    attach.ask("ps");
    attach.line(|line| line.contains("serve --workers 3"));

    let ps = dbgctl(&["ps", &target.id]).expect(0);

    assert_eq!(ps.stdout().matches("serve --workers 3").count(), 4, "{ps:?}");
    assert_eq!(created.count(), 1);
    attach.end_of_input();
    attach.finish().expect(0);
    target.expect_nothing_left();
}

/// What makes a container a sidecar: labels, and a name that goes with them.
fn labels(target: &Target, session: &str, owner: &str, kind: &str) -> Vec<String> {
    vec![
        format!("--label=dbgctl.session={session}"),
        format!("--label=dbgctl.target={}", target.id),
        format!("--label=dbgctl.kind={kind}"),
        format!("--label=dbgctl.owner={owner}"),
        "--label=dbgctl.level=1".to_owned(),
        "--label=dbgctl.expires=99999999999".to_owned(),
    ]
}

/// A sidecar that never started, as a run that was killed at a bad moment leaves it. `nth` tells those of one
/// test apart.
fn leftover(target: &Target, owner: &str, kind: &str, nth: u8) -> String {
    let session = format!("{:06x}{nth:02x}", std::process::id());
    let labels = labels(target, &session, owner, kind);
    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
    docker_ok(&[&["create", "--name", &format!("dbgctl-{session}-1")], &labels[..], &[TARGET_IMAGE]].concat())
}

#[test]
fn gc_sweeps_what_a_dead_owner_never_started_and_spares_the_living() {
    let target = Target::web();
    // A live one, and its label as dbgctl itself writes it.
    let mut watch = Running::start(&mut dbgctl_command(&["ps", &target.id, "--watch"]));
    watch.line(|line| line.contains("serve --workers 3"));
    let running = target.sidecars().pop().unwrap();
    let label = "{{index .Config.Labels \"dbgctl.owner\"}}";
    let alive = docker_ok(&["inspect", "-f", label, &running]);
    let (place, _start) = alive.rsplit_once('/').unwrap();
    let dead = format!("{place}/1");

    let of_the_dead = [leftover(&target, &dead, "question", 0), leftover(&target, &dead, "session", 1)];
    let of_the_living = leftover(&target, &alive, "question", 2);
    let of_elsewhere = leftover(&target, "another-machine/boot/1/1/1", "question", 3);
    // Labels alone may come from anyone's image.
    let pretender = labels(&target, "0123abcd", &dead, "question");
    let pretender: Vec<_> = pretender.iter().map(String::as_str).collect();
    let pretender = docker_ok(&[&["create"], &pretender[..], &[TARGET_IMAGE]].concat());
    let gc = dbgctl(&["gc"]).expect(0);

    let left = || target.sidecars().into_iter().collect::<BTreeSet<_>>();
    // Another command may be removing them just now, in passing: then there is nothing to do for this one.
    let swept = || of_the_dead.iter().all(|id| !left().contains(id));
    assert!(eventually(Duration::from_secs(2), swept), "{gc:?}");
    let left = left();
    let spared = [running, of_the_living.clone(), of_elsewhere.clone(), pretender.clone()];
    assert_eq!(left, BTreeSet::from(spared), "{gc:?}");
    docker_ok(&["rm", &of_elsewhere, &pretender]);
    watch.signal(Signal::SIGTERM);
    watch.finish().expect(130);
    // Now that its owner is dead, any command sweeps it in passing.
    dbgctl(&["ps", &target.id]).expect(0);
    target.expect_nothing_left();
    assert_eq!(docker(&["inspect", &of_the_living]).code, Some(1));
}

#[test]
fn a_session_outlives_whoever_killed_the_shell_that_left_it() {
    let target = Target::web();
    let script = format!("{} attach {} --detach & wait; kill -9 $$", dbgctl_path().display(), target.id);
    run(Command::new("sh").args(["-c", &script]).env_remove("DOCKER_HOST"));

    dbgctl(&["gc"]).expect(0);

    std::thread::sleep(patiently(Duration::from_millis(300)));
    assert_eq!(sessions_of(&target).len(), 1);
}

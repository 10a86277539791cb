//! P11: a look-up inside a session, beside `dig` and a C program that asks the same server the same.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::program::{self, Session};
use super::report::Report;
use super::samples::Samples;
use super::{Bench, tools};
use crate::Result;
use crate::command;
use crate::container::{Container, TARGET_IMAGE, docker};

const QUESTIONS: u32 = 500;
const NAME: &str = "db.prod.test";

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    for needed in ["dnsmasq", "dig", "nsenter"] {
        if !command::exists(needed) {
            report.note(format!("not measured: there is no `{needed}` on this machine"));
            return Ok(());
        }
    }
    let target = Container::run(&bench.name("names"), &["--network=none", TARGET_IMAGE, "serve"])?;
    let network = Network::of(&target)?;
    let _server = network.server()?;
    let server = Ipv4Addr::LOCALHOST.to_string();

    let floor = tools::compile(&bench.workspace, "dnsfloor")?;
    let mut floor = Floor::start(network.run(&floor.to_string_lossy()).args([server.as_str(), NAME]))?;
    let mut session = Session::attach(bench.dbgctl().args(["attach", &target.name]))?;
    let question = format!("dns {NAME}. --type a --server {server} -o json");
    let lines = session.count(question.strip_suffix(" -o json").unwrap_or(&question))?;
    let [mut whole, mut told, mut c, mut dig]: [Samples; 4] = Default::default();
    for number in 0..QUESTIONS {
        let (took, answer) = session.ask_for(&question, lines)?;
        let at_server = answer.iter().find_map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).ok()?;
            row.get("sent_nanos")?;
            row.get("nanos")?.as_u64()
        });
        let floor = floor.ask()?;
        if number > 0 {
            whole.push(took);
            told.push(Duration::from_nanos(at_server.ok_or("the answer has no question in it")?));
            c.push(Duration::from_nanos(floor));
        }
        // Far slower: some suffice, spread over the run.
        if number % (QUESTIONS / bench.runs).max(1) == 0 {
            let mut command = network.run("dig");
            command.args([&format!("@{server}"), NAME, "A", "+short", "+noedns"]);
            dig.push(program::run(&mut command)?.ended);
        }
    }
    session.end()?;

    report.times("`dns` of one question in an open session, asked to the last byte of the answer", &whole);
    report.times("`dig +short` in the same network namespace, the bare program", &dig);
    report.times("the server's time, as `dns` tells it", &told);
    report.times("the same, by a C program", &c);
    let difference = told.median().as_secs_f64() - c.median().as_secs_f64();
    report.at_most("P11", "a look-up in a session, p50", whole.median().as_secs_f64() * 1000.0, 1.0, " ms");
    report.at_least("P11", "`dig`, beside a look-up in a session", dig.times(&whole), 10.0, " x");
    report.at_most(
        "P11",
        "the server's time beside that of a C program",
        difference.abs() * 1e6,
        20.0,
        " µs",
    );
    Ok(())
}

/// The network namespace of a container, seen from the host.
struct Network(String);

impl Network {
    fn of(target: &Container) -> Result<Self> {
        let pid = command::output(docker().args(["inspect", "--format", "{{.State.Pid}}", &target.name]))?;
        Ok(Self(format!("--net=/proc/{}/ns/net", pid.trim())))
    }

    fn run(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([self.0.as_str(), program]);
        command
    }

    /// A real server that knows the name.
    fn server(&self) -> Result<Server> {
        let mut command = self.run("dnsmasq");
        command.args(["--keep-in-foreground", "--pid-file", "--user=root", "--no-resolv", "--no-hosts"]);
        command.args(["--conf-file=/dev/null", "--listen-address=127.0.0.1", "--bind-interfaces"]);
        command.args(["--log-facility=-", &format!("--host-record={NAME},10.0.0.7")]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        let server = Server(child);
        for line in lines.lines() {
            if line?.contains("started") {
                return Ok(server);
            }
        }
        Err("dnsmasq did not start".into())
    }
}

/// Ended with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// The C program.
struct Floor {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Floor {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self { child, questions, answers })
    }

    /// Nanoseconds.
    fn ask(&mut self) -> Result<u64> {
        self.questions.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

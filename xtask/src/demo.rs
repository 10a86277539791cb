//! `cargo xtask demo`: from a fresh clone to the truth about a container that has no shell.

use std::collections::BTreeSet;
use std::env;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::container::{Container, Engine, TARGET_IMAGE, docker};
use crate::{Result, command, undo};

/// What is piped into the session that the demo attaches.
const QUESTIONS: &str = "ps --sort rss --limit 2\nmem\nconnect 127.0.0.1:8080\n";

/// Builds, looks into a container that it starts, and cleans up.
pub(crate) fn demo(workspace: &Path) -> Result {
    undo::on_interrupt()?;
    println!(
        "dbgctl demo: build everything, look into a container that has no shell, leave nothing behind.\n"
    );
    build(workspace)?;
    if !command::exists("docker") {
        return Err("the demo needs the `docker` command, which is not on PATH".into());
    }
    Engine::default().load_targets(workspace)?;

    let before = containers()?;
    let dbgctl = Dbgctl { path: workspace.join("target/release/dbgctl") };
    let target = start_target(&before)?;
    look(&dbgctl, &target.name)?;
    check_what_is_left(&target, &before)?;
    drop(target);
    say("The demo's own container is removed too. What stays in the engine are two kinds of images:");
    println!("  dbgctl/agent (loaded again when needed) and dbgctl-test/* (only for the demo and tests)");
    what_next(workspace)
}

fn build(workspace: &Path) -> Result {
    let xtask = env::current_exe()?;
    let cargo = command::cargo(workspace);
    let steps: [(&str, &Path, &[&str]); 4] = [
        ("what this machine needs", &xtask, &["bootstrap"]),
        ("the agent's image, for amd64 and arm64", &xtask, &["image"]),
        ("a container to look into", &xtask, &["targets"]),
        ("dbgctl itself", Path::new(cargo.get_program()), &["build", "--release", "--package", "dbgctl"]),
    ];
    for (number, (what, program, arguments)) in steps.iter().enumerate() {
        print!("[{}/{}] {what} … ", number + 1, steps.len());
        io::stdout().flush()?;
        let start = Instant::now();
        let step = Command::new(program)
            .args(*arguments)
            .current_dir(workspace)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let seconds = start.elapsed().as_secs_f64();
        if !step.status.success() {
            println!("failed after {seconds:.1} s\n");
            io::stdout().write_all(&step.stdout)?;
            io::stdout().write_all(&step.stderr)?;
            return Err(format!("`cargo xtask demo` could not prepare {what}").into());
        }
        println!("{seconds:.1} s");
    }
    Ok(())
}

fn start_target(before: &BTreeSet<String>) -> Result<Container> {
    say(
        "A container as security people like it: one static program, no shell,\nno root, no capability, no network, nothing that could be written to.",
    );
    let base = "dbgctl-demo";
    let name = if before.contains(base) { format!("{base}-{}", std::process::id()) } else { base.to_owned() };
    let arguments = [
        "--read-only",
        "--user=1000",
        "--cap-drop=ALL",
        "--network=none",
        TARGET_IMAGE,
        "serve",
        "--workers",
        "3",
    ];
    println!("\n$ docker run --detach --name {name} {}", arguments.join(" "));
    let target = Container::run(&name, &arguments)?;
    println!("{}", target.id);
    say("The usual way in does not exist:");
    let entered = show(docker().args(["exec", &name, "sh"]), &format!("docker exec {name} sh"), None)?;
    if entered == Some(0) {
        Err("there is a shell in the target: it should have none".into())
    } else {
        Ok(target)
    }
}

fn look(dbgctl: &Dbgctl, target: &str) -> Result {
    say("dbgctl starts a small sidecar beside it, asks, and removes the sidecar:");
    dbgctl.show(&["ps", target], 0)?;
    dbgctl.show(&["ps", target, "--tree", "--quiet"], 0)?;
    say("Who uses the memory, and what the container may use:");
    dbgctl.show(&["mem", target], 0)?;
    say("What it can reach, seen from where it is. Its own port, then one where no one listens:");
    dbgctl.show(&["connect", target, "127.0.0.1:8080"], 0)?;
    dbgctl.show(&["connect", target, "127.0.0.1:81"], 1)?;
    say("A session keeps the sidecar for several questions, each answered in milliseconds.");
    println!("On a terminal `dbgctl attach` is a prompt; here the questions come from a pipe:");
    dbgctl.show_piped(&["attach", target], QUESTIONS)?;
    say("A detached session stays, for the next questions of whoever may talk to the engine:");
    dbgctl.show(&["attach", target, "--detach", "--ttl", "5m"], 0)?;
    dbgctl.show(&["sessions"], 0)?;
    dbgctl.show(&["ps", target, "--limit", "2", "--sort", "rss"], 0)?;
    dbgctl.show(&["detach", target], 0)
}

/// The full CLI, shown as a user would type it.
struct Dbgctl {
    path: PathBuf,
}

impl Dbgctl {
    fn show(&self, arguments: &[&str], expected: i32) -> Result {
        self.run(arguments, None, expected)
    }

    fn show_piped(&self, arguments: &[&str], input: &str) -> Result {
        self.run(arguments, Some(input), 0)
    }

    fn run(&self, arguments: &[&str], input: Option<&str>, expected: i32) -> Result {
        let line = format!("dbgctl {}", arguments.join(" "));
        let start = Instant::now();
        let code = show(Command::new(&self.path).args(arguments), &line, input)?;
        let milliseconds = start.elapsed().as_millis();
        match code {
            Some(code) if code == expected && code == 1 => {
                println!("# {milliseconds} ms, exit status 1: answered, and the answer is no");
            }
            Some(code) if code == expected => println!("# {milliseconds} ms"),
            code => return Err(format!("`{line}` ended with {code:?} instead of {expected}").into()),
        }
        Ok(())
    }
}

/// Runs a command under the line that a user would type, and returns its exit status.
fn show(command: &mut Command, line: &str, input: Option<&str>) -> Result<Option<i32>> {
    match input {
        None => println!("\n$ {line}"),
        Some(input) => println!("\n$ {line} <<END\n{input}END"),
    }
    // One stream for both, so that what is said stands where it belongs, also in a file.
    let stdout = io::stdout();
    let (out, err) = (stdout.as_fd().try_clone_to_owned()?, stdout.as_fd().try_clone_to_owned()?);
    let mut child = command.stdin(Stdio::piped()).stdout(out).stderr(err).spawn()?;
    let stdin = child.stdin.take();
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        stdin.write_all(input.as_bytes())?;
    }
    Ok(child.wait()?.code())
}

fn check_what_is_left(target: &Container, before: &BTreeSet<String>) -> Result {
    say("What was left behind? Files that changed in the container, and sidecars that look into it:");
    let name = &target.name;
    show(docker().args(["diff", name]), &format!("docker diff {name}"), None)?;
    let list = ["ps", "--all", "--quiet", "--filter", &format!("label=dbgctl.target-name={name}")];
    show(docker().args(list), &format!("docker {}", list.join(" ")), None)?;
    let sidecars = target.sidecars(false)?;
    if !sidecars.is_empty() {
        return Err(format!("sidecars were left behind: {}", sidecars.join(" ")).into());
    }
    println!("# nothing, twice");
    let after = containers()?;
    let gone = before.difference(&after).count();
    let new = after.difference(before).filter(|container| *container != name).count();
    match (gone, new) {
        (0, 0) => println!("\nContainers before: {}. Now: the same, and {name}.", before.len()),
        _ => {
            println!("\nOthers use this engine, too: {new} containers of theirs came meanwhile, {gone} went.")
        }
    }
    Ok(())
}

fn what_next(workspace: &Path) -> Result {
    say("Now your own. dbgctl is one file:");
    println!("\n  sudo install {} /usr/local/bin/", workspace.join("target/release/dbgctl").display());
    let format = "{{.Names}}\t{{.Image}}\t{{.Label \"dbgctl.session\"}}";
    let running = command::output(docker().args(["ps", "--format", format]))?;
    let running: Vec<_> = running
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter_map(|columns| {
            Some((*columns.first()?, *columns.get(1)?, columns.get(2).is_none_or(|id| id.is_empty())))
        })
        .filter(|(_, image, no_sidecar)| *no_sidecar && !image.starts_with("dbgctl-test/"))
        .collect();
    let first = running.first().map_or("CONTAINER", |(name, ..)| name);
    println!("  dbgctl ps {first}\n  dbgctl attach {first}\n  dbgctl --help");
    if running.is_empty() {
        say("No container of yours is running here at the moment.");
        return Ok(());
    }
    say("Running here:");
    for (name, image, _) in running {
        println!("  {name:<24} {image}");
    }
    Ok(())
}

/// The names of all containers of the engine, running or not.
fn containers() -> Result<BTreeSet<String>> {
    let listed = command::output(docker().args(["ps", "--all", "--format", "{{.Names}}"]))?;
    Ok(listed.lines().map(str::to_owned).collect())
}

fn say(text: &str) {
    println!("\n{text}");
}

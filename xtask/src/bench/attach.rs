//! P1: one question with a new sidecar.

use serde_json::{Value, json};

use super::report::Report;
use super::samples::Samples;
use super::{Bench, http, program, tools};
use crate::Result;
use crate::container::{Container, TARGET_IMAGE, TRUE_IMAGE, docker};

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let target =
        Container::run(&bench.name("web"), &["--network=none", TARGET_IMAGE, "serve", "--workers", "3"])?;
    let (mut floor, mut confined, mut peer, mut small_peer) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    let mut peer_answered = Samples::default();
    let (mut answered, mut ended) = (Samples::default(), Samples::default());
    // The first run of each warms the caches of the engine and is not counted.
    for run in 0..=bench.runs {
        let ours = program::run(bench.dbgctl().args(["ps", &target.name]))?;
        let least = http::first_byte(&bench.socket, TRUE_IMAGE, &shared(&target))?;
        let same = http::first_byte(&bench.socket, TRUE_IMAGE, &as_a_sidecar(bench, &target)?)?;
        let ps = program::run(run_beside(&target, &bench.tools.image).args([tools::PS, "aux"]))?;
        let small = program::run(&mut run_beside(&target, TRUE_IMAGE))?;
        if run == 0 {
            continue;
        }
        answered.push(ours.answered);
        ended.push(ours.ended);
        floor.push(least);
        confined.push(same);
        peer_answered.push(ps.answered);
        peer.push(ps.ended);
        small_peer.push(small.ended);
    }
    report.times("`dbgctl ps`, to the printed answer", &answered);
    report.times("`dbgctl ps`, to its end: the sidecar is removed", &ended);
    report.times("floor: engine API, create to the first byte of a static program", &floor);
    report.times("the same, confined and limited as a sidecar is", &confined);
    report.times("`docker run --rm` of procps, `ps aux`, to the printed answer", &peer_answered);
    report.times("the same, to its end", &peer);
    report.times("`docker run --rm` of the static program", &small_peer);
    report.at_most("P1", "first answer, beside the floor", answered.times(&floor), 1.25, " x");
    report.at_least(
        "P1",
        "`docker run --rm … ps aux`, beside the first answer",
        peer.times(&answered),
        1.3,
        " x",
    );
    report
        .note("procps is this machine's `ps` and its libraries alone in an image: the smallest there can be");
    Ok(())
}

/// The same namespaces, and nothing else asked for.
pub(super) fn shared(target: &Container) -> Value {
    let namespace = format!("container:{}", target.id);
    json!({ "PidMode": namespace, "NetworkMode": namespace })
}

/// What a sidecar is created with, as far as it costs time.
fn as_a_sidecar(bench: &Bench, target: &Container) -> Result<Value> {
    let profile = std::fs::read_to_string(bench.workspace.join("images/agent/seccomp.json"))?;
    let mut config = shared(target);
    config["CapDrop"] = json!(["ALL"]);
    config["CapAdd"] = json!(["SYS_PTRACE", "SETUID", "SETGID"]);
    config["SecurityOpt"] = json!(["no-new-privileges", format!("seccomp={profile}")]);
    config["LogConfig"] = json!({ "Type": "none" });
    config["ReadonlyRootfs"] = json!(true);
    config["IpcMode"] = json!("private");
    config["Memory"] = json!(64 << 20);
    config["MemorySwap"] = json!(64 << 20);
    config["PidsLimit"] = json!(64);
    config["NanoCpus"] = json!(1_000_000_000);
    Ok(config)
}

fn run_beside(target: &Container, image: &str) -> std::process::Command {
    let mut run = docker();
    run.args(["run", "--rm"]).args(target.namespaces()).arg(image);
    run
}

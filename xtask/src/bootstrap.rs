//! `cargo xtask bootstrap`: makes a machine ready to build and test, and says what it did.
//!
//! Safe to repeat: each item is looked for first, and what is there is left alone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::arch::Arch;
use crate::packages::{self, PACKAGES};
use crate::toolchain::{DEBIAN_PACKAGES, MuslStd, PYTHON_PACKAGES, Toolchain};
use crate::{Result, command, engine};

/// How long `rustup` may try: on a machine that can not reach its server it would try for many minutes.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// Looks for everything, brings what is missing, and fails if something required could not be brought.
pub(crate) fn bootstrap(workspace: &Path) -> Result {
    let mut report = Report::default();
    debian_packages(&mut report);
    musl_std(&mut report);
    if let Err(error) = zig(workspace, &mut report) {
        report.missing(
            "zig",
            &format!("{error}"),
            "try `cargo xtask bootstrap` again when the Python package index can be reached",
        );
    }
    docker_engine(workspace, &mut report);
    report.close()
}

/// What was found, done and missed, one line each.
#[derive(Default)]
struct Report {
    missing: Vec<&'static str>,
}

impl Report {
    fn found(&self, item: &str, detail: &str) {
        println!("found    {item}: {detail}");
    }

    fn did(&self, item: &str, detail: &str) {
        println!("did      {item}: {detail}");
    }

    /// Something that can be done without; `advice` says how to get it.
    fn without(&self, item: &str, detail: &str, advice: &str) {
        println!("without  {item}: {detail}\n         {advice}");
    }

    /// Something that can not be done without.
    fn missing(&mut self, item: &'static str, detail: &str, advice: &str) {
        println!("missing  {item}: {detail}\n         {advice}");
        self.missing.push(item);
    }

    fn close(self) -> Result {
        if self.missing.is_empty() {
            return Ok(());
        }
        Err(format!("this machine is not ready, it misses: {}", self.missing.join(", ")).into())
    }
}

fn debian_packages(report: &mut Report) {
    let absent: Vec<_> = PACKAGES.iter().filter(|package| !(package.present)()).collect();
    let names: Vec<_> = absent.iter().map(|package| package.name).collect();
    let failure = match packages::can_install() {
        _ if names.is_empty() => None,
        true => install(&names),
        false => Some("not installed".to_owned()),
    };
    for package in &PACKAGES {
        let purpose = format!("needed to {}", package.purpose);
        if !names.contains(&package.name) {
            report.found(package.name, &purpose);
        } else if (package.present)() {
            report.did(package.name, &format!("installed, {purpose}"));
        } else {
            let detail =
                format!("{purpose}; {}", failure.as_deref().unwrap_or("installed, but still not found"));
            let advice = packages::install_by_hand(&[package.name]);
            if package.required {
                report.missing(package.name, &detail, &advice);
            } else {
                report.without(package.name, &detail, &advice);
            }
        }
    }
}

/// Installs packages; why one of them could not be. One that can not be had does not keep the others away.
fn install(names: &[&str]) -> Option<String> {
    packages::install(names).err()?;
    let failures: Vec<_> = names.iter().filter_map(|name| packages::install(&[name]).err()).collect();
    failures.last().map(|error| error.to_string())
}

/// The standard library for musl: by rustup, else by Debian's compiler and source.
fn musl_std(report: &mut Report) {
    const ITEM: &str = "Rust standard library for musl";
    let targets = Arch::ALL.map(Arch::target);
    let installed = format!("beside the compiler, {}", targets.join(" and "));
    let from_source = "built from source by Debian's compiler, which costs about a minute in the first build";
    match MuslStd::find() {
        Some(MuslStd::Installed) => return report.found(ITEM, &installed),
        Some(MuslStd::FromSource) => return report.found(ITEM, from_source),
        None => {}
    }
    let mut tried = Vec::new();
    let rustup =
        command::run_within(RUSTUP_LIMIT, Command::new("rustup").args(["target", "add"]).args(targets));
    if let Err(error) = rustup {
        tried.push(error.to_string());
    }
    if MuslStd::find() == Some(MuslStd::Installed) {
        return report.did(ITEM, &format!("by rustup, {installed}"));
    }
    if packages::can_install()
        && let Err(error) = packages::install(&DEBIAN_PACKAGES)
    {
        tried.push(error.to_string());
    }
    if MuslStd::find() == Some(MuslStd::FromSource) {
        return report.did(ITEM, from_source);
    }
    let by_hand = packages::install_by_hand(&DEBIAN_PACKAGES);
    report.missing(
        ITEM,
        &tried.join("; "),
        &format!("rustup target add {}\n         or {by_hand}", targets.join(" ")),
    );
}

/// zig and cargo-zigbuild, in a Python virtual environment of their own.
fn zig(workspace: &Path, report: &mut Report) -> Result {
    const ITEM: &str = "zig";
    let wanted = PYTHON_PACKAGES.join(" ");
    let venv = Toolchain::venv(workspace);
    // Written last, so that an interrupted installation is not taken for a whole one.
    let stamp = venv.join("dbgctl-packages");
    if fs::read_to_string(&stamp).is_ok_and(|packages| packages == wanted) {
        report.found(ITEM, &format!("{wanted} in target/tools/venv"));
        return Ok(());
    }
    command::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    command::output(Command::new(venv.join("bin/pip")).args(["install", "--quiet"]).args(PYTHON_PACKAGES))?;
    fs::write(stamp, &wanted)?;
    report.did(ITEM, &format!("installed {wanted} in target/tools/venv"));
    Ok(())
}

fn docker_engine(workspace: &Path, report: &mut Report) {
    const ITEM: &str = "Docker engine";
    let address = engine::address();
    let Err(error) = engine::ping() else {
        return report.found(ITEM, &format!("answers at {address}"));
    };
    let silent = format!("{address}: {error}");
    if engine::chosen_by_user().is_some() {
        return report.missing(ITEM, &silent, "start that engine, or unset DOCKER_HOST");
    }
    if engine::is_denied(error.as_ref()) {
        return report.missing(
            ITEM,
            &silent,
            "sudo usermod --append --groups docker $USER, and log in again",
        );
    }
    let by_hand = format!("{}\n         sudo dockerd", packages::install_by_hand(&["docker.io"]));
    if !packages::can_install() {
        return report.missing(ITEM, &silent, &by_hand);
    }
    let installed = if command::exists("dockerd") { Ok(()) } else { packages::install(&["docker.io"]) };
    match installed.and_then(|()| engine::start(workspace)) {
        Ok(()) => report.did(ITEM, &format!("started, answers at {address}")),
        Err(error) => report.missing(ITEM, &format!("{silent}; {error}"), &by_hand),
    }
}

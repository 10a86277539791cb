//! `cargo xtask test`: everything that must hold before a change is taken, in the order that fails fastest.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::command::{self, cargo};
use crate::image::{self, Build};
use crate::{Result, bootstrap, codegen, programs, readme, targets};

/// Runs every step and stops at the first that fails.
pub(crate) fn test(workspace: &Path) -> Result {
    let start = Instant::now();
    step("bootstrap", || bootstrap::bootstrap(workspace))?;
    step("generated code is current", || generated_code_is_current(workspace))?;
    step("README is current", || readme::check(workspace))?;
    step("format", || command::run(cargo(workspace).args(["fmt", "--all", "--check"])))?;
    step("image", || image::image(workspace, Build::Shipped))?;
    step("image is reproducible", || image::verify_reproducible(workspace))?;
    step("targets", || targets::targets(workspace))?;
    step("programs", || programs::programs(workspace))?;
    step("clippy", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        command::run(cargo(workspace).args(clippy))
    })?;
    step("release build", || {
        command::run(cargo(workspace).args(["build", "--release", "--package", "dbgctl"]))
    })?;
    step("tests", || {
        let mut test = cargo(workspace);
        test.args(["test", "--workspace"])
            .env("DBGCTL_BIN", workspace.join("target/release/dbgctl"))
            .env("DBGCTL_AGENT_IMAGE_DIR", image::directory(workspace))
            .env("DBGCTL_TARGET_IMAGE_DIR", targets::directory(workspace));
        command::run(&mut test)
    })?;
    println!("\nall steps passed in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Runs one step under its heading, and says how long it took.
fn step(name: &str, run: impl FnOnce() -> Result) -> Result {
    println!("\n== {name}");
    let start = Instant::now();
    let result = run();
    let seconds = start.elapsed().as_secs_f64();
    match result {
        Ok(()) => println!("-- {name}: passed in {seconds:.1} s"),
        Err(error) => return Err(format!("step `{name}` failed after {seconds:.1} s\n{error}").into()),
    }
    Ok(())
}

fn generated_code_is_current(workspace: &Path) -> Result {
    let committed = workspace.join("proto/src/generated");
    let fresh = workspace.join("target/generated");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    codegen::generate(workspace, &fresh)?;
    for file in file_names(&fresh)?.union(&file_names(&committed)?) {
        // A file that is only on one side is as stale as one that differs.
        if fs::read(fresh.join(file)).ok() != fs::read(committed.join(file)).ok() {
            return Err(format!("proto/src/generated/{file} is stale: run `cargo xtask codegen`").into());
        }
    }
    Ok(())
}

fn file_names(directory: &Path) -> Result<std::collections::BTreeSet<String>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

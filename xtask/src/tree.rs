//! The source tree: its files, its revision, and copies of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::command;

/// The commit of the tree, `-dirty` if files differ from it, `unknown` without git.
pub(crate) fn revision(workspace: &Path) -> String {
    let Ok(commit) = command::output(git(workspace).args(["rev-parse", "HEAD"])) else {
        return "unknown".to_owned();
    };
    match command::output(git(workspace).args(["status", "--porcelain"])) {
        Ok(changes) if changes.is_empty() => commit,
        _ => format!("{commit}-dirty"),
    }
}

/// Makes `copy` hold the same files as `workspace`, and touches only what differs, so that Cargo rebuilds no more.
pub(crate) fn copy(workspace: &Path, copy: &Path) -> Result {
    let files = files(workspace)?;
    for file in &files {
        let content =
            fs::read(workspace.join(file)).map_err(|error| format!("{}: {error}", file.display()))?;
        write_if_changed(&copy.join(file), &content)?;
    }
    for file in walk(copy)?.difference(&files) {
        fs::remove_file(copy.join(file))?;
    }
    Ok(())
}

/// Writes `content` unless the file holds it already, and makes the directories on the way.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// The files of the tree, those not committed yet included, what git ignores left out.
fn files(workspace: &Path) -> Result<BTreeSet<PathBuf>> {
    let listed =
        git(workspace).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output();
    match listed {
        Ok(listed) if listed.status.success() => {
            let names = String::from_utf8(listed.stdout)?;
            // A file that was deleted but not committed is still in the index.
            let names = names.split_terminator('\0').map(PathBuf::from);
            Ok(names.filter(|name| workspace.join(name).is_file()).collect())
        }
        _ => walk(workspace),
    }
}

/// Every file below `root`, as a path from there, without git's own and without build output.
fn walk(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(root.join(&directory)) else { continue };
        for entry in entries {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            if path == Path::new("target") || path == Path::new(".git") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                directories.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    Ok(files)
}

fn git(workspace: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(workspace);
    git
}

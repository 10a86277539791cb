//! Where this program keeps what outlives it: `$XDG_STATE_HOME/dbgctl`, as the XDG base directory specification has it.

use std::env;
use std::path::PathBuf;

/// The path of one file in it. `None`: the environment names no home.
pub(crate) fn path(file: &str) -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("dbgctl").join(file))
}

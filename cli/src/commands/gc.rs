//! `gc`: removes what runs that were killed have left behind. Every question and every `attach` does it too, in passing.

use crate::attach::Attacher;
use crate::error::Error;
use crate::exit::Exit;

pub(crate) async fn run(attacher: &Attacher) -> Result<Exit, Error> {
    let sidecars = attacher.engine.sidecars().await;
    let sidecars = sidecars.map_err(|error| Error::engine("look for what was left behind", &error))?;
    // The removal itself is waited for at the end of every command.
    match attacher.sweep(&sidecars) {
        0 => attacher.notes.note(format!("nothing to remove; {} sidecars serve someone", sidecars.len())),
        count => attacher.notes.note(format!("removed {count} sidecars that no one uses any more")),
    }
    Ok(Exit::Answered)
}

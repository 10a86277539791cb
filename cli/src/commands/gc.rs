//! `gc`: removes what runs that were killed have left behind. Every command that looks for sidecars does it too, in passing.

use crate::attach::Attacher;
use crate::error::Error;
use crate::exit::Exit;

pub(crate) async fn run(attacher: &Attacher) -> Result<Exit, Error> {
    let collected = attacher.collect_garbage().await;
    let (removed, others) =
        collected.map_err(|error| Error::engine("remove what was left behind", &error))?;
    attacher.notes.note(match removed {
        0 => format!("nothing to remove; {others} sidecars serve someone"),
        removed => format!("removed {removed} sidecars that served no one any more"),
    });
    Ok(Exit::Answered)
}

//! `gc`: removes what runs that were killed have left behind. Every command that looks for sidecars does it too, in passing.

use crate::attach::Attacher;
use crate::error::Error;
use crate::exit::Exit;

pub(crate) const EXAMPLES: &str = "\
Examples:
  dbgctl gc    removes sidecars that serve no one any more

Sessions that someone uses stay. Any question does the same on its way.";

pub(crate) async fn run(attacher: &Attacher) -> Result<Exit, Error> {
    let collected = attacher.collect_garbage().await;
    let (removed, others) =
        collected.map_err(|error| Error::engine("remove what was left behind", &error))?;
    attacher.notes.note(match removed {
        0 if others == 0 => "nothing to remove: there are no sidecars".to_owned(),
        0 => format!("nothing to remove; still of use to someone: {}", sidecars(others)),
        1 => "removed 1 sidecar that served no one any more".to_owned(),
        removed => format!("removed {removed} sidecars that served no one any more"),
    });
    Ok(Exit::Answered)
}

fn sidecars(count: usize) -> String {
    if count == 1 { "1 sidecar".to_owned() } else { format!("{count} sidecars") }
}

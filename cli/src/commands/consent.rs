//! What is not done before someone has said yes.

use dbgctl_proto::{Effect, Needs};

use crate::attach::Attacher;
use crate::attach::level::Level;
use crate::attach::session::effects_at;
use crate::error::Error;
use crate::render::Talk;

/// Whether a question with these needs may be asked of `target`: allowed on the command line, or by a person.
///
/// # Errors
///
/// If it was not allowed. Nothing has been started then.
pub(super) async fn given(attacher: &Attacher, needs: &Needs, target: &str) -> Result<(), Error> {
    if needs.effect == Effect::Captures { ask(attacher, target).await } else { Ok(()) }
}

/// The same for a session that begins at that level.
///
/// # Errors
///
/// As [`given`] has it.
pub(super) async fn given_for(attacher: &Attacher, level: Level, target: &str) -> Result<(), Error> {
    if effects_at(level).contains(&Effect::Captures) { ask(attacher, target).await } else { Ok(()) }
}

async fn ask(attacher: &Attacher, target: &str) -> Result<(), Error> {
    if attacher.options.allowed.contains(&Effect::Captures) {
        return Ok(());
    }
    let question =
        format!("capture what `{target}` sends and receives, with the passwords and personal data in it?");
    let because = match Talk::stderr().confirm(&question).await {
        Some(true) => return Ok(()),
        Some(false) => "that was not allowed",
        None => "it shows what others send and receive, which was not allowed, and there is nobody to ask",
    };
    Err(Error::new(format!("capture packets of `{target}`"), because, "--allow capture, if you may"))
}

//! Several questions about one target, over connections that stay open.

use dbgctl_proto::{Effect, Needs};

use super::level::Level;
use super::spec::Kind;
use super::{Attacher, QUESTION_EXPIRES, Sidecar, Survey, new_session_id, session_for};
use crate::error::Error;

/// What a sidecar of a session may do. Traffic is sent only by naming the command, so a session may always be asked for it.
/// Packets are captured only where that was allowed, and only there is a level that can: whoever asks is asked each time.
pub(crate) fn effects_at(level: Level) -> Vec<Effect> {
    match level {
        Level::Zero | Level::One | Level::OneB => vec![Effect::Observes, Effect::SendsTraffic],
        Level::Two => vec![Effect::Observes, Effect::SendsTraffic, Effect::Captures],
    }
}

/// A session: one sidecar for each level that was needed so far.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    attacher: &'a Attacher,
    pub(crate) survey: Survey,
    id: String,
    pub(crate) sidecars: Vec<Sidecar>,
}

impl<'a> Session<'a> {
    /// Opens a session at the lowest level that the user's choice allows, or joins one that runs already.
    pub(crate) async fn open(attacher: &'a Attacher, survey: Survey) -> Result<Self, Error> {
        let level = attacher.options.level.unwrap_or(Level::Zero);
        let mut session = Self { attacher, survey, id: new_session_id(), sidecars: Vec::new() };
        session.reach(level, Effect::Observes).await?;
        Ok(session)
    }

    /// The sidecar that answers a probe with these needs. Raises the level if it has to, and says so.
    pub(crate) async fn sidecar_for(&mut self, needs: &Needs) -> Result<&Sidecar, Error> {
        let level = self.attacher.level_for(needs)?;
        if self.position(level).is_none() {
            self.attacher.announce(level, needs);
        }
        self.reach(level, needs.effect).await
    }

    /// The weakest sidecar of at least `level`: one that is connected, one that runs, or a new one.
    async fn reach(&mut self, level: Level, effect: Effect) -> Result<&Sidecar, Error> {
        let position = match self.position(level) {
            Some(position) => position,
            None => {
                let sidecar = self.connect(level, effect).await?;
                self.sidecars.push(sidecar);
                self.sidecars.len() - 1
            }
        };
        Ok(&self.sidecars[position])
    }

    fn position(&self, level: Level) -> Option<usize> {
        let enough = self.sidecars.iter().enumerate().filter(|(_, sidecar)| sidecar.level.covers(level));
        enough.min_by_key(|(_, sidecar)| sidecar.level.weight()).map(|(position, _)| position)
    }

    async fn connect(&self, level: Level, effect: Effect) -> Result<Sidecar, Error> {
        if let Some(running) = session_for(&self.survey, level, effect, self.attacher.options.level.is_some())
            && let Ok(joined) = self.attacher.join(running).await
        {
            return Ok(joined);
        }
        let effects = effects_at(level);
        let wish = self.attacher.wish(Kind::Session, level, effects, self.id.clone(), QUESTION_EXPIRES);
        self.attacher.start(&self.survey, &wish).await
    }

    /// Returns the moment one of the sidecars no longer runs.
    pub(crate) async fn broken(&self) {
        let waits = self.sidecars.iter().map(|sidecar| Box::pin(self.attacher.engine.stopped(&sidecar.name)));
        futures_util::future::select_all(waits).await;
    }
}

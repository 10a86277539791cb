//! From a container's name to an agent that answers, and back to nothing.
//!
//! The sequence: look at the target, at the sidecars that exist and at the image, all at once; refuse what can
//! not or must not be looked into; join a session that may do enough, or create a sidecar, attach to it, start
//! it, shake hands. What this process created it also removes, whatever happens in between.

pub(crate) mod diagnosis;
pub(crate) mod docker;
pub(crate) mod facts;
pub(crate) mod image;
pub(crate) mod level;
mod owner;
pub(crate) mod session;
pub(crate) mod spec;
mod sweep;
mod target;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dbgctl_proto::{AGENT_ID, Effect, Needs, v1};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;

use self::docker::{AgentLog, ByteStream, Engine, EngineError};
use self::facts::{Container, Image, Summary};
use self::image::Choice;
use self::level::Level;
use self::owner::Owner;
use self::spec::{AGENT_PATH, Kind, Spec, Wish, agent_user, is_sidecar, label};
use crate::channel::{self, HandshakeError};
use crate::error::Error;
use crate::render::Notes;

/// After this time anyone may remove what a question left behind. The agent itself ends much earlier: with its
/// standard input.
const QUESTION_EXPIRES: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the last steps of a start may take when everything else is over already.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// What the user chose about sidecars.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// `None`: whatever makes the answer whole.
    pub(crate) level: Option<Level>,
    pub(crate) image: Choice,
    pub(crate) host_namespaces: bool,
    /// What may be done without being asked about.
    pub(crate) allowed: Vec<Effect>,
    /// How long one answer may take.
    pub(crate) time_limit: Duration,
    /// Why the user looks into the target. May be empty.
    pub(crate) reason: String,
}

/// Starts, joins and removes sidecars.
#[derive(Debug)]
pub(crate) struct Attacher {
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) notes: Notes,
    owner: Owner,
    /// Requests to the engine that must not be abandoned half-way.
    work: TaskTracker,
    /// Names of the sidecars that this process must remove.
    ours: Arc<Mutex<Vec<String>>>,
}

/// What was found before anything was started.
#[derive(Debug, Clone)]
pub(crate) struct Survey {
    pub(crate) target: Container,
    /// All sidecars of dbgctl in this engine.
    pub(crate) sidecars: Vec<Summary>,
    architecture: String,
    /// What the engine has under the tag of the carried image.
    tagged: Result<Image, EngineError>,
}

/// A sidecar with a connection to its agent.
#[derive(Debug)]
pub(crate) struct Sidecar {
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) channel: Channel,
    pub(crate) handshake: v1::HandshakeResponse,
}

impl Attacher {
    pub(crate) fn new(engine: Engine, options: Options, notes: Notes) -> Self {
        Self {
            engine,
            options,
            notes,
            owner: Owner::myself(),
            work: TaskTracker::new(),
            ours: Arc::default(),
        }
    }

    /// Looks at everything that decides what to do, and sweeps what earlier runs left behind.
    pub(crate) async fn survey(&self, wanted: &str) -> Result<Survey, Error> {
        let (target, sidecars, architecture, tagged) = tokio::join!(
            target::find(&self.engine, wanted),
            self.sidecars(),
            self.engine.architecture(),
            self.engine.image(image::TAG),
        );
        let what = || "ask the container engine".to_owned();
        let sidecars = sidecars.map_err(|error| Error::engine(what(), &error))?;
        let target = target?;
        target::must_run(&target)?;
        if is_sidecar(&target.name, &target.labels) {
            return Err(Error::new(
                format!("look into the container `{}`", target.name),
                "it is a sidecar of dbgctl",
                "name the container that it looks into: `dbgctl sessions`",
            ));
        }
        let shared = target::host_namespaces(&self.engine, &target).await?;
        target::must_not_be_host(&target, &shared, self.options.host_namespaces)?;
        for warning in target::warnings(&target) {
            self.notes.warn(warning);
        }
        let architecture = architecture.map_err(|error| Error::engine(what(), &error))?;
        Ok(Survey { target, sidecars, architecture, tagged })
    }

    /// The container that the target's network namespace was made for: that one has its addresses.
    pub(crate) async fn network_maker(&self, survey: &Survey) -> Result<Container, Error> {
        target::network_maker(&self.engine, &survey.target).await
    }

    /// All sidecars of dbgctl in this engine, those aside that serve no one any more: they are swept in the background.
    pub(crate) async fn sidecars(&self) -> Result<Vec<Summary>, EngineError> {
        let sidecars = self.engine.sidecars().await?;
        let (leftovers, kept): (Vec<_>, Vec<_>) =
            sidecars.into_iter().partition(|sidecar| sweep::is_leftover(sidecar, &self.owner, unix_now()));
        for leftover in leftovers {
            self.sweep(leftover);
        }
        Ok(kept)
    }

    /// Removes all that serves no one any more, and returns how many there were and how many others there are.
    pub(crate) async fn collect_garbage(&self) -> Result<(usize, usize), EngineError> {
        let sidecars = self.engine.sidecars().await?;
        let all = sidecars.len();
        let is_leftover = |sidecar: &Summary| sweep::is_leftover(sidecar, &self.owner, unix_now());
        let sweeps: Vec<_> =
            sidecars.into_iter().filter(is_leftover).map(|leftover| self.sweep(leftover)).collect();
        let mut removed = 0;
        for sweep in sweeps {
            // One that panicked has removed nothing.
            removed += usize::from(sweep.await.unwrap_or(Ok(false))?);
        }
        Ok((removed, all - removed))
    }

    /// Removes a leftover in the background, if a second look says so too. Tells whether it did.
    fn sweep(&self, mut leftover: Summary) -> JoinHandle<Result<bool, EngineError>> {
        let (engine, owner) = (self.engine.clone(), self.owner.clone());
        self.work.spawn(async move {
            // The list may be older than the owner's death: a session that it shows as never started runs by now
            // if its owner left it so. Nobody starts it after that, so a second look is final.
            leftover.status = match engine.container(&leftover.id).await {
                Err(EngineError::NotFound(_)) => return Ok(false),
                found => found?.state.status,
            };
            if !sweep::is_leftover(&leftover, &owner, unix_now()) {
                return Ok(false);
            }
            // If it can not be removed now, the next run will find it again.
            engine.remove(&leftover.id).await?;
            Ok(true)
        })
    }

    /// The level for a probe with these needs, by the user's choice or as the answer needs it.
    pub(crate) fn level_for(&self, needs: &Needs) -> Result<Level, Error> {
        let beyond = || {
            Error::new(
                format!("provide what {} needs", needs.path),
                "no level of this dbgctl grants it",
                "this is a bug: please report it",
            )
        };
        let whole = Level::whole(needs).ok_or_else(beyond)?;
        let least = Level::least(needs).ok_or_else(beyond)?;
        let Some(chosen) = self.options.level else { return Ok(whole) };
        if chosen.covers(least) {
            return Ok(chosen.common(whole));
        }
        let reasons: Vec<_> = needs
            .capabilities
            .iter()
            .filter(|capability| !capability.optional && !chosen.held().contains(&capability.name))
            .map(|capability| format!("{} {}", capability.name, capability.reason))
            .collect();
        Err(Error::new(
            format!("answer this at {chosen}"),
            format!("it needs {}", reasons.join(" and ")),
            format!("--level {}, or leave --level out for a whole answer", least.name()),
        ))
    }

    /// An agent for one question: that of a session which may do enough, or a new one.
    pub(crate) async fn for_question(&self, survey: &Survey, needs: &Needs) -> Result<Sidecar, Error> {
        let level = self.level_for(needs)?;
        if let Some(session) = session_for(survey, level, needs.effect, self.options.level.is_some()) {
            match self.join(session).await {
                Ok(sidecar) => return Ok(sidecar),
                // It ended this very moment, or it is of another version. A sidecar of our own depends on neither.
                Err(error) => {
                    self.notes.note(format!("not using the session in {}: {}", session.name, error.because))
                }
            }
        }
        self.announce(level, needs);
        let mut effects = vec![Effect::Observes, needs.effect];
        effects.dedup();
        self.start(survey, &self.wish(Kind::Question, level, effects, new_session_id(), QUESTION_EXPIRES))
            .await
    }

    pub(crate) fn wish(
        &self,
        kind: Kind,
        level: Level,
        effects: Vec<Effect>,
        session: String,
        expires_in: Duration,
    ) -> Wish {
        Wish { kind, level, effects, session, expires_in, reason: self.options.reason.clone() }
    }

    /// Starts a sidecar that this process has to remove, and shakes hands with its agent.
    pub(crate) async fn start(&self, survey: &Survey, wish: &Wish) -> Result<Sidecar, Error> {
        let image = self.image(survey).await?;
        let spec = Spec::new(&survey.target, wish, &self.owner, &image, SystemTime::now());
        let name = spec.name.clone();
        self.ours().push(name.clone());
        let engine = self.engine.clone();
        // A task of its own: an interrupt must not abandon a create that the engine carries out all the same.
        let started = self.work.spawn(async move {
            let id = engine.create(&spec).await?;
            let streams = engine.attach(&id).await?;
            engine.start(&id).await?;
            Ok::<_, EngineError>(streams)
        });
        let what = || format!("start a sidecar for `{}`", survey.target.name);
        let started =
            self.notes.if_it_takes_long("waiting for the engine to start the sidecar", started).await;
        let started = started.map_err(|panic| Error::new(what(), panic.to_string(), "this is a bug"))?;
        let (stream, log) = match started {
            Ok(streams) => streams,
            Err(error) => return Err(self.explain_start(survey, Error::engine(what(), &error)).await),
        };
        match self.greet(stream, &log, name, wish.level).await {
            Ok(sidecar) => Ok(sidecar),
            Err(because) => {
                let suggestion =
                    "the sidecar started, its agent did not: `dbgctl image inspect` shows which image it is";
                Err(self.explain_start(survey, Error::new(what(), because, suggestion)).await)
            }
        }
    }

    /// The target may have ended since it was looked at: then that is what the user wants to know.
    async fn explain_start(&self, survey: &Survey, error: Error) -> Error {
        match diagnosis::end_of(&self.engine, &survey.target).await {
            Some(end) => Error { what: error.what, ..end },
            None => error,
        }
    }

    /// Joins the agent of a session through an exec in its sidecar.
    pub(crate) async fn join(&self, session: &Summary) -> Result<Sidecar, Error> {
        let what = || format!("join the session in `{}`", session.name);
        let joined = self.engine.exec(&session.id, &agent_user(), &[AGENT_PATH, "bridge"]).await;
        let (stream, log) = joined.map_err(|error| Error::engine(what(), &error))?;
        let level = level_of(session).unwrap_or(Level::Zero);
        let suggestion = format!("`dbgctl detach {}` ends it; the next question starts anew", session.name);
        self.greet(stream, &log, session.name.clone(), level)
            .await
            .map_err(|because| Error::new(what(), because, suggestion))
    }

    async fn greet(
        &self,
        stream: ByteStream,
        log: &AgentLog,
        name: String,
        level: Level,
    ) -> Result<Sidecar, String> {
        let channel = channel::open(stream).await.map_err(|error| error.to_string())?;
        match channel::handshake(&channel).await {
            Ok(handshake) => {
                self.check_confinement(&handshake, level)?;
                Ok(Sidecar { name, level, channel, handshake })
            }
            Err(HandshakeError::Failed(_)) if !log.text().is_empty() => {
                Err(String::from_utf8_lossy(&log.text()).into_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn image(&self, survey: &Survey) -> Result<String, Error> {
        match &self.options.image {
            Choice::Carried => {
                let tagged = survey.tagged.clone();
                image::ensure_carried(&self.engine, self.notes, &survey.architecture, tagged).await
            }
            Choice::Approved { reference, pull } => {
                image::ensure_approved(&self.engine, self.notes, &survey.architecture, reference, *pull).await
            }
        }
    }

    /// Who runs this process.
    pub(crate) fn user(&self) -> &str {
        &self.owner.user
    }

    /// From now on this sidecar may outlive this process.
    pub(crate) fn release(&self, name: &str) {
        self.ours().retain(|ours| ours != name);
    }

    /// Removes what this process created, and waits for what it began.
    pub(crate) async fn clean_up(&self) -> Result<(), Error> {
        self.work.close();
        let _finished = tokio::time::timeout(LAST_STEPS, self.work.wait()).await;
        let names = std::mem::take(&mut *self.ours());
        let mut outcome = Ok(());
        for name in names {
            let removed = self.engine.remove(&name).await;
            let removed =
                removed.map_err(|error| Error::engine(format!("remove the sidecar {name}"), &error));
            outcome = outcome.and(removed);
        }
        outcome
    }

    /// Says which privilege is used and why, if any is.
    pub(crate) fn announce(&self, level: Level, needs: &Needs) {
        let used: Vec<_> = needs
            .capabilities
            .iter()
            .filter(|capability| level.held().contains(&capability.name))
            .map(|capability| format!("{}, {}", capability.name, capability.reason))
            .collect();
        if used.is_empty() {
            return;
        }
        let optional = needs.capabilities.iter().all(|capability| capability.optional);
        let instead = if optional { " (--level 0 does without)" } else { "" };
        self.notes.note(format!("{level}: {}{instead}", used.join("; ")));
    }

    /// What the agent says of itself must be what it was given. An agent that holds more is not trusted with a question.
    fn check_confinement(&self, handshake: &v1::HandshakeResponse, level: Level) -> Result<(), String> {
        if handshake.uid != AGENT_ID {
            return Err(format!("the agent runs as user {} instead of {AGENT_ID}", handshake.uid));
        }
        let excess = handshake
            .capabilities
            .iter()
            .chain(&handshake.regainable_capabilities)
            .find(|name| !level.held().contains(&name.as_str()));
        if let Some(excess) = excess {
            return Err(format!("the agent holds {excess}, which {level} does not grant"));
        }
        let filtered = handshake.seccomp.as_ref().is_some_and(|seccomp| seccomp.agent_filter);
        if !filtered {
            self.notes
                .warn("the agent's own system call filter is not in force; the engine's profile still is");
        }
        Ok(())
    }

    fn ours(&self) -> MutexGuard<'_, Vec<String>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running session of the target that may do what is asked: the weakest that is strong enough.
fn session_for(survey: &Survey, level: Level, effect: Effect, exactly: bool) -> Option<&Summary> {
    survey
        .sidecars
        .iter()
        .filter(|sidecar| sidecar.status == facts::Status::Running)
        .filter(|sidecar| sidecar.label(label::KIND) == Kind::Session.name())
        .filter(|sidecar| sidecar.label(label::TARGET) == survey.target.id)
        .filter(|sidecar| sidecar.label(label::EFFECTS).split(',').any(|name| name == effect.name()))
        .filter(|sidecar| {
            level_of(sidecar).is_some_and(|held| if exactly { held == level } else { held.covers(level) })
        })
        .min_by_key(|sidecar| level_of(sidecar).map(Level::weight))
}

fn level_of(sidecar: &Summary) -> Option<Level> {
    Level::from_name(sidecar.label(label::LEVEL))
}

/// Eight hexadecimal digits, different each time.
pub(crate) fn new_session_id() -> String {
    // Seeded from the system's randomness; it only has to be unlikely to be met twice in one engine.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    format!("{:08x}", hasher.finish() >> 32)
}

/// Seconds since the epoch.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

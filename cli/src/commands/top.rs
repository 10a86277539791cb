//! `top`: everything that the other questions tell, live and on one screen.

#[cfg(test)]
mod golden;
mod json;
mod keys;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod trend;
mod view;

use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use dbgctl_proto::bounds::{LONGEST_SAMPLE, SHORTEST_SAMPLE};
use dbgctl_proto::list::List as _;
use dbgctl_proto::v1;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Zoned;
use tokio::time::{Instant, sleep_until};

use self::keys::Wish;
use self::snapshot::{Before, Replies, Snapshot};
use self::state::State;
use self::view::{Now, Theme};
use super::agent::Agent;
use super::watch::interval_within_reason;
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::interrupt;
use crate::render::{Output, Screen, Talk};

const HELP: &str = "\
Examples:
  dbgctl top web                             the screen; h shows the keys, q leaves
  dbgctl top web --interval 250ms            what is short-lived
  dbgctl top web -o json --count 1 | jq .    one look, for programs
  dbgctl top web -o json | jq -c '[.cpu.used_cpus, .cpu.throttled_percent, .memory.current_bytes]'

The header: CPU used of the container's limit, and the share of the limit's periods in which it was held back; memory \
charged of the limit, the working set, and what is left to the OOM killer for sure; pressure (PSI), which is the share of \
time that some or all tasks lost waiting; what the network carries; how many processes are in which state. The lines at \
the right show how it went. What cannot be had is `-`, and the help screen says why.

Keys, as in htop:
  q F10     quit                          P M T N   sort by CPU, memory, time, pid
  h ? F1    help                          < > F6    sort by what a menu offers
  / F3      search, n for the next        I         the other end first
  \\ F4      show only what contains it    t F5      tree
  u         show one user's alone         H         threads
  p z       pause                         c         arguments, or the name alone
  + - d     ask less often, more often, every …    Esc  show all again

One list of processes a tick, read twice for the CPU, and a few files of the control group: no memory map is read, so \
nothing in the container is held up.";

/// Watch everything at once on a full screen
///
/// CPU, memory and what is left of both, throttling, pressure, network and processes, refreshed every second. It only
/// observes: no key stops, signals or renices anything.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Ask again at this interval [default: 1s]
    #[arg(short = 'd', long, value_name = "TIME", value_parser = interval_within_reason)]
    interval: Option<Duration>,

    /// End after so many answers
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u64>)]
    count: Option<u64>,

    /// Begin with one row per thread
    #[arg(long)]
    threads: bool,
}

impl Question for Args {
    /// It asks several. This is one of those with the highest needs, all of them optional, so that there is a screen at
    /// level 0 as well; what is refused then is absent with its reason.
    fn rpc(&self) -> &'static str {
        v1::ListCpuResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, _: &mut Talk) -> Result<Exit, Failure> {
        if !output.is_table() {
            return unless_pipe_closed(self.tell(agent, output).await);
        }
        let Some(screen) = output.screen()? else {
            return Err(Failure::Request {
                because: "`top` draws on a whole terminal, and this is none".to_owned(),
                suggestion: "for a list that scrolls, `ps --watch`; for programs, `top -o json`".to_owned(),
            });
        };
        self.show(agent, screen).await
    }
}

impl Args {
    fn state(&self, agent: &Agent) -> State {
        let interval = self.interval.unwrap_or(Duration::from_secs(1));
        let mut state = State::new(agent.subject().clone(), interval);
        state.threads = self.threads;
        state
    }

    /// One object a tick.
    async fn tell(&self, agent: &Agent, output: &mut Output) -> Result<Exit, Failure> {
        let mut session = Session::begin(agent.clone(), self.state(agent));
        for turn in 0..self.count.unwrap_or(u64::MAX) {
            session.tick().await?;
            output.next_answer(turn == 0)?;
            let state = &session.state;
            if let Some(snapshot) = &state.snapshot {
                output.object(|object| json::fields(state, snapshot, object))?;
            }
            output.flush()?;
        }
        Ok(Exit::Answered)
    }

    /// The screen. Dropped with the future that this is, the terminal is given back.
    async fn show(&self, agent: &Agent, mut screen: Screen) -> Result<Exit, Failure> {
        let theme = Theme { colour: screen.has_colour() };
        let mut session = Session::begin(agent.clone(), self.state(agent));
        let mut events = EventStream::new();
        let mut answers_left = self.count.unwrap_or(u64::MAX);
        while answers_left > 0 {
            let now = session.now();
            screen.draw(|frame| {
                session.state.fit(view::page(frame.area()));
                view::draw(&session.state, &now, theme, frame);
            })?;
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { return Ok(Exit::Answered) };
                    if session.react(event?) == Some(Wish::Quit) {
                        return Ok(Exit::Answered);
                    }
                    // Keys that were typed meanwhile cost one drawing together.
                    while let Some(Some(event)) = events.next().now_or_never() {
                        if session.react(event?) == Some(Wish::Quit) {
                            return Ok(Exit::Answered);
                        }
                    }
                }
                ticked = session.tick() => {
                    ticked?;
                    answers_left -= 1;
                }
                // The clock moves on, and so does the time that an answer is overdue.
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
        Ok(Exit::Answered)
    }
}

/// What is asked, when, and what it came to.
struct Session {
    agent: Agent,
    state: State,
    before: Before,
    asking: Option<BoxFuture<'static, Result<Replies, Failure>>>,
    /// When the question was asked that is under way, or the last one.
    asked: Instant,
    /// When the last answer came.
    answered: Instant,
    /// For how long that looks at the CPU.
    sample: Duration,
}

impl Session {
    fn begin(agent: Agent, state: State) -> Self {
        let mut session = Self {
            agent,
            state,
            before: Before::default(),
            asking: None,
            asked: Instant::now(),
            answered: Instant::now(),
            sample: Duration::ZERO,
        };
        session.ask(SHORTEST_SAMPLE);
        session
    }

    /// Asks, and forgets what was asked before and is not answered yet.
    fn ask(&mut self, sample: Duration) {
        self.asked = Instant::now();
        self.sample = sample;
        self.asking = Some(snapshot::ask(self.agent.clone(), sample, self.state.threads).boxed());
    }

    /// Waits for the next answer, asking at the interval. May be abandoned and called again.
    async fn tick(&mut self) -> Result<(), Failure> {
        if self.asking.is_none() {
            if self.state.paused {
                std::future::pending::<()>().await;
            }
            // An answer takes as long as its sample. One is always under way, which breaks when the target ends.
            let sample = self.state.interval.min(LONGEST_SAMPLE);
            sleep_until(self.answered + self.state.interval.saturating_sub(sample)).await;
            self.ask(sample);
        }
        let Some(asking) = &mut self.asking else { return Ok(()) };
        let replies = asking.await;
        self.asking = None;
        self.answered = Instant::now();
        self.state.take(Snapshot::of(replies?, &mut self.before));
        Ok(())
    }

    fn react(&mut self, event: Event) -> Option<Wish> {
        let Event::Key(key) = event else { return None };
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let interval = self.state.interval;
        let wish = keys::press(&mut self.state, key);
        match wish {
            Some(Wish::Interrupt) => interrupt::by_key(),
            Some(Wish::Ask) => self.ask(SHORTEST_SAMPLE),
            // What is under way may take as long as the interval was.
            None if self.state.paused => self.asking = None,
            None if self.state.interval < interval => self.ask(SHORTEST_SAMPLE),
            _ => {}
        }
        wish
    }

    fn now(&self) -> Now {
        let late = self.sample.max(self.state.interval) + Duration::from_secs(3);
        let waited = self.asked.elapsed();
        let overdue = self.asking.is_some() && waited > late;
        Now {
            clock: Zoned::now().strftime("%H:%M:%S").to_string(),
            overdue_seconds: overdue.then_some(waited.as_secs()),
        }
    }
}

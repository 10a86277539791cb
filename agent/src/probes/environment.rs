//! `ListEnvironments`: what the target's processes were started with, without its secrets.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use dbgctl_linux::Buffer;
use dbgctl_linux::procfs::environ::{self, Environ, Variable};
use dbgctl_linux::procfs::stat::Stat;
use dbgctl_proto::bounds::{LONGEST_NAME_PATTERN_BYTES, MOST_NAME_PATTERNS};
use dbgctl_proto::v1;
use dbgctl_proto::v1::Redaction;
use dbgctl_proto::v1::environment_service_server::{EnvironmentService, EnvironmentServiceServer};
use tonic::{Request, Response, Status};

use crate::error::{BadRequest, ProbeError};
use crate::listing;
use crate::redaction::{self, Verdict};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// Variables of one process that are sent. What has more was made to have them, each of a byte or two.
const MOST_VARIABLES: usize = 4096;
/// Environments, and values that were left out, of which is remembered that they were met.
const MOST_REMEMBERED: usize = 1 << 17;

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> EnvironmentServiceServer<Environments> {
    EnvironmentServiceServer::new(Environments::new(sources))
}

/// Answers `ListEnvironments`.
#[derive(Debug)]
pub struct Environments {
    sources: Arc<Sources>,
}

impl Environments {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl EnvironmentService for Environments {
    type ListEnvironmentsStream = Bounded<v1::ListEnvironmentsResponse>;

    async fn list_environments(
        &self,
        request: Request<v1::ListEnvironmentsRequest>,
    ) -> Result<Response<Self::ListEnvironmentsStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let wanted = request.into_inner();
        check(&wanted.names).map_err(ProbeError::from)?;
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, wanted, out))))
    }
}

fn check(names: &[String]) -> Result<(), BadRequest> {
    let too_long = names.iter().any(|name| name.len() > LONGEST_NAME_PATTERN_BYTES);
    if too_long || names.len() > MOST_NAME_PATTERNS {
        let problem =
            format!("at most {MOST_NAME_PATTERNS}, each of at most {LONGEST_NAME_PATTERN_BYTES} bytes");
        return Err(BadRequest::new("names", problem));
    }
    Ok(())
}

fn collect(
    sources: &Sources,
    wanted: v1::ListEnvironmentsRequest,
    out: &mut Out<v1::ListEnvironmentsResponse>,
) -> Result<(), Halt> {
    let mut reader = Reader {
        names: wanted.names.iter().map(|name| name.to_ascii_lowercase().into_bytes()).collect(),
        reveal: wanted.reveal,
        hashers: [RandomState::new(), RandomState::new()],
        sent: HashMap::new(),
        redacted: HashMap::new(),
        different: 0,
    };
    let mut buffer = Buffer::default();
    listing::processes(sources, &wanted.pids, out, |stat, out| {
        if !stat.has_memory() {
            return Ok(());
        }
        let environ = match environ::read(sources.root(), stat.pid, &mut buffer) {
            Err(error) if !error.is_gone() => {
                out.gaps.add_error("environments", &error);
                return Ok(());
            }
            environ => out.gaps.unless_gone(environ),
        };
        let Some(environ) = environ else { return Ok(()) };
        out.room()?;
        out.row(reader.message(stat, &environ))
    })
}

struct Reader {
    names: Vec<Vec<u8>>,
    reveal: bool,
    /// With keys of this answer alone: no target can make two texts that it takes for one.
    hashers: [RandomState; 2],
    /// Environments that have been sent, and of which process.
    sent: HashMap<[u64; 2], u32>,
    /// Values that were left out, and their numbers in this answer.
    redacted: HashMap<[u64; 2], u64>,
    /// How many different ones there were.
    different: u64,
}

impl Reader {
    fn message(&mut self, stat: &Stat<'_>, environ: &Environ<'_>) -> v1::ProcessEnvironment {
        let pid = stat.pid.0;
        let identity = self.identity(environ.bytes);
        let first = self.sent.get(&identity).copied().unwrap_or(pid);
        if self.sent.len() < MOST_REMEMBERED {
            self.sent.entry(identity).or_insert(pid);
        }
        let (variables, more) = if first == pid { self.variables(environ) } else { (Vec::new(), false) };
        v1::ProcessEnvironment {
            pid,
            command: stat.command.to_vec(),
            variables,
            same_as_pid: Some(first).filter(|&first| first != pid),
            cut: environ.cut || more,
        }
    }

    fn identity(&self, bytes: &[u8]) -> [u64; 2] {
        self.hashers.each_ref().map(|hasher| hasher.hash_one(bytes))
    }

    /// Those that are wanted, and whether there are more.
    fn variables(&mut self, environ: &Environ<'_>) -> (Vec<v1::EnvironmentVariable>, bool) {
        let wanted = environ.variables().filter(|variable| self.is_wanted(variable));
        let mut variables = wanted.take(MOST_VARIABLES + 1).collect::<Vec<_>>();
        let more = variables.len() > MOST_VARIABLES;
        variables.truncate(MOST_VARIABLES);
        (variables.iter().map(|variable| self.variable(variable)).collect(), more)
    }

    fn is_wanted(&self, variable: &Variable<'_>) -> bool {
        let fits = |name: &[u8]| {
            let name = name.to_ascii_lowercase();
            self.names.iter().any(|pattern| matches(pattern, &name))
        };
        self.names.is_empty() || variable.name.is_some_and(fits)
    }

    fn variable(&mut self, variable: &Variable<'_>) -> v1::EnvironmentVariable {
        let value = variable.value;
        let verdict = match variable.name {
            _ if self.reveal => Verdict::Harmless,
            Some(name) if variable.is_whole => redaction::judge(name, value),
            _ => Verdict::Nameless,
        };
        let name = variable.name.unwrap_or(value).to_vec();
        let shown = variable.name.is_some().then(|| value.to_vec());
        let (name, shown, redaction) = match verdict {
            Verdict::Harmless => (name, shown, Redaction::Unspecified),
            Verdict::Password(shown) => (name, Some(shown), Redaction::Password),
            Verdict::Name => (name, None, Redaction::Name),
            Verdict::Value => (name, None, Redaction::Value),
            Verdict::Nameless => (Vec::new(), None, Redaction::Nameless),
        };
        let mut redacted_identity = 0;
        if redaction != Redaction::Unspecified {
            let identity = self.identity(value);
            redacted_identity = self.redacted.get(&identity).copied().unwrap_or_default();
            if redacted_identity == 0 {
                self.different += 1;
                redacted_identity = self.different;
                if self.redacted.len() < MOST_REMEMBERED {
                    self.redacted.insert(identity, redacted_identity);
                }
            }
        }
        v1::EnvironmentVariable {
            name,
            value: shown,
            redaction: redaction.into(),
            value_bytes: value.len().try_into().unwrap_or(u64::MAX),
            redacted_identity,
        }
    }
}

/// Whether `name` is what `pattern` describes, with `*` for anything and `?` for one byte.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    // Where to go on if what followed the last `*` does not fit.
    let mut retry = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, in_name));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((star, taken)) = retry else { return false };
                retry = Some((star, taken + 1));
                (at, in_name) = (star + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_a_question_mark_for_one() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*pass*", "db_password", true),
            ("db_?ass*d", "db_password", true),
            ("*a*b", "aab", true),
            ("pass", "password", false),
            ("?", "", false),
            ("*x", "xy", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }

    fn reader(reveal: bool) -> Reader {
        Reader {
            names: Vec::new(),
            reveal,
            hashers: [RandomState::new(), RandomState::new()],
            sent: HashMap::new(),
            redacted: HashMap::new(),
            different: 0,
        }
    }

    #[test]
    fn what_a_title_left_of_a_variable_is_not_shown_unless_asked_for() {
        let environ = environ::parse(b"nginx: worker\0\0WORD=hunter2\0PATH=/bin\0", false);
        let variables = reader(false).variables(&environ).0;
        assert_eq!((variables[0].redaction(), variables[0].name.len()), (Redaction::Nameless, 0));
        assert_eq!((variables[1].redaction(), &variables[1].value), (Redaction::Nameless, &None));
        assert_eq!(variables[2].value.as_deref(), Some(&b"/bin"[..]));
        let revealed = reader(true).variables(&environ).0;
        assert_eq!((&revealed[0].name[..], &revealed[0].value), (&b"nginx: worker"[..], &None));
        assert_eq!(revealed[1].value.as_deref(), Some(&b"hunter2"[..]));
    }

    #[test]
    fn equal_secrets_of_one_answer_can_be_told_from_others() {
        let environ = environ::parse(b"A_KEY=one\0B_KEY=two\0C_KEY=one\0D=x\0", false);
        let [one, two, again, shown] = &reader(false).variables(&environ).0[..] else { panic!() };
        let identities = [one, two, again, shown].map(|variable| variable.redacted_identity);
        assert_eq!(identities, [1, 2, 1, 0]);
    }
    #[test]
    fn an_environment_of_tiny_variables_is_cut_and_says_so() {
        let text = b"A=\0".repeat(MOST_VARIABLES + 1);
        let (variables, more) = reader(false).variables(&environ::parse(&text, false));
        assert_eq!((variables.len(), more), (MOST_VARIABLES, true));
        let (variables, more) = reader(false).variables(&environ::parse(&text[3..], false));
        assert_eq!((variables.len(), more), (MOST_VARIABLES, false));
    }
}

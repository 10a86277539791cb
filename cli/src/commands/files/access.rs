//! `access`: whether a user may read, write or execute a file of the target, and what decides it.

use std::borrow::Cow;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::access_service_client::AccessServiceClient;
use dbgctl_proto::v1::{self, AccessRule, AccessStep, AccessSubject, ExplainAccessResponse};

use super::file_status::{gap_sentences, gaps_field};
use super::{TargetPath, Through, status, word};
use crate::commands::agent::Agent;
use crate::commands::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl access web /data/app.db --uid 1000 --for write
  dbgctl access web /run/secrets/key --uid 1000      may user 1000 read it, and if not, why not
  dbgctl access web /usr/bin/curl --for execute      may the container's own first process
  dbgctl access web /data --pid 7 --for read,write   may process 7, with its groups and capabilities
  dbgctl access web /data --uid 33 && echo yes       0: allowed, 1: denied, 2: not found out

Each component of the path is judged as the kernel would: to pass a directory takes its x. Without --uid it \
is judged for the process itself. A user named by --uid has the groups of the container's /etc/passwd and \
/etc/group, and no capabilities; uid 0 has those that a root process of the container can have.

Nothing is tried. Security modules (AppArmor, SELinux) are not asked: they may deny what is allowed here.";

/// Explain who may do what with a file
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seen from the container's root directory
    path: TargetPath,

    /// For this user; without it, for the process itself
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,

    /// With this group, instead of that in the container's /etc/passwd
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,

    /// What to do with the file; several with commas
    #[arg(long = "for", value_enum, value_name = "WHAT", value_delimiter = ',', default_value = "read")]
    wanted: Vec<Right>,

    #[command(flatten)]
    through: Through,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Right {
    Read,
    Write,
    Execute,
}

/// No path has more components than this after all its links were followed.
const MOST_STEPS: usize = 1024;

impl Row for AccessStep {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("PATH", |row: &Self, cell| {
            cell.raw(&row.path);
            if let Some(target) = &row.link_target {
                cell.text(" -> ");
                cell.raw(target);
            }
        }),
        Column::maybe("MODE", |row| row.status.as_ref().map(|status| status::mode(status).into())),
        Column::written("OWNER", |row: &Self, cell| {
            row.status.iter().for_each(|status| status::owner(status, cell));
        }),
        Column::written("GROUP", |row: &Self, cell| {
            row.status.iter().for_each(|status| status::group(status, cell));
        }),
        Column::maybe("NEEDS", |row| Some(needs(row)).filter(|needs| !needs.is_empty()).map(Cow::Owned)),
        Column::text("VERDICT", |row| verdict(row.allowed).into()),
        Column::maybe("BECAUSE OF", because),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.raw("path", self.path.as_slice());
        status::field("status", self.status.as_ref(), object);
        object.raw("link_target", self.link_target.as_deref());
        object.flag("read", self.read);
        object.flag("write", self.write);
        object.flag("execute", self.execute);
        allowed_field(self.allowed, object);
        object.text("rule", &*word::<AccessRule>(self.rule, AccessRule::as_str_name, "ACCESS_RULE_"));
        object.number("acl_id", self.acl_id.map(u64::from));
        object.text("capability", self.capability.as_deref());
    }

    fn emphasis(&self) -> Emphasis {
        match self.allowed {
            Some(true) => Emphasis::None,
            Some(false) => Emphasis::Alarming,
            None => Emphasis::Notable,
        }
    }
}

fn allowed_field(allowed: Option<bool>, object: &mut Object<'_>) {
    match allowed {
        Some(allowed) => object.flag("allowed", allowed),
        None => object.null("allowed"),
    }
}

fn verdict(allowed: Option<bool>) -> &'static str {
    match allowed {
        Some(true) => "allowed",
        Some(false) => "denied",
        None => "unknown",
    }
}

/// The letters that are asked of it.
fn needs(step: &AccessStep) -> String {
    let letters = [(step.read, 'r'), (step.write, 'w'), (step.execute, 'x')];
    letters.into_iter().filter(|(asked, _)| *asked).map(|(_, letter)| letter).collect()
}

fn because(step: &AccessStep) -> Option<Cow<'_, str>> {
    let bits = |who: &str, shift: u32| {
        let mode = step.status.as_ref().map_or(0, |status| status.permissions >> shift & 7);
        let letter = |bit, letter| if mode & bit != 0 { letter } else { '-' };
        format!("{who}: {}{}{}", letter(4, 'r'), letter(2, 'w'), letter(1, 'x')).into()
    };
    let id = step.acl_id.unwrap_or_default();
    Some(match AccessRule::try_from(step.rule) {
        Ok(AccessRule::Unspecified) => return None,
        Ok(AccessRule::Owner) => bits("owner", 6),
        Ok(AccessRule::Group) => bits("group", 3),
        Ok(AccessRule::Others) => bits("others", 0),
        Ok(AccessRule::AclUser) => format!("the access control list for user {id}").into(),
        Ok(AccessRule::AclGroup) => format!("the access control list for group {id}").into(),
        Ok(AccessRule::AclMask) => "the mask of the access control list".into(),
        Ok(AccessRule::Capability) => step.capability.as_deref().unwrap_or("a capability").into(),
        Ok(AccessRule::ReadOnlyMount) => "the mount is read-only".into(),
        Ok(AccessRule::NoExecMount) => "the mount is noexec".into(),
        Ok(AccessRule::Immutable) => "the file is immutable (chattr +i)".into(),
        Ok(AccessRule::NoExecuteBit) => "nobody has the right to execute it".into(),
        Ok(AccessRule::Missing) => "there is nothing of that name".into(),
        Ok(AccessRule::NotADirectory) => "it is not a directory, and the path goes on".into(),
        Ok(AccessRule::LinkLoop) => "too many symbolic links".into(),
        Ok(AccessRule::Unknown) | Err(_) => "the agent could not see enough".into(),
    })
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.AccessService/ExplainAccess"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut client =
            AccessServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = agent.request(self.request());
        let answer = async { Ok(client.explain_access(request).await?.into_inner()) };
        let mut response = agent.within_limit(answer).await?;
        response.steps.truncate(MOST_STEPS);
        unless_pipe_closed(self.show(&response, output, talk))
    }
}

impl Args {
    fn request(&self) -> v1::ExplainAccessRequest {
        let wants = |right| self.wanted.contains(&right);
        v1::ExplainAccessRequest {
            path: self.path.bytes(),
            pid: self.through.pid,
            uid: self.uid,
            gid: self.gid,
            read: wants(Right::Read),
            write: wants(Right::Write),
            execute: wants(Right::Execute),
        }
    }

    fn show(
        &self,
        response: &ExplainAccessResponse,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        output.rows(&response.steps)?;
        let subject = response.subject.clone().unwrap_or_default();
        if output.is_table() {
            output.sentence(self.sentence(response, &subject))?;
            output.beside(talk, gap_sentences(&response.gaps, "components"))?;
        } else {
            output.object(|object| {
                allowed_field(response.allowed, object);
                object.object("subject", |object| subject_fields(&subject, object));
                gaps_field(&response.gaps, object);
            })?;
        }
        output.flush()?;
        Ok(match response.allowed {
            Some(true) => Exit::Answered,
            Some(false) => Exit::No,
            None => Exit::Unknown,
        })
    }

    /// `denied: user 1000 may not read /run/secrets/key: others: --- of /run/secrets`.
    fn sentence(&self, response: &ExplainAccessResponse, subject: &AccessSubject) -> String {
        let right = |right: &Right| match right {
            Right::Read => "read",
            Right::Write => "write",
            Right::Execute => "execute",
        };
        let rights: Vec<_> = self.wanted.iter().map(right).collect();
        let (rights, path) = (rights.join(" and "), String::from_utf8_lossy(&self.path.0));
        let who = match &subject.user {
            Some(name) => format!("user {} ({})", subject.uid, String::from_utf8_lossy(name)),
            None => format!("user {}", subject.uid),
        };
        let last = response.steps.last();
        let why = last.and_then(because).map_or_else(String::new, |why| {
            let place = last.map_or_else(Cow::default, |step| String::from_utf8_lossy(&step.path));
            format!("; it is decided at {place}: {why}")
        });
        match response.allowed {
            Some(true) => format!("allowed: {who} may {rights} {path}{why}"),
            Some(false) if last.is_some_and(|step| step.rule() == AccessRule::Missing) => {
                let place = last.map_or_else(Cow::default, |step| String::from_utf8_lossy(&step.path));
                format!("denied: {who} may not {rights} {path}: {place} does not exist")
            }
            Some(false) => format!("denied: {who} may not {rights} {path}{why}"),
            None => format!("unknown whether {who} may {rights} {path}{why}"),
        }
    }
}

fn subject_fields(subject: &AccessSubject, object: &mut Object<'_>) {
    object.number("uid", u64::from(subject.uid));
    object.numbers("gids", subject.gids.iter().map(|&gid| gid.into()));
    object.raw("user", subject.user.as_deref());
    object.raws("capabilities", subject.capabilities.iter().map(String::as_bytes));
}
